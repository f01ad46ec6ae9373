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


def outlook_document(project: str, previews: Sequence[RunPreview]) -> dict[str, Any]:
    """Return an outlook as JSON."""
    last = max((preview.wave for preview in previews), default=0)
    return {
        "project": project,
        "dry_run": True,
        "waves": [
            [preview.task.name for preview in previews if preview.wave == wave]
            for wave in range(1, last + 1)
        ],
        "tasks": [preview_document(preview) for preview in previews],
        "cost_usd": money(_total(previews)),
    }


def render_outlook(previews: Sequence[RunPreview]) -> str:
    """Return an outlook as text: a line a task, and the sum."""
    width = max((len(preview.task.name) for preview in previews), default=0)
    lines = ["dry run, nothing is spent"]
    wave = 0
    for preview in previews:
        if preview.wave != wave:
            wave = preview.wave
            lines.append(f"wave {wave}")
        lines.append(f"  {preview.task.name:{width}}  {preview_line(preview)}")
    unknown = sum(preview.cost_usd is None for preview in previews)
    more = f" ({unknown} without estimate)" if unknown else ""
    costs = [preview.cost_usd for preview in previews if preview.cost_usd is not None]
    lines.append(f"estimated total {dollars(sum(costs, Decimal(0)))}{more}")
    return "\n".join(lines)


def preview_line(preview: RunPreview) -> str:
    """Return who would do a task, and what it would cost."""
    if preview.merge:
        return f"already merged ({preview.merge[:12]})"
    if preview.route is None:
        return f"cannot run: {preview.problem.partition(chr(10))[0]}"
    who = preview.route.model or "edit script"
    tokens = "" if not preview.input_tokens else f", {preview.input_tokens:,} tokens in"
    cost = "cost unknown" if preview.cost_usd is None else f"about {dollars(preview.cost_usd)}"
    return f"{preview.route.tier.value:8} {who}{tokens}, {cost}"


def preview_document(preview: RunPreview) -> dict[str, Any]:
    """Return a task's outlook as JSON."""
    route = preview.route
    return {
        "task": preview.task.name,
        "wave": preview.wave,
        "tier": route.tier.value if route else None,
        "executor": route.executor if route else None,
        "model": (route.model or None) if route else None,
        "reason": route.reason if route else preview.problem,
        "estimate": {
            "input_tokens": preview.input_tokens,
            "output_tokens": preview.output_tokens,
            "cost_usd": money(preview.cost_usd),
        },
    }


def _total(previews: Sequence[RunPreview]) -> Decimal | None:
    costs = [preview.cost_usd for preview in previews if preview.cost_usd is not None]
    return sum(costs, Decimal(0)) if len(costs) == len(previews) else None


def dry_run_document(preview: TaskPreview) -> dict[str, Any]:
    """Return a dry run as JSON."""
    description = preview.description
    return {
        "task": preview.task.name,
        "spec": {"path": preview.task.path, "blob": preview.task.blob},
        "dry_run": True,
        "landed": preview.landed,
        "base": preview.task.base,
        "target": preview.task.target.removeprefix("refs/heads/"),
        "tier": preview.route.tier.value,
        "executor": preview.route.executor,
        "model": preview.route.model or None,
        "reason": preview.route.reason,
        "url": description.url or None,
        "key_variable": description.key_variable or None,
        "key_set": description.key_set,
        "command_line": list(description.command) or None,
        "brought": list(description.brought),
        "max_output_tokens": description.max_output_tokens,
        "prompt": description.prompt or None,
        "commands": [command.text for command in preview.task.spec.commands],
        "sandbox": preview.sandbox,
        "questions": [
            {"phase": phase, "tier": tier, "model": model}
            for phase, tier, model in preview.questions
        ],
    }


def render_dry_run(preview: TaskPreview) -> str:
    """Return a dry run as text."""
    description = preview.description
    lines = [
        f"{preview.task.name}: dry run, nothing is spent",
        f"  spec     {preview.task.path} at {preview.task.blob[:12]}, on {preview.task.base[:12]}",
        f"  route    tier {preview.route.tier.value}: {preview.route.reason}",
    ]
    if preview.landed:
        lines.append("  merged   already; exec would skip it (--again to rerun)")
    if description.url:
        state = "set" if description.key_set else "NOT SET"
        name = description.key_variable
        key = f"key {name} ({state})" if name else "no key"
        lines.append(f"  sent to  {description.url}, model {description.model}, {key}")
    if preview.exposure:
        lines.append(f"  WARNING  {preview.exposure}")
    if description.command:
        lines.append(f"  program  {shlex.join(description.command)}")
    lines += [f"  brings   {text}" for text in description.brought]
    if description.max_output_tokens is not None:
        lines.append(f"  answer   at most {description.max_output_tokens:,} tokens")
    lines += [
        f"  calls    {model} (tier {tier}) for the {phase}"
        for phase, tier, model in preview.questions
    ]
    lines.append(f"  sandbox  {preview.sandbox}")
    lines += [f"  run      {command.text}" for command in preview.task.spec.commands]
    if description.prompt:
        lines += ["  prompt", *(f"  | {line}" for line in description.prompt.splitlines())]
    return "\n".join(lines)
