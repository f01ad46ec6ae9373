"""Checks of an edit script before it runs: its form, its scope, what it leaves to a model, and each edit tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.apply_script import apply_edit, build
from minitask.edits.edit_plan import edit_plan
from minitask.edits.file_set import BaseFiles
from minitask.edits.grammar import covers, parse_script, paths_written
from minitask.edits.script_model import (
    Change,
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
from minitask.spec.model import Tier
from minitask.spec.rules import diagnose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minitask.edits.script_model import Edit
    from minitask.spec.model import Diagnostic, Spec


def check_script(spec: Spec) -> tuple[Diagnostic, ...]:
    """Return the edit script against the files that the spec lists; nothing if there is no script."""
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError as error:
        return (_malformed(spec, error),)
    if not script.edits:
        return ()
    return (*_check_scope(spec, script), *_check_cover(spec, script))


def is_free(spec: Spec) -> bool:
    """Return True if the spec needs no model: its edit script writes all that it lists, or its tier allows for
    none.
    """
    if spec.options.tier is Tier.NONE:
        return True
    try:
        script = parse_script(spec.snippets, source=spec.path)
    except EditError:
        return False
    return covers(script, {ref.path for ref in spec.writes()})


def _malformed(spec: Spec, error: EditError) -> Diagnostic:
    line = (error.where or "").rpartition(":")[2]
    return diagnose(
        spec.path,
        int(line) if line.isdecimal() else spec.line_of("snippets"),
        code="E301",
        message=error.message,
        hint=error.hint,
    )


def _check_scope(spec: Spec, script: EditScript) -> Iterator[Diagnostic]:
    allowed = {ref.path for ref in spec.writes()}
    read = {ref.path for ref in spec.reads()}
    for edit in script.edits:
        for path in sorted(paths_written(EditScript((edit,))) - allowed):
            allowed.add(path)
            listed = "lists only to read" if path in read else "does not list"
            yield diagnose(
                spec.path,
                edit.line or spec.line_of("snippets"),
                code="E302",
                message=f"the edit script writes {path}, which the spec {listed}",
                hint="add it to `**Files to Create/Edit**:`, or remove the edit",
            )


def _check_cover(spec: Spec, script: EditScript) -> Iterator[Diagnostic]:
    required = [ref.path for ref in spec.writes() if not ref.optional]
    if required and not covers(script, required):
        written = paths_written(script)
        missing = ", ".join(dict.fromkeys(path for path in required if path not in written))
        yield diagnose(
            spec.path,
            spec.line_of("snippets"),
            code="N303",
            message=f"the edit script leaves {missing} to a model",
            hint="add the missing edits, and the task costs nothing",
        )


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
