"""The output of `sync`: what was fetched, pushed, and left different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minitask.ledger.record_json import result_document
from minitask.project.sync import Synced

if TYPE_CHECKING:
    from minitask.forge.publish import Published


def sync_document(synced: Synced, published: Published | None = None) -> dict[str, Any]:
    """Return an exchange as JSON, and the tasks that got a pull request."""
    results = published.results if published else ()
    return {
        "remote": synced.remote,
        "fetched": list(synced.fetched),
        "pushed": list(synced.pushed),
        "kept": list(synced.kept),
        **({"tasks": [result_document(result) for result in results]} if published else {}),
    }


def render_sync(synced: Synced, published: Published | None = None) -> str:
    """Return an exchange as text, and a line for each task that got a pull request."""
    lines = [f"{synced.remote}: fetched {len(synced.fetched)} refs, pushed {len(synced.pushed)}"]
    lines += [f"  fetched {ref}" for ref in synced.fetched]
    lines += [f"  pushed  {ref}" for ref in synced.pushed]
    lines += [
        f"  kept    {ref.removeprefix('refs/heads/')}: {synced.remote} has a different candidate"
        for ref in synced.kept
    ]
    for result in published.results if published else ():
        step = f"; next: {result.next_step}" if result.next_step else ""
        lines.append(f"  {result.task}: {result.reason}{step}")
    return "\n".join(lines)
