"""The ledger's report as one page: whole in itself, read without a script, filtered with one, light, dark and on paper.

The files in `page/` are its template, its style and its script. Jinja2 escapes all that a record holds, the script sets
text alone, and the policy in the page's head lets nothing else run or load.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from minitask.ledger.record import money
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
    notes,
    saved,
    signed,
    span_of,
    stated_costs,
)
from minitask.reports.page_charts import day_chart, run_chart, scatter
from minitask.reports.page_tasks import embedded_json, task_rows, tasks_document
from minitask.reports.page_texts import TextBlocks
from minitask.reports.results import dollars
from minitask.words import counted, one_line

if TYPE_CHECKING:
    from markupsafe import Markup

FOLDER = Path(__file__).with_name("page")
STATIC_ROWS = 100
"""Rows of tasks that can be read without a script."""


class Card(Struct, frozen=True):
    """One headline figure; `value` is the exact amount that `--format json` has."""

    name: str
    figure: str
    below: str
    value: object
    tone: str = ""


class Row(Struct, frozen=True):
    """A row of figures: the name, what is shown with its exact value, and the length of its bar in percent."""

    name: str
    cells: tuple[tuple[str, object], ...]
    share: float = 0.0


def render_report_html(report: LedgerReport, *, head: str | None = None) -> str:
    """Return the report as one HTML document; one that is served live names the ledger's `head`, which may be empty."""
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
    """Return the name and picture of each project."""
    from markupsafe import Markup

    tasks = {record.task for record in report.records if not record.is_call}
    return [
        (one_line(graph.project), Markup(render_figure(graph, number=number, linked=tasks)))  # noqa: S704
        for number, graph in enumerate(report.graphs, start=1)
    ]


def _resource(name: str) -> str:
    return FOLDER.joinpath(name).read_text("utf-8")


def _policy(style: str, script: str, *, live: bool) -> str:
    """Return the page's content security policy: its own style and script, and nothing from anywhere."""
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
    """Return what the template shows of the summary."""
    summary = report.summary
    return {
        "empty": not summary.totals.records,
        "cards": list(_cards(summary)),
        "versus": list(_versus(summary.savings)),
        "baseline": baseline(summary.savings),
        "tokens": _tokens(summary.totals),
        "groups": [(title, _rows(groups, summary.totals)) for title, groups in groupings(summary)],
        "days": _days(summary),
        "day_chart": day_chart(summary),
        "failures": _failures(summary.failures_by_gate),
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
    figure = saved(savings) if percent is None else f"{signed(Decimal(str(percent)))} %"
    dollars_saved = saved(savings).partition(" (")[0]
    of = f"{dollars_saved} against {one_line(savings.baseline_model)}"
    yield Card("Saved, estimated", figure, of, money(amount), tone)
    rate = "–" if tries.rate is None else f"{100 * tries.rate:.0f} %"
    proven = f"{tries.proven:,} of {counted(tries.tasks, 'task')}"
    yield Card("Proven at the first try", rate, proven, tries.rate)
    later = f"{counted(summary.repairs, 'repair')}, {counted(summary.escalations, 'escalation')}"
    yield Card("Attempts", f"{totals.attempts:,}", later, totals.attempts)
    yield from _estimate_cards(summary)


def _estimate_cards(summary: Summary) -> Iterator[Card]:
    error, costs = summary.estimates, summary.costs
    if error.tasks:
        share = f"{error.close:,} of {error.tasks:,}"
        yield Card("Estimates that were close", share, estimates(error), error.close)
    if costs.tasks:
        figure = "–" if costs.percent is None else f"{signed(Decimal(str(costs.percent)))} %"
        name = "Cost against the specs' estimates"
        yield Card(name, figure, stated_costs(costs), costs.percent)


def _versus(savings: Savings) -> Iterator[tuple[str, str, str, float]]:
    """Yield what was spent beside what the frontier model would have cost: name, tone, amount, share."""
    if savings.baseline_cost_usd is None or savings.cost_usd is None:
        return
    most = max(savings.baseline_cost_usd, savings.cost_usd)
    for name, amount, tone in (
        ("spent, with every failure", savings.cost_usd, "good"),
        (one_line(savings.baseline_model), savings.baseline_cost_usd, "rest"),
    ):
        yield name, tone, dollars(amount), _share(amount, most)


def _tokens(totals: Tally) -> tuple[int, list[tuple[str, int, float, float, str]]]:
    """Return the sum of all tokens, and of each class: name, count, where its bar begins, its share, its tone."""
    counts = [(name, totals.counts[name] or 0, f"c{index}") for index, name in enumerate(CLASSES)]
    whole = sum(count for _, count, _ in counts)
    at, parts = 0.0, []
    for name, count, tone in counts:
        if count:
            parts.append((name.replace("_", " "), count, at, 100 * count / whole, tone))
            at += 100 * count / whole
    return whole, parts


def _rows(groups: Groups, totals: Tally) -> tuple[list[Row], Row | None]:
    """Return a grouping's rows and their total; bars are of costs, or of tokens where nothing cost anything."""
    by_cost = any(tally.cost_usd for tally in groups.values())
    sizes = [_size(tally, by_cost=by_cost) for tally in groups.values()]
    most = max(sizes, default=Decimal(0))
    rows = [
        Row(one_line(name), _cells(tally), _share(size, most))
        for (name, tally), size in zip(groups.items(), sizes, strict=True)
    ]
    return rows, Row("all", _cells(totals)) if len(rows) > 1 else None


def _size(tally: Tally, *, by_cost: bool) -> Decimal:
    if by_cost:
        return tally.cost_usd or Decimal(0)
    counts = tally.counts
    return Decimal((counts["input_tokens"] or 0) + (counts["output_tokens"] or 0))


def _cells(tally: Tally) -> tuple[tuple[str, object], ...]:
    names = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")
    counts = (tally.attempts, tally.tasks, *(tally.counts[name] for name in names))
    shown = tuple(("unknown" if count is None else f"{count:,}", count) for count in counts)
    return (*shown, (cost(tally), money(tally.cost_usd)))


def _days(summary: Summary) -> list[Row]:
    """Return what each day took, cost and saved."""
    rows = []
    baselines = summary.savings.baseline_by_day
    for day in sorted({*summary.by_day, *baselines}):
        total, once = summary.by_day.get(day), baselines.get(day, Decimal(0))
        spent = (total.cost_usd if total else None) or Decimal(0)
        difference = EXACT.subtract(once, spent)
        sign = "-" if difference < 0 else ""
        cells = (
            (f"{total.attempts:,}", total.attempts) if total else ("0", 0),
            (
                cost(total) if total else dollars(Decimal(0)),
                money(total.cost_usd if total else spent),
            ),
            (dollars(once), money(once)),
            (f"{sign}{dollars(abs(difference))}", money(difference)),
        )
        rows.append(Row(one_line(day), cells))
    return rows


def _failures(failures: Mapping[str, int]) -> list[Row]:
    most = max(failures.values(), default=1)
    return [
        Row(one_line(gate), ((f"{count:,}", count),), 100 * count / most)
        for gate, count in failures.items()
    ]


def _share(part: Decimal, whole: Decimal) -> float:
    """Return a part in percent, enough to be seen where it is not nothing."""
    return max(float(100 * part / whole), 0.6) if part and whole else 0.0
