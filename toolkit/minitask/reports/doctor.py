"""The output of `doctor`: findings, and fixes for what is missing."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field


class CheckResult(Struct, frozen=True):
    """One thing that was looked at: `ok`, `note` or `bad`, with what to do where something is missing."""

    area: str
    state: str
    text: str
    hint: str = ""


class Health(Struct, frozen=True):
    """All findings, and the settings with their sources."""

    findings: tuple[CheckResult, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Return True if nothing that is needed is missing."""
        return all(finding.state != "bad" for finding in self.findings)


def health_document(health: Health) -> dict[str, Any]:
    """Return the findings as JSON."""
    return {
        "ok": health.is_good,
        "findings": [
            {
                "area": finding.area,
                "state": finding.state,
                "text": finding.text,
                "hint": finding.hint,
            }
            for finding in health.findings
        ],
        "settings": health.settings,
        "sources": health.sources,
    }


def render_health(health: Health) -> str:
    """Return a line a finding; then the settings that are not defaults."""
    marks = {"ok": "✓", "note": "·", "bad": "✗"}
    lines = []
    for finding in health.findings:
        lines.append(f"{marks[finding.state]} {finding.area:11} {finding.text}")
        if finding.hint:
            lines.append(f"  {'':11} {finding.hint}")
    changed = {key: source for key, source in health.sources.items() if source != "default"}
    for key, source in sorted(changed.items()):
        lines.append(f"· {'setting':11} {key}, from {source}")
    if not changed:
        lines.append(f"· {'settings':11} all at their defaults; `minitask config show` prints them")
    return "\n".join(lines)
