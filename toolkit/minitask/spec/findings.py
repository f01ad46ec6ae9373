"""A linter's report, in ruff's JSON or SARIF 2.1.0, as findings in files of the repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.finding import Finding, relative_path
from minitask.spec.json_reader import count, load_json, rows, table, words
from minitask.spec.sarif import UNNAMED, sarif_findings, sarif_tools
from minitask.words import one_line

__all__ = ["Finding", "FindingReport", "Form", "parse_report"]

SYNTAX = "invalid-syntax"
"""What ruff calls a file that it cannot parse; it is no rule that could be selected."""


class Form(StrEnum):
    """The format of a report."""

    RUFF = "ruff"
    SARIF = "sarif"


class FindingReport(Struct, frozen=True):
    """The findings of a linter. `left_out` counts what is in no file that a task could name.

    `tool` is the linter's name, empty if the report does not say.
    """

    form: Form
    tool: str
    findings: tuple[Finding, ...]
    left_out: int = 0

    @property
    def is_ruffs(self) -> bool:
        """Return True if ruff wrote it, in either form: its rules can be selected one by one."""
        return self.form is Form.RUFF or self.tool.lower() == "ruff"


def parse_report(text: str, *, roots: Sequence[str] = ()) -> FindingReport:
    """Return the findings, each once, by file and line; raise `UsageError` for what is neither form, or is damaged.

    Paths become canonical ones of the repository: relative ones are taken to be, absolute ones below one of `roots`,
    where its checkouts are, are made so. Those that lie outside, lead through `..` or into `.git`, and places in the
    cells of a notebook, which have no line of the file, are left out and counted.
    """
    document = load_json(text)
    form = _form(document)
    if form is Form.RUFF:
        tool, found = "ruff", list(_ruff_findings(document))
    else:
        tool, found = ", ".join(sarif_tools(document)), list(sarif_findings(document, roots))
    placed = [_placed(finding, roots) for finding in found]
    kept = {finding for finding in placed if finding is not None}
    ordered = sorted(kept, key=attrgetter("path", "line", "column", "rule", "message"))
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
    for index, item in enumerate(rows(document, "the report")):
        where = f"[{index}]"
        entry = table(item, where)
        place = table(entry.get("location"), f"{where}.location")
        fix = table(entry.get("fix"), f"{where}.fix")
        path = words(entry.get("filename"), f"{where}.filename")
        yield Finding(
            path="" if entry.get("cell") is not None else path,
            line=count(place.get("row"), f"{where}.location.row"),
            column=count(place.get("column"), f"{where}.location.column"),
            rule=words(entry.get("code"), f"{where}.code") or SYNTAX,
            message=words(entry.get("message"), f"{where}.message"),
            fixable=fix.get("applicability") == "safe",
        )


def _placed(finding: Finding, roots: Sequence[str]) -> Finding | None:
    """Return the finding at its path in the repository, in words that fit on a line; None if it is in none."""
    path = relative_path(finding.path, roots) if finding.path else None
    if path is None:
        return None
    return Finding(
        path,
        finding.line,
        finding.column,
        rule=one_line(finding.rule, longest=80) or UNNAMED,
        message=one_line(finding.message, longest=200),
        fixable=finding.fixable,
    )
