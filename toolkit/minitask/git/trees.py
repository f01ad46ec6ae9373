"""Trees as values: what differs between two, and a tree with some paths changed.

Only what differs is read, and only what changes is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from minitask.git.objects import TREE, Entry, Objects

Edits = dict[str, "Edits | Entry | None"]
"""Names in a folder: what is to stand there, nothing (None), or what is to change below."""


class Difference(Struct, frozen=True):
    """A path at which two trees hold different things, None for nothing. Folders are told by their files."""

    path: str
    old: Entry | None
    new: Entry | None


def differences(objects: Objects, old: str, new: str, *, above: str = "") -> Iterator[Difference]:
    """Yield every path that differs between two trees, a folder's before what comes after it."""
    if old == new:
        return
    before = objects.entries(old) if old else {}
    after = objects.entries(new) if new else {}
    for name in sorted(before.keys() | after.keys()):
        old_entry, new_entry = before.get(name), after.get(name)
        if old_entry == new_entry:
            continue
        folders = [
            entry.oid if entry and entry.mode == TREE else "" for entry in (old_entry, new_entry)
        ]
        if any(folders):
            yield from differences(objects, *folders, above=f"{above}{name}/")
        old_entry, new_entry = (
            None if entry and entry.mode == TREE else entry for entry in (old_entry, new_entry)
        )
        if old_entry or new_entry:
            yield Difference(f"{above}{name}", old_entry, new_entry)


def changed_tree(objects: Objects, tree: str, changes: Mapping[str, Entry | None]) -> str:
    """Return the tree with each path as given, None to have nothing there; a folder that comes to be empty is left
    out.
    """
    edits: Edits = {}
    for path, entry in changes.items():
        *folders, name = path.split("/")
        level = edits
        for folder in folders:
            below = level.get(folder)
            if isinstance(below, Entry) and entry is None:
                break  # a folder that makes way for a file takes all below it along
            if not isinstance(below, dict):
                below = level[folder] = {}
            level = below
        else:
            if entry is not None or not isinstance(level.get(name), dict):
                level[name] = entry
    return _edited(objects, tree, edits) or objects.write_tree({})


def _edited(objects: Objects, tree: str, edits: Edits) -> str:
    """Return the folder's tree with the edits; empty if nothing is left in it."""
    entries = dict(objects.entries(tree)) if tree else {}
    for name, edit in edits.items():
        entry = edit
        if isinstance(edit, dict):
            old_entry = entries.get(name)
            is_folder = old_entry is not None and old_entry.mode == TREE
            below = _edited(objects, old_entry.oid if old_entry and is_folder else "", edit)
            entry = Entry(TREE, below) if below else None if is_folder else old_entry
        if isinstance(entry, Entry):
            entries[name] = entry
        else:
            entries.pop(name, None)
    return objects.write_tree(entries) if entries else ""
