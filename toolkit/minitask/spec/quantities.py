"""Read the quantities of an expectation in words: `~600 lines (±50)`, `between 400 and 500`, `at least 3`."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.model import Expectation, ExpectationKind

DEFAULT_TOLERANCE = 10
"""Tolerance, in percent, of an approximate number if the remark states none."""

LINE_UNITS = frozenset({"line", "lines", "loc", "sloc"})
_DIGITS = 12
_ABOUT = r"(?:~|≈|∼|about|approximately|approx\.?|around|roughly|circa|ca\.?|close\s+to|nearly|some|or\s+so)"
_NUMBER = r"[0-9]{1,3}(?:[,_ \u00a0\u202f][0-9]{3})+(?![0-9])|[0-9]+"
_LOWER = r"at\s+least|(?:a\s+)?minimum(?:\s+of)?|min\.?|not?\s+(?:less|fewer)\s+than|>=|≥|=>"
_UPPER = (
    r"at\s+most|(?:a\s+)?maximum(?:\s+of)?|max\.?|not?\s+(?:more|longer)\s+than|up\s+to|within|<=|≤"
)
_ABOVE = r"more\s+than|greater\s+than|longer\s+than|over|above|>"
_BELOW = r"less\s+than|fewer\s+than|shorter\s+than|under|below|<"
_TOLERANCE = (
    r"\s*[(,]?\s*(?:±|\+\s*/\s*-|\+-|plus\s+or\s+minus|give\s+or\s+take)\s*"
    r"(?P<tolerance>[0-9][0-9,]*)\s*(?P<percent>%|percent\b)?(?:\s*lines?\b)?\s*\)?"
)
_QUANTITY = lazy_pattern(
    r"(?is)(?:a\s+total\s+of\s+|equal\s+to\s+|exactly\s+equal\s+to\s+)?"
    rf"(?:(?P<exact>exactly|precisely|=+)\s*)?(?:(?P<about>{_ABOUT})\s*)?"
    rf"(?:(?P<lower>{_LOWER})|(?P<upper>{_UPPER})|(?P<above>{_ABOVE})|(?P<below>{_BELOW}))?\s*"
    rf"(?P<between>between\s+)?(?:(?P<about2>{_ABOUT})\s*)?(?P<number>{_NUMBER})"
    rf"(?:\s*(?:[-–—]|\bto\b|\band\b|\bor\b)\s*~?(?P<high>{_NUMBER})(?![0-9.,-]*[0-9]))?"
    r"(?P<plus>\s*\+(?!\s*/?\s*-))?"
    rf"(?:{_TOLERANCE})?"
    r"(?![0-9]|[.,:/-][0-9]|\s*%|[A-Za-z]?[A-Za-z0-9]*[0-9]|-[A-Za-z])"
    r"(?:\s*(?P<unit>[A-Za-z][A-Za-z]*))?"
    r"(?P<more>\s+or\s+(?:more|above|longer|greater|fewer|less|below|shorter)\b)?"
    rf"(?:{_TOLERANCE.replace('<tolerance>', '<tolerance2>').replace('<percent>', '<percent2>')})?"
    r"(?P<rest>.*)"
)
_JOINT = lazy_pattern(r"(?i)\s*[,;]?\s*(?:and|but)?\s*")
_FILE_LENGTH = lazy_pattern(
    r"(?is)(?P<subject>(?:the\s+|a\s+|its\s+|total\s+|final\s+|new\s+|resulting\s+|each\s+|module\s+)*"
    r"(?:line\s+count|number\s+of\s+lines|file\s+(?:length|size)|file|module|length|size|total|it|`[^`]+`|[\w./-]+\.\w+)"
    r"(?:\s+(?:of|for|in)\s+(?:the\s+)?(?:file|module|`[^`]+`|[\w./-]+\.\w+))?)\s*"
    r"(?::|=|is\b|are\b|has\b|have\b|holds\b|contains\b|should\s+(?:be|have|contain)\b|must\s+(?:be|have)\b|stays\b|be\b)?"
    r"(?:\s+(?:between\s+)?(?:kept\s+)?)?\s*(?P<quantity>.*)"
)
_LENGTH_WORDS = lazy_pattern(
    rf"(?i)\bline\s+count\b|(?:{_ABOUT})\s*(?:{_NUMBER})(?:\s*[-–]\s*(?:{_NUMBER}))?\s+lines\b"
)
_AFTER_LENGTH = lazy_pattern(
    r"(?i)\s*(?:long|of\s+code|in\s+(?:total|all|length)|total|each)?\s*(?:\([^()]*\))?[.;,]?\s*"
)


class Quantity(Struct, frozen=True):
    """A number with its bounds; `unit` is the word after it, `rest` the text after that."""

    expectation: Expectation
    unit: str
    rest: str
    plain: bool = False


def parse_quantity(text: str) -> Quantity | None:
    """Return the number at the start of a text such as `~600 lines (±50)`."""
    match = _QUANTITY.match(text)
    if match is None or len(match["number"]) > _DIGITS or len(match["high"] or "") > _DIGITS:
        return None
    unit = (match["unit"] or "").casefold()
    low = _integer(match["number"])
    high = _integer(match["high"]) if match["high"] else low
    if unit in {"k", "m"} or high < low:
        return None
    bound = _bound(match, low)
    if bound is not None:
        return _between(bound, unit, match["rest"]) or Quantity(bound, unit, match["rest"])
    tolerance = _tolerance(match, low=low, high=high)
    expectation = Expectation(ExpectationKind.NUMBER, (low + high + 1) // 2, tolerance)
    stated = ("tolerance", "tolerance2", "exact", "about", "about2", "high", "between")
    return Quantity(expectation, unit, match["rest"], plain=not any(match[key] for key in stated))


def _between(bound: Expectation, unit: str, remainder: str) -> Quantity | None:
    """Return the quantity between two bounds, as in `at least 550, at most 650`, or None without a second bound."""
    joint = _JOINT.match(remainder)
    second = parse_quantity(remainder[joint.end() :]) if joint else None
    kinds = {ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST}
    if second is None or {bound.kind, second.expectation.kind} != kinds:
        return None
    low, high = sorted((bound.number, second.expectation.number))
    expectation = Expectation(ExpectationKind.NUMBER, (low + high) // 2, (high - low + 1) // 2)
    first_unit = "" if unit in {"and", "but"} else unit
    return Quantity(expectation, second.unit or first_unit, second.rest)


def with_default_tolerance(expectation: Expectation) -> Expectation:
    """Return the expectation with the default tolerance for a number of lines."""
    return replace(expectation, tolerance=expectation.number * DEFAULT_TOLERANCE // 100)


def _bound(match: re.Match[str], number: int) -> Expectation | None:
    """Return the one-sided expectation, such as `at least 5`, or None."""
    more = (match["more"] or "").casefold()
    if match["lower"] or match["plus"] or more.endswith(("more", "above", "longer", "greater")):
        return Expectation(ExpectationKind.AT_LEAST, number)
    if match["upper"] or more:
        return Expectation(ExpectationKind.AT_MOST, number)
    if match["above"]:
        return Expectation(ExpectationKind.AT_LEAST, number + 1)
    if match["below"]:
        return Expectation(ExpectationKind.AT_MOST, number - 1)
    return None


def _tolerance(match: re.Match[str], *, low: int, high: int) -> int:
    """Return how far the number may be off: as stated, a tenth for an approximate number, otherwise half the range."""
    half = (high - low + 1) // 2
    stated = match["tolerance"] or match["tolerance2"]
    if stated:
        number = _integer(stated)
        percent = match["percent"] or match["percent2"]
        return half + (high * number // 100 if percent else number)
    if match["exact"] or not (match["about"] or match["about2"]):
        return half
    return half + max(1, -(-high * DEFAULT_TOLERANCE // 100))


def _integer(digits: str) -> int:
    return int("".join(filter(str.isdigit, digits)))


def parse_length(criterion: str) -> tuple[str, Expectation | None] | None:
    """Return the subject and expectation of a criterion on a file's length, or None for any other criterion.

    The expectation is None if the criterion mentions a number of lines in wording that is not understood.
    """
    lowered = criterion.casefold()
    if "[" in criterion or ("line" not in lowered and "length" not in lowered):
        return None
    match = _FILE_LENGTH.match(criterion.strip().removeprefix("**").strip())
    quantity = parse_quantity(match["quantity"].strip()) if match else None
    if match and quantity:
        subject = match["subject"]
        is_count = "count" in subject.casefold() or "number" in subject.casefold()
        is_length = quantity.unit in LINE_UNITS or (is_count and not quantity.unit)
        if is_length and _AFTER_LENGTH.fullmatch(quantity.rest):
            expectation = quantity.expectation
            return subject, with_default_tolerance(expectation) if quantity.plain else expectation
    return ("", None) if _LENGTH_WORDS.search(criterion) else None
