"""Classify a heading or bold label: a task, a container of tasks, or a section of the template.

Authors decorate headings: emoji (some damaged to letters of other scripts), numbering, capitals, a suffix in
parentheses. So everything before the first ASCII letter or digit is ignored as decoration.
"""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from minitask.patterns import lazy_pattern


class Section(StrEnum):
    """A section of the template."""

    CONTEXT = "context"
    TASK = "task"
    SNIPPETS = "snippets"
    CRITERIA = "criteria"
    VALIDATION = "validation"
    ON_FAILURE = "on_failure"
    NEXT_TASK = "next_task"


CANONICAL = {
    Section.CONTEXT: "Context",
    Section.TASK: "Task",
    Section.SNIPPETS: "Code Snippets",
    Section.CRITERIA: "Acceptance Criteria",
    Section.VALIDATION: "Validation",
    Section.ON_FAILURE: "On Failure",
    Section.NEXT_TASK: "Next Task",
}
_NAMES = {
    Section.CONTEXT: "background",
    Section.TASK: "objective, goal, instructions, steps",
    Section.SNIPPETS: "code snippet, snippets, edit script",
    Section.CRITERIA: "acceptance criterion, success criteria, definition of done, validation checklist",
    Section.VALIDATION: "validation commands, validation steps, verification",
    Section.ON_FAILURE: "if validation fails, if something goes wrong, if something goes wrong later",
    Section.NEXT_TASK: "next mini task, next step, next steps",
}
_ALIASES = {
    name: section
    for section, names in _NAMES.items()
    for name in (CANONICAL[section].casefold(), *names.split(", "))
}
_PLAIN_NAMES = {"task", "validation", "acceptance criteria"}
_LONGEST = 1_000

_PREFIX = r"[^A-Za-z0-9\[]*(?:[0-9]+[^A-Za-z0-9\s]+\s+[^A-Za-z0-9\[]*)?"
_MARKS = r"[*_`]*"
_TASK_HEADING = lazy_pattern(
    _PREFIX + r"mini[\s_-]?task\b" + _MARKS + r"\s*(?:\#|no\.?\s)?\s*"
    r"(?:(?P<number>[0-9]+(?:[.-][0-9]+)*[A-Za-z]?(?![A-Za-z0-9])|\[[^\]]*\])[\uFE0F\u20E3]*(?:\s*(?:of|/)\s*[0-9]+)?"
    + _MARKS
    + r"(?:\s*(?:[:.)–—]|-(?=\s|$))|(?=\s|$))|(?P<letter>[A-Z])\s*[:–—]|:|$)"
    + _MARKS
    + r"\s*(?P<title>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_CONTAINER_HEADING = lazy_pattern(
    _PREFIX
    + r"mini[\s_-]?project\b\s*(?:\#?[0-9]+[A-Za-z]?\b\s*[:.–—-]?|[:–—-]|$)\s*(?P<title>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_SECTION_NAME = lazy_pattern(
    _PREFIX + r"(?P<name>[A-Za-z]+(?:[ _-][A-Za-z]+)*)[^A-Za-z0-9:(\[]*(?:\([^()]*\)|\[[^\[\]]*\])?"
    r"[^A-Za-z0-9:(\[]*(?:(?::|(?<=\s)[-–—]\s)[*_]*(?P<rest>.*))?$",
    re.DOTALL,
)


class TaskHeading(Struct, frozen=True):
    """The heading of a mini-task: its label as written (may be empty) and its title."""

    number: str
    title: str


def find_task_heading(text: str) -> TaskHeading | None:
    """Return label and title of a heading such as `Mini-Task 1A: Title`, or None for any other."""
    match = _TASK_HEADING.match(text)
    if match is None:
        return None
    title = _balanced(match["title"].strip())
    return TaskHeading(match["number"] or match["letter"] or "", title)


def find_container_title(text: str) -> str | None:
    """Return the title of a heading such as `Mini-Project 2: Title`, or None for any other."""
    match = _CONTAINER_HEADING.match(text)
    return _balanced(match["title"].strip()) if match else None


def find_section(text: str) -> tuple[Section, str] | None:
    """Return the section that a heading or label names, and the text after its colon."""
    match = _match_section(text)
    if match is None:
        return None
    section = _ALIASES.get(key_of(match["name"]))
    return (section, (match["rest"] or "").strip()) if section else None


def is_canonical(text: str) -> bool:
    """Return True if a heading names the task, criteria or validation section as the template does."""
    match = _match_section(text)
    return match is not None and key_of(match["name"]) in _PLAIN_NAMES


def _match_section(text: str) -> re.Match[str] | None:
    """Return the parts of a heading, or None if it is too long to be a section's name with a remark."""
    return _SECTION_NAME.match(text) if len(text) <= _LONGEST else None


def key_of(name: str) -> str:
    """Return a name for comparison: without case, decoration and the choice between space, hyphen and underscore."""
    return re.sub(r"[\s_-]+", " ", re.sub(r"^[^A-Za-z0-9]+", "", name)).strip().casefold()


def _balanced(title: str) -> str:
    return title.removesuffix("**").rstrip() if title.count("**") % 2 else title
