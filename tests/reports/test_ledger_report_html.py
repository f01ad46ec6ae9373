"""The report as a page: whole in itself, safe whatever names say, and drawn by a real browser."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace

from minitask.ledger.record import Attempt, Record, Verdict
from minitask.ledger.summary import summarize
from minitask.ledger.usage import Usage
from minitask.reports.ledger_report import LedgerReport, render_report_markdown, render_report_text
from minitask.reports.ledger_report_html import render_report_html

OID = "a" * 40
HOSTILE = '<script>document.title="pwned"</script>'
VOID = {"meta", "rect"}
ATTEMPT = Attempt(
    1, "cheap", "hosted", "tiny", Verdict.READY, "", "", Usage(1, 900, 100, 200, 0, 0, 50),
    Decimal("0.01"), 1.5, "strong",
)  # fmt: skip


def record(task: str, **fields: object) -> Record:
    return Record(
        task, f"mini-projects/{task}.md", OID, "refs/heads/main", OID, None, OID, None, OID,
        "2026-01-01T00:00:00.000+00:00", Decimal("0.5"), replace(ATTEMPT, **fields),  # type: ignore[arg-type]
    )  # fmt: skip


def hostile_report() -> LedgerReport:
    records = [
        record("p/01-a"),
        record(f"{HOSTILE}/01-b", model=f"m|{HOSTILE}\x1b[31m\n", cost_usd=Decimal("0.03")),
        record("q/01-c", verdict=Verdict.FAILED, gate=HOSTILE, tier=HOSTILE),
        record("q/02-d", cost_usd=None, model='" onload="x'),
    ]
    return LedgerReport(summarize(records, baseline_model=HOSTILE), 2, 1, project=HOSTILE)


class Balanced(HTMLParser):
    """Checks that every element is closed where it should be, and keeps what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: str) -> Balanced:
    found = Balanced()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


def test_the_page_is_well_formed_and_names_stay_text() -> None:
    found = parsed(render_report_html(hostile_report()))
    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    assert not {name for name in found.attributes if name.startswith("on")}
    assert found.text.count(HOSTILE) >= 4
    assert "svg" in found.tags


def test_the_page_needs_nothing_from_elsewhere() -> None:
    page = render_report_html(hostile_report())
    assert not re.search(r"https?://|url\(|@import|src=|href=", page)
    assert "prefers-color-scheme: dark" in page


def test_an_empty_report_is_a_page_too() -> None:
    page = render_report_html(LedgerReport(summarize([], baseline_model="m")))
    assert "no attempts" in parsed(page).text


def test_neither_text_nor_markdown_can_be_steered() -> None:
    report = hostile_report()
    assert "\x1b" not in render_report_text(report) + render_report_markdown(report)
    assert "<script>" not in render_report_markdown(report).replace("\\<", "")
    rows = [line for line in render_report_markdown(report).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {9, 3}


def test_a_browser_draws_the_page_and_runs_nothing(tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not on PATH")
    page = tmp_path / "page.html"
    page.write_text(render_report_html(hostile_report()), "utf-8")
    shot = tmp_path / "shot.png"
    run(
        browser,
        tmp_path,
        "--hide-scrollbars",
        "--window-size=900,1200",
        f"--screenshot={shot}",
        page,
    )
    colours = pixels(shot)
    assert len(colours) > 20, "it is not blank"
    dom = run(browser, tmp_path, "--dump-dom", page)
    assert f"<title>minitask report for {HOSTILE.replace('<', '&lt;').replace('>', '&gt;')}" in dom
    assert "<script" not in dom


def run(browser: str, folder: Path, *arguments: str | Path) -> str:
    """What headless Chromium prints for a page."""
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
    own = (f"--user-data-dir={folder / 'profile'}", "--disable-dev-shm-usage")
    *options, page = arguments
    argv = (browser, *quiet, *own, *map(str, options), f"file://{page}")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pixels(path: Path) -> set[bytes]:
    """The distinct groups of filtered bytes in a PNG's rows: one or two where the picture is blank."""
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    at, data = 8, b""
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] == b"IDAT":
            data += content[at + 8 : at + 8 + size]
        at += size + 12
    raw = zlib.decompress(data)
    return {raw[n : n + 3] for n in range(0, len(raw) - 3, 3)}
