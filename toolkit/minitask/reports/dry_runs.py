"""The output of dry runs: routes, the prompt and its receiver, the commands and their sandbox; waves and estimates."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from minitask.ledger.record import money
from minitask.project.preview import RunPreview
from minitask.reports.results import dollars
from minitask.task.prepare import TaskPreview


def outlook_document(project: str, prospects: Sequence[RunPreview]) -> dict[str, Any]:
    """Return an outlook as JSON."""
    last = max((each.wave for each in prospects), default=0)
    return {
        "project": project,
        "dry_run": True,
        "waves": [
            [each.task.name for each in prospects if each.wave == wave]
            for wave in range(1, last + 1)
        ],
        "tasks": [_task(each) for each in prospects],
        "cost_usd": money(_total(prospects)),
    }


def render_outlook(prospects: Sequence[RunPreview]) -> str:
    """Return an outlook as text: a line a task, and the sum."""
    width = max((len(each.task.name) for each in prospects), default=0)
    lines = ["dry run, nothing is spent"]
    wave = 0
    for each in prospects:
        if each.wave != wave:
            wave = each.wave
            lines.append(f"wave {wave}")
        lines.append(f"  {each.task.name:{width}}  {_said(each)}")
    unknown = sum(each.cost_usd is None for each in prospects)
    more = f" ({unknown} without estimate)" if unknown else ""
    known = [each.cost_usd for each in prospects if each.cost_usd is not None]
    lines.append(f"estimated total {dollars(sum(known, Decimal(0)))}{more}")
    return "\n".join(lines)


def _said(each: RunPreview) -> str:
    if each.merge:
        return f"already merged ({each.merge[:12]})"
    if each.route is None:
        return f"cannot run: {each.problem.partition(chr(10))[0]}"
    who = each.route.model or "edit script"
    tokens = "" if not each.input_tokens else f", {each.input_tokens:,} tokens in"
    cost = "cost unknown" if each.cost_usd is None else f"about {dollars(each.cost_usd)}"
    return f"{each.route.tier.value:8} {who}{tokens}, {cost}"


def _task(each: RunPreview) -> dict[str, Any]:
    route = each.route
    return {
        "task": each.task.name,
        "wave": each.wave,
        "tier": route.tier.value if route else None,
        "executor": route.executor if route else None,
        "model": (route.model or None) if route else None,
        "reason": route.reason if route else each.problem,
        "estimate": {
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
            "cost_usd": money(each.cost_usd),
        },
    }


def _total(prospects: Sequence[RunPreview]) -> Decimal | None:
    known = [each.cost_usd for each in prospects if each.cost_usd is not None]
    return sum(known, Decimal(0)) if len(known) == len(prospects) else None


def dry_run_document(said: TaskPreview) -> dict[str, Any]:
    """Return a dry run as JSON."""
    description = said.description
    return {
        "task": said.task.name,
        "spec": {"path": said.task.path, "blob": said.task.blob},
        "dry_run": True,
        "landed": said.landed,
        "base": said.task.base,
        "target": said.task.target.removeprefix("refs/heads/"),
        "tier": said.route.tier.value,
        "executor": said.route.executor,
        "model": said.route.model or None,
        "reason": said.route.reason,
        "url": description.url or None,
        "key_variable": description.key_variable or None,
        "key_set": description.key_set,
        "command_line": list(description.command) or None,
        "max_output_tokens": description.max_output_tokens,
        "prompt": description.prompt or None,
        "commands": [command.text for command in said.task.spec.commands],
        "sandbox": said.sandbox,
        "questions": [
            {"phase": phase, "tier": tier, "model": model} for phase, tier, model in said.questions
        ],
    }


def render_dry_run(said: TaskPreview) -> str:
    """Return a dry run as text."""
    description = said.description
    lines = [
        f"{said.task.name}: dry run, nothing is spent",
        f"  spec     {said.task.path} at {said.task.blob[:12]}, on {said.task.base[:12]}",
        f"  route    tier {said.route.tier.value}: {said.route.reason}",
    ]
    if said.landed:
        lines.append("  merged   already; exec would skip it (--again to rerun)")
    if description.url:
        key = description.key_variable or "no key"
        state = (
            ""
            if not description.key_variable
            else (" (set)" if description.key_set else " (NOT SET)")
        )
        lines.append(f"  sent to  {description.url}, model {description.model}, key {key}{state}")
    if said.exposure:
        lines.append(f"  WARNING  {said.exposure}")
    if description.command:
        lines.append(f"  program  {shlex.join(description.command)}")
    if description.max_output_tokens is not None:
        lines.append(f"  answer   at most {description.max_output_tokens:,} tokens")
    lines += [
        f"  calls    {model} (tier {tier}) for the {phase}" for phase, tier, model in said.questions
    ]
    lines.append(f"  sandbox  {said.sandbox}")
    lines += [f"  run      {command.text}" for command in said.task.spec.commands]
    if description.prompt:
        lines += ["  prompt", *(f"  | {line}" for line in description.prompt.splitlines())]
    return "\n".join(lines)
