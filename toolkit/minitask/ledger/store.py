"""The ledger: append-only commits on `refs/minitask/ledger`, whose tree holds a JSON file per attempt.

A file is named by its task, its number and a digest of its content, so that two clones' ledgers merge as a union.
"""

from __future__ import annotations

import gc
import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any

import msgspec.json
from msgspec import Struct

from minitask.git import refs
from minitask.git.commits import FileWrite, NewCommit
from minitask.git.objects import TREE, Objects
from minitask.git.repository import Signature
from minitask.ledger.exchange import ENDING
from minitask.ledger.record import FORMAT, Record
from minitask.ledger.record_json import parse_record, record_document, render_document

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading a record raises that is damaged in whatever way."""
NO_EVIDENCE: dict[str, Any] = {"commands": (), "before": (), "files": ()}
DIGITS = 60
TEXT = frozenset({str})
COUNT = frozenset({int, type(None)})


class Ledger(Struct, frozen=True):
    """Records, and how many more there are that cannot be read: `damaged` ones, and those of a `future` format."""

    records: tuple[Record, ...]
    damaged: int = 0
    future: int = 0


class DamagedRecord(Enum):
    """The reason why a file of the ledger is not a record."""

    DAMAGED = auto()
    FUTURE = auto()


def record_file(record: Record) -> FileWrite:
    """Return the file that holds a record."""
    content = render_document(record_document(record))
    digest = hashlib.sha256(content).hexdigest()[:12]
    return FileWrite(f"{record.task}/{record.attempt.n:04d}-{digest}.json", content)


def append_commit(
    records: Sequence[Record],
    *,
    head: str | None,
    signature: Signature,
    files: Sequence[FileWrite] | None = None,
) -> NewCommit:
    """Return the commit that appends records to the ledger as it stands at `head`; `files` are theirs, where they
    are made.
    """
    names = ", ".join(f"{record.task} {record.attempt.n}" for record in records)
    return NewCommit(
        ref=refs.LEDGER,
        message=f"ledger: {names}\n",
        author=signature,
        committer=signature,
        parents=(head,) if head else (),
        writes=tuple(record_file(record) for record in records) if files is None else tuple(files),
    )


def read_ledger(
    objects: Objects, head: str | None, *, below: str = "", evidence: bool = False
) -> Ledger:
    """All that the ledger holds at or below a path (`PROJECT`, `PROJECT/ID`), oldest first in each task.

    Records that are damaged or of a later format are counted, and stop nothing. Without `evidence` the commands, files
    and rates of each attempt are left out, which takes half of the time: sums need none of them.
    """
    with uncollected():
        found = list(_parsed(objects.read_many(_blobs(objects, head, below)), evidence=evidence))
    return _ledger(found)


def read_newest(objects: Objects, head: str | None, *, below: str = "", most: int) -> Ledger:
    """The same, with the commands, files and rates of the newest records, as many as `most`."""
    with uncollected():
        contents = list(objects.read_many(_blobs(objects, head, below)))
        if most >= len(contents):
            return _ledger([_parse_best(content) for content in contents])
        found = list(_parsed(contents, evidence=False))
        times = ((item.started_at, at) for at, item in enumerate(found) if isinstance(item, Record))
        for _, at in heapq.nlargest(most, times):
            found[at] = _parse_best(contents[at])
    return _ledger(found)


def _ledger(found: Sequence[Record | DamagedRecord]) -> Ledger:
    flaws = Counter(item for item in found if isinstance(item, DamagedRecord))
    records = [item for item in found if isinstance(item, Record)]
    records.sort(key=lambda item: (item.task, item.attempt.n, item.started_at))
    return Ledger(
        tuple(records), damaged=flaws[DamagedRecord.DAMAGED], future=flaws[DamagedRecord.FUTURE]
    )


def read_records(objects: Objects, head: str | None, *, below: str = "") -> Iterator[Record]:
    """Yield the records at or below a path, oldest first in each task; what cannot be read is skipped."""
    yield from read_ledger(objects, head, below=below, evidence=True).records


def read_documents(
    objects: Objects, head: str | None, *, below: str = "", since: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield what the ledger holds at or below a path, or has gained since an older head, as JSON and in no order.

    For whoever needs a few fields of many records: making values of them takes most of the time. What is no JSON of
    this format is skipped; the rest may be damaged anyway.
    """
    if since is not None and head is not None:
        blobs = _added(objects, objects.tree_of(since), objects.tree_of(head))
    else:
        blobs = _blobs(objects, head, below)
    for content in objects.read_many(blobs):
        try:
            document = _document(content)
            if document["format"] == FORMAT:
                yield document
        except UNREADABLE:
            continue


def _blobs(objects: Objects, head: str | None, below: str) -> Iterator[str]:
    """Return the ids of the files at or below a path of a commit."""
    if head is None:
        return iter(())
    if not below:
        return _added(objects, None, objects.tree_of(head))
    entry = objects.entry(head, below)
    if entry is None:
        return iter(())
    return _added(objects, None, entry.oid) if entry.mode == TREE else iter((entry.oid,))


def _added(objects: Objects, before: str | None, tree: str) -> Iterator[str]:
    """Yield the ids of the files below a tree that are not at the same place below another, level by level."""
    level: list[tuple[str | None, str]] = [(before, tree)]
    while level:
        trees = [oid for pair in level for oid in pair if oid]
        names = dict(zip(trees, objects.entries_of(trees), strict=True))
        deeper: list[tuple[str | None, str]] = []
        for old, new in level:
            old_names = names[old] if old else {}
            for name, entry in names[new].items():
                same = old_names.get(name)
                if same == entry:
                    continue
                if entry.mode == TREE:
                    deeper.append((same.oid if same and same.mode == TREE else None, entry.oid))
                elif not name.endswith(ENDING):
                    yield entry.oid
        level = deeper


def _parsed(
    contents: Iterable[bytes | None], *, evidence: bool
) -> Iterator[Record | DamagedRecord]:
    """Yield what is in each file."""
    for content in contents:
        yield _parse(content, evidence=evidence)


def _parse_best(content: bytes | None) -> Record | DamagedRecord:
    """Return the record in a file, without its evidence where that alone is damaged."""
    whole = _parse(content, evidence=True)
    return whole if isinstance(whole, Record) else _parse(content, evidence=False)


def _parse(content: bytes | None, *, evidence: bool) -> Record | DamagedRecord:
    """Return the record in a file; a file that is not there is damaged too."""
    try:
        document = _document(content)
        written = document["format"]
        if type(written) is int and written > FORMAT:
            return DamagedRecord.FUTURE
        if not evidence:
            document["attempt"].update(NO_EVIDENCE)
            if document["attempt"].get("pricing"):
                document["attempt"]["pricing"]["usd_per_million_tokens"] = {}
            if document["attempt"].get("route"):
                document["attempt"]["route"]["ladder"] = ()
        record = parse_record(document)
    except UNREADABLE:
        return DamagedRecord.DAMAGED
    return record if _is_sound(record) else DamagedRecord.DAMAGED


def _document(content: bytes | None) -> Any:
    """Return what a file holds, by the fast reader where it is as strict as it should be."""
    try:
        return msgspec.json.decode(content or b"")
    except msgspec.DecodeError:
        return json.loads(content or b"")


def _is_sound(record: Record) -> bool:
    """Return True if what records are sorted, grouped and summed by is of the type that it should be."""
    attempt, usage = record.attempt, record.attempt.usage
    texts = (record.task, record.spec_blob, record.started_at, record.kind)
    more = (attempt.tier, attempt.executor, attempt.model, attempt.gate, attempt.reason)
    counts = (
        attempt.n,
        usage.requests,
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.output_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
    )
    amounts = (attempt.cost_usd, record.baseline_cost_usd)
    return (
        TEXT.issuperset(map(type, texts + more))
        and COUNT.issuperset(map(type, counts))
        and attempt.n is not None
        and is_moment(record.started_at)
        and all(amount is None or is_sum(amount) for amount in amounts)
    )


def is_moment(text: str) -> bool:
    """Return True if a text is a time with its zone."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def is_sum(amount: Decimal) -> bool:
    """Return True if a number could be dollars: what is written out in full must not have a million digits."""
    return amount.is_finite() and amount >= 0 and abs(amount.adjusted()) < DIGITS


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: among ten thousand records it finds nothing, and costs a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
