"""Grades for specs that bring their own edit script, before anything lands: how well their validations would judge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script
from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError
from minitask.executors.registry import has_script
from minitask.landing import candidate_commits
from minitask.landing.grading import Graded, grade
from minitask.landing.proof import prove
from minitask.ledger.record import Grade
from minitask.spec.model import Diagnostic
from minitask.spec.rules import Problem
from minitask.task.finish import landed_result

CODE = "N430"
_THOROUGH = 100
"""As a percentage: what is graded on purpose gets the time that a percentage would."""


def grade_specs(engine: Context, tasks: Sequence[Task]) -> Iterator[Diagnostic]:
    """Grade the specs one after another, each on what those before it make of the base; nothing lands."""
    tip = ""
    for task in tasks:
        if not has_script(task.spec) or landed_result(engine, task) is not None:
            continue
        try:
            result, tip = _graded(engine, replace(task, base=tip or task.base), tip)
        except MinitaskError as error:
            result = f"it cannot be graded: {error.message}"
        said = (result, "") if isinstance(result, str) else _said(result)
        yield Problem(task.spec.line_of("validation"), CODE, *said).at(task.path)


def _graded(engine: Context, task: Task, tip: str) -> tuple[Grade | str, str]:
    """Return the grade, and the commit that the next spec is tried on."""
    anchor = Anchor(engine.repository.git, engine.objects, task)
    changes = apply_script(
        parse_script(task.spec.snippets, source=task.path),
        read=lambda path: engine.objects.file(task.base, path),
        locate=anchor.locate,
        source=task.path,
    )
    writes = candidate_commits.file_writes(changes, engine.objects, task)
    commit = candidate_commits.write_draft(engine, task, writes)
    trees = engine.objects.tree_of
    files = candidate_commits.file_records(
        engine.database.diffs.changes(trees(task.base), trees(commit))
    )
    proof = prove(engine, task, commit)
    if not proof.passed:
        return f"it cannot be graded: {proof.reason}", tip
    commands = tuple(command for command in proof.commands if command.line)
    result = grade(engine, Graded(task, commit, commands, files), required=_THOROUGH)
    return result or "it cannot be graded: it has no commands", commit


def _said(result: Grade) -> tuple[str, str]:
    """Return the message and the hint."""
    more = f" ({result.note})" if result.planted and result.note else ""
    if not result.missed:
        return f"{result}{more}", ""
    locations: dict[str, list[str]] = {}
    for missed in result.missed:
        locations.setdefault(f"{missed.path}:{missed.line}", []).append(missed.mutant)
    unseen = "; ".join(
        f"{location} ({faults[0]})" for location, faults in list(locations.items())[:6]
    )
    return (
        f"{result}{more}; no command tests {unseen}",
        "add a command that fails without these lines",
    )
