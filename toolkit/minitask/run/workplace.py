"""Where agent programs work: workspaces apart from the one that validations run in, each used by one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from minitask.repo.desk import Desk, open_desk
from minitask.repo.workspace import Slot
from minitask.run.engine import Engine, scratch_folder
from minitask.values import dataclass

_taken: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SlotWorkplace:
    """A desk at a commit, in the first workspace for agents that is free. Safe to share between threads."""

    engine: Engine
    commit: str

    @contextmanager
    def open(self) -> Iterator[Desk]:
        """The desk, for as long as the block lasts."""
        with _free_slot(self.engine) as slot:
            repository = self.engine.repository
            with open_desk(
                slot,
                self.commit,
                sandbox=self.engine.sandbox,
                scratch=scratch_folder(repository),
                environ=self.engine.environ,
            ) as desk:
                yield desk


@contextmanager
def _free_slot(engine: Engine) -> Iterator[Slot]:
    repository, bring = engine.repository, engine.slot.bring
    with _lock:
        number = 0
        while (name := str(repository.home / "slots" / f"agent-{number}")) in _taken:
            number += 1
        _taken.add(name)
    try:
        yield Slot(repository.home / "slots" / f"agent-{number}", repository, bring)
    finally:
        with _lock:
            _taken.discard(name)
