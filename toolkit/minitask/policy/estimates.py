"""Estimate a task before any call: its features, the tokens of texts, and the usage of agent programs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from minitask.ledger.record import Usage
from minitask.patterns import lazy_pattern
from minitask.spec.model import ExpectationKind, FileAction, Spec, Tier

TOKENS_PER_LINE = 10
"""Tokens per line of code: 600 lines are about 6,000 tokens."""
LIKELY_OUTPUT_TOKENS = 1_500
"""Assumed tokens of an answer if the spec gives no estimate."""
UNRATED = "unrated"
_LINES_FIELD = lazy_pattern(r"estimated lines", re.IGNORECASE)
_ABOUT_LINES = lazy_pattern(
    r"~\s*(\d[\d,]{0,8})\s+lines\b|\babout\s+(\d[\d,]{0,8})\s+lines\b", re.IGNORECASE
)


class TaskFeatures(Struct, frozen=True):
    """Tags in capitals, the stated complexity, the estimated lines of the change and tokens of the answer."""

    tags: frozenset[str]
    complexity: str | None
    lines: int | None
    output_tokens: int
    kind: str

    @property
    def task_class(self) -> str:
        """Return the class of tasks for statistics, such as `edit/low`."""
        return f"{self.kind}/{self.complexity or UNRATED}"


def features_of(spec: Spec) -> TaskFeatures:
    """Return the features of a spec's task."""
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
    """Return the lines of the change: stated, or derived from stated output, expectations or cited lines."""
    tokens = spec.estimate.output_tokens
    by_tokens = None if tokens is None else max(1, round(tokens / TOKENS_PER_LINE))
    return _stated(spec) or by_tokens or _expected(spec) or _cited(spec)


def _stated(spec: Spec) -> int | None:
    value = next((value for key, value in spec.extra if _LINES_FIELD.fullmatch(key.strip())), "")
    digits = re.search(r"\d[\d,]{0,8}", value)
    return int(digits[0].replace(",", "")) if digits else None


def _expected(spec: Spec) -> int | None:
    """Return the total length of the files that the validation or the criteria expect."""
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
    """Return the number of lines cited for editing, or else for reading."""
    edited = [span for ref in spec.writes() for span in ref.ranges]
    spans = edited or [span for ref in spec.reads() for span in ref.ranges]
    return sum(span.end - span.start + 1 for span in spans) or None


def _kind(spec: Spec) -> str:
    actions = {ref.action for ref in spec.writes()}
    is_pure = actions in ({FileAction.CREATE}, {FileAction.DELETE})
    return actions.pop().value if is_pure else "edit"


ENOUGH_REPLIES = 8
MALFORMED_SHARE = 0.25
"""Share of malformed edits from which a model must reply with whole files."""
MOST_LINES = 400
"""Limit of lines for whole-file replies: longer ones cost more than a second try."""


class ReplyFormat(StrEnum):
    """The reply format: whole files only, or edits, ranges and whole files at the model's choice."""

    WHOLE = "whole"
    EDITS = "edits"


class Evidence(Struct, frozen=True):
    """A model's replies with edits, and the number of those that could not be applied."""

    replies: int = 0
    malformed: int = 0


def choose_format(
    configured: str | None, *, tier: Tier, evidence: Evidence, shown_whole: int | None
) -> ReplyFormat:
    """Return the format to request: the configured one, unless the model does not see whole files to repeat.

    `shown_whole` is the number of lines of the files to edit, None if some lines are not shown.
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


_WORD = r"(?:[A-Z]*[^\W\d_A-Z]+|[A-Z]+)"
_PIECE = lazy_pattern(
    rf"(?P<spaced> {_WORD})"
    rf"|(?P<bare>{_WORD})"
    rf"|(?P<marked>(?:[^\w\r\n]|_){_WORD})"
    r"|(?P<digits>\d{1,3})"
    r"|(?P<marks> ?(?:[^\s\w]|_)+[\r\n/]*)"
    r"|(?P<blank>\s*[\r\n]+|\s+(?!\S)|\s)"
)
_LONG_MARKS = lazy_pattern(r"([!-/:-@\[-`{-~])(?!\1)[!-/:-@\[-`{-~]{2,}")
_FOREIGN_LETTER = lazy_pattern(r"[^\W\d_\x00-\x7f]")
_FOREIGN_MARK = lazy_pattern(r"[^\w\s\x00-\x7f]")

_WEIGHTS = {
    "spaced": 1.05,
    "bare": 1.55,
    "marked": 1.3,
    "digits": 1.4,
    "marks": 0.76,
    "blank": 0.99,
    "long_marks": 0.5,
    "foreign_letter": 0.6,
    "foreign_mark": 0.95,
}
"""Tokens per piece of each kind; the last three add to the piece that holds them.

Byte-pair tokenizers cut a text into such pieces before they look into a vocabulary. The weights are a fit of the
relative error (least absolute deviation) against `o200k_base` on 650 files of code, Markdown and data. On 330 others
they err by 3.9 % on average, where characters divided by four err by 14 %; minified code and random letters are the
worst, at 10 to 30 %. Other vocabularies differ by a steady factor (`SCALES`).
"""


DEFAULT_OUTPUT_TOKENS = 8_192
"""First output limit of an answer of unknown length."""
SCALES = (("claude", 1.45), ("deepseek", 1.05))
"""Tokens of a vocabulary per token of `o200k_base`, by a part of the model's name."""


def token_scale(model: str) -> float:
    """Return the number of a model's tokens per token of `o200k_base`."""
    name = model.lower()
    return next((scale for part, scale in SCALES if part in name), 1.0)


def estimate_tokens(text: str, *, scale: float = 1.0) -> int:
    """Return the estimated number of tokens in `text`; 0 only for an empty text."""
    return math.ceil(scale * _weight(text))


@lru_cache(maxsize=8)
def _weight(text: str) -> float:
    """Return the tokens of `o200k_base`; cached, because a prompt is estimated for several tiers."""
    return sum(_WEIGHTS[kind] * number for kind, number in count_pieces(text).items())


def count_pieces(text: str) -> Counter[str]:
    """Return the number of pieces of each kind in `_WEIGHTS`."""
    kinds = Counter(match.lastgroup or "blank" for match in _PIECE.finditer(text))
    kinds["long_marks"] = sum(min(len(run.group()), 12) - 2 for run in _LONG_MARKS.finditer(text))
    kinds["foreign_letter"] = len(_FOREIGN_LETTER.findall(text))
    kinds["foreign_mark"] = len(_FOREIGN_MARK.findall(text))
    return kinds


CHAT_TYPES = frozenset({"openai", "anthropic", "ollama", "scripted"})
"""Executor types whose prompt holds the files; all others are programs that read them in a workspace."""
ENOUGH_ATTEMPTS = 3
"""Number of attempts from which their median is used."""
OWN_WORDS = 100
"""Output tokens of a request apart from the change: the tool call, and a remark."""


class AgentRequests(Struct, frozen=True):
    """A program's tokens for its own instructions and tools per request, and its requests per task."""

    own_tokens: int
    requests: int


MEASURED: Mapping[str, AgentRequests] = {
    "aider": AgentRequests(2_200, 1),
    "claude": AgentRequests(7_300, 3),
    "codex": AgentRequests(9_600, 4),
    "gemini": AgentRequests(11_000, 4),
    "mini": AgentRequests(900, 4),
    "opencode": AgentRequests(3_800, 4),
    "qwen": AgentRequests(18_200, 4),
}
"""Tokens as measured by `benchmarks/agent_tokens.py` (November 2026); the requests are assumed: look, edit, end."""
UNCOUNTED_REQUESTS = 4
UNKNOWN = AgentRequests(9_600, UNCOUNTED_REQUESTS)
"""For a program that was not measured: the values of `codex`, the median."""


def is_agent(kind: str) -> bool:
    """Return True if executors of this type edit files themselves."""
    return kind not in CHAT_TYPES


def expected_usage(
    kind: str, *, prompt_tokens: int, read_tokens: int, output_tokens: int, scale: float = 1.0
) -> Usage:
    """Return the usage of an agent for a task: each request repeats the earlier ones, and nothing is cached.

    `read_tokens` are the tokens of the lines that the spec lists, which the agent reads itself.
    """
    program = MEASURED.get(kind, UNKNOWN)
    requests = program.requests
    own_tokens = round(program.own_tokens * scale)
    output = output_tokens + requests * OWN_WORDS
    repeated = requests * (own_tokens + prompt_tokens)
    repeated += max(requests - 1, 1) * read_tokens + (requests - 1) * output // 2
    return Usage(requests, repeated, 0, output, 0, 0)


def median_usage(attempts: Sequence[Sequence[int]]) -> Usage | None:
    """Return the median requests, input, cached and output tokens of attempts, or None if there are too few."""
    if len(attempts) < ENOUGH_ATTEMPTS:
        return None
    middle = (len(attempts) - 1) // 2
    requests, total, cached, output = (
        sorted(counts)[middle] for counts in zip(*attempts, strict=True)
    )
    return Usage(requests, total, min(cached, total), output, 0, 0)
