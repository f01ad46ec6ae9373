"""The output of `exec`, `run`, `merge` and `demo`: the results of tasks, with amounts and tokens as text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from minitask.errors import FIX, UNUSABLE
from minitask.ledger.accuracy import CLOSE, BatchTokens
from minitask.ledger.record import (
    NO_USAGE,
    Attempt,
    CommandRecord,
    TaskResult,
    Usage,
    Verdict,
    money,
    plus,
    whole,
)
from minitask.ledger.record_json import result_document, usage_document
from minitask.words import counted, plain

if TYPE_CHECKING:
    from minitask.policy.route import CallEstimate
    from minitask.project.demo import DemoResult

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
    """A run's results in the order of the tasks, its wall time, and its tokens by wave, which only the text shows."""

    project: str
    target: str
    results: tuple[TaskResult, ...]
    seconds: float
    batches: tuple[BatchTokens, ...] = ()

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the total cost, or None if one is unknown."""
        return whole(result.cost_usd for result in self.results)

    @property
    def baseline_cost_usd(self) -> Decimal | None:
        """Return the sum of the known estimates, or None if there are none."""
        costs = _known(result.baseline_cost_usd for result in self.results)
        return sum(costs, Decimal(0)) if costs else None


def _known(amounts: Iterable[Decimal | None]) -> list[Decimal]:
    return [amount for amount in amounts if amount is not None]


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
    """Return a task's result: the verdict, the reason, the changes, the commands, the cost and the next step."""
    return "\n".join(_result_lines(result))


def _result_lines(result: TaskResult) -> Iterator[str]:
    reason = _indented(without_fix(result.reason, result.next_step))
    yield f"{MARKS[result.verdict]} {result.task}: {result.verdict.value}{_after_colon(reason)}"
    for attempt in result.attempts if len(result.attempts) > 1 else ():
        why = _after_colon(_first_line(attempt.reason))
        yield f"  try {attempt.n}  {attempt.verdict.value}, {_who(attempt)}{why}"
    for attempt in result.attempts[-1:]:
        yield from render_attempt(attempt)
        if attempt.sandbox != "strong":
            yield f"  NOTE   the sandbox was {attempt.sandbox}; `minitask doctor` says why"
    for phase, call in result.calls:
        yield f"  {phase:8} {_who(call)}, {dollars(call.cost_usd)}: {_first_line(call.reason)}"
    if result.attempts:
        yield f"  cost   {dollars(result.cost_usd)}{baseline_text(result.baseline_cost_usd)}"
    if result.branch:
        merge = f", merged as {result.merge[:12]}" if result.merge else ""
        yield f"  branch {result.branch}{merge}"
    if result.next_step:
        yield f"  next   {result.next_step}"


def _indented(text: str) -> str:
    """Return a text whose lines after the first are indented."""
    first, *more = text.split("\n")
    return "\n".join([first, *(line if line.startswith(" ") else f"  {line}" for line in more)])


def _after_colon(text: str) -> str:
    return f": {text}" if text else ""


def render_attempt(attempt: Attempt, *, with_output: bool = False) -> list[str]:
    """Return the files and commands of an attempt, one line each, with the output of failed commands, or of all."""
    lines = []
    verbs = {"A": "create", "M": "edit", "D": "delete"}
    for file in attempt.files:
        counts = "binary" if file.added is None else f"+{file.added} -{file.removed}"
        lines.append(f"  {verbs.get(file.status, file.status):6} {file.path} ({counts})")
    for command in attempt.commands:
        lines += render_command(command, with_output=with_output)
    lines += [f"  note   {note}" for note in attempt.unknown_imports]
    return [*lines, *_grade_lines(attempt)]


def _grade_lines(attempt: Attempt) -> Iterator[str]:
    """Yield how many planted faults the checks notice, and the faults that they missed."""
    grade = attempt.grade
    if grade is None or not (grade.planted or attempt.files):
        return
    more = f" ({grade.note})" if grade.planted and grade.note else ""
    yield f"  grade  {grade}{more}"
    for missed in grade.missed[:3]:
        yield f"         missed {missed.path}:{missed.line} {missed.mutant}"
    if grade.missed[3:]:
        yield f"         and {len(grade.missed) - 3} more"


def render_command(command: CommandRecord, *, with_output: bool = False) -> list[str]:
    """Return a command with its result, and the end of its output if it failed; `with_output`: all its output."""
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
    """Return a run: one line per task if `lists_tasks`, one per batch that called models, and the totals."""
    width = max((len(result.task) for result in summary.results), default=0)
    lines = []
    for result in summary.results if lists_tasks else ():
        mark = f"{MARKS[result.verdict]} {result.task:{width}}  {result.verdict.value:8}"
        tail = _first_line(result.reason)
        if not result.reason:
            tail = f"{result.seconds:.2f} s"
        elif result.next_step:
            tail += f"; next: {result.next_step}"
        lines.append(f"{mark} {dollars(result.cost_usd):>9}  {tail}".rstrip())
        fix = result.reason.partition(FIX)[2].partition("\n")[0]
        if fix and not result.next_step:
            lines.append(f"  fix: {fix}")
    lines += map(render_batch, summary.batches)
    landed = sum(result.verdict is Verdict.MERGED for result in summary.results)
    lines.append(
        f"{landed} of {len(summary.results)} on {summary.target} in {summary.seconds:.1f} s, "
        f"cost {_cost(summary)}{baseline_text(summary.baseline_cost_usd)}"
    )
    limits = {
        result.limited: _first_line(result.reason) for result in summary.results if result.limited
    }
    lines += [f"{executor} has reached its limit: {reason}" for executor, reason in limits.items()]
    if limits:
        command = f"minitask run {summary.project.replace(', ', ' ')}"
        lines.append(f"next: {command}, when it is over; with --wait it waits")
    return "\n".join(lines)


def _cost(summary: RunSummary) -> str:
    """Return the cost of a run: the known part, and the number of tasks without a price, which no limit counts."""
    costs = _known(result.cost_usd for result in summary.results)
    amount = dollars(sum(costs, Decimal(0)))
    unknown = len(summary.results) - len(costs)
    if not unknown:
        return amount
    unpriced = f"unknown for {counted(unknown, 'task')}, which no limit counts"
    return f"{amount}, and {unpriced}" if any(costs) else unpriced


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
    """Return a batch's deviation from its plan; beyond the limit, rounded away from zero so as not to equal it."""
    off, mark = batch.percent, f"{100 * CLOSE:.0f} %"
    if off is None:
        return "" if batch.is_close else f" (beyond {mark})"
    if batch.is_close:
        return f" ({percent(off)})"
    return f" ({percent(math.copysign(math.ceil(abs(off)), off))}, beyond {mark})"


def dollars(amount: Decimal | None) -> str:
    """Return US dollars: two decimals from one dollar, four below; None as `unpriced`."""
    if amount is None:
        return "unpriced"
    if amount == 0:
        return "$0"
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def known_dollars(amount: Decimal | None, unpriced: int) -> str:
    """Return a sum of known amounts, and how many amounts have no price."""
    if amount is None or not unpriced:
        return dollars(amount)
    return f"{dollars(amount)} + {unpriced:,} unpriced"


def tokens_text(counts: Usage | CallEstimate, noun: str = "") -> str:
    """Return `1,200 in, 80 out`, or `1,200 tokens in, 80 out` with the noun `tokens`."""
    tokens_in, tokens_out = (
        "unknown" if count is None else f"{count:,}"
        for count in (counts.input_tokens, counts.output_tokens)
    )
    return f"{tokens_in}{noun and ' '}{noun} in, {tokens_out} out"


def _who(attempt: Attempt) -> str:
    return f"tier {attempt.tier}" + (f" ({attempt.model})" if attempt.model else "")


def baseline_text(amount: Decimal | None) -> str:
    """Return the estimated cost with a frontier model, or "" if it is unknown."""
    return "" if amount is None else f" (est. {dollars(amount)} with a frontier model)"


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def without_fix(reason: str, step: str) -> str:
    """Return a reason without its fix if the next step repeats it; a fix that is for the model is marked as such."""
    first, _, more = reason.partition(FIX)
    fix = more.partition("\n")[0]
    if UNUSABLE in first:
        return reason.replace(FIX, "\n  for the model: ", 1)
    return first if fix and fix in step else reason


def render_demo(shown: DemoResult, *, program: str) -> str:
    """Return the demo's tasks, the module's sizes, the branches and merges, the costs, and where to look.

    `program` is how the user's shell starts minitask.
    """
    from minitask.project.demo import PROJECT

    failed = next((result for result in shown.results if result.verdict is Verdict.FAILED), None)
    lines = [
        render_run(RunSummary(PROJECT, "main", shown.results, shown.seconds)),
        "",
        "the module, in lines",
        *_sizes(shown.lines_before, shown.lines_after),
        "",
        "branches, one per task, passed or not",
        *(f"  {commit}  {name}" for commit, name in shown.branches),
        "",
        "merges on main, each tree validated before main moved",
        *(f"  {commit}  {subject}" for commit, subject in shown.merges),
        "",
        "cost",
        "  this run                 $0: every spec carries its own edit script",
        *(
            f"  {shown.models[kind]:24} about {dollars(amount)} for the same edits, one call per task (estimated)"
            for kind, amount in shown.estimates_usd.items()
        ),
        "",
        "look around",
        f"  cd {shown.folder}",
        "  git log --graph --oneline main",
        f"  {program} status",
    ]
    if failed is not None:
        lines.append(f"  {program} show {failed.task}    # fails on purpose; it did not merge")
    return "\n".join(lines)


def _sizes(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    changed = sorted({name for name, _ in before.items() ^ after.items()})
    width = max((len(name) for name in changed), default=0)
    return [
        f"  {name:{width}}  {before.get(name, 0):5} -> {after.get(name, 0):5}" for name in changed
    ]
