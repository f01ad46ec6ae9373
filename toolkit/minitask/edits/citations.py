"""Check the lines that a spec cites in the tree that its task will start from: if they still exist, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from minitask.edits.grammar import parse_script
from minitask.edits.lines import LineHunk, Versions, map_lines
from minitask.edits.script_model import Operation
from minitask.errors import EditError
from minitask.spec.model import FileAction, LineRange
from minitask.spec.rules import diagnose
from minitask.spec.task_names import task_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from minitask.edits.planned_tree import Overlay
    from minitask.spec.file_tree import Files
    from minitask.spec.model import Diagnostic, FileRef, Spec


class Ground(Protocol):
    """The files that specs are checked against: the base's files, and what their line numbers are those of."""

    @property
    def files(self) -> Files:
        """Return the base."""
        ...

    def anchor_of(self, spec: Spec) -> Files | None:
        """Return the tree that a spec's line numbers are those of; None if it is the base."""
        ...

    def new_name(self, spec: Spec, path: str) -> str | None:
        """Return the new name of a file that was renamed since the spec was written; None if it is not known."""
        ...

    def earlier(self, spec: Spec) -> Earlier | None:
        """Return the version of a spec before this one; None if it is the first, or names its anchor."""
        ...

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return where lines that a spec cites are in the base; raise `EditError` if they changed or are gone."""
        ...


class Earlier(Struct, frozen=True):
    """The version of a spec before the present one, with the commit that its line numbers are those of."""

    spec: Spec
    commit: str
    files: Files


class CitationError(EditError):
    """Lines that are cited and are not there any more."""


class Numbering(Struct, frozen=True):
    """Carries the lines that a spec cites from its anchor to the base, and on to what other specs make of that."""

    spec: Spec
    ground: Ground
    state: Overlay

    def __call__(self, path: str, cited: LineRange) -> LineRange:
        """Return where the cited lines are; raise `CitationError` if they changed or are gone."""
        try:
            return self._carried(path, cited)
        except EditError as error:
            raise CitationError(error.message, hint=error.hint) from None

    def _carried(self, path: str, cited: LineRange) -> LineRange:
        author = self.state.author(path)
        if author is not None and self.ground.files.text(path) is None:
            renamed = self.state.old_name(path)
            if renamed is not None:
                return self._carry_lines(renamed, path, cited)
            raise EditError(
                f"lines {cited} of {path} cannot be cited: {_id(author)} creates that file first",
                hint="search for the text instead of citing lines, or name the whole file",
            )
        return self._carry_lines(path, path, cited)

    def _carry_lines(self, path: str, new: str, cited: LineRange) -> LineRange:
        """Carry lines of a file of the base to what is made of it, there or under another name."""
        located = self.ground.locate(self.spec, path, cited)
        if path == new and not self.state.is_touched(path):
            return located
        before, after = self.ground.files.text(path), self.state.text(new)
        if before is None or after is None or before == after:
            return located
        return map_lines(located, versions_of(path, before, after))


def versions_of(path: str, before: str, after: str) -> Versions:
    """Return two texts of a file as lines, with the differences between them."""
    from difflib import SequenceMatcher

    old, new = _lines(before), _lines(after)
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    hunks = tuple(LineHunk(*span) for tag, *span in codes if tag != "equal")
    return Versions(path, old, new, hunks)


def check_citations(spec: Spec, numbering: Numbering, state: Overlay) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each file of which cited lines are not what they were."""
    diagnostics: list[Diagnostic] = []
    for ref in spec.files:
        if ref.ranges and ref.action is not FileAction.CREATE and state.kind(ref.path) == "file":
            diagnostics += _check_ref(spec, ref, numbering, state)
    return tuple(diagnostics)


def _check_ref(
    spec: Spec, ref: FileRef, numbering: Numbering, state: Overlay
) -> Iterator[Diagnostic]:
    """Yield E215 for the first range that cannot be cited, or N216 if it is only read."""
    if not state.is_known(ref.path) and state.base.kind(ref.path) == "file":
        return  # a model changes it first: nobody can tell which lines
    for cited in ref.ranges:
        try:
            numbering(ref.path, cited)
        except EditError as error:
            reads = ref.action is FileAction.READ
            hint = (
                error.hint
                if not reads
                else "the task will see the lines as they are when it starts"
            )
            yield diagnose(
                spec.path,
                ref.line or spec.line_of("files"),
                code="N216" if reads else "E215",
                message=error.message,
                hint=hint,
            )
            return


def check_renumbered(spec: Spec, ground: Ground) -> Iterator[Diagnostic]:
    """Yield W217 if the spec was changed but cites the same lines, which hold other text by now."""
    cited = list(_cited(spec))
    earlier = ground.earlier(spec) if cited else None
    if earlier is None:
        return
    before = {(path, lines) for path, lines, _ in _cited(earlier.spec)}
    now = ground.anchor_of(spec) or ground.files
    for path, lines, line in cited:
        if (path, lines) in before and _at(earlier.files, path, lines) != _at(now, path, lines):
            yield diagnose(
                spec.path,
                line or spec.line_of("files"),
                code="W217",
                message=f"lines {lines} of {path} were other text when the version before of this spec was committed "
                f"({earlier.commit[:12]})",
                hint=f"where the numbers are still that version's, say `anchor: {earlier.commit[:12]}`",
            )
            return


def _cited(spec: Spec) -> Iterator[tuple[str, LineRange, int]]:
    """Yield the ranges that a spec cites, in its lists and its edit script, with their lines."""
    for ref in spec.files:
        if ref.action is not FileAction.CREATE:
            yield from ((ref.path, lines, ref.line) for lines in ref.ranges)
    try:
        edits = parse_script(spec.snippets, source=spec.path).edits
    except EditError:
        return
    for edit in edits:
        for source in edit.sources if isinstance(edit, Operation) else ():
            if source.range is not None:
                yield source.path, source.range, edit.line


def _at(files: Files, path: str, lines: LineRange) -> Sequence[str]:
    return _lines(files.text(path) or "")[lines.start - 1 : lines.end]


def _lines(text: str) -> Sequence[str]:
    lines = [f"{line}\n" for line in text.split("\n")]
    return lines[:-1] if text.endswith("\n") or not text else lines


def _id(spec: Spec) -> str:
    return task_name(spec, siblings=spec.siblings).partition("/")[2]
