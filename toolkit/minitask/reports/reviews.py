"""The output of `review`: a task for a person to judge, or what a verification said of a project."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from minitask.ledger.record import Record, money, whole
from minitask.ledger.record_json import attempt_document, record_document
from minitask.planning.verify_project import ProjectVerification
from minitask.reports.planning import planned_document, render_planned
from minitask.reports.results import dollars, render_attempt
from minitask.spec.model import Spec
from minitask.words import plain


class Reviewed(Struct, frozen=True):
    """A task as a person judges it: its latest record, the calls beside its attempts, its spec, and its diff.

    `merge` is the commit by which that very diff has landed; empty if it has not.
    """

    record: Record
    calls: tuple[Record, ...]
    spec: Spec
    diff: str
    branch: str
    merge: str = ""


def reviewed_document(reviewed: Reviewed) -> dict[str, Any]:
    """Return a task as JSON."""
    return {
        "task": reviewed.record.task,
        "branch": reviewed.branch,
        "verdict": reviewed.record.attempt.verdict.value,
        "merge": reviewed.merge or None,
        "criteria": [criterion.text for criterion in reviewed.spec.criteria],
        "diff": reviewed.diff,
        "record": record_document(reviewed.record),
        "calls": [record_document(call) for call in reviewed.calls],
    }


def render_reviewed(reviewed: Reviewed) -> str:
    """Return a task as text: what it should do, what it does, how it was proven, what it cost, and what can be
    said.
    """
    record, attempt = reviewed.record, reviewed.record.attempt
    name = record.task
    state = f"merged as {reviewed.merge[:12]}" if reviewed.merge else attempt.verdict.value
    lines = [f"{name}: {state}, {reviewed.spec.title}", ""]
    lines += [f"  criterion  {criterion.text}" for criterion in reviewed.spec.criteria]
    for call in reviewed.calls:
        note_lines = [f"             {note}" for note in call.notes]
        lines += [
            f"  {call.kind:9}  {call.attempt.model or 'a person'}: {call.attempt.reason}",
            *note_lines,
        ]
    lines += (
        ["", *map(plain, reviewed.diff.rstrip().split("\n")), ""]
        if reviewed.diff.strip()
        else ["", "  no change", ""]
    )
    lines += render_attempt(attempt)
    costs = [attempt.cost_usd, *(call.attempt.cost_usd for call in reviewed.calls)]
    lines.append(
        f"  cost   {dollars(whole(costs))}, by {attempt.model or 'the edit script of the spec'}"
    )
    if attempt.reason:
        lines.append(f"  said   {attempt.reason}")
    if reviewed.merge:
        return "\n".join([*lines, "", f"  undo     minitask undo {name}"])
    lines += [
        "",
        f"  approve  minitask review {name} --approve",
        f'  reject   minitask review {name} --reject "what is wrong"  (the next attempt sees your reason)',
        f"  edit     git switch {reviewed.branch}, commit your changes, minitask merge {name}  (validates it again)",
    ]
    return "\n".join(lines)


def verified_document(verification: ProjectVerification) -> dict[str, Any]:
    """Return a verification as JSON."""
    return {
        "project": verification.project,
        "base": verification.base,
        "tip": verification.tip,
        "approved": bool(verification.verdicts)
        and all(verdict.approved for verdict in verification.verdicts),
        "tasks": [
            {"task": verdict.task, "approved": verdict.approved, "why": verdict.why}
            for verdict in verification.verdicts
        ],
        "fixes": planned_document(verification.fixes) if verification.fixes else None,
        "problem": verification.problem or None,
        "cost_usd": money(whole([call.cost_usd for call in verification.calls])),
        "calls": [
            {
                key: attempt_document(call)[key]
                for key in ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd")
            }
            for call in verification.calls
        ],
    }


def render_verified(verification: ProjectVerification) -> str:
    """Return a verification as text."""
    lines = [f"{verification.project}: {verification.base[:12]}..{verification.tip[:12]}"]
    lines += [
        f"  {'✓' if verdict.approved else '✗'} {verdict.task}  {verdict.why}"
        for verdict in verification.verdicts
    ]
    if verification.problem:
        lines.append(f"  no verdict: {verification.problem}")
    for call in verification.calls:
        lines.append(f"  by {call.model} (tier {call.tier}): {dollars(call.cost_usd)}")
    if verification.fixes:
        lines.append(render_planned(verification.fixes))
    return "\n".join(lines)
