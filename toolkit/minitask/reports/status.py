"""The output of `status`: a line a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from minitask.engine.task_status import TaskStatus
from minitask.ledger.record import money
from minitask.reports.results import dollars


def status_document(statuses: Sequence[TaskStatus]) -> dict[str, Any]:
    """Return the tasks' states as JSON."""
    return {
        "tasks": [
            {
                "task": status.task.name,
                "spec": {"path": status.task.path, "blob": status.task.blob},
                "state": status.state.value,
                "attempts": status.attempts,
                "branch": status.branch,
                "merge": status.merge,
                "cost_usd": money(status.cost_usd),
                "reason": status.reason,
            }
            for status in statuses
        ]
    }


def render_status(statuses: Sequence[TaskStatus]) -> str:
    """Return a line a task, then how many are in which state."""
    if not statuses:
        return "no specs committed here: `minitask new` writes one"
    width = max(len(status.task.name) for status in statuses)
    lines = [
        f"{status.task.name:{width}}  {status.state.value:8} {dollars(status.cost_usd):>8}"
        f"  {_details(status)}".rstrip()
        for status in statuses
    ]
    counts = Counter(status.state.value for status in statuses)
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    return "\n".join(lines)


def _details(status: TaskStatus) -> str:
    if status.merge:
        return f"merged as {status.merge[:12]}"
    reason = status.reason.splitlines()[0] if status.reason else ""
    return reason or (status.branch or "")
