"""Text to and from forges: the descriptions of pull requests, and issues as goals of plans.

A description shows the evidence of a task. Text of specs, models and commands is in code spans, where forges do not
interpret mentions, references, closing keywords or commands. It is a block between two comments; text around it is
kept. An issue's text is marked as data; the issue gets a comment when its tasks merge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.gates.review import PASS
from minitask.ledger.record import REVIEW, CommandRecord, Record, TaskResult, Verdict, money, whole
from minitask.patterns import lazy_pattern
from minitask.words import DATA, counted, fenced_data, one_line

if TYPE_CHECKING:
    from minitask.engine.context import Context
    from minitask.engine.tasks import Task
    from minitask.forge.forge import Forge, Issue
    from minitask.forge.forge_at import ForgeSource
    from minitask.landing.candidate_commits import Candidate

BEGIN, END = "<!-- minitask:begin -->", "<!-- minitask:end -->"
MOST = 40
"""Limit of listed criteria, and of commands: a description may hold 65,536 characters."""
LONGEST = 300
LONGEST_TITLE = 200
_APART = "\u200b"
_CHECKS_PASS = lazy_pattern(
    r"^(?:all |the |every )?(?:validations?|validation commands?|checks?) pass(?:es)?\.?$", re.I
)
_QUOTED = lazy_pattern(r"`([^`]+)`")
_APPROVED = lazy_pattern(rf"(\d+) {PASS}:*(?: |$)")
_ISSUE = lazy_pattern(r"<!-- issue: (https?://[\w.:/~-]+/(?:issues|work_items)/\d+) -->")
_URL = lazy_pattern(
    r"^(https?://[^/\s]+/[\w./~-]+?)/(?:-/)?(?:issues|work_items)/(\d{1,10})(?:[?#]\S*)?$"
)
_NUMBER = lazy_pattern(r"^#?(\d{1,10})$")


class PullRequestEvidence(Struct, frozen=True):
    """A candidate, its attempt's record, and all records of the task, including calls apart from attempts."""

    task: Task
    record: Record
    candidate: Candidate
    records: tuple[Record, ...] = ()
    issue: str = ""


def code_span(text: str) -> str:
    """Return a text as a one-line code span that nothing in the text can close."""
    plain = one_line(text, longest=LONGEST).replace("<!--", f"<!{_APART}--")
    ticks = "`" * (1 + max(map(len, re.findall("`+", plain)), default=0))
    pad = " " if plain[:1] == "`" or plain[-1:] == "`" or not plain else ""
    return f"{ticks}{pad}{plain}{pad}{ticks}"


def pull_request_title(task: Task) -> str:
    """Return the spec's title, changed so that no forge finds a mention or a reference in it."""
    title = one_line(task.spec.title or task.name, longest=LONGEST_TITLE)
    apart = re.sub(r"([@#!&~%$])(?=\w)", rf"\1{_APART}", title).replace("://", f":{_APART}//")
    return apart[:LONGEST_TITLE]


def pull_request_body(evidence: PullRequestEvidence) -> str:
    """Return the block for the description."""
    return "\n".join([BEGIN, *_lines(evidence), END])


def joined(present: str, block: str) -> str:
    """Return a description with its block replaced; text before and after the block is kept."""
    text = present.replace("\r\n", "\n")
    start, end = text.find(BEGIN), text.rfind(END)
    if start < 0 or end < start:
        return f"{text.rstrip()}\n\n{block}" if text.strip() else block
    return text[:start] + block + text[end + len(END) :]


def _lines(evidence: PullRequestEvidence) -> Iterator[str]:
    task, attempt = evidence.task, evidence.candidate.attempt
    yield f"Task {code_span(task.name)}, by the spec {code_span(task.path)}."
    if evidence.issue:
        yield f"\nFor {evidence.issue}"
    yield "\n### Acceptance criteria\n"
    yield from _criteria(evidence) or ["The spec names none."]
    yield "\n### Validation\n"
    rows = [_command(command) for command in attempt.commands]
    yield from _shortened(rows, "command") or ["No command."]
    failed = sum(not command.passed for command in attempt.before)
    if failed:
        yield f"\nWithout the change, {failed} of {counted(len(attempt.before), 'command')} failed."
    yield "\n### Evidence\n"
    yield from _facts(evidence)


def _criteria(evidence: PullRequestEvidence) -> list[str]:
    """Return a box for each criterion, ticked if a passed command or a reviewing model confirms it."""
    approved = _judged(evidence)
    rows = []
    for number, criterion in enumerate(evidence.task.spec.criteria, 1):
        proven = number in approved or _shown(criterion.text, evidence.candidate.attempt.commands)
        rows.append(f"- [{'x' if proven else ' '}] {code_span(criterion.text)}")
    is_open = any(row.startswith("- [ ]") for row in rows)
    note = ["\nA box without a tick is for the reviewer."] if is_open else []
    return _shortened(rows, "criterion", "criteria") + note


def _judged(evidence: PullRequestEvidence) -> set[int]:
    """Return the numbers of the criteria that the last model review approved."""
    number = evidence.record.attempt.n
    reviews = [
        record
        for record in evidence.records
        if record.is_call and record.kind == REVIEW and record.attempt.n == number
    ]
    if not reviews or evidence.candidate.commit != evidence.record.candidate:
        return set()
    matches = (_APPROVED.match(note) for note in reviews[-1].notes)
    return {int(match[1]) for match in matches if match}


def _shown(text: str, commands: Sequence[CommandRecord]) -> bool:
    """Return True if a criterion only says that the validation passes, or quotes a command that passed."""
    if not commands or not all(command.passed for command in commands):
        return False
    if _CHECKS_PASS.match(text.strip()):
        return True
    quoted = {part.strip() for part in _QUOTED.findall(text)}
    return any(command.command.strip() in quoted for command in commands)


def _command(command: CommandRecord) -> str:
    state = "passed" if command.passed else "failed"
    exit_code = "no exit code" if command.exit_code is None else f"exit code {command.exit_code}"
    first, _, more_lines = command.command.strip().partition("\n")
    shown = code_span(f"{first} …" if more_lines else first)
    return f"- {state}: {shown} ({exit_code}, {command.seconds:.2f} s)"


def _facts(evidence: PullRequestEvidence) -> Iterator[str]:
    record, candidate = evidence.record, evidence.candidate
    attempt = candidate.attempt
    cost = money(whole(entry.attempt.cost_usd for entry in evidence.records))
    model = code_span(attempt.model) if attempt.model else "none: the spec's own edit script"
    yield f"- Proven: tree {candidate.tree}, of commit {candidate.commit}"
    yield f"- Base: {code_span(candidate.base or record.base)}"
    yield f"- Sandbox: {code_span(attempt.sandbox)}"
    yield f"- Model: {model}, tier {code_span(attempt.tier)}, attempt {attempt.n}"
    yield f"- Cost: {'unknown' if cost is None else f'{cost} USD'}, all attempts and calls"
    if attempt.grade is not None and attempt.grade.planted:
        yield f"- Grade: {attempt.grade}"
    yield from (f"- Look at: {code_span(doubt)}" for doubt in attempt.doubts[:MOST])


def _shortened(rows: list[str], noun: str, plural: str = "") -> list[str]:
    more = len(rows) - MOST
    return [*rows[:MOST], f"- and {counted(more, noun, plural)} more"] if more > 0 else rows


def issue_link(spec_text: str) -> str:
    """Return the URL of the issue that a spec was planned from, or ""."""
    match = _ISSUE.search(spec_text)
    return match[1] if match else ""


def issue_note(url: str) -> str:
    """Return the comment with the issue's URL for a spec."""
    return f"<!-- issue: {url} -->"


def read_issue(source: ForgeSource, which: str) -> Issue:
    """Return the issue with a number or URL; raise `UsageError` for any other text."""
    from minitask.forge.forge_at import open_for_reading

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
    """Return the goal of a plan: the user's own words, and the issue as data in a fence that nothing in it closes."""
    parts = [f"Title: {one_line(issue.title)}", f"By {issue.author}:\n\n{issue.body.strip()}"]
    parts += [f"Comment by {item.author}:\n\n{item.text.strip()}" for item in issue.comments]
    request = f"Resolve the issue below ({issue.url}). {DATA}"
    return "\n\n".join(filter(None, (more.strip(), request, fenced_data("\n\n".join(parts)))))


def comment_on_issues(engine: Context, source: ForgeSource, results: Sequence[TaskResult]) -> None:
    """Comment on the issue of each task that was just merged."""
    from minitask.forge.forge_at import open_forge

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
