"""The link from a spec to the issue that it was planned from: a comment in its Markdown."""

from __future__ import annotations

from minitask.patterns import lazy_pattern

_ISSUE = lazy_pattern(r"<!-- issue: (https?://[\w.:/~-]+/(?:issues|work_items)/\d+) -->")


def issue_link(spec_text: str) -> str:
    """Return the web address of the issue that a spec was planned from; empty if it names none."""
    match = _ISSUE.search(spec_text)
    return match[1] if match else ""


def issue_note(url: str) -> str:
    """Return the comment of a spec that keeps its issue."""
    return f"<!-- issue: {url} -->"
