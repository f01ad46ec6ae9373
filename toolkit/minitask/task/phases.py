"""Questions of a task's phases to a model: classification, outline, commit message."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.errors import BudgetError, UsageError
from minitask.executors.request import ExecutorFailure
from minitask.gates import task_questions
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, Verdict
from minitask.policy.route import TIERS, Route
from minitask.routing.route_task import resolve_model, route_of
from minitask.spec.model import Spec, Tier
from minitask.task import paid_calls
from minitask.task.paid_calls import Answered
from minitask.task.prepare import with_work_call
from minitask.task.questions import QuestionPrompt, ask_for_task, record_for_task, route_to
from minitask.task.state import Call, NotAskedError, TaskState


def classify_and_outline(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Ask the questions of the gates before a model implements the task; reuse cached answers."""
    gates = engine.settings.gates
    wants_kind = CLASSIFY in gates and state.task.spec.options.complexity is None
    phases = (*([CLASSIFY] if wants_kind else []), *([PLAN] if PLAN in gates else []))
    for phase in phases:
        prompt = _question_prompt(engine, phase, state.task.spec)
        answer = engine.cache.peek(_key(prompt))
        is_kept = isinstance(answer, str)
        state = _use(engine, state, phase, answer) if is_kept else _ask(engine, state, prompt, call)
    return state


def _ask(engine: Context, state: TaskState, prompt: QuestionPrompt, call: Call) -> TaskState:
    """Ask, record and use the answer; raise `NotAskedError` if the run or the machine prevented it."""
    entry, phase = engine.settings.routing.entry[prompt.phase], prompt.phase
    if entry == Tier.NONE.value:
        return state
    try:
        route = route_to(engine, entry, f"{phase} starts at tier {entry}")
    except (UsageError, ExecutorFailure) as error:
        return _left_out(engine, state, phase, error)
    state, question, outcome = ask_for_task(engine, state, prompt, route, call=call)
    if isinstance(outcome, Answered):
        engine.cache.keep(_key(prompt), outcome.work.reply)
        state = record_for_task(
            engine, state, question, outcome, verdict=Verdict.READY, reason=question.route.reason
        )
        return _use(engine, state, phase, outcome.work.reply)
    if isinstance(outcome, ExecutorFailure):
        state = record_for_task(
            engine, state, question, outcome, verdict=Verdict.ERROR, reason=str(outcome)
        )
        return _left_out(engine, state, phase, outcome)
    paid_calls.settle(engine.repository.home, question.key.name)
    if not isinstance(outcome, BudgetError):
        raise NotAskedError(state, outcome)
    return _left_out(engine, state, phase, outcome)


def _left_out(engine: Context, state: TaskState, phase: str, error: Exception) -> TaskState:
    engine.emit(Progress(state.task.name, phase, f"skipped: {error}"))
    return state


def _question_prompt(engine: Context, phase: str, spec: Spec) -> QuestionPrompt:
    if phase == CLASSIFY:
        tags = _tags(engine)
        return QuestionPrompt(
            phase,
            task_questions.classify_system(tags),
            task_questions.classify_prompt(spec),
            lambda text: task_questions.parse_kind(text, tags=tags),
            max_output_tokens=512,
        )
    return QuestionPrompt(
        phase,
        task_questions.SYSTEM,
        task_questions.outline_prompt(spec),
        task_questions.parse_outline,
        max_output_tokens=2_048,
    )


def _use(engine: Context, state: TaskState, phase: str, text: str) -> TaskState:
    """Route the task by its classification, or add the outlined steps to its prompt."""
    task, prepared, draft = state.task, state.prepared, state.draft
    if phase == CLASSIFY:
        kind = task_questions.parse_kind(text, tags=_tags(engine))
        prepared = replace(prepared, spec=task_questions.classified(task.spec, kind))
        route = _rerouted(engine, state, prepared.spec)
        message = f"tier {route.tier.value}: {route.reason} (classified: {kind.complexity})"
        engine.emit(Progress(task.name, "route", message))
        draft = replace(draft, route=route)
    else:
        prepared = replace(prepared, plan=task_questions.parse_outline(text))
    return with_work_call(engine, replace(state, prepared=prepared, draft=draft))


def _rerouted(engine: Context, state: TaskState, spec: Spec) -> Route:
    """Return the route by the classification, never to a lower tier or reviewer than before.

    A model's answer must not weaken the route. It stays as it was if no executor serves the new model.
    """
    had = state.draft.route
    try:
        route = resolve_model(engine, route_of(engine, state.task, state.options.demand, spec=spec))
    except (ExecutorFailure, UsageError):
        return had
    if TIERS.index(route.tier.value) < TIERS.index(had.tier.value):
        route = replace(had, task_class=route.task_class)
    lesser = TIERS.index(route.review or "none") < TIERS.index(had.review or "none")
    if lesser:
        route = replace(route, review=had.review, review_reason=had.review_reason)
    return route


def _tags(engine: Context) -> list[str]:
    return [tag for rule in engine.settings.routing.rules for tag in rule.tags]


def _key(prompt: QuestionPrompt) -> str:
    return f"answer\0{prompt.phase}\0{prompt.system}\0{prompt.text}"


def write_message(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Set the message of a proven change: by the configured tier only, else by the template."""
    draft = state.draft
    template = task_questions.template_message(state.task.spec, draft.files)
    state = replace(state, draft=replace(draft, message=template))
    route = _route(engine)
    if route is None:
        return state
    prompt = QuestionPrompt(
        MESSAGE,
        task_questions.MESSAGE_SYSTEM,
        task_questions.message_prompt(state.task.spec, draft.files),
        task_questions.parse_message,
        max_output_tokens=512,
    )
    state, question, outcome = ask_for_task(engine, state, prompt, route, call=call)
    if isinstance(outcome, Answered):
        text = task_questions.parse_message(outcome.work.reply)
        state = replace(state, draft=replace(state.draft, message=text))
        return record_for_task(
            engine, state, question, outcome, verdict=Verdict.READY, reason=question.route.reason
        )
    if isinstance(outcome, ExecutorFailure):
        reason = f"using the template: {outcome}"
        return record_for_task(
            engine, state, question, outcome, verdict=Verdict.FAILED, reason=reason
        )
    paid_calls.settle(engine.repository.home, question.key.name)
    return state


def _route(engine: Context) -> Route | None:
    tier = engine.settings.routing.entry[MESSAGE]
    entry = engine.settings.tiers.get(tier)
    if entry is None:
        return None
    try:
        route = Route(Tier(tier), entry.executor, entry.model, f"messages start at tier {tier}")
        return resolve_model(engine, route)
    except (ExecutorFailure, UsageError):
        return None
