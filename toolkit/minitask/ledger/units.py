"""Records by what they are of: a task and the blob of its spec, one statement of what is to be done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from minitask.ledger.record import Record

Unit = tuple[str, str]
"""A task and the blob of its spec."""


def units_of(records: Iterable[Record]) -> Mapping[Unit, list[Record]]:
    """Return the records of each task at each version of its spec, in the order given."""
    records_by_unit: defaultdict[Unit, list[Record]] = defaultdict(list)
    for record in records:
        records_by_unit[record.task, record.spec_blob].append(record)
    return records_by_unit
