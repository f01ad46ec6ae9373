"""The output of `exec`, `run` and `merge`."""

from __future__ import annotations

import math
from decimal import Decimal
from functools import reduce
from typing import Any

from msgspec import Struct

from minitask.errors import FIX
from minitask.ledger.accuracy import CLOSE, BatchTokens
from minitask.ledger.record import Attempt, CommandRecord, TaskResult, Verdict, money, whole
from minitask.ledger.record_json import result_document, usage_document
from minitask.ledger.usage import NO_USAGE, plus
from minitask.words import counted, plain

MARKS = {
    Verdict.MERGED: "✓",
    Verdict.READY: "●",
    Verdict.FAILED: "✗",
    Verdict.REFUSED: "✗",
    Verdict.CONFLICT: "✗",
    Verdict.ERROR: "!",
    Verdict.SKIPPED: "–",
}


class RunSummary(Struct, frozen=True):
    """A run's results, in the order in which the tasks ran; seconds of wall time; tokens by wave, for people."""

    project: str
    target: str
    results: tuple[TaskResult, ...]
    seconds: float
    batches: tuple[BatchTokens, ...] = ()

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the sum; None if one is unknown."""
        return whole(result.cost_usd for result in self.results)

    @property
    def baseline_cost_usd(self) -> Decimal | None:
        """Return the sum of the known estimates; None if there is none."""
        costs = [
            result.baseline_cost_usd
            for result in self.results
            if result.baseline_cost_usd is not None
        ]
        return sum(costs, Decimal(0)) if costs else None


def run_document(summary: RunSummary) -> dict[str, Any]:
    """Return a run as JSON."""
    usage = reduce(plus, (result.usage for result in summary.results), NO_USAGE)
    return {
        "project": summary.project,
        "target": summary.target,
        "tasks": [result_document(result) for result in summary.results],
        "cost_usd": money(summary.cost_usd),
        "baseline_cost_usd": money(summary.baseline_cost_usd),
        "usage": usage_document(usage),
        "seconds": round(summary.seconds, 4),
    }


def render_result(result: TaskResult) -> str:
    """Return one task's outcome: the verdict, why, what was changed and run, what it cost, what is next."""
    lines = [f"{MARKS[result.verdict]} {result.task}: {result.verdict.value}{_reason(result)}"]
    for attempt in result.attempts:
        if len(result.attempts) > 1:
            why = f": {_one_line(attempt.reason)}" if attempt.reason else ""
            lines.append(f"  try {attempt.n}  {attempt.verdict.value}, {_who(attempt)}{why}")
        if attempt is not result.attempts[-1]:
            continue
        lines += render_attempt(attempt)
        if attempt.sandbox != "strong":
            lines.append(f"  NOTE   the sandbox was {attempt.sandbox}; `minitask doctor` says why")
    for phase, call in result.calls:
        reason = _one_line(call.reason)
        lines.append(f"  {phase:8} {_who(call)}, {dollars(call.cost_usd)}: {reason}")
    if result.attempts:
        lines.append(
            f"  cost   {dollars(result.cost_usd)}{baseline_text(result.baseline_cost_usd)}"
        )
    if result.branch:
        lines.append(
            f"  branch {result.branch}"
            + (f", merged as {result.merge[:12]}" if result.merge else "")
        )
    if result.next_step:
        lines.append(f"  next   {result.next_step}")
    return "\n".join(lines)


def render_attempt(attempt: Attempt, *, with_output: bool = False) -> list[str]:
    """Return the files and commands of an attempt, a line each; the output of a command that failed, or of all."""
    lines = []
    verbs = {"A": "create", "M": "edit", "D": "delete"}
    for file in attempt.files:
        counts = "binary" if file.added is None else f"+{file.added} -{file.removed}"
        lines.append(f"  {verbs.get(file.status, file.status):6} {file.path} ({counts})")
    for command in attempt.commands:
        lines += render_command(command, with_output=with_output)
    lines += [f"  note   {note}" for note in attempt.unknown_imports]
    return lines + render_grade(attempt)


def render_grade(attempt: Attempt) -> list[str]:
    """Return how well the checks notice faults planted in the change, with those that they missed; nothing to say
    of none.
    """
    grade = attempt.grade
    if grade is None or not (grade.planted or attempt.files):
        return []
    more = f" ({grade.note})" if grade.planted and grade.note else ""
    lines = [f"  grade  {grade}{more}"]
    lines += [
        f"         missed {missed.path}:{missed.line} {missed.mutant}"
        for missed in grade.missed[:3]
    ]
    if grade.missed[3:]:
        lines.append(f"         and {len(grade.missed) - 3} more")
    return lines


def render_command(command: CommandRecord, *, with_output: bool = False) -> list[str]:
    """Return a command with its result; where it failed, the end of what it printed, `with_output` all on record."""
    first, _, more_lines = command.command.partition("\n")
    shown = f"{first} …" if more_lines else first
    mark = "ok" if command.passed else "FAILED"
    why = "" if command.passed else f" ({command.reason or f'exit code {command.exit_code}'})"
    lines = [f"  {mark:6} {shown}{why}"]
    output_lines = command.output_tail.strip().splitlines()
    if with_output:
        lines += [f"         | {plain(line)}" for line in output_lines]
    elif not command.passed:
        lines += [f"         | {line}" for line in output_lines[-12:]]
    return lines


def render_run(summary: RunSummary, *, lists_tasks: bool = True) -> str:
    """Return a run: a line a task unless they are on the screen, a line a batch that called models, and the sums."""
    width = max((len(result.task) for result in summary.results), default=0)
    lines = []
    for result in summary.results if lists_tasks else ():
        mark = f"{MARKS[result.verdict]} {result.task:{width}}  {result.verdict.value:8}"
        lines.append(f"{mark} {dollars(result.cost_usd):>9}  {_tail(result)}".rstrip())
    lines += map(render_batch, summary.batches)
    landed = sum(result.verdict is Verdict.MERGED for result in summary.results)
    lines.append(
        f"{landed} of {len(summary.results)} on {summary.target} in {summary.seconds:.1f} s, "
        f"cost {_cost(summary)}{baseline_text(summary.baseline_cost_usd)}"
    )
    return "\n".join(lines + _limits(summary))


def _limits(summary: RunSummary) -> list[str]:
    """Return a line for each executor whose limit is reached, and the command that goes on."""
    limits = {
        result.limited: _one_line(result.reason) for result in summary.results if result.limited
    }
    if not limits:
        return []
    command = f"minitask run {summary.project.replace(', ', ' ')}"
    lines = [f"{executor} has reached its limit: {words}" for executor, words in limits.items()]
    return [*lines, f"next: {command}, when it is over; with --wait it waits"]


def _cost(summary: RunSummary) -> str:
    """Return what a run cost; where some of it has no price, what is known, and that no limit counts the rest."""
    costs = [result.cost_usd for result in summary.results]
    known_costs = [cost for cost in costs if cost is not None]
    unknown = len(costs) - len(known_costs)
    if not unknown:
        return dollars(summary.cost_usd)
    unpriced = f"unknown for {counted(unknown, 'task')}, which no limit counts"
    return (
        f"{dollars(sum(known_costs, Decimal(0)))}, and {unpriced}" if any(known_costs) else unpriced
    )


def render_batch(batch: BatchTokens) -> str:
    """Return a wave's tokens against its plan: `batch 2  4 tasks  9,800 tokens of 10,200 planned (-4 %)`."""
    count = batch.tasks or batch.left_out
    head = f"batch {batch.wave}  {counted(count, 'task')}  "
    if not batch.tasks:
        return f"{head}nothing to compare: tokens or plan unknown"
    more = f"; {batch.left_out} more cannot be compared" if batch.left_out else ""
    return f"{head}{batch.actual:,} tokens of {batch.planned:,} planned{_off(batch)}{more}"


def percent(share: float) -> str:
    """Return a difference in whole percent, with its sign."""
    return f"{round(share):+d} %" if round(share) else "0 %"


def _off(batch: BatchTokens) -> str:
    """Return how far a batch is off its plan; beyond the mark it is rounded away from zero, so as not to read as
    the mark.
    """
    off, mark = batch.percent, f"{100 * CLOSE:.0f} %"
    if off is None:
        return "" if batch.is_close else f" (beyond {mark})"
    if batch.is_close:
        return f" ({percent(off)})"
    return f" ({percent(math.copysign(math.ceil(abs(off)), off))}, beyond {mark})"


def dollars(amount: Decimal | None) -> str:
    """Return US dollars: to the cent from a dollar on, to four digits below; None as `unpriced`."""
    if amount is None:
        return "unpriced"
    if amount == 0:
        return "$0"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def known_dollars(amount: Decimal | None, unpriced: int) -> str:
    """Return a sum of what is known, and how many amounts are not in it."""
    if amount is None or not unpriced:
        return dollars(amount)
    return f"{dollars(amount)} + {unpriced:,} unpriced"


def tokens_text(tokens: int | None) -> str:
    """Return a number such as `1,200`, or `unknown`."""
    return "unknown" if tokens is None else f"{tokens:,}"


def _who(attempt: Attempt) -> str:
    return f"tier {attempt.tier}" + (f" ({attempt.model})" if attempt.model else "")


def baseline_text(amount: Decimal | None) -> str:
    """Return what it would have cost with a frontier model, by estimate; "" where that is not known."""
    return "" if amount is None else f" (est. {dollars(amount)} with a frontier model)"


def _one_line(text: str) -> str:
    return text.partition("\n")[0]


def _reason(result: TaskResult) -> str:
    reason = without_fix(result.reason, result.next_step)
    return f": {reason}" if reason else ""


def without_fix(reason: str, step: str) -> str:
    """Return a reason; the fix in it is left out where the next step says it too."""
    first, _, more = reason.partition(FIX)
    fix = more.partition("\n")[0]
    return first if fix and fix in step else reason


def _tail(result: TaskResult) -> str:
    if result.reason:
        first = result.reason.splitlines()[0]
        return f"{first}; next: {result.next_step}" if result.next_step else first
    return f"{result.seconds:.2f} s"
