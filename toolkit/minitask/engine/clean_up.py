"""Tidying up what is the toolkit's own, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.task_status import as_it_stands
from minitask.engine.tasks import Base
from minitask.git import history, refs
from minitask.git.update_target import checkout_of
from minitask.system.files import force_remove
from minitask.workspace import places


class Cleaned(Struct, frozen=True):
    """The folders and refs that were or would be removed."""

    folders: tuple[Path, ...]
    refs: tuple[str, ...]


def clean(engine: Context, base: Base, *, branches: bool, dry_run: bool) -> Cleaned:
    """Remove workspaces, caches and journal refs; with `branches` also the branches of tasks that landed.

    Attempts and the ledger always stay: they are the evidence.
    """
    home = engine.repository.home
    folders = tuple(
        path
        for path in (
            *(home / name for name in ("slots", "scratch", "cache", "objects")),
            *places.work_folders(engine.repository),
            *places.orphans(engine.environ),
        )
        if path.exists() and path != home
    )
    names = tuple(sorted(refs.snapshot(engine.repository.git, refs.LANDING)))
    if branches:
        names += _landed_branches(engine, base)
    if not dry_run:
        for folder in folders:
            for child in folder.iterdir() if folder.name != "cache" else ():
                force_remove(child)
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # notes of merges that are not on record yet stay
            (home / "unrecorded").rmdir()
        if names:
            refs.delete(engine.repository.git, names)
    return Cleaned(folders, names)


def _landed_branches(engine: Context, base: Base) -> tuple[str, ...]:
    """Return the task branches whose tip is part of the target, except for one that is checked out."""
    git = engine.repository.git
    landed = history.landings(git, base.base)
    heads = refs.snapshot(git, refs.BRANCHES)
    names = []
    for task, latest in landed.items():
        landing = as_it_stands(engine, latest, tip=base.base)
        name = refs.branch(task)
        tip = heads.get(name)
        if landing.undone or tip is None or not _brought(engine, landing.commit, tip):
            continue
        if checkout_of(engine.repository, name) is None:
            names.append(name)
    return tuple(names)


def _brought(engine: Context, landing: str, tip: str) -> bool:
    """Return True if a landing brought a branch's tip: as its second parent, or by a commit of the same change."""
    merged = engine.objects.commit(f"{landing}^2")
    if merged is not None:
        return merged == tip
    return history.is_same_change(engine.repository.git, landing, tip)
