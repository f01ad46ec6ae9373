"""Keep earlier merges of a run passing: their commands are run again on the merges that come after it.

With one job that is done before each merge; with several, and for what was left out, once at the end of the run, on
all that landed. A task that takes up another's work may well change what that one's commands see, so it is not held to
them. What is run again takes at most as long as the validations of the run themselves, and a little; whatever that
leaves out is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from minitask.concurrency import CpuPool
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.landing.proof import Proof, is_proven, prove_only
from minitask.patterns import lazy_pattern

EACH_SECONDS = 0.01
"""The time that starting a run takes, beside its commands."""
FREE_SECONDS = 0.1
_NAMES = """
cat cd cmp cut diff echo egrep false fgrep grep head ls printf pwd sed sleep sort tail test tr true uniq wc
"""
BOUND = frozenset(_NAMES.split())
"""Programs that look at nothing but the paths that they are given."""
_PARTS = lazy_pattern(r"&&|\|\|?|[;\n(){}]|\b(?:if|then|else|elif|do|while)\b")
_PROGRAM = lazy_pattern(r"[\w./~$]")
_WORDS = lazy_pattern(r"[^\s;&|<>()'\"`$=]+")
_RECURSES = lazy_pattern(r"-[A-Za-z]*[rR]|--recursive")


class _Landed(Struct, frozen=True):
    """A task that landed, as which of this run, how long its validation took, and a merge on which it was green."""

    task: Task
    place: int
    seconds: float
    merge: str


class Settled(Struct, frozen=True):
    """The tasks whose commands are red on all that landed, and those whose commands were not run on it."""

    red: Mapping[str, Proof]
    not_run: tuple[str, ...]


class Guards:
    """The tasks that landed on a target in this run. Hold the landing lock while you use it."""

    def __init__(
        self, engine: Context, *, follows: Callable[[str, str], bool], repeats: bool
    ) -> None:
        """`follows` says whether a task takes up another's work; without `repeats`, nothing is run before a merge."""
        self._engine = engine
        self._follows = follows
        self._repeats = repeats
        self._kept: list[_Landed] = []
        self._count = 0
        self._tip = ""
        self._left_seconds = FREE_SECONDS
        self._left_out: list[_Landed] = []

    def failure(self, tasks: Sequence[Task], *, tip: str, merge: str) -> Proof | None:
        """Return how the merge breaks what landed before; None if nothing that is run again is red."""
        if tip != self._tip:  # somebody else moved the target: what stands there is not known
            self._leave_out(self._kept)
        for landed in self._affordable(tasks):
            proof = self._proof(landed.task, merge)
            if not proof.passed:
                return proof
        return None

    def note(self, task: Task, *, seconds: float, merge: str) -> None:
        """A task has landed by a merge, which is the target's tip now."""
        self._kept.append(_Landed(task, self._count, seconds, merge))
        self._count += 1
        self._left_seconds += seconds
        self._tip = merge

    def settle(self, cores: CpuPool) -> Settled:
        """Run at last what was left out, on the target as it is now; those whose commands are red have landed."""
        self._leave_out(self._kept)
        if not self._left_out:
            return Settled({}, ())
        merge = self._engine.objects.commit(self._left_out[0].task.target)
        if merge is None:
            return Settled({}, tuple(landed.task.name for landed in self._left_out))
        tree = self._engine.objects.tree_of(merge)
        open_ = [
            landed for landed in self._left_out if not is_proven(self._engine, landed.task, tree)
        ]
        chosen = self._chosen(self._seeing(open_, tree))
        proofs: dict[str, Proof] = {}
        remaining = iter(chosen)

        def work() -> None:
            for landed in remaining:
                proofs[landed.task.name] = self._proof(landed.task, merge)

        cores.share(work, at_most=len(chosen) - 1)
        red = {name: proof for name, proof in proofs.items() if not proof.passed}
        return Settled(red, tuple(landed.task.name for landed in open_ if landed not in chosen))

    def _seeing(self, landed_tasks: Sequence[_Landed], tree: str) -> list[_Landed]:
        """Return those whose commands may see what has landed since they were run; `tree` is what there is now."""
        objects, diffs = self._engine.objects, self._engine.database.diffs
        names: set[str] = set()
        seeing = []
        for landed in sorted(landed_tasks, key=lambda landed: landed.place, reverse=True):
            before = objects.tree_of(landed.merge)
            names.update(*(_names(change.path) for change in diffs.changes(before, tree)))
            tree = before
            if any(_may_see(command.text, names) for command in landed.task.spec.commands):
                seeing.append(landed)
        return seeing[::-1]

    def _affordable(self, tasks: Sequence[Task]) -> list[_Landed]:
        """Return those to run again before a merge; the others are left for the end."""
        names = [task.name for task in tasks]
        self._kept = self._not_taken_up(self._kept, names)
        self._left_out = self._not_taken_up(self._left_out, names)
        chosen = self._chosen(self._kept) if self._repeats else []
        self._leave_out([landed for landed in self._kept if landed not in chosen])
        return chosen

    def _not_taken_up(self, landed_tasks: Sequence[_Landed], names: Sequence[str]) -> list[_Landed]:
        """Return those whose work none of the named tasks takes up."""
        return [
            landed
            for landed in landed_tasks
            if not any(self._follows(name, landed.task.name) for name in names)
        ]

    def _chosen(self, landed_tasks: Sequence[_Landed]) -> list[_Landed]:
        """Return those that there is time for, the quickest first."""
        chosen: list[_Landed] = []
        for landed in sorted(landed_tasks, key=lambda landed: landed.seconds):
            cost = landed.seconds + EACH_SECONDS
            if cost <= self._left_seconds:
                self._left_seconds -= cost
                chosen.append(landed)
        return chosen

    def _leave_out(self, landed_tasks: Sequence[_Landed]) -> None:
        self._left_out += landed_tasks
        self._kept = [landed for landed in self._kept if landed not in landed_tasks]

    def _proof(self, task: Task, merge: str) -> Proof:
        """Run a task's own commands; a red one once more, for a flaky command removes no task."""
        proof = prove_only(self._engine, task, merge, task.spec.commands)
        return proof if proof.passed else prove_only(self._engine, task, merge, task.spec.commands)


def _may_see(text: str, names: Collection[str]) -> bool:
    """Return True if a command has one of the names among its words, or runs what may look anywhere."""
    parts = (part.lstrip("! \t") for part in _PARTS.split(text))
    heads = (part.split()[0] for part in parts if _PROGRAM.match(part))
    arguments = [word.removeprefix("./").rstrip("/") for word in _WORDS.findall(text)]
    if any(head not in BOUND for head in heads) or any(map(_RECURSES.fullmatch, arguments)):
        return bool(names)
    return any(argument in names for argument in arguments)


def _names(path: str) -> set[str]:
    """Return what a command may call a path: itself, a folder above it, or any end of it."""
    parts = path.split("/")
    above = {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return {"."} | above | {"/".join(parts[count:]) for count in range(len(parts))}
