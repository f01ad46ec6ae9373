"""The ledger: append-only commits on `refs/minitask/ledger`, whose tree holds a JSON file per attempt.

A file is named by its task, its number and a digest of its content, so that two clones' ledgers merge as a union.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from minitask.ledger.record import Record, parse_record, record_document
from minitask.repo import refs
from minitask.repo.commits import FileWrite, NewCommit, Signature
from minitask.repo.objects import TREE, Objects


def record_file(record: Record) -> FileWrite:
    """The file that holds a record."""
    text = json.dumps(record_document(record), indent=1) + "\n"
    content = text.encode("ascii")
    digest = hashlib.sha256(content).hexdigest()[:12]
    return FileWrite(f"{record.task}/{record.attempt.n:04d}-{digest}.json", content)


def append_commit(
    records: Sequence[Record], *, head: str | None, signature: Signature
) -> NewCommit:
    """The commit that appends records to the ledger as it stands at `head`."""
    names = ", ".join(f"{record.task} {record.attempt.n}" for record in records)
    return NewCommit(
        ref=refs.LEDGER,
        message=f"ledger: {names}\n",
        author=signature,
        committer=signature,
        parents=(head,) if head else (),
        writes=tuple(record_file(record) for record in records),
    )


def read_records(objects: Objects, head: str | None, *, below: str = "") -> Iterator[Record]:
    """The records at or below a path (`PROJECT`, `PROJECT/ID`), oldest first in each task; damaged ones are skipped."""
    if head is None:
        return
    found = objects.entry(head, below) if below else None
    root = found.oid if found else (None if below else objects.tree_of(head))
    if root is None:
        return
    records: list[Record] = []
    for oid in _blobs(objects, root):
        try:
            records.append(parse_record(json.loads(objects.blob(oid))))
        except (ValueError, KeyError, TypeError):
            continue
    yield from sorted(records, key=lambda item: (item.task, item.attempt.n, item.started_at))


def added_records(objects: Objects, old: str | None, new: str) -> Iterator[Record]:
    """The records that the ledger holds at `new` and not at `old`, in no order; what is the same is not read."""
    before = objects.tree_of(old) if old else None
    for oid in _added(objects, before, objects.tree_of(new)):
        try:
            yield parse_record(json.loads(objects.blob(oid)))
        except (ValueError, KeyError, TypeError):
            continue


def _added(objects: Objects, before: str | None, tree: str) -> Iterator[str]:
    """The blobs below a tree that are not at the same place below another."""
    known = objects.entries(before) if before else {}
    for name, entry in objects.entries(tree).items():
        same = known.get(name)
        if same == entry:
            continue
        if entry.mode == TREE:
            yield from _added(objects, same.oid if same and same.mode == TREE else None, entry.oid)
        else:
            yield entry.oid


def _blobs(objects: Objects, tree: str) -> Iterator[str]:
    for _name, entry in sorted(objects.entries(tree).items()):
        if entry.mode == TREE:
            yield from _blobs(objects, entry.oid)
        else:
            yield entry.oid
