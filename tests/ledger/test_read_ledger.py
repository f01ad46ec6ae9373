"""Reading the ledger: whatever its files hold, what can be read comes back and the rest is counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.kit import ATTEMPT, RECORD
from minitask.git import refs
from minitask.git.commits import FileWrite, NewCommit
from minitask.git.objects import CHUNK_BYTES, Objects, open_objects
from minitask.git.repository import Signature
from minitask.git.run_git import Git
from minitask.ledger.record import Record
from minitask.ledger.record_json import record_document
from minitask.ledger.store import (
    Ledger,
    read_documents,
    read_ledger,
    read_newest,
    read_records,
    record_file,
)
from recording import write_commits
from world import World

WHO = Signature("A", "a@example.com", "1700000000 +0000")


@pytest.fixture
def git(world: World) -> Git:
    """The toolkit's git on a real repository."""
    return Git(world.root / ".git", {"PATH": "/usr/local/bin:/usr/bin:/bin"})


def write(git: Git, *files: FileWrite) -> str:
    """Commit files to the ledger on top of what it holds."""
    head = refs.snapshot(git, refs.LEDGER).get(refs.LEDGER)
    parents = (head,) if head else ()
    return write_commits(git, [NewCommit(refs.LEDGER, "x\n", WHO, WHO, parents, files)])[0]


def read(git: Git, *, below: str = "") -> Ledger:
    with open_objects(git) as objects:
        return read_ledger(objects, objects.commit(refs.LEDGER), below=below)


def numbered(n: int, task: str = "p/01-x") -> Record:
    return replace(RECORD, task=task, attempt=replace(ATTEMPT, n=n))


def changed(**changes: Any) -> bytes:
    """A record's file with some values replaced; those of the attempt by `attempt={…}`."""
    document = record_document(RECORD)
    inner = document["attempt"] | changes.pop("attempt", {})
    return json.dumps(document | {"attempt": inner} | changes).encode()


def test_an_empty_ledger_holds_nothing(git: Git) -> None:
    with open_objects(git) as objects:
        assert read_ledger(objects, None) == Ledger(())
    write(git)
    assert read(git) == Ledger(())
    assert read(git, below="p") == Ledger(())


def test_records_come_back_sorted(git: Git) -> None:
    items = [numbered(2), numbered(10), numbered(1), numbered(1, "a/01-y")]
    write(git, *map(record_file, items))
    found = read(git)
    assert [(item.task, item.attempt.n) for item in found.records] == [
        ("a/01-y", 1), ("p/01-x", 1), ("p/01-x", 2), ("p/01-x", 10),
    ]  # fmt: skip
    assert (found.damaged, found.future) == (0, 0)
    assert [item.task for item in read(git, below="a").records] == ["a/01-y"]
    assert read(git, below="a/nowhere/else") == Ledger(())


DAMAGED: Mapping[str, bytes] = {
    "nothing": b"",
    "cut off": changed()[:-20],
    "no UTF-8": b'{"format": 1, "task": "\xff"}',
    "no object": b"[1, 2]",
    "a number": b"7",
    "null": b"null",
    "deep": b"[" * 100_000,
    "a long number": b'{"format": ' + b"9" * 5000 + b"}",
    "no format": b"{}",
    "a format of text": b'{"format": "2"}',
    "format true": changed(format=True, task=1),
    "no attempt": changed()[:40] + b"}",
    "an attempt that is a list": json.dumps(record_document(RECORD) | {"attempt": []}).encode(),
    "task is a number": changed(task=7),
    "task is null": changed(task=None),
    "begun at null": changed(started_at=None),
    "spec is text": changed(spec="x"),
    "a verdict unheard of": changed(attempt={"verdict": "splendid"}),
    "n is text": changed(attempt={"n": "1"}),
    "tokens are text": changed(attempt={"usage": {"requests": "one"}}),
    "classes are a list": changed(attempt={"tokens": [1]}),
    "money is a word": changed(attempt={"cost_usd": "much"}),
    "money is infinite": changed(attempt={"cost_usd": "Infinity"}),
    "money is no number": changed(baseline_cost_usd="NaN"),
    "money of a million digits": changed(baseline_cost_usd="1e999999"),
    "begun at no time": changed(started_at="2026-01-02Tx"),
    "begun in no zone": changed(started_at="2026-01-02T00:00:00"),
    "money is negative": changed(attempt={"cost_usd": "-1"}),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_record_is_counted_and_stops_nothing(git: Git, content: bytes) -> None:
    write(git, record_file(RECORD), FileWrite("p/01-x/0002-x.json", content))
    found = read(git)
    assert (len(found.records), found.damaged, found.future) == (1, 1, 0)
    with open_objects(git) as objects:
        head = objects.commit(refs.LEDGER)
        assert head is not None
        assert list(read_records(objects, head)) == [RECORD]


def test_a_record_of_a_later_format_is_counted_apart(git: Git) -> None:
    later = FileWrite("p/01-x/0002-x.json", b'{"format": 2, "anything": "else"}')
    write(git, record_file(RECORD), later, FileWrite("p/01-x/0003-x.json", b"{"))
    found = read(git)
    assert (len(found.records), found.damaged, found.future) == (1, 1, 1)


def test_junk_is_counted_wherever_it_stands(git: Git) -> None:
    write(
        git,
        record_file(RECORD),
        FileWrite("README.md", b"# what is this\n"),
        FileWrite("a/b/c/d/e/f.json", b"{}"),
        FileWrite("p/link", b"01-x", mode="120000"),
    )
    found = read(git)
    assert (len(found.records), found.damaged) == (1, 3)
    assert read(git, below="README.md") == Ledger((), damaged=1)
    assert read(git, below="a/b") == Ledger((), damaged=1)


def test_a_record_at_an_unusual_place_is_read_all_the_same(git: Git) -> None:
    write(git, replace(record_file(RECORD), path="deep/er/and/deeper.json"))
    assert [item.task for item in read(git).records] == ["p/01-x"]


def test_sums_need_no_evidence_and_records_have_it(git: Git) -> None:
    document = record_document(RECORD)
    document["attempt"]["files"] = [{"path": "a", "status": "M", "added": 1, "removed": 2}]
    write(git, FileWrite("p/01-x/0001-x.json", json.dumps(document).encode()))
    with open_objects(git) as objects:
        head = objects.commit(refs.LEDGER)
        (lean,) = read_ledger(objects, head).records
        (full,) = read_ledger(objects, head, evidence=True).records
    assert (lean.attempt.files, full.attempt.files[0].path) == ((), "a")
    assert replace(full, attempt=replace(full.attempt, files=())) == lean


def test_the_newest_have_evidence_and_damage_in_it_changes_no_sum(git: Git) -> None:
    files = [{"path": "a", "status": "M", "added": 1, "removed": 2}]
    whole = {
        n: changed(attempt={"n": n, "files": files}, started_at=f"2026-01-0{n}T00:00Z")
        for n in (1, 2, 3)
    }
    whole[3] = changed(attempt={"n": 3, "files": [{"no": "path"}]}, started_at="2026-01-03T00:00Z")
    write(git, *(FileWrite(f"p/01-x/000{n}-x.json", content) for n, content in whole.items()))
    with open_objects(git) as objects:
        ledger = read_newest(objects, objects.commit(refs.LEDGER), most=2)
    assert [len(item.attempt.files) for item in ledger.records] == [0, 1, 0]
    assert replace(ledger, records=()) == replace(read(git), records=()) == Ledger(())


def test_only_what_was_added_is_read(git: Git) -> None:
    old = write(git, record_file(numbered(1)), record_file(numbered(1, "q/01-y")))
    new = write(git, record_file(numbered(2)))
    with open_objects(git) as objects:
        assert [item["attempt"]["n"] for item in read_documents(objects, new, since=old)] == [2]
        assert list(read_documents(objects, new, since=new)) == []
        assert {item["task"] for item in read_documents(objects, new)} == {"p/01-x", "q/01-y"}


@pytest.fixture
def blobs(git: Git) -> list[tuple[str, bytes]]:
    """Many objects with their content, some larger than any pipe."""
    contents = [b"%d\n" % n * (1 if n % 50 else 60_000) for n in range(300)]
    files = [FileWrite(f"{n:03d}", content) for n, content in enumerate(contents)]
    commit = write(git, *files)
    return [(f"{commit}:{n:03d}", content) for n, content in enumerate(contents)]


def names(blobs: list[tuple[str, bytes]]) -> list[str]:
    return [name for name, _ in blobs]


def test_many_objects_come_in_order_with_gaps_where_there_is_none(
    git: Git, blobs: list[tuple[str, bytes]]
) -> None:
    asked = [name for pair in zip(names(blobs), ["no-such"] * 300, strict=True) for name in pair]
    with open_objects(git) as objects:
        found = list(objects.read_many(asked))
        assert list(objects.read_many([])) == []
    assert found == [item for _, content in blobs for item in (content, None)]


def test_other_reads_may_come_between_and_the_rest_stay_unread(
    git: Git, blobs: list[tuple[str, bytes]]
) -> None:
    def content(objects: Objects, place: int) -> bytes:
        found = objects.read(names(blobs)[place])
        assert found is not None
        return found[2]

    with open_objects(git) as objects:
        one, other = objects.read_many(names(blobs)), objects.read_many(reversed(names(blobs)))
        for place in range(200):
            assert next(one) == blobs[place][1]
            assert next(other) == blobs[-1 - place][1]
            if place % 7 == 0:
                assert content(objects, place) == blobs[place][1]
        one.close()
        assert content(objects, 5) == blobs[5][1]
        assert next(other) == blobs[-201][1]


def test_a_name_longer_than_a_pipe_blocks_nothing(git: Git, blobs: list[tuple[str, bytes]]) -> None:
    long = "x" * (100 * CHUNK_BYTES)
    asked = [*names(blobs)[:120], long, *names(blobs)[120:240], long, long]
    with open_objects(git) as objects:
        found = list(objects.read_many(asked))
    assert [item for item in found if item is not None] == [content for _, content in blobs[:240]]
    assert found.count(None) == 3
