"""Apply an edit script to file contents: all of it, or nothing."""

from __future__ import annotations

from minitask.edits.build import build
from minitask.edits.edit_plan import edit_plan
from minitask.edits.error_location import placed
from minitask.edits.file_set import BaseFiles, EditedFiles
from minitask.edits.script_model import (
    Change,
    EditScript,
    Locate,
    Reader,
    SearchReplace,
    UnifiedDiff,
)


def apply_script(
    script: EditScript, *, read: Reader, locate: Locate | None = None, source: str = ""
) -> tuple[Change, ...]:
    """Return what differs from the base once the script is applied, sorted by path.

    `read` gives a path's content, or `None` where there is no such file; `locate` carries cited
    lines to where they are in it; `source` names the script's Markdown in errors. Raises
    `EditError` if anything does not fit exactly.
    """
    tree = build(edit_plan(script, BaseFiles(read, locate), source=source))
    for edit in script.edits:
        if isinstance(edit, SearchReplace | UnifiedDiff):
            with placed(edit.line, source=source):
                apply_edit(tree, edit)
    return tree.changes()


def apply_edit(tree: EditedFiles, edit: SearchReplace | UnifiedDiff) -> None:
    """Apply one search or diff to what a script has built; raise `EditError` if it does not fit."""
    if isinstance(edit, UnifiedDiff):
        from minitask.edits.patch import apply_diff

        apply_diff(tree, edit.text)
    else:
        from minitask.edits.match import replaced

        tree.put(edit.path, replaced(tree.text(edit.path), edit))
