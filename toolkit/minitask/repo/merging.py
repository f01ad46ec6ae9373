"""Merging without a checkout: the tree that a merge would have, or the paths that conflict."""

from __future__ import annotations

from minitask.repo.git import Git, failure
from minitask.values import dataclass


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
    """One path that differs between two trees: git's status letter, both modes and blob ids, lines added and removed.

    The counts are None where the content is not text.
    """

    status: str
    path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    added: int | None = None
    removed: int | None = None


def tree_changes(git: Git, old: str, new: str) -> tuple[TreeChange, ...]:
    """Every path that differs, renames as a deletion and an addition."""
    form = ("-r", "-z", "--raw", "--numstat", "--no-renames", "--no-commit-id", "--no-abbrev")
    fields = git.fields("diff-tree", *form, old, new)
    end = next(
        (at for at in range(0, len(fields), 2) if not fields[at].startswith(":")), len(fields)
    )
    raw, counted = fields[:end], fields[end:]
    counts = dict(_counts(field) for field in counted)
    found = []
    for header, path in zip(raw[::2], raw[1::2], strict=True):
        old_mode, new_mode, old_oid, new_oid, status = header.lstrip(":").split(" ")
        added, removed = counts.get(path, (None, None))
        change = (status[0], path, old_mode, new_mode, old_oid, new_oid, added, removed)
        found.append(TreeChange(*change))
    return tuple(found)


def _counts(field: str) -> tuple[str, tuple[int | None, int | None]]:
    """One line of `--numstat`; a binary file has dashes for its counts."""
    added, removed, path = field.split("\t", 2)
    return path, (int(added), int(removed)) if added != "-" else (None, None)


def is_ancestor(git: Git, *, ancestor: str, of: str) -> bool:
    """Whether one commit is reachable from another."""
    done = git.run("merge-base", "--is-ancestor", ancestor, of)
    if done.exit_code not in (0, 1):
        raise failure(("merge-base",), done)
    return done.exit_code == 0


def patch(git: Git, old: str, new: str, *, paths: tuple[str, ...] = ()) -> str:
    """The difference between two commits as a unified diff, renames found; of some paths alone where they are named."""
    form = (
        "-r",
        "-p",
        "--find-renames",
        "--unified=3",
        "--no-color",
        "--no-commit-id",
        "--full-index",
    )
    scope = ("--", *paths) if paths else ()
    found = git.output("diff-tree", *form, "--no-ext-diff", "--no-textconv", old, new, *scope)
    return found.decode("utf-8", "replace")
