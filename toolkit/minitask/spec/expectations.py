"""Expectations of validation commands: `# expect:` comments, remarks in plain words, lengths in the criteria.

A remark at the end of a command belongs to it; one on its own line to the command directly above or below. If both
exist, it belongs to the one that prints such a number; if that is not clear, the remark is reported.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.bash import ShellPart, find_expectation_text
from minitask.spec.counting import Counts, counts, enforceable
from minitask.spec.model import (
    Command,
    Criterion,
    Expectation,
    ExpectationKind,
    FileAction,
    FileRef,
    Problem,
)
from minitask.spec.remarks import Remark, parse_length, parse_remark

FORMS = (
    "`exit 1`, `output ~600 ±50`, `output 600`, `output >= 600`, `output <= 600`, "
    '`output contains "text"`, `no output`, `fails`, `fails before`'
)

_EXIT = lazy_pattern(r"(?i)exit\s+(?:code\s+)?([0-9]{1,3})")
_EXACT = lazy_pattern(r"(?i)output\s+(-?[0-9]{1,15})")
_BOUND = lazy_pattern(
    r"(?i)output\s+(?:(?P<least>>=|≥|at\s+least)|<=|≤|at\s+most)\s*(?P<number>-?[0-9]{1,15})"
)
_ABOUT = lazy_pattern(r"(?i)output\s+~\s*(-?[0-9]{1,15})\s*(?:±|\+/?-)\s*([0-9]{1,15})")
_CONTAINS = lazy_pattern(
    r"(?i)output\s+contains\s+(?:\"(?P<double>(?:[^\"\\]|\\.)+)\"|'(?P<single>[^']+)'|“(?P<curly>[^”]+)”)"
)
LARGEST_EXIT = 255


def parse_expectation(text: str) -> Expectation | None:
    """Return the expectation that a comment states, or None if it has no known form."""
    phrase = " ".join(text.split()).casefold()
    if phrase in {"no output", "fails", "fails before"}:
        return Expectation(ExpectationKind(phrase))
    if phrase in {"exit non-zero", "exit nonzero"}:
        return Expectation(ExpectationKind.FAILS)
    if match := _EXIT.fullmatch(text):
        code = int(match[1])
        return Expectation(ExpectationKind.EXIT, code) if code <= LARGEST_EXIT else None
    if match := _EXACT.fullmatch(text):
        return Expectation(ExpectationKind.NUMBER, int(match[1]))
    if match := _ABOUT.fullmatch(text):
        return Expectation(ExpectationKind.NUMBER, int(match[1]), int(match[2]))
    if match := _BOUND.fullmatch(text):
        kind = ExpectationKind.AT_LEAST if match["least"] else ExpectationKind.AT_MOST
        return Expectation(kind, int(match["number"]))
    if match := _CONTAINS.fullmatch(text):
        return Expectation(ExpectationKind.CONTAINS, text=_unquoted(match))
    return None


def render_expectation(expectation: Expectation) -> str:
    """Return the expectation in the form of `# expect:`."""
    number, kind = expectation.number, expectation.kind
    if kind is ExpectationKind.EXIT:
        return f"exit {number}"
    if kind is ExpectationKind.NUMBER:
        tolerance = expectation.tolerance
        return f"output ~{number} ±{tolerance}" if tolerance else f"output {number}"
    if kind is ExpectationKind.CONTAINS:
        text = expectation.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'output contains "{text}"'
    if kind in {ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST}:
        return f"output {'>=' if kind is ExpectationKind.AT_LEAST else '<='} {number}"
    return str(kind.value)


def _unquoted(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\([\\\"])", r"\1", match["double"])
    return match["single"] or match["curly"]


_OUTPUT_KINDS = frozenset(
    {
        ExpectationKind.NUMBER,
        ExpectationKind.AT_LEAST,
        ExpectationKind.AT_MOST,
        ExpectationKind.CONTAINS,
        ExpectationKind.NO_OUTPUT,
    }
)


def apply_remarks(
    parts: Sequence[ShellPart], commands: Sequence[Command], *, offset: int
) -> tuple[tuple[Command, ...], tuple[Problem, ...]]:
    """Return the commands with the expectations of comments in `parts`, and a problem for each unread remark."""
    updated = list(commands)
    stated = [_OUTPUT_KINDS & {expected.kind for expected in c.expectations} for c in commands]
    problems = []
    spoken_of: set[int] = set()
    for position, part in enumerate(parts):
        # a compound command prints several numbers or none
        inner = ((text, remark) for text in part.inner if (remark := _remark(text)))
        problems += [
            _unread(part.first + offset, text, remark) for text, remark in inner if not remark.tail
        ]
        remark = _remark(part.text) if part.is_comment else None
        if remark is None:
            continue
        near = list(_near(parts, position, remark))
        fits = [
            (index, expectations)
            for index in near
            if (expectations := enforceable(updated[index], remark))
        ]
        if any(stated[index] for index in near):
            continue  # an `# expect:` comment already states it
        open_ = [fit for fit in fits if fit[0] not in spoken_of] or fits
        if len(open_) == 1 or (open_ and remark.below):
            index, expectations = open_[0]
            spoken_of.add(index)
            updated[index] = _with(updated[index], expectations)
        elif not remark.tail:
            problems.append(_unread(part.first + offset, part.text, remark))
    return tuple(updated), tuple(problems)


def _unread(line: int, text: str, remark: Remark) -> Problem:
    """Return the warning for an expectation in words that is not enforced."""
    excerpt = _excerpt(" ".join(text.strip().lstrip("#").split()))
    subject = "an output" if remark.about_output else "a number"
    return Problem(
        line,
        "W414",
        f"`{excerpt}` states {subject} that no command checks",
        'write it as `# expect: output ~600 ±60` (or `contains "…"`, `exit N`) behind the command that prints it',
    )


def _remark(comment: str) -> Remark | None:
    return parse_remark(comment) if find_expectation_text(comment) is None else None


def _with(command: Command, expectations: Sequence[Expectation]) -> Command:
    exits = any(expectation.kind is ExpectationKind.EXIT for expectation in command.expectations)
    more = [new for new in expectations if not (exits and new.kind is ExpectationKind.EXIT)]
    return replace(command, expectations=(*command.expectations, *more))


def _near(parts: Sequence[ShellPart], position: int, remark: Remark) -> Iterator[int]:
    """Yield the indices of the commands to which a comment may belong, the likelier one first."""
    part = parts[position]
    indices = [index for index, shell_part in enumerate(parts) if not shell_part.is_comment]
    above = next((i for i in range(position - 1, -1, -1) if not parts[i].is_comment), None)
    below = next((i for i in range(position + 1, len(parts)) if not parts[i].is_comment), None)
    if above is not None and parts[above].last == part.first:
        yield indices.index(above)
        return
    if remark.tail:
        return
    candidates = []
    if below is not None and _joins(parts, position, below):
        candidates.append(indices.index(below))
    if above is not None and _joins(parts, above, position):
        candidates.append(indices.index(above))
    yield from reversed(candidates) if remark.below else candidates


def _joins(parts: Sequence[ShellPart], first: int, last: int) -> bool:
    """Return True if only comments, without blank lines, lie between two parts."""
    rows = range(first, last)
    return all(parts[row + 1].first - parts[row].last <= 1 for row in rows)


_NUMBERS = frozenset({ExpectationKind.NUMBER, ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST})
_WRITTEN = frozenset({FileAction.CREATE, FileAction.EDIT, FileAction.WRITE})


def enforce_lengths(
    criteria: Sequence[Criterion], files: Sequence[FileRef], commands: tuple[Command, ...]
) -> tuple[tuple[Command, ...], tuple[Problem, ...]]:
    """Return the commands with those for the criteria's lengths, and a warning for each length without a clear file.

    If a command already counts the file's lines, the expectation is added to it, unless it has a number of its own.
    """
    written = tuple(dict.fromkeys(ref.path for ref in files if ref.action in _WRITTEN))
    updated = list(commands)
    added: list[Command] = []
    problems = []
    for criterion in criteria:
        length = parse_length(criterion.text)
        if length is None:
            continue
        subject, expectation = length
        paths = _subjects(subject, written)
        if expectation is None or not paths:
            problems.append(_unread_length(criterion))
            continue
        for path in paths:
            naming = (at for at, command in enumerate(updated) if path in command.text)
            index = next((at for at in naming if counts(updated[at]) is Counts.LINES), None)
            if index is None:
                text = f"wc -l < {shlex.quote(path)}"
                added.append(Command(text, (expectation,), criterion.line))
            elif not any(present.kind in _NUMBERS for present in updated[index].expectations):
                updated[index] = _with(updated[index], (expectation,))
    return (*added, *updated), tuple(problems)


def _subjects(subject: str, written: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files meant by a criterion's subject: those it names, or the only file written."""
    names = [code or bare for code, bare in re.findall(r"`([^`]+)`|([\w./-]+\.\w+)", subject)]
    if names:
        fits = (_find_written(name, written) for name in names)
        return tuple(path for path in fits if path)
    means_each = subject.casefold().startswith("each")
    return written if means_each or len(written) == 1 else ()


def _find_written(name: str, written: Sequence[str]) -> str:
    """Return the only written file with that path or path ending; empty if none or several match."""
    fits = [path for path in written if path == name or path.endswith(f"/{name}")]
    return fits[0] if len(fits) == 1 else ""


def _unread_length(criterion: Criterion) -> Problem:
    return Problem(
        criterion.line,
        "W414",
        f"`{_excerpt(criterion.text)}` states a number that no command checks",
        "name the file in the criterion, or check it: `wc -l < FILE  # expect: output ~600 ±60`",
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
