"""Lists of tasks, merges or refs: the output of `status`, `log`, `audit` and `sync`, and the progress of a run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from minitask.engine.context import Progress
from minitask.ledger.record import TaskResult, Verdict, money
from minitask.ledger.record_json import result_document
from minitask.reports.results import MARKS, dollars, render_command
from minitask.words import counted, one_line, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from minitask.engine.task_status import TaskStatus
    from minitask.forge.publish import Published, RequestStatus
    from minitask.git.history import LandedTask
    from minitask.landing.merged_tasks import AuditedMerge
    from minitask.project.sync import Synced


MINUTES = len("2026-01-31T12:30")
DOLLARS = " USD"
Requests = Mapping[str, "RequestStatus"] | None
"""Pull requests by task, or None if they were not requested."""


def status_document(statuses: Sequence[TaskStatus], requests: Requests = None) -> dict[str, Any]:
    """Return the tasks' states as JSON, with their pull requests if requested."""

    def request_document(task: str) -> dict[str, Any]:
        if requests is None:
            return {}
        request = requests.get(task)
        return {"pull_request": to_builtins(request) if request else None}

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
                **request_document(status.task.name),
            }
            for status in statuses
        ]
    }


def render_status(statuses: Sequence[TaskStatus], requests: Requests = None) -> str:
    """Return one line per task, then the number of tasks in each state."""
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
    return status.reason.partition("\n")[0] or status.branch or ""


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
    """Return one line per merge or undo; `as_graph` adds the commits of each in the style of `git log --graph`."""
    if not landed_tasks:
        return "nothing is merged yet: `minitask run` or `minitask exec` merges tasks"
    width = max(len(landed.task) for landed in landed_tasks)
    lines = []
    for landed, brought in zip(landed_tasks, commits, strict=True):
        head = "*   " if as_graph else ""
        mark = "–" if landed.undone else "✓"
        date = landed.date[:MINUTES].replace("T", " ")
        merge = f"{mark} {landed.commit[:9]}  {date}  {landed.task:{width}}"
        lines.append(f"{head}{merge}  {_by(landed)}".rstrip())
        if as_graph and brought:
            commits_text = (f"| * {oid[:9]} {one_line(subject)}" for oid, subject in brought)
            lines += ["|\\", *commits_text, "|/"]
    return "\n".join(lines)


def _by(landed: LandedTask) -> str:
    """Return the tier, model, cost and title of a merge."""
    if landed.undone:
        return "undone"
    who = "edit script"
    if landed.tier != "none":
        amount = _amount(landed)
        cost = dollars(Decimal(amount) if amount else None)
        who = f"{landed.tier} ({landed.model}), {cost}"
    return f"{who}  {_title(landed)}"


def _title(landed: LandedTask) -> str:
    """Return a merge's subject without git's mention of the branch."""
    head, colon, title = landed.subject.partition(": ")
    return one_line(title if colon and head.startswith("Merge ") else landed.subject)


def _amount(landed: LandedTask) -> str | None:
    return landed.cost.removesuffix(DOLLARS) if landed.cost.endswith(DOLLARS) else None


def audit_document(
    results: Sequence[AuditedMerge], skipped: Sequence[LandedTask]
) -> dict[str, Any]:
    """Return an audit as JSON; `skipped` are undone merges and the commits that undid them."""
    failed = [result for result in results if not result.is_proven]
    return {
        "checked": len(results),
        "proven": len(results) - len(failed),
        "failed": [
            {"task": result.landed.task, "merge": result.landed.commit, "reason": result.reason}
            for result in failed
        ],
        "skipped": [
            {"task": landed.task, "merge": landed.commit, "reason": "undone"}
            for landed in skipped
            if not landed.undone
        ],
    }


def render_audit(results: Sequence[AuditedMerge]) -> str:
    """Return one line per merge, the commands of failed ones, and the number of proven merges."""
    lines = []
    for result in results:
        merge = f"{result.landed.task}  {result.landed.commit[:12]}"
        if result.is_proven:
            lines.append(f"✓ {merge}")
            continue
        lines.append(f"✗ {merge}: {result.reason}")
        for command in result.proof.commands if result.proof else ():
            lines += render_command(command)
    proven = sum(result.is_proven for result in results)
    lines.append(f"{proven} of {counted(len(results), 'merge')} proven")
    return "\n".join(lines)


def sync_document(synced: Synced, published: Published | None = None) -> dict[str, Any]:
    """Return a synchronization as JSON, with the tasks that got a pull request."""
    document: dict[str, Any] = to_builtins(synced)
    if published:
        document["tasks"] = [result_document(result) for result in published.results]
    return document


def render_sync(synced: Synced, published: Published | None = None) -> str:
    """Return a synchronization as text, with a line for each task that got a pull request."""
    lines = [f"{synced.remote}: fetched {len(synced.fetched)} refs, pushed {len(synced.pushed)}"]
    lines += [f"  fetched {ref}" for ref in synced.fetched]
    lines += [f"  pushed  {ref}" for ref in synced.pushed]
    lines += [
        f"  kept    {ref.removeprefix('refs/heads/')}: {synced.remote} has a different candidate"
        for ref in synced.kept
    ]
    for result in published.results if published else ():
        step = f"; next: {result.next_step}" if result.next_step else ""
        lines.append(f"  {result.task}: {result.reason}{step}")
    return "\n".join(lines)


MOST_ROWS = 12
TO_KEEP = frozenset({"warning", "note"})
"""Stages of events that are printed above the view."""


class RunView:
    """The state of a run, updated by its events and drawn by rich; `clock` returns seconds."""

    def __init__(
        self, budget_usd: Decimal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget_usd
        self._clock = clock
        self._started = clock()
        self._total = 0
        self._at_work: dict[str, tuple[str, str, float]] = {}
        self._results: list[TaskResult] = []

    def take(self, event: Progress) -> str:
        """Record an event; return the line to print above the view, or ""."""
        if event.stage == "tasks":
            self._total = int(event.text)
        elif event.result is not None:
            self._at_work.pop(event.task, None)
            self._results.append(event.result)
            result = event.result
            reason = f"  {result.reason.partition(chr(10))[0]}" if result.reason else ""
            cost = dollars(result.cost_usd)
            return f"{MARKS[result.verdict]} {result.task}  {result.verdict.value}  {cost}{reason}"
        elif event.task and event.stage not in TO_KEEP:
            since = self._at_work.get(event.task, ("", "", self._clock()))[2]
            self._at_work[event.task] = (event.stage, event.text, since)
        else:
            task = f"{event.task}: " if event.task else ""
            return f"{task}{event.stage}: {event.text}"
        return ""

    def __rich__(self) -> RenderableType:
        """Return the view: the running tasks, and a bar with the summary."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, (stage, text, since) in list(self._at_work.items())[:MOST_ROWS]:
            seconds = f"{self._clock() - since:.0f} s"
            table.add_row(Text(name, "bold"), stage, Text(seconds, "dim"), Text(text[:60], "dim"))
        hidden = len(self._at_work) - MOST_ROWS
        if hidden > 0:
            table.add_row(Text(f"and {hidden} more", "dim"))
        if not self._total:
            return table
        bar = ProgressBar(total=self._total, completed=len(self._results), width=30)
        foot = Table.grid(padding=(0, 2))
        foot.add_row(bar, self.summary())
        return Group(table, foot)

    def summary(self) -> str:
        """Return counts, costs against the budget, estimated savings and elapsed time, on one line."""
        landed = [result for result in self._results if result.verdict is Verdict.MERGED]
        parts = [f"{len(self._results)}/{self._total} done, {len(landed)} merged"]
        waiting = self._total - len(self._results) - len(self._at_work)
        if waiting > 0:
            parts.append(f"{waiting} waiting")
        spent = sum((result.cost_usd or Decimal(0) for result in self._results), Decimal(0))
        of_budget = f" of {dollars(self._budget)}" if self._budget is not None else ""
        parts.append(f"{dollars(spent)}{of_budget}")
        saved = sum((result.baseline_cost_usd or Decimal(0) for result in landed), -spent)
        if saved > 0:
            parts.append(f"about {dollars(saved)} saved")
        parts.append(f"{self._clock() - self._started:.0f} s")
        return " · ".join(parts)


def event_document(event: Progress) -> dict[str, Any]:
    """Return an event as JSON."""
    document: dict[str, Any] = {
        "task": event.task or None,
        "stage": event.stage,
        "text": event.text,
    }
    if event.result is not None:
        document |= {
            "verdict": event.result.verdict.value,
            "cost_usd": money(event.result.cost_usd),
            "seconds": round(event.result.seconds, 4),
        }
    return document
