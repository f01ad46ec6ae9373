"""The data of the report's page: its tasks with their long texts in compressed blocks, and its charts."""

from __future__ import annotations

import base64
import heapq
import json
import math
import shlex
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec.json
from msgspec import Struct

from minitask.engine.task_records import AttemptTexts, Key, key_of
from minitask.ledger.accuracy import CLOSE, is_close, token_pair
from minitask.ledger.record import ATTEMPT, LOST, CommandRecord, Record
from minitask.ledger.savings import total
from minitask.ledger.summary import Summary, is_outage, model_of, phase_of, runs_of
from minitask.reports.results import dollars, known_dollars
from minitask.values import grouped
from minitask.words import one_line, plain_text

OUTPUT_CHARS = 2000
"""The page includes the end of a command's output."""
ALL_OUTPUT_CHARS = 4_000_000
"""Limit of all output in a page, newest attempts first; `show --output` prints the rest."""


class TaskRow(Struct, frozen=True):
    """A task: its state, the result of its last attempt, and the cost of all its records."""

    name: str
    state: str
    attempts: int
    verdict: str
    gate: str
    tier: str
    model: str
    cost: str
    cost_usd: float
    started: str
    records: tuple[Record, ...]


def task_rows(records: Iterable[Record], states: Mapping[str, str]) -> tuple[TaskRow, ...]:
    """Return a row for each attempted task, the one with the latest record first."""
    groups = grouped(records, lambda record: record.task)
    rows = [_row(task, group, states.get(task, "")) for task, group in groups.items()]
    return tuple(sorted(filter(None, rows), key=lambda row: (row.started, row.name), reverse=True))


def _row(task: str, records: Sequence[Record], state: str) -> TaskRow | None:
    tries = [record for record in records if record.kind in (ATTEMPT, LOST)]
    judged = [record for record in records if not record.is_call]
    if not judged:
        return None
    last = max(judged, key=lambda record: (record.attempt.n, record.started_at))
    attempt = last.attempt
    costs = [record.attempt.cost_usd for record in records]
    spent = total(costs)
    return TaskRow(
        name=one_line(task),
        state=state or attempt.verdict.value,
        attempts=len(tries),
        verdict=attempt.verdict.value,
        gate="" if attempt.verdict.is_good else one_line(attempt.gate),
        tier=one_line(attempt.tier),
        model=one_line(model_of(last)),
        cost=known_dollars(spent, costs.count(None)),
        cost_usd=float(spent or 0),
        started=one_line(max(record.started_at for record in records))[:16].replace("T", " "),
        records=tuple(sorted(records, key=lambda record: (record.attempt.n, record.started_at))),
    )


def tasks_document(
    rows: Iterable[TaskRow], blocks: TextBlocks | None = None
) -> list[dict[str, Any]]:
    """Return the tasks as JSON for the page's script; empty fields of attempts are omitted."""
    room = ALL_OUTPUT_CHARS
    blocks = blocks or TextBlocks({})
    documents = []
    for row in rows:
        document = {name: getattr(row, name) for name in row.__struct_fields__ if name != "records"}
        document["project"] = row.name.partition("/")[0]
        document["spec"] = blocks.spec_of(max(row.records, key=lambda record: record.started_at))
        tries = []
        for record in row.records:
            attempt, used = _attempt(record, room)
            tries.append({**attempt, **blocks.diff_and_reply(record)})
            room -= used
        documents.append({**document, "tries": tries})
    return documents


def _attempt(record: Record, room: int) -> tuple[dict[str, Any], int]:
    """Return an attempt as JSON, and the length of the output in it."""
    attempt, usage = record.attempt, record.attempt.usage
    commands = [_command(command, room) for command in attempt.commands]
    document = {
        "n": attempt.n,
        "phase": one_line(phase_of(record)),
        "verdict": attempt.verdict.value,
        "gate": "" if attempt.verdict.is_good else one_line(attempt.gate),
        "tier": one_line(attempt.tier),
        "model": one_line(model_of(record)),
        "cost": dollars(attempt.cost_usd),
        "seconds": round(attempt.seconds, 1),
        "tokens": [usage.input_tokens, usage.output_tokens],
        "started": one_line(record.started_at)[:19].replace("T", " "),
        "reason": plain_text(attempt.reason),
        "route": one_line(attempt.decision.reason) if attempt.decision else "",
        "doubts": [one_line(doubt) for doubt in attempt.doubts],
        "notes": [one_line(note) for note in record.notes],
        "files": [
            [one_line(file.path), one_line(file.status), file.added, file.removed]
            for file in attempt.files
        ],
        "commands": commands,
    }
    used = sum(len(command["output"]) for command in commands)
    return {name: value for name, value in document.items() if value or value == 0}, used


def _command(command: CommandRecord, room: int) -> dict[str, Any]:
    """Return a command and the end of its output; `left` counts the omitted characters before it."""
    size = min(OUTPUT_CHARS, len(command.output_tail), max(room, 0))
    return {
        "command": plain_text(command.command),
        "passed": bool(command.passed),
        "exit_code": command.exit_code,
        "seconds": round(command.seconds, 1),
        "reason": plain_text(command.reason),
        "output": plain_text(command.output_tail[-size:]) if size else "",
        "left": len(command.output_tail) - size,
    }


def embedded_json(values: Iterable[object]) -> str:
    """Return a list as ASCII JSON without `<`, so that no text in it can end its `script` element."""
    return f"[{','.join(map(_ascii_json, values))}]".replace("<", "\\u003c")


def _ascii_json(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode("ascii")
    except UnicodeError:  # four times slower
        return json.dumps(value, separators=(",", ":"))


TEXT_CHARS = 30_000
"""The page includes the beginning of a text."""
ALL_TEXT_CHARS = 8_000_000
BLOCK_CHARS = 250_000

Place = tuple[int, int]
"""Block number of a text, and its index in the block."""


class TextBlocks:
    """The texts of records, each once, up to a limit for all."""

    def __init__(self, texts: Mapping[Key, AttemptTexts]) -> None:
        self._texts = texts
        self._places: dict[str, Place] = {}
        self._blocks: list[list[str]] = []
        self._room, self._filled = ALL_TEXT_CHARS, BLOCK_CHARS

    def spec_of(self, record: Record) -> Place | None:
        """Return the place of a record's spec, or None if there is no room for it."""
        texts = self._texts.get(key_of(record))
        return self._hold(texts.spec, f"git cat-file -p {record.spec_blob[:12]}") if texts else None

    def diff_and_reply(self, record: Record) -> dict[str, Place]:
        """Return the places of a record's diff and reply, if there is room for them."""
        texts = self._texts.get(key_of(record))
        if texts is None:
            return {}
        attempt = f"{shlex.quote(one_line(record.task))} --attempt {record.attempt.n}"
        places = {
            "diff": self._hold(texts.diff, f"minitask diff {attempt}"),
            "reply": self._hold(texts.reply, f"minitask show {attempt} --reply"),
        }
        return {name: location for name, location in places.items() if location}

    def packed(self) -> list[str]:
        """Return the blocks as compressed JSON in base64."""
        return [
            base64.b64encode(zlib.compress(json.dumps(block).encode(), 1)).decode()
            for block in self._blocks
        ]

    def _hold(self, text: str, command: str) -> Place | None:
        shown = plain_text(text[:TEXT_CHARS])
        if len(text) > TEXT_CHARS:
            more = len(text) - TEXT_CHARS
            shown += f"\n[… {more:,} more characters: `{command}` prints all]"
        if not text or shown in self._places:
            return self._places.get(shown)
        if len(shown) > self._room:
            return None
        if self._filled + len(shown) > BLOCK_CHARS:
            self._blocks.append([])
            self._filled = 0
        self._filled += len(shown)
        self._room -= len(shown)
        self._places[shown] = len(self._blocks) - 1, len(self._blocks[-1])
        self._blocks[-1].append(shown)
        return self._places[shown]


DAYS = 90
"""Limit of days in the chart; the table has all."""
RUN_ATTEMPTS = 300
SIDE = 360
"""Width and height of the scatter plot."""
CELL = 4
"""Points at a smaller distance are drawn as one."""
WIDTH = 1000


Chart = dict[str, Any]
"""The values that the template draws."""


def day_chart(summary: Summary) -> Chart | None:
    """Return the cost and the baseline of each day, as bars in percent of the highest, or None without costs."""
    baselines = summary.savings.baseline_by_day
    costs = {day: tally.cost_usd or Decimal(0) for day, tally in summary.by_day.items()}
    days = sorted({*costs, *baselines})[-DAYS:]
    sums = [(day, costs.get(day, Decimal(0)), baselines.get(day, Decimal(0))) for day in days]
    most = max((max(spent, baseline) for _, spent, baseline in sums), default=Decimal(0))
    if not most:
        return None
    step = WIDTH / len(days)
    bars = []
    for index, (day, spent, baseline) in enumerate(sums):
        costs_text = f"{dollars(spent)} spent, {dollars(baseline)} by the frontier model"
        bars.append(
            {
                "at": index * step,
                "width": min(step * 0.36, 40),
                "spent": float(100 * spent / most),
                "baseline": float(100 * baseline / most),
                "title": f"{one_line(day)}: {costs_text}",
            }
        )
    first, last = one_line(days[0]), one_line(days[-1])
    return {"bars": bars, "first": first, "last": last, "most": dollars(most)}


def scatter(records: Iterable[Record]) -> Chart | None:
    """Return tokens of single calls against their estimates, on a log scale, or None if none can be compared."""
    tries = (record for record in records if record.kind == ATTEMPT and not is_outage(record))
    sums = [(sum(pair[0]), sum(pair[1])) for pair in map(token_pair, tries) if pair]
    totals = [(expected, actual) for expected, actual in sums if expected > 0 < actual]
    if not totals:
        return None
    low = math.floor(math.log10(min(map(min, totals))))
    high = max(math.ceil(math.log10(max(map(max, totals)))), low + 1)
    scale = SIDE / (high - low)

    def position(tokens: int) -> float:
        return round((math.log10(tokens) - low) * scale / CELL) * CELL

    counts = Counter(
        (position(expected), position(actual), is_close(actual, expected))
        for expected, actual in totals
    )
    points = [
        {"x": x, "y": SIDE - y, "radius": min(2.5 + math.log2(count), 9), "close": close}
        for (x, y, close), count in counts.items()
    ]
    ticks = [((power - low) * scale, f"{10**power:,}") for power in range(low, high + 1)]
    return {"points": points, "ticks": ticks, "band": math.log10(1 + CLOSE) * scale}


def run_chart(records: Iterable[Record]) -> Chart | None:
    """Return the attempts since the last long pause, sequential in each lane, or None without attempts."""
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
        tone, title = _tone(span.record), _title(span.record)
        bars.append({"x": x, "width": width, "lane": lane, "tone": tone, "title": title})
    return {"bars": bars, "lanes": len(lanes), "first": _clock(start), "last": _clock(end)}


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
