"""Which task is begun when: in dependency order, each on the target as the ones before it left it.

The repository is worked on by one thread. What only waits, the executors' work, is handed to askers, and while it is
under way other tasks are begun, judged and landed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from decimal import Decimal

from minitask.errors import RefusedError, UsageError
from minitask.ledger.record import TaskResult, Verdict
from minitask.policy.route import SCRIPT
from minitask.repo.history import latest_landing
from minitask.run.askers import Askers
from minitask.run.attempt import ask, begin, conclude
from minitask.run.engine import Engine, Progress
from minitask.run.tasks import Place, Task, load_file
from minitask.run.undertaking import Undertaking, Wishes
from minitask.spec.model import Spec
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in the order to run them, what each depends on by name, and those that may not run, with the reason."""

    tasks: tuple[Task, ...]
    needs: Mapping[str, tuple[str, ...]]
    refused: Mapping[str, RefusedError]


@dataclass(slots=True)
class Schedule:
    """A run under way."""

    engine: Engine
    plan: Plan
    place: Place
    wishes: Wishes
    askers: Askers
    waiting: list[Task] = field(default_factory=list)
    asked: dict[str, Task] = field(default_factory=dict)
    results: dict[str, TaskResult] = field(default_factory=dict)
    stopped_by: str = ""

    def run(self) -> tuple[TaskResult, ...]:
        """Every task's result, in the plan's order."""
        self.waiting = list(self.plan.tasks)
        try:
            while self.waiting or self.asked:
                if not self._start_what_can():
                    under, outcome = self.askers.next()
                    del self.asked[under.task.name]
                    self._take(under, conclude(self.engine, under, outcome))
        except BaseException:
            self.askers.cancel()
            raise
        return tuple(self.results[task.name] for task in self.plan.tasks)

    def _start_what_can(self) -> bool:
        """Begin the first task that may be begun; whether there was one."""
        for place, task in enumerate(self.waiting):
            if self._is_blocked(task, self.waiting[:place]):
                continue
            self.waiting.remove(task)
            self._start(task)
            return True
        return False

    def _is_blocked(self, task: Task, before: list[Task]) -> bool:
        """Whether a task must wait: for one that it depends on, for one with the same files, or for an asker."""
        unfinished = [*self.asked.values(), *before]
        if any(other.name in self.plan.needs[task.name] for other in unfinished):
            return True
        if any(_share_files(task.spec, other.spec) for other in unfinished):
            return True
        return self.askers.is_full

    def _start(self, task: Task) -> None:
        found = self._begun(task)
        if isinstance(found, TaskResult):
            self._done(found)
        elif found.draft.route.executor == SCRIPT:
            self._take(found, conclude(self.engine, found, ask(self.engine, found)))
        else:
            self._hand_over(found)

    def _begun(self, task: Task) -> TaskResult | Undertaking:
        refusal = self.plan.refused.get(task.name)
        if refusal is not None:
            return replace(_skipped(task, str(refusal)), verdict=Verdict.REFUSED)
        missing = self._missing(task)
        if missing:
            return _skipped(task, f"it depends on {missing}, which did not land")
        if self.stopped_by:
            return _skipped(task, f"the run was stopped: {self.stopped_by}")
        try:
            return begin(self.engine, self._on_tip(task), self.wishes)
        except UsageError as error:  # the settings cannot serve this one; the others go on
            return replace(_skipped(task, str(error)), verdict=Verdict.REFUSED)

    def _hand_over(self, under: Undertaking) -> None:
        self.asked[under.task.name] = under.task
        self.askers.submit(under)

    def _take(self, under: Undertaking, result: TaskResult | None) -> None:
        """A task's result, or another round of it."""
        if result is None:
            self._hand_over(under)
        else:
            self._done(result)

    def _done(self, result: TaskResult) -> None:
        self.results[result.task] = result
        if result.stops_run and not self.stopped_by:
            self.stopped_by = result.reason.partition("\n")[0]
        self.engine.emit(Progress(result.task, "done", result.verdict.value))

    def _missing(self, task: Task) -> str:
        """The first dependency that is not on the target."""
        for name in self.plan.needs[task.name]:
            result = self.results.get(name)
            if result is not None and result.verdict is not Verdict.MERGED:
                return f"{name} ({result.verdict.value})"
            if result is None and not self._has_landed(name):
                return name
        return ""

    def _has_landed(self, name: str) -> bool:
        tip = self.engine.tip(self.place.target)
        landing = latest_landing(self.engine.repository.git, tip, task=name)
        return landing is not None and not landing.undone

    def _on_tip(self, task: Task) -> Task:
        """The task as the target's tip has it: the blob that is committed there, on that base."""
        engine = self.engine
        tip = self.askers.base_of(task) or engine.tip(self.place.target)
        entry = engine.objects.entry(tip, task.path)
        if task.uncommitted or entry is None or entry.oid == task.blob:
            return replace(task, base=tip)
        fresh = load_file(engine, task.path, replace(self.place, base=tip)).tasks
        return next((item for item in fresh if item.name == task.name), replace(task, base=tip))


def _share_files(one: Spec, other: Spec) -> bool:
    """Whether one of them writes what the other writes or reads."""
    mine, theirs = ({ref.path for ref in spec.writes()} for spec in (one, other))
    all_mine, all_theirs = ({ref.path for ref in spec.files} for spec in (one, other))
    return bool(mine & all_theirs or theirs & all_mine)


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
