"""The prompt and reply of an attempt, kept beside the attempt's record.

The file has the record's name with an ending of its own, so that reports, which read records alone, pass over it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from msgspec import Struct

from minitask.git.commits import FileWrite
from minitask.git.objects import TREE, Objects
from minitask.ledger.record import Record
from minitask.ledger.record_json import render_document

ENDING = ".said"
FORMAT = 1
LONGEST_PROMPT, LONGEST_REPLY = 100_000, 200_000
"""Characters that are kept; of what is longer, its beginning and its end."""
_CUT = "\n[… {count:,} characters left out …]\n"


class Exchange(Struct, frozen=True):
    """A prompt and the reply to it; empty if there was none. `started_at` is the record's."""

    prompt: str = ""
    reply: str = ""
    started_at: str = ""


def exchange_file(exchange: Exchange, record_path: str) -> FileWrite:
    """Return the file that holds what was said, beside the record at `record_path`."""
    document = {
        "format": FORMAT,
        "started_at": exchange.started_at,
        "prompt": capped(exchange.prompt, LONGEST_PROMPT),
        "reply": capped(exchange.reply, LONGEST_REPLY),
    }
    return FileWrite(record_path.removesuffix(".json") + ENDING, render_document(document))


def read_exchange(objects: Objects, head: str | None, record: Record) -> Exchange | None:
    """Return what was said in a recorded attempt; None if the ledger does not have it."""
    entry = objects.entry(head, record.task) if head else None
    if entry is None or entry.mode != TREE:
        return None
    start = f"{record.attempt.n:04d}-"
    names = objects.entries(entry.oid)
    blobs = (
        names[name].oid
        for name in sorted(names)
        if name.startswith(start) and name.endswith(ENDING)
    )
    return next(
        (
            exchange
            for exchange in _parsed(objects, blobs)
            if exchange.started_at == record.started_at
        ),
        None,
    )


def _parsed(objects: Objects, blobs: Iterator[str]) -> Iterator[Exchange]:
    for blob in blobs:
        try:
            document = json.loads(objects.blob(blob))
            fields = {name: str(document[name]) for name in ("prompt", "reply", "started_at")}
        except (ValueError, KeyError, TypeError):
            continue
        yield Exchange(**fields)


def capped(text: str, most: int) -> str:
    """Return the text, or its first and last characters where it has more than `most`."""
    if len(text) <= most:
        return text
    half = most // 2
    return text[:half] + _CUT.format(count=len(text) - 2 * half) + text[-half:]
