"""Checks of a task's branch before anything runs or is spent; `check_specs` checks the spec."""

from __future__ import annotations

from collections.abc import Mapping

from minitask.engine.tasks import Task
from minitask.errors import RefusedError
from minitask.git import refs
from minitask.git.objects import Objects


def check_branch(task: Task, objects: Objects, heads: Mapping[str, str]) -> None:
    """Refuse a task whose branch cannot be made or moved. `heads` are the refs of the task.

    Another branch may have a part of its name, or a person may have added commits to it.
    """
    own = refs.branch(task.name)
    parts = own.split("/")
    above = ["/".join(parts[:count]) for count in range(3, len(parts))]
    below = [name for name in heads if name.startswith(f"{own}/")]
    taken = next((name for name in (*above, *below) if objects.commit(name) is not None), None)
    if taken is not None:
        name = taken.removeprefix("refs/heads/")
        raise RefusedError(
            f"the branch {name} conflicts with {own.removeprefix('refs/heads/')}",
            hint=f"rename it: git branch -m {name} OTHER",
        )
    attempts = {oid for name, oid in heads.items() if name.startswith(refs.ATTEMPTS)}
    if own in heads and heads[own] not in attempts:
        name = own.removeprefix("refs/heads/")
        raise RefusedError(
            f"{name} has commits that minitask did not make; a new attempt would drop them",
            hint=f"merge them: minitask merge {task.name}; or keep them aside:  git branch -m {name} OTHER",
        )
