"""Resolve a script's whole files and operations against the base, and check them.

Every line number is the base's, so the order of operations matters only if two insert at the same position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise

from msgspec import Struct, field

from minitask.edits.lines import LF, adopt, ended, reindented
from minitask.edits.script_model import BaseFiles, EditScript, Operation, Verb, WholeFile, placed
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
