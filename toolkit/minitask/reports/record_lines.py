"""The records of a ledger, one a line: as JSON, and as a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from minitask.ledger.record import Record, money
from minitask.ledger.record_json import record_document
from minitask.words import json_text, plain_text

COLUMNS = (
    *("started_at", "task", "kind", "n", "tier", "executor", "model", "verdict", "gate", "reason"),
    *("requests", "input_tokens", "cached_input_tokens", "output_tokens"),
    *("cost_usd", "baseline_cost_usd", "seconds", "base", "candidate", "merge"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The beginnings of what spreadsheets calculate, those in full width too."""


def render_jsonl(records: Iterable[Record]) -> str:
    """Return a JSON document a line, in the form of schemas/record.schema.json."""
    lines = (json_text(record_document(record)) for record in records)
    return "".join(f"{line}\n" for line in lines)


def render_csv(records: Iterable[Record]) -> str:
    """Return a row a record."""
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
    """Return rows as CSV, in which no text steers a terminal or is a formula: one that begins like one gets an
    apostrophe.
    """
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
