"""A project's log in Markdown: tokens and costs by phase and task, savings, projections, and what the data say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from minitask.ledger.record import ATTEMPT, GOAL, LANDING, Record, Verdict
from minitask.ledger.savings import Tally, TallyLine, line_of, tally
from minitask.ledger.summary import IMPLEMENT, is_outage, model_of, phase_of
from minitask.reports.ledger_report import (
    LedgerReport,
    baseline,
    cost,
    days_of,
    estimates,
    heading_of,
    marked,
    saved,
    span_of,
    stated_costs,
)
from minitask.reports.results import dollars
from minitask.reports.runs import runs_of
from minitask.words import counted, one_line

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
    """Return the log."""
    lines = [f"# {marked(heading_of(report))}", ""]
    lines += [f"**{name}**: {marked(text)}  " for name, text in _header(report)]
    for title, rows in _sections(report):
        lines += ["", f"## {title}", "", *(rows or ("- nothing on record",))]
    return "\n".join(lines) + "\n"


def _header(report: LedgerReport) -> Iterator[tuple[str, str]]:
    yield "Date", " to ".join(days_of(report)) or span_of(report)
    notes = (note for record in report.records for note in record.notes)
    goals = [note.removeprefix(GOAL) for note in notes if note.startswith(GOAL)]
    named = list(dict.fromkeys(one_line(goal, longest=LONGEST_GOAL) for goal in goals))
    if named:
        more = len(named) - MOST_GOALS
        yield "Goal", "; ".join(named[:MOST_GOALS]) + (f"; and {more} more" if more > 0 else "")
    totals = report.summary.totals
    yield "Attempts", f"{totals.attempts:,} at {counted(totals.tasks, 'task')}"


def _sections(report: LedgerReport) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "Tokens and costs", tuple(_phases(report))
    yield "Comparison (estimated)", tuple(_comparison(report))
    yield "Tiers", tuple(_tiers(report))
    yield "Models", tuple(_named(report.summary.by_model))
    yield "Runs", tuple(_runs(report))
    yield "By day", tuple(_named(report.summary.by_day))
    yield "Estimates against actuals", tuple(_estimates(report))
    yield "At this rate (estimated)", tuple(_projections(report))
    yield "Learnings", tuple(_lessons(report))


def _phases(report: LedgerReport) -> Iterator[str]:
    """Yield each phase with its sum, and below the implementation each task."""
    for phase, total in report.summary.by_phase.items():
        yield f"- **{TITLES.get(phase, marked(phase))}**: {_spent(total)}"
        if phase == IMPLEMENT:
            yield from (f"    - {row}" for row in _tasks(report.records))


def _tasks(records: Sequence[Record]) -> Iterator[str]:
    tasks: dict[str, list[Record]] = {}
    for record in records:
        if phase_of(record) == IMPLEMENT:
            tasks.setdefault(record.task, []).append(record)
    for name, tries in sorted(tasks.items()):
        last = max(tries, key=lambda record: record.attempt.n).attempt
        who = one_line(last.model or last.executor)
        verdict = "passed" if last.verdict is Verdict.READY else last.verdict.value
        ended = f"{verdict} by {who} after {counted(len(tries), 'attempt')}"
        yield f"{marked(name)}: {_spent(tally([line_of(each) for each in tries]))}; {marked(ended)}"


def _spent(total: Tally) -> str:
    counts = (total.counts["input_tokens"], total.counts["output_tokens"])
    sides = (f"{'unknown' if count is None else f'{count:,}'}" for count in counts)
    tokens = " + ".join(f"{count} {side}" for count, side in zip(sides, ("in", "out"), strict=True))
    return f"{tokens} tokens, {cost(total)}"


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
    """Yield the latest stretches of work: how long each took by the clock, and the tokens of each model."""
    runs = runs_of(record for record in report.records if record.kind != LANDING)
    if len(runs) > MOST_RUNS:
        yield f"- {counted(len(runs) - MOST_RUNS, 'earlier run')} left out"
    for spans in runs[-MOST_RUNS:]:
        lines = [line_of(span.record) for span in spans]
        total, models = tally(lines), dict[str, list[TallyLine]]()
        for line in lines:
            models.setdefault(model_of(line.record), []).append(line)
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
    """Yield how far tokens and costs were off what was estimated, where something was."""
    summary = report.summary
    if summary.costs.tasks:
        yield f"- **Cost**: {stated_costs(summary.costs)}"
    if summary.estimates.tasks:
        yield f"- **Tokens**: {estimates(summary.estimates)}"


def _projections(report: LedgerReport) -> Iterator[str]:
    """Yield what was spent and saved for each day between the first record and the last, both counted."""
    summary = report.summary
    if summary.first_at is None or summary.last_at is None:
        return
    first, last = (datetime.fromisoformat(at).date() for at in (summary.first_at, summary.last_at))
    days = (last - first).days + 1
    figures = (("spent", summary.totals.cost_usd), ("saved", summary.savings.saved_usd))
    for name, amount in figures:
        if amount is None:
            yield f"- {name}: unknown"
            continue
        rates = ((1, "a day"), (MONTH_DAYS, "a month"), (YEAR_DAYS, "a year"))
        yield f"- {name}: " + ", ".join(
            f"{_signed(amount * span / days)} {unit}" for span, unit in rates
        )


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else ''}{dollars(abs(amount))}"


def _lessons(report: LedgerReport) -> Iterator[str]:
    """Yield what the records say about specs, tiers and estimates."""
    summary, records = report.summary, report.records
    tries = summary.first_tries
    if tries.rate is not None:
        yield f"- {tries.proven:,} of {counted(tries.tasks, 'task')} proven at the first try"
    for gate, count in list(summary.failures_by_gate.items())[:MOST_LESSONS]:
        yield f"- {counted(count, 'attempt')} failed at {marked(one_line(gate))}"
    judged = [record for record in records if record.kind == ATTEMPT and not is_outage(record)]
    again = Counter(record.task for record in judged)
    for task, count in again.most_common(MOST_LESSONS):
        if count > 1:
            yield f"- {marked(task)} took {counted(count, 'attempt')}: see what its spec left open"
    if summary.estimates.tasks:
        close = f"{summary.estimates.close:,} of {summary.estimates.tasks:,}"
        yield f"- the token estimates of {close} tasks were close"
    if summary.grade.planted:
        yield f"- the validations noticed {summary.grade.noticed:,} of {summary.grade.planted:,} planted faults"
