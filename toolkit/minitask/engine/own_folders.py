"""Folders that minitask creates for a repository: agents' workspaces; and their removal, with minitask's refs.

Workspaces are outside the repository, because some agents refuse to write anywhere below a `.git`.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, scratch_folder
from minitask.engine.tasks import Base, as_it_stands
from minitask.git import history, refs
from minitask.git.repository import Repository
from minitask.git.update_target import checkout_of
from minitask.system.files import force_remove
from minitask.workspace import places
from minitask.workspace.checkout import Workspace

if TYPE_CHECKING:
    from minitask.workspace.agent_workspace import AgentWorkspace

_taken: set[Path] = set()
_lock = threading.Lock()


class AgentWorkspaces(Struct, frozen=True):
    """Workspaces at a commit for agent programs, one program in each. Thread-safe."""

    engine: Context
    commit: str

    @contextmanager
    def open(self) -> Iterator[AgentWorkspace]:
        """Yield the first free workspace."""
        from minitask.workspace.agent_workspace import open_agent_workspace

        engine = self.engine
        with (
            _free_slot(engine) as slot,
            open_agent_workspace(
                slot,
                self.commit,
                sandbox=engine.sandbox,
                scratch=scratch_folder(engine.repository),
                environ=engine.environ,
            ) as workspace,
        ):
            yield workspace


@contextmanager
def _free_slot(engine: Context) -> Iterator[Workspace]:
    above = places.work_folder(engine.repository)
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


class Cleaned(Struct, frozen=True):
    """The folders and refs that were removed, or would be."""

    folders: tuple[Path, ...]
    refs: tuple[str, ...]


def own_folders(repository: Repository, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the existing folders of workspaces and caches."""
    home = repository.home
    return tuple(
        path
        for path in (
            *(home / name for name in ("slots", "scratch", "cache", "objects")),
            *places.work_folders(repository),
            *places.orphans(environ),
        )
        if path.exists() and path != home
    )


def clean(
    engine: Context, base: Base, *, before: Collection[Path], branches: bool, dry_run: bool
) -> Cleaned:
    """Remove workspaces, caches and journal refs; with `branches` also the branches of landed tasks.

    Attempts and the ledger are kept, because they are the evidence. Folders that this command created itself, which are
    not in `before`, are removed in a dry run, too, and not listed.
    """
    present = own_folders(engine.repository, engine.environ)
    folders = tuple(folder for folder in present if folder in before)
    names = tuple(sorted(refs.snapshot(engine.repository.git, refs.LANDING)))
    if branches:
        names += _landed_branches(engine, base)
    for folder in present:
        if not dry_run or folder not in before:
            for child in folder.iterdir() if folder.name != "cache" else ():
                force_remove(child)
            shutil.rmtree(folder, ignore_errors=True)
    if not dry_run:
        with suppress(OSError):  # notes of merges without a record are kept
            (engine.repository.home / "unrecorded").rmdir()
        if names:
            refs.delete(engine.repository.git, names)
    return Cleaned(folders, names)


def _landed_branches(engine: Context, base: Base) -> tuple[str, ...]:
    """Return the task branches whose tip is part of the target, except for checked-out ones."""
    git = engine.repository.git
    landed = history.landings(git, base.base)
    heads = refs.snapshot(git, refs.BRANCHES)
    names = []
    for task, latest in landed.items():
        landing = as_it_stands(engine, latest, tip=base.base)
        name = refs.branch(task)
        tip = heads.get(name)
        has_landed = tip and not landing.undone and _brought(engine, landing.commit, tip)
        if has_landed and checkout_of(engine.repository, name) is None:
            names.append(name)
    return tuple(names)


def _brought(engine: Context, landing: str, tip: str) -> bool:
    """Return True if a landing contains a branch's tip: as its second parent, or as a commit of the same change."""
    merged = engine.objects.commit(f"{landing}^2")
    if merged is not None:
        return merged == tip
    return history.is_same_change(engine.repository.git, landing, tip)
