"""Store the ledger as append-only commits on `refs/minitask/ledger`, with a JSON file per attempt.

A file is named by its task, its number and a digest of its content, so that two clones' ledgers merge as a union. The
prompt and reply of an attempt are in a file of the same name with another suffix, which reports do not read.
"""

from __future__ import annotations

import gc
import hashlib
import heapq
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any

import msgspec.json
from msgspec import Struct
from msgspec.structs import astuple

from minitask.git import refs
from minitask.git.commits import FileWrite, NewCommit
from minitask.git.objects import TREE, Objects
from minitask.git.repository import Signature
from minitask.ledger.record import FORMAT, Record
from minitask.ledger.record_json import parse_record, record_document, render_document

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""Exceptions raised by reading a damaged record."""
NO_EVIDENCE: dict[str, Any] = {"commands": (), "before": (), "files": ()}
DIGITS = 60
TEXT = frozenset({str})
COUNT = frozenset({int, type(None)})


class Ledger(Struct, frozen=True):
    """Records, and the number of unreadable ones: `damaged`, or of a `future` format."""

    records: tuple[Record, ...]
    damaged: int = 0
    future: int = 0


class DamagedRecord(Enum):
    """Why a file of the ledger is not a record."""

    DAMAGED = auto()
    FUTURE = auto()


def record_file(record: Record) -> FileWrite:
    """Return the file for a record."""
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
    """Return the commit that appends records to the ledger at `head`; `files` are their files, if already rendered."""
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
    """Return the records at or below a path (`PROJECT`, `PROJECT/ID`), oldest first in each task.

    Without `evidence`, the commands, files and rates of attempts are left out, which halves the time; totals need none.
    """
    with uncollected():
        contents = objects.read_many(_blobs(objects, head, below))
        return _ledger([_parse(content, evidence=evidence) for content in contents])


def read_newest(objects: Objects, head: str | None, *, below: str = "", most: int) -> Ledger:
    """Return the records; only the newest `most` have their commands, files and rates."""
    with uncollected():
        contents = list(objects.read_many(_blobs(objects, head, below)))
        if most >= len(contents):
            return _ledger([_parse_best(content) for content in contents])
        items = [_parse(content, evidence=False) for content in contents]
        times = ((item.started_at, at) for at, item in enumerate(items) if isinstance(item, Record))
        for _, at in heapq.nlargest(most, times):
            items[at] = _parse_best(contents[at])
    return _ledger(items)


def _ledger(items: Sequence[Record | DamagedRecord]) -> Ledger:
    flaws = Counter(item for item in items if isinstance(item, DamagedRecord))
    records = [item for item in items if isinstance(item, Record)]
    records.sort(key=lambda item: (item.task, item.attempt.n, item.started_at))
    return Ledger(
        tuple(records), damaged=flaws[DamagedRecord.DAMAGED], future=flaws[DamagedRecord.FUTURE]
    )


def read_records(objects: Objects, head: str | None, *, below: str = "") -> Iterator[Record]:
    """Yield the readable records at or below a path, oldest first in each task."""
    yield from read_ledger(objects, head, below=below, evidence=True).records


def read_documents(
    objects: Objects, head: str, *, since: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the records, or only those added since an older head, as JSON in any order.

    It is faster than `read_ledger` for a few fields of many records. The documents may be damaged.
    """
    old = objects.tree_of(since) if since else None
    for content in objects.read_many(_added(objects, old, objects.tree_of(head))):
        try:
            document = _document(content)
            if document["format"] == FORMAT:
                yield document
        except UNREADABLE:
            continue


def _blobs(objects: Objects, head: str | None, below: str) -> Iterator[str]:
    """Yield the ids of the files at or below a path of a commit."""
    if head is None:
        return
    if not below:
        yield from _added(objects, None, objects.tree_of(head))
        return
    entry = objects.entry(head, below)
    if entry is not None and entry.mode == TREE:
        yield from _added(objects, None, entry.oid)
    elif entry is not None:
        yield entry.oid


def _added(objects: Objects, before: str | None, tree: str) -> Iterator[str]:
    """Yield the ids of the files in a tree that another tree does not have at the same path, level by level."""
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


def _parse_best(content: bytes | None) -> Record | DamagedRecord:
    """Return the record in a file, without its evidence if only that is damaged."""
    whole = _parse(content, evidence=True)
    return whole if isinstance(whole, Record) else _parse(content, evidence=False)


def _parse(content: bytes | None, *, evidence: bool) -> Record | DamagedRecord:
    """Return the record in a file; a missing file counts as damaged."""
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
    """Return the JSON in a file, by the fast parser if it accepts it."""
    try:
        return msgspec.json.decode(content or b"")
    except msgspec.DecodeError:
        return json.loads(content or b"")


def _is_sound(record: Record) -> bool:
    """Return True if the fields for sorting, grouping and totals have the right types."""
    attempt = record.attempt
    texts = (record.task, record.spec_blob, record.started_at, record.kind)
    more = (attempt.tier, attempt.executor, attempt.model, attempt.gate, attempt.reason)
    amounts = (attempt.cost_usd, record.baseline_cost_usd)
    return (
        TEXT.issuperset(map(type, texts + more))
        and COUNT.issuperset(map(type, astuple(attempt.usage)))
        and type(attempt.n) is int
        and is_moment(record.started_at)
        and all(amount is None or _is_sum(amount) for amount in amounts)
    )


def is_moment(text: str) -> bool:
    """Return True if a text is a time with a time zone."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_sum(amount: Decimal) -> bool:
    """Return True if a number can be an amount of dollars, written with all its digits."""
    return amount.is_finite() and amount >= 0 and abs(amount.adjusted()) < DIGITS


@contextmanager
def uncollected() -> Iterator[None]:
    """Suspend garbage collection, which frees nothing among ten thousand records, but takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


ENDING = ".said"
EXCHANGE_FORMAT = 1
LONGEST_PROMPT, LONGEST_REPLY = 100_000, 200_000
"""Limits in characters; the middle of a longer text is left out."""
_CUT = "\n[… {count:,} characters left out …]\n"


class Exchange(Struct, frozen=True):
    """A prompt and its reply ("" if there was none); `started_at` is the record's."""

    prompt: str = ""
    reply: str = ""
    started_at: str = ""


def exchange_file(exchange: Exchange, record_path: str) -> FileWrite:
    """Return the file for an exchange, next to the record at `record_path`."""
    document = {
        "format": EXCHANGE_FORMAT,
        "started_at": exchange.started_at,
        "prompt": capped(exchange.prompt, LONGEST_PROMPT),
        "reply": capped(exchange.reply, LONGEST_REPLY),
    }
    return FileWrite(record_path.removesuffix(".json") + ENDING, render_document(document))


def read_exchange(objects: Objects, head: str | None, record: Record) -> Exchange | None:
    """Return the exchange of a recorded attempt, or None if the ledger does not have it."""
    entry = objects.entry(head, record.task) if head else None
    if entry is None or entry.mode != TREE:
        return None
    start = f"{record.attempt.n:04d}-"
    blobs = (
        child.oid
        for name, child in sorted(objects.entries(entry.oid).items())
        if name.startswith(start) and name.endswith(ENDING)
    )
    for blob in blobs:
        try:
            document = json.loads(objects.blob(blob))
            fields = {name: str(document[name]) for name in ("prompt", "reply", "started_at")}
        except (ValueError, KeyError, TypeError):
            continue
        if fields["started_at"] == record.started_at:
            return Exchange(**fields)
    return None


def capped(text: str, most: int) -> str:
    """Return the text, without its middle if it is longer than `most` characters."""
    if len(text) <= most:
        return text
    half = most // 2
    return text[:half] + _CUT.format(count=len(text) - 2 * half) + text[-half:]
