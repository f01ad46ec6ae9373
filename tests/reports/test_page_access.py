"""Everybody can use the page: axe finds nothing, the keyboard reaches all, and no width makes it scroll sideways."""

from __future__ import annotations

from pathlib import Path

import pytest

from minitask.engine.task_records import AttemptTexts, key_of
from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Task
from minitask.ledger.record import CommandRecord, FileRecord, Record, RecordedDecision, Verdict
from minitask.project.task_graph import Node, TaskGraph
from minitask.reports.ledger_report import LedgerReport
from minitask.spec.model import Spec
from reports.chromium import Browser, headless
from reports.pages import record, report_of, written

LONG = "unbroken" * 40
UNLABEL = 'document.querySelector("label").replaceWith(document.querySelector("label input"))'
WIDEST = """Math.max(...[...document.querySelectorAll("section, .tries *")].map((one) =>
  one.getBoundingClientRect().width))"""
PARTS = '[...document.querySelectorAll("#rows details")]'


def attempt(number: int, *, good: bool) -> Record:
    return record(
        f"p/{number:02d}-t",
        verdict=Verdict.READY if good else Verdict.FAILED,
        gate="" if good else "validate",
        reason="" if good else LONG,
        commands=(CommandRecord(9, f"pytest {LONG}", 1 - good, good, 2.5, f"{LONG}\n" * 90),),
        files=(FileRecord(f"src/{LONG}.py", "M", 3, 1),),
        decision=RecordedDecision("cheapest", input_tokens=800, output_tokens=100),
        doubts=(LONG,),
    )


def node(number: int) -> Node:
    spec = Spec(path=f"mini-projects/p/{number:02d}-t.md", number=str(number), title=LONG)
    task = Task(f"p/{number:02d}-t", spec, spec.path, "b", "c", "refs/heads/main")
    needs = (f"p/{number - 1:02d}-t",) if number else ()
    state = list(State)[number % len(State)]
    return Node(TaskStatus(task, state), number + 1, "", needs, (), (), 1)


@pytest.fixture(scope="module")
def report() -> LedgerReport:
    """A report with all that a page can show, and words that no line can hold."""
    records = [attempt(number, good=number % 2 > 0) for number in range(12)]
    diff = f"diff --git a/x b/x\n@@ -1 +1 @@\n-{LONG}\n+{LONG}\n" + " kept\n" * 90
    texts = AttemptTexts(f"# Mini-Task\n\n{LONG}\n" * 60, diff, f"{LONG}\n" * 90)
    graph = TaskGraph("p", tuple(map(node, range(12))), ("p/00-t", "p/01-t"), ())
    return report_of(
        *records, damaged=1, texts={key_of(each): texts for each in records}, graphs=(graph,)
    )


def open_all(browser: Browser) -> None:
    """Open two tasks, and all that is in them."""
    browser.value(
        '[...document.querySelectorAll(".open")].slice(0, 2).forEach((each) => each.click())'
    )
    browser.value('document.querySelectorAll("details").forEach((each) => { each.open = true; })')
    browser.wait(f'{PARTS}.every((part) => part.querySelector("pre")?.textContent)')


@pytest.mark.variant
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.sampled(1)
def test_axe_finds_nothing(report: LedgerReport, scheme: str, tmp_path: Path) -> None:
    with headless(tmp_path) as browser:
        browser.emulate(prefers_color_scheme=scheme)
        for width in (390, 1280):
            browser.open(written(report, tmp_path), width=width)
            assert browser.findings() == [], "as it is"
            open_all(browser)
            assert browser.findings() == [], "with rows open"
        assert browser.complaints == []


@pytest.mark.variant
def test_axe_would_find_something(report: LedgerReport, tmp_path: Path) -> None:
    with headless(tmp_path) as browser:
        browser.open(written(report, tmp_path))
        browser.value('document.querySelector("#figures h2").style.color = "#eee"')
        browser.value(UNLABEL)
        assert {finding.partition(":")[0] for finding in browser.findings()} == {
            "color-contrast",
            "label",
        }


@pytest.mark.variant
@pytest.mark.parametrize("width", [390, 768, 1280, 1920, 3840])
@pytest.mark.sampled(2)
def test_no_width_makes_the_page_scroll_sideways(
    report: LedgerReport, width: int, tmp_path: Path
) -> None:
    with headless(tmp_path) as browser:
        browser.open(written(report, tmp_path), width=width)
        open_all(browser)
        assert browser.value("document.documentElement.scrollWidth") == width
        assert browser.value(WIDEST) <= width


@pytest.mark.variant
def test_the_keyboard_alone_opens_a_task_and_its_diff(report: LedgerReport, tmp_path: Path) -> None:
    focused = "document.activeElement"
    with headless(tmp_path) as browser:
        browser.open(written(report, tmp_path))
        tab_to(browser, 'matches(".skip")')
        browser.press("Enter", text="\r")
        tab_to(browser, 'matches("[name=search]")')
        tab_to(browser, 'matches(".open")')
        browser.press("Enter", text="\r")
        assert browser.value(f"{focused}.ariaExpanded") == "true"
        tab_to(browser, 'textContent === "Diff"')
        browser.press("Enter", text="\r")
        browser.wait(f'{focused}.parentNode.querySelector("pre")?.textContent')
        tab_to(browser, 'matches("pre")')
        assert browser.value(f"getComputedStyle({focused}).outlineStyle") != "none", "it is seen"


def tab_to(browser: Browser, condition: str) -> None:
    """Press Tab until what has the focus is meant."""
    for _ in range(40):
        browser.press("Tab")
        if browser.value(f"document.activeElement.{condition}"):
            return
    raise AssertionError(f"not reached: {condition}")
