"""Apply an edit script (whole files, renames, and lines copied, moved and deleted): all of it, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from minitask.edits.edit_plan import EditPlan, PlacedLines, edit_plan
from minitask.edits.lines import CRLF, LF, Text, adopt, ended, parse_text, text_of
from minitask.edits.script_model import (
    BaseFiles,
    Change,
    EditedFiles,
    EditScript,
    Locate,
    Reader,
    SearchReplace,
    UnifiedDiff,
    Verb,
    placed,
)


def build(layout: EditPlan) -> EditedFiles:
    """Return the file tree to which searches and diffs then apply."""
    tree = EditedFiles(layout.base)
    texts = {path: _assembled(layout, path) for path in _written(layout)}
    for path in (*layout.gone, *layout.renames.values()):
        tree.drop(path)
    for path, text in texts.items():
        tree.put(path, text, mode_from=_mode_from(layout, path))
    return tree


def _written(layout: EditPlan) -> set[str]:
    """Return the paths whose content the script writes."""
    moved = {old: new for new, old in layout.renames.items()}
    thinned = {moved.get(path, path) for path in layout.removed if path not in layout.gone}
    return {*layout.wholes, *layout.renames, *layout.pieces, *thinned}


def _assembled(layout: EditPlan, path: str) -> Text:
    origin = layout.origin(path)
    base_text = layout.base.text(origin)
    pieces = layout.pieces.get(path, [])
    if base_text is not None and not (pieces or path in layout.wholes or origin in layout.removed):
        return base_text
    whole = parse_text(layout.wholes[path].content) if path in layout.wholes else None
    eol = _eol(base_text, whole, pieces)
    if whole is not None:
        body = _around(adopt(whole.lines, had=whole.eol, eol=eol), pieces, eol)
    elif base_text is not None:
        body = _edited(layout, origin, pieces, eol)
    else:
        body = _around((), pieces, eol)
    bom = any(text.bom for text in (base_text, whole) if text)
    first_of_new = base_text is None and whole is None and pieces[0].bom
    return text_of(_joined([body, *_appended(pieces, eol)], eol), eol=eol, bom=bom or first_of_new)


def _eol(base_text: Text | None, whole: Text | None, pieces: Sequence[PlacedLines]) -> str:
    """Return the line end of the file to be built.

    A whole file in LF gets the line end of the file it replaces, or of the lines moved into it: Markdown cannot carry
    CRLF, so LF there does not show the author's intent.
    """
    if whole and whole.eol == CRLF:
        return CRLF
    eols = [base_text.eol if base_text else "", *(piece.eol for piece in pieces)]
    return next((eol for eol in eols if eol), LF)


def _edited(
    layout: EditPlan, origin: str, pieces: Sequence[PlacedLines], eol: str
) -> tuple[str, ...]:
    """Return the base's lines without the removed ones and with the inserted ones."""
    text = layout.base.require(origin)
    cuts = layout.removed.get(origin, ())
    removed = {number for cut in cuts for number in range(cut.start, cut.end + 1)}
    chunks = [_inserted(pieces, 0, eol)]
    inserting = {piece.after for piece in pieces}
    for number, line in enumerate(text.lines, 1):
        if number not in removed:
            chunks.append((line,))
        if number in inserting:
            chunks.append(_inserted(pieces, number, eol))
    return _joined(chunks, eol)


def _around(lines: Sequence[str], pieces: Sequence[PlacedLines], eol: str) -> tuple[str, ...]:
    return _joined([_inserted(pieces, 0, eol), lines], eol)


def _inserted(pieces: Iterable[PlacedLines], after: int, eol: str) -> tuple[str, ...]:
    chosen = (piece for piece in pieces if piece.after == after)
    return _joined((adopt(piece.lines, had=piece.eol, eol=eol) for piece in chosen), eol)


def _appended(pieces: Iterable[PlacedLines], eol: str) -> Iterator[tuple[str, ...]]:
    chosen = (piece for piece in pieces if piece.after is None)
    return (adopt(piece.lines, had=piece.eol, eol=eol) for piece in chosen)


def _joined(chunks: Iterable[Sequence[str]], eol: str) -> tuple[str, ...]:
    """Return the lines of all chunks, with a line end on each but the last."""
    return ended([line for chunk in chunks for line in chunk], eol)


def _mode_from(layout: EditPlan, path: str) -> str | None:
    """Return the path whose mode the file inherits: the only file that was renamed, copied or moved to it whole."""
    if path in layout.renames:
        return layout.renames[path]
    if path in layout.wholes or layout.base.text(path) is not None:
        return None
    cuts = [cut for piece in layout.pieces.get(path, ()) for cut in piece.cuts]
    alone = len(cuts) == 1 and cuts[0].whole and cuts[0].operation.verb in (Verb.COPY, Verb.MOVE)
    return cuts[0].path if alone else None


def apply_script(
    script: EditScript, *, read: Reader, locate: Locate | None = None, source: str = ""
) -> tuple[Change, ...]:
    """Return the changes that a script makes to the base, sorted by path.

    `read` returns a path's content, or `None` if there is no such file; `locate` maps cited lines to their present
    position; `source` names the script's Markdown in errors. Raises `EditError` if anything does not fit exactly.
    """
    tree = build(edit_plan(script, BaseFiles(read, locate), source=source))
    for edit in script.edits:
        if isinstance(edit, SearchReplace | UnifiedDiff):
            with placed(edit.line, source=source):
                apply_edit(tree, edit)
    return tree.changes()


def apply_edit(tree: EditedFiles, edit: SearchReplace | UnifiedDiff) -> None:
    """Apply a search or diff to the tree that a script has built; raise `EditError` if it does not fit."""
    if isinstance(edit, UnifiedDiff):
        from minitask.edits.diff import apply_diff

        apply_diff(tree, edit.text)
    else:
        from minitask.edits.match import replaced

        tree.put(edit.path, replaced(tree.text(edit.path), edit))
