"""Apply an edit script (whole files, renames, and lines copied, moved and deleted): all of it, or nothing.

Whole files and operations are resolved against the base, and checked, as a plan. Every line number is the base's, so
the order of operations matters only if two insert at the same position.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise

from msgspec import Struct, field

from minitask.edits.lines import CRLF, LF, Text, adopt, ended, parse_text, reindented, text_of
from minitask.edits.script_model import (
    BaseFiles,
    Change,
    EditedFiles,
    EditScript,
    Locate,
    Operation,
    Reader,
    SearchReplace,
    UnifiedDiff,
    Verb,
    WholeFile,
    placed,
)
from minitask.errors import EditError
from minitask.spec.model import LineRange


class Cut(Struct, frozen=True):
    """Lines `start` to `end` (1-based, inclusive) of a base file that an operation names.

    `whole`: it named the file without lines; the cut of an empty file ends at 0.
    """

    path: str
    start: int
    end: int
    whole: bool
    operation: Operation


class PlacedLines(Struct, frozen=True):
    """Lines to insert into a file: after base line `after`, or at the end if it is `None`."""

    lines: tuple[str, ...]
    eol: str
    bom: bool
    after: int | None
    cuts: tuple[Cut, ...]


class EditPlan(Struct, frozen=True):
    """The plan of the result: contents, renames (new path → old), removals and insertions."""

    base: BaseFiles
    source: str
    wholes: dict[str, WholeFile] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    removed: dict[str, list[Cut]] = field(default_factory=dict)
    gone: dict[str, Operation] = field(default_factory=dict)
    pieces: dict[str, list[PlacedLines]] = field(default_factory=dict)

    def origin(self, path: str) -> str:
        """Return the base path of the file that will be at `path`."""
        return self.renames.get(path, path)

    def leaves(self, path: str) -> bool:
        """Return True if the base's file at `path` is renamed or removed."""
        return path in self.gone or path in self.renames.values()

    def placed(self, edit: Operation | WholeFile) -> AbstractContextManager[None]:
        """Return a context that adds the edit's position to errors."""
        return placed(edit.line, source=self.source)


def edit_plan(script: EditScript, base: BaseFiles, *, source: str = "") -> EditPlan:
    """Return the plan; raise `EditError` for edits that contradict each other or the base."""
    layout = EditPlan(base, source)
    operations = [edit for edit in script.edits if isinstance(edit, Operation)]
    _add_wholes(layout, script)
    for operation in operations:
        with layout.placed(operation):
            _add_rename(layout, operation)
    cuts = [_cuts(layout, operation) for operation in operations]
    removing = (Verb.MOVE, Verb.DELETE)
    _add_removals(
        layout, [cut for group in cuts for cut in group if cut.operation.verb in removing]
    )
    for operation, group in zip(operations, cuts, strict=True):
        with layout.placed(operation):
            _add_piece(layout, operation, group)
    _check_inserts(layout)
    return layout


def _add_wholes(layout: EditPlan, script: EditScript) -> None:
    begun: dict[str, Operation] = {}
    for edit in script.edits:
        if isinstance(edit, Operation) and edit.target is not None and edit.verb is not Verb.RENAME:
            begun.setdefault(edit.target, edit)
        elif isinstance(edit, WholeFile):
            with layout.placed(edit):
                _check_whole(layout, edit, begun)
            layout.wholes[edit.path] = edit


def _check_whole(layout: EditPlan, edit: WholeFile, begun: Mapping[str, Operation]) -> None:
    if edit.path in layout.wholes:
        raise EditError(f"{edit.path} is written whole twice", hint="keep one of the two")
    if edit.path in begun:
        verb = begun[edit.path].verb
        hint = "put the whole file above the operations that add to it"
        raise EditError(f"{edit.path} is written whole below a {verb} into it", hint=hint)


def _add_rename(layout: EditPlan, operation: Operation) -> None:
    if operation.verb is not Verb.RENAME or operation.target is None:
        return
    old, new = operation.sources[0].path, operation.target
    layout.base.require(old)
    if layout.base.text(new) is not None:
        message = f"cannot rename {old} to {new}, which exists"
        raise EditError(message, hint="rename to a path that is free")
    if layout.leaves(old) or new in layout.renames:
        message = f"{old if layout.leaves(old) else new} is renamed twice"
        raise EditError(message, hint="keep one of the two")
    layout.renames[new] = old


def _cuts(layout: EditPlan, operation: Operation) -> tuple[Cut, ...]:
    if operation.verb is Verb.RENAME:
        return ()
    with layout.placed(operation):
        cuts = []
        for source in operation.sources:
            path = layout.origin(source.path)
            size = len(layout.base.require(path).lines)
            lines = layout.base.lines_at(path, source.range) if source.range else LineRange(1, size)
            cuts.append(Cut(path, lines.start, lines.end, source.range is None, operation))
        return tuple(cuts)


def _add_removals(layout: EditPlan, cuts: Sequence[Cut]) -> None:
    ordered = sorted(cuts, key=lambda cut: (cut.path, cut.start, not cut.whole))
    for first, second in pairwise(ordered):
        if first.path == second.path and (first.whole or second.start <= first.end):
            _refuse_overlap(layout, first, second)
    for cut in cuts:
        if cut.whole:
            with layout.placed(cut.operation):
                _check_gone(layout, cut)
            layout.gone[cut.path] = cut.operation
        else:
            layout.removed.setdefault(cut.path, []).append(cut)


def _refuse_overlap(layout: EditPlan, first: Cut, second: Cut) -> None:
    late = max(first, second, key=lambda cut: cut.operation.line)
    numbers = " and ".join(str(n) for n in sorted({first.operation.line, second.operation.line}))
    noun = "lines" if " " in numbers else "line"
    with layout.placed(late.operation):
        raise EditError(
            f"{_span(first)} and {_span(second)} of {first.path} are both removed,"
            f" by script {noun} {numbers}",
            hint="remove a line once; `copy` takes lines without removing them",
        )


def _span(cut: Cut) -> str:
    return "all lines" if cut.whole else f"lines {LineRange(cut.start, cut.end)}"


def _check_gone(layout: EditPlan, cut: Cut) -> None:
    if cut.path in layout.renames.values():
        raise EditError(f"{cut.path} is both renamed and removed", hint="keep one of the two")
    if cut.path in layout.wholes and cut.operation.verb is Verb.DELETE:
        raise EditError(f"{cut.path} is both written whole and deleted", hint="keep one of the two")


def _add_piece(layout: EditPlan, operation: Operation, cuts: Sequence[Cut]) -> None:
    if operation.target is None or operation.verb is Verb.RENAME:
        return
    target = operation.target
    if layout.leaves(target) and target not in layout.wholes:
        message = f"{target} goes away and cannot take lines"
        raise EditError(message, hint="name the path that it is renamed to, or another file")
    texts = [layout.base.require(cut.path) for cut in cuts]
    eol = next((text.eol for text in texts if text.eol), "")
    joined: list[str] = []
    for cut, text in zip(cuts, texts, strict=True):
        adopted = adopt(text.lines[cut.start - 1 : cut.end], had=text.eol, eol=eol)
        joined = [*ended([*joined, ""], eol or LF)[:-1], *adopted]
    lines = reindented(joined, indent=operation.indent, dedent=operation.dedent)
    bom = cuts[0].whole and texts[0].bom
    piece = PlacedLines(lines, eol, bom, _insertion(layout, operation, target), tuple(cuts))
    layout.pieces.setdefault(target, []).append(piece)


def _insertion(layout: EditPlan, operation: Operation, target: str) -> int | None:
    """Return the base line to insert after: 0 for the top, `None` for the end."""
    if not operation.after:
        return operation.after
    path = layout.origin(target)
    if target in layout.wholes or layout.base.text(path) is None:
        why = "is written whole" if target in layout.wholes else "is new"
        message = f"cannot insert after line {operation.after} of {target}, which {why}"
        hint = "append to it (`-> DST`) or put the lines at its top (`-> DST:0`)"
        raise EditError(message, hint=hint)
    return layout.base.lines_at(path, LineRange(operation.after, operation.after)).end


def _check_inserts(layout: EditPlan) -> None:
    pieces = ((target, piece) for target, group in layout.pieces.items() for piece in group)
    for target, piece in pieces:
        for cut in layout.removed.get(layout.origin(target), ()) if piece.after else ():
            if cut.start <= (piece.after or 0) < cut.end:
                _refuse_insert(layout, target, piece, cut)


def _refuse_insert(layout: EditPlan, target: str, piece: PlacedLines, cut: Cut) -> None:
    inserting, removing = piece.cuts[0].operation, cut.operation
    with layout.placed(inserting):
        message = (
            f"lines are inserted after line {piece.after} of {target}, inside {_span(cut)},"
            f" which script line {removing.line} removes"
        )
        raise EditError(message, hint="insert before or after the removed lines")


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
    if whole is None and base_text is not None:
        chunks = _edited(layout, origin, pieces, eol)
    else:
        own = adopt(whole.lines, had=whole.eol, eol=eol) if whole is not None else ()
        chunks = [*_inserted(pieces, 0, eol), own]
    lines = [line for chunk in (*chunks, *_inserted(pieces, None, eol)) for line in chunk]
    bom = any(text.bom for text in (base_text, whole) if text)
    first_of_new = base_text is None and whole is None and pieces[0].bom
    return text_of(lines, eol=eol, bom=bom or first_of_new)


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
) -> list[tuple[str, ...]]:
    """Return the base's lines without the removed ones and with the inserted ones."""
    text = layout.base.require(origin)
    cuts = layout.removed.get(origin, ())
    removed = {number for cut in cuts for number in range(cut.start, cut.end + 1)}
    chunks = [*_inserted(pieces, 0, eol)]
    inserting = {piece.after for piece in pieces}
    for number, line in enumerate(text.lines, 1):
        if number not in removed:
            chunks.append((line,))
        if number in inserting:
            chunks += _inserted(pieces, number, eol)
    return chunks


def _inserted(
    pieces: Iterable[PlacedLines], after: int | None, eol: str
) -> Iterator[tuple[str, ...]]:
    """Yield the lines to insert below a line, or at the end."""
    chosen = (piece for piece in pieces if piece.after == after)
    return (adopt(piece.lines, had=piece.eol, eol=eol) for piece in chosen)


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
