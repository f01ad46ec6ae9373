"""Files of submodules: from the user's checkout of each, at the commit recorded by the base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from minitask.errors import MachineError, UsageError
from minitask.git.repository import Repository, discover
from minitask.git.run_git import Git
from minitask.system.files import force_remove, real_path

GITLINK = "160000"


def gitlinks(git: Git) -> Iterator[tuple[str, str]]:
    """Yield path and commit of each submodule in the index."""
    for line in git.fields("ls-files", "--stage", "-z"):
        meta, _, path = line.partition("\t")
        mode, oid, _ = meta.split(" ")
        if mode == GITLINK:
            yield path, oid


class CommitFolder(Protocol):
    """A folder that can check out a commit's files."""

    def checkout(self, commit: str) -> Path:
        """Check out the commit and return the folder."""
        ...


def at_commit(
    checkout: Path,
    oid: str,
    folder: Path,
    *,
    environ: Mapping[str, str],
    make: Callable[[Path, Repository], CommitFolder],
) -> Path | None:
    """Return a folder below `folder` with the files of a submodule's commit; None if the checkout lacks it.

    No command runs there, so the files stay valid for this commit.
    """
    note = folder / "commit"
    slot_folder = folder / "slot"
    try:
        if note.read_text("ascii") == oid:
            return slot_folder / "tree"
    except OSError:
        pass
    if not (checkout / ".git").exists():
        return None
    try:
        repository = discover(checkout, environ)
        if repository.top != real_path(checkout) or not _has(repository.git, oid):
            return None
        folder.mkdir(parents=True, exist_ok=True)
        tree = make(slot_folder, repository).checkout(oid)
    except (MachineError, UsageError):
        return None
    force_remove(tree / ".git")
    note.write_text(oid, "ascii")
    return tree


def _has(git: Git, oid: str) -> bool:
    return git.succeeds("cat-file", "-e", f"{oid}^{{commit}}")
