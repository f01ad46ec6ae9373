"""The merge queue: proven candidates land together, on one validation of the tree with all of them merged.

A candidate that arrives while others land waits, and the next landing takes all waiting ones. Each task keeps its own
merge commit; the merges form a chain, whose last tree is validated by the commands of all. In a red chain, bisection
finds the first prefix that fails: the links before its end land, the last one is removed, and the rest starts again.
The number that land at once adapts: one more after a green chain, half after a red one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from itertools import takewhile

from msgspec import Struct

from minitask.concurrency import CpuPool
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.landing.candidate_commits import Candidate, merged, write_merge
from minitask.landing.land import (
    ROUNDS,
    Landed,
    check_merge,
    join,
    keeps_moving,
    land_alone,
    move_target,
    not_joined,
    not_moved,
    out_of_scope,
    together_red,
)
from minitask.landing.proof import is_proven, prove_together
from minitask.landing.queue_proofs import Guards, SpeculativeProofs
from minitask.landing.run_commands import Proof
from minitask.ledger.record import Verdict

FIRST_AT_ONCE, MOST_AT_ONCE = 16, 32
LONG_SECONDS = 0.1
"""A shorter validation is not worth saving; the last one's time is the estimate for the next."""
GATHERING, GATHERING_SECONDS_MAX = 0.1, 5.0
"""Limits of the wait for others to join a run: a share of its time, and seconds."""


class _Request(Struct):
    """A waiting candidate; `landed` is its outcome, once known."""

    task: Task
    candidate: Candidate
    landed: Landed | None = None

    @property
    def seconds(self) -> float:
        """Return the time of its validation."""
        return sum(command.seconds for command in self.candidate.attempt.commands)


class _Link(Struct, frozen=True):
    """A merge in the chain: its request, and its commit."""

    request: _Request
    commit: str


class MergeQueue:
    """Lands candidates for many threads at once."""

    def __init__(
        self, engine: Context, *, cores: CpuPool | None = None, guards: Guards | None = None
    ) -> None:
        """Set up the queue; free `cores` of the run prove several at once, and ahead, if validations take long."""
        self._engine = engine
        self._guards = guards
        self._cores = cores
        self._ahead = SpeculativeProofs(engine, cores) if cores is not None else None
        self._takes_long = True
        self._was_overtaken = False
        self._waiting: list[_Request] = []
        self._lock = threading.Lock()
        self._at_once = FIRST_AT_ONCE

    def expect(self, task: Task, commit: str) -> None:
        """Expect a candidate that is about to be proven, and will probably land."""
        if self._ahead is not None and self._takes_long:
            self._ahead.expect(task, commit)

    def forget(self, name: str) -> None:
        """Stop expecting a task that has not landed."""
        if self._ahead is not None:
            self._ahead.drop(name)

    def stop(self) -> None:
        """Land proven candidates at once, without further waits."""
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """End the proofs ahead."""
        if self._ahead is not None:
            self._ahead.close()

    def land(self, task: Task, candidate: Candidate) -> Landed:
        """Return the outcome of a candidate, whichever thread lands it."""
        mine = _Request(task, candidate)
        self._takes_long = mine.seconds >= LONG_SECONDS
        if self._ahead is not None and self._takes_long and not self._is_proven(mine):
            self._ahead.wait(task.name, seconds=mine.seconds)
        with self._lock:
            self._waiting.append(mine)
        with self._engine.landing:
            if mine.landed is None:
                self._gather(mine)
            while mine.landed is None:
                self._land(self._batch(mine))
        return mine.landed

    def _has_landed(self, request: _Request, merge: str) -> None:
        if self._ahead is not None:
            self._ahead.note_landed(request.task.name)
        if self._guards is not None:
            self._guards.note(request.task, seconds=request.seconds, merge=merge)

    def _broken(self, tasks: Sequence[Task], tip: str, merge: str) -> Proof | None:
        """Return how a merge breaks earlier landings of this run."""
        guards = self._guards
        return None if guards is None else guards.failure(tasks, tip=tip, merge=merge)

    def _gather(self, mine: _Request) -> None:
        """Before a long run, wait briefly for candidates that are about to be proven, so that they can take part."""
        if self._ahead is None or not self._takes_long:
            return
        with self._lock:
            names = [request.task.name for request in self._waiting]
        if self._ahead.expects_others(names) and not self._is_proven(mine):
            time.sleep(min(mine.seconds * GATHERING, GATHERING_SECONDS_MAX))

    def _is_proven(self, request: _Request) -> bool:
        """Return True if the merge of a request into the present target needs no run."""
        engine, task, candidate = self._engine, request.task, request.candidate
        tip = engine.tip(task.target)
        tree = merged(engine, candidate.commit, tip=tip).tree
        return tree is not None and (tree == candidate.tree or is_proven(engine, task, tree))

    def _batch(self, mine: _Request) -> list[_Request]:
        """Return the requests to land now: `mine`, and others for the same branch, in order of arrival."""
        with self._lock:
            fitting = [
                request for request in self._waiting if request.task.target == mine.task.target
            ]
            batch = fitting[: self._at_once]
            if mine not in batch:
                batch = [*batch[:-1], mine]
            self._waiting = [request for request in self._waiting if request not in batch]
        return batch

    def _land(self, batch: list[_Request]) -> None:
        if len(batch) == 1:
            request = batch[0]
            check = partial(self._broken, [request.task])
            request.landed = land_alone(self._engine, request.task, request.candidate, check=check)
            if request.landed.merge is not None:
                self._has_landed(request, request.landed.merge)
            return
        waiting = batch
        for _ in range(ROUNDS + 3 * len(batch)):
            now = waiting[: self._at_once] if self._was_overtaken else waiting
            waiting = [*(self._round(now) if now else []), *waiting[len(now) :]]
        for request in waiting:
            request.landed = keeps_moving(request.task)

    def _round(self, batch: list[_Request]) -> list[_Request]:
        """Land the prefix of a batch that can land; return the requests for another round."""
        engine = self._engine
        target = batch[0].task.target
        tip = engine.tip(target)
        chain = self._chain(batch, tip)
        if not chain:
            return []
        good, culprit = self._proven_ahead(chain), None
        if not good:
            names = ", ".join(link.request.task.name for link in chain)
            text = f"{len(chain)} tasks are validated together: {names}"
            engine.emit(Progress("", "merge", text))
            good, culprit = self._sound(chain)
        self._at_once = min(self._at_once + 1, MOST_AT_ONCE) if culprit is None else self._half()
        is_final = not good or self._advance(good, target=target, tip=tip)
        self._was_overtaken = not is_final
        if self._was_overtaken:  # the target moves faster than all of them can be proven
            self._at_once = self._half()
        if culprit is not None and is_final:
            link, proof = culprit
            link.request.landed = together_red(proof)
        return [request for request in batch if request.landed is None]

    def _half(self) -> int:
        return max(self._at_once // 2, 1)

    def _chain(self, batch: Sequence[_Request], tip: str) -> list[_Link]:
        """Merge one candidate after another.

        A candidate that conflicts with the target is removed; one that conflicts with an earlier one of the batch
        waits.
        """
        engine, chain, at = self._engine, [], tip
        for request in batch:
            joint = join(engine, request.task, request.candidate, tip=at)
            if joint.tree is None:
                if at == tip or joint.refusal:
                    request.landed = not_joined(request.task, joint)
                continue
            merge = write_merge(engine, request.task, request.candidate, joint, tip=at)
            ruling = check_merge(engine, request.task, tip=at, merge=merge)
            if not ruling.passed:
                request.landed = out_of_scope(request.task, ruling.reason)
                continue
            at = merge
            chain.append(_Link(request, merge))
        return chain

    def _proven_ahead(self, chain: list[_Link]) -> list[_Link]:
        """Return the longest prefix whose links are all proven on their exact trees already."""
        engine = self._engine
        trees = engine.objects.tree_of
        return list(
            takewhile(lambda link: is_proven(engine, link.request.task, trees(link.commit)), chain)
        )

    def _sound(self, chain: list[_Link]) -> tuple[list[_Link], tuple[_Link, Proof] | None]:
        """Return the longest prefix that is green as a whole, and the next link with its red proof."""
        red = self._failure(chain)
        if red is None:
            return chain, None
        low, high = 0, len(chain)  # the first `low` links are green, the first `high` are not
        while high - low > 1:
            middle = (low + high) // 2
            failure = self._failure(chain[:middle])
            if failure is None:
                low = middle
            else:
                high, red = middle, failure
        return chain[:low], (chain[low], red)

    def _failure(self, links: Sequence[_Link]) -> Proof | None:
        """Return how the tree of the last link fails the commands of all links, or None if it is green."""
        tasks = [link.request.task for link in links]
        cores = self._cores if self._takes_long else None
        return prove_together(self._engine, tasks, links[-1].commit, cores=cores)

    def _advance(self, links: Sequence[_Link], *, target: str, tip: str) -> bool:
        """Move the target to the last link, or set why it cannot; return False to try fewer at once."""
        merges = [(link.request.task, link.commit) for link in links]
        red = self._broken([task for task, _ in merges], tip, links[-1].commit)
        if red is not None:
            if len(links) == 1:
                links[0].request.landed = together_red(red)
            return len(links) == 1
        moved = move_target(self._engine, target, tip=tip, merges=merges)
        is_blocked = not moved.done and not moved.declined
        if moved.moved_meanwhile or (len(links) > 1 and is_blocked):
            return False  # a user's file may block it; smaller batches show which task
        for link in links:
            request = link.request
            if moved.done:
                self._has_landed(request, link.commit)
                request.landed = Landed(Verdict.MERGED, merge=link.commit)
            else:
                request.landed = not_moved(self._engine, request.task, request.candidate, moved)
        return moved.done
