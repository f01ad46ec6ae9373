"""The texts of many attempts at once: their specs, diffs and replies, as far as this repository holds them."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from minitask.engine.context import Context
from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.merge_tree import patches
from minitask.git.objects import Objects, open_objects
from minitask.git.run_git import Git
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
    """Return the texts of the newest records; a diff is left out where the newer ones have too many lines.

    Nothing is fetched for it: a partial clone that lacks one of them has none.
    """
    newest = heapq.nlargest(DETAILED, records, key=lambda record: record.started_at)
    git = engine.repository.git.with_setting("protocol.allow", "never")
    try:
        with open_objects(git) as objects:
            return _texts(git, objects, newest)
    except MachineError:
        return {}


def _texts(git: Git, objects: Objects, records: list[Record]) -> Mapping[Key, AttemptTexts]:
    head = objects.commit(refs.LEDGER)
    specs = _blobs(objects, {record.spec_blob for record in records})
    trees = list(_trees(objects, records))
    diffs = patches(git, [pair for pair in trees if pair])
    texts = {}
    for record, pair in zip(records, trees, strict=True):
        exchange = read_exchange(objects, head, record)
        texts[key_of(record)] = AttemptTexts(
            specs.get(record.spec_blob, ""),
            diffs.get(pair, "") if pair else "",
            exchange.reply if exchange else "",
        )
    return texts


def _blobs(objects: Objects, oids: Iterable[str]) -> Mapping[str, str]:
    """Return the text of each blob that is there."""
    known = sorted(oid for oid in oids if _ID.fullmatch(oid))
    contents = zip(known, objects.read_many(known), strict=True)
    return {oid: content.decode("utf-8", "replace") for oid, content in contents if content}


def _trees(objects: Objects, records: Iterable[Record]) -> Iterator[tuple[str, str] | None]:
    """Yield the trees before and after each attempt's change; None where no diff is to be made."""
    room = MOST_LINES
    for record in records:
        size = sum((file.added or 0) + (file.removed or 0) for file in record.attempt.files)
        pair = _tree_pair(objects, record) if record.kind == ATTEMPT and size <= room else None
        room -= size if pair else 0
        yield pair


def _tree_pair(objects: Objects, record: Record) -> tuple[str, str] | None:
    commits = (record.base, record.candidate or "")
    if not all(map(_ID.fullmatch, commits)):
        return None
    try:
        before, after = map(objects.tree_of, commits)
    except MachineError:  # as where the ledger was fetched without its branches
        return None
    return before, after
