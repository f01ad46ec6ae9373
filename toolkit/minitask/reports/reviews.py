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


def reviewed_document(item: Reviewed) -> dict[str, Any]:
    """Return a task as JSON."""
    return {
        "task": item.record.task,
        "branch": item.branch,
        "verdict": item.record.attempt.verdict.value,
        "merge": item.merge or None,
        "criteria": [each.text for each in item.spec.criteria],
        "diff": item.diff,
        "record": record_document(item.record),
        "calls": [record_document(call) for call in item.calls],
    }


def render_reviewed(item: Reviewed) -> str:
    """Return a task as text: what it should do, what it does, how it was proven, what it cost, and what can be
    said.
    """
    record, attempt = item.record, item.record.attempt
    name = record.task
    state = f"merged as {item.merge[:12]}" if item.merge else attempt.verdict.value
    lines = [f"{name}: {state}, {item.spec.title}", ""]
    lines += [f"  criterion  {each.text}" for each in item.spec.criteria]
    for call in item.calls:
        said = [f"             {note}" for note in call.notes]
        lines += [
            f"  {call.kind:9}  {call.attempt.model or 'a person'}: {call.attempt.reason}",
            *said,
        ]
    lines += (
        ["", *map(plain, item.diff.rstrip().split("\n")), ""]
        if item.diff.strip()
        else ["", "  no change", ""]
    )
    lines += render_attempt(attempt)
    costs = [attempt.cost_usd, *(call.attempt.cost_usd for call in item.calls)]
    lines.append(
        f"  cost   {dollars(whole(costs))}, by {attempt.model or 'the edit script of the spec'}"
    )
    if attempt.reason:
        lines.append(f"  said   {attempt.reason}")
    if item.merge:
        return "\n".join([*lines, "", f"  undo     minitask undo {name}"])
    lines += [
        "",
        f"  approve  minitask review {name} --approve",
        f'  reject   minitask review {name} --reject "what is wrong"  (the next attempt sees your reason)',
        f"  edit     git switch {item.branch}, commit your changes, minitask merge {name}  (validates it again)",
    ]
    return "\n".join(lines)


def verified_document(found: ProjectVerification) -> dict[str, Any]:
    """Return a verification as JSON."""
    return {
        "project": found.project,
        "base": found.base,
        "tip": found.tip,
        "approved": bool(found.words) and all(word.approved for word in found.words),
        "tasks": [
            {"task": word.task, "approved": word.approved, "why": word.why} for word in found.words
        ],
        "fixes": planned_document(found.fixes) if found.fixes else None,
        "problem": found.problem or None,
        "cost_usd": money(whole([call.cost_usd for call in found.calls])),
        "calls": [
            {
                key: attempt_document(call)[key]
                for key in ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd")
            }
            for call in found.calls
        ],
    }


def render_verified(found: ProjectVerification) -> str:
    """Return a verification as text."""
    lines = [f"{found.project}: {found.base[:12]}..{found.tip[:12]}"]
    lines += [f"  {'✓' if word.approved else '✗'} {word.task}  {word.why}" for word in found.words]
    if found.problem:
        lines.append(f"  no verdict: {found.problem}")
    for call in found.calls:
        lines.append(f"  by {call.model} (tier {call.tier}): {dollars(call.cost_usd)}")
    if found.fixes:
        lines.append(render_planned(found.fixes))
    return "\n".join(lines)
