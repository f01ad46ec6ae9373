"""Check edit scripts and the lines that a spec cites, before anything runs.

A script's form and scope are checked, and each edit is tried. Cited lines are looked up in the tree from which the task
will start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from minitask.edits.apply_script import apply_edit, build, edit_plan
from minitask.edits.fences import quote
from minitask.edits.grammar import covers, parse_script, paths_written, script_of
from minitask.edits.lines import LineHunk, Versions, map_lines
from minitask.edits.related_specs import Overlay
from minitask.edits.script_model import (
    BaseFiles,
    Change,
    Edit,
    EditScript,
    Locate,
    Operation,
    Reader,
    SearchReplace,
    UnifiedDiff,
    WholeFile,
    placed,
)
from minitask.errors import EditError
from minitask.spec.dependency_graph import task_name
from minitask.spec.model import (
    Diagnostic,
    FileAction,
    FileRef,
    Files,
    LineRange,
    Problem,
    Spec,
    Tier,
)
from minitask.spec.template import find_placeholders


def check_script(spec: Spec) -> tuple[Diagnostic, ...]:
    """Check the edit script against the files that the spec lists; no diagnostics if there is no script."""
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError as error:
        line = error.line or spec.line_of("snippets")
        if any(number == line for number, _ in find_placeholders(spec)):
            return ()  # E407 reports the placeholder
        return (Problem(line, "E301", error.message, error.hint).at(spec.path),)
    return (*_check_scope(spec, script), *_check_cover(spec, script)) if script.edits else ()


def is_free(spec: Spec) -> bool:
    """Return True if the spec needs no model: its script writes all listed files, or its tier allows no model."""
    if spec.options.tier is Tier.NONE:
        return True
    return covers(script_of(spec), {ref.path for ref in spec.writes()})


def _check_scope(spec: Spec, script: EditScript) -> Iterator[Diagnostic]:
    allowed = {ref.path for ref in spec.writes()}
    read = {ref.path for ref in spec.reads()}
    for edit in script.edits:
        for path in sorted(paths_written(EditScript((edit,))) - allowed):
            allowed.add(path)
            listed = "lists only to read" if path in read else "does not list"
            message = f"the edit script writes {path}, which the spec {listed}"
            spaced = next((name for name in allowed if name.startswith(f"{path} ")), "")
            hint = "add it to `**Files to Create/Edit**:`, or remove the edit"
            hint = f"write the path in quotes: path={quote(spaced)}" if spaced else hint
            line = edit.line or spec.line_of("snippets")
            yield Problem(line, "E302", message, hint).at(spec.path)


def _check_cover(spec: Spec, script: EditScript) -> Iterator[Diagnostic]:
    required = [ref.path for ref in spec.writes() if not ref.optional]
    if required and not covers(script, required):
        written = paths_written(script)
        missing = ", ".join(dict.fromkeys(path for path in required if path not in written))
        message = f"the edit script leaves {missing} to a model"
        hint = "add the missing edits, and the task costs nothing"
        yield Problem(spec.line_of("snippets"), "N303", message, hint).at(spec.path)


class Trial(Struct, frozen=True):
    """The result of a script, or the edits that do not fit; `unknown` are the paths with an unknown result."""

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
    """Apply a script as `apply_script` does, but continue after a search or diff that does not fit.

    Edits of files with unknown text are left out.
    """
    whole_paths = {edit.path for edit in script.edits if isinstance(edit, WholeFile)}
    left_out = [
        edit
        for edit in script.edits
        if not all(path in whole_paths or is_known(path) for path in _paths(edit))
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
    return Trial((), tuple(problems)) if problems else Trial(tree.changes(), (), unknown)


def _paths(edit: Edit) -> frozenset[str]:
    """Return the paths that an edit reads or writes; none for a whole file, which does not depend on the old one."""
    written = paths_written(EditScript((edit,)))
    if isinstance(edit, Operation):
        return written | {source.path for source in edit.sources}
    return written if isinstance(edit, SearchReplace | UnifiedDiff) else frozenset()


class Ground(Protocol):
    """The files against which specs are checked: the base, and the versions to which their line numbers refer."""

    @property
    def files(self) -> Files:
        """The base."""
        ...

    def anchor_of(self, spec: Spec) -> Files | None:
        """Return the tree to which a spec's line numbers refer, or None if it is the base."""
        ...

    def new_name(self, spec: Spec, path: str) -> str | None:
        """Return the new name of a file renamed since the spec was written, or None if unknown."""
        ...

    def earlier(self, spec: Spec) -> Earlier | None:
        """Return the spec's previous version, or None if it is the first or names its anchor."""
        ...

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return the position in the base of lines that a spec cites; raise `EditError` if they changed or are gone."""
        ...


class Earlier(Struct, frozen=True):
    """A spec's previous version, with the commit to which its line numbers refer."""

    spec: Spec
    commit: str
    files: Files


class CitationError(EditError):
    """Cited lines that changed or are gone."""


class Numbering(Struct, frozen=True):
    """A mapping of the lines that a spec cites, from its anchor to the base and on to the results of other specs."""

    spec: Spec
    ground: Ground
    state: Overlay

    def __call__(self, path: str, cited: LineRange) -> LineRange:
        """Return the position of cited lines; raise `CitationError` if they changed or are gone."""
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
        """Map lines of a file of the base to its changed version, under the same or a new name."""
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
    """Return a diagnostic for each file with cited lines that changed."""
    return tuple(
        diagnostic
        for ref in spec.files
        if ref.ranges and ref.action is not FileAction.CREATE and state.kind(ref.path) == "file"
        for diagnostic in _check_ref(spec, ref, numbering, state)
    )


def _check_ref(
    spec: Spec, ref: FileRef, numbering: Numbering, state: Overlay
) -> Iterator[Diagnostic]:
    """Yield E215 for the first range that cannot be cited, or N216 if it is only read."""
    if not state.is_known(ref.path) and state.base.kind(ref.path) == "file":
        return  # a model changes it first, in unknown lines
    for cited in ref.ranges:
        try:
            numbering(ref.path, cited)
        except EditError as error:
            code, hint = "E215", error.hint
            if ref.action is FileAction.READ:
                code, hint = "N216", "the task will see the lines as they are when it starts"
            line = ref.line or spec.line_of("files")
            yield Problem(line, code, error.message, hint).at(spec.path)
            return


def check_renumbered(spec: Spec, ground: Ground) -> Iterator[Diagnostic]:
    """Yield W217 if the spec was changed but cites the same lines, which now hold other text."""
    cited = list(_cited(spec))
    earlier = ground.earlier(spec) if cited else None
    if earlier is None:
        return
    before = {(path, lines) for path, lines, _ in _cited(earlier.spec)}
    now = ground.anchor_of(spec) or ground.files
    for path, lines, line in cited:
        if (path, lines) in before and _at(earlier.files, path, lines) != _at(now, path, lines):
            commit = earlier.commit[:12]
            then = f"when the version before of this spec was committed ({commit})"
            message = f"lines {lines} of {path} were other text {then}"
            hint = f"where the numbers are still that version's, say `anchor: {commit}`"
            yield Problem(line or spec.line_of("files"), "W217", message, hint).at(spec.path)
            return


def _cited(spec: Spec) -> Iterator[tuple[str, LineRange, int]]:
    """Yield the ranges that a spec cites, in its lists and its edit script, each with its line in the spec."""
    for ref in spec.files:
        if ref.action is not FileAction.CREATE:
            yield from ((ref.path, lines, ref.line) for lines in ref.ranges)
    for edit in script_of(spec).edits:
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
