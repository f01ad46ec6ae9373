"""Keep earlier merges of a run passing: their commands are run again on the merges that come after it.

A task that takes up another's work may well change what that one's commands see, so it is not held to them. What is run
again takes at most as long as the validations of the run themselves, and a little; whatever that leaves out is named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.landing.proof import Proof, prove_only

EACH_SECONDS = 0.01
"""What it takes to begin a run, beside its commands."""
FREE_SECONDS = 0.1


class _Kept(Struct, frozen=True):
    """A task that landed, and how long its validation took."""

    task: Task
    seconds: float


class Guards:
    """The tasks that landed on a target in this run. Hold the landing lock while you use it."""

    def __init__(
        self, engine: Context, *, follows: Callable[[str, str], bool], repeats: bool
    ) -> None:
        """`follows` says whether a task takes up another's work; without `repeats`, nothing is run again."""
        self._engine = engine
        self._follows = follows
        self._repeats = repeats
        self._kept: list[_Kept] = []
        self._tip = ""
        self._left_seconds = FREE_SECONDS
        self.left_out: list[str] = []

    def failure(self, tasks: Sequence[Task], *, tip: str, merge: str) -> Proof | None:
        """Return how the merge breaks what landed before; None if nothing that is run again is red."""
        if tip != self._tip:  # somebody else moved the target: what stands there is not known
            self._leave_out(self._kept)
        for one in self._affordable(tasks):
            proof = self._proof(one.task, merge)
            if not proof.passed:
                return proof
        return None

    def note(self, task: Task, *, seconds: float, merge: str) -> None:
        """A task has landed by a merge, which is the target's tip now."""
        self._kept.append(_Kept(task, seconds))
        self._left_seconds += seconds
        self._tip = merge

    def _affordable(self, tasks: Sequence[Task]) -> list[_Kept]:
        """Return those to run again, the quickest first; the others are held to nothing any more."""
        names = [task.name for task in tasks]
        taken_up = [
            one for one in self._kept if any(self._follows(name, one.task.name) for name in names)
        ]
        self._kept = [one for one in self._kept if one not in taken_up]
        chosen: list[_Kept] = []
        for one in sorted(self._kept, key=lambda one: one.seconds):
            cost = one.seconds + EACH_SECONDS
            if self._repeats and cost <= self._left_seconds:
                self._left_seconds -= cost
                chosen.append(one)
        self._leave_out([one for one in self._kept if one not in chosen])
        return chosen

    def _leave_out(self, kept: Sequence[_Kept]) -> None:
        self.left_out += [one.task.name for one in kept]
        self._kept = [one for one in self._kept if one not in kept]

    def _proof(self, task: Task, merge: str) -> Proof:
        """Run a task's own commands; a red one once more, for a flaky command removes no task."""
        proof = prove_only(self._engine, task, merge, task.spec.commands)
        return proof if proof.passed else prove_only(self._engine, task, merge, task.spec.commands)
