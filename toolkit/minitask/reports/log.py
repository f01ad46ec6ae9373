"""The output of `log`: a line a merge, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from minitask.git.history import LandedTask
from minitask.reports.results import dollars
from minitask.words import one_line

MINUTES = len("2026-01-31T12:30")
DOLLARS = " USD"


def log_document(landed_tasks: Sequence[LandedTask]) -> list[dict[str, Any]]:
    """Return the merges as JSON; `time` is in ISO 8601."""
    return [
        {
            "task": landed.task,
            "title": _title(landed),
            "merge": landed.commit,
            "time": landed.date,
            "cost_usd": _amount(landed),
            "tier": landed.tier or None,
            "model": landed.model or None,
            "undone": landed.undone,
        }
        for landed in landed_tasks
    ]


def render_log(
    landed_tasks: Sequence[LandedTask],
    commits: Sequence[Sequence[tuple[str, str]]],
    *,
    as_graph: bool,
) -> str:
    """Return a line a merge or undo; `as_graph`, with the commits of each below it, as `git log --graph` draws them."""
    if not landed_tasks:
        return "nothing is merged yet: `minitask run` or `minitask exec` merges tasks"
    width = max(len(landed.task) for landed in landed_tasks)
    lines = []
    for landed, brought in zip(landed_tasks, commits, strict=True):
        head = "*   " if as_graph else ""
        lines.append(f"{head}{_line(landed, width)}".rstrip())
        if as_graph and brought:
            lines += [
                "|\\",
                *(f"| * {oid[:9]} {one_line(subject)}" for oid, subject in brought),
                "|/",
            ]
    return "\n".join(lines)


def _line(landed: LandedTask, width: int) -> str:
    date = landed.date[:MINUTES].replace("T", " ")
    mark = "–" if landed.undone else "✓"
    title = "" if landed.undone else _title(landed)
    return f"{mark} {landed.commit[:9]}  {date}  {landed.task:{width}}  {_by(landed)}{title}"


def _by(landed: LandedTask) -> str:
    if landed.undone:
        return "undone"
    who = "edit script" if landed.tier == "none" else f"{landed.tier} ({landed.model})"
    amount = _amount(landed)
    cost = (
        "" if landed.tier == "none" else f", {dollars(Decimal(amount))}" if amount else ", unpriced"
    )
    return f"{who}{cost}  "


def _title(landed: LandedTask) -> str:
    """Return a merge's subject without the branch that git names in it."""
    head, colon, title = landed.subject.partition(": ")
    return one_line(title if colon and head.startswith("Merge ") else landed.subject)


def _amount(landed: LandedTask) -> str | None:
    return landed.cost.removesuffix(DOLLARS) if landed.cost.endswith(DOLLARS) else None
