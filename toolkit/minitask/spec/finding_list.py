"""The findings of one file as a spec tells them: a fence with a line for each, and the lines of the file to cite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from minitask.spec.finding import Finding
from minitask.spec.model import Fence, LineRange
from minitask.spec.render import render_fence
from minitask.words import counted, one_line

MOST_LINES = 40
"""Lines of a list; findings beyond them are counted, with their lines as far as there is room."""
MOST_NUMBERS = 20
CODE_WIDTH = 60
AROUND = 10
"""Lines to cite above and below a finding."""
HEAD = 20
"""Lines at the top of a file that are cited with any other: where it imports."""
LONG_FILE = 400
"""Up to so many lines a file is not cited but shown as a whole, and may be answered as a whole."""


def render_findings(findings: Sequence[Finding], text: str) -> str:
    """Return the fence: a line for each finding, those of the most frequent rule first; what finds no room is
    counted.
    """
    lines = [one_line(line, longest=CODE_WIDTH) for line in text.split("\n")]
    groups = _by_rule(findings)
    fits = len(findings) <= MOST_LINES
    quota = MOST_LINES if fits else max(1, (MOST_LINES - 1) // len(groups) - 1)
    content: list[str] = []
    for place, group in enumerate(groups):
        told = [_told(finding, lines) for finding in group[:quota]] + _rest(group[quota:])
        if not fits and len(content) + len(told) >= MOST_LINES:
            content.append(_others(groups[place:]))
            break
        content += told
    return render_fence(Fence("text", "".join(f"{line}\n" for line in content)))


def cited_lines(findings: Iterable[Finding], *, line_count: int) -> tuple[LineRange, ...]:
    """Return the ranges around the findings of a long file, and its head; none where the whole is the better thing
    to show.
    """
    places = [finding.line for finding in findings]
    if line_count <= LONG_FILE or not all(1 <= line <= line_count for line in places):
        return ()
    ranges = [LineRange(1, HEAD)]
    for line in sorted(places):
        start, end = max(1, line - AROUND), min(line_count, line + AROUND)
        if start <= ranges[-1].end + 1:
            ranges[-1] = LineRange(ranges[-1].start, max(end, ranges[-1].end))
        else:
            ranges.append(LineRange(start, end))
    shown = sum(item.end - item.start + 1 for item in ranges)
    return tuple(ranges) if 2 * shown <= line_count else ()


def _by_rule(findings: Sequence[Finding]) -> list[list[Finding]]:
    ordered = sorted(findings, key=lambda item: (item.rule, item.line, item.column))
    groups = [list(group) for _, group in groupby(ordered, key=lambda item: item.rule)]
    return sorted(groups, key=lambda group: -len(group))


def _told(finding: Finding, lines: Sequence[str]) -> str:
    code = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
    place = f"line {finding.line}" if finding.line else "the whole file"
    return " | ".join(part for part in (finding.rule, place, code, finding.message) if part)


def _rest(group: Sequence[Finding]) -> list[str]:
    """One line for the findings of a rule that have no line of their own; none where all have."""
    if not group:
        return []
    numbers = ", ".join(str(finding.line) for finding in group[:MOST_NUMBERS])
    more = ", …" if len(group) > MOST_NUMBERS else ""
    word = "line" if len(group) == 1 else "lines"
    return [f"{group[0].rule} | {len(group)} more, at {word} {numbers}{more}"]


def _others(groups: Sequence[Sequence[Finding]]) -> str:
    rules = ", ".join(group[0].rule for group in groups[:MOST_NUMBERS])
    more = ", …" if len(groups) > MOST_NUMBERS else ""
    return f"and {counted(sum(map(len, groups)), 'finding')} of other rules: {rules}{more}"
