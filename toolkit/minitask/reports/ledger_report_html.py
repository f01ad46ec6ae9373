"""The ledger's report as one page: no script, nothing from elsewhere, light and dark as the reader has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from html import escape

from minitask.ledger.savings import CLASSES, Savings, Tally
from minitask.ledger.summary import Groups, Summary
from minitask.reports.ledger_report import (
    HEADINGS,
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
from minitask.reports.results import dollars
from minitask.words import counted, one_line

STYLE = """\
:root { color-scheme: light dark; --paper: #f6f7f9; --card: #fff; --ink: #1b1f24; --soft: #626c78; --line: #dfe3e8;
  --good: #1a7f5a; --bad: #c4432b; --bar: #3f6fd8; --rest: #b6bec9;
  --c0: #3f6fd8; --c1: #7fb4f5; --c2: #8a63d2; --c3: #b79ae8; --c4: #a3adba; --c5: #1a7f5a; --c6: #d9a03a; }
@media (prefers-color-scheme: dark) { :root { --paper: #0f1318; --card: #181e25; --ink: #e8ecf1; --soft: #98a3b0;
  --line: #2a323c; --good: #4cc38a; --bad: #f0836b; --bar: #6d97f2; --rest: #4a5562;
  --c0: #6d97f2; --c1: #3d6aa8; --c2: #a988ec; --c3: #6f55a8; --c4: #66717e; --c5: #4cc38a; --c6: #e0b050; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 15px; margin: 0 0 12px; }
p { margin: 0; } .soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 14px; margin: 26px 0 14px; }
section, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; }
section { margin: 14px 0; overflow-x: auto; }
.card .soft { font-size: 13px; } .figure { font-size: 30px; font-weight: 650; line-height: 1.25; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 0 7px 18px; text-align: right; white-space: nowrap; border-top: 1px solid var(--line); }
thead th { border: 0; color: var(--soft); font-weight: 500; font-size: 13px; padding-top: 0; }
th:first-child { text-align: left; padding-left: 0; font-weight: 550; max-width: 260px; overflow: hidden;
  text-overflow: ellipsis; }
td.bar { width: 24%; min-width: 90px; } tfoot th, tfoot td { border-top: 2px solid var(--line); font-weight: 600; }
svg { display: block; width: 100%; height: 12px; border-radius: 4px; background: var(--line); }
.versus { display: grid; grid-template-columns: max-content 1fr max-content; gap: 10px 16px; align-items: center; }
.key { display: flex; flex-wrap: wrap; gap: 4px 20px; margin-top: 12px; font-size: 13px; }
.key svg { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 7px; }
ul { margin: 18px 0 0; padding-left: 20px; color: var(--soft); font-size: 13px; }
@media print { body { background: none; } section, .card { break-inside: avoid; } }
"""


def render_report_html(report: LedgerReport) -> str:
    """Return the report as one HTML document."""
    heading, span = heading_of(report), span_of(report)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{escape(heading)}</title>",
        f"<style>{STYLE}</style></head><body><main>",
        f'<h1>{escape(heading)}</h1><p class="soft">{escape(span)}</p>',
        *(_body(report.summary) if report.summary.totals.records else ()),
        *_notes(report),
        "</main></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _body(summary: Summary) -> Iterator[str]:
    yield f'<div class="cards">{"".join(_cards(summary))}</div>'
    yield from _versus(summary.savings)
    yield from _tokens(summary.totals)
    for title, groups in groupings(summary):
        yield from _group(title, groups, summary.totals)
    yield from _failures(summary.failures_by_gate)


def _cards(summary: Summary) -> Iterator[str]:
    totals, savings, tries = summary.totals, summary.savings, summary.first_tries
    unpriced = f"besides {counted(totals.unpriced, 'unpriced attempt')}"
    requests = totals.counts["requests"] or 0
    spent = unpriced if totals.unpriced else f"for {counted(requests, 'request')}"
    yield _card("Spent", dollars(totals.cost_usd), spent)
    amount, percent = savings.saved_usd, savings.saved_percent
    tone = "" if amount is None else "bad" if amount < 0 else "good"
    figure = saved(savings) if percent is None else f"{signed(Decimal(str(percent)))} %"
    dollars_saved = saved(savings).partition(" (")[0]
    of = f"{dollars_saved} against {one_line(savings.baseline_model)}"
    yield _card("Saved, estimated", figure, of, tone=tone)
    rate = "–" if tries.rate is None else f"{100 * tries.rate:.0f} %"
    yield _card(
        "Proven at the first try", rate, f"{tries.proven} of {counted(tries.tasks, 'task')}"
    )
    later = f"{counted(summary.repairs, 'repair')}, {counted(summary.escalations, 'escalation')}"
    yield _card("Attempts", f"{totals.attempts:,}", later)
    estimate_error = summary.estimates
    if estimate_error.tasks:
        yield _card(
            "Estimates",
            f"{100 * estimate_error.close / estimate_error.tasks:.0f} %",
            estimates(estimate_error),
        )
    costs = summary.costs
    if costs.tasks:
        figure = "–" if costs.percent is None else f"{signed(Decimal(str(costs.percent)))} %"
        yield _card("Cost against the specs' estimates", figure, stated_costs(costs))


def _card(name: str, figure: str, below: str, *, tone: str = "") -> str:
    lines = (
        f'<p class="soft">{escape(name)}</p>',
        f'<p class="figure {tone}">{escape(figure)}</p>',
    )
    return f'<div class="card">{"".join(lines)}<p class="soft">{escape(below)}</p></div>'


def _versus(savings: Savings) -> Iterator[str]:
    """Yield what was spent beside what the frontier model would have cost."""
    if savings.baseline_cost_usd is None or savings.cost_usd is None:
        return
    most = max(savings.baseline_cost_usd, savings.cost_usd)
    yield '<section><h2>Against the frontier model, asked once</h2><div class="versus">'
    for name, amount, tone in (
        ("spent, with every failure", savings.cost_usd, "--good"),
        (one_line(savings.baseline_model), savings.baseline_cost_usd, "--rest"),
    ):
        bar = _bar([(_share(amount, most), tone)], dollars(amount))
        yield f"<span>{escape(name)}</span>{bar}<span>{escape(dollars(amount))}</span>"
    yield f'</div><p class="soft" style="margin-top:12px">{escape(baseline(savings))}</p></section>'


def _tokens(totals: Tally) -> Iterator[str]:
    """Yield all tokens in one bar, by their class."""
    classes = [
        (name, totals.counts[name] or 0, f"--c{index}") for index, name in enumerate(CLASSES)
    ]
    shown = [entry for entry in classes if entry[1]]
    whole = sum(count for _, count, _ in shown)
    if not whole:
        return
    bar = _bar([(100 * count / whole, tone) for _, count, tone in shown], f"{whole:,} tokens")
    yield f'<section><h2>{whole:,} tokens, each counted once</h2>{bar}<div class="key">'
    for name, count, tone in shown:
        mark = _bar([(100.0, tone)], name)
        yield f"<span>{mark}{escape(name.replace('_', ' '))} {count:,}</span>"
    yield "</div></section>"


def _group(title: str, groups: Groups, totals: Tally) -> Iterator[str]:
    """Yield a grouping as a table; its bars are of costs, or of tokens where nothing cost anything."""
    by_cost = any(tally.cost_usd for tally in groups.values())
    sizes = {name: _size(tally, by_cost=by_cost) for name, tally in groups.items()}
    most = max(sizes.values())
    head = "".join(f"<th>{name}</th>" for name in (*HEADINGS[:-1], "", HEADINGS[-1]))
    yield f"<section><h2>{title}</h2><table><thead><tr><th></th>{head}</tr></thead><tbody>"
    for name, tally in groups.items():
        shown = one_line(name)
        bar = _bar([(_share(sizes[name], most), "--bar")], cost(tally) if by_cost else shown)
        label = f'<th title="{escape(shown)}">{escape(shown)}</th>'
        yield f"<tr>{label}{_cells(tally, bar)}</tr>"
    foot = f"<tfoot><tr><th>all</th>{_cells(totals, '')}</tr></tfoot>" if len(groups) > 1 else ""
    yield f"</tbody>{foot}</table></section>"


def _size(tally: Tally, *, by_cost: bool) -> Decimal:
    if by_cost:
        return tally.cost_usd or Decimal(0)
    counts = tally.counts
    return Decimal((counts["input_tokens"] or 0) + (counts["output_tokens"] or 0))


def _cells(tally: Tally, bar: str) -> str:
    names = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")
    counts = [tally.counts[name] for name in names]
    shown = ["unknown" if count is None else f"{count:,}" for count in counts]
    cells = "".join(
        f"<td>{text}</td>" for text in (f"{tally.attempts:,}", f"{tally.tasks:,}", *shown)
    )
    return f'{cells}<td class="bar">{bar}</td><td>{escape(cost(tally))}</td>'


def _failures(failures: Mapping[str, int]) -> Iterator[str]:
    if not failures:
        return
    most = max(failures.values())
    yield "<section><h2>Failures by gate</h2><table><tbody>"
    for gate, count in failures.items():
        bar = _bar([(100 * count / most, "--bad")], counted(count, "failure"))
        name = f"<th>{escape(one_line(gate))}</th>"
        yield f'<tr>{name}<td style="width:70%">{bar}</td><td>{count:,}</td></tr>'
    yield "</tbody></table></section>"


def _notes(report: LedgerReport) -> Iterator[str]:
    lines = list(notes(report))
    if lines:
        yield f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in lines)}</ul>"


def _bar(parts: list[tuple[float, str]], name: str) -> str:
    """Return a bar of coloured parts, in percent of its width."""
    at = 0.0
    drawn = []
    for width, tone in parts:
        shape = f'x="{at:.2f}" width="{width:.2f}" height="10"'
        drawn.append(f'<rect {shape} style="fill:var({tone})"/>')
        at += width
    box = 'viewBox="0 0 100 10" preserveAspectRatio="none" role="img"'
    return f'<svg {box} aria-label="{escape(name)}">{"".join(drawn)}</svg>'


def _share(part: Decimal, whole: Decimal) -> float:
    """Return a part in percent, enough to be seen where it is not nothing."""
    return max(float(100 * part / whole), 0.6) if part and whole else 0.0
