"""The output of `sync`: what was fetched, pushed, and left different."""

from __future__ import annotations

from typing import Any

from minitask.project.sync import Synced


def sync_document(done: Synced) -> dict[str, Any]:
    """Return an exchange as JSON."""
    return {
        "remote": done.remote,
        "fetched": list(done.fetched),
        "pushed": list(done.pushed),
        "kept": list(done.kept),
    }


def render_sync(done: Synced) -> str:
    """Return an exchange as text."""
    lines = [f"{done.remote}: fetched {len(done.fetched)} refs, pushed {len(done.pushed)}"]
    lines += [f"  fetched {ref}" for ref in done.fetched]
    lines += [f"  pushed  {ref}" for ref in done.pushed]
    lines += [
        f"  kept    {ref.removeprefix('refs/heads/')}: {done.remote} has a different candidate"
        for ref in done.kept
    ]
    return "\n".join(lines)
