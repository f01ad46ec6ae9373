"""Trees: differences between two, edits, and merges without a checkout."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from minitask.git.objects import TREE, Entry, Objects
from minitask.git.run_git import Git, GitProcess, failure
from minitask.patterns import lazy_pattern

Edits = dict[str, "Edits | Entry | None"]
"""Edits in a folder, by name: a new entry, None to remove it, or edits of a subfolder."""


class Difference(Struct, frozen=True):
    """A path whose entries in two trees differ (None: no entry). Folders are represented by their files."""

    path: str
    old: Entry | None
    new: Entry | None


def differences(objects: Objects, old: str, new: str, *, above: str = "") -> Iterator[Difference]:
    """Yield every path that differs between two trees, in depth-first order."""
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
    """Return the tree with the given entries at their paths (None removes one); empty folders are omitted."""
    edits: Edits = {}
    for path, entry in changes.items():
        *folders, name = path.split("/")
        level = edits
        for folder in folders:
            below = level.get(folder)
            if isinstance(below, Entry) and entry is None:
                break  # a file replaces the folder, with everything below it
            if not isinstance(below, dict):
                below = level[folder] = {}
            level = below
        else:
            if entry is not None or not isinstance(level.get(name), dict):
                level[name] = entry
    return _edited(objects, tree, edits) or objects.write_tree({})


def _edited(objects: Objects, tree: str, edits: Edits) -> str:
    """Return the folder's tree with the edits applied; empty if nothing remains."""
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


class MergeResult(Struct, frozen=True):
    """The id of the merged tree; None with the conflicting paths if there are conflicts."""

    tree: str | None
    conflicts: tuple[str, ...] = ()


def merge_tree(git: Git, *, ours: str, theirs: str) -> MergeResult:
    """Merge two commits without a checkout."""
    args = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs)
    with git.keeping() as aside:
        finished = aside.run(*args)
    parts = finished.stdout.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    if finished.exit_code == 0:
        return MergeResult(parts[0])
    # A bad revision exits with 1 too, but prints no tree.
    if finished.exit_code == 1 and parts[0]:
        return MergeResult(None, tuple(dict.fromkeys(parts[1:])))
    raise failure(args, finished)


def merge_apart(objects: Objects, *, base: str, ours: str, theirs: str) -> str | None:
    """Return the merged tree if every path changed by theirs is unchanged in ours, so that no content is merged.

    All are trees; `base` is the tree of the merge base. None if git must merge: both sides changed a path, or one may
    have moved a folder that the other added files to.
    """
    changes: dict[str, Entry | None] = {}
    for difference in differences(objects, base, theirs):
        base_entry, our_entry = (
            objects.entry_below(tree, difference.path) for tree in (base, ours)
        )
        if base_entry != our_entry or not _has_place(
            objects, difference.path, (base, ours, theirs)
        ):
            return None
        changes[difference.path] = difference.new
    return changed_tree(objects, ours, changes)


def _has_place(objects: Objects, path: str, trees: tuple[str, str, str]) -> bool:
    """Return True if ours still has each folder above the path, unchanged if theirs removed it."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        above = "/".join(parts[:count])
        base, ours, theirs = (_folder(objects.entry_below(tree, above)) for tree in trees)
        if (base or theirs) and ours == FILE:
            return False
        if base and (not ours or (not theirs and base != ours)):
            return False
    return True


def _folder(entry: Entry | None) -> str:
    """Return the entry's tree id, `FILE` for other entries, empty for none."""
    return "" if entry is None else entry.oid if entry.mode == TREE else FILE


class TreeChange(Struct, frozen=True):
    """A path that differs between two trees: status letter, modes, blob ids, lines added and removed.

    The counts are None for binary content.
    """

    status: str
    path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    added: int | None = None
    removed: int | None = None


FILE = "file"
DIFF = (
    "diff-tree",
    *("-r", "-z", "--raw", "--numstat", "--no-renames", "--no-commit-id", "--no-abbrev"),
)


def tree_changes(git: Git, old: str, new: str) -> tuple[TreeChange, ...]:
    """Return every path that differs; a rename is a deletion and an addition."""
    return _parse_changes(git.fields(*DIFF, old, new))


class TreeDiffs:
    """A long-lived git process for `tree_changes`. Thread-safe."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._dialogue = GitProcess(git, *DIFF, "--stdin")
        self._mark = f"end-{os.urandom(16).hex()}\n".encode()

    def changes(self, old: str, new: str) -> tuple[TreeChange, ...]:
        """Return every path that differs between two trees, given by id.

        Git echoes the marker line, which names no object, and flushes its output with it.
        """
        head = f"{old} {new}\n".encode()
        answer = self._dialogue.ask(head + self._mark, end=self._mark)
        if answer is None or not answer.startswith(head):
            return tree_changes(self._git, old, new)
        text = answer[len(head) : -len(self._mark)].decode("utf-8", "surrogateescape")
        return _parse_changes(text.rstrip("\0").split("\0") if text else [])

    def close(self) -> None:
        """End the process."""
        self._dialogue.close()


def _parse_changes(fields: Sequence[str]) -> tuple[TreeChange, ...]:
    """Parse the output of `DIFF`: raw entries, then line counts."""
    end = next(
        (at for at in range(0, len(fields), 2) if not fields[at].startswith(":")), len(fields)
    )
    raw, counted = fields[:end], fields[end:]
    counts = dict(_counts(field) for field in counted)
    changes = []
    for header, path in zip(raw[::2], raw[1::2], strict=True):
        old_mode, new_mode, old_oid, new_oid, status = header.lstrip(":").split(" ")
        added, removed = counts.get(path, (None, None))
        change = (status[0], path, old_mode, new_mode, old_oid, new_oid, added, removed)
        changes.append(TreeChange(*change))
    return tuple(changes)


def _counts(field: str) -> tuple[str, tuple[int | None, int | None]]:
    """Parse a line of `--numstat`; a binary file has dashes for counts."""
    added, removed, path = field.split("\t", 2)
    return path, (int(added), int(removed)) if added != "-" else (None, None)


def is_ancestor(git: Git, *, ancestor: str, of: str) -> bool:
    """Return True if `ancestor` is reachable from `of`."""
    finished = git.run("merge-base", "--is-ancestor", ancestor, of)
    if finished.exit_code not in (0, 1):
        raise failure(("merge-base",), finished)
    return finished.exit_code == 0


def merge_base(git: Git, first: str, second: str) -> str | None:
    """Return the best common ancestor of two commits; None if they have none."""
    finished = git.run("merge-base", first, second)
    return finished.stdout.decode().strip() or None


_PAIR = lazy_pattern(r"^([0-9a-f]{40,64}) ([0-9a-f]{40,64})\n", re.MULTILINE)
PATCH = (
    "diff-tree",
    *("-r", "-p", "--find-renames", "--unified=3", "--no-color", "--no-commit-id", "--full-index"),
    *("--no-ext-diff", "--no-textconv"),
)


def patch(git: Git, old: str, new: str, *, paths: tuple[str, ...] = ()) -> str:
    """Return a unified diff of two commits, with renames detected; `paths` limits it."""
    scope = ("--", *paths) if paths else ()
    return git.output(*PATCH, old, new, *scope).decode("utf-8", "replace")


def patches(git: Git, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the unified diffs of pairs of trees, by one process; unreadable pairs are omitted.

    A file above one megabyte counts as binary.
    """
    lines = "".join(f"{old} {new}\n" for old, new in dict.fromkeys(pairs)).encode()
    small = git.with_setting("core.bigFileThreshold", "1m")
    output = small.run(*PATCH, "--stdin", stdin=lines).stdout if lines else b""
    _, *parts = _PAIR.split(output.decode("utf-8", "replace"))
    return {
        (old, new): diff
        for old, new, diff in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }
