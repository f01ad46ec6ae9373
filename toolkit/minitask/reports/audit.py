"""The output of `audit`: a line a merge, and the commands that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minitask.git.history import LandedTask
from minitask.landing.audit import AuditedMerge
from minitask.reports.results import render_command
from minitask.words import counted


def audit_document(
    results: Sequence[AuditedMerge], skipped: Sequence[LandedTask]
) -> dict[str, Any]:
    """Return an audit as JSON; `skipped` are merges that were taken back."""
    failed = [result for result in results if not result.is_proven]
    return {
        "checked": len(results),
        "proven": len(results) - len(failed),
        "failed": [
            {"task": result.landed.task, "merge": result.landed.commit, "reason": result.reason}
            for result in failed
        ],
        "skipped": [
            {"task": landed.task, "merge": landed.commit, "reason": "undone"}
            for landed in skipped
            if not landed.undone
        ],
    }


def render_audit(results: Sequence[AuditedMerge]) -> str:
    """Return a line a merge, with the commands of those that are not proven, and how many are."""
    lines = []
    for result in results:
        mark = "✓" if result.is_proven else "✗"
        reason = "" if result.is_proven else f": {result.reason}"
        lines.append(f"{mark} {result.landed.task}  {result.landed.commit[:12]}{reason}")
        for command in result.proof.commands if result.proof and not result.is_proven else ():
            lines += render_command(command)
    proven = sum(result.is_proven for result in results)
    lines.append(f"{proven} of {counted(len(results), 'merge')} proven")
    return "\n".join(lines)
