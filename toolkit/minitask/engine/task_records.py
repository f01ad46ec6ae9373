"""Read a task's records in the ledger, and the specs, changes, prompts and merges that they name.

The ledger holds only attempts: the reason why a task was last not started is in a file of its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct, to_builtins
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task, parse_once
from minitask.errors import FIX, MachineError, MinitaskError, UsageError
from minitask.git import history, refs
from minitask.git.objects import Objects, open_objects
from minitask.git.run_git import Git
from minitask.git.trees import TreeChange, is_ancestor, patch, patches, tree_changes
from minitask.ledger.record import ATTEMPT, Record, TaskResult, Verdict
from minitask.ledger.store import Exchange, Ledger, read_exchange, read_newest, read_records
from minitask.patterns import lazy_pattern
from minitask.spec.dependency_graph import task_names
from minitask.system.files import write_json

Key = tuple[str, int, str]
"""Identity of a record: its task, its number, and its start time."""
DETAILED = 1000
"""Limit of records whose texts are shown, newest first."""
MOST_LINES = 200_000
"""Limit of changed lines in all diffs together."""
_ID = lazy_pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


def records_of(engine: Context, name: str) -> tuple[Record, ...]:
    """Return the records of a task's attempts (`PROJECT/ID`) and of people's reviews, oldest first."""
    return tuple(
        record
        for record in all_records_of(engine, name)
        if not record.is_call and not record.is_merged
    )


def all_records_of(engine: Context, name: str) -> tuple[Record, ...]:
    """Return all records of a task, including calls apart from attempts, and merges."""
    head = engine.ledger_head()
    return tuple(read_records(engine.objects, head, below=name))


def ledger_of(engine: Context, project: str = "", *, detailed: int = 0) -> Ledger:
    """Return the ledger of all projects, or of one, without merges.

    Only the newest `detailed` records have their commands, files and rates.
    """
    head = engine.ledger_head()
    ledger = read_newest(engine.objects, head, below=project, most=detailed)
    records = tuple(record for record in ledger.records if not record.is_merged)
    return replace(ledger, records=records)


def landed_states(engine: Context, records: Sequence[Record]) -> dict[str, str]:
    """Return `merged` or `undone` for each task whose newest landing or undo is on the target of its records."""
    states: dict[str, str] = {}
    for target in sorted({record.target for record in records}):
        tip = engine.objects.commit(target)
        for task, landing in history.landings(engine.repository.git, tip).items() if tip else ():
            states[task] = "undone" if landing.undone else Verdict.MERGED.value
    return states


def with_merges(engine: Context, records: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records, each attempt with the merge by which it landed; further landings stay separate records.

    A merge named in an attempt's own record but not on the target was only planned.
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
    """Return True if the merge named in an attempt's own record is on its target."""
    merge = engine.objects.commit(record.merge) if record.merge else None
    tip = engine.objects.commit(record.target)
    if merge is None or tip is None:
        return False
    return is_ancestor(engine.repository.git, ancestor=merge, of=tip)


def latest_record(engine: Context, name: str) -> Record:
    """Return a task's latest record; raise `UsageError` if the ledger has none."""
    return attempt_record(engine, name, None)


def attempt_record(engine: Context, name: str, number: int | None) -> Record:
    """Return the record of a task's attempt (None: the latest); raise `UsageError` if there is none."""
    records = records_of(engine, name) if "/" in name else ()
    if not records:
        is_task = "/" in name and "/@" not in name
        hint = f"minitask exec {name}" if is_task else "`minitask status` lists the tasks"
        raise UsageError(f"no attempts recorded for {name} yet", hint=hint)
    chosen = [record for record in records if number in (None, record.attempt.n)]
    if chosen:
        return chosen[-1]
    listed = ", ".join(map(str, sorted({record.attempt.n for record in records})))
    raise UsageError(f"{name} has no recorded attempt {number}", hint=f"attempts: {listed}")


def exchange_of(engine: Context, name: str, number: int | None) -> tuple[Record, Exchange]:
    """Return the record, prompt and reply of an attempt (None: the latest by a model).

    Raises `UsageError` if none was recorded: for an edit script, a person's change, or by an earlier version.
    """
    head = engine.ledger_head()
    attempt_record(engine, name, number)  # raises if there is no such record
    records = all_records_of(engine, name)
    chosen = [record for record in records if number in (None, record.attempt.n)]
    attempts = [record for record in chosen if not record.is_call]
    for record in reversed(attempts or chosen):
        exchange = read_exchange(engine.objects, head, record)
        if exchange is not None:
            return record, exchange
    which = f"attempt {number}" if number is not None else "any attempt"
    raise UsageError(
        f"no prompt or reply is recorded for {which} of {name}",
        hint="edit scripts have no prompt or reply; earlier versions did not record them",
    )


def task_at(engine: Context, name: str, source: str, base: Base) -> Task:
    """Return the named task in a `PATH@BLOB`; raise `UsageError` if the file has no such task."""
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
    """Return the present result of a recorded attempt."""
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
    """The change of an attempt from one commit to another, as files and as a unified diff."""

    attempt: int
    base: str
    commit: str
    files: tuple[TreeChange, ...]
    patch: str


def changes_of(engine: Context, name: str, number: int | None) -> TaskChanges:
    """Return the change of an attempt (None: the latest with one); raise `UsageError` if there is none."""
    git = engine.repository.git
    record = attempt_record(engine, name, number)
    if number is None and record.candidate is None:
        made = (past for past in reversed(records_of(engine, name)) if past.candidate is not None)
        record = next(made, record)
    commit = record.candidate
    if commit is None:
        reason = record.attempt.reason.partition(FIX)[0]
        raise UsageError(
            f"attempt {record.attempt.n} of {name} made no commit: {reason}",
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


class AttemptTexts(Struct, frozen=True):
    """An attempt's spec, diff and reply; each is "" if there is none."""

    spec: str = ""
    diff: str = ""
    reply: str = ""


def key_of(record: Record) -> Key:
    """Return a record's key."""
    return record.task, record.attempt.n, record.started_at


def newest_texts(engine: Context, records: Iterable[Record]) -> Mapping[Key, AttemptTexts]:
    """Return the texts of the newest records; a diff is left out once the newer ones have too many lines.

    Nothing is fetched: a partial clone that lacks one of the objects has no texts.
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
    """Return the text of each blob that exists."""
    valid = sorted(oid for oid in oids if _ID.fullmatch(oid))
    contents = zip(valid, objects.read_many(valid), strict=True)
    return {oid: content.decode("utf-8", "replace") for oid, content in contents if content}


def _trees(objects: Objects, records: Iterable[Record]) -> Iterator[tuple[str, str] | None]:
    """Yield the trees before and after each attempt's change; None for no diff."""
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
        return objects.tree_of(commits[0]), objects.tree_of(commits[1])
    except MachineError:  # the ledger may have been fetched without its branches
        return None


REFUSALS = "refusals"
"""Folder of the reasons why tasks were not started."""
NOT_BEGUN = frozenset({Verdict.REFUSED, Verdict.SKIPPED, Verdict.ERROR})


class Refusal(Struct, frozen=True):
    """Why a task was not started: its spec's blob at that time, the verdict, the reason, and the Unix time."""

    spec_blob: str
    verdict: Verdict
    reason: str
    time: float


def remember(
    engine: Context, results: Sequence[TaskResult], *, is_interrupted: bool = False
) -> None:
    """Store the reasons why tasks were not started; delete those of tasks that were, or that an interrupt skipped."""
    lasting = NOT_BEGUN - {Verdict.SKIPPED} if is_interrupted else NOT_BEGUN
    for result in results:
        if result.verdict in lasting and not result.attempts:
            refusal = (result.spec_blob or "", result.verdict, result.reason)
            _keep(engine, result.task, Refusal(*refusal, engine.clock()))
        else:
            _path(engine, result.task).unlink(missing_ok=True)


def remember_error(engine: Context, task: Task, error: MinitaskError) -> None:
    """Store the error in a task's spec as the reason why it was not started."""
    _keep(engine, task.name, Refusal(task.blob, Verdict.REFUSED, str(error), engine.clock()))


def find_refusal(engine: Context, name: str) -> Refusal | None:
    """Return why a task was last not started, or None if it was, or was never tried."""
    try:
        return msgspec.json.decode(_path(engine, name).read_bytes(), type=Refusal)
    except (OSError, msgspec.DecodeError):
        return None


def _keep(engine: Context, name: str, refusal: Refusal) -> None:
    with suppress(OSError):  # a full disk must not hide the refusal itself
        write_json(_path(engine, name), to_builtins(refusal))


def _path(engine: Context, name: str) -> Path:
    return engine.repository.home / REFUSALS / f"{name}.json"
