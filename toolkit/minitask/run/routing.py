"""The route of a task, by its spec, the settings and what is known of it."""

from __future__ import annotations

from minitask.executors.script import has_script
from minitask.policy.route import NOTHING_KNOWN, Demand, Route, choose
from minitask.run.engine import Engine
from minitask.run.experience import experience_of
from minitask.run.tasks import Task
from minitask.spec.model import Spec

NO_DEMAND = Demand()


def route_of(
    engine: Engine, task: Task, demand: Demand = NO_DEMAND, *, spec: Spec | None = None
) -> Route:
    """The route of a task; `spec` stands for its own where more is known of it. A model may be named `auto` still."""
    scripted = has_script(task.spec)
    asked = spec or task.spec
    known = NOTHING_KNOWN if scripted else experience_of(engine, task, asked)
    return choose(asked, engine.settings, demand=demand, scripted=scripted, known=known)
