"""Workspaces for agent programs, apart from the one that validations run in, each used by one at a time.

They lie outside the repository, as all do: some agents refuse to write anywhere below a `.git`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, scratch_folder
from minitask.workspace import places
from minitask.workspace.checkout import Workspace

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace

_taken: set[Path] = set()
_lock = threading.Lock()


class AgentWorkspaces(Struct, frozen=True):
    """A workspace at a commit, in the first workspace for agents that is free. Safe to share between threads."""

    engine: Context
    commit: str

    @contextmanager
    def open(self) -> Iterator[AgentWorkspace]:
        """Yield the workspace, for as long as the block lasts."""
        from minitask.workspace.agent_workspace import open_agent_workspace

        with _free_slot(self.engine) as slot:
            repository = self.engine.repository
            with open_agent_workspace(
                slot,
                self.commit,
                sandbox=self.engine.sandbox,
                scratch=scratch_folder(repository),
                environ=self.engine.environ,
            ) as workspace:
                yield workspace


@contextmanager
def _free_slot(engine: Context) -> Iterator[Workspace]:
    above = agents_folder(engine)
    with _lock:
        number = 0
        while (folder := above / f"agent-{number}") in _taken:
            number += 1
        _taken.add(folder)
    try:
        yield Workspace(folder, engine.repository, replace(engine.bring(), layered=False))
    finally:
        with _lock:
            _taken.discard(folder)


def agents_folder(engine: Context) -> Path:
    """Return where the workspaces for agents of this repository are."""
    return places.work_folder(engine.repository)
