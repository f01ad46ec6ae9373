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
    """Every path that differs between two trees, a folder's before what comes after it."""
    if old == new:
        return
    before = objects.entries(old) if old else {}
    after = objects.entries(new) if new else {}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one == other:
            continue
        folders = [entry.oid if entry and entry.mode == TREE else "" for entry in (one, other)]
        if any(folders):
            yield from differences(objects, *folders, above=f"{above}{name}/")
        one, other = (None if entry and entry.mode == TREE else entry for entry in (one, other))
        if one or other:
            yield Difference(f"{above}{name}", one, other)


def changed_tree(objects: Objects, tree: str, changes: Mapping[str, Entry | None]) -> str:
    """Return the tree with each path as given, None to have nothing there; a folder that comes to be empty is left
    out.
    """
    edits: Edits = {}
    for path, entry in changes.items():
        *folders, name = path.split("/")
        here = edits
        for folder in folders:
            below = here.get(folder)
            if isinstance(below, Entry) and entry is None:
                break  # a folder that makes way for a file takes all below it along
            if not isinstance(below, dict):
                below = here[folder] = {}
            here = below
        else:
            if entry is not None or not isinstance(here.get(name), dict):
                here[name] = entry
    return _edited(objects, tree, edits) or objects.write_tree({})


def _edited(objects: Objects, tree: str, edits: Edits) -> str:
    """Return the folder's tree with the edits; empty if nothing is left in it."""
    entries = dict(objects.entries(tree)) if tree else {}
    for name, edit in edits.items():
        found = edit
        if isinstance(edit, dict):
            held = entries.get(name)
            is_folder = held is not None and held.mode == TREE
            below = _edited(objects, held.oid if held and is_folder else "", edit)
            found = Entry(TREE, below) if below else None if is_folder else held
        if isinstance(found, Entry):
            entries[name] = found
        else:
            entries.pop(name, None)
    return objects.write_tree(entries) if entries else ""
