"""The output of `sync`: what was fetched, pushed, and left different."""

from __future__ import annotations

from typing import Any

from minitask.project.sync import Synced


def sync_document(synced: Synced) -> dict[str, Any]:
    """Return an exchange as JSON."""
    return {
        "remote": synced.remote,
        "fetched": list(synced.fetched),
        "pushed": list(synced.pushed),
        "kept": list(synced.kept),
    }


def render_sync(synced: Synced) -> str:
    """Return an exchange as text."""
    lines = [f"{synced.remote}: fetched {len(synced.fetched)} refs, pushed {len(synced.pushed)}"]
    lines += [f"  fetched {ref}" for ref in synced.fetched]
    lines += [f"  pushed  {ref}" for ref in synced.pushed]
    lines += [
        f"  kept    {ref.removeprefix('refs/heads/')}: {synced.remote} has a different candidate"
        for ref in synced.kept
    ]
    return "\n".join(lines)
