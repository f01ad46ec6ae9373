"""What is wrong with a merge that git makes line by line, though both of its sides are right.

One side renames what the other one uses, deletes a module that it imports, or adds a definition or a key that it adds,
too. Only faults that neither the candidate nor the target has count.
"""

from __future__ import annotations

from minitask.edits.script_model import Change
from minitask.engine.context import Context
from minitask.gates.grammars import IMPORTING, JUDGED, suffix_of
from minitask.gates.lint import find_merge_faults
from minitask.gates.result import CommitFiles
from minitask.spec.model import Spec

MOST_FILES = 200
"""A change of more files is not read."""


def faults_of_merge(engine: Context, *, candidate: str, tip: str, tree: str) -> tuple[str, ...]:
    """Return the faults of the tree that a candidate and a tip of the target come to, each with its place."""
    objects = engine.objects
    base, made = objects.commit(f"{candidate}^1"), objects.tree_of(candidate)
    if base is None or tree == made:
        return ()
    old, moved = objects.tree_of(base), objects.tree_of(tip)
    faults = {
        fault: place
        for side in (old, moved)
        for place, fault in _faults(engine, old=side, new=tree)
    }
    sides = (made, moved) if faults else ()
    had = {fault for side in sides for _, fault in _faults(engine, old=old, new=side)}
    return tuple(place for fault, place in faults.items() if fault not in had)


def _faults(engine: Context, *, old: str, new: str) -> list[tuple[str, str]]:
    """Return the faults of the change between two trees, each as it is shown and without its line."""
    objects = engine.objects
    entries = [
        entry
        for entry in engine.database.diffs.changes(old, new)
        if suffix_of(entry.path) in JUDGED | IMPORTING
    ]
    if not entries or len(entries) > MOST_FILES:
        return []
    changes = [Change(entry.path, objects.file(new, entry.path)) for entry in entries]
    faults = find_merge_faults(
        changes,
        read=lambda path: objects.file(old, path),
        spec=Spec("", "", ""),  # what a spec excuses, it excuses on either side
        candidate=CommitFiles(objects, engine.repository.git, new),
    )
    return [
        (f"{fault.path}:{fault.line} ({fault.message})", f"{fault.path}: {fault.message}")
        for fault in faults
    ]
