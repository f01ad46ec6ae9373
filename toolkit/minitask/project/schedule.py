"""Schedule tasks: each starts when its dependencies have landed, on the tip of the target at that time.

Every running task has a thread. The jobs limit parallel validations and other work that takes a core; the config limits
parallel calls. Proven changes land through one queue.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask.concurrency import CpuPool
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Base, Task, latest_landing, load_file, snapshot_refs
from minitask.errors import MinitaskError, NoBranchError
from minitask.executors import http
from minitask.landing.merge_queue import MergeQueue
from minitask.landing.queue_proofs import Guards
from minitask.ledger.record import TaskResult, Verdict
from minitask.project.call_pool import CallPool
from minitask.project.cluster import Cluster
from minitask.system import process
from minitask.system.signals import first_interrupt
from minitask.task.earlier_work import latest_made
from minitask.task.finish import landed_result, skipped
from minitask.task.life import run_task
from minitask.task.state import RunOptions, UnservedError

FAILURES = frozenset({Verdict.FAILED, Verdict.REFUSED, Verdict.CONFLICT, Verdict.ERROR})
NAMED = 5
"""Limit of tasks that a message names."""
END_SECONDS = 3.0
"""Time for tasks to see the ends of their programs when the run must end."""
AHEAD = 2
"""Tasks to start per parallel call, so that no executor waits for a validation."""


class Plan(Struct, frozen=True):
    """Tasks in the order of the report, with their dependencies by name.

    `needs` are declared dependencies, in the run or not; `after` are tasks of the run whose files it uses; `clashes`
    are tasks that must not run in parallel. A higher `urgency` starts first. `refused` tasks do not run.
    """

    tasks: tuple[Task, ...]
    needs: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    clashes: Mapping[str, tuple[str, ...]]
    urgency: Mapping[str, int]
    refused: Mapping[str, MinitaskError]

    def follows(self, name: str, maker: str) -> bool:
        """Return True if a task depends on another, directly or indirectly, or shares files with it."""
        pending, reached = [name], {name}
        while pending:
            at = pending.pop()
            before = (*self.needs.get(at, ()), *self.after.get(at, ()))
            pending += [task for task in before if task not in reached]
            reached.update(before)
        return maker in reached or maker in self.clashes.get(name, ())


class Interrupted(KeyboardInterrupt):
    """An interrupted run; `results` are those of all its tasks, started or not."""

    def __init__(self, results: tuple[TaskResult, ...]) -> None:
        super().__init__()
        self.results = results


class Schedule:
    """A run with at most `jobs` parallel validations."""

    def __init__(
        self,
        engine: Context,
        plan: Plan,
        base: Base,
        *,
        options: RunOptions,
        askers: CallPool,
        jobs: int,
        cluster: Cluster | None = None,
    ) -> None:
        self._engine = engine
        self._plan = plan
        self._base = base
        self._tasks = {task.name: task for task in plan.tasks}
        snapshot = snapshot_refs(engine, engine.tip(base.target), list(self._tasks))
        self._askers = askers
        self._cores = CpuPool(jobs)
        self._guards = Guards(engine, follows=plan.follows, repeats=jobs == 1)
        self._queue = MergeQueue(engine, cores=self._cores, guards=self._guards)
        self._options = replace(options, lander=self._queue, known=snapshot)
        self._cluster = cluster
        self._width = AHEAD * (cluster.width if cluster else askers.width) + jobs
        self._waiting = sorted(plan.tasks, key=lambda task: -plan.urgency[task.name])
        self._under_way: dict[str, Task] = {}
        self._results: dict[str, TaskResult] = {}
        self._ended: queue.SimpleQueue[tuple[Task, TaskResult | BaseException]] = (
            queue.SimpleQueue()
        )
        self._news = threading.Lock()
        self._is_interrupted = False
        self._stopped_by = ""
        self._broken: BaseException | None = None

    def run(self) -> tuple[TaskResult, ...]:
        """Return the results of all tasks in the plan's order; raise `Interrupted` if the run is interrupted.

        An interrupt stops new tasks and cancels calls; earlier answers are still validated and landed. A second one, or
        a signal to end, ends the run at once.
        """
        try:
            return self._run()
        except KeyboardInterrupt:
            for task in self._plan.tasks:
                self._results.setdefault(task.name, skipped(task, "the run was interrupted"))
            raise Interrupted(self._ordered_results()) from None
        finally:
            if self._under_way:
                self._end_all()
            self._queue.close()

    def _ordered_results(self) -> tuple[TaskResult, ...]:
        return tuple(self._results[name] for name in self._tasks)

    def _end_all(self) -> None:
        """End all programs, and wait for the running tasks, whose threads notice it."""
        self._stop("it was interrupted")
        process.end_all()
        deadline = time.monotonic() + END_SECONDS
        with contextlib.suppress(queue.Empty):
            while self._under_way:
                task, _ = self._ended.get(timeout=max(0.0, deadline - time.monotonic()))
                del self._under_way[task.name]

    def _run(self) -> tuple[TaskResult, ...]:
        self._engine.emit(Progress("", "tasks", str(len(self._plan.tasks))))
        with first_interrupt(self._interrupt):
            while self._waiting or self._under_way:
                if self._is_interrupted:
                    self._stop("it was interrupted")
                self._start()
                if self._under_way:
                    self._news.acquire()
                while not self._ended.empty():
                    self._take(*self._ended.get())
        http.SHARED.resume()
        process.allow_optional()
        if self._broken is not None:
            raise self._broken
        if self._is_interrupted:
            raise KeyboardInterrupt
        self._settle()
        return self._ordered_results()

    def _interrupt(self) -> None:
        self._is_interrupted = True
        self._wake()

    def _wake(self) -> None:
        """Wake the loop, from a thread or a signal handler."""
        with contextlib.suppress(RuntimeError):  # already awake
            self._news.release()

    def _settle(self) -> None:
        """Validate early landings again, together with all later merges; name those that were not validated again."""
        with self._engine.landing:
            settled = self._guards.settle(self._cores)
        for name, proof in settled.red.items():
            reason = f"merged, but fails with what merged after it: {proof.reason}"
            step = f"fix it, or minitask undo {name}"
            result = replace(self._results[name], reason=reason, next_step=step, is_broken=True)
            self._results[name] = result
            self._engine.emit(Progress(name, "merge", reason))
        if settled.not_run:
            names = ", ".join(settled.not_run[:NAMED]) + (" …" if settled.not_run[NAMED:] else "")
            text = f"passed when merged, not validated again after later merges: {names}"
            self._engine.emit(Progress("", "merge", text))

    def _stop(self, why: str) -> None:
        self._stopped_by = self._stopped_by or why
        self._askers.stop(why)
        self._askers.cancel()
        self._queue.stop()

    def _start(self) -> None:
        """Start every task that may start; no batch is sent meanwhile."""
        self._askers.enter()
        try:
            while self._start_next():
                pass
        finally:
            self._askers.leave()

    def _start_next(self) -> bool:
        """Start the most urgent task that may start; return False if there is none."""
        if len(self._under_way) >= self._width:
            return False
        for task in self._waiting:
            if self._is_blocked(task):
                continue
            self._waiting.remove(task)
            result = self._forbidden(task)
            if result is not None:
                self._done(result)
            else:
                self._under_way[task.name] = task
                self._askers.enter()
                threading.Thread(target=partial(self._live, task), daemon=True).start()
            return True
        return False

    def _is_blocked(self, task: Task) -> bool:
        """Return True if a task must wait for an earlier one, or for one that must not run in parallel."""
        plan = self._plan
        before = (*plan.needs[task.name], *plan.after[task.name])
        if any(name in self._tasks and name not in self._results for name in before):
            return True
        return any(name in self._under_way for name in plan.clashes[task.name])

    def _forbidden(self, task: Task) -> TaskResult | None:
        """Return the result of a task that must not start, or None."""
        refusal = self._plan.refused.get(task.name)
        if refusal is not None:
            return _refused(task, refusal)
        if missing := self._missing(task):
            return skipped(task, f"it depends on {missing}, which did not merge")
        if missing := self._missing_files(task):
            return skipped(task, f"it needs {missing}, which did not merge")
        if self._stopped_by:
            return skipped(task, f"the run was stopped: {self._stopped_by}")
        return None

    def _live(self, task: Task) -> None:
        """Run a task in a thread."""
        try:
            result: TaskResult | BaseException = self._result(task)
        except BaseException as error:  # noqa: BLE001 - the worker's edge: raised again in `run`
            result = error
        self._queue.forget(task.name)
        self._askers.leave()
        self._ended.put((task, result))
        self._wake()

    def _result(self, task: Task) -> TaskResult:
        if self._cluster is not None and not self._is_made(task):
            return self._away(self._cluster, task)
        urgency = self._plan.urgency[task.name]
        call = partial(self._askers.ask, urgency=urgency)
        core = self._cores.place(urgency)
        try:
            return run_task(self._engine, self._on_tip(task), self._options, call=call, core=core)
        except (UnservedError, NoBranchError) as error:
            return _refused(task, error)

    def _is_made(self, task: Task) -> bool:
        """Return True if a task has a proven change that only needs a review or a merge, which workers cannot do."""
        if self._options.known is None or not self._options.may_reuse(task.name):
            return False
        review = latest_made(self._engine, task)
        return review is not None and review.is_proven and not review.is_rejected

    def _away(self, cluster: Cluster, task: Task) -> TaskResult:
        """Return the result of a task run on a worker, unless it has landed already."""
        on_tip = self._on_tip(task)
        snapshot = self._options.known
        if not self._options.again and snapshot and task.name in snapshot.landed:
            landed = landed_result(self._engine, on_tip)
            if landed is not None:
                return landed
        return cluster.do(on_tip, self._options)

    def _take(self, task: Task, ended: TaskResult | BaseException) -> None:
        del self._under_way[task.name]
        if isinstance(ended, BaseException):  # raised after the other tasks have ended
            self._broken = self._broken or ended
            self._waiting.clear()
            self._stop(str(ended))
        else:
            self._done(ended)

    def _done(self, result: TaskResult) -> None:
        self._results[result.task] = result
        why = result.reason.partition("\n")[0]
        if result.stops_run:
            self._stopped_by = self._stopped_by or why
        elif self._options.fail_fast and result.verdict in FAILURES:
            self._stopped_by = self._stopped_by or f"{result.task} {result.verdict.value}: {why}"
            self._askers.stop(self._stopped_by)
        self._engine.emit(Progress(result.task, "done", result.verdict.value, result))

    def _missing(self, task: Task) -> str:
        """Return the first dependency that is not on the target, or ""."""
        for name in self._plan.needs[task.name]:
            result = self._results.get(name)
            if result is not None and result.verdict is not Verdict.MERGED:
                return f"{name} ({result.verdict.value})"
            if result is None and not self._has_landed(name):
                return name
        return ""

    def _missing_files(self, task: Task) -> str:
        """Return the first task that must land earlier, by files, and did not, with the common files."""
        paths = {ref.path for ref in task.spec.files}
        for name in self._plan.after[task.name]:
            verdict = self._results[name].verdict
            if verdict is not Verdict.MERGED:
                common = paths & {ref.path for ref in self._tasks[name].spec.files}
                return f"{', '.join(sorted(common)) or 'the work'} of {name} ({verdict.value})"
        return ""

    def _has_landed(self, name: str) -> bool:
        tip = self._engine.objects.commit(self._base.target)
        landing = latest_landing(self._engine, tip, name) if tip else None
        return landing is not None and not landing.undone

    def _on_tip(self, task: Task) -> Task:
        """Return the task with the spec at the target's tip, and that tip as its base."""
        engine = self._engine
        tip = self._askers.base_of(task) or engine.tip(self._base.target)
        entry = engine.objects.entry(tip, task.path)
        if task.uncommitted or entry is None or entry.oid == task.blob:
            return replace(task, base=tip)
        fresh = load_file(engine, task.path, replace(self._base, base=tip)).tasks
        same = (candidate for candidate in fresh if candidate.name == task.name)
        return next(same, replace(task, base=tip))


def _refused(task: Task, error: MinitaskError) -> TaskResult:
    return replace(skipped(task, str(error)), verdict=Verdict.REFUSED)
