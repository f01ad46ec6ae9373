"""The `# expect:` comments of a validation: what they may say."""

from __future__ import annotations

import re

from minitask.patterns import lazy_pattern
from minitask.spec.model import Expectation, ExpectationKind

FORMS = (
    "`exit 1`, `output ~600 ±50`, `output 600`, `output >= 600`, `output <= 600`, "
    '`output contains "text"`, `no output`, `fails`, `fails before`'
)

_COMMENT = lazy_pattern(r"#+\s*expect\s*:(?P<text>.*)", re.IGNORECASE | re.DOTALL)
_EXIT = lazy_pattern(r"exit\s+(?:code\s+)?([0-9]{1,3})", re.IGNORECASE)
_EXACT = lazy_pattern(r"output\s+(-?[0-9]{1,15})", re.IGNORECASE)
_BOUND = lazy_pattern(
    r"output\s+(?:(?P<least>>=|≥|at\s+least)|<=|≤|at\s+most)\s*(?P<number>-?[0-9]{1,15})",
    re.IGNORECASE,
)
_ABOUT = lazy_pattern(r"output\s+~\s*(-?[0-9]{1,15})\s*(?:±|\+/?-)\s*([0-9]{1,15})", re.IGNORECASE)
_CONTAINS = lazy_pattern(
    r"output\s+contains\s+(?:\"(?P<double>(?:[^\"\\]|\\.)+)\"|'(?P<single>[^']+)'|“(?P<curly>[^”]+)”)",
    re.IGNORECASE,
)
LARGEST_EXIT = 255


def find_expectation_text(comment: str) -> str | None:
    """Return what a shell comment states after `expect:`; None for any other comment."""
    match = _COMMENT.fullmatch(comment.strip())
    return match["text"].strip() if match else None


def parse_expectation(text: str) -> Expectation | None:
    """Return the expectation that a comment states; None if it is none of the known forms."""
    phrase = " ".join(text.split()).casefold()
    if phrase in {"no output", "fails", "fails before"}:
        return Expectation(ExpectationKind(phrase))
    if phrase in {"exit non-zero", "exit nonzero"}:
        return Expectation(ExpectationKind.FAILS)
    if match := _EXIT.fullmatch(text):
        code = int(match[1])
        return Expectation(ExpectationKind.EXIT, code) if code <= LARGEST_EXIT else None
    if match := _EXACT.fullmatch(text):
        return Expectation(ExpectationKind.NUMBER, int(match[1]))
    if match := _ABOUT.fullmatch(text):
        return Expectation(ExpectationKind.NUMBER, int(match[1]), int(match[2]))
    if match := _BOUND.fullmatch(text):
        kind = ExpectationKind.AT_LEAST if match["least"] else ExpectationKind.AT_MOST
        return Expectation(kind, int(match["number"]))
    if match := _CONTAINS.fullmatch(text):
        return Expectation(ExpectationKind.CONTAINS, text=_unquoted(match))
    return None


def render_expectation(expectation: Expectation) -> str:
    """Return the expectation as `# expect:` states it."""
    number, kind = expectation.number, expectation.kind
    if kind is ExpectationKind.EXIT:
        return f"exit {number}"
    if kind is ExpectationKind.NUMBER:
        tolerance = expectation.tolerance
        return f"output ~{number} ±{tolerance}" if tolerance else f"output {number}"
    if kind is ExpectationKind.CONTAINS:
        text = expectation.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'output contains "{text}"'
    if kind in {ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST}:
        return f"output {'>=' if kind is ExpectationKind.AT_LEAST else '<='} {number}"
    return str(kind.value)


def _unquoted(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return re.sub(r"\\([\\\"])", r"\1", match["double"])
    return match["single"] or match["curly"]
