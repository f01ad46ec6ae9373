"""The texts of many attempts at once: their specs, diffs and replies, as far as this repository holds them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from minitask.engine.context import Context
from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.merge_tree import patches
from minitask.ledger.exchange import read_exchange
from minitask.ledger.record import ATTEMPT, Record
from minitask.patterns import lazy_pattern

DETAILED = 1000
"""Records that are shown in detail, the newest."""
MOST_LINES = 200_000
"""Changed lines of all diffs that are made."""
_ID = lazy_pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")


class AttemptTexts(Struct, frozen=True):
    """An attempt's spec, diff and reply; each is empty where there is none."""

    spec: str = ""
    diff: str = ""
    reply: str = ""


Key = tuple[str, int, str]
"""What tells a record from all others: its task, its number, and when it was started."""


def key_of(record: Record) -> Key:
    """Return a record's key."""
    return record.task, record.attempt.n, record.started_at


def newest_texts(engine: Context, records: Iterable[Record]) -> Mapping[Key, AttemptTexts]:
    """Return the texts of the newest records; a diff is left out where the newer ones have too many lines."""
    newest = heapq.nlargest(DETAILED, records, key=lambda record: record.started_at)
    head = engine.objects.commit(refs.LEDGER)
    specs = _blobs(engine, {record.spec_blob for record in newest})
    texts = {}
    for record, diff in zip(newest, _diffs(engine, newest), strict=True):
        exchange = read_exchange(engine.objects, head, record)
        reply = exchange.reply if exchange else ""
        texts[key_of(record)] = AttemptTexts(specs.get(record.spec_blob, ""), diff, reply)
    return texts


def _blobs(engine: Context, oids: Iterable[str]) -> Mapping[str, str]:
    """Return the text of each blob that is there."""
    known = sorted(oid for oid in oids if _ID.fullmatch(oid))
    contents = zip(known, engine.objects.read_many(known), strict=True)
    return {oid: content.decode("utf-8", "replace") for oid, content in contents if content}


def _diffs(engine: Context, records: Iterable[Record]) -> list[str]:
    trees = list(_trees(engine, records))
    found = patches(engine.repository.git, [pair for pair in trees if pair])
    return [found.get(pair, "") if pair else "" for pair in trees]


def _trees(engine: Context, records: Iterable[Record]) -> Iterator[tuple[str, str] | None]:
    """Yield the trees before and after each attempt's change; None where no diff is to be made."""
    room = MOST_LINES
    for record in records:
        size = sum((file.added or 0) + (file.removed or 0) for file in record.attempt.files)
        pair = _tree_pair(engine, record) if record.kind == ATTEMPT and size <= room else None
        room -= size if pair else 0
        yield pair


def _tree_pair(engine: Context, record: Record) -> tuple[str, str] | None:
    commits = (record.base, record.candidate or "")
    if not all(map(_ID.fullmatch, commits)):
        return None
    try:
        before, after = map(engine.objects.tree_of, commits)
    except MachineError:  # as where the ledger was fetched without its branches
        return None
    return before, after
