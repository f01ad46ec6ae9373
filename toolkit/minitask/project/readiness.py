"""Check that one task may start on its own: its spec is sound, and what it depends on has landed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from minitask.edits.checker import Verdict as Check
from minitask.engine.check_specs import check_tasks, refusal, tasks_beside, warn
from minitask.engine.context import Context
from minitask.engine.tasks import Base, Task
from minitask.errors import UsageError
from minitask.git.history import Landing, landings
from minitask.ledger.record import TaskResult, Verdict
from minitask.spec.file_dependencies import LinkKind, implied
from minitask.spec.graph import Graph
from minitask.spec.model import Spec
from minitask.task.results import landed_result

MAKING = frozenset({LinkKind.CREATE_READ, LinkKind.CREATE_EDIT})


def hindrance(
    engine: Context, task: Task, place: Base, *, again: bool = False, is_routed: bool = False
) -> TaskResult | None:
    """Return the result of a task that must wait for others, None if it may begin or has landed.

    `is_routed` says that the user chose who does it, whatever the spec asks for.
    Raises the refusal of a task whose spec `validate` finds an error in.
    """
    if not again and landed_result(engine, task) is not None:
        return None
    verdicts = check_tasks(engine, [task], place, again=again, is_routed=is_routed)
    warn(engine, verdicts)
    verdict = verdicts[task.name]
    if verdict.errors:
        raise refusal(task, verdict.errors)
    reason = _missing(engine, task, place, verdict)
    return skipped(task, reason) if reason else None


def skipped(task: Task, reason: str) -> TaskResult:
    """Return the result of a task that was not begun."""
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=Verdict.SKIPPED,
        reason=reason,
        base=task.base,
        cost_usd=Decimal(0),
    )


def _missing(engine: Context, task: Task, place: Base, verdict: Check) -> str:
    """Return what the task waits for and has not landed, in words; empty if there is nothing."""
    others = tasks_beside(engine, [task], place)
    if not others:
        return ""
    done = landings(engine.repository.git, place.base)
    open_ = [other for other in others if not _has_landed(done.get(other.name))]
    waiting = {_key(other.spec) for other in open_}
    graph = Graph((task.spec, *(other.spec for other in others)))
    for need in sorted(graph.needs[0]):
        if _key(graph.specs[need]) in waiting:
            return f"it depends on {graph.names[need]}, which did not merge"
    for path, maker in _files(engine, task, open_, place):
        return f"it needs {path} of {maker}, which did not merge"
    names = {_key(other.spec): other.name for other in others}
    for spec in verdict.waits_for:
        if _key(spec) in waiting:
            return f"it needs the work of {names[_key(spec)]}, which did not merge"
    return ""


def _files(
    engine: Context, task: Task, others: Sequence[Task], place: Base
) -> Iterator[tuple[str, str]]:
    """Yield the files that others are to make first and that are not there, with the makers' names."""

    def is_there(path: str) -> bool:
        return engine.objects.entry(place.base, path) is not None

    try:
        links = implied([task.spec, *(other.spec for other in others)], is_there=is_there).links
    except UsageError:  # others depend on each other in a circle
        return
    for link in links:
        if link.after == 0 and link.kind in MAKING and not is_there(link.path):
            yield link.path, others[link.before - 1].name


def _key(spec: Spec) -> tuple[str, int]:
    return (spec.path, spec.index)


def _has_landed(landing: Landing | None) -> bool:
    return landing is not None and not landing.undone
