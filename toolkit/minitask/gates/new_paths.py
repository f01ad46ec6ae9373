"""Names of created files that some file system, or a reader, takes for another name."""

from __future__ import annotations

from collections.abc import Iterable

from minitask.edits.script_model import Change
from minitask.gates.candidate import Candidate, find_kind
from minitask.gates.lint_error import printable
from minitask.spec.new_names import find_hidden, find_nested, find_twin


def find_clash(changes: Iterable[Change]) -> str:
    """Return why two paths of a change cannot both be there: one is a file, and a folder of the other; or ""."""
    nested = find_nested(change.path for change in changes if change.content is not None)
    return (
        f"it writes {nested[0]} as a file, and {nested[1]} in a folder of that name"
        if nested
        else ""
    )


def find_bad_name(paths: Iterable[str], *, base: Candidate, candidate: Candidate) -> str:
    """Return why one of the created paths may not be, or ""."""
    return next(filter(None, (_bad_name(path, base, candidate) for path in paths)), "")


def _bad_name(path: str, base: Candidate, candidate: Candidate) -> str:
    hidden = find_hidden(path)
    if hidden:
        return f"it creates {printable(path)}, whose name holds an invisible character ({hidden})"
    twins = find_twin(
        path, names=candidate.names, is_there=lambda here: find_kind(base, here) is not None
    )
    if twins is None:
        return ""
    return f"it creates {twins[0]} beside {twins[1]}: some file systems take both for one file"
