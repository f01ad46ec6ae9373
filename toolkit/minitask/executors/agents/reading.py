"""Parse what programs print: JSON in its several shapes, counts and amounts that make sense.

Nothing here raises, whatever the text: what cannot be read is absent, and a number that cannot be true is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import reduce

from minitask.executors.response import count, mapping
from minitask.ledger.usage import NO_USAGE, Usage, plus
from minitask.patterns import lazy_pattern
from minitask.words import one_line

__all__ = [
    "Object",
    "amount",
    "count",
    "free_or_unknown",
    "is_whole",
    "items",
    "last_value",
    "mapping",
    "parse",
    "records",
    "string",
    "summed",
    "total",
    "trailing_object",
    "version",
]
Object = Mapping[str, object]

_MOST = 1_000_000_000
_VERSION_CHARACTERS = 80
_VERSION = lazy_pattern(r"\d+\.\d+")
_TRIES = 100
"""Starts of an object that are tried, so that a hostile output cannot delay its reader."""


def parse(text: str) -> object:
    """Return the value of a JSON text, its decimals exact; None if it is no JSON."""
    try:
        value: object = json.loads(text, parse_float=_decimal, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return value


def version(output: bytes) -> str:
    """Return what a program said of its version: the last line that may name one, cut short; empty if none does."""
    lines = output.decode("utf-8", "replace").strip().splitlines()
    named = [line for line in lines if _VERSION.search(line)]
    return one_line(named[-1], longest=_VERSION_CHARACTERS).strip() if named else ""


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def records(text: str) -> tuple[Object, ...]:
    """Return all JSON objects of an output: itself, the items of its array, or those that fill a line."""
    whole = parse(text)
    if isinstance(whole, dict):
        return (whole,)
    candidates = whole if isinstance(whole, list) else [parse(line) for line in _lines(text)]
    return tuple(item for item in candidates if isinstance(item, dict))


def is_whole(text: str) -> bool:
    """Return True if the last line that holds anything is a JSON object: an output was not cut off there."""
    return bool(lines := _lines(text)) and isinstance(parse(lines[-1]), dict)


def trailing_object(text: str) -> Object:
    """Return the JSON object that a text ends with, over however many lines; empty if there is none."""
    end, tries = len(text), 0
    while end > 0 and tries < _TRIES:
        start = text.rfind("\n{", 0, end) + 1
        if text.startswith("{", start) and isinstance(value := parse(text[start:]), dict):
            return value
        end, tries = start - 1, tries + 1
    return {}


def last_value(text: str) -> object:
    """Return the output as one JSON value, else its last line that is JSON; None without either."""
    whole = parse(text)
    if whole is not None:
        return whole
    values = (parse(line) for line in reversed(_lines(text)))
    return next((value for value in values if value is not None), None)


def items(value: object) -> list[object]:
    """Return a JSON array, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def string(value: object) -> str:
    """Return a JSON string, or an empty one in place of anything else."""
    return value if isinstance(value, str) else ""


def amount(value: object) -> Decimal | None:
    """Return an amount of dollars; None for anything else, a negative or an absurd one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if 0 <= value <= _MOST else None


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum; unknown if one of the counts is."""
    numbers = list(counts)
    known_numbers = [item for item in numbers if item is not None]
    return sum(known_numbers) if len(known_numbers) == len(numbers) else None


def summed(usages: Iterable[Usage]) -> Usage:
    """Return the sum of some usages, at least one; unknown in all where there is none."""
    all_usages = list(usages)
    return reduce(plus, all_usages, NO_USAGE) if all_usages else Usage()


def free_or_unknown(cost: Decimal | None, usage: Usage) -> Decimal | None:
    """Return a program's cost; a 0 counts for no tokens alone, else it means that the model's price is not known."""
    return cost if cost or (usage.input_tokens, usage.output_tokens) == (0, 0) else None


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]
