"""Record what an earlier process could not: interrupted calls, and merges on a target."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import all_records_of, records_of
from minitask.engine.tasks import next_number
from minitask.git import history, refs
from minitask.git.trees import is_ancestor
from minitask.landing.candidate_commits import CARRIED
from minitask.landing.land import UNRECORDED, Landed, note_recorded
from minitask.ledger.record import ATTEMPT, NO_USAGE, Attempt, Record, Verdict, plus
from minitask.policy.route import Route
from minitask.routing.requests import tariff
from minitask.spec.model import Tier
from minitask.task import call_journal
from minitask.task.call_journal import InterruptedCall
from minitask.task.record_attempt import append_record, moment, record_landing

NOTE = "lost: the process ended during a call; its tokens and cost are estimates"
KEPT_SECONDS = 86_400.0
"""Seconds for which an unused reply to a question about no single spec is kept."""
MERGED = "recorded later: the process ended between the merge and its record"
UNUSED = "lost: the answer was never used because the spec or its base changed"


def record_interrupted(engine: Context) -> tuple[str, ...]:
    """Record every lost attempt; return the names of their tasks."""
    home = engine.repository.home
    call_journal.settle_recorded(home, partial(_is_recorded, engine))
    calls = [
        *call_journal.lost(home),
        *(call for call in call_journal.unused(home) if _is_stale(engine, call)),
    ]
    for call in calls:
        append_record(engine, _record(engine, call))
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


def _is_recorded(engine: Context, name: str) -> bool:
    head = engine.objects.commit(refs.LEDGER)
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
    tip = engine.objects.commit(key.target) or engine.objects.commit(
        "HEAD"
    )  # if it was renamed or deleted
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


def _record(engine: Context, call: InterruptedCall) -> Record:
    key = call.key
    attempt = _answered(engine, call) if call.answered else _under_way(engine, call)
    return Record(
        task=key.task,
        spec_path=key.spec_path,
        spec_blob=key.spec_blob,
        target=key.target,
        base=key.base,
        anchor=None,
        candidate=None,
        merge=None,
        tree=None,
        started_at=moment(call.path.stat().st_mtime),
        baseline_cost_usd=None,
        attempt=attempt,
        notes=(UNUSED if call.answered else NOTE,),
        kind="lost",
    )


def _under_way(engine: Context, call: InterruptedCall) -> Attempt:
    key, reading = call.key, call.reading
    route = Route(Tier(key.tier), key.executor, key.model, "")
    estimate, pricing = tariff(engine, route).cost(reading.under_way)
    spent = reading.spent_usd
    return replace(
        _attempt(engine, call),
        reason="the process ended during a call; its answer is lost",
        usage=plus(reading.usage, reading.under_way),
        cost_usd=None if spent is None or estimate is None else spent + estimate,
        pricing=pricing,
    )


def _answered(engine: Context, call: InterruptedCall) -> Attempt:
    return replace(
        _attempt(engine, call),
        reason="its answer was never used",
        usage=call.reading.usage,
        cost_usd=call.reading.spent_usd,
        pricing=call.answered.pricing if call.answered else None,
    )


def _attempt(engine: Context, call: InterruptedCall) -> Attempt:
    key = call.key
    return Attempt(
        n=next_number(engine, key.task),
        tier=key.tier,
        executor=key.executor,
        model=key.model,
        verdict=Verdict.ERROR,
        gate=key.phase,
        reason="",
        usage=NO_USAGE,
        cost_usd=None,
        seconds=0.0,
        sandbox=engine.sandbox.strength.value,
    )
