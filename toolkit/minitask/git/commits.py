"""Writing commits without a checkout or a git process, in a few milliseconds whatever the repository's size.

A commit's tree is given by its base and the changes to it, or as the id of a tree that exists. Each commit is written
under a ref of its own, so that nothing stays unreachable.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from msgspec import Struct

from minitask.errors import MachineError, MissingObjectError
from minitask.git.database import Database
from minitask.git.identity import Signature
from minitask.git.objects import Entry, Objects
from minitask.git.refs import Move, zeros
from minitask.git.trees import changed_tree

WAITS = (0.01, 0.05, 0.2, 0.5)
"""Seconds before a move of refs is tried again."""


class FileWrite(Struct, frozen=True):
    """New content of a path, with its git mode; content None deletes the path."""

    path: str
    content: bytes | None
    mode: str = "100644"


class NewCommit(Struct, frozen=True):
    """A commit to write. `parents` are ids.

    With `tree` the whole tree is that one, else the first parent's; `writes` then apply on top of it. `signature` is
    the header that signs the rest, as `signing.Signer` makes it.
    """

    ref: str
    message: str
    author: Signature
    committer: Signature
    parents: tuple[str, ...]
    writes: tuple[FileWrite, ...] = ()
    tree: str | None = None
    signature: str = ""

    def content(self, tree: str) -> bytes:
        """Return the commit as git keeps it, with the id of its root tree."""
        parents = "".join(f"parent {parent}\n" for parent in self.parents)
        people = f"author {self.author}\ncommitter {self.committer}"
        text = f"tree {tree}\n{parents}{people}{self.signature}\n\n{self.message}"
        return text.encode("utf-8", "surrogateescape")


def write_commits(
    database: Database, commits: Sequence[NewCommit], *, force: bool = False
) -> tuple[str, ...]:
    """Write the commits, move their refs forward, all or none, and give their ids in order.

    A ref that is neither missing nor at a parent of its new commit does not move, and the call fails: a
    compare-and-swap. `force` moves it anyway. What `git gc` or `git pack-refs` hold or remove meanwhile is tried again.
    """
    for seconds in (*WAITS, None):
        moves = [_written(database, commit, force=force) for commit in commits]
        try:
            if not moves or database.refs.move(moves):
                if database.new_objects is not None:
                    database.new_objects.look()
                return tuple(move.new for move in moves)
        except MissingObjectError:  # pruned before a ref held it
            if seconds is None:
                raise
        if seconds is not None:
            time.sleep(seconds)
    raise _overtaken(commits[0].ref)


def _written(database: Database, commit: NewCommit, *, force: bool) -> Move:
    """Write a commit; the move of its ref."""
    oid = write_commit(database.objects, commit)
    if force:
        return Move(commit.ref, oid)
    current = database.objects.commit(commit.ref)
    if current not in (None, oid, *commit.parents):
        raise _overtaken(commit.ref)
    return Move(commit.ref, oid, current or zeros(database.object_format))


def write_commit(objects: Objects, commit: NewCommit) -> str:
    """Write a commit and what it holds; its id. Nothing refers to it yet."""
    tree = write_tree(objects, commit)
    return objects.write_commit(commit.content(tree), tree=tree)


def write_tree(objects: Objects, commit: NewCommit) -> str:
    """Write what a commit holds; the id of its root tree."""
    tree = commit.tree
    if tree is None:
        tree = objects.tree_of(commit.parents[0]) if commit.parents else ""
    if commit.writes or not tree:
        written = {write.path: _entry(objects, write) for write in commit.writes}
        tree = changed_tree(objects, tree, written)
    return tree


def _entry(objects: Objects, write: FileWrite) -> Entry | None:
    if write.content is None:
        return None
    return Entry(write.mode, objects.write_blob(write.content))


def _overtaken(ref: str) -> MachineError:
    return MachineError(
        f"{ref} was moved by another process meanwhile", hint="run the same command again"
    )
