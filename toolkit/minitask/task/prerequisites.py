"""Prerequisites of a task: its dependencies, and files and work of other tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from minitask.edits.checker import CheckedSpec
from minitask.engine.check_specs import check_tasks, tasks_beside, warn
from minitask.engine.context import Context
from minitask.engine.task_status import landings_at
from minitask.engine.tasks import Base, Task, refusal
from minitask.errors import UsageError
from minitask.git.history import Landing
from minitask.ledger.record import TaskResult
from minitask.spec.dependency_graph import Graph
from minitask.spec.file_dependencies import DependencyKind, implied
from minitask.spec.model import Spec
from minitask.task.finish import landed_result, skipped

MAKING = frozenset({DependencyKind.CREATE_READ, DependencyKind.CREATE_EDIT})


def find_unmet(
    engine: Context, task: Task, base: Base, *, again: bool = False, is_routed: bool = False
) -> TaskResult | None:
    """Return the result of a task that must wait for others; None if it may begin or has landed.

    `is_routed`: the user chose the executor, whatever the spec says. Raise the refusal if `validate` finds an error in
    the task's spec.
    """
    if not again and landed_result(engine, task) is not None:
        return None
    verdicts = check_tasks(engine, [task], base, again=again, is_routed=is_routed)
    warn(engine, [task], verdicts, base)
    verdict = verdicts[task.name]
    if verdict.errors:
        raise refusal(task.path, verdict.errors)
    missing, reason = _missing(engine, task, base, verdict)
    if not missing:
        return None
    return replace(skipped(task, reason), next_step=f"minitask exec {missing}")


def _missing(engine: Context, task: Task, base: Base, verdict: CheckedSpec) -> tuple[str, str]:
    """Return the unlanded task that the task waits for, and the reason; both empty if there is none."""
    others = tasks_beside(engine, [task], base)
    if not others:
        return "", ""
    landed = landings_at(engine, base.base, [sibling.name for sibling in others])
    open_ = [sibling for sibling in others if not _has_landed(landed.get(sibling.name))]
    waiting = {_key(sibling.spec) for sibling in open_}
    graph = Graph((task.spec, *(sibling.spec for sibling in others)))
    for need in sorted(graph.needs[0]):
        if _key(graph.specs[need]) in waiting:
            name = graph.names[need]
            return name, f"it depends on {name}, which did not merge"
    for path, maker in _files(engine, task, open_, base):
        return maker, f"it needs {path} of {maker}, which did not merge"
    names = {_key(sibling.spec): sibling.name for sibling in others}
    for spec in verdict.waits_for:
        if _key(spec) in waiting:
            name = names[_key(spec)]
            return name, f"it needs the work of {name}, which did not merge"
    return "", ""


def _files(
    engine: Context, task: Task, others: Sequence[Task], base: Base
) -> Iterator[tuple[str, str]]:
    """Yield the missing files that other tasks create, with the names of those tasks."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(base.base, path) is not None

    try:
        links = implied([task.spec, *(sibling.spec for sibling in others)], is_there=is_there).links
    except UsageError:  # a dependency cycle among others
        return
    for link in links:
        if link.after == 0 and link.kind in MAKING and not is_there(link.path):
            yield link.path, others[link.before - 1].name


def _key(spec: Spec) -> tuple[str, int]:
    return (spec.path, spec.index)


def _has_landed(landing: Landing | None) -> bool:
    return landing is not None and not landing.undone
