"""What models are asked of a task before it is begun, where the config's gates say so: its kind, and its steps.

Both only help: where no model gives an answer that can be used, the task goes on without.
"""

from __future__ import annotations

from dataclasses import replace

from minitask.errors import UsageError
from minitask.executors.model import ExecutorFailure
from minitask.gates import classify, outline
from minitask.ledger.record import CLASSIFY, PLAN, Verdict
from minitask.policy.route import SCRIPT, TIERS, Route
from minitask.run.attempts.consulting import Matter, Topic, book, make_consult, route_to
from minitask.run.attempts.paid import Answered
from minitask.run.attempts.preparing import equip
from minitask.run.attempts.undertaking import Undertaking
from minitask.run.engine import Engine, Progress
from minitask.run.routes.models import resolve_model
from minitask.run.routes.routing import route_of
from minitask.spec.model import Spec, Tier


def ask_first(engine: Engine, under: Undertaking) -> None:
    """Have what the gates want to know of a task asked before it is done, if it is to go to a model."""
    if under.draft.route.executor == SCRIPT:
        return
    gates = engine.settings.gates
    wants_kind = CLASSIFY in gates and under.task.spec.options.complexity is None
    under.pending = (*([CLASSIFY] if wants_kind else []), *([PLAN] if PLAN in gates else []))
    _ask_next(engine, under)


def take(engine: Engine, under: Undertaking, outcome: Answered | ExecutorFailure) -> None:
    """Take what was answered, put it on record, and go on to the next question, or to the work itself."""
    what = under.consult
    assert what is not None  # noqa: S101 - it was answered
    phase = what.matter.phase
    if isinstance(outcome, Answered):
        engine.cache.keep(_key(what.matter), outcome.work.reply)
        call = book(engine, what, outcome, verdict=Verdict.READY, reason=what.route.reason)
        _use(engine, under, phase, outcome.work.reply)
    else:
        call = book(engine, what, outcome, verdict=Verdict.ERROR, reason=str(outcome))
        engine.emit(Progress(under.task.name, phase, f"left out: {outcome}"))
    under.calls = (*under.calls, (phase, call))
    _ask_next(engine, under)


def leave_out(engine: Engine, under: Undertaking, error: Exception) -> None:
    """Go on without the answer to a question that was not asked."""
    assert under.consult is not None  # noqa: S101 - it was to be asked
    engine.emit(Progress(under.task.name, under.consult.matter.phase, f"left out: {error}"))
    _ask_next(engine, under)


def _ask_next(engine: Engine, under: Undertaking) -> None:
    under.consult = None
    while under.pending and under.consult is None:
        phase, under.pending = under.pending[0], under.pending[1:]
        matter = _matter(engine, phase, under.task.spec)
        kept = engine.cache.peek(_key(matter))
        if isinstance(kept, str):
            _use(engine, under, phase, kept)
        else:
            _ask(engine, under, matter)


def _ask(engine: Engine, under: Undertaking, matter: Matter) -> None:
    task = under.task
    entry = engine.settings.routing.entry[matter.phase]
    if entry == Tier.NONE.value:
        return
    topic = Topic(task.name, task.base, task.target, task.path, task.blob, n=under.draft.n)
    try:
        route = route_to(engine, entry, f"{matter.phase} starts at tier {entry}")
    except (UsageError, ExecutorFailure) as error:
        engine.emit(Progress(task.name, matter.phase, f"left out: {error}"))
        return
    under.consult = make_consult(
        engine, topic, matter, route, purse=under.purse, batch=under.wishes.batch
    )


def _matter(engine: Engine, phase: str, spec: Spec) -> Matter:
    if phase == CLASSIFY:
        tags = _tags(engine)
        return Matter(
            phase,
            classify.classify_system(tags),
            classify.classify_prompt(spec),
            lambda text: _void(classify.parse_kind(text, tags=tags)),
            max_output_tokens=512,
        )
    return Matter(
        phase,
        outline.SYSTEM,
        outline.outline_prompt(spec),
        lambda text: _void(outline.parse_outline(text)),
        max_output_tokens=2_048,
    )


def _use(engine: Engine, under: Undertaking, phase: str, text: str) -> None:
    """Route the task by what it was found to be, or give whoever does it the steps."""
    task, prepared = under.task, under.prepared
    if phase == CLASSIFY:
        kind = classify.parse_kind(text, tags=_tags(engine))
        prepared = replace(prepared, spec=classify.classified(task.spec, kind))
        route = _rerouted(engine, under, prepared.spec)
        said = f"tier {route.tier.value}: {route.reason} (classified: {kind.complexity})"
        engine.emit(Progress(task.name, "route", said))
        under.draft.route = route
    else:
        prepared = replace(prepared, plan=outline.parse_outline(text))
    under.prepared = prepared
    under.order, under.meter, under.errand, under.batched = equip(
        engine, task, under.wishes, under.draft, purse=under.purse, prepared=prepared
    )


def _rerouted(engine: Engine, under: Undertaking, spec: Spec) -> Route:
    """The route by what is known now, never to a lesser tier or reviewer than it had: what a model says takes nothing
    away. The one that it had also where nobody serves the new one's model.
    """
    had = under.draft.route
    try:
        found = resolve_model(engine, route_of(engine, under.task, under.wishes.demand, spec=spec))
    except (ExecutorFailure, UsageError):
        return had
    if TIERS.index(found.tier.value) < TIERS.index(had.tier.value):
        found = replace(had, task_class=found.task_class)
    lesser = TIERS.index(found.review or "none") < TIERS.index(had.review or "none")
    if lesser:
        found = replace(found, review=had.review, review_reason=had.review_reason)
    return found


def _tags(engine: Engine) -> list[str]:
    return [tag for rule in engine.settings.routing.rules for tag in rule.tags]


def _key(matter: Matter) -> str:
    return f"answer\0{matter.phase}\0{matter.system}\0{matter.prompt}"


def _void(_value: object) -> None:
    """Nothing: a parser is used as a check."""
