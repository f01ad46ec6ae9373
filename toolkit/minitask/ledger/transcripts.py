"""Parse transcripts of Claude Code, one JSON object per line, for the models' answers and their usage.

Several lines of an answer repeat its usage; only the last has the final count of output. A session that was resumed or
forked may be copied into another file. So an answer is identified by its ids, and counts once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from minitask.ledger.record import Usage
from minitask.words import one_line

SYNTHETIC = "<synthetic>"
"""Model of lines that the program itself wrote."""
MOST_TOKENS = 10**12
"""A larger count is an error."""
LONGEST = 120
DIGEST = 10


class TranscriptAnswer(Struct, frozen=True):
    """A model's answer: its ids, its start (UTC), and its usage; `is_sidechain`: by a sub-agent.

    Unlike in the transcript, cache reads and writes count as parts of the input.
    """

    message: str
    request: str
    session: str
    model: str
    at: datetime
    usage: Usage
    is_sidechain: bool = False

    @property
    def digest(self) -> str:
        """Return the id of the answer in the ledger."""
        ids = f"{self.message}\0{self.request}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(ids).hexdigest()[:DIGEST]


class Transcript(Struct, frozen=True):
    """Answers, each once, oldest first, and the number of unreadable lines."""

    answers: tuple[TranscriptAnswer, ...]
    damaged: int = 0


def parse_transcript(text: str, *, session: str = "") -> Transcript:
    """Return the answers in a file; other lines are skipped, damaged ones counted.

    `session` is for lines that name none.
    """
    answers: dict[tuple[str, str], TranscriptAnswer] = {}
    damaged = 0
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            answer = _answer(line, session)
        except (ValueError, OverflowError, RecursionError):
            damaged += 1
            continue
        if answer is not None:
            ids = (answer.message, answer.request)
            answers[ids] = _same(answer, answers.get(ids, answer))
    return Transcript(_distinct(answers.values()), damaged)


def join(transcripts: Iterable[Transcript]) -> Transcript:
    """Return the answers of several files, in any order."""
    answers: dict[tuple[str, str], TranscriptAnswer] = {}
    damaged = 0
    for transcript in transcripts:
        damaged += transcript.damaged
        for answer in transcript.answers:
            ids = (answer.message, answer.request)
            fuller, lesser = sorted((answer, answers.get(ids, answer)), key=_fullness, reverse=True)
            answers[ids] = _same(fuller, lesser)
    return Transcript(_distinct(answers.values()), damaged)


def _same(answer: TranscriptAnswer, second: TranscriptAnswer) -> TranscriptAnswer:
    """Return an answer with the time and session of the earlier of two entries."""
    first = min(answer, second, key=lambda entry: (entry.at, entry.session, entry.is_sidechain))
    return replace(answer, at=first.at, session=first.session, is_sidechain=first.is_sidechain)


def _fullness(answer: TranscriptAnswer) -> tuple[object, ...]:
    usage = answer.usage
    counts = (usage.output_tokens, usage.input_tokens, usage.cached_input_tokens)
    return (*counts, usage.cache_write_tokens, usage.cache_write_1h_tokens, answer.model)


def _distinct(answers: Iterable[TranscriptAnswer]) -> tuple[TranscriptAnswer, ...]:
    """Return answers, oldest first, without entries that lack the request id that another entry of the message has."""
    entries = sorted(answers, key=lambda entry: (entry.at, entry.message, entry.request))
    identified = {entry.message for entry in entries if entry.request}
    return tuple(entry for entry in entries if entry.request or entry.message not in identified)


def _answer(line: str, session: str) -> TranscriptAnswer | None:
    """Return the answer in a line, or None; raise `ValueError` if it is damaged."""
    entry = json.loads(line)
    is_answer = isinstance(entry, dict) and entry.get("type") == "assistant"
    message = entry.get("message") if is_answer else None
    if not isinstance(message, dict) or not isinstance(message.get("usage"), dict):
        return None
    model = one_line(_text(message, "model"), longest=LONGEST)
    if model == SYNTHETIC:
        return None
    if not model:
        raise ValueError("no model")
    message_id, request = _text(message, "id"), _text(entry, "requestId")
    if not message_id and not request:
        message_id = hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest()
    return TranscriptAnswer(
        message=message_id,
        request=request,
        session=one_line(_text(entry, "sessionId") or session, longest=LONGEST),
        model=model,
        at=parse_moment(_text(entry, "timestamp")),
        usage=_usage(message["usage"]),
        is_sidechain=entry.get("isSidechain") is True,
    )


def parse_moment(text: str) -> datetime:
    """Return a time in UTC to the millisecond; UTC is the default zone. Raises `ValueError` for other text."""
    moment = datetime.fromisoformat(text)
    zoned = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return zoned.replace(microsecond=zoned.microsecond // 1000 * 1000)


def _text(fields: dict[str, Any], name: str) -> str:
    text = fields.get(name)
    return text if isinstance(text, str) else ""


def _usage(fields: dict[str, Any]) -> Usage:
    """Return the usage as the ledger counts it; a cache write of unknown duration counts as five minutes."""
    fresh, output = _count(fields, "input_tokens"), _count(fields, "output_tokens")
    read = _count(fields, "cache_read_input_tokens", least=0)
    split = fields.get("cache_creation")
    split = split if isinstance(split, dict) else {}
    hour = _count(split, "ephemeral_1h_input_tokens", least=0)
    five = _count(split, "ephemeral_5m_input_tokens", least=0)
    written = max(_count(fields, "cache_creation_input_tokens", least=0), five + hour)
    return Usage(1, fresh + read + written, read, output, written - hour, hour)


def _count(fields: dict[str, Any], name: str, *, least: int | None = None) -> int:
    """Return a count; `least` is the default."""
    count = fields.get(name)
    if count is None:
        count = least
    if type(count) is not int or not 0 <= count <= MOST_TOKENS:
        raise ValueError(f"{name} is not a count")
    return count
