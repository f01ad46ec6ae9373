"""Proving a candidate, beside its own proof, on what the target will probably be when it lands.

Whatever is being proven, or waits to land, will have landed by then; so the candidate is merged into all of that and
proven on the tree that comes of it, wherever a core is free. A green result is kept by its tree. Where the target comes
to be as expected, the landing finds it and runs nothing; where it does not, what is lost is the time of a free core.

That they land in the order in which they were expected is worth a wait, though never a longer one than the run that it
saves.
"""

from __future__ import annotations

import threading
from collections.abc import Container
from functools import partial

from minitask.repo.commits import NewCommit, write_commit
from minitask.repo.refs import LANDING
from minitask.run.aside import Aside
from minitask.run.engine import Engine
from minitask.run.landings.merges import merged
from minitask.run.landings.proof import Proof, prove
from minitask.run.tasks import Task
from minitask.run.turnstile import Cores
from minitask.values import dataclass


@dataclass(slots=True)
class _Expected:
    """A candidate that will probably land, and its proof ahead, if there is one under way."""

    task: Task
    commit: str
    proof: Aside[Proof] | None = None


class Speculation:
    """The candidates that will probably land, in their order. Safe to share between threads."""

    def __init__(self, engine: Engine, cores: Cores) -> None:
        self._engine = engine
        self._cores = cores
        self._line: list[_Expected] = []
        self._news = threading.Condition()

    def expect(self, task: Task, commit: str) -> None:
        """A candidate, whose only parent is the base, is about to be proven: prove it ahead, where a core is free."""
        settings = self._engine.settings
        if settings.copy or settings.share:  # no result is kept
            return
        with self._news:
            self._line = [each for each in self._line if each.task.name != task.name]
            expected = _Expected(task, commit)
            if self._cores.enter_if_free():
                merge = self._merge_ahead(expected)
                if merge is None:
                    self._cores.leave()
                else:
                    expected.proof = Aside(partial(self._prove, task, merge))
            self._line.append(expected)

    def wait(self, name: str, *, seconds: float) -> None:
        """Wait for a task's proof ahead, if there is one; if it is green, also for those before it, so long at most."""
        mine = next((each for each in self._line if each.task.name == name), None)
        if mine is None or mine.proof is None:
            return
        mine.proof.wait()
        if mine.proof.succeeded and mine.proof.result().passed:
            with self._news:
                self._news.wait_for(lambda: self._is_next(mine), timeout=seconds)

    def expects_others(self, names: Container[str]) -> bool:
        """Whether any candidates are being proven besides some that are proven."""
        return any(each.task.name not in names for each in self._line)

    def forget(self, name: str) -> None:
        """A task has landed, or will not."""
        with self._news:
            self._line = [each for each in self._line if each.task.name != name]
            self._news.notify_all()

    def _is_next(self, mine: _Expected) -> bool:
        """Whether nobody is before a candidate, or it is in the line no more."""
        first = next((each for each in self._line if each.task.target == mine.task.target), None)
        return first is mine or mine not in self._line

    def _prove(self, task: Task, merge: str) -> Proof:
        try:
            return prove(self._engine, task, merge)
        finally:
            self._cores.leave()

    def _merge_ahead(self, expected: _Expected) -> str | None:
        """The merge into what the target will probably be; None where it would conflict, or be the candidate's tree."""
        engine, target = self._engine, expected.task.target
        at = engine.tip(target)
        for each in (*(each for each in self._line if each.task.target == target), expected):
            merge = self._merge(each, at)
            if merge is None and each is expected:
                return None
            at = merge or at
        trees = engine.objects.tree_of
        return at if trees(at) != trees(expected.commit) else None

    def _merge(self, expected: _Expected, tip: str) -> str | None:
        """A merge that nothing refers to: it is needed for a moment."""
        engine = self._engine
        found = merged(engine, expected.commit, tip=tip)
        if found.tree is None:
            return None
        commit = NewCommit(
            ref=f"{LANDING}/{expected.task.name}/expected",
            message=f"{expected.task.name}, merged ahead\n",
            author=engine.signature,
            committer=engine.signature,
            parents=(tip, expected.commit),
            tree=found.tree,
        )
        oid = write_commit(engine.objects, commit)
        engine.built_on[oid] = tip
        return oid
