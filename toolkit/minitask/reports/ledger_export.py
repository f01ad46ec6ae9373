"""A project's log in Markdown, and the records of a ledger as JSON Lines and CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from minitask.ledger.record import ATTEMPT, GOAL, LANDING, Record, Verdict, money
from minitask.ledger.record_json import record_document
from minitask.ledger.savings import Tally, line_of, tally
from minitask.ledger.summary import IMPLEMENT, is_outage, model_of, phase_of, runs_of
from minitask.reports.ledger_report import (
    LedgerReport,
    baseline,
    cost,
    days_of,
    estimates,
    heading_of,
    marked,
    saved,
    signed_dollars,
    span_of,
    stated_costs,
)
from minitask.values import grouped
from minitask.words import counted, json_text, one_line, plain_text

TITLES = {
    "plan": "Planning",
    "classify": "Classification",
    IMPLEMENT: "Implementation",
    "review": "Reviews",
    "message": "Messages",
    "lost": "Lost calls",
    "land": "Merges",
}
MOST_LESSONS, MOST_RUNS = 3, 20
MOST_GOALS, LONGEST_GOAL = 3, 120
MONTH_DAYS, YEAR_DAYS = 30, 365


def render_log(report: LedgerReport) -> str:
    """Return the log of a project in Markdown."""
    lines = [f"# {marked(heading_of(report))}", ""]
    lines += [f"**{name}**: {marked(text)}  " for name, text in _header(report)]
    for title, rows in _sections(report):
        lines += ["", f"## {title}", "", *(list(rows) or ["- nothing on record"])]
    return "\n".join(lines) + "\n"


def _header(report: LedgerReport) -> Iterator[tuple[str, str]]:
    yield "Date", " to ".join(days_of(report)) or span_of(report)
    notes = (note for record in report.records for note in record.notes)
    goals = [note.removeprefix(GOAL) for note in notes if note.startswith(GOAL)]
    texts = list(dict.fromkeys(one_line(goal, longest=LONGEST_GOAL) for goal in goals))
    if texts:
        more = len(texts) - MOST_GOALS
        yield "Goal", "; ".join(texts[:MOST_GOALS]) + (f"; and {more} more" if more > 0 else "")
    totals = report.summary.totals
    yield "Attempts", f"{totals.attempts:,} at {counted(totals.tasks, 'task')}"


def _sections(report: LedgerReport) -> Iterator[tuple[str, Iterator[str]]]:
    yield "Tokens and costs", _phases(report)
    yield "Comparison (estimated)", _comparison(report)
    yield "Tiers", _tiers(report)
    yield "Models", _named(report.summary.by_model)
    yield "Runs", _runs(report)
    yield "By day", _named(report.summary.by_day)
    yield "Estimates against actuals", _estimates(report)
    yield "At this rate (estimated)", _projections(report)
    yield "Learnings", _lessons(report)


def _phases(report: LedgerReport) -> Iterator[str]:
    """Yield each phase with its total, and the tasks of the implementation."""
    for phase, total in report.summary.by_phase.items():
        yield f"- **{TITLES.get(phase, marked(phase))}**: {_spent(total)}"
        if phase == IMPLEMENT:
            yield from (f"    - {row}" for row in _tasks(report.records))


def _tasks(records: Sequence[Record]) -> Iterator[str]:
    implementing = [record for record in records if phase_of(record) == IMPLEMENT]
    for name, tries in sorted(grouped(implementing, lambda record: record.task).items()):
        last = max(tries, key=lambda record: record.attempt.n).attempt
        who = one_line(last.model or last.executor)
        verdict = "passed" if last.verdict is Verdict.READY else last.verdict.value
        ended = f"{verdict} by {who} after {counted(len(tries), 'attempt')}"
        yield f"{marked(name)}: {_spent(tally([line_of(each) for each in tries]))}; {marked(ended)}"


def _spent(total: Tally) -> str:
    tokens_in, tokens_out = (
        "unknown" if (count := total.counts[name]) is None else f"{count:,}"
        for name in ("input_tokens", "output_tokens")
    )
    return f"{tokens_in} in + {tokens_out} out tokens, {cost(total)}"


def _comparison(report: LedgerReport) -> Iterator[str]:
    savings = report.summary.savings
    yield f"- **Spent**: {cost(report.summary.totals)}"
    yield f"- **By the frontier model alone**: {marked(baseline(savings))}"
    yield f"- **Saved**: {saved(savings)}"


def _tiers(report: LedgerReport) -> Iterator[str]:
    groups = report.summary.by_tier
    attempts = sum(group.attempts for group in groups.values())
    for tier, group in groups.items():
        if group.attempts:
            share = f"{100 * group.attempts / attempts:.0f} %"
            yield f"- {marked(tier)}: {counted(group.attempts, 'attempt')} ({share}), {cost(group)}"


def _named(groups: Mapping[str, Tally]) -> Iterator[str]:
    for name, group in groups.items():
        yield f"- {marked(name)}: {_spent(group)}, {_clock(group.seconds)} of attempts"


def _runs(report: LedgerReport) -> Iterator[str]:
    """Yield the latest runs: their attempts, wall time, and the tokens of each model."""
    runs = runs_of(record for record in report.records if record.kind != LANDING)
    if len(runs) > MOST_RUNS:
        yield f"- {counted(len(runs) - MOST_RUNS, 'earlier run')} left out"
    for spans in runs[-MOST_RUNS:]:
        lines = [line_of(span.record) for span in spans]
        total, models = tally(lines), grouped(lines, lambda line: model_of(line.record))
        begun = datetime.fromtimestamp(spans[0].begin, UTC).strftime("%Y-%m-%d %H:%M UTC")
        clock = _clock(max(span.end for span in spans) - spans[0].begin)
        work = f"{counted(total.attempts, 'attempt')} at {counted(total.tasks, 'task')}"
        shares = "; ".join(
            f"{marked(name)} {_spent(tally(group))}" for name, group in models.items()
        )
        yield f"- {begun}: {work}, {clock} by the clock, {_clock(total.seconds)} of attempts: {shares}"


def _clock(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


def _estimates(report: LedgerReport) -> Iterator[str]:
    """Yield the errors of token and cost estimates."""
    summary = report.summary
    if summary.costs.tasks:
        yield f"- **Cost**: {stated_costs(summary.costs)}"
    if summary.estimates.tasks:
        yield f"- **Tokens**: {estimates(summary.estimates)}"


def _projections(report: LedgerReport) -> Iterator[str]:
    """Yield the mean cost and savings per day, from the first record to the last, extrapolated to longer periods."""
    summary = report.summary
    if summary.first_at is None or summary.last_at is None:
        return
    first, last = (datetime.fromisoformat(at).date() for at in (summary.first_at, summary.last_at))
    days = (last - first).days + 1
    spans = ((1, "a day"), (MONTH_DAYS, "a month"), (YEAR_DAYS, "a year"))
    figures = (("spent", summary.totals.cost_usd), ("saved", summary.savings.saved_usd))
    for name, amount in figures:
        rates = [
            f"{signed_dollars(amount * span / days)} {unit}"
            for span, unit in spans
            if amount is not None
        ]
        yield f"- {name}: {', '.join(rates) or 'unknown'}"


def _lessons(report: LedgerReport) -> Iterator[str]:
    """Yield what the records show about specs, tiers and estimates."""
    summary, records = report.summary, report.records
    tries = summary.first_tries
    if tries.rate is not None:
        yield f"- {tries.proven:,} of {counted(tries.tasks, 'task')} proven at the first try"
    for gate, count in list(summary.failures_by_gate.items())[:MOST_LESSONS]:
        yield f"- {counted(count, 'attempt')} failed at {marked(one_line(gate))}"
    judged = [record for record in records if record.kind == ATTEMPT and not is_outage(record)]
    failed = Counter(record.task for record in judged if not record.attempt.verdict.is_good)
    for task, count in failed.most_common(MOST_LESSONS):
        yield f"- {marked(task)} failed {counted(count, 'time')}: see what its spec left open"
    if summary.estimates.tasks:
        close = f"{summary.estimates.close:,} of {summary.estimates.tasks:,}"
        yield f"- the token estimates of {close} tasks were close"
    if summary.grade.planted:
        yield f"- the validations noticed {summary.grade.noticed:,} of {summary.grade.planted:,} planted faults"


COLUMNS = (
    *("started_at", "task", "kind", "n", "tier", "executor", "model", "verdict", "gate", "reason"),
    *("requests", "input_tokens", "cached_input_tokens", "output_tokens"),
    *("cost_usd", "baseline_cost_usd", "seconds", "base", "candidate", "merge"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""First characters of formulas in spreadsheets, also in full width."""


def render_jsonl(records: Iterable[Record]) -> str:
    """Return one JSON document per line, by schemas/record.schema.json."""
    lines = (json_text(record_document(record)) for record in records)
    return "".join(f"{line}\n" for line in lines)


def render_csv(records: Iterable[Record]) -> str:
    """Return a CSV spreadsheet with one row per record."""
    return spreadsheet(COLUMNS, map(_row, records))


def _row(record: Record) -> Sequence[object]:
    attempt, usage = record.attempt, record.attempt.usage
    return (
        *(record.started_at, record.task, record.kind, attempt.n, attempt.tier, attempt.executor),
        *(attempt.model, attempt.verdict.value, attempt.gate, attempt.reason),
        *(usage.requests, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens),
        *(money(attempt.cost_usd), money(record.baseline_cost_usd), round(attempt.seconds, 3)),
        *(record.base, record.candidate, record.merge),
    )


def spreadsheet(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV without control characters; an apostrophe precedes texts that look like formulas."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = plain_text(value)
    return f"'{text}" if value.startswith(_FORMULA) else text
