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

    No command runs there, so the files stay valid for this commit, until a submodule of it is filled that was empty.
    """
    note = folder / "commit"
    slot_folder = folder / "slot"
    try:
        noted, *empty = note.read_text("utf-8").split("\0")
        if noted == oid and not any((checkout / path / ".git").exists() for path in empty):
            return slot_folder / "tree"
    except (OSError, ValueError):
        pass
    repository = _holder(checkout, oid, environ)
    if repository is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tree = make(slot_folder, repository).checkout(oid)
    except (MachineError, UsageError):
        return None
    force_remove(tree / ".git")
    empty = ["/".join(filter(None, names)) for names in empty_submodules(repository, oid)]
    note.write_text("\0".join((oid, *empty)), "utf-8")
    return tree


def _holder(checkout: Path, oid: str, environ: Mapping[str, str]) -> Repository | None:
    """Return the repository of a submodule's checkout if it has the commit."""
    if not (checkout / ".git").exists():
        return None
    try:
        repository = discover(checkout, environ)
    except (MachineError, UsageError):
        return None
    has_it = repository.git.succeeds("cat-file", "-e", f"{oid}^{{commit}}")
    return repository if has_it and repository.top == real_path(checkout) else None


def empty_submodules(
    repository: Repository, commit: str, text: str | None = None, *, above: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the submodules of a commit that the checkout cannot fill; given a text, those that it names.

    Submodules of submodules count, too: the first part is the folder of their repository, or "", the second their path
    there.
    """
    for row in repository.git.fields("ls-tree", "-r", "-z", commit):
        fields, _, path = row.partition("\t")
        whole = f"{above}/{path}" if above else path
        is_meant = fields.startswith(GITLINK) and (text is None or whole in text)
        if repository.top is None or not is_meant:
            continue
        oid = fields.rpartition(" ")[2]
        inner = _holder(repository.top / path, oid, repository.git.environ)
        if inner is None:
            yield above, path
        else:
            yield from empty_submodules(inner, oid, text, above=whole)
