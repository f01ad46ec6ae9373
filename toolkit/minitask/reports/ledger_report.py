"""The output of `report`: totals of all attempts as JSON, and as tables in text and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from minitask.ledger.accuracy import CLOSE, CostError, EstimateError
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, REVIEW, USAGE, Record, money
from minitask.ledger.savings import CLASSES, Savings, Tally
from minitask.ledger.summary import Groups, Summary
from minitask.reports.results import dollars, known_dollars, percent
from minitask.words import aligned, counted, one_line

if TYPE_CHECKING:
    from minitask.engine.task_records import AttemptTexts, Key
    from minitask.project.task_graph import TaskGraph

HEADINGS = ("attempts", "tasks", "requests", "input", "cached", "output", "cost")
NOTHING = "no attempts recorded yet: run `minitask exec` or `minitask run`"
PHASES = {PLAN: "planning", CLASSIFY: "classification", REVIEW: "reviews", MESSAGE: "messages"}
MARKUP = str.maketrans({char: f"\\{char}" for char in r"\|`*_<>[]"})


class LedgerReport(Struct, frozen=True):
    """A summary of the records of a project and since a time ("": of all).

    `by` is the only grouping to show ("": all). `states` are those of tasks whose landing or undo is on their target.
    `texts` belong to the newest records, `graphs` to the latest projects; only the page shows them.
    """

    summary: Summary
    damaged: int = 0
    future: int = 0
    since: str = ""
    project: str = ""
    by: str = ""
    records: tuple[Record, ...] = ()
    states: Mapping[str, str] = {}
    texts: Mapping[Key, AttemptTexts] = {}
    graphs: tuple[TaskGraph, ...] = ()


class Table(Struct, frozen=True):
    """Rows of cells, of which the first is a name; `total` is the sum of the rows, empty if they do not add up."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()


def report_document(report: LedgerReport) -> dict[str, Any]:
    """Return the report as JSON."""
    summary = report.summary
    return {
        "totals": _tally_document(summary.totals),
        **{
            f"by_{by}": {name: _tally_document(tally) for name, tally in groups_of(summary).items()}
            for by, groups_of in BY.items()
        },
        "savings": _savings_document(summary.savings),
        "first_try_rate": summary.first_tries.rate,
        "first_tries": to_builtins(summary.first_tries),
        "grade": {"planted": summary.grade.planted, "noticed": summary.grade.noticed},
        "failures_by_gate": dict(summary.failures_by_gate),
        "escalations": summary.escalations,
        "outages": summary.outages,
        "repairs": summary.repairs,
        "subscription": {"windows": summary.windows, "limits_reached": summary.limits_reached},
        "estimate_error": {
            "tasks": summary.estimates.tasks,
            "input_percent": summary.estimates.input_percent,
            "output_percent": summary.estimates.output_percent,
            "within_20_percent": summary.estimates.close,
        },
        "estimated_cost": {
            "tasks": summary.costs.tasks,
            "estimated_usd": money(summary.costs.stated_usd),
            "actual_usd": money(summary.costs.actual_usd),
            "percent": summary.costs.percent,
            "over": summary.costs.over,
        },
        "damaged": report.damaged,
        "future": report.future,
        "project": report.project or None,
        "period": {
            "since": report.since or None,
            "first": summary.first_at,
            "last": summary.last_at,
        },
    }


def render_report_text(report: LedgerReport) -> str:
    """Return the report for a terminal."""
    lines = [f"{heading_of(report)}: {span_of(report)}"]
    rows = list(facts(report))
    width = max((len(name) for name, _ in rows), default=0)
    lines += ["", *(f"  {name:{width}}  {text}" for name, text in rows)] if rows else []
    for table in tables(report):
        total = [table.total] if table.total else []
        lines += ["", *aligned([(table.title, *table.headings), *table.rows, *total])]
    note_lines = [f"note: {note}" for note in notes(report)]
    lines += ["", *note_lines] if note_lines else []
    return "\n".join(lines) + "\n"


def render_report_markdown(report: LedgerReport) -> str:
    """Return the report as Markdown."""
    lines = [f"# {marked(heading_of(report))}", "", marked(span_of(report)), ""]
    lines += [f"- **{name}**: {marked(text)}" for name, text in facts(report)]
    for table in tables(report):
        lines += ["", f"## {table.title}", "", _row(("", *table.headings))]
        lines.append(_row(("---", *("---:" for _ in table.headings))))
        lines += [_row([marked(cell) for cell in row]) for row in table.rows]
        if table.total:
            lines.append(_row([f"**{marked(cell)}**" for cell in table.total]))
    return "\n".join([*lines, *(f"\n{marked(note)}" for note in notes(report))]) + "\n"


def heading_of(report: LedgerReport) -> str:
    """Return the title of the report."""
    project = f" for {one_line(report.project)}" if report.project else ""
    return f"minitask report{project}"


def span_of(report: LedgerReport) -> str:
    """Return the number of attempts and tasks, and their days."""
    if not (days := days_of(report)):
        return f"no attempts since {one_line(report.since)[:10]}" if report.since else NOTHING
    span = f"from {days[0]} to {days[1]}" if days[1:] else f"on {days[0]}"
    attempts = counted(report.summary.totals.attempts, "attempt")
    return f"{attempts} at {counted(report.summary.totals.tasks, 'task')}, {span}"


def days_of(report: LedgerReport) -> tuple[str, ...]:
    """Return the days of the first and last attempt, once if they are the same; empty without attempts."""
    moments = (report.summary.first_at, report.summary.last_at)
    return tuple(dict.fromkeys(one_line(moment)[:10] for moment in moments if moment is not None))


def facts(report: LedgerReport) -> Iterator[tuple[str, str]]:
    """Yield the most important figures with their names; nothing without records."""
    summary = report.summary
    tries, grade = summary.first_tries, summary.grade
    if not summary.totals.records:
        return
    yield "spent", cost(summary.totals)
    yield "baseline", baseline(summary.savings)
    yield "saved", saved(summary.savings)
    first = "no tasks were attempted"
    if tries.rate is not None:
        rate = f"{100 * tries.rate:.0f} %"
        first = f"{tries.proven:,} of {counted(tries.tasks, 'task')} proven ({rate})"
    yield "first try", first
    yield "later tries", later_tries(summary)
    yield "outages", f"{summary.outages:,} (provider or program failures, not counted as tries)"
    if summary.windows:
        reached = f"a limit was reached {counted(summary.limits_reached, 'time')}"
        yield "subscription", f"{counted(summary.windows, 'window')} of five hours; {reached}"
    if grade.planted:
        planted = f"{counted(grade.planted, 'planted fault')} ({grade.percent:.0f} %)"
        yield "checks", f"notice {grade.noticed:,} of {planted}"
    if summary.estimates.tasks:
        yield "estimates", estimates(summary.estimates)
    if summary.costs.tasks:
        yield "estimated cost", stated_costs(summary.costs)


def later_tries(summary: Summary) -> str:
    """Return the numbers of repairs and escalations."""
    return f"{counted(summary.repairs, 'repair')}, {counted(summary.escalations, 'escalation')}"


def tables(report: LedgerReport) -> Iterator[Table]:
    """Yield the groupings and the failures as tables."""
    summary = report.summary
    by = report.by
    for title, groups in [(f"By {by}", BY[by](summary))] if by else groupings(summary):
        rows = tuple((one_line(name), *_cells(tally)) for name, tally in groups.items())
        if rows:
            yield Table(title, HEADINGS, rows, ("all", *_cells(summary.totals)) if rows[1:] else ())
    failures = tuple(
        (one_line(gate), f"{count:,}") for gate, count in summary.failures_by_gate.items()
    )
    if failures and not by:
        yield Table("Failures by gate", ("failures",), failures)


BY: Mapping[str, Callable[[Summary], Groups]] = {
    name: attrgetter(f"by_{name}") for name in ("tier", "model", "phase", "project", "day")
}
"""Groupings of a report."""


def groupings(summary: Summary) -> Iterator[tuple[str, Groups]]:
    """Yield the groupings to show with their titles; phases only if there are several."""
    yield "By tier", summary.by_tier
    yield "By model", summary.by_model
    if len(summary.by_phase) > 1:
        yield "By phase", summary.by_phase
    yield "By project", summary.by_project


def notes(report: LedgerReport) -> Iterator[str]:
    """Yield notes on what the figures leave out."""
    totals, savings = report.summary.totals, report.summary.savings
    if totals.unpriced:
        yield f"{counted(totals.unpriced, 'attempt')} without a known price, left out of the sums"
    if totals.uncounted:
        yield f"{counted(totals.uncounted, 'attempt')} with incomplete token counts"
    if savings.left_out:
        excluded = counted(savings.left_out, "proven task")
        yield f"{excluded} not in the baseline, for want of a price: what is known of the cost counts"
    if report.damaged:
        yield f"{counted(report.damaged, 'damaged record')} skipped"
    if report.future:
        yield f"{counted(report.future, 'record')} of a later format skipped; a newer minitask reads them"


def cost(tally: Tally) -> str:
    """Return the known costs, and the number of attempts without a price."""
    return known_dollars(tally.cost_usd, tally.unpriced)


def baseline(savings: Savings) -> str:
    """Return the estimated cost with the frontier model, and its parts."""
    model = one_line(savings.baseline_model)
    if not savings.tasks and not savings.left_out:
        return "none: no task is proven yet"
    if savings.baseline_cost_usd is None:
        return f"unknown: {model}, or an attempt at each proven task, has no known cost"
    once = f"{model} once for each of {counted(savings.tasks, 'proven task')}"
    if savings.shared_phases:
        phases = ", ".join(PHASES[phase] for phase in savings.shared_phases)
        once += f", and {phases} as spent ({dollars(savings.shared_usd)})"
    return f"about {dollars(savings.baseline_cost_usd)}, estimated: {once}"


def stated_costs(error: CostError) -> str:
    """Return the actual costs of specs against their stated **Estimated Cost**."""
    share = f" ({percent(error.percent)})" if error.percent is not None else ""
    sums = f"{dollars(error.actual_usd)} spent of {dollars(error.stated_usd)} stated{share}"
    return f"{sums} by {counted(error.tasks, 'proven spec')}, {error.over:,} of them above"


def saved(savings: Savings) -> str:
    """Return the savings in dollars and percent; negative if more was spent."""
    if savings.saved_usd is None:
        return "unknown"
    share = savings.saved_percent
    return signed_dollars(savings.saved_usd) + ("" if share is None else f" ({tenths(share)})")


def signed_dollars(amount: Decimal) -> str:
    """Return US dollars, with a sign if negative."""
    return f"{'-' if amount < 0 else ''}{dollars(abs(amount))}"


def tenths(share: float) -> str:
    """Return a percentage to a tenth, with thousands separators."""
    return f"{Decimal(str(share)):,.1f} %"


def estimates(error: EstimateError) -> str:
    """Return the errors of token estimates, and how many estimates were close."""
    sides = (("input", error.input_percent), ("output", error.output_percent))
    off = [f"{side} {percent(share)}" for side, share in sides if share is not None]
    close = f"{error.close:,} of {error.tasks:,} "
    if error.tasks == 1:
        close = "" if error.close else "not "
    return ", ".join([*off, f"{close}within {100 * CLOSE:.0f} %"])


def _tally_document(tally: Tally) -> dict[str, Any]:
    return {
        "records": tally.records,
        "attempts": tally.attempts,
        "tasks": tally.tasks,
        **{name: tally.counts[name] for name in USAGE},
        "tokens": {name: tally.counts[name] for name in CLASSES},
        "cost_usd": money(tally.cost_usd),
        "unpriced": tally.unpriced,
        "uncounted": tally.uncounted,
        "seconds": round(tally.seconds, 3),
    }


def _savings_document(savings: Savings) -> dict[str, Any]:
    return {
        "baseline_model": savings.baseline_model,
        "baseline_cost_usd": money(savings.baseline_cost_usd),
        "cost_usd": money(savings.cost_usd),
        "saved_usd": money(savings.saved_usd),
        "saved_percent": savings.saved_percent,
        "tasks": savings.tasks,
        "left_out": savings.left_out,
        "shared_usd": money(savings.shared_usd),
        "shared_phases": list(savings.shared_phases),
        "baseline_by_day": {day: money(amount) for day, amount in savings.baseline_by_day.items()},
        "is_estimate": True,
    }


def _cells(tally: Tally) -> tuple[str, ...]:
    shown = ("unknown" if (n := tally.counts[name]) is None else f"{n:,}" for name in USAGE)
    return (f"{tally.attempts:,}", f"{tally.tasks:,}", *shown, cost(tally))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def marked(text: str) -> str:
    """Return the text on one line, with Markdown syntax escaped."""
    return one_line(text).translate(MARKUP)
