"""Repair a checkout after an interrupted move of its branch: restore its files, or complete the move.

`git` is the git of the checkout.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError
from minitask.git.repository import Repository
from minitask.git.run_git import Git
from minitask.git.trees import TreeChange, tree_changes
from minitask.system import pipes

LOCK_GRACE_SECONDS = 1.0


FAST_FORWARD = (
    *("merge", "--quiet", "--ff-only", "--no-overwrite-ignore"),
    *("--no-squash", "--commit", "--no-edit", "--no-autostash", "--no-verify-signatures"),
    *("--no-allow-unrelated-histories", "--no-signoff", "--no-log", "--no-stat"),
)
"""Every option is explicit, since the user's settings could change the defaults."""


SKIPPED = "S"


class Checkout(Struct, frozen=True):
    """A checkout of the target: its top folder, and the git folder with its index."""

    top: Path
    git_dir: Path


class TargetMove(Struct, frozen=True):
    """A move of the target branch (full ref) from a commit to a descendant."""

    target: str
    old: str
    new: str


class _Entry(Struct, frozen=True):
    """An index entry: git's tag, mode and blob id."""

    tag: str
    mode: str
    oid: str


def remove_locks(
    repository: Repository, step: TargetMove, checkout: Checkout | None, since_ns: int
) -> None:
    """Remove git's locks made since the journal, unless they are released within a grace period.

    Raise `MachineError` if git is running in the checkout.
    """
    locks = [repository.common_dir / f"{step.target}.lock"]
    if checkout is not None:
        locks += [checkout.git_dir / f"{name}.lock" for name in ("index", "HEAD", "ORIG_HEAD")]
    deadline = time.monotonic() + LOCK_GRACE_SECONDS
    while any(lock.exists() for lock in locks) and time.monotonic() < deadline:
        time.sleep(0.05)
    stale = [lock for lock in locks if lock.exists() and lock.stat().st_mtime_ns >= since_ns]
    if stale and checkout is not None and pipes.works_in("git", checkout.top):
        raise MachineError(
            f"another git command is running in {checkout.top} and holds {stale[0].name}",
            hint="wait for it, then run the same command again",
        )
    for lock in stale:
        lock.unlink(missing_ok=True)


def are_there(repository: Repository, step: TargetMove, checkout: Checkout) -> bool:
    """Return True if the checkout and both commits still exist; recovery needs them."""
    return (checkout.top.is_dir() and checkout.git_dir.is_dir()) and all(
        repository.git.succeeds("cat-file", "-e", f"{commit}^{{tree}}")
        for commit in (step.old, step.new)
    )


def restore(
    repository: Repository, git: Git, step: TargetMove, *, checkout: Checkout, since_ns: int
) -> None:
    """Restore half-written files from the index; a file with any content of the user stays.

    Nothing is lost, since the new content is in a commit.
    """
    changes = tree_changes(repository.git, step.old, step.new)
    index = _read_index(git)
    for change in changes:
        if change.path not in index and _is_ours(git, checkout, change, since_ns):
            _remove(checkout.top, change.path)
    back = [
        change.path
        for change in changes
        if change.path in index
        and index[change.path].tag != SKIPPED
        and _is_ours(git, checkout, change, since_ns)
    ]
    if back:
        names = "\0".join(back).encode("utf-8", "surrogateescape")
        git.output("checkout-index", "-f", "-z", "--stdin", stdin=names)


def _read_index(git: Git) -> dict[str, _Entry]:
    """Return the index entries by path, without paths in conflict."""
    entries: dict[str, _Entry] = {}
    for field in git.fields("ls-files", "--stage", "-v", "-z"):
        header, _, path = field.partition("\t")
        tag, mode, oid, stage = header.split(" ")
        if stage == "0":
            entries[path] = _Entry(tag, mode, oid)
    return entries


def _is_ours(git: Git, checkout: Checkout, change: TreeChange, since_ns: int) -> bool:
    """Return True if git wrote the file at the path, or removed it."""
    path = checkout.top / change.path
    if not _has_plain_parents(checkout.top, path):
        return False
    try:
        file_stat = path.lstat()
    except FileNotFoundError:
        return change.status != "A" and _folder_of(path).stat().st_mtime_ns >= since_ns
    if (
        change.status == "D"
        or not stat.S_ISREG(file_stat.st_mode)
        or file_stat.st_ctime_ns < since_ns
    ):
        return False
    new = git.output("cat-file", "--filters", f"--path={change.path}", change.new_oid)
    return new.startswith(path.read_bytes())


def _has_plain_parents(top: Path, path: Path) -> bool:
    """Return True if every existing parent of the path below `top` is a folder, not a symbolic link."""
    between = [parent for parent in path.parents if parent != top and parent.is_relative_to(top)]
    return all(
        stat.S_ISDIR(parent.lstat().st_mode) for parent in between if os.path.lexists(parent)
    )


def _folder_of(path: Path) -> Path:
    """Return the innermost existing folder above the path."""
    return next(parent for parent in path.parents if parent.is_dir())


def _remove(top: Path, name: str) -> None:
    """Remove a file, and the parent folders that become empty."""
    path = top / name
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == top:
            return
        try:
            parent.rmdir()
        except OSError:
            return


def follow_index(repository: Repository, git: Git, step: TargetMove) -> None:
    """Complete the move of the branch if files and index are written, but not the ref."""
    if _is_ahead(repository, step, git):
        git.run(*FAST_FORWARD, step.new)


def take_back(
    repository: Repository, git: Git, step: TargetMove, *, checkout: Checkout, since_ns: int
) -> None:
    """Restore index and files if git wrote them all, but not the ref; what the user has staged or edited stays."""
    if not _is_ahead(repository, step, git):
        return
    changes = tree_changes(repository.git, step.old, step.new)
    if all(_is_ours(git, checkout, change, since_ns) for change in changes):
        git.run("read-tree", "-m", "-u", step.new, step.old)


def _is_ahead(repository: Repository, step: TargetMove, git: Git) -> bool:
    """Return True if the index holds the new commit's files while its branch is at the old commit."""
    head = git.run("symbolic-ref", "-q", "HEAD").stdout.decode("utf-8", "surrogateescape")
    if head.rstrip("\n") != step.target or git.line("rev-parse", "HEAD") != step.old:
        return False
    index = _read_index(git)
    changes = tree_changes(repository.git, step.old, step.new)
    return all(_has_arrived(index.get(change.path), change) for change in changes)


def _has_arrived(entry: _Entry | None, change: TreeChange) -> bool:
    if change.status == "D" or entry is None:
        return change.status == "D" and entry is None
    return (entry.mode, entry.oid) == (change.new_mode, change.new_oid)
