"""The output of a dry run: the route, the prompt and its receiver, the commands and their sandbox."""

from __future__ import annotations

import shlex
from typing import Any

from minitask.task.task_preview import TaskPreview


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
