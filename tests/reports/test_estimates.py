"""What people are told of estimates: a line a batch of a run, a line of facts in the report."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.kit import ATTEMPT as PLAIN
from ledger.kit import record_of
from minitask.ledger.accuracy import BatchTokens
from minitask.ledger.record import NO_USAGE, Attempt, RecordedDecision, Usage
from minitask.ledger.summary import summarize
from minitask.reports.ledger_export import render_log
from minitask.reports.ledger_report import (
    LedgerReport,
    render_report_markdown,
    render_report_text,
    report_document,
)
from minitask.reports.ledger_report_html import render_report_html
from minitask.reports.results import RunSummary, render_batch, render_run, run_document
from reports import pages

DECISION = RecordedDecision("asked", input_tokens=1000, output_tokens=200)
ATTEMPT = replace(PLAIN, usage=Usage(1, 1030, 0, 176, 0, 0, 0), decision=DECISION)


def report(*attempts: Attempt) -> LedgerReport:
    records = [
        record_of(each, task=f"p/{number:02d}", baseline_cost_usd=None)
        for number, each in enumerate(attempts)
    ]
    return LedgerReport(summarize(records, baseline_model="grand"))


LINES = {
    BatchTokens(2, 4, 10_200, 9_800): "batch 2  4 tasks  9,800 tokens of 10,200 planned (-4 %)",
    BatchTokens(1, 1, 1_000, 1_630): (
        "batch 1  1 task  1,630 tokens of 1,000 planned (+63 %, beyond 20 %)"
    ),
    BatchTokens(1, 2, 1_000, 1_200): "batch 1  2 tasks  1,200 tokens of 1,000 planned (+20 %)",
    BatchTokens(1, 2, 10_000, 12_001): (
        "batch 1  2 tasks  12,001 tokens of 10,000 planned (+21 %, beyond 20 %)"
    ),
    BatchTokens(1, 2, 10_000, 7_999): (
        "batch 1  2 tasks  7,999 tokens of 10,000 planned (-21 %, beyond 20 %)"
    ),
    BatchTokens(1, 2, 1_000, 998): "batch 1  2 tasks  998 tokens of 1,000 planned (0 %)",
    BatchTokens(3, 1, 0, 120): "batch 3  1 task  120 tokens of 0 planned (beyond 20 %)",
    BatchTokens(1, 2, 100, 100, 1): (
        "batch 1  2 tasks  100 tokens of 100 planned (0 %); 1 more cannot be compared"
    ),
    BatchTokens(1, 0, 0, 0, 2): "batch 1  2 tasks  nothing to compare: tokens or plan unknown",
}


@pytest.mark.parametrize(("batch", "line"), LINES.items(), ids=LINES.values())
def test_a_batch_is_a_line(batch: BatchTokens, line: str) -> None:
    assert render_batch(batch) == line


def test_batches_are_for_people_and_stand_before_the_sum() -> None:
    summary = RunSummary("p", "main", (), 1.0, (BatchTokens(1, 1, 100, 100),))
    first, last = render_run(summary).splitlines()
    assert first.startswith("batch 1")
    assert last.startswith("0 of 0 on main")
    assert run_document(summary) == run_document(replace(summary, batches=()))


def test_every_form_of_the_report_says_how_close_estimates_came() -> None:
    far = replace(ATTEMPT, usage=Usage(1, 1030, 0, 876, 0, 0, 0))
    said = "input +3 %, output +163 %, 1 of 2 within 20 %"
    found = report(ATTEMPT, far)
    assert f"  estimates    {said}\n" in render_report_text(found)
    assert f"- **estimates**: {said}\n" in render_report_markdown(found)
    assert said in render_report_html(found)


def test_every_form_of_the_report_says_what_specs_cost_beside_their_own_estimate() -> None:
    states = RecordedDecision("asked", stated_cost_usd=Decimal("0.02"))
    found = report(replace(ATTEMPT, decision=states))
    said = "$0.0100 spent of $0.0200 stated (-50 %) by 1 proven spec, 0 of them above"
    assert f"  estimated cost  {said}\n" in render_report_text(found)
    assert f"- **estimated cost**: {said}\n" in render_report_markdown(found)
    assert said in render_report_html(found)
    assert report_document(found)["estimated_cost"] == {
        "tasks": 1,
        "estimated_usd": "0.02",
        "actual_usd": "0.01",
        "percent": -50.0,
        "over": 0,
    }


def test_a_report_without_anything_to_compare_says_nothing_of_estimates() -> None:
    found = report(replace(ATTEMPT, usage=NO_USAGE, tier="none", decision=None))
    for text in (
        render_report_text(found),
        render_report_markdown(found),
        render_report_html(found),
    ):
        assert "stimates" not in text


def test_the_log_has_the_runs_models_and_estimates_that_are_on_record() -> None:
    stated = RecordedDecision(
        "asked", input_tokens=1000, output_tokens=200, stated_cost_usd=Decimal("0.02")
    )
    times = ("10:00:00", "10:00:30", "12:00:00")
    models = ("tiny", "huge", "tiny")
    records = [
        pages.record(f"p/{at}", model=model, seconds=60.0, decision=stated)
        for at, model in zip(times, models, strict=True)
    ]
    records = [
        replace(each, started_at=f"2026-01-01T{at}.000+00:00")
        for each, at in zip(records, times, strict=True)
    ]
    log = render_log(pages.report_of(*records))
    first = "2 attempts at 2 tasks, 2 min by the clock, 2 min of attempts"
    used = "900 in + 200 out tokens, $0.0100"
    assert f"- 2026-01-01 10:00 UTC: {first}: tiny {used}; huge {used}\n" in log
    assert "- 2026-01-01 12:00 UTC: 1 attempt at 1 task, 1 min by the clock" in log
    assert "- tiny: 1,800 in + 400 out tokens, $0.0200, 2 min of attempts\n" in log
    assert "- **Cost**: $0.0300 spent of $0.0600 stated (-50 %) by 3 proven specs, 0 of them" in log
    assert "- **Tokens**: input -10 %, output 0 %, 3 of 3 within 20 %\n" in log
