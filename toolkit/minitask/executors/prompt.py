"""Build prompts: the instructions, the spec, and exactly the lines that it lists.

The instructions never change and come first, then the project's shared text, then the context lines (those that other
tasks share first), then the spec, the lines to change, and the feedback. This is the longest stable beginning, so that
a provider's prompt cache can hit. Every token is paid for on every task; the instructions stay below 150.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from minitask.edits.lines import bodies, split_lines
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.policy.estimates import ReplyFormat
from minitask.spec.expectations import render_expectation
from minitask.spec.header import told_context
from minitask.spec.model import ExpectationKind, FileAction, FileRef, LineRange
from minitask.words import fence_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from minitask.edits.script_model import Locate
    from minitask.executors.request import Excerpt, ExecutorRequest
    from minitask.spec.model import Command, Spec


_ALL_NUMBERED = 80
_END_LINES = 3
_WHOLE_FILES = """\
Do exactly this task. Reply with Markdown fences only: each file that you create or change as a \
whole, in a fence whose info string is `path=src/a.py`. Write every line of it; never elide, and \
change nothing that the task does not ask for."""
_AGENT = """\
Do exactly this task on the files in the current directory, and stop. Create, edit or delete no \
other files than those listed to be created, edited or deleted. Do not commit, and do not ask."""
_AGAIN = "Your earlier change is in the files already, and it failed:\n{problem}\nCorrect it."
_AMEND = """\
Your change was applied, and failed: {problem}
Reply with {what} needed to correct this alone; the files are as your change left them."""
_EDITS = """\
Do exactly this task. Reply with Markdown fences only, eliding nothing:
- a whole file: info string `path=src/a.py`, then its content
- edits: same info string, then blocks
<<<<<<< SEARCH
lines exactly as they are, unique
=======
new lines
>>>>>>> REPLACE
- lines moved or dropped: info string `edits`, one operation a line:
`copy|move FILE:A-B -> FILE[:N]` (below line N, else appended; `dedent` or `indent N` before the \
arrow), `delete FILE:A-B`, `rename FILE -> FILE`
Prefer operations to retyping. A number and tab before a line are not its text; \
bare lines count on."""
_RANGE = r"(?P<start>\d{1,6})(?:(?P<dash>\s?(?:[-–—]|\bto\b)\s?L?)(?P<end>\d{1,6}))?"
_WORDED = lazy_pattern(rf"(?P<before>\b(?:lines?|rows?|L)\s?){_RANGE}(?![\w-])", re.IGNORECASE)
_PATH = lazy_pattern(r"[\w.@+/-]*\w\.[A-Za-z]\w{0,5}\b")


def system_prompt(reply_format: ReplyFormat = ReplyFormat.EDITS, *, shared: str = "") -> str:
    """Return the instructions, the same for every task, and the project's shared text."""
    text = _WHOLE_FILES if reply_format is ReplyFormat.WHOLE else _EDITS
    return f"{text}\n\n{_sendable(shared).strip()}" if shared.strip() else text


def user_prompt(order: ExecutorRequest) -> str:
    """Return the context lines, the spec, the lines to change, and the feedback on an earlier attempt."""
    context = _context(order)
    parts = chain(
        (_shown(excerpt, order) for excerpt in context),
        _spec_parts(order),
        [_section("Plan", order.plan)],
        (_shown(excerpt, order) for excerpt in order.excerpts if excerpt not in context),
        [f"An earlier attempt failed:\n{order.feedback.strip()}"] if order.feedback else [],
    )
    return _sendable("\n\n".join(part for part in parts if part))


def shared_start(order: ExecutorRequest) -> str:
    """Return the start of the user prompt that other tasks of the run share, or ""."""
    shared = [_shown(excerpt, order) for excerpt in _context(order) if excerpt.shared]
    return _sendable("\n\n".join(shared))


def _context(order: ExecutorRequest) -> list[Excerpt]:
    """Return the context excerpts (of files that are only read), shared ones first, in the same order for all tasks."""
    written = {ref.path for ref in order.spec.writes()}
    context = (excerpt for excerpt in order.excerpts if excerpt.path not in written)
    return sorted(context, key=lambda lines: (not lines.shared, lines.path, lines.first_line))


def agent_prompt(order: ExecutorRequest) -> str:
    """Return the prompt for an agent program: the spec, and how to end.

    The lines are not shown, because the program reads the files itself.
    """
    parts = chain(
        [_AGENT],
        [order.shared],
        _spec_parts(order),
        [_section("Plan", order.plan)],
        [f"An earlier attempt failed:\n{order.feedback.strip()}"] if order.feedback else [],
        [_AGAIN.format(problem=past.problem) for past in order.history[-1:]],
    )
    return _sendable("\n\n".join(part for part in parts if part.strip())) + "\n"


def repair_prompt(problem: str) -> str:
    """Return the prompt after a reply that cannot be applied."""
    return _sendable(
        f"Nothing was applied: {problem}\nReply again, corrected and complete, in the same form."
    )


def amend_prompt(problem: str, reply_format: ReplyFormat) -> str:
    """Return the prompt after a change of the model that was applied and failed."""
    what = "each whole file" if reply_format is ReplyFormat.WHOLE else "the edits"
    return _sendable(_AMEND.format(problem=problem, what=what))


def _spec_parts(order: ExecutorRequest) -> list[str]:
    """Return the parts of the spec that define and validate the result; the other parts are for people and minitask."""
    spec, locate = order.spec, order.locate
    sections = [
        _section("Context", told_context(spec)),
        _section("Task", spec.task),
        _section("Code", _snippets(spec)),
        _section("Done when", "\n".join(f"- {criterion.text}" for criterion in spec.criteria)),
    ]
    return [
        f"# {spec.title}",
        "\n".join(_file_line(ref, locate) for ref in spec.files),
        *(renumbered(part, spec.files, locate) for part in sections),
        _section("Validated by", _commands(spec, order.checks)),
    ]


def _section(title: str, text: str) -> str:
    return f"## {title}\n{text.strip()}" if text.strip() else ""


def _file_line(ref: FileRef, locate: Locate | None) -> str:
    """Return what to do with a file, and the current numbers of its cited lines if they moved."""
    location = f"{ref.path}:{_listed(ref.ranges)}" if ref.ranges and not ref.note else ref.path
    now = _carried(ref, locate)
    moved = f"its lines are now {_listed(now)}" if now and now != ref.ranges else ""
    changed = "" if now is not None else "these lines have changed since"
    notes = "; ".join(note for note in (ref.note, moved or changed) if note)
    counts = "; the new numbers count" if moved else ""
    return f"{ref.action}: {location}" + (f" ({notes}){counts}" if notes else "")


def _carried(ref: FileRef, locate: Locate | None) -> tuple[LineRange, ...] | None:
    """Return the current ranges of the cited lines; None if lines that are only read have changed."""
    if locate is None:
        return ref.ranges
    try:
        return tuple(locate(ref.path, line_range) for line_range in ref.ranges)
    except EditError:
        if ref.action is not FileAction.READ:
            raise
        return None


def _listed(ranges: Iterable[LineRange]) -> str:
    return ",".join(map(str, ranges))


def _snippets(spec: Spec) -> str:
    """Return the Code Snippets section as written, or else the fences that the task's text does not show."""
    if spec.snippets_text.strip():
        return spec.snippets_text
    unseen = (fence for fence in spec.snippets if fence.content not in spec.task)
    fences = ((fence_of(fence.content), fence) for fence in unseen)
    return "\n".join(f"{ticks}{fence.info}\n{fence.content}{ticks}" for ticks, fence in fences)


def _commands(spec: Spec, checks: Sequence[str]) -> str:
    """Return the commands that validate the result, with their expectations: the spec's, then the project's."""
    spec_commands = [_command(command) for command in spec.commands]
    return "\n".join((*spec_commands, *(check for check in checks if check not in spec_commands)))


def _command(command: Command) -> str:
    expected = "; ".join(
        render_expectation(expectation)
        for expectation in command.expectations
        if expectation.kind is not ExpectationKind.FAILS_BEFORE
    )
    if not expected:
        return command.text
    comment = f"# expect: {expected}"
    return f"{comment}\n{command.text}" if "\n" in command.text else f"{command.text}  {comment}"


def _shown(excerpt: Excerpt, order: ExecutorRequest) -> str:
    """Return the lines under their location, numbered if the task may move or change them."""
    lines = bodies(split_lines(excerpt.text)) or ("",)
    last = excerpt.first_line + len(lines) - 1
    location = excerpt.path if excerpt.whole else f"{excerpt.path}:{excerpt.first_line}-{last}"
    if excerpt.ends_only and len(lines) > 2 * _END_LINES:
        return _ends(location, lines, excerpt.first_line)
    numbered = is_numbered(excerpt, order)
    shown = numbered_lines(lines, excerpt.first_line) if numbered else lines
    ticks = fence_of(excerpt.text)
    return "\n".join((f"{location}\n{ticks}", *shown, ticks))


def _ends(location: str, lines: Sequence[str], first_line: int) -> str:
    """Return the first and last of lines that are only moved; the others would cost tokens for nothing."""
    tail_line = first_line + len(lines) - _END_LINES
    head = numbered_lines(lines[:_END_LINES], first_line)
    tail = numbered_lines(lines[-_END_LINES:], tail_line)
    ticks = fence_of("\n".join((*head, *tail)))
    return "\n".join((f"{location} (to be moved: its ends)\n{ticks}", *head, "…", *tail, ticks))


def is_numbered(excerpt: Excerpt, order: ExecutorRequest) -> bool:
    """Return True if the lines of an excerpt are numbered, because the task may move or change them."""
    writes = order.spec.writes()
    movable = (ref.path for ref in order.spec.files if ref in writes or ref.ranges)
    return order.reply_format is ReplyFormat.EDITS and excerpt.path in movable


def numbered_lines(lines: Sequence[str], first_line: int) -> list[str]:
    """Return each line with its number and a tab, which merges with indentation into one token.

    Empty lines have no number. In long excerpts only every fifth line has one, and the first and last lines of a block,
    where ranges start and end: numbering all would add a fifth to the tokens.
    """
    sparse = len(lines) > _ALL_NUMBERED
    borders = _borders(lines) if sparse else frozenset(range(len(lines)))
    return [
        f"{n}\t{line}" if line and (index in borders or n % 5 == 0) else line
        for index, (n, line) in enumerate(enumerate(lines, first_line))
    ]


def _borders(lines: Sequence[str]) -> frozenset[int]:
    """Return the indices of lines next to a blank line, or at either end."""
    blank = {-1, len(lines), *(i for i, line in enumerate(lines) if not line.strip())}
    return frozenset(i for i in range(len(lines)) if i - 1 in blank or i + 1 in blank)


def _sendable(text: str) -> str:
    """Return a text with the replacement character for invalid UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def renumbered(text: str, files: Sequence[FileRef], locate: Locate | None) -> str:
    """Return the text with cited line ranges of the listed files updated to their current numbers.

    So all line numbers in a prompt refer to the base.
    """
    cited: dict[str, tuple[LineRange, ...]] = {}
    for ref in files:
        if ref.ranges:
            cited[ref.path] = (*cited.get(ref.path, ()), *ref.ranges)
    pairs = [(path, line_range) for path, ranges in cited.items() for line_range in ranges]
    if locate is None or all(_now(*pair, locate) in (pair[1], None) for pair in pairs):
        return text
    return "\n".join(_line(line, cited, locate) for line in text.split("\n"))


def _now(path: str, cited: LineRange, locate: Locate) -> LineRange | None:
    try:
        return locate(path, cited)
    except EditError:
        return None


def _line(line: str, cited: dict[str, tuple[LineRange, ...]], locate: Locate) -> str:
    paths = [path for path in cited if path in line]
    for path in paths:
        pattern = rf"(?P<before>(?<![\w./-]){re.escape(path)}`?:)L?{_RANGE}(?![\w])"
        line = re.sub(pattern, lambda match, path=path: _rewritten(match, path, locate), line)  # type: ignore[misc]

    others = _PATH.sub(lambda match: "" if match[0] in cited else match[0], line)

    def worded(match: re.Match[str]) -> str:
        meant = paths or [path for path, ranges in cited.items() if _holds(ranges, _range(match))]
        is_clear = len(meant) == 1 and not _PATH.search(others)
        return _rewritten(match, meant[0], locate) if is_clear else match[0]

    return _WORDED.sub(worded, line)


def _holds(ranges: Sequence[LineRange], inner: LineRange | None) -> bool:
    return inner is not None and any(
        outer.start <= inner.start and inner.end <= outer.end for outer in ranges
    )


def _range(match: re.Match[str]) -> LineRange | None:
    start, end = int(match["start"]), int(match["end"] or match["start"])
    return LineRange(start, end) if 1 <= start <= end else None


def _rewritten(match: re.Match[str], path: str, locate: Locate) -> str:
    """Return the match with its range updated, or unchanged if the current range is unknown."""
    line_range = _range(match)
    now = _now(path, line_range, locate) if line_range else None
    if now is None:
        return match[0]
    end = f"{match['dash']}{now.end}" if match["end"] else ""
    return f"{match['before']}{now.start}{end}"
