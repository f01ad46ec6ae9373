"""The output of `report`: sums over all attempts as JSON, and as tables for a terminal, for Markdown and for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from minitask.ledger.accuracy import CLOSE, CostError, EstimateError
from minitask.ledger.evidence import Grade
from minitask.ledger.record import CLASSIFY, MESSAGE, PLAN, REVIEW, Record, money
from minitask.ledger.savings import CLASSES, USAGE, Savings, Tally
from minitask.ledger.summary import Groups, Summary
from minitask.reports.results import dollars, known_dollars, percent
from minitask.reports.text_tables import aligned
from minitask.words import counted, one_line

if TYPE_CHECKING:
    from minitask.engine.task_records import AttemptTexts, Key
    from minitask.project.task_graph import TaskGraph

HEADINGS = ("attempts", "tasks", "requests", "input", "cached", "output", "cost")
NOTHING = "no attempts recorded yet: run `minitask exec` or `minitask run`"
PHASES = {PLAN: "planning", CLASSIFY: "classification", REVIEW: "reviews", MESSAGE: "messages"}
MARKUP = str.maketrans({char: f"\\{char}" for char in r"\|`*_<>[]"})


class LedgerReport(Struct, frozen=True):
    """A summary, and what it is of: records since a time (empty: all), of a project (empty: all).

    `by` is the only grouping to show; empty: all. `states` are of tasks whose landing or undo is on their target.
    `texts` are of the newest records, `graphs` of the projects worked on last; both are there for the page alone.
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
    """Rows of cells, the first one a name; `total` is the last row where the others add up to it."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: tuple[str, ...] = ()


def report_document(report: LedgerReport) -> dict[str, Any]:
    """Return the report as JSON."""
    summary = report.summary
    return {
        "totals": _tally_document(summary.totals),
        **{f"by_{name}": _groups_document(groups_of(summary)) for name, groups_of in BY.items()},
        "savings": _savings_document(summary.savings),
        "first_try_rate": summary.first_tries.rate,
        "first_tries": {"tasks": summary.first_tries.tasks, "proven": summary.first_tries.proven},
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
    rows = facts(report)
    width = max((len(name) for name, _ in rows), default=0)
    lines += ["", *(f"  {name:{width}}  {text}" for name, text in rows)] if rows else []
    for table in tables(report):
        lines += ["", *_aligned(table)]
    note_lines = [f"note: {note}" for note in notes(report)]
    return "\n".join([*lines, *([""] if note_lines else []), *note_lines]) + "\n"


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
    """Return what the report is of."""
    project = f" for {one_line(report.project)}" if report.project else ""
    return f"minitask report{project}"


def span_of(report: LedgerReport) -> str:
    """Return how much it holds, and from when."""
    if not (days := days_of(report)):
        return f"no attempts since {one_line(report.since)[:10]}" if report.since else NOTHING
    span = f"from {days[0]} to {days[1]}" if days[1:] else f"on {days[0]}"
    attempts = counted(report.summary.totals.attempts, "attempt")
    return f"{attempts} at {counted(report.summary.totals.tasks, 'task')}, {span}"


def days_of(report: LedgerReport) -> tuple[str, ...]:
    """Return the days of the first and the last attempt; one where they are the same, none without any."""
    moments = (report.summary.first_at, report.summary.last_at)
    return tuple(dict.fromkeys(one_line(moment)[:10] for moment in moments if moment is not None))


def facts(report: LedgerReport) -> tuple[tuple[str, str], ...]:
    """Return the few things that a reader wants to know first; nothing if there are no records."""
    summary = report.summary
    if not summary.totals.records:
        return ()
    tries = summary.first_tries
    first = "no tasks were attempted"
    if tries.rate is not None:
        rate = f"{100 * tries.rate:.0f} %"
        first = f"{tries.proven:,} of {counted(tries.tasks, 'task')} proven ({rate})"
    later = f"{counted(summary.repairs, 'repair')}, {counted(summary.escalations, 'escalation')}"
    return (
        ("spent", cost(summary.totals)),
        ("baseline", baseline(summary.savings)),
        ("saved", saved(summary.savings)),
        ("first try", first),
        ("later tries", later),
        ("outages", f"{summary.outages:,} (provider or program failures, not counted as tries)"),
        *((("subscription", windows(summary)),) if summary.windows else ()),
        *((("checks", graded(summary.grade)),) if summary.grade.planted else ()),
        *((("estimates", estimates(summary.estimates)),) if summary.estimates.tasks else ()),
        *((("estimated cost", stated_costs(summary.costs)),) if summary.costs.tasks else ()),
    )


def windows(summary: Summary) -> str:
    """Return how many windows of a subscription were used, and how often its limit was reached."""
    reached = counted(summary.limits_reached, "time")
    return f"{counted(summary.windows, 'window')} of five hours; a limit was reached {reached}"


def graded(grade: Grade) -> str:
    """Return how well the validations noticed faults planted in the changes that they proved."""
    share = f"{grade.percent:.0f} %"
    return f"notice {grade.noticed:,} of {counted(grade.planted, 'planted fault')} ({share})"


def tables(report: LedgerReport) -> Iterator[Table]:
    """Yield the groups, and the failures; nothing if there is nothing to show."""
    summary = report.summary
    shown = groupings(summary)
    if report.by:
        shown = ((f"By {report.by}", BY[report.by](summary)),)
    for title, groups in shown:
        rows = tuple((one_line(name), *_cells(tally)) for name, tally in groups.items())
        if rows:
            yield Table(title, HEADINGS, rows, ("all", *_cells(summary.totals)) if rows[1:] else ())
    failures = tuple(
        (one_line(gate), f"{count:,}") for gate, count in summary.failures_by_gate.items()
    )
    if failures and not report.by:
        yield Table("Failures by gate", ("failures",), failures)


BY: Mapping[str, Callable[[Summary], Groups]] = MappingProxyType(
    {
        "tier": lambda summary: summary.by_tier,
        "model": lambda summary: summary.by_model,
        "phase": lambda summary: summary.by_phase,
        "project": lambda summary: summary.by_project,
        "day": lambda summary: summary.by_day,
    }
)
"""What a report can be grouped by."""


def groupings(summary: Summary) -> tuple[tuple[str, Groups], ...]:
    """Return every grouping with its title; phases only where there is more than one."""
    phases = (("By phase", summary.by_phase),) if len(summary.by_phase) > 1 else ()
    return (
        ("By tier", summary.by_tier),
        ("By model", summary.by_model),
        *phases,
        ("By project", summary.by_project),
    )


def notes(report: LedgerReport) -> Iterator[str]:
    """Yield what the figures leave out."""
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
    """Return what is known to have been spent, and how many have no price."""
    return known_dollars(tally.cost_usd, tally.unpriced)


def baseline(savings: Savings) -> str:
    """Return what the frontier model would have cost."""
    model = one_line(savings.baseline_model)
    if not savings.tasks and not savings.left_out:
        return "none: no task is proven yet"
    if savings.baseline_cost_usd is None:
        return f"unknown: {model} has no known price"
    once = f"{model} once for each of {counted(savings.tasks, 'proven task')}"
    besides = f", and {shared(savings)}" if savings.shared_phases else ""
    return f"about {dollars(savings.baseline_cost_usd)}, estimated: {once}{besides}"


def shared(savings: Savings) -> str:
    """Return what counts the same on both sides: in what was spent, and in the baseline."""
    phases = ", ".join(PHASES[phase] for phase in savings.shared_phases)
    return f"{phases} as spent ({dollars(savings.shared_usd)})"


def stated_costs(error: CostError) -> str:
    """Return what specs cost beside the **Estimated Cost** that they state."""
    share = f" ({percent(error.percent)})" if error.percent is not None else ""
    sums = f"{dollars(error.actual_usd)} spent of {dollars(error.stated_usd)} stated{share}"
    return f"{sums} by {counted(error.tasks, 'proven spec')}, {error.over:,} of them above"


def saved(savings: Savings) -> str:
    """Return what was saved, or spent on top."""
    amount, percent = savings.saved_usd, savings.saved_percent
    if amount is None:
        return "unknown"
    share = "" if percent is None else f" ({signed(Decimal(str(percent)))} %)"
    return f"{'-' if amount < 0 else ''}{dollars(abs(amount))}{share}"


def estimates(error: EstimateError) -> str:
    """Return how far calls were off what was expected of them, and whether or how many of them came close."""
    sides = (("input", error.input_percent), ("output", error.output_percent))
    off = [f"{side} {percent(share)}" for side, share in sides if share is not None]
    count = (
        f"{error.close:,} of {error.tasks:,} " if error.tasks > 1 else "not " * (not error.close)
    )
    return ", ".join([*off, f"{count}within {100 * CLOSE:.0f} %"])


def signed(number: Decimal) -> str:
    """Return a number to a tenth, with thousands apart."""
    return f"{number:,.1f}"


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


def _groups_document(groups: Groups) -> dict[str, Any]:
    return {name: _tally_document(tally) for name, tally in groups.items()}


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
    counts = map(tally.counts.__getitem__, USAGE)
    shown = ("unknown" if count is None else f"{count:,}" for count in counts)
    return (f"{tally.attempts:,}", f"{tally.tasks:,}", *shown, cost(tally))


def _aligned(table: Table) -> list[str]:
    return aligned(
        [(table.title, *table.headings), *table.rows, *([table.total] if table.total else [])]
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def marked(text: str) -> str:
    """Return the text on one line, with nothing in it that Markdown or a terminal would take for its own."""
    return one_line(text).translate(MARKUP)
