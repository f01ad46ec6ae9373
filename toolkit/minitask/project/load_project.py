"""Run a whole project: select, check and order its tasks before the first one starts; and preview a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.anchors import Anchor
from minitask.engine.check_specs import SpecCheck, refusals, waits_for, warn
from minitask.engine.context import Context
from minitask.engine.find_tasks import SHOWN, FoundTasks
from minitask.engine.task_status import State, task_statuses
from minitask.engine.tasks import Base, Task
from minitask.errors import MinitaskError, UsageError
from minitask.executors.request import ExecutorFailure
from minitask.ledger.accuracy import BatchTokens, batch_tokens
from minitask.ledger.record import TaskResult
from minitask.policy.route import SCRIPT, CallEstimate, Route
from minitask.project.call_pool import CallPool
from minitask.project.cluster import Cluster
from minitask.project.schedule import Plan, Schedule
from minitask.project.task_graph import check_order, dependencies, implications, ordered
from minitask.routing.requests import find_shared_reads, make_order
from minitask.routing.route_task import resolve_model, route_of
from minitask.spec.dependency_graph import fits
from minitask.spec.file_dependencies import urgency, wave_numbers
from minitask.task.finish import landed_result
from minitask.task.state import RunOptions


def run_project(
    engine: Context,
    selected: FoundTasks,
    *,
    base: Base,
    options: RunOptions,
    askers: CallPool,
    jobs: int = 1,
    cluster: Cluster | None = None,
) -> tuple[TaskResult, ...]:
    """Run the tasks in order; skip those whose dependencies did not land.

    At most `jobs` validations run in parallel; tasks that write each other's files never do.
    """
    plan = make_plan(engine, selected, base, again=options.again)
    shared_reads = find_shared_reads(task.spec for task in plan.tasks)
    options = replace(options, shared_reads=shared_reads)
    return Schedule(
        engine, plan, base, options=options, askers=askers, jobs=jobs, cluster=cluster
    ).run()


def make_plan(engine: Context, selected: FoundTasks, base: Base, *, again: bool = False) -> Plan:
    """Return the tasks in order, with their dependencies; raise `UsageError` if the order is ambiguous."""
    check = SpecCheck(engine, base)
    check_order(check, selected.tasks)
    verdicts = check.check_tasks(selected.tasks, again=again)
    warn(engine, selected.tasks, verdicts, base)
    wrong = refusals(selected.tasks, verdicts)
    tasks = ordered(selected.tasks)
    names = tuple(task.name for task in tasks)
    implied_order = implications(engine, tasks, base)
    pairs = [(clash.first, clash.second) for clash in implied_order.clashes]
    lengths = urgency([task.spec for task in tasks], implied_order.links)
    after = _by_name(names, ((link.after, link.before) for link in implied_order.links))
    waits = waits_for(selected.tasks, verdicts)
    return Plan(
        tasks,
        needs=dependencies(check, selected.tasks),
        after={
            name: tuple(dict.fromkeys((*earlier, *waits.get(name, ()))))
            for name, earlier in after.items()
        },
        clashes=_by_name(names, (*pairs, *((second, first) for first, second in pairs))),
        urgency=dict(zip(names, lengths, strict=True)),
        refused={**wrong, **selected.refused},
    )


def _by_name(
    names: tuple[str, ...], pairs: Iterable[tuple[int, int]]
) -> Mapping[str, tuple[str, ...]]:
    """Return each name's partners, in order, from pairs of indices."""
    paired: dict[int, set[int]] = {index: set() for index in range(len(names))}
    for index, partner in pairs:
        paired[index].add(partner)
    return {
        names[index]: tuple(names[partner] for partner in sorted(others))
        for index, others in paired.items()
    }


TO_RETRY = frozenset(
    {State.FAILED, State.REFUSED, State.CONFLICT, State.ERROR, State.SKIPPED, State.CHANGED}
)


class Selection(Struct, frozen=True):
    """The tasks to select: `only` and `since` are `PROJECT/ID`, an ID, or a number."""

    only: tuple[str, ...] = ()
    since: str = ""
    retry_failed: bool = False


def select(engine: Context, selected: FoundTasks, base: Base, choice: Selection) -> FoundTasks:
    """Return the selected tasks; raise `UsageError` for a name that matches no task."""
    tasks = selected.tasks
    if choice.only:
        chosen = {_task_called(tasks, name).name for name in choice.only}
        tasks = tuple(task for task in tasks if task.name in chosen)
    if choice.since:
        first = _task_called(tasks, choice.since)
        tasks = ordered(tasks)
        tasks = tasks[tasks.index(first) :]
    if choice.retry_failed:
        tasks = tuple(
            status.task for status in task_statuses(engine, tasks, base) if status.state in TO_RETRY
        )
    names = {task.name for task in tasks}
    refused = {name: error for name, error in selected.refused.items() if name in names}
    return replace(selected, tasks=tasks, refused=refused)


def _task_called(tasks: Sequence[Task], name: str) -> Task:
    fitting = [task for task in tasks if fits(name, task.name, task.spec.number)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(task.name for task in (fitting or tasks)[:SHOWN])
    many = "several tasks are" if fitting else "no task of this run is"
    raise UsageError(f"{many} called {name}", hint=f"name one of: {names}")


class RunPreview(Struct, frozen=True):
    """The forecast of one task; the estimate is None if it is unknown.

    `problem` is why it would not run; `merge` is the commit of an earlier landing, which costs nothing.
    """

    task: Task
    wave: int
    route: Route | None = None
    estimate: CallEstimate | None = None
    problem: str = ""
    merge: str = ""

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the estimated cost, or None if it is unknown."""
        return self.estimate.cost_usd if self.estimate else None


def preview_run(
    engine: Context, tasks: Sequence[Task], base: Base, *, again: bool
) -> tuple[RunPreview, ...]:
    """Return the forecast of each task, wave by wave; `again`: landed tasks would run again.

    A task is in a later wave than its dependencies, both declared and implied by files. Raises `UsageError` if a run
    would refuse all tasks.
    """
    check = SpecCheck(engine, base)
    check_order(check, tasks)
    verdicts = check.check_tasks(tasks, again=again)
    wrong = {name: str(error) for name, error in refusals(tasks, verdicts).items()}
    tasks = ordered(tasks)
    links = implications(engine, tasks, base).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    by_wave = sorted(zip(numbers, range(len(tasks)), strict=True))
    return tuple(
        prospect(engine, tasks[at], wave, again=again, problem=wrong.get(tasks[at].name, ""))
        for wave, at in by_wave
    )


def prospect(
    engine: Context, task: Task, wave: int = 1, *, again: bool, problem: str = ""
) -> RunPreview:
    """Return the forecast of one task."""
    if problem:
        return RunPreview(task, wave, problem=problem)
    try:
        landed = None if again else landed_result(engine, task)
        if landed is not None:
            free = CallEstimate(0, 0, Decimal(0))
            merge = landed.merge or ""
            return RunPreview(task, wave, None, free, problem=landed.reason, merge=merge)
        route = route_of(engine, task)
        if route.executor != SCRIPT:
            with suppress(ExecutorFailure):  # the real run reports a server that does not answer
                route = resolve_model(engine, route)
            anchor = Anchor(engine.repository.git, engine.objects, task)
            make_order(engine, task, anchor, route=route)
    except MinitaskError as error:
        return RunPreview(task, wave, problem=str(error))
    return RunPreview(task, wave, route, route.estimate)


def token_budgets(
    engine: Context, tasks: Sequence[Task], results: Sequence[TaskResult], base: Base
) -> tuple[BatchTokens, ...]:
    """Return the tokens of each wave that called a model; nothing for a run of a single task."""
    if len(tasks) < 2 or all(result.usage.requests == 0 for result in results):
        return ()
    links = implications(engine, tasks, base).links
    numbers = wave_numbers([task.spec for task in tasks], links)
    names = [task.name for task in tasks]
    return batch_tokens(
        results,
        waves=dict(zip(names, numbers, strict=True)),
        planned={task.name: task.spec.estimate.tokens for task in tasks},
    )
