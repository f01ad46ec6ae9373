"""Schedule tasks: each begins when its dependencies have landed, on the target as it is by then.

Every task under way has a thread of its own. Validations, and all else that takes a core, run as many at once as there
are jobs; executors are asked as many at once as the config allows. What is proven lands through one queue.
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
from minitask.engine.task_status import latest_landing
from minitask.engine.tasks import Base, Task, load_file, snapshot_refs
from minitask.errors import MinitaskError, NoBranchError
from minitask.executors import http
from minitask.landing.guards import Guards
from minitask.landing.merge_queue import MergeQueue
from minitask.ledger.record import TaskResult, Verdict
from minitask.project.call_pool import CallPool
from minitask.project.cluster import Cluster
from minitask.system import process
from minitask.system.signals import first_interrupt
from minitask.task.finish import landed_result, skipped
from minitask.task.life import run_task
from minitask.task.resume import latest_made
from minitask.task.state import RunOptions, UnservedError

FAILURES = frozenset({Verdict.FAILED, Verdict.REFUSED, Verdict.CONFLICT, Verdict.ERROR})
NAMED = 5
"""Number of tasks that a message names."""
END_SECONDS = 3.0
"""How long a run that is told to end waits for its tasks to see the ends of their programs."""
AHEAD = 2
"""Tasks that are begun for each call that may run at once, so that no executor waits for a validation."""


class Plan(Struct, frozen=True):
    """Tasks in the order to report them, and by name what each waits for.

    `needs` are those that it depends on, in the run or not; `after` those of the run whose files it takes up; `clashes`
    those that it may not run beside. The higher its `urgency`, the sooner it starts. `refused` may not run at all.
    """

    tasks: tuple[Task, ...]
    needs: Mapping[str, tuple[str, ...]]
    after: Mapping[str, tuple[str, ...]]
    clashes: Mapping[str, tuple[str, ...]]
    urgency: Mapping[str, int]
    refused: Mapping[str, MinitaskError]

    def follows(self, name: str, maker: str) -> bool:
        """Return True if a task takes up another's work, be it through others, or uses the same files."""
        pending, reached = [name], {name}
        while pending:
            at = pending.pop()
            before = (*self.needs.get(at, ()), *self.after.get(at, ()))
            pending += [task for task in before if task not in reached]
            reached.update(before)
        return maker in reached or maker in self.clashes.get(name, ())


class Interrupted(KeyboardInterrupt):
    """A run that was interrupted; `results` are those of all its tasks, begun or not."""

    def __init__(self, results: tuple[TaskResult, ...]) -> None:
        super().__init__()
        self.results = results


class Schedule:
    """A run under way: at most `jobs` validations at once."""

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
        snapshot = snapshot_refs(
            engine, engine.tip(base.target), [task.name for task in plan.tasks]
        )
        self._askers = askers
        self._cores = CpuPool(jobs)
        self._guards = Guards(engine, follows=plan.follows, repeats=jobs == 1)
        self._queue = MergeQueue(engine, cores=self._cores, guards=self._guards)
        self._options = replace(options, lander=self._queue, known=snapshot)
        self._cluster = cluster
        self._width = AHEAD * (cluster.width if cluster else askers.width) + jobs
        self._tasks = {task.name: task for task in plan.tasks}
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
        """Every task's result, in the plan's order.

        An interrupt stops new tasks and cuts off calls; what is answered by then is judged and landed. Another one, and
        a signal to end, ends the run at once. Raises `Interrupted`.
        """
        try:
            return self._run()
        except KeyboardInterrupt:
            text = "the run was interrupted"
            known = (
                self._results.get(task.name) or skipped(task, text) for task in self._plan.tasks
            )
            raise Interrupted(tuple(known)) from None
        finally:
            if self._under_way:
                self._end_all()
            self._queue.close()

    def _end_all(self) -> None:
        """End what runs, and wait for the tasks under way: a program is gone when its thread has seen its end."""
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
        return tuple(self._results[task.name] for task in self._plan.tasks)

    def _interrupt(self) -> None:
        self._is_interrupted = True
        self._wake()

    def _wake(self) -> None:
        """Have the loop look at what is new; from a thread, or a signal's handler."""
        with contextlib.suppress(RuntimeError):  # it is free already
            self._news.release()

    def _settle(self) -> None:
        """Run what landed early again on all that landed; name the tasks whose commands were not."""
        with self._engine.landing:
            settled = self._guards.settle(self._cores)
        for name, proof in settled.red.items():
            reason = f"merged, but fails with what merged after it: {proof.reason}"
            step = f"fix it, or minitask undo {name}"
            result = replace(self._results[name], reason=reason, next_step=step, is_broken=True)
            self._results[name] = result
            self._engine.emit(Progress(name, "merge", reason))
        names = settled.not_run
        if names:
            some = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
            text = f"not revalidated after later merges: {some}"
            self._engine.emit(Progress("", "merge", text))

    def _stop(self, why: str) -> None:
        self._stopped_by = self._stopped_by or why
        self._askers.stop(why)
        self._askers.cancel()
        self._queue.stop()

    def _start(self) -> None:
        """Begin every task that may be begun; until then, nobody is kept waiting for a batch to be sent."""
        self._askers.enter()
        try:
            while self._start_next():
                pass
        finally:
            self._askers.leave()

    def _start_next(self) -> bool:
        """Begin the most urgent task that may be begun; whether there was one."""
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
        """Return True if a task must wait: for one that comes before it, or for one that it may not run beside."""
        plan = self._plan
        before = (*plan.needs[task.name], *plan.after[task.name])
        if any(name in self._tasks and name not in self._results for name in before):
            return True
        return any(name in self._under_way for name in plan.clashes[task.name])

    def _forbidden(self, task: Task) -> TaskResult | None:
        """Return the result of a task that may not begin."""
        refusal = self._plan.refused.get(task.name)
        if refusal is not None:
            return replace(skipped(task, str(refusal)), verdict=Verdict.REFUSED)
        missing = self._missing(task)
        if missing:
            return skipped(task, f"it depends on {missing}, which did not merge")
        missing = self._missing_files(task)
        if missing:
            return skipped(task, f"it needs {missing}, which did not merge")
        if self._stopped_by:
            return skipped(task, f"the run was stopped: {self._stopped_by}")
        return None

    def _live(self, task: Task) -> None:
        """A task's whole life, in a thread of its own."""
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
            return replace(skipped(task, str(error)), verdict=Verdict.REFUSED)

    def _is_made(self, task: Task) -> bool:
        """Return True if a change for the task is on record that needs no more than a review, or to land: no
        worker does.
        """
        snapshot = self._options.known
        if not self._options.takes_what_is_there or not (snapshot and snapshot.refs_of(task.name)):
            return False
        review = latest_made(self._engine, task)
        return review is not None and review.is_proven and not review.is_rejected

    def _away(self, cluster: Cluster, task: Task) -> TaskResult:
        """Return the result of a task that a worker of a cluster does, unless it has landed already."""
        on_tip = self._on_tip(task)
        snapshot = self._options.known
        if not self._options.again and snapshot and task.name in snapshot.landed:
            landed = landed_result(self._engine, on_tip)
            if landed is not None:
                return landed
        return cluster.do(on_tip, self._options)

    def _take(self, task: Task, ended: TaskResult | BaseException) -> None:
        del self._under_way[task.name]
        if isinstance(ended, BaseException):  # the run ends by it, as soon as the others have
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
        """Return the first dependency that is not on the target."""
        for name in self._plan.needs[task.name]:
            result = self._results.get(name)
            if result is not None and result.verdict is not Verdict.MERGED:
                return f"{name} ({result.verdict.value})"
            if result is None and not self._has_landed(name):
                return name
        return ""

    def _missing_files(self, task: Task) -> str:
        """Return the first task that this one comes after, by their files, and that is not on the target."""
        for name in self._plan.after[task.name]:
            verdict = self._results[name].verdict
            if verdict is not Verdict.MERGED:
                paths = ", ".join(_common_files(task, self._tasks[name]))
                return f"{paths or 'the work'} of {name} ({verdict.value})"
        return ""

    def _has_landed(self, name: str) -> bool:
        tip = self._engine.objects.commit(self._base.target)
        landing = latest_landing(self._engine, tip, name) if tip else None
        return landing is not None and not landing.undone

    def _on_tip(self, task: Task) -> Task:
        """Return the task as the target's tip has it: the blob that is committed there, on that base."""
        engine = self._engine
        tip = self._askers.base_of(task) or engine.tip(self._base.target)
        entry = engine.objects.entry(tip, task.path)
        if task.uncommitted or entry is None or entry.oid == task.blob:
            return replace(task, base=tip)
        fresh = load_file(engine, task.path, replace(self._base, base=tip)).tasks
        return next(
            (candidate for candidate in fresh if candidate.name == task.name),
            replace(task, base=tip),
        )


def _common_files(task: Task, maker: Task) -> list[str]:
    return sorted({ref.path for ref in task.spec.files} & {ref.path for ref in maker.spec.files})
