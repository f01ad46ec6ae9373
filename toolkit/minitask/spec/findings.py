"""Read a linter's report (ruff's JSON or SARIF 2.1.0) as findings in the repository's files, and render them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby, pairwise
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import escape_marks
from minitask.spec.model import Fence, LineRange
from minitask.spec.sarif import (
    UNNAMED,
    Finding,
    count,
    load_json,
    relative_path,
    rows,
    sarif_findings,
    sarif_tools,
    string,
    table,
)
from minitask.words import counted, one_line

__all__ = ["Finding", "FindingReport", "Form", "parse_report"]

SYNTAX = "invalid-syntax"
"""Ruff's name for a file that it cannot parse; it cannot be selected as a rule."""


class Form(StrEnum):
    """The format of a report."""

    RUFF = "ruff"
    SARIF = "sarif"


class FindingReport(Struct, frozen=True):
    """The findings of a linter. `left_out` counts those in no file that a task could name.

    `tool` is the linter's name, empty if the report does not give it.
    """

    form: Form
    tool: str
    findings: tuple[Finding, ...]
    left_out: int = 0

    @property
    def is_ruffs(self) -> bool:
        """True if ruff wrote it, in either form: its rules can be selected one by one."""
        return self.form is Form.RUFF or self.tool.lower() == "ruff"


def parse_report(text: str, *, roots: Sequence[str] = ()) -> FindingReport:
    """Return the unique findings by file and line; raise `UsageError` for an unknown format or a damaged report.

    Paths are made relative to the repository: absolute ones must be below one of `roots`, its checkouts. Findings are
    dropped and counted if their path is outside, contains `..` or is in `.git`, or if they are in a notebook's cell,
    which has no line in the file.
    """
    document = load_json(text)
    form = _form(document)
    if form is Form.RUFF:
        tool, reported = "ruff", list(_ruff_findings(document))
    else:
        tool, reported = ", ".join(sarif_tools(document)), list(sarif_findings(document, roots))
    placed = [_placed(finding, roots) for finding in reported]
    unique = {finding for finding in placed if finding is not None}
    ordered = sorted(unique, key=attrgetter("path", "line", "column", "rule", "message"))
    return FindingReport(
        form, one_line(tool, longest=80), tuple(ordered), left_out=placed.count(None)
    )


def _form(document: Any) -> Form:
    if isinstance(document, list):
        first = document[0] if document else {"filename": "", "location": None}
        if isinstance(first, dict) and {"filename", "location"} <= first.keys():
            return Form.RUFF
    if isinstance(document, dict) and "runs" in document:
        version = document.get("version", "2.1.0")
        if isinstance(version, str) and version.startswith("2.1"):
            return Form.SARIF
    raise UsageError(
        "the linter's report is neither ruff's JSON nor SARIF 2.1.0",
        hint="let it write one of them: `ruff check --output-format json`, or your linter's option for SARIF",
    )


def _ruff_findings(document: Sequence[Any]) -> Iterator[Finding]:
    for index, row in enumerate(rows(document, "the report")):
        where = f"[{index}]"
        entry = table(row, where)
        location = table(entry.get("location"), f"{where}.location")
        fix = table(entry.get("fix"), f"{where}.fix")
        path = string(entry.get("filename"), f"{where}.filename")
        yield Finding(
            path="" if entry.get("cell") is not None else path,
            line=count(location.get("row"), f"{where}.location.row"),
            column=count(location.get("column"), f"{where}.location.column"),
            rule=string(entry.get("code"), f"{where}.code") or SYNTAX,
            message=string(entry.get("message"), f"{where}.message"),
            fixable=fix.get("applicability") == "safe",
        )


def _placed(finding: Finding, roots: Sequence[str]) -> Finding | None:
    """Return the finding with its repository path and one-line texts, or None if it is in no file."""
    path = relative_path(finding.path, roots) if finding.path else None
    if path is None:
        return None
    rule = one_line(finding.rule, longest=80) or UNNAMED
    return replace(finding, path=path, rule=rule, message=one_line(finding.message, longest=200))


MOST_LINES = 40
"""Lines of a list; further findings are only counted, with as many line numbers as fit."""
MOST_NUMBERS = 20
CODE_WIDTH = 60
AROUND = 10
"""Lines cited above and below a finding."""
HEAD = 20
"""Lines at the top of a file that are cited with any others, for its imports."""
LONG_FILE = 400
"""Lines up to which a file is shown whole instead of cited, and may be answered whole."""


def render_findings(findings: Sequence[Finding], text: str) -> str:
    """Return a fence with one line per finding, the most frequent rule first; findings that do not fit are counted."""
    lines = [one_line(line, longest=CODE_WIDTH) for line in text.split("\n")]
    groups = _by_rule(findings)
    fits = len(findings) <= MOST_LINES
    quota = MOST_LINES if fits else max(1, (MOST_LINES - 1) // len(groups) - 1)
    content: list[str] = []
    for index, group in enumerate(groups):
        group_lines = [_finding_line(finding, lines) for finding in group[:quota]]
        group_lines += _remaining_lines(group[quota:])
        if not fits and len(content) + len(group_lines) >= MOST_LINES:
            content.append(_other_rules(groups[index:]))
            break
        content += group_lines
    return render_fence(Fence("text", "".join(f"{line}\n" for line in content)))


def cited_lines(findings: Iterable[Finding], *, line_count: int) -> tuple[LineRange, ...]:
    """Return the ranges around the findings of a long file, and its head; none if the whole is better shown."""
    numbers = [finding.line for finding in findings]
    if line_count <= LONG_FILE or not all(1 <= line <= line_count for line in numbers):
        return ()
    ranges = [LineRange(1, HEAD)]
    for line in sorted(numbers):
        start, end = max(1, line - AROUND), min(line_count, line + AROUND)
        if start <= ranges[-1].end + 1:
            ranges[-1] = LineRange(ranges[-1].start, max(end, ranges[-1].end))
        else:
            ranges.append(LineRange(start, end))
    shown = sum(span.end - span.start + 1 for span in ranges)
    return tuple(ranges) if 2 * shown <= line_count else ()


def _by_rule(findings: Sequence[Finding]) -> list[list[Finding]]:
    ordered = sorted(findings, key=lambda finding: (finding.rule, finding.line, finding.column))
    groups = [list(group) for _, group in groupby(ordered, key=lambda finding: finding.rule)]
    return sorted(groups, key=lambda group: -len(group))


def _finding_line(finding: Finding, lines: Sequence[str]) -> str:
    code = lines[finding.line - 1] if 0 < finding.line <= len(lines) else ""
    position = f"line {finding.line}" if finding.line else "the whole file"
    return " | ".join(part for part in (finding.rule, position, code, finding.message) if part)


def _remaining_lines(group: Sequence[Finding]) -> list[str]:
    """Return the line that counts a rule's findings without a line of their own; empty if there are none."""
    if not group:
        return []
    numbers = ", ".join(str(finding.line) for finding in group[:MOST_NUMBERS])
    more = ", …" if len(group) > MOST_NUMBERS else ""
    word = "line" if len(group) == 1 else "lines"
    return [f"{group[0].rule} | {len(group)} more, at {word} {numbers}{more}"]


def _other_rules(groups: Sequence[Sequence[Finding]]) -> str:
    rules = ", ".join(group[0].rule for group in groups[:MOST_NUMBERS])
    more = ", …" if len(groups) > MOST_NUMBERS else ""
    return f"and {counted(sum(map(len, groups)), 'finding')} of other rules: {rules}{more}"


def render_fence(fence: Fence) -> str:
    """Return a fence after its lead text, with more marks than any inside."""
    mark = "~" if "`" in fence.info else "`"
    runs = re.findall(rf"{mark}{{3,}}", fence.content)
    marks = mark * max(3, *(len(run) + 1 for run in runs), 3)
    info = f" {fence.info}" if fence.info.startswith(mark) else fence.info
    lead = f"{escape_marks(fence.lead)}\n\n" if fence.lead else ""
    return f"{lead}{marks}{info}\n{fence.content}{marks}"


PATH = "{path}"
RUFF = ("ruff", "check")
SYNTAX_ONLY = "E9"
"""The selection for a file that cannot be parsed: ruff reports that for any selection, but needs one."""

_PLAIN = lazy_pattern(r"[\w./+@:-]+")
_RULE = lazy_pattern(r"[A-Z]+[0-9]+")
_SWITCHES = {"--preview", "--isolated"}
_OPTIONS = {"--config", "--target-version"}
_SILENCED = "noqa|ruff: *(disable|ignore|file-ignore)"


class Recheck(Struct, frozen=True):
    """The command that checks a file again: the user's `template` with `{path}`, or the words of a `ruff` call."""

    template: str = ""
    ruff: tuple[str, ...] = ()

    def command(self, path: str, *, rules: Iterable[str], text: str) -> str:
        """Return the validation for a file with findings of `rules`; empty if no command is known.

        `text` is the present file: findings that it already silences may stay.
        """
        word = shlex.quote(path if not path.startswith("-") else f"./{path}")
        if self.template:
            return self.template.replace(PATH, word)
        if not self.ruff:
            return ""
        selected = ",".join(sorted(filter(_RULE.fullmatch, set(rules)))) or SYNTAX_ONLY
        check = f"{shlex.join(self.ruff)} --no-cache --select {selected} {word}"
        silenced = re.compile(_SILENCED, re.IGNORECASE)
        count = sum(silenced.search(line) is not None for line in text.split("\n"))
        return f"{check}\ntest \"$(grep -Eci '{_SILENCED}' {word})\" -le {count}"


def check_template(template: str) -> str:
    """Return the user's command for one file; raise `UsageError` if it lacks `{path}`."""
    if PATH not in template or "\0" in template:
        message = f"--check {template!r} has no place for the file"
        raise UsageError(message, hint=f"include {PATH}: --check 'eslint {PATH}'")
    return template.strip()


def ruff_words(linter: str) -> tuple[str, ...]:
    """Return the user's `ruff check` command with the options that affect rules, or plain `ruff check`."""
    try:
        arguments = shlex.split(linter)
    except ValueError:
        return RUFF
    ends = [
        index + 2
        for index, pair in enumerate(pairwise(arguments))
        if pair[0].rpartition("/")[2] == RUFF[0] and pair[1] == RUFF[1]
    ]
    start = arguments[: ends[0]] if ends else []
    if not start or not all(map(_PLAIN.fullmatch, start)):
        return RUFF
    return (*start, *_rule_options(arguments[ends[0] :]))


def _rule_options(arguments: Sequence[str]) -> Iterator[str]:
    follows = False
    for word in arguments:
        name, equals, _ = word.partition("=")
        if follows or word in _SWITCHES or name in _OPTIONS:
            yield word
        follows = not follows and name in _OPTIONS and not equals
