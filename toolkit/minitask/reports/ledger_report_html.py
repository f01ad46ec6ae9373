"""The ledger's report as one self-contained HTML page, readable without its script.

The files in `page/` are its template, style and script. Jinja2 escapes the text of records, the script only sets text,
and the content security policy in the page's head lets nothing else run or load.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from minitask.ledger.record import USAGE, money
from minitask.ledger.savings import CLASSES, EXACT, Savings, Tally
from minitask.ledger.summary import Groups, Summary
from minitask.reports.graph_svg import graph_style, render_figure
from minitask.reports.ledger_report import (
    LedgerReport,
    baseline,
    cost,
    estimates,
    groupings,
    heading_of,
    later_tries,
    notes,
    saved,
    signed_dollars,
    span_of,
    stated_costs,
    tenths,
)
from minitask.reports.page_data import (
    TextBlocks,
    day_chart,
    embedded_json,
    run_chart,
    scatter,
    task_rows,
    tasks_document,
)
from minitask.reports.results import dollars
from minitask.words import counted, one_line

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).with_name("page")
STATIC_ROWS = 100
"""Rows of tasks that are readable without a script."""


class Card(Struct, frozen=True):
    """One headline figure; `value` is the exact amount, as in `--format json`."""

    name: str
    figure: str
    below: str
    value: object
    tone: str = ""


class Row(Struct, frozen=True):
    """A row of figures: its name, its cells with their exact values, and the length of its bar in percent."""

    name: str
    cells: tuple[tuple[str, object], ...]
    share: float = 0.0


def render_report_html(report: LedgerReport, *, head: str | None = None) -> str:
    """Return the report as one HTML document; a live page includes the ledger's `head`, which may be ""."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, script = f"{graph_style()}\n{_resource('page.css')}", _resource("page.js")
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = task_rows(report.records, report.states)
    blocks = TextBlocks(report.texts)
    tasks = tasks_document(rows, blocks)
    return environment.get_template(
        "page.html"
    ).render(
        policy=_policy(style, script, live=head is not None),
        style=Markup(style),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        head=head,
        data=Markup(embedded_json(tasks)),  # noqa: S704 - it cannot end its element
        texts=Markup(embedded_json(blocks.packed())),  # noqa: S704
        heading=heading_of(report),
        span=span_of(report),
        notes=list(notes(report)),
        rows=rows[:STATIC_ROWS],
        tasks=counted(len(rows), "task"),
        graphs=_graphs(report),
        **_figures(report),
    )


def _graphs(report: LedgerReport) -> list[tuple[str, Markup]]:
    """Return the name and image of each project's graph."""
    from markupsafe import Markup

    tasks = {record.task for record in report.records if not record.is_call}
    return [
        (one_line(graph.project), Markup(render_figure(graph, number=number, linked=tasks)))  # noqa: S704
        for number, graph in enumerate(report.graphs, start=1)
    ]


def _resource(name: str) -> str:
    return FOLDER.joinpath(name).read_text("utf-8")


def _policy(style: str, script: str, *, live: bool) -> str:
    """Return the page's content security policy: only its own style and script."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    rules = (
        "default-src 'none'",
        f"style-src 'sha256-{style_hash}'",
        f"script-src 'sha256-{script_hash}'",
        "img-src data:",
        *(("connect-src 'self'",) if live else ()),
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def _figures(report: LedgerReport) -> Mapping[str, Any]:
    """Return the figures for the template."""
    summary = report.summary
    failures = summary.failures_by_gate
    most = max(failures.values(), default=1)
    return {
        "empty": not summary.totals.records,
        "cards": list(_cards(summary)),
        "versus": list(_versus(summary.savings)),
        "baseline": baseline(summary.savings),
        "tokens": _tokens(summary.totals),
        "groups": [(title, _rows(groups, summary.totals)) for title, groups in groupings(summary)],
        "days": _days(summary),
        "day_chart": day_chart(summary),
        "failures": [
            Row(one_line(gate), ((f"{count:,}", count),), 100 * count / most)
            for gate, count in failures.items()
        ],
        "scatter": scatter(report.records),
        "estimates": estimates(summary.estimates),
        "run": run_chart(report.records),
    }


def _cards(summary: Summary) -> Iterator[Card]:
    totals, savings, tries = summary.totals, summary.savings, summary.first_tries
    requests = totals.counts["requests"] or 0
    spent = f"for {counted(requests, 'request')}"
    if totals.unpriced:
        spent = f"besides {counted(totals.unpriced, 'unpriced attempt')}"
    yield Card("Spent", dollars(totals.cost_usd), spent, money(totals.cost_usd))
    amount, percent = savings.saved_usd, savings.saved_percent
    tone = "" if amount is None else "bad" if amount < 0 else "good"
    figure = saved(savings) if percent is None else tenths(percent)
    dollars_saved = "unknown" if amount is None else signed_dollars(amount)
    of = f"{dollars_saved} against {one_line(savings.baseline_model)}"
    yield Card("Saved, estimated", figure, of, money(amount), tone)
    rate = "–" if tries.rate is None else f"{100 * tries.rate:.0f} %"
    proven = f"{tries.proven:,} of {counted(tries.tasks, 'task')}"
    yield Card("Proven at the first try", rate, proven, tries.rate)
    yield Card("Attempts", f"{totals.attempts:,}", later_tries(summary), totals.attempts)
    error, costs = summary.estimates, summary.costs
    if error.tasks:
        share = f"{error.close:,} of {error.tasks:,}"
        yield Card("Estimates that were close", share, estimates(error), error.close)
    if costs.tasks:
        figure = "–" if costs.percent is None else tenths(costs.percent)
        name = "Cost against the specs' estimates"
        yield Card(name, figure, stated_costs(costs), costs.percent)


def _versus(savings: Savings) -> Iterator[tuple[str, str, str, float]]:
    """Yield the name, tone, amount and share of the spending, and of the baseline."""
    if savings.baseline_cost_usd is None or savings.cost_usd is None:
        return
    most = max(savings.baseline_cost_usd, savings.cost_usd)
    bars = ("spent, with every failure", "good", savings.cost_usd)
    baseline_bar = (one_line(savings.baseline_model), "rest", savings.baseline_cost_usd)
    for name, tone, amount in (bars, baseline_bar):
        yield name, tone, dollars(amount), _share(amount, most)


def _tokens(totals: Tally) -> tuple[int, list[tuple[str, int, float, float, str]]]:
    """Return the number of tokens, and for each class its name, count, start of its bar, share and tone."""
    counts = [(name, totals.counts[name] or 0, f"c{index}") for index, name in enumerate(CLASSES)]
    whole = sum(count for _, count, _ in counts)
    at, parts = 0.0, []
    for name, count, tone in counts:
        if count:
            parts.append((name.replace("_", " "), count, at, 100 * count / whole, tone))
            at += 100 * count / whole
    return whole, parts


def _rows(groups: Groups, totals: Tally) -> tuple[list[Row], Row | None]:
    """Return a grouping's rows and their total; bars show costs, or tokens if all costs are 0."""
    costs = [tally.cost_usd or Decimal(0) for tally in groups.values()]
    tokens = [
        Decimal((tally.counts["input_tokens"] or 0) + (tally.counts["output_tokens"] or 0))
        for tally in groups.values()
    ]
    sizes = costs if any(costs) else tokens
    most = max(sizes, default=Decimal(0))
    rows = [
        Row(one_line(name), _cells(tally), _share(size, most))
        for (name, tally), size in zip(groups.items(), sizes, strict=True)
    ]
    return rows, Row("all", _cells(totals)) if len(rows) > 1 else None


def _cells(tally: Tally) -> tuple[tuple[str, object], ...]:
    counts = (tally.attempts, tally.tasks, *(tally.counts[name] for name in USAGE))
    shown = tuple(("unknown" if count is None else f"{count:,}", count) for count in counts)
    return (*shown, (cost(tally), money(tally.cost_usd)))


def _days(summary: Summary) -> list[Row]:
    """Return the attempts, cost, baseline and savings of each day."""
    rows = []
    baselines = summary.savings.baseline_by_day
    for day in sorted({*summary.by_day, *baselines}):
        total, once = summary.by_day.get(day), baselines.get(day, Decimal(0))
        spent = (total.cost_usd if total else None) or Decimal(0)
        difference = EXACT.subtract(once, spent)
        attempts = total.attempts if total else 0
        cells = (
            (f"{attempts:,}", attempts),
            (cost(total), money(total.cost_usd)) if total else (dollars(spent), money(spent)),
            (dollars(once), money(once)),
            (signed_dollars(difference), money(difference)),
        )
        rows.append(Row(one_line(day), cells))
    return rows


def _share(part: Decimal, whole: Decimal) -> float:
    """Return a part in percent, at least 0.6 to be visible, unless it is 0."""
    return max(float(100 * part / whole), 0.6) if part and whole else 0.0
