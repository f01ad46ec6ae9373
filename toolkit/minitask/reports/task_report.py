"""The output of `show`: the whole report of a task's latest attempt, from the ledger."""

from __future__ import annotations

from typing import Any

from minitask.engine.task_status import State, TaskStatus
from minitask.ledger.record import Record
from minitask.ledger.record_json import record_document
from minitask.ledger.usage import Usage
from minitask.reports.log import MINUTES
from minitask.reports.results import (
    baseline_text,
    dollars,
    render_attempt,
    render_command,
    tokens_text,
    without_fix,
)
from minitask.spec.expectations import render_expectation
from minitask.spec.model import Spec
from minitask.task.feedback import find_outage_step
from minitask.words import one_line


def report_document(
    records: tuple[Record, ...], standing: TaskStatus | None, calls: tuple[Record, ...] = ()
) -> dict[str, Any]:
    """Return all the records of a task, the calls beside its attempts, and where it stands, as JSON."""
    return {
        "task": records[-1].task,
        "state": standing.state.value if standing else None,
        "merge": standing.merge if standing else None,
        "records": [record_document(record) for record in records],
        "calls": [record_document(call) for call in calls],
    }


def render_report(
    records: tuple[Record, ...],
    standing: TaskStatus | None,
    calls: tuple[Record, ...] = (),
    *,
    with_output: bool = False,
) -> str:
    """Return the latest attempt in full, the earlier ones and the calls beside them in a line each, and what is
    next; `with_output`, what the commands printed on the change and before it.
    """
    record = records[-1]
    attempt = record.attempt
    spec = standing.task.spec if standing else None
    lines = [
        *_head(record, standing),
        *map(_aligned, render_attempt(attempt, with_output=with_output)),
        *(_expected(spec) if spec else ()),
    ]
    red = [command.command.partition("\n")[0] for command in attempt.before if not command.passed]
    if red:
        lines.append(f"  before    fails without the change: {red[0]}")
    for command in attempt.before if with_output else ():
        lines += map(_aligned, render_command(command, with_output=True))
    lines += [
        f"  sandbox   {attempt.sandbox}",
        f"  tokens    {_tokens(attempt.usage)}",
        f"  cost      {dollars(attempt.cost_usd)}{baseline_text(record.baseline_cost_usd)}",
        *(f"  note      {note}" for note in record.notes),
        *(f"  {render_call(call)}" for call in calls),
        *(
            f"  earlier   attempt {earlier.attempt.n}: {earlier.attempt.verdict.value}{_why(earlier)}"
            for earlier in records[:-1]
        ),
        f"  next      {next_step(record, standing.state if standing else None)}",
    ]
    following = spec.next_task.strip() if spec else ""
    if following.rstrip(".").casefold() not in ("", "none"):
        lines.append(f"  then      {one_line(following)}")
    return "\n".join(lines)


def _head(record: Record, standing: TaskStatus | None) -> list[str]:
    """Return which attempt it is, by whom, on what, and how it ended."""
    attempt = record.attempt
    state = standing.state if standing else None
    lines = [
        f"{record.task}: {state.value if state else attempt.verdict.value}",
        f"  spec      {record.spec_path} at {record.spec_blob[:12]}",
        f"  attempt   {attempt.n}, {record.started_at[:MINUTES].replace('T', ' ')} UTC, {attempt.seconds:.2f} s",
        f"  by        tier {attempt.tier}, {attempt.model or 'the edit script of the spec'}",
        f"  base      {record.base[:12]}"
        + (f", candidate {record.candidate[:12]}" if record.candidate else ""),
    ]
    if attempt.decision is not None:
        lines.append(f"  because   {attempt.decision.reason}")
    if standing and standing.merge:
        lines.append(
            f"  merged    {standing.merge[:12]} on {record.target.removeprefix('refs/heads/')}"
        )
    if attempt.reason:
        reason = without_fix(attempt.reason, next_step(record, state)).replace(
            "\n", f"\n{' ' * 12}"
        )
        lines.append(f"  {attempt.gate or 'verdict':9} {reason}")
    lines += [f"  doubt     {doubt}" for doubt in attempt.doubts]
    return lines + [f"  note      {note}" for note in attempt.unknown_imports]


def _aligned(line: str) -> str:
    """Return a line of `render_attempt` with its value below those of the other lines."""
    return f"{line[:8]}   {line[8:]}"


def _expected(spec: Spec) -> list[str]:
    """Return what the spec expects of its commands beside exit code 0, a line a command."""
    return [
        f"  expects   {'; '.join(map(render_expectation, command.expectations))}"
        f" of `{one_line(command.text, longest=60)}`"
        for command in spec.commands
        if command.expectations
    ]


def next_step(record: Record, state: State | None) -> str:
    """Return the command that takes the task further, or what to look at."""
    name = record.task
    if state is State.MERGED:
        return f"nothing; `minitask undo {name}` reverts it"
    if state is State.READY:
        return f"minitask merge {name}"
    if state in (State.CHANGED, State.UNDONE):
        return f"minitask exec {name}"
    step = find_outage_step(record.attempt, name)
    if step:
        return step
    if record.candidate:
        return f"git diff {record.base[:12]} {record.candidate[:12]}; fix the spec, commit it, minitask exec {name}"
    return f"fix the spec, commit it, minitask exec {name}"


def render_call(call: Record) -> str:
    """Return a call beside the attempts, in a line, and what it said below."""
    first = f"{call.kind:8}  attempt {call.attempt.n}, {_asked(call)}: {call.attempt.reason}"
    return "\n".join([first, *(f"            {note}" for note in call.notes)])


def _asked(call: Record) -> str:
    return f"tier {call.attempt.tier} ({call.attempt.model}), {dollars(call.attempt.cost_usd)}"


def _why(record: Record) -> str:
    first = record.attempt.reason.partition("\n")[0]
    return f", tier {record.attempt.tier}" + (f": {first}" if first else "")


def _tokens(usage: Usage) -> str:
    """Return what went in and came out, and the parts of it that have prices of their own."""
    written = plus_known(usage.cache_write_tokens, usage.cache_write_1h_tokens)
    parts = [
        f"{count:,} {label}"
        for count, label in (
            (usage.cached_input_tokens, "read from a cache"),
            (written, "written to one"),
            (usage.reasoning_tokens, "reasoning"),
        )
        if count
    ]
    whole = f"{tokens_text(usage.input_tokens)} in, {tokens_text(usage.output_tokens)} out"
    return f"{whole} ({', '.join(parts)})" if parts else whole


def plus_known(*counts: int | None) -> int:
    """Return the sum of the counts that are known."""
    return sum(count or 0 for count in counts)
