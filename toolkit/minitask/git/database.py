"""A repository's objects and refs, read and written through git processes that stay open and files of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from minitask.git.loose import LooseStore
from minitask.git.merge_tree import TreeDiffs
from minitask.git.objects import Objects, open_objects
from minitask.git.refs import RefUpdates
from minitask.git.repository import Repository


class Database(Struct, frozen=True):
    """Objects, refs and the differences of trees. Safe to share between threads."""

    objects: Objects
    refs: RefUpdates
    diffs: TreeDiffs
    object_format: str


@contextmanager
def open_database(repository: Repository) -> Iterator[Database]:
    """Return a repository's database, whose processes end with the `with` block."""
    git, form = repository.git, repository.object_format
    store = LooseStore(repository.objects_dir, form)
    with ExitStack() as stack:
        objects = stack.enter_context(open_objects(git, store=store))
        refs, diffs = RefUpdates(git, repository.common_dir), TreeDiffs(git)
        stack.callback(refs.close)
        stack.callback(diffs.close)
        yield Database(objects, refs, diffs, form)
