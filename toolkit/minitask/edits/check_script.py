"""Checks of an edit script before it runs: its form, scope, what it leaves to a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.grammar import covers, parse_script, paths_written
from minitask.edits.script_model import EditScript
from minitask.errors import EditError
from minitask.spec.model import Tier
from minitask.spec.rules import diagnose

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    known = {ref.path for ref in spec.writes()}
    read = {ref.path for ref in spec.reads()}
    for edit in script.edits:
        for path in sorted(paths_written(EditScript((edit,))) - known):
            known.add(path)
            listed = "lists only to read" if path in read else "does not list"
            yield diagnose(
                spec.path,
                edit.line or spec.line_of("snippets"),
                code="E302",
                message=f"the edit script writes {path}, which the spec {listed}",
                hint="add it to `**Files to Create/Edit**:`, or remove the edit",
            )


def _check_cover(spec: Spec, script: EditScript) -> Iterator[Diagnostic]:
    wanted = [ref.path for ref in spec.writes() if not ref.optional]
    if wanted and not covers(script, wanted):
        written = paths_written(script)
        left = ", ".join(dict.fromkeys(path for path in wanted if path not in written))
        yield diagnose(
            spec.path,
            spec.line_of("snippets"),
            code="N303",
            message=f"the edit script leaves {left} to a model",
            hint="add the missing edits, and the task costs nothing",
        )
