"""Find the agent's change in the files that it left: not what its start or its editor changed."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import basename

from msgspec.structs import replace

from minitask.edits.script_model import Change, Reader
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_EMPTY_NAMES = frozenset(
    {
        *("__init__.py", "__init__.pyi", ".gitkeep", ".keep", ".nojekyll", "py.typed"),
        *("conftest.py", ".npmignore"),
    }
)
"""Files that are there for their name alone."""
_SAYS_EMPTY = lazy_pattern(r"\b(?:empty|blank|touch|zero[- ]byte|placeholder|stub|marker)\b", 2)
_SAYS_LINE_ENDS = lazy_pattern(r"\bcrlf\b|line[- ]end|newlines|\bdos2unix\b|\bLF\b")


def agent_changes(changes: Iterable[Change], *, spec: Spec, read: Reader) -> tuple[Change, ...]:
    """Return the changes that are the agent's work.

    A file that it was started with, and left empty, was not created. Line ends that changed in all of a file are put
    back, unless the spec speaks of them.
    """
    own_changes = []
    for change in changes:
        base = read(change.path)
        if base is None and change.content == "" and not may_be_empty(spec, change.path):
            continue
        restored = change if _speaks_of_line_ends(spec) else _with_line_ends(change, base)
        if restored.content != base or restored.executable:
            own_changes.append(restored)
    return tuple(own_changes)


def may_be_empty(spec: Spec, path: str) -> bool:
    """Return True if a created file may well have nothing in it."""
    if basename(path) in _EMPTY_NAMES:
        return True
    notes = (ref.note for ref in spec.files if ref.path == path)
    criteria = (criterion.text for criterion in spec.criteria)
    return any(map(_SAYS_EMPTY.search, (spec.title, spec.task, *criteria, *notes)))


def _with_line_ends(change: Change, base: str | None) -> Change:
    """Return the change with the line ends of its base, where all of them are others."""
    if base is None or change.content is None:
        return change
    old, new = _line_end(base), _line_end(change.content)
    if not old or not new or old == new:
        return change
    return replace(change, content=change.content.replace(new, old))


def _line_end(text: str) -> str:
    """Return what ends every line of a text; empty for none, or for more than one form."""
    every, windows = text.count("\n"), text.count("\r\n")
    if not every or "\0" in text:
        return ""
    return "\r\n" if windows == every else "" if windows else "\n"


def _speaks_of_line_ends(spec: Spec) -> bool:
    criteria = (criterion.text for criterion in spec.criteria)
    return any(map(_SAYS_LINE_ENDS.search, (spec.title, spec.task, *criteria)))
