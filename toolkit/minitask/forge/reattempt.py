"""Another attempt at a task whose pull request failed its checks, or of which people ask for changes."""

from __future__ import annotations

from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.find_tasks import find_tasks
from minitask.engine.tasks import Base
from minitask.forge.forge import Forge
from minitask.forge.publish import publish_tasks
from minitask.git import refs
from minitask.ledger.record import TaskResult, Verdict
from minitask.policy.prices import Budget
from minitask.policy.route import RouteOverrides
from minitask.task.human_review import reject
from minitask.task.life import run_task
from minitask.task.state import RunOptions


def attempt_again(
    engine: Context, name: str, base: Base, forge: Forge, remote: str, *, why: str, budget: Budget
) -> TaskResult:
    """Return the result of an attempt that is told why; what passes takes the place of the attempt before it there."""
    before = engine.objects.commit(refs.branch(name))
    reject(engine, name, why)
    (task,) = find_tasks(engine, [name], base).tasks
    result = run_task(engine, task, RunOptions(RouteOverrides(), merge=False, budget=budget))
    if result.verdict is not Verdict.READY or result.commit is None:
        return result
    trees = engine.objects.tree_of
    if before is not None and trees(result.commit) == trees(before):
        reason = "the next attempt made the same change"
        return replace(result, verdict=Verdict.FAILED, reason=reason, next_step="")
    published = publish_tasks(engine, [name], base, forge, remote, replaces=True)
    if published.problem is not None:
        raise published.problem
    (new,) = published.results
    return replace(
        result, reason=new.reason, next_step=new.next_step, pull_request=new.pull_request
    )
