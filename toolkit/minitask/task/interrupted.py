"""What a process that ended too early did not record: calls that were under way, and merges on a target."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import all_records_of, next_number, records_of
from minitask.git import history, refs
from minitask.git.merge_tree import is_ancestor
from minitask.landing.candidate_commits import Landed
from minitask.landing.join import CARRIED, UNRECORDED, note_recorded
from minitask.ledger.record import ATTEMPT, Attempt, Record, Verdict
from minitask.ledger.usage import NO_USAGE, plus
from minitask.policy.route import Route
from minitask.routing.costs import tariff
from minitask.spec.model import Tier
from minitask.task import call_journal
from minitask.task.call_journal import InterruptedCall
from minitask.task.record_attempt import append_record, moment, record_landing

NOTE = "lost: the process ended during a call; its tokens and cost are estimates"
KEPT_SECONDS = 86_400.0
"""How long the answer to a question about no one spec waits to be asked for again."""
MERGED = "recorded later: the process ended between the merge and its record"
UNUSED = "lost: the answer was never used because the spec or its base changed"


def record_interrupted(engine: Context) -> tuple[str, ...]:
    """Put every lost attempt on record; the names of their tasks."""
    home = engine.repository.home
    call_journal.settle_recorded(home, partial(_is_recorded, engine))
    found = [
        *call_journal.lost(home),
        *(each for each in call_journal.unused(home) if _is_stale(engine, each)),
    ]
    for each in found:
        append_record(engine, _record(engine, each))
        each.path.unlink(missing_ok=True)
    return tuple(each.errand.task for each in found)


def record_merges(engine: Context) -> tuple[str, ...]:
    """Put each merge on record that is on its target and that no record names; the names of their tasks."""
    tasks = []
    for note in sorted((engine.repository.home / UNRECORDED).iterdir()):
        target = note.read_text("utf-8", "surrogateescape")
        tip, merge = engine.objects.commit(target), engine.objects.commit(note.name)
        if tip and merge and is_ancestor(engine.repository.git, ancestor=merge, of=tip):
            tasks += _record_merge(engine, merge, target)
        note_recorded(engine, note.name)
    return tuple(tasks)


def _record_merge(engine: Context, merge: str, target: str) -> list[str]:
    """Record a merge with the attempt that it brought; the name of its task if no record named it."""
    git = engine.repository.git
    task = history.trailer(git, merge, "Minitask")
    made = all_records_of(engine, task)
    if not made or any(record.merge == merge for record in made):
        return []
    candidate = engine.objects.commit(f"{merge}^2") or ""
    commits = (candidate, history.trailer(git, candidate, CARRIED))
    attempts = [record for record in made if record.kind == ATTEMPT]
    brought = [record for record in attempts if record.candidate in commits]
    landed = Landed(Verdict.MERGED, merge)
    record = (brought or attempts or list(made))[-1]
    record_landing(engine, record, landed, target=target, notes=(MERGED,))
    return [task]


def _is_recorded(engine: Context, name: str) -> bool:
    head = engine.objects.commit(refs.LEDGER)
    return bool(head and name and engine.objects.entry(head, name))


def _is_stale(engine: Context, found: InterruptedCall) -> bool:
    """Return True if no order can come to which the answer belongs: the target or the spec is another by now.

    A second round is not taken up again: the next run begins with the first.
    """
    errand = found.errand
    if errand.history or _was_overtaken(engine, found):
        return True
    if not errand.spec_path:  # a question about no one spec may be asked again for a while
        return engine.clock() - found.path.stat().st_mtime > KEPT_SECONDS
    tip = engine.objects.commit(errand.target)
    entry = engine.objects.entry(tip, errand.spec_path) if tip else None
    if tip is None or entry is None or entry.oid != errand.spec_blob:
        return True
    return not starts_from(engine, errand.base, tip)


def _was_overtaken(engine: Context, found: InterruptedCall) -> bool:
    """Return True if the very spec was attempted in another way since: the answer is not asked for again."""
    errand = found.errand
    if not errand.spec_path:
        return False
    since = moment(found.path.stat().st_mtime)
    return any(
        record.kind == ATTEMPT
        and record.spec_blob == errand.spec_blob
        and record.started_at > since
        for record in records_of(engine, errand.task)
    )


def starts_from(engine: Context, base: str, tip: str) -> bool:
    """Return True if a task may start from a base: it is there, and a part of the target."""
    there = engine.objects.commit(base) is not None
    return there and is_ancestor(engine.repository.git, ancestor=base, of=tip)


def _record(engine: Context, found: InterruptedCall) -> Record:
    errand = found.errand
    attempt = _answered(engine, found) if found.answered else _under_way(engine, found)
    return Record(
        task=errand.task,
        spec_path=errand.spec_path,
        spec_blob=errand.spec_blob,
        target=errand.target,
        base=errand.base,
        anchor=None,
        candidate=None,
        merge=None,
        tree=None,
        started_at=moment(found.path.stat().st_mtime),
        baseline_cost_usd=None,
        attempt=attempt,
        notes=(UNUSED if found.answered else NOTE,),
        kind="lost",
    )


def _under_way(engine: Context, found: InterruptedCall) -> Attempt:
    errand, reading = found.errand, found.reading
    route = Route(Tier(errand.tier), errand.executor, errand.model, "")
    estimate, pricing = tariff(engine, route).cost(reading.under_way)
    known = reading.spent_usd
    return replace(
        _attempt(engine, found),
        reason="the process ended during a call; its answer is lost",
        usage=plus(reading.usage, reading.under_way),
        cost_usd=None if known is None or estimate is None else known + estimate,
        pricing=pricing,
    )


def _answered(engine: Context, found: InterruptedCall) -> Attempt:
    return replace(
        _attempt(engine, found),
        reason="its answer was never used",
        usage=found.reading.usage,
        cost_usd=found.reading.spent_usd,
        pricing=found.answered.pricing if found.answered else None,
    )


def _attempt(engine: Context, found: InterruptedCall) -> Attempt:
    errand = found.errand
    return Attempt(
        n=next_number(engine, errand.task),
        tier=errand.tier,
        executor=errand.executor,
        model=errand.model,
        verdict=Verdict.ERROR,
        gate=errand.phase,
        reason="",
        usage=NO_USAGE,
        cost_usd=None,
        seconds=0.0,
        sandbox=engine.sandbox.strength.value,
    )
