"""Merge or undo what users name, tasks or whole projects: their ready tasks in order, the merged ones newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from minitask.engine.context import Context
from minitask.engine.find_tasks import full_name, list_tasks
from minitask.engine.task_status import State
from minitask.engine.tasks import Base, Task, landings_at, named_project
from minitask.errors import UsageError
from minitask.git.history import landed_tasks
from minitask.landing.merged_tasks import Undone, undo_task
from minitask.ledger.record import TaskResult, Verdict
from minitask.project.task_graph import Node, task_graph
from minitask.task.finish import skipped
from minitask.task.merge_later import merge_task

CurrentBase = Callable[[], Base]
"""Returns the tip of the target as it is now."""


def merge_named(engine: Context, words: Sequence[str], base: CurrentBase) -> Iterator[TaskResult]:
    """Merge the named tasks one by one; skip one of a project whose dependencies did not merge."""
    merged: set[str] = set()
    for name, node in names_to_merge(engine, words, base()).items():
        missing = _unmerged(engine, node, base()) - merged if node is not None else set()
        if node is not None and missing:
            reason = f"it depends on {', '.join(sorted(missing))}, which did not merge"
            result = skipped(node.task, reason)
        else:
            result = merge_task(engine, name, base())
        if result.verdict is Verdict.MERGED:
            merged.add(name)
        yield result


def _unmerged(engine: Context, node: Node, base: Base) -> set[str]:
    landed = landings_at(engine, base.base, node.depends_on) if node.depends_on else {}
    return {name for name in node.depends_on if name not in landed or landed[name].undone}


def names_to_merge(engine: Context, words: Sequence[str], base: Base) -> Mapping[str, Node | None]:
    """Return the named tasks, and the ready ones of named projects with their dependencies."""
    names: dict[str, Node | None] = {}
    for word in words:
        tasks = _tasks_of_project(engine, word, base)
        for node in _ready(engine, word, tasks, base) if tasks else ():
            names.setdefault(node.name, node)
        if not tasks:
            names.setdefault(full_name(engine, word, base), None)
    return names


def _tasks_of_project(engine: Context, word: str, base: Base) -> tuple[Task, ...]:
    """Return the tasks of the project that a word names; none if it names a task, or only one."""
    try:
        tasks = list_tasks(engine, [word], base)
    except UsageError:
        return ()
    is_one_project = len({task.name.partition("/")[0] for task in tasks}) == 1
    return tasks if is_one_project and len(tasks) > 1 else ()


def _ready(engine: Context, word: str, tasks: Sequence[Task], base: Base) -> list[Node]:
    """Return a project's ready tasks by waves, or the merged ones if all are; else raise `UsageError`."""
    nodes = list(task_graph(engine, tasks, base, project=word, with_tiers=False).nodes)
    ready = [node for node in nodes if node.status.state is State.READY]
    if not ready and any(node.status.state is not State.MERGED for node in nodes):
        hint = f"`minitask status {word}` says where its tasks stand"
        raise UsageError(f"no task of {word} is ready to merge", hint=hint)
    return ready or nodes


def undo_named(engine: Context, words: Sequence[str], base: CurrentBase) -> Iterator[Undone]:
    """Revert the named tasks one by one; those of a project newest first."""
    for name in _names_to_undo(engine, words, base()):
        yield undo_task(engine, name, base())


def _names_to_undo(engine: Context, words: Sequence[str], base: Base) -> Sequence[str]:
    names: dict[str, None] = {}
    for word in words:
        merged = _merged(engine, word, base)
        names |= dict.fromkeys(merged or (full_name(engine, word, base),))
    return tuple(names)


def _merged(engine: Context, word: str, base: Base) -> tuple[str, ...]:
    """Return the merged tasks of a project, newest first, also of one without specs; none if a word names none."""
    git, project = engine.repository.git, named_project(word)
    names = {task.name for task in _tasks_of_project(engine, word, base)}
    if "/" not in project:
        landed = (item.task for item in landed_tasks(git, base.base))
        names |= {name for name in landed if name.startswith(f"{project}/")}
    landings = landings_at(engine, base.base, names) if names else {}
    merged = {name: landing.commit for name, landing in landings.items() if not landing.undone}
    if names and not merged:
        target = base.target.removeprefix("refs/heads/")
        hint = "`minitask status` lists merged tasks"
        raise UsageError(f"no task of {word} has merged into {target}", hint=hint)
    line = git.line("rev-list", "--first-parent", base.base).split() if len(merged) > 1 else []
    age = {commit: number for number, commit in enumerate(line)}
    return tuple(sorted(merged, key=lambda name: age.get(merged[name], len(age))))
