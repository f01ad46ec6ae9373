"""A repository's objects and refs, read and written through git processes that stay open and files of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct

from minitask.git.kept_objects import KeptObjects
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
    new_objects: KeptObjects | None = None


@contextmanager
def open_database(repository: Repository) -> Iterator[Database]:
    """Return a repository's database, whose processes end with the `with` block."""
    git, form = repository.git, repository.object_format
    store = git.store or LooseStore(repository.objects_dir, form)
    with ExitStack() as stack:
        new_objects = None
        if store.spare is not None:
            store.spare.mkdir(exist_ok=True)
            new_objects = KeptObjects(git, store, store.spare)
            new_objects.restore()
            stack.callback(new_objects.restore)
        objects = stack.enter_context(open_objects(git, store=store))
        refs, diffs = RefUpdates(git, repository.common_dir), TreeDiffs(git)
        stack.callback(refs.close)
        stack.callback(diffs.close)
        yield Database(objects, refs, diffs, form, new_objects)
