"""Proving a candidate, beside its own proof, on what the target will probably be when it lands.

Whatever is being proven, or waits to land, will have landed by then; so the candidate is merged into all of that and
proven on the tree that comes of it, wherever a core is free. A green result is kept by its tree. Where the target comes
to be as expected, the landing finds it and runs nothing; where it does not, what is lost is the time of a free core.

That they land in the order in which they were expected is worth a wait, though never a longer one than the run that it
saves. A proof that can be of no use any more is ended, and so are all when the run ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Container
from functools import partial

from msgspec import Struct

from minitask.concurrency import BackgroundCall, CpuPool
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError
from minitask.git.commits import write_commit
from minitask.landing.candidate_commits import write_draft_commit
from minitask.landing.join import merged
from minitask.landing.proof import Proof, prove
from minitask.system import process

TICK_SECONDS = 0.02


class _Expected(Struct):
    """A candidate that will probably land, and its proof ahead, if there is one under way."""

    task: Task
    commit: str
    proof: BackgroundCall[Proof] | None = None

    @property
    def is_green(self) -> bool:
        """Return True if it is proven ahead."""
        proof = self.proof
        return proof is not None and proof.succeeded and proof.result().passed


class SpeculativeProofs:
    """The candidates that will probably land, in their order. Safe to share between threads."""

    def __init__(self, engine: Context, cores: CpuPool) -> None:
        self._engine = engine
        self._cores = cores
        self._line: list[_Expected] = []
        self._begun: list[BackgroundCall[Proof]] = []
        self._is_over = False
        self._lock = threading.Lock()

    def expect(self, task: Task, commit: str) -> None:
        """A candidate, whose only parent is the base, is about to be proven: prove it ahead, where a core is free."""
        settings = self._engine.settings
        if settings.copy or settings.share:  # no result is kept
            return
        self.drop(task.name)
        with self._lock:
            expected = _Expected(task, commit)
            if not self._is_over and self._cores.enter_if_free():
                self._begin(expected)
            self._line.append(expected)

    def wait(self, name: str, *, seconds: float) -> None:
        """Wait for a task's proof ahead, if there is one; if it is green, also for those before it, so long at most."""
        deadline = time.monotonic() + seconds
        mine = next((candidate for candidate in self._line if candidate.task.name == name), None)
        if mine is None or mine.proof is None:
            return
        while time.monotonic() < deadline and not self._is_over and self._is_in_line(mine):
            if not mine.proof.wait(TICK_SECONDS):
                continue
            if not mine.is_green or self._is_next(mine):
                break
            time.sleep(TICK_SECONDS / 4)
        self._end([mine.proof])

    def expects_others(self, names: Container[str]) -> bool:
        """Return True if any candidates are being proven besides some that are proven."""
        return any(candidate.task.name not in names for candidate in self._line)

    def note_landed(self, name: str) -> None:
        """A task has landed."""
        with self._lock:
            self._line = [candidate for candidate in self._line if candidate.task.name != name]

    def drop(self, name: str) -> None:
        """A task will not land: neither is its proof ahead of use any more, nor those of all that came after it."""
        with self._lock:
            names = [candidate.task.name for candidate in self._line]
            if name not in names:
                return
            useless = [candidate.proof for candidate in self._line[names.index(name) :]]
            self._line = [candidate for candidate in self._line if candidate.task.name != name]
        self._end([proof for proof in useless if proof is not None], wait=False)

    def close(self) -> None:
        """End all that is under way, and prove nothing ahead any more."""
        self._is_over = True
        with self._lock:
            begun = list(self._begun)
        self._end(begun)

    def stop(self) -> None:
        """Nobody waits any more for what was expected."""
        self._is_over = True

    def _end(self, proofs: list[BackgroundCall[Proof]], *, wait: bool = True) -> None:
        """End the validations of some proofs, as far as they are not over."""
        for proof in proofs:
            while not proof.wait(0):
                process.end_started_by(proof.thread)
                if not wait or proof.wait(TICK_SECONDS):
                    break

    def _begin(self, expected: _Expected) -> None:
        """Begin a proof on a core that was taken for it; where that cannot be, the core is given back."""
        try:
            merge = self._merge_ahead(expected)
            if merge is not None:
                expected.proof = BackgroundCall(partial(self._prove, expected.task, merge))
                self._begun = [proof for proof in self._begun if not proof.wait(0)]
                self._begun.append(expected.proof)
        except (MinitaskError, OSError, RuntimeError):  # a guess must fail no task
            pass
        finally:
            if expected.proof is None:
                self._cores.leave()

    def _prove(self, task: Task, merge: str) -> Proof:
        try:
            return prove(self._engine, task, merge)
        finally:
            self._cores.leave()

    def _is_in_line(self, mine: _Expected) -> bool:
        return any(candidate is mine for candidate in self._line)

    def _is_next(self, mine: _Expected) -> bool:
        """Return True if nobody is before a candidate."""
        first = next(
            (candidate for candidate in self._line if candidate.task.target == mine.task.target),
            None,
        )
        return first is mine

    def _merge_ahead(self, expected: _Expected) -> str | None:
        """Return the merge into what the target will probably be; None if it would conflict, or be the
        candidate's tree.
        """
        engine, target = self._engine, expected.task.target
        at = engine.tip(target)
        for candidate in (
            *(candidate for candidate in self._line if candidate.task.target == target),
            expected,
        ):
            merge = self._merge(candidate, at)
            if merge is None and candidate is expected:
                return None
            at = merge or at
        trees = engine.objects.tree_of
        return at if trees(at) != trees(expected.commit) else None

    def _merge(self, expected: _Expected, tip: str) -> str | None:
        """Return a merge that nothing refers to: it is needed for a moment."""
        engine = self._engine
        result = merged(engine, expected.commit, tip=tip)
        if result.tree is None:
            return None
        merge = write_draft_commit(
            engine, expected.task, parents=(tip, expected.commit), tree=result.tree
        )
        oid = write_commit(engine.objects, merge)
        engine.built_on[oid] = tip
        return oid
