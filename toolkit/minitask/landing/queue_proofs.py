"""Extra proofs of the merge queue: of earlier merges again, and of candidates ahead of their turn.

`Guards` keep earlier merges of a run passing: their commands run again on later merges. With one job this is done
before each merge; with several, and for those left out, once at the end of the run, on all that landed. A task that
continues another's work may change the result of that task's commands, so these do not count against it. The runs take
at most as long as the validations themselves, and a little more; those left out are reported.

`SpeculativeProofs` prove a candidate, in parallel with its own proof, on the tree that the target will probably have
when it lands: merged with all that are being proven, or wait to land. A green result is cached by its tree, so if the
guess is right, the landing runs nothing; if not, only the time of a free core is lost. To land in the expected order is
worth a wait, but never a longer one than the run that it saves. A proof of no more use is stopped, and so are all when
the run ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from functools import partial

from msgspec import Struct

from minitask.concurrency import BackgroundCall, CpuPool
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError
from minitask.landing.candidate_commits import merged, write_draft
from minitask.landing.proof import is_proven, prove, prove_only
from minitask.landing.run_commands import Proof
from minitask.patterns import lazy_pattern
from minitask.spec.paths import prefixes
from minitask.system import process

EACH_SECONDS = 0.01
"""Time to start a run, in addition to its commands."""
FREE_SECONDS = 0.1
_NAMES = """
cat cd cmp cut diff echo egrep false fgrep grep head ls printf pwd sed sleep sort tail test tr true uniq wc
"""
BOUND = frozenset(_NAMES.split())
"""Programs that read only the paths in their arguments."""
_PARTS = lazy_pattern(r"&&|\|\|?|[;\n(){}]|\b(?:if|then|else|elif|do|while)\b")
_PROGRAM = lazy_pattern(r"[\w./~$]")
_WORDS = lazy_pattern(r"[^\s;&|<>()'\"`$=]+")
_RECURSES = lazy_pattern(r"-[A-Za-z]*[rR]|--recursive")
TICK_SECONDS = 0.02


class _GuardedTask(Struct, frozen=True):
    """A task that landed: its position in the run, its validation's time, and a merge on which it was green."""

    task: Task
    position: int
    seconds: float
    merge: str


class Settled(Struct, frozen=True):
    """The tasks whose commands are red on all that landed, and those whose commands were not run there."""

    red: Mapping[str, Proof]
    not_run: tuple[str, ...]


class Guards:
    """The tasks that landed on a target in this run. Callers must hold the landing lock."""

    def __init__(
        self, engine: Context, *, follows: Callable[[str, str], bool], repeats: bool
    ) -> None:
        """Set up the guards. `follows`: whether a task continues another's; without `repeats`, no run before merges."""
        self._engine = engine
        self._follows = follows
        self._repeats = repeats
        self._kept: list[_GuardedTask] = []
        self._count = 0
        self._tip = ""
        self._left_seconds = FREE_SECONDS
        self._left_out: list[_GuardedTask] = []

    def failure(self, tasks: Sequence[Task], *, tip: str, merge: str) -> Proof | None:
        """Return how the merge breaks earlier landings, or None if nothing that is run again is red."""
        if tip != self._tip:  # another program moved the target, so its content is unknown
            self._leave_out(self._kept)
        for landed in self._affordable([task.name for task in tasks]):
            proof = self._proof(landed.task, merge)
            if not proof.passed:
                return proof
        return None

    def note(self, task: Task, *, seconds: float, merge: str) -> None:
        """Record that a task has landed by a merge, which is the target's tip now."""
        self._kept.append(_GuardedTask(task, self._count, seconds, merge))
        self._count += 1
        self._left_seconds += seconds
        self._tip = merge

    def settle(self, cores: CpuPool) -> Settled:
        """Run the commands that were left out, on the present target; return the red tasks, which have landed."""
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

    def _seeing(self, landed_tasks: Sequence[_GuardedTask], tree: str) -> list[_GuardedTask]:
        """Return the tasks whose commands may see a landing since they were run; `tree` is the present one."""
        objects, diffs = self._engine.objects, self._engine.database.diffs
        names: set[str] = set()
        seeing = []
        for landed in sorted(landed_tasks, key=lambda landed: landed.position, reverse=True):
            before = objects.tree_of(landed.merge)
            names.update(*(_names(change.path) for change in diffs.changes(before, tree)))
            tree = before
            if any(_may_see(command.text, names) for command in landed.task.spec.commands):
                seeing.append(landed)
        return seeing[::-1]

    def _affordable(self, names: Sequence[str]) -> list[_GuardedTask]:
        """Return the tasks to run again before a merge of the named ones; leave the others for the end."""
        self._kept = self._not_taken_up(self._kept, names)
        self._left_out = self._not_taken_up(self._left_out, names)
        chosen = self._chosen(self._kept) if self._repeats else []
        self._leave_out([landed for landed in self._kept if landed not in chosen])
        return chosen

    def _not_taken_up(
        self, landed_tasks: Sequence[_GuardedTask], names: Sequence[str]
    ) -> list[_GuardedTask]:
        """Return the tasks whose work none of the named ones continues."""
        return [
            landed
            for landed in landed_tasks
            if not any(self._follows(name, landed.task.name) for name in names)
        ]

    def _chosen(self, landed_tasks: Sequence[_GuardedTask]) -> list[_GuardedTask]:
        """Return the tasks that there is time for, quickest first."""
        chosen: list[_GuardedTask] = []
        for landed in sorted(landed_tasks, key=lambda landed: landed.seconds):
            cost = landed.seconds + EACH_SECONDS
            if cost <= self._left_seconds:
                self._left_seconds -= cost
                chosen.append(landed)
        return chosen

    def _leave_out(self, landed_tasks: Sequence[_GuardedTask]) -> None:
        self._left_out += landed_tasks
        self._kept = [landed for landed in self._kept if landed not in landed_tasks]

    def _proof(self, task: Task, merge: str) -> Proof:
        """Run a task's own commands; repeat a red run once, so that a flaky command removes no task."""
        proof = prove_only(self._engine, task, merge, task.spec.commands)
        return proof if proof.passed else prove_only(self._engine, task, merge, task.spec.commands)


def _may_see(text: str, names: Collection[str]) -> bool:
    """Return True if a command has one of the names among its words, or runs a program that may read any file."""
    parts = (part.lstrip("! \t") for part in _PARTS.split(text))
    heads = (part.split()[0] for part in parts if _PROGRAM.match(part))
    arguments = [word.removeprefix("./").rstrip("/") for word in _WORDS.findall(text)]
    if any(head not in BOUND for head in heads) or any(map(_RECURSES.fullmatch, arguments)):
        return bool(names)
    return any(argument in names for argument in arguments)


def _names(path: str) -> set[str]:
    """Return the names that a command may use for a path: the path, a folder above it, or any tail of it."""
    parts = path.split("/")
    return {".", *prefixes(path)} | {"/".join(parts[count:]) for count in range(len(parts))}


class _Expected(Struct):
    """A candidate that will probably land, and its proof ahead, if one was started."""

    task: Task
    commit: str
    proof: BackgroundCall[Proof] | None = None


class SpeculativeProofs:
    """The candidates that will probably land, in order. Thread-safe."""

    def __init__(self, engine: Context, cores: CpuPool) -> None:
        self._engine = engine
        self._cores = cores
        self._line: list[_Expected] = []
        self._begun: list[BackgroundCall[Proof]] = []
        self._is_over = False
        self._lock = threading.Lock()

    def expect(self, task: Task, commit: str) -> None:
        """Prove a candidate, whose only parent is the base, ahead of its turn if a core is free."""
        settings = self._engine.settings
        if settings.copy or settings.share:  # results are not cached
            return
        self.drop(task.name)
        with self._lock:
            expected = _Expected(task, commit)
            if not self._is_over and self._cores.enter_if_free():
                self._begin(expected)
            self._line.append(expected)

    def wait(self, name: str, *, seconds: float) -> None:
        """Wait for a task's proof ahead, if there is one; if it is green, also for the tasks before it."""
        deadline = time.monotonic() + seconds
        mine = next((candidate for candidate in self._line if candidate.task.name == name), None)
        if mine is None or mine.proof is None:
            return
        proof = mine.proof
        while time.monotonic() < deadline and not self._is_over and self._is_in_line(mine):
            if not proof.wait(TICK_SECONDS):
                continue
            if not (proof.succeeded and proof.result().passed) or self._is_next(mine):
                break
            time.sleep(TICK_SECONDS / 4)
        self._end([proof])

    def expects_others(self, names: Container[str]) -> bool:
        """Return True if candidates other than these are being proven."""
        return any(candidate.task.name not in names for candidate in self._line)

    def note_landed(self, name: str) -> None:
        """Record that a task has landed."""
        with self._lock:
            self._line = [candidate for candidate in self._line if candidate.task.name != name]

    def drop(self, name: str) -> None:
        """Record that a task will not land: its proof ahead is useless now, and so are those of all after it."""
        with self._lock:
            names = [candidate.task.name for candidate in self._line]
            if name not in names:
                return
            useless = [candidate.proof for candidate in self._line[names.index(name) :]]
            self._line = [candidate for candidate in self._line if candidate.task.name != name]
        self._end([proof for proof in useless if proof is not None], wait=False)

    def close(self) -> None:
        """Stop all proofs ahead, and start no more."""
        self._is_over = True
        with self._lock:
            begun = list(self._begun)
        self._end(begun)

    def stop(self) -> None:
        """Start no more proofs ahead, and wait for none."""
        self._is_over = True

    def _end(self, proofs: list[BackgroundCall[Proof]], *, wait: bool = True) -> None:
        """Stop the validations of some proofs, unless they have ended."""
        for proof in proofs:
            while not proof.wait(0):
                process.end_started_by(proof.thread)
                if not wait or proof.wait(TICK_SECONDS):
                    break

    def _begin(self, expected: _Expected) -> None:
        """Start a proof on a core that was taken for it; if that fails, release the core."""
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
        """Return True if a candidate is the first for its target."""
        same = (candidate for candidate in self._line if candidate.task.target == mine.task.target)
        return next(same, None) is mine

    def _merge_ahead(self, expected: _Expected) -> str | None:
        """Return the merge into the probable target, or None if it would conflict, or equal the candidate's tree."""
        engine, target = self._engine, expected.task.target
        at = engine.tip(target)
        for candidate in self._line:
            if candidate.task.target == target:
                at = self._merge(candidate, at) or at
        merge = self._merge(expected, at)
        trees = engine.objects.tree_of
        return merge if merge and trees(merge) != trees(expected.commit) else None

    def _merge(self, expected: _Expected, tip: str) -> str | None:
        """Return a temporary merge without a ref, or None if it conflicts."""
        engine = self._engine
        result = merged(engine, expected.commit, tip=tip)
        if result.tree is None:
            return None
        parents = (tip, expected.commit)
        merge = write_draft(engine, expected.task, parents=parents, tree=result.tree, has_ref=False)
        engine.built_on[merge] = tip
        return merge
