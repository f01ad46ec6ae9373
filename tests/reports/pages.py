"""Reports and their pages for tests: records of the same kind, hostile texts, and a check that all markup is closed."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ledger.kit import ATTEMPT, record_of
from minitask.ledger.record import Record, Usage
from minitask.ledger.summary import summarize
from minitask.reports.ledger_report import LedgerReport
from minitask.reports.ledger_report_html import render_report_html

OID = "a" * 40
HOSTILE = '<script>document.title="pwned"</script>'
BREAKOUT = "</script><!--<script>\u2028\u2029]]>\ud800<img src=x onerror=alert(1)>"
OPEN_LINES = (HOSTILE, BREAKOUT, "\x1b[31mred\u202e", '" onload="x', "{{ 7 * 7 }}{% include 'x' %}")


def record(task: str, **fields: object) -> Record:
    told = {"usage": Usage(1, 900, 100, 200, 0, 0, 50), **fields}
    return record_of(replace(ATTEMPT, **told), task=task)  # type: ignore[arg-type]


def report_of(*records: Record, **fields: Any) -> LedgerReport:
    return LedgerReport(summarize(records, baseline_model="grand"), records=records, **fields)


def written(report: LedgerReport, folder: Path) -> str:
    """The address of the page in a file, as the command writes it."""
    path = folder / "page.html"
    path.write_bytes(render_report_html(report).encode("utf-8", "replace"))
    return path.as_uri()


VOID = {"meta", "link", "input"}


class Balanced(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.count = 0
        self.text, self.data = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.count += tag == "script"
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.data += data
        else:
            self.text += data


def parsed(page: str) -> Balanced:
    found = Balanced()
    found.feed(page)
    found.close()
    assert found.open == []
    return found
