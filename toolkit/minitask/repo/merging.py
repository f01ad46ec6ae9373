"""Merging without a checkout: the tree that a merge would have, or the paths that conflict."""

from __future__ import annotations

from dataclasses import dataclass

from minitask.repo.git import Git, failure


@dataclass(frozen=True, slots=True)
class Merged:
    """The merge's tree id; None, and the paths in conflict, where it is not clean."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def merge_tree(git: Git, *, ours: str, theirs: str) -> Merged:
    """Merge two commits, in memory."""
    args = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    done = git.run(*args)
    parts = done.stdout.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    if done.exit_code == 0:
        return Merged(parts[0])
    # A bad revision exits with 1 as well, but prints no tree.
    if done.exit_code == 1 and parts[0]:
        return Merged(None, tuple(dict.fromkeys(parts[1:])))
    raise failure(args, done)


@dataclass(frozen=True, slots=True)
class TreeChange:
    """One path that differs between two trees: git's status letter, both modes and both blob ids."""

    status: str
    path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str


def tree_changes(git: Git, old: str, new: str) -> tuple[TreeChange, ...]:
    """Every path that differs, renames as a deletion and an addition."""
    fields = git.fields(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-commit-id", old, new
    )
    found = []
    for header, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_oid, new_oid, status = header.lstrip(":").split(" ")
        found.append(TreeChange(status[0], path, old_mode, new_mode, old_oid, new_oid))
    return tuple(found)


def is_ancestor(git: Git, *, ancestor: str, of: str) -> bool:
    """Whether one commit is reachable from another."""
    done = git.run("merge-base", "--is-ancestor", ancestor, of)
    if done.exit_code not in (0, 1):
        raise failure(("merge-base",), done)
    return done.exit_code == 0
