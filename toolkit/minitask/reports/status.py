"""The output of `status`: a line a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from minitask.engine.task_status import TaskStatus
from minitask.ledger.record import money
from minitask.reports.results import dollars
from minitask.words import plain

if TYPE_CHECKING:
    from minitask.forge.pull_request_status import RequestStatus


Requests = Mapping[str, "RequestStatus"] | None
"""Task to its pull request; None if they were not asked for."""


def status_document(statuses: Sequence[TaskStatus], requests: Requests = None) -> dict[str, Any]:
    """Return the tasks' states as JSON, with their pull requests if these were asked for."""
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
                **_request_document(status.task.name, requests),
            }
            for status in statuses
        ]
    }


def _request_document(task: str, requests: Requests) -> dict[str, Any]:
    if requests is None:
        return {}
    request = requests.get(task)
    return {"pull_request": to_builtins(request) if request else None}


def render_status(statuses: Sequence[TaskStatus], requests: Requests = None) -> str:
    """Return a line a task, then how many are in which state."""
    if not statuses:
        return "no specs committed here: `minitask new` writes one"
    width = max(len(status.task.name) for status in statuses)
    lines = [
        f"{status.task.name:{width}}  {status.state.value:8} {dollars(status.cost_usd):>8}"
        f"  {_details(status, requests)}".rstrip()
        for status in statuses
    ]
    counts = Counter(status.state.value for status in statuses)
    lines.append(", ".join(f"{count} {state}" for state, count in counts.items()))
    return "\n".join(lines)


def _details(status: TaskStatus, requests: Requests) -> str:
    request = (requests or {}).get(status.task.name)
    if request is not None:
        checks = f", checks {request.checks}" if request.checks else ""
        return f"#{request.number} {request.state}{checks}  {plain(request.url)}"
    if status.merge:
        return f"merged as {status.merge[:12]}"
    reason = status.reason.splitlines()[0] if status.reason else ""
    return reason or (status.branch or "")
