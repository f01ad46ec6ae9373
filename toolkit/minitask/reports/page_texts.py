"""The long texts of the report's page: specs, diffs and replies, in compressed blocks, each unpacked when needed."""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections.abc import Mapping

from minitask.engine.task_records import AttemptTexts, Key, key_of
from minitask.ledger.record import Record
from minitask.words import one_line, plain_text

TEXT_CHARS = 30_000
"""The beginning of one text that a page holds."""
ALL_TEXT_CHARS = 8_000_000
BLOCK_CHARS = 250_000

Place = tuple[int, int]
"""The block that a text is in, and its number there."""


class TextBlocks:
    """The texts of some records; each is held once, until they are too many."""

    def __init__(self, texts: Mapping[Key, AttemptTexts]) -> None:
        self._texts = texts
        self._places: dict[str, Place] = {}
        self._blocks: list[list[str]] = []
        self._room, self._filled = ALL_TEXT_CHARS, BLOCK_CHARS

    def spec_of(self, record: Record) -> Place | None:
        """Return the place of a record's spec; None if it is not held."""
        texts = self._texts.get(key_of(record))
        return self._hold(texts.spec, f"git cat-file -p {record.spec_blob[:12]}") if texts else None

    def said_in(self, record: Record) -> dict[str, Place]:
        """Return the places of a record's diff and reply, as far as they are held."""
        texts = self._texts.get(key_of(record))
        if texts is None:
            return {}
        attempt = f"{shlex.quote(one_line(record.task))} --attempt {record.attempt.n}"
        places = {
            "diff": self._hold(texts.diff, f"minitask diff {attempt}"),
            "reply": self._hold(texts.reply, f"minitask show {attempt} --reply"),
        }
        return {name: place for name, place in places.items() if place}

    def packed(self) -> list[str]:
        """Return the blocks: JSON, compressed, in letters that mean nothing in HTML."""
        return [
            base64.b64encode(zlib.compress(json.dumps(block).encode(), 1)).decode()
            for block in self._blocks
        ]

    def _hold(self, text: str, command: str) -> Place | None:
        shown = plain_text(text[:TEXT_CHARS])
        if len(text) > TEXT_CHARS:
            left = len(text) - TEXT_CHARS
            shown += f"\n[… {left:,} more characters: `{command}` prints all]"
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
