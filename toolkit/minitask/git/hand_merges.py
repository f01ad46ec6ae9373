"""Tasks that a person brought to a branch with git: by a merge of their own, or all of the change by other commits."""

from __future__ import annotations

from collections.abc import Collection

from minitask.git import history, refs
from minitask.git.history import Landing
from minitask.git.objects import Objects
from minitask.git.run_git import Git
from minitask.git.trees import differences


def all_landings(
    git: Git, objects: Objects, tip: str, tasks: Collection[str] | None = None
) -> dict[str, Landing]:
    """Return the newest landing or undo of each task, or of these, by the toolkit's commits or by hand.

    By hand it is known as long as the task has its branch.
    """
    landed = history.landings(git, tip)
    if tasks is not None:
        landed = {task: landed[task] for task in tasks if task in landed}
        if len(landed) == len(tasks):
            return landed
    for name, candidate in refs.snapshot(git, refs.BRANCHES).items():
        task = name.removeprefix(f"{refs.BRANCHES}/")
        if task not in landed and (tasks is None or task in tasks):
            landing = brought_by_hand(git, objects, tip, task, candidate)
            if landing is not None:
                landed[task] = landing
    return landed


def brought_by_hand(
    git: Git, objects: Objects, tip: str, task: str, candidate: str
) -> Landing | None:
    """Return how a person brought a task's branch to a tip; None if they did not."""
    base = objects.commit(f"{candidate}^1")
    if base is None:
        return None
    paths = _paths_there(objects, tip, base=base, candidate=candidate)
    merge = history.merge_of(git, candidate, tip)
    if merge is None and not paths:
        return None
    spec = _spec_of(git, candidate, task)
    if spec is None or (merge is not None and history.trailer(git, merge, "Minitask")):
        return None
    if merge is not None:
        return Landing(merge, spec, undone=False)
    commit = history.introduced_by(git, tip, paths[0])
    return Landing(commit, spec, undone=False, whole=False) if commit else None


def _spec_of(git: Git, candidate: str, task: str) -> str | None:
    """Return the spec, as `PATH@BLOB`, of the task's newest commit on a branch; None if that is another task's."""
    commit = history.latest_with_spec(git, candidate)
    if commit is None or history.trailer(git, commit, "Minitask") != task:
        return None
    return history.trailer(git, commit, "Minitask-Spec")


def _paths_there(objects: Objects, tip: str, *, base: str, candidate: str) -> list[str]:
    """Return the paths of a candidate's change if a tip holds all of it, and came to hold it after the base."""
    changes = list(differences(objects, objects.tree_of(base), objects.tree_of(candidate)))
    if not all(objects.entry(tip, change.path) == change.new for change in changes):
        return []
    return [change.path for change in changes]
