"""From a record back to the task that it is about."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task, parse_once
from minitask.errors import MachineError, UsageError
from minitask.git import history, refs
from minitask.git.objects import Objects, open_objects
from minitask.git.run_git import Git
from minitask.git.trees import TreeChange, is_ancestor, patch, patches, tree_changes
from minitask.ledger.record import ATTEMPT, Record, TaskResult, Verdict
from minitask.ledger.store import Exchange, Ledger, read_exchange, read_newest, read_records
from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import task_names


def records_of(engine: Context, name: str) -> tuple[Record, ...]:
    """Return the records of a task's attempts (`PROJECT/ID`) and of what people said of them, oldest first."""
    return tuple(
        record
        for record in all_records_of(engine, name)
        if not record.is_call and not record.is_merged
    )


def all_records_of(engine: Context, name: str) -> tuple[Record, ...]:
    """Return the same, with the calls beside the attempts and the merges that they landed by."""
    head = engine.objects.commit(refs.LEDGER)
    return tuple(read_records(engine.objects, head, below=name))


def ledger_of(engine: Context, project: str = "", *, detailed: int = 0) -> Ledger:
    """Return what the ledger holds of all work, or of a project's; without merges.

    Commands, files and rates are there for as many of the newest records as `detailed` says.
    """
    head = engine.objects.commit(refs.LEDGER)
    ledger = read_newest(engine.objects, head, below=project, most=detailed)
    return replace(
        ledger, records=tuple(record for record in ledger.records if not record.is_merged)
    )


def landed_states(engine: Context, records: Sequence[Record]) -> dict[str, str]:
    """Return `merged` or `undone` for each task whose newest landing or undo is on the target of its records."""
    states: dict[str, str] = {}
    for target in sorted({record.target for record in records}):
        tip = engine.objects.commit(target)
        for task, landing in history.landings(engine.repository.git, tip).items() if tip else ():
            states[task] = "undone" if landing.undone else Verdict.MERGED.value
    return states


def with_merges(engine: Context, records: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records, each attempt with the merge that it landed by; a further landing is a record of its own.

    The merge that an attempt's own record names was only planned where it is not on the target.
    """
    merges: dict[int, Record] = {}
    for record in records:
        if record.is_merged:
            merges.setdefault(record.attempt.n, record)
    merged, shown = [], set[int]()
    for record in records:
        landed = merges.get(record.attempt.n)
        if landed is not None and record.kind == ATTEMPT and not _has_merged(engine, record):
            merged.append(replace(record, merge=landed.merge, tree=landed.tree))
            shown.add(id(landed))
        elif id(record) not in shown:
            merged.append(record)
    return tuple(merged)


def _has_merged(engine: Context, record: Record) -> bool:
    """Return True if the merge that an attempt's own record names is on its target."""
    merge = engine.objects.commit(record.merge) if record.merge else None
    tip = engine.objects.commit(record.target)
    if merge is None or tip is None:
        return False
    return is_ancestor(engine.repository.git, ancestor=merge, of=tip)


def latest_record(engine: Context, name: str) -> Record:
    """Return a task's latest record; raise `UsageError` if the ledger has none."""
    records = records_of(engine, name) if "/" in name else ()
    if not records:
        raise UsageError(
            f"no attempts recorded for {name}", hint="`minitask status` lists the tasks"
        )
    return records[-1]


def attempt_record(engine: Context, name: str, number: int | None) -> Record:
    """Return a task's record of an attempt, the latest for None; raise `UsageError` if the ledger has none."""
    if number is None:
        return latest_record(engine, name)
    latest_record(engine, name)  # says so where there is none at all
    records = [record for record in records_of(engine, name) if record.attempt.n == number]
    if records:
        return records[-1]
    numbers = sorted({record.attempt.n for record in records_of(engine, name)})
    listed = ", ".join(map(str, numbers))
    raise UsageError(f"{name} has no recorded attempt {number}", hint=f"attempts: {listed}")


def exchange_of(engine: Context, name: str, number: int | None) -> tuple[Record, Exchange]:
    """Return what was said in an attempt, the latest that a model made for None, and its record.

    `UsageError` where nothing was kept: by an edit script, by a person, or by an earlier version.
    """
    head = engine.objects.commit(refs.LEDGER)
    chosen = attempt_record(engine, name, number) if "/" in name else latest_record(engine, name)
    records = all_records_of(engine, name)
    chosen_records = [
        record for record in records if number is None or record.attempt.n == chosen.attempt.n
    ]
    attempts = [record for record in chosen_records if not record.is_call]
    for record in reversed(attempts or chosen_records):
        exchange = read_exchange(engine.objects, head, record)
        if exchange is not None:
            return record, exchange
    which = f"attempt {number}" if number is not None else "any attempt"
    raise UsageError(
        f"no prompt or reply is recorded for {which} of {name}",
        hint="edit scripts have no prompt or reply; earlier versions did not record them",
    )


def task_at(engine: Context, name: str, source: str, base: Base) -> Task:
    """Return the task that a `PATH@BLOB` names; raise `UsageError` if that file holds no such task."""
    path, _, blob = source.rpartition("@")
    content = engine.objects.blob(blob).decode("utf-8", "surrogateescape")
    specs = parse_once(content, path=path, cache=engine.cache).specs
    for task_name, spec in zip(task_names(specs), specs, strict=True):
        if task_name == name:
            return Task(name, spec, path, blob, base.base, base.target)
    raise UsageError(f"{path} at {blob[:12]} holds no task {name}")


def result_of(
    record: Record, verdict: Verdict, *, reason: str, merge: str | None = None
) -> TaskResult:
    """Return a result that says what became of a recorded attempt."""
    return TaskResult(
        task=record.task,
        spec_path=record.spec_path,
        spec_blob=record.spec_blob,
        verdict=verdict,
        reason=reason,
        branch=refs.branch(record.task).removeprefix("refs/heads/"),
        base=record.base,
        commit=record.candidate,
        merge=merge,
        cost_usd=record.attempt.cost_usd,
        baseline_cost_usd=record.baseline_cost_usd,
        usage=record.attempt.usage,
        attempts=(replace(record.attempt, verdict=verdict),),
    )


class TaskChanges(Struct, frozen=True):
    """The change from one commit to another, as files and as a unified diff, and the attempt that it is of."""

    attempt: int
    base: str
    commit: str
    files: tuple[TreeChange, ...]
    patch: str


def changes_of(engine: Context, name: str, number: int | None) -> TaskChanges:
    """Return the change of an attempt, the latest that made one for None; raise `UsageError` if there is none."""
    git = engine.repository.git
    record = attempt_record(engine, name, number)
    if number is None and record.candidate is None:
        made = [past for past in records_of(engine, name) if past.candidate is not None]
        record = made[-1] if made else record
    commit = record.candidate
    if commit is None:
        raise UsageError(
            f"attempt {record.attempt.n} of {name} made no commit: {record.attempt.reason}",
            hint=f"`minitask show {name}` has its report",
        )
    tip = engine.objects.commit(refs.branch(name)) if number is None else None
    if tip is not None and is_ancestor(git, ancestor=commit, of=tip):
        commit = tip
    return TaskChanges(
        record.attempt.n,
        record.base,
        commit,
        tree_changes(git, record.base, commit),
        patch(git, record.base, commit),
    )


DETAILED = 1000
"""Records that are shown in detail, the newest."""
MOST_LINES = 200_000
"""Changed lines of all diffs that are made."""
_ID = lazy_pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


class AttemptTexts(Struct, frozen=True):
    """An attempt's spec, diff and reply; each is empty where there is none."""

    spec: str = ""
    diff: str = ""
    reply: str = ""


Key = tuple[str, int, str]
"""What tells a record from all others: its task, its number, and when it was started."""


def key_of(record: Record) -> Key:
    """Return a record's key."""
    return record.task, record.attempt.n, record.started_at


def newest_texts(engine: Context, records: Iterable[Record]) -> Mapping[Key, AttemptTexts]:
    """Return the texts of the newest records; a diff is left out where the newer ones have too many lines.

    Nothing is fetched for it: a partial clone that lacks one of them has none.
    """
    newest = heapq.nlargest(DETAILED, records, key=lambda record: record.started_at)
    git = engine.repository.git.with_setting("protocol.allow", "never")
    try:
        with open_objects(git) as objects:
            return _texts(git, objects, newest)
    except MachineError:
        return {}


def _texts(git: Git, objects: Objects, records: list[Record]) -> Mapping[Key, AttemptTexts]:
    head = objects.commit(refs.LEDGER)
    specs = _blobs(objects, {record.spec_blob for record in records})
    trees = list(_trees(objects, records))
    diffs = patches(git, [pair for pair in trees if pair])
    texts = {}
    for record, pair in zip(records, trees, strict=True):
        exchange = read_exchange(objects, head, record)
        texts[key_of(record)] = AttemptTexts(
            specs.get(record.spec_blob, ""),
            diffs.get(pair, "") if pair else "",
            exchange.reply if exchange else "",
        )
    return texts


def _blobs(objects: Objects, oids: Iterable[str]) -> Mapping[str, str]:
    """Return the text of each blob that is there."""
    known = sorted(oid for oid in oids if _ID.fullmatch(oid))
    contents = zip(known, objects.read_many(known), strict=True)
    return {oid: content.decode("utf-8", "replace") for oid, content in contents if content}


def _trees(objects: Objects, records: Iterable[Record]) -> Iterator[tuple[str, str] | None]:
    """Yield the trees before and after each attempt's change; None where no diff is to be made."""
    room = MOST_LINES
    for record in records:
        size = sum((file.added or 0) + (file.removed or 0) for file in record.attempt.files)
        pair = _tree_pair(objects, record) if record.kind == ATTEMPT and size <= room else None
        room -= size if pair else 0
        yield pair


def _tree_pair(objects: Objects, record: Record) -> tuple[str, str] | None:
    commits = (record.base, record.candidate or "")
    if not all(map(_ID.fullmatch, commits)):
        return None
    try:
        before, after = map(objects.tree_of, commits)
    except MachineError:  # as where the ledger was fetched without its branches
        return None
    return before, after
