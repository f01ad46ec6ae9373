"""What follows an attempt that failed: a correction, a repair, a better model, or nothing.

A reviewer's own edits come first, for they cost nothing; then whoever made the change, or whoever applies what a
reviewer wants, gets it back with what was wrong; then the next rung of the ladder. Only what tells of a model's ability
goes up: an outage, a broken spec or an empty purse do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from minitask.edits.model import Change
from minitask.errors import UsageError
from minitask.executors.model import ExecutorFailure, Round, Work
from minitask.executors.registry import MAKERS
from minitask.ledger.decision import APPLY, CLIMB, CORRECT, REPAIR
from minitask.ledger.record import REVIEW, Record, Verdict
from minitask.policy.choice import filled, next_rung
from minitask.policy.route import SCRIPT, Route
from minitask.repo import refs
from minitask.run.attempts import paid
from minitask.run.attempts.draft import Draft
from minitask.run.attempts.feedback import as_reply, describe_failure
from minitask.run.attempts.meter import unnoted
from minitask.run.attempts.orders import metered
from minitask.run.attempts.preparing import equip
from minitask.run.attempts.reviewing import corrected, describe_review, reviewers_work
from minitask.run.attempts.undertaking import Undertaking
from minitask.run.engine import Engine, Progress
from minitask.run.routes.ability import is_capability
from minitask.run.routes.experience import experience_of
from minitask.run.routes.models import resolve_model
from minitask.spec.model import Tier
from minitask.values import dataclass

FED_BACK = frozenset({"lint", "validate", REVIEW})
"""The gates whose no goes back to the executor."""

Begin = Callable[[Engine, Undertaking, Record], Work | None]


@dataclass(frozen=True, slots=True)
class Sequel:
    """What follows: `begin` sets the next attempt up, and gives its work where that is at hand.

    `goes_on`: the change is taken further, so that it does not tell yet what its tier can do.
    """

    begin: Begin
    goes_on: bool = False


def follow(engine: Engine, under: Undertaking) -> Sequel | None:
    """What follows a judged attempt of a model's that failed; None where the task ends by it."""
    correction = _correction(engine, under)
    if correction is not None or under.draft.route.executor == SCRIPT:
        return correction
    if _goes_back(engine, under):
        return Sequel(_repair, goes_on=True)
    if _goes_to_apply(engine, under):
        return Sequel(_apply, goes_on=True)
    higher = _next_rung(engine, under)
    return None if higher is None else Sequel(partial(_climb, route=higher))


def _correction(engine: Engine, under: Undertaking) -> Sequel | None:
    """The reviewer's own edits as the next attempt."""
    found, draft = under.review, under.draft
    if found is None or draft.ruling.gate != REVIEW or not draft.needs_no_review:
        return None
    if under.corrections >= engine.settings.routing.review_rounds:
        return None
    changes = corrected(under, found)
    return None if changes is None else Sequel(partial(_correct, changes=changes), goes_on=True)


def _goes_back(engine: Engine, under: Undertaking) -> bool:
    """Whether the change goes back to its executor with what was wrong with it."""
    draft = under.draft
    if draft.work is None or draft.verdict is not Verdict.FAILED or draft.corrects:
        return False
    if draft.ruling.gate not in FED_BACK or under.rounds >= engine.settings.repairs:
        return False
    return draft.ruling.gate != REVIEW or not _has_edits(under)


def _goes_to_apply(engine: Engine, under: Undertaking) -> bool:
    """Whether a model applies what a reviewer wants, since that does not apply, or does not pass, as it stands."""
    draft = under.draft
    failed = draft.verdict is Verdict.FAILED and draft.work is not None
    wanted = (draft.ruling.gate == REVIEW or draft.corrects) and _has_edits(under)
    most = engine.settings.routing.review_rounds
    return failed and wanted and under.applies < most and _apply_route(engine) is not None


def _has_edits(under: Undertaking) -> bool:
    return under.review is not None and under.review.has_edits


def _next_rung(engine: Engine, under: Undertaking) -> Route | None:
    """The next rung, where the failure is the model's own; a free one that is not there is passed over."""
    draft, settings = under.draft, engine.settings
    ruling = draft.ruling
    able = is_capability(draft.route, draft.verdict, ruling.gate, ruling.reason)
    absent = draft.transport and draft.route.tier is Tier.FREE
    if not absent and (not able or under.climbs >= settings.routing.max_escalations):
        return None
    attempt = replace(draft, settles=able).attempt(engine)
    known = experience_of(engine, under.task, under.prepared.spec, (attempt,))
    why = "could not be reached" if absent else "failed"
    maker = under.maker or draft.route
    found = next_rung(maker, settings, known=known, spec=under.prepared.spec, why=why)
    return _served(engine, found) if found else None


def _repair(engine: Engine, under: Undertaking, record: Record) -> None:
    """The same order, with the change and what was wrong with it."""
    draft = under.draft
    assert draft.work is not None  # noqa: S101 - there was a change
    engine.emit(Progress(under.task.name, "repair", record.attempt.reason))
    back = Round(draft.work.reply, _problem(under, record), draft.work.changes)
    following = _next_draft(engine, under, record, draft.route, step=REPAIR)
    following.reply_format = draft.reply_format
    under.order = replace(under.order, history=(*under.order.history, back))
    under.errand = replace(under.errand, history=under.rounds)
    note = partial(paid.note, engine.repository.home, under.errand)
    under.meter = under.meter.renewed(note=unnoted if under.batched else note)
    under.order = metered(under.order, under.meter)
    under.draft = following


def _apply(engine: Engine, under: Undertaking, record: Record) -> None:
    """The order to whoever applies what the reviewer wants, with the change as it is."""
    route = _apply_route(engine)
    draft = under.draft
    assert route is not None  # noqa: S101 - it was looked for
    assert draft.work is not None  # noqa: S101 - there was a change
    assert under.review is not None  # noqa: S101 - it asked for edits
    engine.emit(Progress(under.task.name, "apply", f"tier {route.tier.value}: {route.reason}"))
    made_by = under.maker = under.maker or draft.route
    told = describe_review(under.review)
    back = Round(_written(engine, under), told, draft.work.changes)
    onward = replace(
        route,
        ladder=made_by.ladder,
        task_class=made_by.task_class,
        review=made_by.review,
        review_reason=made_by.review_reason,
    )
    under.applies += 1
    _go_to(engine, under, record, onward, step=APPLY, history=(back,))


def _climb(engine: Engine, under: Undertaking, record: Record, *, route: Route) -> None:
    """The order to the next rung, with what was wrong with the change of the one below."""
    engine.emit(Progress(under.task.name, "escalate", f"tier {route.tier.value}: {route.reason}"))
    if not under.draft.transport:
        under.climbs += 1
        told = _problem(under, record)
        under.prepared = replace(under.prepared, feedback=told)
    under.reviews = under.corrections = under.applies = 0
    under.review = under.maker = None
    _go_to(engine, under, record, route, step=CLIMB)


def _correct(
    engine: Engine, under: Undertaking, record: Record, *, changes: tuple[Change, ...]
) -> Work:
    """The change with the reviewer's edits, as an attempt of the reviewer's."""
    assert under.review is not None  # noqa: S101 - it has edits
    phase, call = under.calls[-1]
    assert phase == REVIEW  # noqa: S101 - it came last
    route = replace(
        under.draft.route,
        tier=Tier(call.tier),
        executor=call.executor,
        model=call.model,
        reason=f"the reviewer's own edits: {under.review.reason}",
    )
    engine.emit(Progress(under.task.name, "correct", route.reason))
    under.maker = under.maker or under.draft.route
    work = reviewers_work(under, changes, route)
    under.draft = _next_draft(engine, under, record, route, step=CORRECT)
    under.draft.work = work
    last = under.reviews >= engine.settings.routing.review_rounds
    under.draft.needs_no_review = last and under.review.mends_all
    under.corrections += 1
    return work


def _go_to(
    engine: Engine,
    under: Undertaking,
    record: Record,
    route: Route,
    *,
    step: str,
    history: tuple[Round, ...] = (),
) -> None:
    """Set the next attempt up on another route."""
    under.draft = _next_draft(engine, under, record, route, step=step)
    order, meter, errand, batched = equip(
        engine, under.task, under.wishes, under.draft, purse=under.purse, prepared=under.prepared
    )
    under.order = metered(replace(order, history=history), meter) if history else order
    under.meter, under.batched = meter, batched
    under.errand = replace(errand, history=len(under.earlier))
    if not batched:
        note = partial(paid.note, engine.repository.home, under.errand)
        under.meter = meter.renewed(note=note)
        under.order = metered(under.order, under.meter)


def _next_draft(
    engine: Engine, under: Undertaking, record: Record, route: Route, *, step: str
) -> Draft:
    """The draft of the next attempt, the present one being on record."""
    draft = under.draft
    heads = dict(draft.heads)
    if record.candidate is not None:
        heads[refs.branch(under.task.name)] = record.candidate
    under.earlier = (*under.earlier, record.attempt)
    after = draft.after or route.tier is not draft.route.tier
    return Draft(
        under.task,
        route,
        draft.n + 1,
        engine.clock(),
        heads,
        draft.anchor,
        before=draft.before,
        after=after,
        step=step,
    )


def _written(engine: Engine, under: Undertaking) -> str:
    """The change as a chat model would have replied it; what an agent printed tells nobody."""
    work = under.draft.work
    assert work is not None  # noqa: S101 - there was a change
    first = (*(each.executor for each in under.earlier), under.draft.route.executor)[0]
    setting = engine.settings.executors.get(first)
    if setting is not None and setting.type in MAKERS:
        return work.reply
    return as_reply(work.changes)


def _problem(under: Undertaking, record: Record) -> str:
    if record.attempt.gate == REVIEW and under.review is not None:
        return describe_review(under.review)
    return describe_failure(record.attempt)


def _apply_route(engine: Engine) -> Route | None:
    start = engine.settings.routing.entry["apply"]
    tier = None if start == Tier.NONE.value else filled(engine.settings, start)
    if tier is None:
        return None
    entry = engine.settings.tiers[tier]
    why = f"applying what a reviewer wants starts at tier {tier}"
    return _served(engine, Route(Tier(tier), entry.executor, entry.model, why))


def _served(engine: Engine, route: Route) -> Route | None:
    """The route with a real model's name; None where nobody serves one."""
    try:
        return resolve_model(engine, route)
    except (ExecutorFailure, UsageError):
        return None
