"""What `sync` prints: what came, what went, and what stayed different."""

from __future__ import annotations

from typing import Any

from minitask.project.sync import Synced


def sync_document(done: Synced) -> dict[str, Any]:
    """An exchange as JSON."""
    return {
        "remote": done.remote,
        "fetched": list(done.fetched),
        "pushed": list(done.pushed),
        "kept": list(done.kept),
    }


def render_sync(done: Synced) -> str:
    """An exchange as text."""
    lines = [f"{done.remote}: fetched {len(done.fetched)} refs, pushed {len(done.pushed)}"]
    lines += [f"  fetched {ref}" for ref in done.fetched]
    lines += [f"  pushed  {ref}" for ref in done.pushed]
    lines += [
        f"  kept    {ref.removeprefix('refs/heads/')}: {done.remote} holds another candidate"
        for ref in done.kept
    ]
    return "\n".join(lines)
