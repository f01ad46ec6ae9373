"""Trying an edit script before it runs: each edit that does not fit is reported at its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.apply import apply_edit
from minitask.edits.build import build
from minitask.edits.edit_plan import edit_plan
from minitask.edits.error_location import placed
from minitask.edits.file_set import BaseFiles
from minitask.edits.grammar import paths_written
from minitask.edits.script_model import (
    Change,
    EditScript,
    Locate,
    Operation,
    Reader,
    SearchReplace,
    UnifiedDiff,
    WholeFile,
)
from minitask.errors import EditError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minitask.edits.script_model import Edit


class Trial(Struct, frozen=True):
    """The result of a script, or the edits that do not fit; `unknown` are paths whose outcome cannot be told."""

    changes: tuple[Change, ...] = ()
    problems: tuple[EditError, ...] = ()
    unknown: frozenset[str] = frozenset()


def try_script(
    script: EditScript,
    *,
    read: Reader,
    locate: Locate,
    source: str,
    is_known: Callable[[str], bool] = lambda _path: True,
) -> Trial:
    """Apply a script as `apply_script` does, but go on after a search or diff that does not fit.

    Edits of files whose text is not known are left out.
    """
    made = {edit.path for edit in script.edits if isinstance(edit, WholeFile)}
    left_out = [
        edit
        for edit in script.edits
        if not all(path in made or is_known(path) for path in _paths(edit))
    ]
    tried = EditScript(tuple(edit for edit in script.edits if edit not in left_out))
    unknown = paths_written(EditScript(tuple(left_out)))
    try:
        tree = build(edit_plan(tried, BaseFiles(read, locate), source=source))
    except EditError as error:
        return Trial(problems=(error,))
    problems = []
    for edit in tried.edits:
        if isinstance(edit, SearchReplace | UnifiedDiff):
            try:
                with placed(edit.line, source=source):
                    apply_edit(tree, edit)
            except EditError as error:
                problems.append(error)
    return (
        Trial(tree.changes(), tuple(problems), unknown)
        if not problems
        else Trial((), tuple(problems))
    )


def _paths(edit: Edit) -> frozenset[str]:
    """Return the paths that an edit reads or writes; a whole file needs nothing of what was there."""
    written = paths_written(EditScript((edit,)))
    if isinstance(edit, Operation):
        return written | {source.path for source in edit.sources}
    return written if isinstance(edit, SearchReplace | UnifiedDiff) else frozenset()
