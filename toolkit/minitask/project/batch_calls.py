"""Executors asked in batches: every task's conversation goes on in a thread of its own, and where all of them wait for
a model, what they wait for is sent as one batch.

A request is known by its content, so a run that was killed while it waited finds its batch again, by its journal, and
pays for nothing twice. What a model's reply lacks (a repair, a second round) simply becomes part of the next batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import MachineError, StoppedError
from minitask.executors.batch import (
    BatchApi,
    BatchState,
    batches_of,
    no_result,
    not_billed,
    unanswered,
    whole_answers,
)
from minitask.executors.http import HttpRequest, HttpResponse
from minitask.executors.registry import make_executor
from minitask.executors.request import ExecutorFailure
from minitask.project import batch_journal
from minitask.project.batch_journal import Journal, JournalEntry
from minitask.system import process
from minitask.task.calls import ModelCall, Outcome

MOST_REQUESTS = 500
"""Requests of one batch: their answers come in one file, of which a bounded size is read."""
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 60.0
KEPT_SECONDS = 29 * 86_400
"""For how long a provider surely keeps the answers of a batch: Anthropic's, from its creation."""
INTERRUPTED = "interrupted; the next run will collect the answers to what was sent"
MAX_TROUBLES = 30
"""Number of times in a row that a batch's status may fail to come before the run gives up; the batch is kept."""


class _PendingRequest:
    """A request that waits for its batch."""

    def __init__(self, call: ModelCall, request: HttpRequest) -> None:
        key = b"\0".join((request.url.encode(), call.key.task.encode(), request.body))
        self.custom_id = hashlib.sha256(key).hexdigest()[:40]
        self.key = call.key
        self.body = json.loads(request.body)
        self.answer: HttpResponse | None = None
        self.fault: BaseException | None = None
        self.is_settled = False

    def settle(self, answer: HttpResponse | None, fault: BaseException | None = None) -> None:
        """Let its thread go on, as soon as that looks."""
        self.answer, self.fault, self.is_settled = answer, fault, True


class _SentBatch(Struct):
    """A batch on its way, and the requests of it that wait."""

    api: BatchApi
    journal: Journal
    waiting: dict[str, _PendingRequest]


class BatchCalls:
    """Askers that send what tasks wait for in batches; `width` is how many tasks may wait at once."""

    width = MOST_REQUESTS

    def __init__(self, engine: Context) -> None:
        self._engine = engine
        self._home = engine.repository.home
        self._stopped = threading.Event()
        self._journals = list(batch_journal.journals(self._home))
        self._news = threading.Condition()
        self._talking = 0
        self._parked: list[_PendingRequest] = []
        self._served: list[tuple[str, set[str]]] = []
        self._serving = False
        self._stopped_by = ""

    def base_of(self, task: Task) -> str | None:
        """Return the base that a task's request of a batch under way was written for."""
        for journal in self._journals:
            for entry in journal.entries.values():
                if (entry.task, entry.blob) == (task.name, task.blob):
                    return entry.base if self._engine.objects.commit(entry.base) else None
        return None

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:  # noqa: ARG002
        """Ask; a request of a provider with batches waits for its batch."""
        if self._stopped_by:
            return StoppedError(f"the run was stopped: {self._stopped_by}")
        http = partial(self._park, call) if call.batched else None
        outcome = call.perform(self._engine, http=http)
        self._take(call.key.task)
        return outcome

    def enter(self) -> None:
        """As long as anybody is here who does not wait, no batch is sent."""
        with self._news:
            self._talking += 1

    def leave(self) -> None:
        """Wait for one call fewer."""
        with self._news:
            self._talking -= 1
            self._news.notify_all()

    def stop(self, why: str) -> None:
        """Ask nobody from here on."""
        self._stopped_by = self._stopped_by or why

    def cancel(self) -> None:
        """Let everybody go; batches go on, and the next run takes their answers."""
        process.end_optional()
        self._stopped.set()
        with self._news:
            for request in self._parked:
                request.settle(None, MachineError(INTERRUPTED))
            self._parked = []
            self._news.notify_all()

    def _park(
        self,
        call: ModelCall,
        request: HttpRequest,
        *,
        timeout_seconds: float,  # noqa: ARG002
    ) -> HttpResponse:
        """Wait for the batch that answers a request; whoever comes last sends it, and waits for all."""
        mine = _PendingRequest(call, request)
        with self._news:
            if self._stopped.is_set():
                raise MachineError(INTERRUPTED)
            self._parked.append(mine)
            self._news.notify_all()
            while not mine.is_settled and not self._may_serve():
                self._news.wait()
            parked = []
            if not mine.is_settled:
                parked, self._parked, self._serving = self._parked, [], True
        if parked:
            fault: BaseException = MachineError("the batch failed")
            try:
                self._serve(parked)
            except OSError as error:
                fault = MachineError(f"the batch failed: {error}")
            finally:
                with self._news:
                    for waiting in parked:
                        if not waiting.is_settled:
                            waiting.settle(None, fault)
                    self._serving = False
                    self._news.notify_all()
        if mine.fault is not None:
            raise mine.fault
        return mine.answer or unanswered("the batch has no answer")

    def _may_serve(self) -> bool:
        """Return True if all wait, and nobody serves them yet."""
        return not self._serving and len(self._parked) >= self._talking

    def _serve(self, parked: list[_PendingRequest]) -> None:
        """Send what is not on its way yet, and wait until the first batch has ended."""
        by_executor: dict[str, list[_PendingRequest]] = {}
        for request in parked:
            by_executor.setdefault(request.key.executor, []).append(request)
        sent: list[_SentBatch] = []
        for executor, group in by_executor.items():
            try:
                sent += self._sent(executor, group)
            except (ExecutorFailure, MachineError) as error:
                for request in group:
                    request.settle(None, not_billed(error))
        for batch in sent:
            self._await(batch)

    def _sent(self, executor: str, group: list[_PendingRequest]) -> list[_SentBatch]:
        """Return the batches that the requests are in: those under way, and new ones for the rest."""
        engine = self._engine
        api = batches_of(make_executor(executor, engine.settings, engine.environ))
        if api is None:
            raise MachineError(
                f"{executor} does not support batches", hint="run it without --batch"
            )
        waiting = {request.custom_id: request for request in group}
        batches: list[_SentBatch] = []
        for journal in [earlier for earlier in self._journals if earlier.executor == executor]:
            mine = {
                request_id: waiting.pop(request_id)
                for request_id in journal.entries
                if request_id in waiting
            }
            learned = self._learned(api, journal) if mine else None
            if learned is not None:
                batches.append(_SentBatch(api, learned, mine))
            else:
                waiting |= mine
        unsent = list(waiting.values())
        chunks = [unsent[at : at + MOST_REQUESTS] for at in range(0, len(unsent), MOST_REQUESTS)]
        return batches + [self._create(api, executor, chunk) for chunk in chunks]

    def _learned(self, api: BatchApi, journal: Journal) -> Journal | None:
        """Return the journal with its batch's id; None, and forgotten, where the batch was never sent or is no
        longer kept.
        """
        if journal.id is not None:
            if self._is_gone(api, journal, journal.id):
                self._forget(journal)
                return None
            return journal
        batch_id = api.find(
            name=journal.name, size=len(journal.entries), since=journal.created - 60
        )
        if batch_id is None:
            self._forget(journal)
            return None
        learned = replace(journal, id=batch_id)
        self._remember(learned)
        return learned

    def _is_gone(self, api: BatchApi, journal: Journal, batch_id: str) -> bool:
        """Return True if a batch is so old that its answers may have been removed, and the provider does not know
        it.
        """
        if self._engine.clock() - journal.created <= KEPT_SECONDS:
            return False
        try:
            api.state(batch_id)
        except ExecutorFailure as failure:
            return not (failure.retryable or failure.stops_run)
        return False

    def _create(self, api: BatchApi, executor: str, chunk: list[_PendingRequest]) -> _SentBatch:
        entries = {
            request.custom_id: JournalEntry(
                request.key.task, request.key.spec_blob, request.key.base
            )
            for request in chunk
        }
        journal = Journal(os.urandom(8).hex(), executor, self._engine.clock(), entries)
        self._remember(journal)
        try:
            state = api.create(
                {request.custom_id: request.body for request in chunk}, name=journal.name
            )
        except ExecutorFailure as failure:
            if not failure.retryable:  # it was refused; any other may have been made all the same
                self._forget(journal)
            raise
        journal = replace(journal, id=state.id)
        self._remember(journal)
        self._say(f"batch {state.id}: {len(chunk)} requests sent; answers within a day")
        return _SentBatch(api, journal, {request.custom_id: request for request in chunk})

    def _await(self, batch: _SentBatch) -> None:
        """Wait until a batch has ended, and hand its answers out."""
        try:
            state = self._ended(batch)
            answers = whole_answers(batch.api, state, batch.waiting, wait=self._stopped.wait)
        except (ExecutorFailure, MachineError) as failure:
            for request in batch.waiting.values():
                request.settle(None, not_billed(failure))
            return
        with self._news:
            tasks = {request.key.task for request in batch.waiting.values()}
            self._served.append((batch.journal.name, tasks))
            # What is sent again has the same content; it must not find the answer that it got already.
            self._know(
                _without(
                    batch.journal, set(batch.journal.entries if state.failure else batch.waiting)
                )
            )
        for request_id, request in batch.waiting.items():
            answer = answers.get(request_id)
            request.settle(answer, None if answer else no_result(state))

    def _take(self, task: str) -> None:
        """A task's outcome is kept from here on; of its batch is left what nobody has asked for yet."""
        with self._news:
            for _, tasks in self._served:
                tasks.discard(task)
            collected = {name for name, tasks in self._served if not tasks}
            self._served = [(name, tasks) for name, tasks in self._served if tasks]
            for name in collected - {name for name, _ in self._served}:
                remaining = [journal for journal in self._journals if journal.name == name]
                for journal in remaining:
                    batch_journal.keep(self._home, journal)
                if not remaining:
                    batch_journal.forget(self._home, name)

    def _ended(self, batch: _SentBatch) -> BatchState:
        """Return the state of a batch that has ended; raises where the provider keeps failing."""
        assert batch.journal.id is not None  # noqa: S101
        pause, troubles = FIRST_POLL_SECONDS, 0
        while True:
            try:
                state = batch.api.state(batch.journal.id)
                troubles = 0
            except ExecutorFailure as failure:
                troubles += 1
                if failure.stops_run or not failure.retryable or troubles >= MAX_TROUBLES:
                    raise
                state = BatchState(batch.journal.id, ended=False)
            if state.ended:
                return state
            self._say(
                f"batch {state.id}: not finished; checking again in {pause:.0f} s (^C keeps it)"
            )
            if self._stopped.wait(pause):
                raise MachineError(INTERRUPTED)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)

    def _remember(self, journal: Journal) -> None:
        with self._news:
            self._know(journal)
            batch_journal.keep(self._home, journal)

    def _know(self, journal: Journal) -> None:
        """Take requests for those of the journal, as long as it has any."""
        others = [earlier for earlier in self._journals if earlier.name != journal.name]
        self._journals = [*others, journal] if journal.entries else others

    def _forget(self, journal: Journal) -> None:
        with self._news:
            self._journals = [earlier for earlier in self._journals if earlier.name != journal.name]
            batch_journal.forget(self._home, journal.name)

    def _say(self, text: str) -> None:
        self._engine.emit(Progress("", "batch", text))


def _without(journal: Journal, answered: set[str]) -> Journal:
    """Return the journal of the requests that nobody has asked for yet."""
    entries = {
        request_id: entry
        for request_id, entry in journal.entries.items()
        if request_id not in answered
    }
    return replace(journal, entries=entries)
