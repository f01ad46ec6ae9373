"""The output of `status`: a line a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from minitask.engine.task_status import TaskStatus
from minitask.ledger.record import money
from minitask.reports.results import dollars


def status_document(standings: Sequence[TaskStatus]) -> dict[str, Any]:
    """Return the tasks' states as JSON."""
    return {
        "tasks": [
            {
                "task": item.task.name,
                "spec": {"path": item.task.path, "blob": item.task.blob},
                "state": item.state.value,
                "attempts": item.attempts,
                "branch": item.branch,
                "merge": item.merge,
                "cost_usd": money(item.cost_usd),
                "reason": item.reason,
            }
            for item in standings
        ]
    }


def render_status(standings: Sequence[TaskStatus]) -> str:
    """Return a line a task, then how many are in which state."""
    if not standings:
        return "no specs committed here: `minitask new` writes one"
    width = max(len(item.task.name) for item in standings)
    lines = [
        f"{item.task.name:{width}}  {item.state.value:8} {dollars(item.cost_usd):>8}"
        f"  {_details(item)}".rstrip()
        for item in standings
    ]
    counts = Counter(item.state.value for item in standings)
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    return "\n".join(lines)


def _details(item: TaskStatus) -> str:
    if item.merge:
        return f"merged as {item.merge[:12]}"
    reason = item.reason.splitlines()[0] if item.reason else ""
    return reason or (item.branch or "")
