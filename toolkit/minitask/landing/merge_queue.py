"""The landing queue: candidates that are proven land together, on one run of what they come to when all are merged.

Whoever comes while others land waits, and the next one takes all that wait. Each task keeps a merge commit of its own;
they form a chain, whose last tree is validated by the commands of all. A red chain is cut by bisection for the first
prefix that fails: what is before it lands, the one at its end is removed, and the rest starts again. How many land at
once follows success: one more after a green chain, half after a red one.
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
from minitask.git.commits import write_commits
from minitask.landing.candidate_commits import Candidate, Landed, merge_commit
from minitask.landing.guards import Guards
from minitask.landing.join import check_merge, join, merged, move_target
from minitask.landing.land import (
    ROUNDS,
    land_alone,
    not_joined,
    not_moved,
    out_of_scope,
    together_red,
)
from minitask.landing.proof import Proof, is_proven, prove_together
from minitask.landing.speculative import SpeculativeProofs
from minitask.ledger.record import Verdict

FIRST_AT_ONCE, MOST_AT_ONCE = 16, 32
LONG_SECONDS = 0.1
"""A shorter validation is over sooner than all that would save it; the last one tells of the next."""
GATHERING, GATHERING_SECONDS_MAX = 0.1, 5.0
"""The longest wait for others to join a run: a share of its time, and seconds."""


class _Request(Struct):
    """A candidate that waits; `landed` is set once it is known what became of it."""

    task: Task
    candidate: Candidate
    landed: Landed | None = None


class _Link(Struct, frozen=True):
    """A merge of the chain: the request that it lands, and its commit."""

    request: _Request
    commit: str


class MergeQueue:
    """Lands candidates for many threads at once."""

    def __init__(
        self, engine: Context, *, cores: CpuPool | None = None, guards: Guards | None = None
    ) -> None:
        """`cores` are those of the run: where some are free, they prove more at once, and ahead, if that takes long."""
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
        """A candidate is about to be proven, and will probably land."""
        if self._ahead is not None and self._takes_long:
            self._ahead.expect(task, commit)

    def forget(self, name: str) -> None:
        """A task will not land any more, if it has not."""
        if self._ahead is not None:
            self._ahead.drop(name)

    def stop(self) -> None:
        """Land at once what is proven: nothing is worth a wait any more."""
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """End what is being proven ahead."""
        if self._ahead is not None:
            self._ahead.close()

    def land(self, task: Task, candidate: Candidate) -> Landed:
        """Return what became of a candidate, whoever landed it."""
        mine = _Request(task, candidate)
        seconds = _seconds(mine)
        self._takes_long = seconds >= LONG_SECONDS
        if self._ahead is not None and self._takes_long and not self._is_proven(mine):
            self._ahead.wait(task.name, seconds=seconds)
        with self._lock:
            self._waiting.append(mine)
        with self._engine.landing:
            if mine.landed is None:
                self._gather(mine, seconds=seconds)
            while mine.landed is None:
                self._land(self._batch(mine))
        return mine.landed

    def _has_landed(self, request: _Request, merge: str) -> None:
        if self._ahead is not None:
            self._ahead.note_landed(request.task.name)
        if self._guards is not None:
            self._guards.note(request.task, seconds=_seconds(request), merge=merge)

    def _broken(self, tasks: Sequence[Task], tip: str, merge: str) -> Proof | None:
        """Return how a merge breaks what landed before it in this run."""
        guards = self._guards
        return None if guards is None else guards.failure(tasks, tip=tip, merge=merge)

    def _gather(self, mine: _Request, *, seconds: float) -> None:
        """Before a run of some length, wait a little for those that are about to be proven: they can take part."""
        if self._ahead is None or not self._takes_long:
            return
        with self._lock:
            names = [request.task.name for request in self._waiting]
        if self._ahead.expects_others(names) and not self._is_proven(mine):
            time.sleep(min(seconds * GATHERING, GATHERING_SECONDS_MAX))

    def _is_proven(self, request: _Request) -> bool:
        """Return True if the merge of a request into the target as it is needs no run."""
        engine, task, candidate = self._engine, request.task, request.candidate
        tip = engine.tip(task.target)
        tree = merged(engine, candidate.commit, tip=tip).tree
        return tree is not None and (tree == candidate.tree or is_proven(engine, task, tree))

    def _batch(self, mine: _Request) -> list[_Request]:
        """Return the requests to land now: mine, and others for the same branch, in the order in which they came."""
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
            request.landed = _keeps_moving(request.task)

    def _round(self, batch: list[_Request]) -> list[_Request]:
        """Land what can land of a batch; what is left for another round."""
        engine = self._engine
        target = batch[0].task.target
        tip = engine.tip(target)
        chain = self._chain(batch, tip)
        if not chain:
            return []
        good, culprit = self._proven_ahead(chain), None
        if not good:
            names = ", ".join(link.request.task.name for link in chain)
            engine.emit(
                Progress("", "merge", f"{len(chain)} tasks are validated together: {names}")
            )
            good, culprit = self._sound(chain)
        self._at_once = (
            min(self._at_once + 1, MOST_AT_ONCE) if culprit is None else max(self._at_once // 2, 1)
        )
        is_final = not good or self._advance(good, target=target, tip=tip)
        self._was_overtaken = not is_final
        if self._was_overtaken:  # the target moves faster than all of them are proven
            self._at_once = max(self._at_once // 2, 1)
        if culprit is not None and is_final:
            link, proof = culprit
            link.request.landed = together_red(proof)
        return [request for request in batch if request.landed is None]

    def _chain(self, batch: Sequence[_Request], tip: str) -> list[_Link]:
        """Merge one candidate after another.

        One that conflicts with the target is removed; one that conflicts with what may land before it waits for that.
        """
        engine, chain, at = self._engine, [], tip
        for request in batch:
            joint = join(engine, request.task, request.candidate, tip=at)
            if joint.tree is None:
                if at == tip or joint.refusal:
                    request.landed = not_joined(request.task, joint)
                continue
            commit = merge_commit(
                engine,
                request.task,
                request.candidate.attempt,
                tip=at,
                candidate=joint.commit,
                tree=joint.tree,
                round_=1,
            )
            merge = write_commits(engine.database, [commit], force=True)[0]
            ruling = check_merge(engine, request.task, tip=at, merge=merge)
            if not ruling.passed:
                request.landed = out_of_scope(request.task, ruling.reason)
                continue
            engine.built_on[merge], at = at, merge
            chain.append(_Link(request, at))
        return chain

    def _proven_ahead(self, chain: list[_Link]) -> list[_Link]:
        """Return the longest prefix of which each link is proven on its very tree already."""
        engine = self._engine
        trees = engine.objects.tree_of
        return list(
            takewhile(lambda link: is_proven(engine, link.request.task, trees(link.commit)), chain)
        )

    def _sound(self, chain: list[_Link]) -> tuple[list[_Link], tuple[_Link, Proof] | None]:
        """Return the longest prefix that is green as a whole, and the link behind it, with what it failed."""
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
        """Return how the tree of the last link fails the commands of all of them; None if it is green."""
        tasks = [link.request.task for link in links]
        cores = self._cores if self._takes_long else None
        failure = prove_together(self._engine, tasks, links[-1].commit, cores=cores)
        return None if failure is None else failure[1]

    def _advance(self, links: Sequence[_Link], *, target: str, tip: str) -> bool:
        """Move the target to the last link; whether it did."""
        merges = [(link.request.task, link.commit) for link in links]
        red = self._broken([task for task, _ in merges], tip, links[-1].commit)
        if red is not None:  # fewer at once, until it is clear by whom
            if len(links) == 1:
                links[0].request.landed = together_red(red)
            return len(links) == 1
        moved = move_target(self._engine, target, tip=tip, merges=merges)
        is_blocked = not moved.done and not moved.declined
        if moved.moved_meanwhile or (len(links) > 1 and is_blocked):
            return False  # a file of the user's is in the way: fewer at once, until it is clear of whom
        for link in links:
            task = link.request.task
            if moved.done:
                self._has_landed(link.request, link.commit)
            link.request.landed = (
                Landed(Verdict.MERGED, merge=link.commit)
                if moved.done
                else not_moved(self._engine, task, link.request.candidate, moved)
            )
        return moved.done


def _seconds(request: _Request) -> float:
    return sum(command.seconds for command in request.candidate.attempt.commands)


def _keeps_moving(task: Task) -> Landed:
    return Landed(
        Verdict.READY,
        reason="the target branch keeps moving",
        next_step=f"minitask merge {task.name}",
    )
