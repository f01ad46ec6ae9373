"""Record attempts and landings in the ledger, and what an earlier process could not record.

An attempt is written in one transaction: candidate, record and merge; then the task's branch moves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import all_records_of, records_of
from minitask.engine.tasks import Task, next_number
from minitask.gates.changes.damage import redacted
from minitask.gates.scope import starts_programs
from minitask.git import history, refs
from minitask.git.commits import NewCommit, write_commits
from minitask.git.trees import is_ancestor
from minitask.git.update_target import checkout_of
from minitask.landing import candidate_commits
from minitask.landing.candidate_commits import CARRIED
from minitask.landing.land import UNRECORDED, Landed, note_recorded
from minitask.ledger.record import ATTEMPT, LANDING, NO_USAGE, Attempt, Record, Verdict, plus
from minitask.ledger.store import Exchange, append_commit, exchange_file, record_file
from minitask.policy.route import Route
from minitask.routing.requests import tariff
from minitask.spec.model import Tier
from minitask.task import paid_calls
from minitask.task.paid_calls import CallKey, InterruptedCall
from minitask.task.state import AttemptState


def record_attempt(
    engine: Context,
    draft: AttemptState,
    attempt: Attempt,
    *,
    lands: bool,
    exchange: Exchange | None,
    announce: Callable[[str], None],
) -> Record:
    """Write the record, with the candidate and the merge that will land it, if any.

    All refs move or none, the ledger's by compare-and-swap. Commit ids are computed first, so that the record can name
    them. `exchange` is stored beside the record. `announce` receives the name of the record's file before it is
    written.
    """
    commits: list[NewCommit] = []
    candidate = merge = None
    if draft.tree is not None:
        commit = candidate_commits.candidate_commit(
            engine, draft.task, attempt, draft.tree, text=draft.message
        )
        candidate = candidate_commits.commit_id(commit, engine.repository.object_format)
        commits.append(commit)
        if lands:
            base = draft.task.base
            onto = candidate_commits.merge_commit(
                engine,
                draft.task,
                attempt,
                tip=base,
                candidate=candidate,
                tree=draft.tree,
                text=draft.message,
            )
            merge = candidate_commits.commit_id(onto, engine.repository.object_format)
            commits.append(onto)
            engine.built_on[merge] = base
    record = _record(draft, attempt, candidate=candidate, merge=merge)
    commits.append(_append(engine, record, announce, exchange=exchange))
    write_commits(engine.database, commits)
    return record


def record_landing(
    engine: Context, record: Record, landed: Landed, *, target: str, notes: tuple[str, ...] = ()
) -> None:
    """Record what the attempt's record lacks: the merge that landed it, or why landing was forbidden.

    Whether a task has landed is read from the target's history anyway.
    """
    is_open = landed.verdict in (Verdict.READY, Verdict.ERROR)
    is_recorded = landed.merge is not None and landed.merge == record.merge
    if not (is_open or is_recorded):
        _append_landing(engine, replace(record, target=target, notes=record.notes + notes), landed)
    if landed.merge is not None:
        note_recorded(engine, landed.merge)


def _append_landing(engine: Context, record: Record, landed: Landed) -> None:
    merge = landed.merge
    attempt = replace(
        record.attempt,
        verdict=landed.verdict,
        gate="" if landed.verdict is Verdict.MERGED else "land",
        reason=landed.reason,
        usage=NO_USAGE,
        cost_usd=Decimal(0),
        commands=landed.proof.commands if landed.proof else (),
    )
    if merge is not None:
        candidate = engine.objects.commit(f"{merge}^2") or record.candidate
        tree = engine.objects.tree_of(merge)
        record = replace(record, candidate=candidate, merge=merge, tree=tree)
    elif record.merge is not None:
        record = replace(record, merge=None)
    append_record(
        engine, replace(record, kind=LANDING, attempt=attempt, started_at=moment(engine.clock()))
    )


def append_record(
    engine: Context,
    record: Record,
    *,
    exchange: Exchange | None = None,
    announce: Callable[[str], None] = lambda _name: None,
) -> None:
    """Append a record to the ledger; `announce` receives its file name first."""
    write_commits(engine.database, [_append(engine, record, announce, exchange=exchange)])


def _append(
    engine: Context,
    record: Record,
    announce: Callable[[str], None],
    *,
    exchange: Exchange | None = None,
) -> NewCommit:
    """Return the commit that appends a record, with its exchange, to the current ledger."""
    file = record_file(record)
    announce(file.path)
    files = [file]
    if exchange is not None and (exchange.prompt or exchange.reply):
        secrets = engine.settings.secrets(engine.environ)
        prompt, reply = (redacted(text, secrets) for text in (exchange.prompt, exchange.reply))
        files.append(exchange_file(Exchange(prompt, reply, record.started_at), file.path))
    head = engine.ledger_head()
    return append_commit([record], head=head, signature=engine.signature, files=files)


def move_branch(engine: Context, task: Task, candidate: str | None, *, old: str | None) -> str:
    """Move the task's branch unless it is checked out; return a note if it did not move."""
    name = refs.branch(task.name)
    if candidate is None:
        return ""
    if old is not None and checkout_of(engine.repository, name) is not None:
        return f"{name.removeprefix('refs/heads/')} is checked out, so it was not moved"
    absent = refs.zeros(engine.repository.object_format)
    if engine.database.refs.move([refs.Move(name, candidate, old or absent)]):
        return ""
    return f"{name.removeprefix('refs/heads/')} was moved by another process, so it was not moved"


def moment(seconds: float) -> str:
    """Return a time in the records' format: UTC, ISO 8601, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def cost_notes(estimated: Decimal | None, actual: Decimal | None) -> list[str]:
    """Return a comparison of an attempt's cost with the spec's **Estimated Cost**, if both are known."""
    if not estimated or actual is None:
        return []
    return [f"cost ${actual:f}, estimated ${estimated:f} ({actual / estimated:.0%})"]


def _record(
    draft: AttemptState, attempt: Attempt, *, candidate: str | None, merge: str | None
) -> Record:
    notes = []
    if draft.task.uncommitted:
        notes.append("the spec was run from the checkout, uncommitted")
    if draft.task.spec.options.proof == "none":
        notes.append("proof waived: the validation was not run on the base")
    notes += cost_notes(draft.task.spec.estimate.cost_usd, attempt.cost_usd)
    starting = [file.path for file in draft.files if starts_programs(file.path)]
    written = [path for command in attempt.commands for path in command.changed]
    if written:
        paths = ", ".join(dict.fromkeys(written))
        notes.append(f"its validation changed {paths}: restored, not part of the change")
    if starting:
        notes.append(f"it changes files that start programs: {', '.join(starting)}")
    return Record(
        task=draft.task.name,
        spec_path=draft.task.path,
        spec_blob=draft.task.blob,
        target=draft.task.target,
        base=draft.task.base,
        anchor=draft.anchor.known,
        candidate=candidate,
        merge=merge,
        tree=draft.tree,
        started_at=moment(draft.started),
        baseline_cost_usd=draft.baseline_usd,
        attempt=attempt,
        notes=tuple(notes),
    )


NOTE = "lost: the process ended during a call; its tokens and cost are estimates"
KEPT_SECONDS = 86_400.0
"""Seconds for which an unused reply to a question about no single spec is kept."""
MERGED = "recorded later: the process ended between the merge and its record"
UNUSED = "lost: the answer was never used because the spec or its base changed"


def record_interrupted(engine: Context) -> tuple[str, ...]:
    """Record every lost attempt; return the names of their tasks."""
    home = engine.repository.home
    paid_calls.settle_recorded(home, partial(_is_in_ledger, engine))
    calls = [
        *paid_calls.lost(home),
        *(call for call in paid_calls.unused(home) if _is_stale(engine, call)),
    ]
    for call in calls:
        append_record(engine, _lost_record(engine, call))
        call.path.unlink(missing_ok=True)
    return tuple(call.key.task for call in calls)


def record_merges(engine: Context) -> tuple[str, ...]:
    """Record each merge on its target that no record names; return the names of their tasks."""
    tasks = []
    for note in sorted((engine.repository.home / UNRECORDED).iterdir()):
        target = note.read_text("utf-8", "surrogateescape")
        tip, merge = engine.objects.commit(target), engine.objects.commit(note.name)
        if tip and merge and is_ancestor(engine.repository.git, ancestor=merge, of=tip):
            tasks += _record_merge(engine, merge, target)
        note_recorded(engine, note.name)
    return tuple(tasks)


def _record_merge(engine: Context, merge: str, target: str) -> list[str]:
    """Record a merge with its attempt; return the name of its task, or nothing if it was recorded."""
    git = engine.repository.git
    task = history.trailer(git, merge, "Minitask")
    records = all_records_of(engine, task)
    if not records or any(record.merge == merge for record in records):
        return []
    candidate = engine.objects.commit(f"{merge}^2")
    commits = (candidate, history.trailer(git, candidate, CARRIED)) if candidate else ()
    attempts = [record for record in records if record.kind == ATTEMPT]
    brought = [record for record in attempts if record.candidate in commits]
    landed = Landed(Verdict.MERGED, merge)
    record = (brought or attempts or list(records))[-1]
    record_landing(engine, record, landed, target=target, notes=(MERGED,))
    return [task]


def _is_in_ledger(engine: Context, name: str) -> bool:
    head = engine.ledger_head()
    return bool(head and name and engine.objects.entry(head, name))


def _is_stale(engine: Context, call: InterruptedCall) -> bool:
    """Return True if the reply can no longer be used, since the target or the spec has changed.

    The reply of a later round is never reused: the next run begins with the first round.
    """
    key = call.key
    if key.history or _was_overtaken(engine, call):
        return True
    if not key.spec_path:  # a question about no single spec may be repeated for a while
        return engine.clock() - call.path.stat().st_mtime > KEPT_SECONDS
    # HEAD stands in for a target that was renamed or deleted
    tip = engine.objects.commit(key.target) or engine.objects.commit("HEAD")
    entry = engine.objects.entry(tip, key.spec_path) if tip else None
    if tip is None or entry is None or entry.oid != key.spec_blob:
        return True
    return not starts_from(engine, key.base, tip)


def _was_overtaken(engine: Context, call: InterruptedCall) -> bool:
    """Return True if the same spec was attempted otherwise since, so that this call is not repeated."""
    key = call.key
    if not key.spec_path:
        return False
    since = moment(call.path.stat().st_mtime)
    return any(
        record.kind == ATTEMPT and record.spec_blob == key.spec_blob and record.started_at > since
        for record in records_of(engine, key.task)
    )


def starts_from(engine: Context, base: str, tip: str) -> bool:
    """Return True if a task may start from the base: it exists, and is in the history of `tip`."""
    exists = engine.objects.commit(base) is not None
    return exists and is_ancestor(engine.repository.git, ancestor=base, of=tip)


def record_of_call(
    key: CallKey, attempt: Attempt, *, started: float, kind: str, notes: tuple[str, ...]
) -> Record:
    """Return the record of a call that made no change."""
    return Record(
        task=key.task,
        spec_path=key.spec_path,
        spec_blob=key.spec_blob,
        target=key.target,
        base=key.base,
        started_at=moment(started),
        attempt=attempt,
        notes=notes,
        kind=kind,
    )


def _lost_record(engine: Context, call: InterruptedCall) -> Record:
    attempt, notes = _lost_attempt(engine, call), (UNUSED if call.answered else NOTE,)
    started = call.path.stat().st_mtime
    return record_of_call(call.key, attempt, started=started, kind="lost", notes=notes)


def _lost_attempt(engine: Context, call: InterruptedCall) -> Attempt:
    """Return the attempt with its actual usage if the reply is on disk, else with an estimate."""
    key, usage, cost = call.key, call.reading.usage, call.reading.spent_usd
    if call.answered:
        reason, pricing = "its answer was never used", call.answered.pricing
    else:
        reason = "the process ended during a call; its answer is lost"
        route = Route(Tier(key.tier), key.executor, key.model, "")
        estimate, pricing = tariff(engine, route).cost(call.reading.under_way)
        usage = plus(usage, call.reading.under_way)
        cost = None if cost is None or estimate is None else cost + estimate
    return Attempt(
        n=next_number(engine, key.task),
        tier=key.tier,
        executor=key.executor,
        model=key.model,
        verdict=Verdict.ERROR,
        gate=key.phase,
        reason=reason,
        usage=usage,
        cost_usd=cost,
        seconds=0.0,
        sandbox=engine.sandbox.strength.value,
        pricing=pricing,
    )
