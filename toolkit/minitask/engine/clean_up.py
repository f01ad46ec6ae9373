"""Tidying up what is the toolkit's own, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.task_status import as_it_stands
from minitask.engine.tasks import Base
from minitask.git import history, refs
from minitask.git.repository import Repository
from minitask.git.update_target import checkout_of
from minitask.system.files import force_remove
from minitask.workspace import places


class Cleaned(Struct, frozen=True):
    """The folders and refs that were or would be removed."""

    folders: tuple[Path, ...]
    refs: tuple[str, ...]


def own_folders(repository: Repository, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the folders of workspaces and caches that are there."""
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
    """Remove workspaces, caches and journal refs; with `branches` also the branches of tasks that landed.

    Attempts and the ledger always stay: they are the evidence. Folders that were not there `before` this command
    are removed in a dry run, too, and not named.
    """
    home = engine.repository.home
    present = own_folders(engine.repository, engine.environ)
    folders = tuple(folder for folder in present if folder in before)
    names = tuple(sorted(refs.snapshot(engine.repository.git, refs.LANDING)))
    if branches:
        names += _landed_branches(engine, base)
    for folder in present:
        if not dry_run or folder not in before:
            _remove(folder)
    if not dry_run:
        with suppress(OSError):  # notes of merges that are not on record yet stay
            (home / "unrecorded").rmdir()
        if names:
            refs.delete(engine.repository.git, names)
    return Cleaned(folders, names)


def _remove(folder: Path) -> None:
    for child in folder.iterdir() if folder.name != "cache" else ():
        force_remove(child)
    shutil.rmtree(folder, ignore_errors=True)


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
