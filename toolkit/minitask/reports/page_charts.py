"""The charts of the report's page as numbers: days, estimated and actual tokens, and the attempts of the last run.

The template draws them as SVG. Each holds at most a few hundred shapes, however many records there are.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from minitask.ledger.accuracy import is_close, token_pair
from minitask.ledger.record import ATTEMPT, LOST, Record
from minitask.ledger.summary import Summary, is_outage, model_of, runs_of
from minitask.reports.results import dollars
from minitask.words import one_line

DAYS = 90
"""Days in the picture, the latest; the table holds all."""
RUN_ATTEMPTS = 300
SIDE = 360
"""The scatter's width and height, in units of its picture."""
CELL = 4
"""Points that are nearer than this are drawn as one."""
WIDTH = 1000


class DayBars(Struct, frozen=True):
    """The position of a day, and the heights of its bars in percent of the highest."""

    at: float
    width: float
    spent: float
    baseline: float
    title: str


class DayChart(Struct, frozen=True):
    """The days with records; `most` is the amount of the highest bar."""

    bars: tuple[DayBars, ...]
    first: str
    last: str
    most: str


class Point(Struct, frozen=True):
    """One or several attempts in the scatter; `close`: within 20 % of the estimate."""

    x: float
    y: float
    radius: float
    close: bool


class Scatter(Struct, frozen=True):
    """Estimated tokens to the right, actual ones upwards, both in powers of ten."""

    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]
    band: float


class RunBar(Struct, frozen=True):
    """An attempt in the chart of a run; `lane` counts from 0."""

    x: float
    width: float
    lane: int
    tone: str
    title: str


class RunChart(Struct, frozen=True):
    """The attempts of the latest run; those of a lane are sequential, lanes are parallel."""

    bars: tuple[RunBar, ...]
    lanes: int
    first: str
    last: str


def day_chart(summary: Summary) -> DayChart | None:
    """Return the cost and the baseline of each day; None without costs."""
    baselines = summary.savings.baseline_by_day
    costs = {day: tally.cost_usd or Decimal(0) for day, tally in summary.by_day.items()}
    days = sorted({*costs, *baselines})[-DAYS:]
    sums = [(day, costs.get(day, Decimal(0)), baselines.get(day, Decimal(0))) for day in days]
    most = max((max(spent, baseline) for _, spent, baseline in sums), default=Decimal(0))
    if not most:
        return None
    step = WIDTH / len(days)
    bars = tuple(
        DayBars(
            index * step,
            min(step * 0.36, 40),
            float(100 * spent / most),
            float(100 * baseline / most),
            f"{one_line(day)}: {dollars(spent)} spent, {dollars(baseline)} by the frontier model",
        )
        for index, (day, spent, baseline) in enumerate(sums)
    )
    return DayChart(bars, one_line(days[0]), one_line(days[-1]), dollars(most))


def scatter(records: Iterable[Record]) -> Scatter | None:
    """Return the tokens of single calls against their estimates; None if there are none to compare."""
    tries = (record for record in records if record.kind == ATTEMPT and not is_outage(record))
    sums = [(sum(pair[0]), sum(pair[1])) for pair in map(token_pair, tries) if pair]
    totals = [(expected, actual) for expected, actual in sums if expected > 0 < actual]
    if not totals:
        return None
    low = math.floor(math.log10(min(map(min, totals))))
    high = max(math.ceil(math.log10(max(map(max, totals)))), low + 1)
    scale = SIDE / (high - low)

    def place(tokens: int) -> float:
        return round((math.log10(tokens) - low) * scale / CELL) * CELL

    counts = Counter(
        (place(expected), place(actual), is_close(actual, expected)) for expected, actual in totals
    )
    points = (
        Point(x, SIDE - y, min(2.5 + math.log2(count), 9), close)
        for (x, y, close), count in counts.items()
    )
    ticks = tuple(((power - low) * scale, f"{10**power:,}") for power in range(low, high + 1))
    return Scatter(tuple(points), ticks, math.log10(1.2) * scale)


def run_chart(records: Iterable[Record]) -> RunChart | None:
    """Return the attempts since the last long pause; None without attempts."""
    tries = [record for record in records if record.kind in (ATTEMPT, LOST)]
    latest = heapq.nlargest(RUN_ATTEMPTS, tries, key=lambda record: record.started_at)
    runs = runs_of(latest)
    if not runs:
        return None
    spans = runs[-1]
    start = spans[0].begin
    end = max(*(span.end for span in spans), start + 1)
    scale = WIDTH / (end - start)
    lanes: list[float] = []
    bars = []
    for span in spans:
        lane = next((index for index, free in enumerate(lanes) if free <= span.begin), len(lanes))
        lanes[lane:] = [span.end, *lanes[lane + 1 :]]
        width = max((span.end - span.begin) * scale, 3)
        x = min((span.begin - start) * scale, WIDTH - width)
        bars.append(RunBar(x, width, lane, _tone(span.record), _title(span.record)))
    return RunChart(tuple(bars), len(lanes), _clock(start), _clock(end))


def _tone(record: Record) -> str:
    """Return the tone of an attempt's result: good, bad or rest."""
    if record.attempt.verdict.is_good:
        return "good"
    return "rest" if is_outage(record) else "bad"


def _title(record: Record) -> str:
    attempt = record.attempt
    ended = attempt.verdict.value if attempt.verdict.is_good else attempt.gate or attempt.verdict
    who = f"{record.task}, attempt {attempt.n} by {model_of(record)}"
    return one_line(f"{who}: {ended}, {attempt.seconds:.1f} s")


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
