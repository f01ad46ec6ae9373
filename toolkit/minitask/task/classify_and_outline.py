"""Questions to models before a task starts, where the config's gates say so: its kind, and its steps.

Both only help: where no model gives an answer that can be used, the task goes on without.
"""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError, UsageError
from minitask.executors.request import ExecutorFailure
from minitask.gates import task_questions
from minitask.ledger.record import CLASSIFY, PLAN, Verdict
from minitask.policy.route import TIERS, Route
from minitask.routing.route_task import resolve_model, route_of
from minitask.spec.model import Spec, Tier
from minitask.task import call_journal
from minitask.task.call_journal import Answered
from minitask.task.calls import Call
from minitask.task.prepare import make_work_call, reply_format_of
from minitask.task.questions import (
    QuestionPrompt,
    ask_for_task,
    record_question,
    route_to,
    with_call,
)
from minitask.task.state import NotAskedError, TaskState


def classify_and_outline(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Have what the gates want to know of a task asked before a model does it; an answer that was kept will do."""
    gates = engine.settings.gates
    wants_kind = CLASSIFY in gates and state.task.spec.options.complexity is None
    phases = (*([CLASSIFY] if wants_kind else []), *([PLAN] if PLAN in gates else []))
    for phase in phases:
        matter = _matter(engine, phase, state.task.spec)
        kept = engine.cache.peek(_key(matter))
        is_kept = isinstance(kept, str)
        state = _use(engine, state, phase, kept) if is_kept else _ask(engine, state, matter, call)
    return state


def _ask(engine: Context, state: TaskState, matter: QuestionPrompt, call: Call) -> TaskState:
    """Ask, put the answer on record and use it; raise `NotAskedError` where the run or the machine stopped it."""
    entry, phase = engine.settings.routing.entry[matter.phase], matter.phase
    if entry == Tier.NONE.value:
        return state
    try:
        route = route_to(engine, entry, f"{phase} starts at tier {entry}")
    except (UsageError, ExecutorFailure) as error:
        return _left_out(engine, state, phase, error)
    asked, what, outcome = ask_for_task(engine, state, matter, route, call=call)
    if isinstance(outcome, Answered):
        engine.cache.keep(_key(matter), outcome.work.reply)
        made = record_question(
            engine, what, outcome, verdict=Verdict.READY, reason=what.route.reason
        )
        return _use(engine, with_call(asked, phase, made), phase, outcome.work.reply)
    if isinstance(outcome, ExecutorFailure):
        made = record_question(engine, what, outcome, verdict=Verdict.ERROR, reason=str(outcome))
        return _left_out(engine, with_call(asked, phase, made), phase, outcome)
    call_journal.settle(engine.repository.home, what.errand)
    if not isinstance(outcome, BudgetError):
        raise NotAskedError(asked, outcome)
    return _left_out(engine, asked, phase, outcome)


def _left_out(engine: Context, state: TaskState, phase: str, error: Exception) -> TaskState:
    engine.emit(Progress(state.task.name, phase, f"skipped: {error}"))
    return state


def _matter(engine: Context, phase: str, spec: Spec) -> QuestionPrompt:
    if phase == CLASSIFY:
        tags = _tags(engine)
        return QuestionPrompt(
            phase,
            task_questions.classify_system(tags),
            task_questions.classify_prompt(spec),
            lambda text: _void(task_questions.parse_kind(text, tags=tags)),
            max_output_tokens=512,
        )
    return QuestionPrompt(
        phase,
        task_questions.SYSTEM,
        task_questions.outline_prompt(spec),
        lambda text: _void(task_questions.parse_outline(text)),
        max_output_tokens=2_048,
    )


def _use(engine: Context, state: TaskState, phase: str, text: str) -> TaskState:
    """Route the task by what it was found to be, or give whoever does it the steps."""
    task, prepared, draft = state.task, state.prepared, state.draft
    if phase == CLASSIFY:
        kind = task_questions.parse_kind(text, tags=_tags(engine))
        prepared = replace(prepared, spec=task_questions.classified(task.spec, kind))
        route = _rerouted(engine, state, prepared.spec)
        said = f"tier {route.tier.value}: {route.reason} (classified: {kind.complexity})"
        engine.emit(Progress(task.name, "route", said))
        draft = replace(draft, route=route)
    else:
        prepared = replace(prepared, plan=task_questions.parse_outline(text))
    call = make_work_call(engine, draft, state.wishes, purse=state.purse, prepared=prepared)
    named = replace(draft, reply_format=reply_format_of(call))
    return replace(state, prepared=prepared, draft=named, call=call)


def _rerouted(engine: Context, state: TaskState, spec: Spec) -> Route:
    """Return the route by what is known now, never to a lesser tier or reviewer than it had: what a model says
    takes nothing away. The one that it had also where nobody serves the new one's model.
    """
    had = state.draft.route
    try:
        found = resolve_model(engine, route_of(engine, state.task, state.wishes.demand, spec=spec))
    except (ExecutorFailure, UsageError):
        return had
    if TIERS.index(found.tier.value) < TIERS.index(had.tier.value):
        found = replace(had, task_class=found.task_class)
    lesser = TIERS.index(found.review or "none") < TIERS.index(had.review or "none")
    if lesser:
        found = replace(found, review=had.review, review_reason=had.review_reason)
    return found


def _tags(engine: Context) -> list[str]:
    return [tag for rule in engine.settings.routing.rules for tag in rule.tags]


def _key(matter: QuestionPrompt) -> str:
    return f"answer\0{matter.phase}\0{matter.system}\0{matter.prompt}"


def _void(_value: object) -> None:
    """Nothing: a parser is used as a check."""
