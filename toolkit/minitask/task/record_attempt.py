"""Record an attempt: candidate, record and merge in one transaction, then the branch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.gates.damage import redacted
from minitask.gates.scope import starts_programs
from minitask.git import refs
from minitask.git.commits import NewCommit, write_commits
from minitask.git.update_target import checkout_of
from minitask.landing import candidate_commits
from minitask.landing.land import Landed, note_recorded
from minitask.ledger.record import LANDING, NO_USAGE, Attempt, Record, Verdict
from minitask.ledger.store import Exchange, append_commit, exchange_file, record_file
from minitask.task.state import AttemptState


def record_attempt(
    engine: Context,
    draft: AttemptState,
    attempt: Attempt,
    *,
    lands: bool,
    exchange: Exchange | None = None,
    announce: Callable[[str], None] = lambda _name: None,
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
    if not _is_recorded(record, landed):
        _append_landing(engine, replace(record, target=target, notes=record.notes + notes), landed)
    if landed.merge is not None:
        note_recorded(engine, landed.merge)


def _is_recorded(record: Record, landed: Landed) -> bool:
    """Return True if the attempt's record needs no addition."""
    is_open = landed.verdict in (Verdict.READY, Verdict.ERROR)
    return is_open or (landed.merge is not None and landed.merge == record.merge)


def _append_landing(engine: Context, record: Record, landed: Landed) -> None:
    merge = landed.merge
    commands = landed.proof.commands if landed.proof else ()
    is_merged = landed.verdict is Verdict.MERGED
    attempt = replace(
        record.attempt,
        verdict=landed.verdict,
        gate="" if is_merged else "land",
        reason=landed.reason,
        usage=NO_USAGE,
        cost_usd=Decimal(0),
        commands=commands,
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
    head = engine.objects.commit(refs.LEDGER)
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
