"""An issue becomes the goal of a plan, marked as data; and it is told what has merged for it."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.engine.context import Context
from minitask.errors import UsageError
from minitask.forge.forge import Forge, Issue
from minitask.forge.forge_at import ForgeSource, open_for_reading, open_forge
from minitask.forge.issue_link import issue_link
from minitask.forge.pull_request_text import code_span
from minitask.ledger.record import TaskResult, Verdict
from minitask.patterns import lazy_pattern
from minitask.words import DATA, fenced_data, one_line

_URL = lazy_pattern(
    r"^(https?://[^/\s]+/[\w./~-]+?)/(?:-/)?(?:issues|work_items)/(\d{1,10})(?:[?#]\S*)?$"
)
_NUMBER = lazy_pattern(r"^#?(\d{1,10})$")


def read_issue(source: ForgeSource, which: str) -> Issue:
    """Return the issue of a number or a web address; raise `UsageError` for anything else."""
    number, address = _NUMBER.match(which.strip()), _URL.match(which.strip())
    if number is not None:
        return open_for_reading(source).issue(int(number[1]))
    if address is not None:
        return open_for_reading(source, address[1]).issue(int(address[2]))
    raise UsageError(
        f"--issue {one_line(which, longest=80)} is neither a number nor the address of an issue",
        hint="write it as 123, or https://HOST/OWNER/NAME/issues/123",
    )


def goal_of(issue: Issue, more: str = "") -> str:
    """Return the goal of a plan: the issue as data in a fence that nothing in it closes, and the user's own words."""
    parts = [f"Title: {one_line(issue.title)}", f"By {issue.author}:\n\n{issue.body.strip()}"]
    parts += [
        f"Comment by {comment.author}:\n\n{comment.text.strip()}" for comment in issue.comments
    ]
    lines = [
        more.strip(),
        f"Resolve the issue below ({issue.url}). {DATA}",
        fenced_data("\n\n".join(parts)),
    ]
    return "\n\n".join(line for line in lines if line)


def comment_on_issues(engine: Context, source: ForgeSource, results: Sequence[TaskResult]) -> None:
    """Comment on the issue of each task that a command has just merged."""
    forge: Forge | None = None
    for result in results:
        url = _issue_of(engine, result)
        if not url:
            continue
        forge = forge or open_forge(source, source.remote())
        address = _URL.match(url)
        if address is not None and address[1].casefold() == forge.web_url.casefold():
            text = f"{code_span(result.task)} has merged as {result.merge}."
            forge.comment(int(address[2]), text)


def _issue_of(engine: Context, result: TaskResult) -> str:
    is_new = result.verdict is Verdict.MERGED and not result.reason.startswith("already merged")
    if not is_new or not result.spec_blob:
        return ""
    return issue_link(engine.objects.blob(result.spec_blob).decode("utf-8", "replace"))
