"""A whole project: task after task in dependency order, each on the target as the ones before it left it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from minitask.errors import UsageError
from minitask.ledger.record import TaskResult, Verdict
from minitask.repo.history import latest_landing
from minitask.run.attempt import Wishes, run_task
from minitask.run.engine import Engine, Progress
from minitask.run.finding import Found, spec_paths
from minitask.run.tasks import Place, Task, load_file
from minitask.spec.graph import Graph, order
from minitask.spec.names import task_names
from minitask.spec.project import check_project
from minitask.values import dataclass

ORDER_RULES = frozenset({"E208", "E209", "E211"})


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend, in US dollars; None is no limit."""

    max_cost_usd: Decimal | None = None

    def left_usd(self, results: Sequence[TaskResult]) -> Decimal | None:
        """What is left after these tasks."""
        if self.max_cost_usd is None:
            return None
        return self.max_cost_usd - sum(
            (result.cost_usd or Decimal(0) for result in results), Decimal(0)
        )


def run_project(
    engine: Engine, found: Found, *, place: Place, wishes: Wishes, budget: Budget
) -> tuple[TaskResult, ...]:
    """Run the tasks in dependency order; one whose dependency did not land is skipped, the others go on."""
    tasks = found.tasks
    _check_graph(engine, tasks, place)
    names = dict(zip([id(task.spec) for task in tasks], [task.name for task in tasks], strict=True))
    by_name = {task.name: task for task in tasks}
    needs = _needs(engine, tasks, place)
    results: dict[str, TaskResult] = {}
    for spec in order([task.spec for task in tasks]):
        task = by_name[names[id(spec)]]
        missing = _missing(needs[task.name], results, engine, place)
        if task.name in found.refused:
            reason = str(found.refused[task.name])
            results[task.name] = replace(_skipped(task, reason), verdict=Verdict.REFUSED)
        elif missing:
            results[task.name] = _skipped(task, f"it depends on {missing}, which did not land")
        else:
            left = replace(wishes, limit_usd=budget.left_usd(tuple(results.values())))
            results[task.name] = _run_one(engine, _on_tip(engine, task, place), left)
        engine.emit(Progress(task.name, "done", results[task.name].verdict.value))
    return tuple(results.values())


def _check_graph(engine: Engine, tasks: Sequence[Task], place: Place) -> None:
    """Raise `UsageError` for what would make the order a guess: unknown dependencies, cycles, one id twice."""
    known = [task.spec for task in _siblings(engine, tasks, place)]
    for item in check_project([task.spec for task in tasks], known=known):
        if item.code in ORDER_RULES:
            where = f"{item.path}:{item.line}"
            raise UsageError(f"{item.code} {item.message}", where=where, hint=item.hint)


def _run_one(engine: Engine, task: Task, wishes: Wishes) -> TaskResult:
    """Run a task; one that the settings cannot serve is refused, and the others go on."""
    try:
        return run_task(engine, task, wishes)
    except UsageError as error:
        return replace(_skipped(task, str(error)), verdict=Verdict.REFUSED)


def _needs(engine: Engine, tasks: Sequence[Task], place: Place) -> dict[str, tuple[str, ...]]:
    """The names of the tasks that each depends on, those outside the run included."""
    others = _siblings(engine, tasks, place)
    graph = Graph(tuple(task.spec for task in tasks) + tuple(task.spec for task in others))
    names = task_names(graph.specs)
    return {
        task.name: tuple(names[need] for need in sorted(graph.needs[at]))
        for at, task in enumerate(tasks)
    }


def _siblings(engine: Engine, tasks: Sequence[Task], place: Place) -> list[Task]:
    """The tasks of the same folders that are not part of this run: a dependency may be one of them."""
    mine = {task.path for task in tasks}
    folders = {task.path.rpartition("/")[0] for task in tasks if task.spec.options.depends_on}
    paths = {path for folder in folders for path in spec_paths(engine, place.base, folder)}
    return [task for path in sorted(paths - mine) for task in load_file(engine, path, place).tasks]


def _missing(
    needs: Sequence[str], results: dict[str, TaskResult], engine: Engine, place: Place
) -> str:
    """The first dependency that is not on the target."""
    for name in needs:
        result = results.get(name)
        if result is not None and result.verdict is not Verdict.MERGED:
            return f"{name} ({result.verdict.value})"
        if result is None and not _has_landed(engine, name, place):
            return name
    return ""


def _has_landed(engine: Engine, name: str, place: Place) -> bool:
    tip = engine.tip(place.target)
    landing = latest_landing(engine.repository.git, tip, task=name)
    return landing is not None and not landing.undone


def _on_tip(engine: Engine, task: Task, place: Place) -> Task:
    """The task as the target's tip has it: the blob that is committed there, on that base."""
    tip = engine.tip(place.target)
    entry = engine.objects.entry(tip, task.path)
    if task.uncommitted or entry is None or entry.oid == task.blob:
        return replace(task, base=tip)
    fresh = load_file(engine, task.path, replace(place, base=tip)).tasks
    return next((item for item in fresh if item.name == task.name), replace(task, base=tip))


def _skipped(task: Task, reason: str) -> TaskResult:
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=Verdict.SKIPPED,
        reason=reason,
        base=task.base,
        cost_usd=Decimal(0),
    )
