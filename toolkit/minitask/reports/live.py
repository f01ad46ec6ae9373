"""A run as it goes: what each task is doing, what it cost so far, how long it has taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from minitask.engine.context import Progress
from minitask.ledger.record import TaskResult, Verdict, money
from minitask.reports.results import MARKS, dollars

if TYPE_CHECKING:
    from rich.console import RenderableType

MOST_ROWS = 12
TO_KEEP = frozenset({"warning", "note"})
"""Stages whose text stays on the screen."""


class RunView:
    """The state of a run, fed with its events, drawn by rich; `clock` gives seconds."""

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
        """Record an event; return the line to print above the view, or an empty text."""
        if event.stage == "tasks":
            self._total = int(event.text)
        elif event.result is not None:
            self._at_work.pop(event.task, None)
            self._results.append(event.result)
            return _done(event.result)
        elif event.task and event.stage not in TO_KEEP:
            since = self._at_work.get(event.task, ("", "", self._clock()))[2]
            self._at_work[event.task] = (event.stage, event.text, since)
        else:
            task = f"{event.task}: " if event.task else ""
            return f"{task}{event.stage}: {event.text}"
        return ""

    def __rich__(self) -> RenderableType:
        """Return what to draw now."""
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
        """Return counts, costs against the budget, savings, and the time so far, in a line."""
        landed = sum(result.verdict is Verdict.MERGED for result in self._results)
        costs = [result.cost_usd for result in self._results if result.cost_usd is not None]
        spent = sum(costs, Decimal(0))
        of_budget = f" of {dollars(self._budget)}" if self._budget is not None else ""
        waiting = self._total - len(self._results) - len(self._at_work)
        parts = [
            f"{len(self._results)}/{self._total} done, {landed} merged",
            f"{dollars(spent)}{of_budget}",
        ]
        saved = self._baseline() - spent
        if saved > 0:
            parts.append(f"about {dollars(saved)} saved")
        if waiting > 0:
            parts.insert(1, f"{waiting} waiting")
        parts.append(f"{self._clock() - self._started:.0f} s")
        return " · ".join(parts)

    def _baseline(self) -> Decimal:
        """Return what a frontier model would have cost once for what landed, by estimate."""
        return sum(
            (
                result.baseline_cost_usd or Decimal(0)
                for result in self._results
                if result.verdict is Verdict.MERGED
            ),
            Decimal(0),
        )


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


def _done(result: TaskResult) -> str:
    reason = f"  {result.reason.partition(chr(10))[0]}" if result.reason else ""
    return f"{MARKS[result.verdict]} {result.task}  {result.verdict.value}  {dollars(result.cost_usd)}{reason}"
