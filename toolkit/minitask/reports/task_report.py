"""The output of `show`: the whole report of a task's latest attempt, from the ledger."""

from __future__ import annotations

from typing import Any

from minitask.engine.task_status import State, TaskStatus
from minitask.ledger.record import Record
from minitask.ledger.record_json import record_document
from minitask.ledger.usage import Usage
from minitask.reports.results import dollars, render_attempt, tokens_text
from minitask.task.feedback import find_outage_step


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
    records: tuple[Record, ...], standing: TaskStatus | None, calls: tuple[Record, ...] = ()
) -> str:
    """Return the latest attempt in full, the earlier ones and the calls beside them in a line each, and what is
    next.
    """
    record = records[-1]
    attempt = record.attempt
    usage = attempt.usage
    state = standing.state if standing else None
    lines = [
        f"{record.task}: {state.value if state else attempt.verdict.value}",
        f"  spec      {record.spec_path} at {record.spec_blob[:12]}",
        f"  attempt   {attempt.n}, {record.started_at}, {attempt.seconds:.2f} s",
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
        lines.append(f"  {attempt.gate or 'verdict'}: {attempt.reason}")
    lines += [f"  doubt     {doubt}" for doubt in attempt.doubts]
    lines += [f"  note      {note}" for note in attempt.unknown_imports]
    lines += render_attempt(attempt)
    red = [command.command.partition("\n")[0] for command in attempt.before if not command.passed]
    if red:
        lines.append(f"  before    fails without the change: {red[0]}")
    lines.append(f"  sandbox   {attempt.sandbox}")
    lines.append(f"  tokens    {_tokens(usage)}")
    lines.append(
        f"  cost      {dollars(attempt.cost_usd)} (est. "
        f"{dollars(record.baseline_cost_usd)} with a frontier model)"
    )
    lines += [f"  note      {note}" for note in record.notes]
    lines += [f"  {render_call(call)}" for call in calls]
    lines += [
        f"  earlier   attempt {earlier.attempt.n}: {earlier.attempt.verdict.value}{_why(earlier)}"
        for earlier in records[:-1]
    ]
    lines.append(f"  next      {next_step(record, state)}")
    return "\n".join(lines)


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
