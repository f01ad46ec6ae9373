"""One task in full: the output of `show`, from the ledger, and of `review`, for a person to judge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from minitask.engine.task_status import State, TaskStatus
from minitask.ledger.record import Attempt, Record, Usage, whole
from minitask.ledger.record_json import record_document
from minitask.reports.results import (
    baseline_text,
    dollars,
    render_attempt,
    render_command,
    tokens_text,
    without_fix,
)
from minitask.reports.task_lists import MINUTES
from minitask.spec.expectations import render_expectation
from minitask.spec.model import Spec
from minitask.task.feedback import find_outage_step
from minitask.words import one_line, plain


def report_document(
    records: tuple[Record, ...], standing: TaskStatus | None, calls: tuple[Record, ...] = ()
) -> dict[str, Any]:
    """Return the records and the state of a task, and the calls apart from attempts, as JSON."""
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
    """Return the latest attempt in full, the earlier ones and the calls on one line each, and the next step.

    `with_output` adds the output of the commands, on the change and before it.
    """
    record = records[-1]
    attempt = record.attempt
    spec = standing.task.spec if standing else None
    lines = [*_head(record, standing), *_command_lines(attempt, spec, with_output=with_output)]
    lines += [
        f"  sandbox   {attempt.sandbox}",
        f"  tokens    {_tokens(attempt.usage)}",
        f"  cost      {dollars(attempt.cost_usd)}{baseline_text(record.baseline_cost_usd)}",
        *(f"  note      {note}" for note in record.notes),
        *(f"  {render_call(call)}" for call in calls),
        *(f"  earlier   {_earlier(earlier.attempt)}" for earlier in records[:-1]),
        f"  next      {_next_step(record, standing.state if standing else None)}",
    ]
    following = spec.next_task.strip() if spec else ""
    if following.rstrip(".").casefold() not in ("", "none"):
        lines.append(f"  then      {one_line(following)}")
    return "\n".join(lines)


def _head(record: Record, standing: TaskStatus | None) -> list[str]:
    """Return the number, author, base and result of an attempt."""
    attempt = record.attempt
    state = standing.state if standing else None
    candidate = f", candidate {record.candidate[:12]}" if record.candidate else ""
    is_other = state in (State.MERGED, State.READY) and not attempt.verdict.is_good
    other = f"; attempt {attempt.n} {attempt.verdict.value}" if is_other else ""
    lines = [
        f"{record.task}: {state.value if state else attempt.verdict.value}{other}",
        f"  spec      {record.spec_path} at {record.spec_blob[:12]}",
        f"  attempt   {attempt.n}, {record.started_at[:MINUTES].replace('T', ' ')} UTC, {attempt.seconds:.2f} s",
        f"  by        tier {attempt.tier}, {attempt.model or 'the edit script of the spec'}",
        f"  base      {record.base[:12]}{candidate}",
    ]
    if attempt.decision is not None:
        lines.append(f"  because   {attempt.decision.reason}")
    if standing and standing.merge and not is_other:
        target = record.target.removeprefix("refs/heads/")
        lines.append(f"  merged    {standing.merge[:12]} on {target}")
    if attempt.reason:
        reason = without_fix(attempt.reason, _next_step(record, state))
        indented = reason.replace("\n", f"\n{' ' * 12}")
        lines.append(f"  {attempt.gate or 'verdict':9} {indented}")
    lines += [f"  doubt     {doubt}" for doubt in attempt.doubts]
    return lines + [f"  note      {note}" for note in attempt.unknown_imports]


def _command_lines(attempt: Attempt, spec: Spec | None, *, with_output: bool) -> Iterator[str]:
    """Yield the files and commands of an attempt, the spec's expectations, and what failed before the change."""
    lines = render_attempt(attempt, with_output=with_output)
    yield from map(_aligned, lines)
    for expected in spec.commands if spec else ():
        if expected.expectations:
            texts = "; ".join(map(render_expectation, expected.expectations))
            yield f"  expects   {texts} of `{one_line(expected.text, longest=60)}`"
    red = [command.command.partition("\n")[0] for command in attempt.before if not command.passed]
    if red:
        yield f"  before    fails without the change: {red[0]}"
    for command in attempt.before if with_output else ():
        first, *output = render_command(command, with_output=True)
        yield f"  before    {first.strip()}"
        yield from map(_aligned, output)


def _aligned(line: str) -> str:
    """Return a line of `render_attempt` with its value aligned to those of the report."""
    return f"{line[:8]}   {line[8:]}"


def _next_step(record: Record, state: State | None) -> str:
    """Return the command for the task's next step, or what to look at."""
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
    diff = f"git diff {record.base[:12]} {record.candidate[:12]}; " if record.candidate else ""
    return f"{diff}fix the spec, commit it, minitask exec {name}"


def render_call(call: Record) -> str:
    """Return a call apart from attempts on one line, with its notes below."""
    attempt = call.attempt
    cost = f"tier {attempt.tier} ({attempt.model}), {dollars(attempt.cost_usd)}"
    reason = without_fix(attempt.reason, "").replace("\n", f"\n{' ' * 10}")
    first = f"{call.kind:8}  attempt {attempt.n}, {cost}: {reason}"
    return "\n".join([first, *(f"            {note}" for note in call.notes)])


def _earlier(attempt: Attempt) -> str:
    first = attempt.reason.partition("\n")[0]
    reason = f": {first}" if first else ""
    return f"attempt {attempt.n}: {attempt.verdict.value}, tier {attempt.tier}{reason}"


def _tokens(usage: Usage) -> str:
    """Return the tokens in and out, and their separately priced parts."""
    written = (usage.cache_write_tokens or 0) + (usage.cache_write_1h_tokens or 0)
    parts = [
        f"{count:,} {label}"
        for count, label in (
            (usage.cached_input_tokens, "read from a cache"),
            (written, "written to one"),
            (usage.reasoning_tokens, "reasoning"),
        )
        if count
    ]
    return tokens_text(usage) + (f" ({', '.join(parts)})" if parts else "")


class Reviewed(Struct, frozen=True):
    """A task for a person to judge; `merge` is the commit by which this diff has landed, or ""."""

    record: Record
    calls: tuple[Record, ...]
    spec: Spec
    diff: str
    branch: str
    merge: str = ""


def reviewed_document(reviewed: Reviewed) -> dict[str, Any]:
    """Return a task as JSON."""
    return {
        "task": reviewed.record.task,
        "branch": reviewed.branch,
        "verdict": reviewed.record.attempt.verdict.value,
        "merge": reviewed.merge or None,
        "criteria": [criterion.text for criterion in reviewed.spec.criteria],
        "diff": reviewed.diff,
        "record": record_document(reviewed.record),
        "calls": [record_document(call) for call in reviewed.calls],
    }


def render_reviewed(reviewed: Reviewed) -> str:
    """Return a task as text: its criteria, diff, commands and cost, and the possible answers."""
    attempt, name = reviewed.record.attempt, reviewed.record.task
    state = f"merged as {reviewed.merge[:12]}" if reviewed.merge else attempt.verdict.value
    lines = [f"{name}: {state}, {reviewed.spec.title}", ""]
    lines += [f"  criterion  {criterion.text}" for criterion in reviewed.spec.criteria]
    for call in reviewed.calls:
        who = call.attempt.model or "a person"
        lines.append(f"  {call.kind:9}  {who}: {call.attempt.reason}")
        lines += [f"             {note}" for note in call.notes]
    diff = reviewed.diff.rstrip()
    lines += ["", *(map(plain, diff.split("\n")) if diff else ["  no change"]), ""]
    lines += render_attempt(attempt)
    costs = [attempt.cost_usd, *(call.attempt.cost_usd for call in reviewed.calls)]
    who = attempt.model or "the edit script of the spec"
    lines.append(f"  cost   {dollars(whole(costs))}, by {who}")
    if attempt.reason:
        lines.append(f"  reason {without_fix(attempt.reason, '')}")
    if reviewed.merge:
        return "\n".join([*lines, "", f"  undo     minitask undo {name}"])
    if not diff:
        return "\n".join([*lines, "", f"  next     minitask show {name}"])
    lines += [
        "",
        f"  approve  minitask review {name} --approve",
        f'  reject   minitask review {name} --reject "what is wrong"  (the next attempt sees your reason)',
        f"  edit     git switch {reviewed.branch}, commit your changes, minitask merge {name}  (validates it again)",
    ]
    return "\n".join(lines)
