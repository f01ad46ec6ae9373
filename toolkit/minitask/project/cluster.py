"""The only use of Dask: attempts run on workers of a `distributed` cluster, and land and are recorded here.

Dask repeats the job of a lost worker; only this side lands changes, from the one answer that arrives, so nothing lands
twice. Workers need the toolkit, git, the remote, and the keys that the settings name.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.task_records import result_of
from minitask.engine.tasks import Task, next_number, task_refs
from minitask.errors import BudgetError, MachineError, UsageError
from minitask.git import refs
from minitask.git.commits import write_commits
from minitask.landing.candidate_commits import Candidate
from minitask.landing.land import Landings, land
from minitask.ledger.record import NO_USAGE, Record, TaskResult, Verdict, plus, whole
from minitask.ledger.store import append_commit
from minitask.policy.budget import Budget
from minitask.project.dask_worker import (
    INBOX,
    WorkerJob,
    WorkerResult,
    base_ref,
    inbox_ref,
    parse_return,
)
from minitask.routing.pass_rates import lessons
from minitask.routing.route_task import failures_before
from minitask.task.finish import in_doubt, stopped
from minitask.task.prepare import feedback_before
from minitask.task.record_attempt import move_branch, record_landing
from minitask.task.state import RunOptions, needs_approval

SCHEME = "dask://"
RETRIES = 3
"""Number of workers that may be lost during one job."""
CONNECT_SECONDS = 20
Go = Callable[[Mapping[str, Any]], dict[str, Any]]


class Cluster:
    """A cluster that runs tasks. Thread-safe."""

    def __init__(self, engine: Context, address: str, *, go: Go) -> None:
        """Connect to the scheduler at `dask://HOST:PORT`; `go` is what a worker runs."""
        try:
            from distributed import Client
        except ImportError:
            from minitask.installed import install_command

            message = "the engine dask needs the package `distributed`"
            raise UsageError(message, hint=install_command("dask")) from None
        self._engine = engine
        self._go = go
        self._remote = _remote(engine)
        self._run = os.urandom(8).hex()
        self._pushed: set[str] = set()
        self._lock = threading.Lock()
        url = f"tcp://{address.removeprefix(SCHEME)}"
        try:
            connect: Any = Client
            self._client: Any = connect(url, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            message = f"no Dask scheduler at {address}: {error}"
            raise MachineError(message, hint="start one: dask scheduler") from None

    @property
    def width(self) -> int:
        """Return the number of parallel attempts."""
        threads: Mapping[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def do(self, task: Task, options: RunOptions) -> TaskResult:
        """Run a task on a worker, import its records and candidates, and land a proven change."""
        budget = Budget(task.spec.options.max_cost_usd, parent=options.budget)
        limit = budget.left_usd
        if limit is not None and task.spec.options.max_cost_usd is None:
            limit /= self.width
        reserved = limit or Decimal(0)
        try:
            budget.reserve(reserved)
            outcome = self._send(task, limit=limit)
        except BudgetError as error:
            return stopped(task, error)
        except MachineError as error:
            budget.settle(reserved, Decimal(0))
            return stopped(task, error)
        costs = [record.attempt.cost_usd or Decimal(0) for record in outcome.records]
        budget.settle(reserved, sum(costs, Decimal(0)))
        return self._take_in(task, outcome, options)

    def close(self) -> None:
        """Disconnect, and delete the refs that were pushed for the cluster."""
        self._client.close()
        git = self._engine.repository.git.with_user_config()
        listed = git.run("ls-remote", self._remote, f"{INBOX}/{self._run}/*")
        names = [line.split("\t")[1] for line in listed.stdout.decode().splitlines()]
        names += [base_ref(commit) for commit in self._pushed]
        if names:
            git.run("push", "--quiet", "--no-verify", self._remote, *(f":{name}" for name in names))

    def _send(self, task: Task, *, limit: Decimal | None) -> WorkerResult:
        engine = self._engine
        self._push_base(task.base)
        job = WorkerJob(
            remote=self._remote,
            run=self._run,
            task=task.name,
            source=f"{task.path}@{task.blob}",
            base=task.base,
            target=task.target,
            number=next_number(engine, task.name),
            settings={
                key: value for key, value in engine.settings.values.items() if key != "preset"
            },
            signature=engine.signature,
            limit_usd="" if limit is None else str(limit),
            lessons=_lessons_for(engine, task),
        )
        engine.emit(Progress(task.name, "away", "running on a worker"))
        future = self._client.submit(
            self._go,
            to_builtins(job),
            pure=False,
            retries=RETRIES,
            key=f"minitask-{self._run}-{task.name}-{job.number}",
            resources=_resources(task),
        )
        try:
            return parse_return(future.result())
        except Exception as error:
            raise MachineError(
                f"the worker failed: {type(error).__name__}: {error}",
                hint="see the worker's log; it needs git, the remote and the keys",
            ) from error

    def _push_base(self, commit: str) -> None:
        with self._lock:
            if commit in self._pushed:
                return
            repository = self._engine.repository
            repository.git.with_user_config(repository.top).output(
                "push", "--quiet", "--no-verify", self._remote, f"{commit}:{base_ref(commit)}"
            )
            self._pushed.add(commit)

    def _take_in(self, task: Task, outcome: WorkerResult, options: RunOptions) -> TaskResult:
        """Import the records and candidates of a worker, and land a proven change."""
        engine = self._engine
        note = ""
        if outcome.records:
            self._fetch([record.candidate for record in outcome.records if record.candidate])
            with engine.writing:
                note = _adopt(engine, task, outcome.records)
        result = _result(task, outcome)
        attempts = [record for record in outcome.records if not record.is_call]
        if not attempts or result.verdict is not Verdict.READY:
            return replace(result, next_step=f"minitask show {task.name}" if attempts else "")
        if attempts[-1].attempt.doubts:
            return in_doubt(result, attempts[-1].attempt.doubts)
        needs_review = needs_approval(engine, task)
        if not options.merge or needs_review or options.lander is None:
            step = f"minitask {'review' if needs_review else 'merge'} {task.name}"
            return replace(result, reason="passed, not merged", next_step=step)
        final = self._land(task, attempts[-1], result, options.lander)
        return replace(final, reason=final.reason or note)

    def _land(self, task: Task, record: Record, result: TaskResult, lander: Landings) -> TaskResult:
        assert record.candidate is not None  # noqa: S101 - it is proven
        assert record.tree is not None  # noqa: S101
        candidate = Candidate(record.candidate, record.tree, record.attempt)
        landed = land(self._engine, task, candidate, lander)
        with self._engine.writing:
            record_landing(self._engine, record, landed, target=task.target)
        return replace(
            result,
            verdict=landed.verdict,
            reason=landed.reason,
            merge=landed.merge,
            next_step=landed.next_step,
        )

    def _fetch(self, candidates: list[str]) -> None:
        if not candidates:
            return
        names = [inbox_ref(self._run, oid) for oid in candidates]
        with self._lock:
            self._engine.repository.git.with_user_config(self._engine.repository.top).output(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                self._remote,
                *(f"+{name}:{name}" for name in names),
            )


def _result(task: Task, outcome: WorkerResult) -> TaskResult:
    """Return the result of a task from a worker's records, before it lands."""
    attempts = [record for record in outcome.records if not record.is_call]
    if attempts:
        last = attempts[-1]
        result = result_of(last, last.attempt.verdict, reason=last.attempt.reason)
    else:
        result = replace(stopped(task, MachineError(outcome.reason)), verdict=outcome.verdict)
    return replace(
        result,
        attempts=tuple(record.attempt for record in attempts),
        calls=tuple((record.kind, record.attempt) for record in outcome.records if record.is_call),
        usage=reduce(plus, (record.attempt.usage for record in outcome.records), NO_USAGE),
        cost_usd=whole(record.attempt.cost_usd for record in outcome.records),
        over_budget=outcome.over_budget,
        stops_run=outcome.stops_run,
    )


def _adopt(engine: Context, task: Task, records: tuple[Record, ...]) -> str:
    """Store records and candidates like those of local attempts; return a note if the branch did not move."""
    absent = refs.zeros(engine.repository.object_format)
    moves = [
        refs.Move(refs.attempt(task.name, record.attempt.n), record.candidate, absent)
        for record in records
        if record.candidate is not None
    ]
    old = task_refs(engine, task.name).get(refs.branch(task.name))
    if moves:
        engine.database.refs.move(moves)
    head = engine.ledger_head()
    write_commits(engine.database, [append_commit(records, head=head, signature=engine.signature)])
    candidates = [record.candidate for record in records if not record.is_call]
    return move_branch(engine, task, candidates[-1] if candidates else None, old=old)


def _remote(engine: Context) -> str:
    remote = engine.settings.workers_remote
    if not remote:
        message = "the engine dask needs a git remote that the workers can reach"
        raise UsageError(message, hint="set `workers: {remote: URL}` in minitask.yaml")
    return remote


def _resources(task: Task) -> dict[str, int]:
    """Return the resources that a worker must offer: the tag `needs-NAME` requests one unit of resource NAME."""
    tags = (tag.lower() for tag in task.spec.options.tags)
    return {tag.removeprefix("needs-"): 1 for tag in tags if tag.startswith("needs-")}


def _lessons_for(engine: Context, task: Task) -> dict[str, Any]:
    """Return what the ledger here has on models and the task, for a worker with another ledger."""
    failed = [attempt.tier for attempt in failures_before(engine, task)]
    return {**lessons(engine), "failed": failed, "feedback": feedback_before(engine, task)}
