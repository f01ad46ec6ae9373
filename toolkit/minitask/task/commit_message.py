"""The message of a task's commit, where the config's gates ask for one: from a model, else from a template."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.errors import UsageError
from minitask.executors.request import ExecutorFailure
from minitask.gates import task_questions
from minitask.ledger.record import MESSAGE, Verdict
from minitask.policy.route import Route
from minitask.routing.route_task import resolve_model
from minitask.spec.model import Tier
from minitask.task import call_journal
from minitask.task.call_journal import Answered
from minitask.task.calls import Call
from minitask.task.questions import QuestionPrompt, ask_for_task, record_question, with_call
from minitask.task.state import TaskState


def write_message(engine: Context, state: TaskState, call: Call) -> TaskState:
    """Give a proven change its message: by the tier that the config names and no other, else by the template."""
    draft = state.draft
    if MESSAGE not in engine.settings.gates or not draft.verdict.is_good or draft.message:
        return state
    template = task_questions.template_message(state.task.spec, draft.files)
    state = replace(state, draft=replace(draft, message=template))
    route = _route(engine)
    if route is None:
        return state
    prompt = QuestionPrompt(
        MESSAGE,
        task_questions.MESSAGE_SYSTEM,
        task_questions.message_prompt(state.task.spec, draft.files),
        _check,
        max_output_tokens=512,
    )
    state, question, outcome = ask_for_task(engine, state, prompt, route, call=call)
    if isinstance(outcome, Answered):
        text = task_questions.parse_message(outcome.work.reply)
        attempt = record_question(
            engine, question, outcome, verdict=Verdict.READY, reason=question.route.reason
        )
        written = replace(state, draft=replace(state.draft, message=text))
        return with_call(written, MESSAGE, attempt)
    if isinstance(outcome, ExecutorFailure):
        reason = f"using the template: {outcome}"
        attempt = record_question(engine, question, outcome, verdict=Verdict.FAILED, reason=reason)
        return with_call(state, MESSAGE, attempt)
    call_journal.settle(engine.repository.home, question.key)
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


def _check(text: str) -> None:
    task_questions.parse_message(text)
