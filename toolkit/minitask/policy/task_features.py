"""Features of a task that decide its route: its tags, its complexity, how long the change is."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.model import ExpectationKind, FileAction, Spec, Tier

TOKENS_PER_LINE = 10
"""Of code: 600 lines are about 6,000 tokens."""
LIKELY_OUTPUT_TOKENS = 1_500
"""The assumed length of an answer if the spec gives no hint; with 6,000 tokens of input, a typical task."""
UNRATED = "unrated"
_LINES_FIELD = lazy_pattern(r"estimated lines", re.IGNORECASE)
_ABOUT_LINES = lazy_pattern(
    r"~\s*(\d[\d,]{0,8})\s+lines\b|\babout\s+(\d[\d,]{0,8})\s+lines\b", re.IGNORECASE
)


class TaskFeatures(Struct, frozen=True):
    """Tags in capitals, the complexity if it is given, and estimates of the change's lines and the answer's tokens."""

    tags: frozenset[str]
    complexity: str | None
    lines: int | None
    output_tokens: int
    kind: str

    @property
    def task_class(self) -> str:
        """Return the class of tasks that the ledger learns of as one, such as `edit/low`."""
        return f"{self.kind}/{self.complexity or UNRATED}"


def features_of(spec: Spec) -> TaskFeatures:
    """Return the traits of a spec, by what it says itself."""
    lines = estimated_lines(spec)
    stated = spec.estimate.output_tokens
    guessed = LIKELY_OUTPUT_TOKENS if lines is None else max(1, lines * TOKENS_PER_LINE)
    return TaskFeatures(
        tags=frozenset(tag.upper() for tag in spec.options.tags),
        complexity=spec.options.complexity,
        lines=lines,
        output_tokens=guessed if stated is None else stated,
        kind=_kind(spec),
    )


def estimated_lines(spec: Spec) -> int | None:
    """Return how many lines the change has: as stated, else by the stated output, else by the lines that it cites."""
    return _stated(spec) or _by_tokens(spec) or _expected(spec) or _cited(spec)


def _stated(spec: Spec) -> int | None:
    value = next((value for key, value in spec.extra if _LINES_FIELD.fullmatch(key.strip())), "")
    digits = re.search(r"\d[\d,]{0,8}", value)
    return int(digits[0].replace(",", "")) if digits else None


def _by_tokens(spec: Spec) -> int | None:
    tokens = spec.estimate.output_tokens
    return None if tokens is None else max(1, round(tokens / TOKENS_PER_LINE))


def _expected(spec: Spec) -> int | None:
    """Return the length that the validation or a criterion expects, of all files together."""
    counted = [
        expectation.number
        for command in spec.commands
        for expectation in command.expectations
        if expectation.kind is ExpectationKind.NUMBER and command.text.lstrip().startswith("wc -l")
    ]
    if counted:
        return sum(counted)
    matches = [
        match for criterion in spec.criteria for match in _ABOUT_LINES.finditer(criterion.text)
    ]
    return sum(int((match[1] or match[2]).replace(",", "")) for match in matches) or None


def _cited(spec: Spec) -> int | None:
    """Return the lines that are cited for editing, else those cited for reading where files are only created."""
    edited = [span for ref in spec.writes() for span in ref.ranges]
    spans = edited or [span for ref in spec.reads() for span in ref.ranges]
    return sum(span.end - span.start + 1 for span in spans) or None


def _kind(spec: Spec) -> str:
    actions = {ref.action for ref in spec.writes()}
    if actions == {FileAction.CREATE}:
        return "create"
    if actions == {FileAction.DELETE}:
        return "delete"
    return "edit"


ENOUGH_REPLIES = 8
MALFORMED_SHARE = 0.25
"""From this share of malformed edits on, a model is asked for whole files."""
MOST_LINES = 400
"""Files with more lines in all are not asked for whole: a long answer costs more than a second try."""


class ReplyFormat(StrEnum):
    """The reply format: whole files, or edits, ranges and whole files as it sees fit."""

    WHOLE = "whole"
    EDITS = "edits"


class Evidence(Struct, frozen=True):
    """A model's replies in the form of edits so far, and how many of them could not be applied."""

    replies: int = 0
    malformed: int = 0


def choose_format(
    configured: str | None, *, tier: Tier, evidence: Evidence, shown_whole: int | None
) -> ReplyFormat:
    """Return the form to ask for. `shown_whole` is how many lines the files to edit have, None if some are not
    shown.

    `configured` is the config's format, which wins if the files are shown whole: a model cannot repeat unseen lines.
    """
    if shown_whole is None:
        return ReplyFormat.EDITS
    if configured is not None:
        return ReplyFormat(configured)
    if shown_whole > MOST_LINES:
        return ReplyFormat.EDITS
    if evidence.replies >= ENOUGH_REPLIES:
        weak = evidence.malformed >= MALFORMED_SHARE * evidence.replies
    else:
        weak = tier is Tier.FREE
    return ReplyFormat.WHOLE if weak else ReplyFormat.EDITS
