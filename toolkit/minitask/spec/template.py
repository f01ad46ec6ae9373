"""The template of a spec: the headings and labels of its tasks and sections, and placeholders left unfilled.

Authors decorate headings: emoji (some damaged to letters of other scripts), numbering, capitals, a suffix in
parentheses. So everything before the first ASCII letter or digit is ignored as decoration.

Placeholders look like `[path]`, `[the first step: …]`, `lines X-Y`. Brackets have many other uses (links, boxes,
footnotes, indices, character classes, generics, routes), so each section has its own rules, and code is only searched
where a template has a variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import groupby

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence, Spec


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
    Section.VALIDATION: "validation command, validation commands, validation step, validation steps, verification, "
    "verification command, verification commands, verification step, verification steps, validation and testing, "
    "testing and validation, validation and verification, verification and testing, testing and verification",
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

_PREFIX = r"[^A-Za-z0-9\[]*(?:[0-9]+(?:(?:\.[0-9]+)+\.?|[^A-Za-z0-9\s]+)\s+[^A-Za-z0-9\[]*)?"
_MARKS = r"[*_`]*"
_TASK_HEADING = lazy_pattern(
    _PREFIX + r"mini[\s_-]?task\b" + _MARKS + r"\s*(?:\#|no\.?\s)?\s*"
    r"(?:(?P<number>[0-9]+(?:[.-][0-9]+)*[A-Za-z]?(?![A-Za-z0-9])|\[[^\]]*\])[\uFE0F\u20E3]*(?:\s*(?:of|/)\s*[0-9]+)?"
    + _MARKS
    + r"(?:\s*(?:[:：.)–—]|-(?=\s|$))|(?=\s|$))|(?P<letter>[A-Z])\s*[:：–—]|[:：]|$)"
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
    _PREFIX
    + r"(?P<name>[A-Za-z]+(?:(?: & |[ _-])[A-Za-z]+)*)[^A-Za-z0-9:(\[]*(?:\([^()]*\)|\[[^\[\]]*\])?"
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
    """Return a name for comparison: without case, number, decoration, and whether space, hyphen or underscore."""
    plain = re.sub(rf"^{_PREFIX}", "", name).replace(" & ", " and ")
    return re.sub(r"[\s_-]+", " ", plain).strip().casefold()


def _balanced(title: str) -> str:
    return title.removesuffix("**").rstrip() if title.count("**") % 2 else title


MOST_NAMED = 4
PLACEHOLDER_PATH = lazy_pattern(r"^(?:path/(?:to|of)/|\[[^\]/]*\]$|<[^>/]*>$)")
_IN_PROSE = lazy_pattern(
    r"(?<![\w)\]/])\[(?:N(?:\+1)?|purpose|contents|reason|cases|count|findings|ranges|TODO|TBD"
    r"|methods|kept|changes|fields|does|route|returns|properties|shows|language)\](?![(\[\w/])"
    r"|\$?\[[X-Z]\](?= (?:input|output|lines|tokens)\b)|(?<=~)\[[X-Z]\]|\$\[[X-Z]\]"
    r"|\[(?:Clear, Concise Title|Next Task Title|Just enough background|Precise, numbered steps"
    r"|Any other specific)[^\]]*\](?!\()"
    r"|<(?:your|the|insert|describe|fill|path to|name of|title of|what)\b[^<>=/]{0,60}>"
    r"|\blines [XA]-[YB]\b"
)
_WHOLE = lazy_pattern(
    r"(?:[-*+]\s+|\d+[A-Za-z]?[.)]\s+|#{1,6}\s+)*(?:\\?\[[ xX]?\\?\]\s+)?"
    r"(?P<text>\[(?![\]^ ])[^\[\]\n]{2,}\]|TODO|TBD|FIXME|XXX|\?\?\?|\.\.\.|…|<[a-z][^<>=/\n]*>)[.:]?\s*"
)
_FILLED_WORD = lazy_pattern(r"\[(?:[A-Z]{1,3}[0-9]*|\d[^\]]*|@[^\]]*)\]")
_NOTE = lazy_pattern(r"\blines [XA]-[YB]\b|\[(?:ranges|note|lines)\]")
_EXTRA = lazy_pattern(r"\[[X-Z]\]|\[(?:TODO|TBD)\]")
_VARIABLE = (
    r"\[(?:path|source|target|ranges|head|symbol|anchor|import|check|example|search|replace|user|old|new|tests"
    r"|subject|class|part|entity|command|handler|component)\]"
)
_COMMAND = lazy_pattern(
    rf"(?:^|(?<=\s))(?:\"{_VARIABLE}\"|'{_VARIABLE}'|{_VARIABLE})(?=\s|$)|^\[(?![\[\s])[^\]]*[^\]\s]\]$"
)
_PATH_COMMAND = lazy_pattern(
    r"^(?:test|\[|ls|wc|cat|head|tail|stat|python3?\s+-m\s+py_compile)\s[^\"'|;&]*?(?P<path>path/(?:to|of)/[\w./-]+)"
)
_SCRIPT_LINE = lazy_pattern(rf"{_VARIABLE}|\[(?:contents|findings)\]")
_OPERATION = lazy_pattern(rf"\"{_VARIABLE}\"|:{_VARIABLE}")
_INFO_PATH = lazy_pattern(
    r"(?:^|\s)path=[\"']?(?P<path>\[[^\]/]*\]|path/(?:to|of)/[^\"'\s]*)[\"']?(?:\s|$)"
)
_LOOSE_PATH = lazy_pattern(r"(?<![\w/])path/(?:to|of)/[\w./-]+")
_FENCE = lazy_pattern(r"^\s*(?:[-*+]|\d+[.)])?\s*(`{3,}|~{3,})")
_COMMENT = lazy_pattern(r"<!--.*?-->")
_CODE = lazy_pattern(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)|\[[^\]]*\]\([^)]*\)")


def find_placeholders(spec: Spec) -> Iterator[tuple[int, str]]:
    """Yield the certain placeholders, each with its line."""
    yield from _in_header(spec)
    for section, text in (
        ("context", spec.context),
        ("task", spec.task),
        ("next_task", spec.next_task),
    ):
        for row, line in enumerate(blank_fences(text)):
            prose = _COMMENT.sub("", _CODE.sub("", line))
            yield from (
                (spec.line_in(section, row), placeholder) for placeholder in _in_line(prose)
            )
    for criterion in spec.criteria:
        prose = _CODE.sub("", criterion.text)
        yield from ((criterion.line, placeholder) for placeholder in _in_line(prose))
    for fence in spec.snippets:
        yield from _in_snippet(fence)
    for command in spec.commands:
        if "[" in command.text:
            yield from ((command.line, match[0]) for match in _COMMAND.finditer(command.text))
        if "path/" in command.text and (path := _PATH_COMMAND.match(command.text)):
            yield command.line, path["path"]


def named_placeholders(placeholders: Sequence[tuple[int, str]]) -> str:
    """Return placeholders as text: up to four of them, or the first ones, the number of others, and all lines."""
    texts = list(dict.fromkeys(text for _, text in placeholders))
    if len(texts) <= MOST_NAMED:
        return ", ".join(texts)
    lines = sorted({line for line, _ in placeholders if line})
    runs = groupby(enumerate(lines), key=lambda pair: pair[1] - pair[0])
    spans = [[line for _, line in run] for _, run in runs]
    shown = ", ".join(str(span[0]) if not span[1:] else f"{span[0]}-{span[-1]}" for span in spans)
    return f"{', '.join(texts[: MOST_NAMED - 1])} and {len(texts) - MOST_NAMED + 1} more, in lines {shown}"


def find_loose_paths(spec: Spec) -> Iterator[tuple[int, str]]:
    """Yield the template's paths in prose and commands, where they may be intended."""
    for section, text in (("context", spec.context), ("task", spec.task)):
        for row, line in enumerate(text.split("\n") if "path/" in text else ()):
            yield from ((spec.line_in(section, row), m[0]) for m in _LOOSE_PATH.finditer(line))
    items = [(criterion.line, criterion.text) for criterion in spec.criteria]
    items += [(command.line, command.text) for command in spec.commands]
    for number, content in items:
        yield from ((number, match[0]) for match in _LOOSE_PATH.finditer(content))


def _in_header(spec: Spec) -> Iterator[tuple[int, str]]:
    title = spec.line_of("title")
    if spec.number.startswith("["):
        yield title, spec.number
    yield from ((title, placeholder) for placeholder in _in_line(spec.title))
    yield from ((spec.line_of("model"), placeholder) for placeholder in _in_line(spec.model))
    for ref in spec.files:
        if PLACEHOLDER_PATH.match(ref.path):
            yield ref.line, ref.path
        yield from ((ref.line, match[0]) for match in _NOTE.finditer(ref.note))
    for key, value in spec.extra:
        line = spec.line_of(f"extra.{key}")
        yield from ((line, match[0]) for match in _EXTRA.finditer(value))


def _in_line(line: str) -> Iterator[str]:
    """Yield the placeholders of a line of prose: the whole line if it is one, otherwise known ones within it."""
    whole = _WHOLE.fullmatch(line.strip())
    if whole and not _FILLED_WORD.fullmatch(whole["text"]):
        yield whole["text"]
        return
    if "[" in line or "<" in line or "lines " in line:
        yield from (match[0] for match in _IN_PROSE.finditer(line))


def _in_snippet(fence: Fence) -> Iterator[tuple[int, str]]:
    """Yield the placeholders of an edit script: its paths, its operands, and lines that are nothing else."""
    info = _INFO_PATH.search(fence.info)
    if info:
        yield fence.line, info["path"]
    is_script = "path=" in fence.info or fence.info.split(maxsplit=1)[:1] == ["edits"]
    for row, line in enumerate(fence.content.split("\n") if is_script else ()):
        line_number = fence.line + 1 + row
        if _SCRIPT_LINE.fullmatch(line.strip()):
            yield line_number, line.strip()
        elif fence.info.startswith("edits"):
            yield from ((line_number, match[0].strip(':"')) for match in _OPERATION.finditer(line))


def blank_fences(text: str) -> Iterator[str]:
    """Yield the lines of a text, with those of fences blanked."""
    fence = ""
    for line in text.split("\n"):
        if fence:
            closes = line.strip().startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closes else fence
            yield ""
        elif opened := _FENCE.match(line):
            fence = opened[1]
            yield ""
        else:
            yield line
