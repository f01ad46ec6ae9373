"""The message of a task's commit, where the config's gates ask for one: from a model, else from a template."""

from __future__ import annotations

from minitask.errors import UsageError
from minitask.executors.model import ExecutorFailure
from minitask.gates import message
from minitask.ledger.record import MESSAGE, Verdict
from minitask.policy.route import Route
from minitask.run.attempts.consulting import Matter, Topic, book, make_consult
from minitask.run.attempts.paid import Answered
from minitask.run.attempts.undertaking import Undertaking
from minitask.run.engine import Engine
from minitask.run.routes.models import resolve_model
from minitask.spec.model import Tier


def wants_message(engine: Engine, under: Undertaking) -> bool:
    """Whether the change, proven, still needs its message."""
    draft = under.draft
    return MESSAGE in engine.settings.gates and draft.verdict.is_good and not draft.message


def ask(engine: Engine, under: Undertaking) -> None:
    """Have the message written, by the tier that the config names and no other; by the template where it has nobody."""
    task, draft = under.task, under.draft
    draft.message = message.template_message(task.spec, draft.files)
    tier = engine.settings.routing.entry[MESSAGE]
    entry = engine.settings.tiers.get(tier)
    if entry is None:
        return
    try:
        route = Route(Tier(tier), entry.executor, entry.model, f"messages start at tier {tier}")
        route = resolve_model(engine, route)
    except (ExecutorFailure, UsageError):
        return
    matter = Matter(
        MESSAGE,
        message.SYSTEM,
        message.message_prompt(task.spec, draft.files),
        _check,
        max_output_tokens=512,
    )
    topic = Topic(
        task.name, task.base, task.target, task.path, task.blob, n=draft.n, round=under.rounds
    )
    under.consult = make_consult(
        engine, topic, matter, route, purse=under.purse, batch=under.wishes.batch
    )


def take(engine: Engine, under: Undertaking, outcome: Answered | ExecutorFailure) -> None:
    """Take the message; the template's stays where there is none that can be used."""
    what = under.consult
    assert what is not None  # noqa: S101 - it was answered
    if isinstance(outcome, Answered):
        under.draft.message = message.parse_message(outcome.work.reply)
        call = book(engine, what, outcome, verdict=Verdict.READY, reason=what.route.reason)
    else:
        said = f"the template serves: {outcome}"
        call = book(engine, what, outcome, verdict=Verdict.FAILED, reason=said)
    under.calls = (*under.calls, (MESSAGE, call))
    under.consult = None


def _check(text: str) -> None:
    message.parse_message(text)
