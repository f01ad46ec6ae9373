"""Locations of workspaces: outside the checkout, so that no file above them affects commands.

Each repository has a folder in the user's cache. The folder names its repository, and the repository lists its folders,
so that cleanup and recovery find them even after the variables that determine them have changed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from minitask.git.repository import Repository
from minitask.system.files import force_remove, real_path, replace_file

OWNER = "repository"
"""The file in a folder that names the repository of its workspaces."""
LIST = "workspaces"
"""The file in a repository that lists its folders."""
FALLBACKS = ("/var/tmp", "/tmp")  # noqa: S108 - used only if owned by the user
WRITABLE_BY_OTHERS = 0o022


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the toolkit's folder in the user's cache."""
    base = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '/tmp')}/.cache"  # noqa: S108
    return Path(base, "minitask")


def work_folder(repository: Repository) -> Path:
    """Return the folder of a repository's workspaces; inside the repository only if no other is writable."""
    name = hashlib.sha256(os.fsencode(repository.common_dir)).hexdigest()[:16]
    for base in _bases(repository.git.environ):
        folder = base / name
        if not _is_inside(folder, repository) and _may_write(folder):
            return folder
    return repository.home


def claim(repository: Repository) -> None:
    """Create the folder of a repository's workspaces, record its owner, and remove leftovers of earlier versions.

    Raise `OSError` with the folder's path if the disk refuses it.
    """
    folder = work_folder(repository)
    if folder == repository.home:
        return
    if not (folder / OWNER).exists():
        _note(repository, folder)
        try:
            for part in (*reversed(folder.parents), folder):
                part.mkdir(mode=0o700, exist_ok=True)
            replace_file(folder / OWNER, os.fsencode(repository.common_dir))
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(folder)) from error
    for name in ("slots", "scratch"):
        force_remove(repository.home / name)


def work_folders(repository: Repository) -> tuple[Path, ...]:
    """Return all folders with workspaces of this repository, the current one first."""
    listed = (Path(os.fsdecode(line)) for line in _listed(repository))
    mine = os.fsencode(repository.common_dir)
    owned = [folder for folder in listed if _owner(folder) == mine]
    return tuple(dict.fromkeys((work_folder(repository), *owned)))


def orphans(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the workspace folders whose repository is gone."""
    base = cache_folder(environ)
    folders = sorted(base.iterdir()) if base.is_dir() else []
    return tuple(folder for folder in folders if _is_orphan(folder))


def _bases(environ: Mapping[str, str]) -> Iterator[Path]:
    yield cache_folder(environ)
    yield from (Path(folder, f"minitask-{os.getuid()}") for folder in FALLBACKS)


def _is_inside(folder: Path, repository: Repository) -> bool:
    real = Path(os.path.realpath(folder))
    around = (repository.top, repository.common_dir)
    return any(parent is not None and real.is_relative_to(parent) for parent in around)


def _may_write(folder: Path) -> bool:
    """Return True if the folder exists and is the user's, or can be created."""
    existing = folder
    while not os.path.lexists(existing):
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return False
    if existing not in (folder, folder.parent):
        return True
    status = existing.lstat()
    return status.st_uid == os.getuid() and not status.st_mode & WRITABLE_BY_OTHERS


def _note(repository: Repository, folder: Path) -> None:
    lines = [*_listed(repository), os.fsencode(folder)]
    repository.home.mkdir(parents=True, exist_ok=True)
    replace_file(repository.home / LIST, b"".join(line + b"\0" for line in dict.fromkeys(lines)))


def _listed(repository: Repository) -> list[bytes]:
    try:
        content = (repository.home / LIST).read_bytes()
    except OSError:
        return []
    return [line for line in content.split(b"\0") if line.startswith(b"/")]


def _owner(folder: Path) -> bytes:
    try:
        return (folder / OWNER).read_bytes()
    except OSError:
        return b""


def _is_orphan(folder: Path) -> bool:
    owner = _owner(folder)
    return bool(owner) and not os.path.lexists(owner)


def with_link_targets(top: Path | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return paths inside a checkout, and the folders to which those that are links lead."""
    if top is None:
        return names
    targets = (real_path(top / name) for name in names if (top / name).is_symlink())
    return (*names, *(path.relative_to(real_path(top)).as_posix() for path in targets))
