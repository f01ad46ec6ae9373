"""Calls in batches: each task has a thread, and when all threads wait for a model, their requests go as one batch.

A request is identified by its content. So a run that was killed while it waited finds its batches again, by their
journals on disk, and pays for nothing twice. Repairs and later rounds become part of the next batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import suppress
from functools import partial

from msgspec import Struct, convert, to_builtins
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
from minitask.system import process
from minitask.system.files import write_json
from minitask.task.state import ModelCall, Outcome
from minitask.values import grouped

FOLDER = "batches"
MOST_REQUESTS = 500
"""Limit of requests per batch, because all answers come in one file of limited size."""
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 60.0
KEPT_SECONDS = 29 * 86_400
"""Minimum time that a provider stores a batch's answers, from its creation (Anthropic)."""
INTERRUPTED = "interrupted; the next run will collect the answers to what was sent"
MAX_TROUBLES = 30
"""Number of failed status requests in a row after which the run gives up; the batch is not lost."""


class JournalEntry(Struct, frozen=True):
    """A request: its task, the blob of its spec, and its base."""

    task: str
    blob: str
    base: str


class Journal(Struct, frozen=True):
    """A batch on disk; `id` is None until the provider has answered, `created` is Unix time."""

    name: str
    executor: str
    created: float
    entries: dict[str, JournalEntry]
    id: str | None = None


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
        """Set the result; the request's thread continues at the next notification."""
        self.answer, self.fault, self.is_settled = answer, fault, True


class _SentBatch(Struct):
    """A batch in progress, and its waiting requests."""

    api: BatchApi
    journal: Journal
    waiting: dict[str, _PendingRequest]


class BatchCalls:
    """A call pool that sends requests in batches; at most `width` tasks wait at once."""

    width = MOST_REQUESTS

    def __init__(self, engine: Context) -> None:
        self._engine = engine
        self._folder = engine.repository.home / FOLDER
        self._stopped = threading.Event()
        self._journals: list[Journal] = []
        for path in sorted(self._folder.glob("*.json")):
            with suppress(OSError, ValueError):  # damaged journal
                self._journals.append(convert(json.loads(path.read_text("utf-8")), Journal))
        self._news = threading.Condition()
        self._talking = 0
        self._parked: list[_PendingRequest] = []
        self._served: list[tuple[str, set[str]]] = []
        self._serving = False
        self._stopped_by = ""

    def base_of(self, task: Task) -> str | None:
        """Return the base of a task's request in a batch in progress, if the base exists."""
        entries = (entry for journal in self._journals for entry in journal.entries.values())
        mine = (each for each in entries if (each.task, each.blob) == (task.name, task.blob))
        base = next((entry.base for entry in mine), None)
        return base if base and self._engine.objects.commit(base) else None

    def ask(self, call: ModelCall, *, urgency: int = 0) -> Outcome:  # noqa: ARG002
        """Make a call; if its provider has batches, its request waits for one."""
        if self._stopped_by:
            return StoppedError(f"the run was stopped: {self._stopped_by}")
        http = partial(self._park, call) if call.batched else None
        outcome = call.perform(self._engine, http=http)
        self._take(call.key.task)
        return outcome

    def enter(self) -> None:
        """Add a participant; a batch is sent only when all participants wait."""
        with self._news:
            self._talking += 1

    def leave(self) -> None:
        """Remove a participant."""
        with self._news:
            self._talking -= 1
            self._news.notify_all()

    def stop(self, why: str) -> None:
        """Make no further calls."""
        self._stopped_by = self._stopped_by or why

    def cancel(self) -> None:
        """End all waiting; batches continue, and the next run collects their answers."""
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
        """Wait for the batch that answers a request; the last thread to wait sends it, and waits for the answers."""
        mine = _PendingRequest(call, request)

        def goes_on() -> bool:
            is_last = not self._serving and len(self._parked) >= self._talking
            return mine.is_settled or is_last

        with self._news:
            if self._stopped.is_set():
                raise MachineError(INTERRUPTED)
            self._parked.append(mine)
            self._news.notify_all()
            self._news.wait_for(goes_on)
            parked = []
            if not mine.is_settled:
                parked, self._parked, self._serving = self._parked, [], True
        if parked:
            fault = MachineError("the batch failed")
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

    def _serve(self, parked: list[_PendingRequest]) -> None:
        """Send the requests that are not in a batch yet, and wait until their batches have ended."""
        sent: list[_SentBatch] = []
        for executor, group in grouped(parked, lambda request: request.key.executor).items():
            try:
                sent += self._sent(executor, group)
            except (ExecutorFailure, MachineError) as error:
                for request in group:
                    request.settle(None, not_billed(error))
        for batch in sent:
            self._await(batch)

    def _sent(self, executor: str, group: list[_PendingRequest]) -> list[_SentBatch]:
        """Return the batches of the requests: those in progress, and new ones for the others."""
        settings, environ = self._engine.settings, self._engine.environ
        api = batches_of(make_executor(executor, settings, environ))
        if api is None:
            message = f"{executor} does not support batches"
            raise MachineError(message, hint="run it without --batch")
        waiting = {request.custom_id: request for request in group}
        batches: list[_SentBatch] = []
        for journal in [earlier for earlier in self._journals if earlier.executor == executor]:
            mine = {name: waiting.pop(name) for name in journal.entries if name in waiting}
            identified = self._identified(api, journal) if mine else None
            if identified is not None:
                batches.append(_SentBatch(api, identified, mine))
            else:
                waiting |= mine
        unsent = list(waiting.values())
        chunks = [unsent[at : at + MOST_REQUESTS] for at in range(0, len(unsent), MOST_REQUESTS)]
        return batches + [self._create(api, executor, chunk) for chunk in chunks]

    def _identified(self, api: BatchApi, journal: Journal) -> Journal | None:
        """Return the journal with its batch's id; delete it, and return None, if the batch does not exist."""
        if journal.id is None:
            size, since = len(journal.entries), journal.created - 60
            batch_id = api.find(name=journal.name, size=size, since=since)
            if batch_id is not None:
                journal = replace(journal, id=batch_id)
                self._remember(journal)
                return journal
        elif not self._is_gone(api, journal, journal.id):
            return journal
        self._forget(journal)
        return None

    def _is_gone(self, api: BatchApi, journal: Journal, batch_id: str) -> bool:
        """Return True if a batch is old enough to be deleted, and the provider does not know it."""
        if self._engine.clock() - journal.created > KEPT_SECONDS:
            try:
                api.state(batch_id)
            except ExecutorFailure as failure:
                return not (failure.retryable or failure.stops_run)
        return False

    def _create(self, api: BatchApi, executor: str, chunk: list[_PendingRequest]) -> _SentBatch:
        entries = {}
        for request in chunk:
            key = request.key
            entries[request.custom_id] = JournalEntry(key.task, key.spec_blob, key.base)
        journal = Journal(os.urandom(8).hex(), executor, self._engine.clock(), entries)
        self._remember(journal)
        bodies = {request.custom_id: request.body for request in chunk}
        try:
            state = api.create(bodies, name=journal.name)
        except ExecutorFailure as failure:
            if not failure.retryable:  # it was refused; after other failures it may exist
                self._forget(journal)
            raise
        journal = replace(journal, id=state.id)
        self._remember(journal)
        self._say(f"batch {state.id}: {len(chunk)} requests sent; answers within a day")
        return _SentBatch(api, journal, {request.custom_id: request for request in chunk})

    def _await(self, batch: _SentBatch) -> None:
        """Wait until a batch has ended, and deliver its answers."""
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
            # A request that is sent again has the same content; it must not get its earlier answer.
            entries = dict(batch.journal.entries)
            for name in entries.keys() & (entries if state.failure else batch.waiting).keys():
                del entries[name]
            self._know(replace(batch.journal, entries=entries))
        for request_id, request in batch.waiting.items():
            answer = answers.get(request_id)
            request.settle(answer, None if answer else no_result(state))

    def _take(self, task: str) -> None:
        """Record that a task has its outcome; save the journals whose answers are all delivered."""
        with self._news:
            for _, tasks in self._served:
                tasks.discard(task)
            collected = {name for name, tasks in self._served if not tasks}
            self._served = [(name, tasks) for name, tasks in self._served if tasks]
            for name in collected - {name for name, _ in self._served}:
                self._save(name)

    def _ended(self, batch: _SentBatch) -> BatchState:
        """Return the state of a batch when it has ended; raise if the provider keeps failing."""
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
            text = f"not finished; checking again in {pause:.0f} s (^C keeps it)"
            self._say(f"batch {state.id}: {text}")
            if self._stopped.wait(pause):
                raise MachineError(INTERRUPTED)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)

    def _remember(self, journal: Journal) -> None:
        with self._news:
            self._know(journal)
            self._save(journal.name)

    def _know(self, journal: Journal) -> None:
        """Replace the journal of this name; drop it if it has no entries."""
        others = [earlier for earlier in self._journals if earlier.name != journal.name]
        self._journals = [*others, journal] if journal.entries else others

    def _forget(self, journal: Journal) -> None:
        self._remember(replace(journal, entries={}))

    def _save(self, name: str) -> None:
        """Write the journal of this name; remove its file if it was dropped."""
        path = self._folder / f"{name}.json"
        journal = next((each for each in self._journals if each.name == name), None)
        if journal is None:
            path.unlink(missing_ok=True)
        else:
            write_json(path, to_builtins(journal))

    def _say(self, text: str) -> None:
        self._engine.emit(Progress("", "batch", text))
