"""Records: as values, as JSON by their schema, and in the ledger of two clones."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from ledger.kit import record_of
from minitask import resources
from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.commits import FileWrite
from minitask.git.objects import open_objects
from minitask.git.repository import Signature
from minitask.git.run_git import Git
from minitask.ledger.record import Attempt, CommandRecord, FileRecord, Record, Usage, Verdict, money
from minitask.ledger.record_json import parse_record, record_document, render_document
from minitask.ledger.store import append_commit, read_records, record_file
from recording import write_commits
from world import World

OID = "a" * 40
WHO = Signature("A", "a@example.com", "1700000000 +0000")

counts = st.none() | st.integers(0, 10**9)
amounts = st.none() | st.decimals(0, 1000, places=6)
words = st.text(st.characters(codec="utf-8"), max_size=20)
seconds = st.floats(0, 1000).map(lambda value: round(value, 4))
commands = st.builds(
    CommandRecord, st.integers(0, 99), words, counts, st.booleans(), seconds, words, words
)
attempts = st.builds(
    Attempt,
    n=st.integers(1, 99),
    tier=st.sampled_from(["none", "free", "cheap", "balanced", "frontier"]),
    executor=words,
    model=words,
    verdict=st.sampled_from(Verdict),
    gate=words,
    reason=words,
    usage=st.builds(Usage, counts, counts, counts, counts),
    cost_usd=amounts,
    seconds=seconds,
    sandbox=st.sampled_from(["strong", "partial", "none"]),
    commands=st.tuples(commands),
    before=st.just(()),
    files=st.tuples(st.builds(FileRecord, words, st.just("M"), counts, counts)),
)


def record(attempt: Attempt, *, task: str = "p/01-x", kind: str = "attempt") -> Record:
    """A record of an attempt."""
    return record_of(attempt, task=task, notes=("a note",), kind=kind)


PLAIN = Attempt(
    1, "none", "script", "", Verdict.READY, "", "", Usage(0, 0, 0, 0), Decimal(0), 1.5, "strong"
)


@pytest.mark.variant
@given(attempts, st.sampled_from(["attempt", "landing"]))
def test_a_record_survives_json_and_fits_its_schema(attempt: Attempt, kind: str) -> None:
    document = record_document(record(attempt, kind=kind))
    Draft202012Validator(resources.schema("record")).validate(document)
    assert parse_record(document) == record(attempt, kind=kind)


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("0.0000", "0"), ("1E+3", "1000"), ("0.00010", "0.0001"), ("12", "12")],
)
def test_money_is_a_plain_decimal_string(amount: str, text: str) -> None:
    assert money(Decimal(amount)) == text


def test_unknown_money_is_null() -> None:
    assert money(None) is None


def append(git: Git, item: Record) -> None:
    """Append a record to the ledger of a repository."""
    head = refs.snapshot(git, refs.LEDGER).get(refs.LEDGER)
    write_commits(git, [append_commit([item], head=head, signature=WHO)])


def read(git: Git, *, below: str = "") -> list[Record]:
    """All records of a repository's ledger."""
    with open_objects(git) as objects:
        return list(read_records(objects, objects.commit(refs.LEDGER), below=below))


@pytest.fixture
def git(world: World) -> Git:
    """The toolkit's git on a real repository."""
    return Git(world.root / ".git", {"PATH": "/usr/local/bin:/usr/bin:/bin"})


def test_records_come_back_in_the_order_of_their_attempts(git: Git) -> None:
    items = [record(replace(PLAIN, n=number)) for number in (2, 1, 3)]
    for item in [*items, record(PLAIN, task="q/01-y")]:
        append(git, item)
    assert [item.attempt.n for item in read(git, below="p/01-x")] == [1, 2, 3]
    assert [item.task for item in read(git, below="q")] == ["q/01-y"]
    assert len(read(git)) == 4
    assert read(git, below="r") == []


def test_an_append_from_an_old_head_is_refused(git: Git) -> None:
    append(git, record(PLAIN))
    late = append_commit([record(replace(PLAIN, n=2))], head=None, signature=WHO)
    with pytest.raises(MachineError):
        write_commits(git, [late])
    assert len(read(git)) == 1


def test_damaged_and_later_records_are_skipped(world: World, git: Git) -> None:
    append(git, record(PLAIN))
    head = refs.snapshot(git, refs.LEDGER)[refs.LEDGER]
    commit = append_commit([record(replace(PLAIN, n=2))], head=head, signature=WHO)
    broken = (
        FileWrite("p/01-x/0003-x.json", b"{"),
        FileWrite("p/01-x/0004-x.json", b'{"format": 99}'),
        FileWrite("p/01-x/0005-x.json", b"\xff"),
    )
    write_commits(git, [replace(commit, writes=(*commit.writes, *broken))])
    assert [item.attempt.n for item in read(git)] == [1, 2]
    assert world.git("fsck", "--strict") == ""


def test_the_ledgers_of_two_clones_merge_as_a_union(world: World, git: Git, tmp_path: Path) -> None:
    append(git, record(PLAIN))
    clone = World(tmp_path / "clone")
    world.git("clone", "--quiet", ".", str(clone.root))
    clone.git("fetch", "--quiet", "origin", f"{refs.LEDGER}:{refs.LEDGER}")
    append(git, record(replace(PLAIN, n=2, reason="here")))
    append(Git(clone.root / ".git", git.environ), record(replace(PLAIN, n=2, reason="there")))
    clone.git("fetch", "--quiet", "origin", f"{refs.LEDGER}:refs/theirs")
    tree = clone.git("merge-tree", "--write-tree", refs.LEDGER, "refs/theirs")
    names = clone.git("ls-tree", "-r", "--name-only", tree).splitlines()
    assert len(names) == 3


def test_one_record_has_one_name() -> None:
    assert record_file(record(PLAIN)) == record_file(record(PLAIN))


@given(st.dictionaries(st.text(), st.lists(st.none() | st.integers() | st.text())))
def test_a_document_is_written_as_json_writes_it(document: dict[str, Any]) -> None:
    assert render_document(document) == json.dumps(document, indent=1).encode() + b"\n"


def test_a_name_that_is_not_utf_8_can_be_written() -> None:
    document = {"path": "a\udcff.txt"}
    assert json.loads(render_document(document)) == document
