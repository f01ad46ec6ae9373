"""The output of `plan`: the specs, what is wrong with them, what it cost, and what is next."""

from __future__ import annotations

import shlex
from typing import Any

from minitask.ledger.record import Attempt, money
from minitask.ledger.record_json import attempt_document
from minitask.planning.plan import Planned
from minitask.reports.diagnostics import render_diagnostics
from minitask.reports.results import dollars, tokens_text
from minitask.spec.model import Diagnostic
from minitask.words import counted


def planned_document(planned: Planned) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "project": planned.project,
        "specs": list(planned.specs),
        "diagnostics": [_diagnostic(diagnostic) for diagnostic in planned.diagnostics],
        "problem": planned.problem or None,
        "kept": planned.kept or None,
        "cost_usd": money(planned.cost_usd),
        "calls": [_call(call) for call in planned.calls],
    }


def render_planned(planned: Planned) -> str:
    """Return a plan as text."""
    lines = [f"wrote {name}" for name in planned.specs]
    lines += mistakes(planned)
    if planned.problem:
        lines.append(f"problem: {planned.problem}")
    if planned.kept:
        command = ["minitask", "plan", "--from", planned.kept, "--project", planned.project]
        lines.append(f"the answer is kept in {planned.kept}")
        lines.append(f"next: fix it, then: {shlex.join(command)}")
    lines += [_paid(call) for call in planned.calls]
    lines += next_steps(planned)
    return "\n".join(lines)


def mistakes(planned: Planned) -> list[str]:
    """Return what is wrong with the specs."""
    if not planned.diagnostics:
        return []
    count = len(planned.specs)
    return [render_diagnostics(planned.diagnostics, form="text", spec_count=count).rstrip("\n")]


def next_steps(planned: Planned) -> list[str]:
    """Return the commands that follow once there are specs."""
    if not planned.specs:
        return []
    folder = planned.specs[0].rpartition("/")[0]
    first = "read and fix them" if planned.has_errors else "read them"
    commit = f"git add {folder} && git commit -m 'specs: {planned.project}'"
    return [
        f"next: {first}, then: minitask validate {folder} && {commit}",
        f"      minitask run {planned.project}",
    ]


def _paid(call: Attempt) -> str:
    usage = call.usage
    tokens = f"{tokens_text(usage.input_tokens)} tokens in, {tokens_text(usage.output_tokens)} out"
    rounds = f", {counted(call.malformed, 'answer')} rejected" if call.malformed else ""
    return f"planned by {call.model} (tier {call.tier}), {tokens}{rounds}: {dollars(call.cost_usd)}"


def _call(call: Attempt) -> dict[str, Any]:
    names = ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd", "seconds")
    whole = attempt_document(call)
    return {name: whole[name] for name in names}


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "path": diagnostic.path,
        "line": diagnostic.line,
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    }
