"""The report's page: whole in itself, safe whatever records say, with the figures of the JSON; in a browser, too."""

from __future__ import annotations

import base64
import json
import re
import zlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from minitask.engine.task_records import AttemptTexts, key_of
from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Task
from minitask.ledger.record import CommandRecord, FileRecord, RecordedDecision, Verdict
from minitask.ledger.summary import summarize
from minitask.project.task_graph import Edge, Node, TaskGraph
from minitask.reports.ledger_export import render_csv, render_jsonl, render_log
from minitask.reports.ledger_report import (
    LedgerReport,
    marked,
    render_report_markdown,
    render_report_text,
    report_document,
)
from minitask.reports.ledger_report_html import FOLDER, render_report_html
from minitask.reports.page_data import (
    ALL_OUTPUT_CHARS,
    ALL_TEXT_CHARS,
    OUTPUT_CHARS,
    TEXT_CHARS,
    TextBlocks,
    task_rows,
    tasks_document,
)
from minitask.spec.model import Spec
from minitask.words import plain_text
from reports.chromium import headless
from reports.pages import BREAKOUT, HOSTILE, OPEN_LINES, parsed, record, report_of, written

RTL = "left \u202e\u200f\x1b[31m right"


def attempt_with(text: str) -> dict[str, Any]:
    """The fields of an attempt, each text of them the same."""
    return {
        "model": text,
        "gate": text,
        "reason": text,
        "verdict": Verdict.FAILED,
        "tier": text,
        "executor": text,
        "commands": (CommandRecord(1, text, 1, False, 0.1, text, text),),
        "files": (FileRecord(text, text, 1, None),),
        "decision": RecordedDecision(text, input_tokens=900, output_tokens=100),
        "doubts": (text,),
    }


def hostile_report() -> LedgerReport:
    records = (
        record("p/01-a"),
        record(f"{HOSTILE}/01-b", model=f"m|{HOSTILE}\x1b[31m\n", cost_usd=Decimal("0.03")),
        record("q/01-c", verdict=Verdict.FAILED, gate=HOSTILE, tier=HOSTILE),
        record("q/02-d", cost_usd=None, model='" onload="x'),
        *(
            replace(
                record(f"r/{text}", **attempt_with(text)),
                notes=(text,),
                started_at=f"2026-01-{number:02d}T{text}",
            )
            for number, text in enumerate(OPEN_LINES, start=2)
        ),
    )
    summary = summarize(records, baseline_model=HOSTILE)
    return LedgerReport(
        summary,
        2,
        1,
        project=HOSTILE,
        records=records,
        states={"p/01-a": HOSTILE},
        texts={key_of(each): AttemptTexts(BREAKOUT, HOSTILE, RTL) for each in records},
        graphs=tuple(map(hostile_graph, OPEN_LINES)),
    )


def hostile_graph(text: str) -> TaskGraph:
    """A graph in which every name, title and path is the same text."""
    spec = Spec(path=text, number="1", title=text)
    tasks = [Task(f"r/{text}{end}", spec, text, text, text, text) for end in ("", "-b")]
    ties = ((), (Edge(tasks[0].name, text, text),))
    nodes = [
        Node(TaskStatus(task, State.FAILED), wave, text, (), tie, (), 1)
        for wave, (task, tie) in enumerate(zip(tasks, ties, strict=True), start=1)
    ]
    return TaskGraph(text, tuple(nodes), (), ())


def test_the_page_is_well_formed_and_names_stay_text() -> None:
    found = parsed(render_report_html(hostile_report()))
    assert not found.tags & {"img", "iframe", "object"}
    assert found.count == 3, "its data, its texts and its own script"
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert found.text.count(HOSTILE) >= 4
    assert "{{ 7 * 7 }}" in found.text
    assert "svg" in found.tags


def test_texts_are_packed_and_nothing_in_them_is_hidden() -> None:
    report = hostile_report()
    blocks = TextBlocks(report.texts)
    tasks = tasks_document(task_rows(report.records, report.states), blocks)
    ((block, spec), (_, diff), (_, reply)) = (
        tasks[0]["spec"],
        *(tasks[0]["tries"][0][name] for name in ("diff", "reply")),
    )
    (packed,) = blocks.packed()
    assert packed.isascii()
    texts = json.loads(zlib.decompress(base64.b64decode(packed)))
    shown = plain_text(BREAKOUT), HOSTILE, "left \\u202e\\u200f\\x1b[31m right"
    assert (block, texts[spec], texts[diff], texts[reply]) == (0, *shown)
    assert len(texts) == 3, "each is there once"


def test_the_page_holds_so_much_text_and_that_of_the_newest() -> None:
    each = [
        replace(record(f"p/{number:04d}"), started_at=f"2026-{number:04d}")
        for number in range(ALL_TEXT_CHARS // TEXT_CHARS + 50)
    ]
    texts = {
        key_of(one): AttemptTexts(diff=f"{number:05d}" + "x" * TEXT_CHARS)
        for number, one in enumerate(each)
    }
    blocks = TextBlocks(texts)
    tasks = tasks_document(task_rows(each, {}), blocks)
    held = ["diff" in task["tries"][0] for task in tasks]
    assert (held[0], held[-50:]) == (True, [False] * 50)
    packed = [json.loads(zlib.decompress(base64.b64decode(block))) for block in blocks.packed()]
    assert sum(len(text) for block in packed for text in block) <= ALL_TEXT_CHARS
    newest = packed[0][0]
    assert newest.startswith(f"{len(each) - 1:05d}x")
    assert newest.endswith("[… 5 more characters: `minitask diff p/0315 --attempt 1` prints all]")


def test_no_text_can_end_the_data_of_the_page() -> None:
    page = render_report_html(hostile_report())
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    assert data[1].isascii()
    assert "<" not in data[1]
    tasks = {task["name"]: task for task in json.loads(data[1])}
    assert tasks["p/01-a"]["state"] == HOSTILE
    command = tasks[f"r/{HOSTILE}"]["tries"][0]["commands"][0]
    assert (command["command"], command["output"]) == (HOSTILE, HOSTILE)
    assert "\\u001b" not in data[1], "nothing is hidden in an output"


def test_the_page_holds_so_much_output_and_that_of_the_newest() -> None:
    """The latest 2,000 characters of each command, of the latest tasks, up to the whole that a page may hold."""
    commands = (CommandRecord(1, "make", 1, False, 1.0, "old" + "x" * OUTPUT_CHARS, ""),)
    each = [
        replace(record(f"p/{number:04d}", commands=commands), started_at=f"2026-{number:04d}")
        for number in range(ALL_OUTPUT_CHARS // OUTPUT_CHARS + 50)
    ]
    tasks = tasks_document(task_rows(each, {}))
    outputs = [task["tries"][0]["commands"][0]["output"] for task in tasks]
    assert tasks[0]["name"] == each[-1].task
    assert set(outputs[:-50]) == {"x" * OUTPUT_CHARS}
    assert set(outputs[-50:]) == {""}


def test_the_page_needs_nothing_from_elsewhere_and_its_policy_says_so() -> None:
    page = render_report_html(hostile_report())
    assert not re.search(r"https?://|url\((?!#head\d)|@import|\bsrc=(?!x)", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"data:,", "#tasks"}
    assert "default-src &#39;none&#39;; style-src &#39;sha256-" in page
    assert ("connect-src" in page, "unsafe" in page) == (False, False)
    assert "connect-src &#39;self&#39;" in render_report_html(hostile_report(), head="")


def test_an_empty_report_is_a_page_too() -> None:
    page = render_report_html(LedgerReport(summarize([], baseline_model="m")))
    assert "no attempts" in parsed(page).text


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_stands_out_from_what_it_is_on() -> None:
    """At least 4.5 to 1, and 3 to 1 for the edges of fields, on light, on dark and on paper."""
    style = FOLDER.joinpath("page.css").read_text("utf-8")
    themes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(themes) == 3
    for theme in themes:
        for name, least in {
            "ink": 4.5,
            "soft": 4.5,
            "good": 4.5,
            "bad": 4.5,
            "link": 4.5,
            "edge": 3,
        }.items():
            for ground in ("paper", "card"):
                if name in theme:
                    light, dark = sorted(
                        (luminance(theme[name]), luminance(theme[ground])), reverse=True
                    )
                    assert (light + 0.05) / (dark + 0.05) >= least, (name, ground, theme)


def test_neither_text_nor_markdown_can_be_steered() -> None:
    report = hostile_report()
    goal = {"notes": (f"goal: {HOSTILE}\x1b[2J\n# x",), "started_at": "2026-01-02T10:00Z"}
    records = tuple(replace(each, **goal) for each in report.records)
    summary = summarize(records, baseline_model=HOSTILE)
    log = render_log(replace(report, records=records, summary=summary))
    assert f"**Goal**: {marked(HOSTILE)}" in log
    assert "<script>" not in log.replace("\\<", "")
    assert "\x1b" not in render_report_text(report) + render_report_markdown(report) + log
    steering = "\x1b\x7f\x9b\u202e\u2066"
    hostile = replace(report.records[0], notes=(steering,))
    hostile = replace(hostile, attempt=replace(hostile.attempt, reason=f"\uff1d1+1{steering}"))
    rows = render_csv([hostile]) + render_jsonl([hostile])
    assert not set(steering) & set(rows)
    assert json.loads(render_jsonl([hostile]))["notes"] == [steering]
    assert ",'\uff1d1+1" in rows
    assert "<script>" not in render_report_markdown(report).replace("\\<", "")
    rows = [line for line in render_report_markdown(report).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {9, 3}


FIGURES = """[...document.querySelectorAll("table:not(#rows)")].map((table) => [
  document.getElementById(table.parentNode.getAttribute("aria-labelledby")).textContent,
  [...table.querySelectorAll("tbody tr, tfoot tr")].map((row) =>
    [row.firstChild.textContent, ...[...row.querySelectorAll("data")].map((cell) => cell.value)])])"""
CELLS = (
    *("attempts", "tasks", "requests", "input_tokens"),
    *("cached_input_tokens", "output_tokens", "cost_usd"),
)


def work(count: int = 250) -> LedgerReport:
    """Tasks of two projects, each with one failure more than the last but three; the first two have landed."""
    records = []
    for number in range(count):
        for n in range(1 + number % 3):
            good = n == number % 3
            gate, reason = ("", "") if good else ("validate", "2 failed")
            each = record(
                f"{'ab'[number % 2]}/{number:03d}-t",
                n=n + 1,
                tier="cheap" if n < 2 else "balanced",
                model=("tiny", "small")[n > 1],
                cost_usd=Decimal(n + 1) / 1000,
                verdict=Verdict.READY if good else Verdict.FAILED,
                gate=gate,
                reason=reason,
                commands=(CommandRecord(9, "pytest -q", 1 - good, good, 2.5, f"output {number}"),),
                files=(FileRecord(f"src/m{number}.py", "M", 3, 1),),
                decision=RecordedDecision("cheapest", input_tokens=800 + number, output_tokens=100),
            )
            records.append(
                replace(each, started_at=f"2026-01-{1 + number % 5:02d}T10:{n:02d}:00.000+00:00")
            )
    return report_of(*records, states={"a/000-t": "merged", "b/001-t": "undone"})


def shown(value: object) -> str:
    return "" if value is None else str(value)


def groups_shown(groups: dict[str, Any], totals: dict[str, Any]) -> list[list[str]]:
    rows = [*groups.items(), *([("all", totals)] if len(groups) > 1 else [])]
    return [[name, *(shown(tally[key]) for key in CELLS)] for name, tally in rows]


def test_in_a_browser_figures_are_those_of_the_json_and_filters_work(tmp_path: Path) -> None:
    report = work()
    document = report_document(report)
    with headless(tmp_path) as browser:
        browser.open(written(report, tmp_path))
        tables = dict(browser.value(FIGURES))
        for key in ("tier", "model", "project"):
            assert tables[f"By {key}"] == groups_shown(document[f"by_{key}"], document["totals"])
        assert tables["Failures by gate"] == [
            ["validate", shown(document["failures_by_gate"]["validate"])]
        ]
        days = tables["Cost and savings by day"]
        for index, whole in (
            (2, document["totals"]["cost_usd"]),
            (3, document["savings"]["baseline_cost_usd"]),
            (4, document["savings"]["saved_usd"]),
        ):
            assert sum(Decimal(day[index]) for day in days) == Decimal(whole)
        cards = browser.value(
            '[...document.querySelectorAll(".figure")].map((figure) => figure.value)'
        )
        assert cards[:2] == [document["totals"]["cost_usd"], document["savings"]["saved_usd"]]
        check_filters(browser)
        assert (browser.complaints, len(browser.asked)) == ([], 1)


def check_filters(browser: Any) -> None:
    def choose(name: str, value: str) -> str:
        browser.value(
            f"(() => {{ const field = document.forms[0].elements[{name!r}]; field.value = {value!r};"
            'field.dispatchEvent(new Event("input", {bubbles: true})); })()'
        )
        text: str = browser.value('document.getElementById("count").textContent')
        return text

    rows = 'document.querySelectorAll("#rows tbody tr").length'
    assert (choose("search", ""), browser.value(rows)) == ("250 tasks", 100)
    browser.value('document.getElementById("more").click()')
    assert browser.value(rows) == 200
    assert choose("search", "SRC/M17.py") == "1 of 250 tasks"
    choose("search", "")
    assert [choose("state", state) for state in ("merged", "undone")] == ["1 of 250 tasks"] * 2
    choose("state", "")
    assert choose("project", "a") == "125 of 250 tasks"
    assert choose("model", "small") == "42 of 250 tasks"
    browser.value('document.querySelector("#rows .open").click()')
    detail = browser.value('document.querySelector(".detail").textContent')
    for text in (
        *("Attempt 1: failed at validate", "2 failed", "M src/m", "+3 −1"),
        *("pytest -q", "output ", "Attempt 3: ready"),
    ):
        assert text in detail
    assert (
        browser.value('document.querySelector("#rows .open").getAttribute("aria-expanded")')
        == "true"
    )
    sides = '(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(document.querySelector("#rows").parentElement)'
    assert browser.value(sides) == 0, "an open task makes the table no wider"


READABLE = """(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const levels = all("h1, h2, h3").map((heading) => Number(heading.tagName[1]));
  const ids = all("[id]").map((element) => element.id);
  const labels = all("[aria-labelledby]").map((element) => element.getAttribute("aria-labelledby"));
  return {
    heads: levels.filter((level, at) => level > (levels[at - 1] ?? 0) + 1).length,
    unlabelled: all("input, select").filter((field) => !field.labels.length).length,
    unscoped: all("th:not([scope])").length,
    unnamed: all("svg[role=img]:not([aria-label]), button:empty:not([hidden])").length,
    dangling: labels.filter((label) => !ids.includes(label)).length,
    twice: ids.length - new Set(ids).size,
  };
})()"""
OPEN_ALL = """document.querySelectorAll("details").forEach((each) => { each.open = true; });
document.querySelector(".open").click()"""


@pytest.mark.variant
def test_in_a_browser_it_fits_every_width_and_has_names_for_everything(tmp_path: Path) -> None:
    long = record(
        f"p/{'long-' * 40}",
        model="m" * 200,
        gate="g" * 200,
        verdict=Verdict.FAILED,
        reason="r" * 900,
    )
    report = report_of(long, *work(9).records)
    url = written(report, tmp_path)
    with headless(tmp_path) as browser:
        for width in (390, 1200, 3840):
            browser.open(url, width=width)
            browser.value(OPEN_ALL)
            assert browser.value("document.documentElement.scrollWidth") == width
        assert set(browser.value(READABLE).values()) == {0}
        pictures = set()
        for scheme, media in (("light", ""), ("dark", ""), ("dark", "print")):
            browser.emulate(prefers_color_scheme=scheme, media=media)
            pictures.add(browser.value("getComputedStyle(document.body).backgroundColor"))
        assert pictures == {"rgb(246, 247, 249)", "rgb(15, 19, 24)", "rgb(255, 255, 255)"}
        assert browser.complaints == []


@pytest.mark.variant
def test_in_a_browser_hostile_records_run_nothing_and_it_reads_without_scripts(
    tmp_path: Path,
) -> None:
    url = written(hostile_report(), tmp_path)
    with headless(tmp_path) as browser:
        browser.open(url)
        browser.value('document.querySelectorAll(".open").forEach((button) => button.click())')
        assert browser.value("document.title") == f"minitask report for {HOSTILE}"
        assert browser.value('document.querySelectorAll("img, iframe, main script").length') == 0
        assert HOSTILE in browser.value('document.querySelector("#rows").textContent')
        assert (browser.complaints, len(browser.asked)) == ([], 1)
        browser.disable_scripts()
        browser.open(url)
        assert len(browser.shot()) > 10_000, "it is not blank"
        assert browser.value('document.querySelectorAll("#rows tbody tr").length') == 9
