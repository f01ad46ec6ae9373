"""`minitask record-usage` puts on record what was planned elsewhere, once, and counts on both sides of the savings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from world import World, model_settings, run

SCHEMA = Path(__file__).parents[2] / "schemas" / "record.schema.json"
LEDGER = "refs/minitask/ledger"
OPUS = "claude-opus-4-5-20251101"
FIGURES = ("--model", "grand", "--input", "3000", "--output", "200")
PRICES = {
    "grand": {"input": 10, "output": 20, "cached": 1, "cache_write": 12, "cache_write_1h": 15},
    "claude-opus-4-5": {"input": 5, "output": 25, "cached": 1, "cache_write": 6},
}


@pytest.fixture
def priced(world: World) -> World:
    """A repository whose config knows what two models cost; one of them is on a tier."""
    settings = model_settings("http://127.0.0.1:9", prices=PRICES, baseline={"frontier": "grand"})
    settings["tiers"] = {"balanced": {"executor": "scripted", "model": "claude-opus-4-5"}}
    world.configure(**settings)
    return world


def line(number: int, *, session: str = "s-1", output: int = 40, **fields: Any) -> dict[str, Any]:
    """A line of the transcript: an answer in its minute, of 1,000 fresh tokens and 2,000 of the cache."""
    usage = {
        "input_tokens": 1000,
        "cache_read_input_tokens": 2000,
        "cache_creation_input_tokens": 0,
        "output_tokens": output,
    }
    model = fields.pop("model", OPUS)
    return {
        "type": "assistant",
        "message": {"id": f"msg_{number}", "model": model, "usage": usage},
        "requestId": f"req_{number}",
        "sessionId": session,
        "timestamp": f"2026-01-31T10:{number:02d}:00.000Z",
        **fields,
    }


COST = Decimal("0.008")
"""One such answer: 1000 · 5 + 2000 · 1 + 40 · 25 millionths."""


def transcript(folder: Path, *lines: object, name: str = "s-1") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines))
    return path


def book(world: World, *options: str | Path, project: str = "p") -> Any:
    words = map(str, options)
    outcome = world.minitask("record-usage", project, "--json", *words)
    assert outcome.code == 0, outcome.text
    found = outcome.json
    assert set(found) == {"project", "records", "cost_usd", "new", "skipped"}
    return found


def ledger(world: World) -> dict[str, dict[str, Any]]:
    """The ledger's records by file, each of which fits the schema."""
    if LEDGER not in world.refs():
        return {}
    schema = json.loads(SCHEMA.read_text())
    names = world.git("ls-tree", "-r", "--name-only", LEDGER).splitlines()
    found = {name: json.loads(world.show(name, at=LEDGER)) for name in names}
    for record in found.values():
        jsonschema.validate(record, schema)
    return found


def only(world: World) -> dict[str, Any]:
    (record,) = ledger(world).values()
    return record


def costs(found: Sequence[dict[str, Any]]) -> list[Decimal]:
    return [Decimal(each["cost_usd"]) for each in found]


def test_figures_are_priced_and_on_record_as_a_plan(priced: World) -> None:
    parts = ("--cached", "1000", "--cache-write", "500", "--cache-write-1h", "100")
    found = book(priced, *FIGURES, *parts, "--reasoning", "50", "--note", "in a\nchat")
    cost = Decimal(1400 * 10 + 1000 * 1 + 500 * 12 + 100 * 15 + 200 * 20) / 10**6
    assert (Decimal(found["cost_usd"]), found["new"], found["skipped"]) == (cost, 1, 0)
    (told,) = found["records"]
    assert set(told) == {"phase", "model", "usage", "cost_usd", "note"}
    assert (told["phase"], told["model"], told["note"]) == ("plan", "grand", "in a chat")
    record = only(priced)
    assert (record["kind"], record["task"], record["base"]) == ("plan", "p/@plan", priced.tip())
    assert record["spec"] == {"path": "", "blob": None, "anchor": None}
    attempt = record["attempt"]
    assert attempt["tokens"] == {
        "fresh_input": 1400,
        "cache_read": 1000,
        "cache_write_5m": 500,
        "cache_write_1h": 100,
        "output": 150,
        "reasoning": 50,
    }
    assert (attempt["verdict"], attempt["tier"]) == ("ready", "frontier")
    assert (attempt["executor"], attempt["sandbox"]) == ("elsewhere", "none")
    assert attempt["route"]["reason"] == "recorded by hand: planned elsewhere"
    assert attempt["pricing"]["source"] == "config"


def test_what_was_not_told_is_unknown_and_not_0(priced: World) -> None:
    book(priced, *FIGURES)
    attempt = only(priced)["attempt"]
    assert attempt["usage"]["cached_input_tokens"] is None
    assert attempt["usage"]["requests"] is None


def test_a_review_is_booked_as_one_with_who_and_on_which_tier(priced: World) -> None:
    book(priced, *FIGURES, "--phase", "review", "--executor", "chat", "--tier", "cheap")
    record = only(priced)
    assert (record["kind"], record["task"]) == ("review", "p/@review")
    assert (record["attempt"]["executor"], record["attempt"]["tier"]) == ("chat", "cheap")
    assert record["attempt"]["route"]["reason"] == "recorded by hand: reviewed elsewhere"
    assert list(priced.minitask("report", "--json").json["by_phase"]) == ["review"]


def test_the_tier_is_the_one_whose_model_it_is(priced: World) -> None:
    for model in ("claude-opus-4-5", OPUS):
        book(priced, "--model", model, "--input", "1", "--output", "1")
    assert {each["attempt"]["tier"] for each in ledger(priced).values()} == {"balanced"}


def test_what_was_billed_goes_before_any_price(priced: World) -> None:
    assert book(priced, *FIGURES, "--cost", "1.25")["cost_usd"] == "1.25"
    assert only(priced)["attempt"]["pricing"]["source"] == "billed"


def test_a_subscription_costs_0_and_says_so(priced: World) -> None:
    found = book(priced, *FIGURES, "--subscription")
    assert (found["cost_usd"], "subscription" in found["records"][0]["note"]) == ("0", True)


def test_a_model_of_no_price_is_unpriced_and_never_0(priced: World) -> None:
    figures = ("--model", "nobody-knows", "--input", "5", "--output", "5")
    found = book(priced, *figures)
    assert (found["cost_usd"], found["records"][0]["cost_usd"]) == (None, None)
    assert only(priced)["attempt"]["cost_usd"] is None
    outcome = priced.minitask("record-usage", "p", *figures)
    assert "unpriced" in outcome.stdout
    assert "nobody-knows has no price" in outcome.stderr
    assert "prices" in outcome.stderr
    assert priced.minitask("report", "--json").json["totals"]["unpriced"] == 2


def test_many_requests_are_not_priced_as_one_of_their_size(world: World) -> None:
    figures = ("--model", "claude-haiku-5-5", "--input", "1000000", "--output", "1000")
    one = Decimal(book(world, *figures)["cost_usd"])
    many = Decimal(book(world, *figures, "--requests", "30")["cost_usd"])
    assert many == Decimal("0.1005")
    assert one == 5 * many, "a prompt of more than 100,000 tokens costs five times as much"


def test_what_planning_cost_counts_on_both_sides_and_lessens_the_share_that_is_saved(
    priced: World,
) -> None:
    priced.landed("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    before = priced.minitask("report", "--json").json
    cost = Decimal(book(priced, *FIGURES)["cost_usd"])
    after = priced.minitask("report", "--json", "--project", "p").json
    sides = ("cost_usd", "baseline_cost_usd")
    grown = [Decimal(after["savings"][x]) - Decimal(before["savings"][x]) for x in sides]
    assert grown == [cost, cost]
    assert cost > 0
    assert after["savings"]["saved_percent"] < before["savings"]["saved_percent"]
    assert (after["savings"]["shared_phases"], after["savings"]["shared_usd"]) == (
        ["plan"],
        format(cost, "f"),
    )
    text = priced.minitask("report", "--project", "p").stdout
    assert "planning as spent" in text
    assert ", and planning as spent ($" in text
    assert after["savings"]["tasks"] == before["savings"]["tasks"] == 1
    assert after["totals"]["attempts"] == before["totals"]["attempts"]
    assert Decimal(after["by_phase"]["plan"]["cost_usd"]) == cost


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ((), "--model"),
        (("--model", " ", "--input", "1", "--output", "1"), "--model"),
        (("--model", "grand"), "--input"),
        (("--model", "grand", "--input", "1"), "--output"),
        (("--model", "grand", "--input", "0", "--output", "0"), "--input"),
        (("--model", "grand", "--input", "-1", "--output", "1"), "--input -1"),
        (("--model", "grand", "--input", "many", "--output", "1"), "--input"),
        (("--model", "grand", "--input", str(10**20), "--output", "1"), "--input"),
        ((*FIGURES, "--cached", "3001"), "--cached 3001"),
        ((*FIGURES, "--cached", "3000", "--cache-write", "1"), "--cache-write 1"),
        ((*FIGURES, "--cache-write-1h", "-2"), "--cache-write-1h -2"),
        ((*FIGURES, "--reasoning", "201"), "--reasoning 201"),
        ((*FIGURES, "--requests", "0"), "--requests 0"),
        ((*FIGURES, "--cost", "-1"), "--cost -1"),
        ((*FIGURES, "--cost", "nan"), "--cost nan"),
        ((*FIGURES, "--cost", "1e-99"), "--cost 1e-99"),
        ((*FIGURES, "--cost", "1", "--subscription"), "--subscription"),
        ((*FIGURES, "--since", "2026-01-31"), "--since"),
        ((*FIGURES, "--claude-code", "x"), "--claude-code"),
        ((*FIGURES, "--executor", "person"), "--executor person"),
        ((*FIGURES, "--phase", "implement"), "--phase"),
        (("--claude-code", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--claude-code", "."), "--claude-code"),
        (("--claude-code", "a.txt"), "--claude-code"),
        (("--claude-code", "a.txt", "--since", "soon"), "--since soon"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_bad_usage_and_names_the_option(
    priced: World, options: tuple[str, ...], named: str
) -> None:
    outcome = priced.minitask("record-usage", "p", *options)
    assert (outcome.code, named in outcome.stderr) == (2, True), outcome.text
    assert ledger(priced) == {}


def test_a_name_that_is_no_project_is_bad_usage(priced: World) -> None:
    for name in ("", "../x", "p/01-b", "@plan"):
        assert priced.minitask("record-usage", name, *FIGURES).code == 2
    assert book(priced, *FIGURES, project="mini-projects/q/")["project"] == "q"


@pytest.mark.variant
def test_people_are_told_the_sum_the_next_step_and_that_a_project_is_new(priced: World) -> None:
    outcome = priced.minitask("record-usage", "p", *FIGURES)
    assert outcome.stdout.splitlines() == [
        "plan by grand (tier frontier), 3,000 tokens in, 200 out: $0.0340",
        "recorded 1 record: $0.0340",
        "next: minitask report --project p",
    ]
    assert "project p has no specs" in outcome.stderr
    assert "no project" not in priced.minitask("record-usage", "p", *FIGURES).stderr
    assert len(ledger(priced)) == 2, "figures are booked as often as they are told"


def test_a_dry_run_books_nothing(priced: World, tmp_path: Path) -> None:
    path = transcript(tmp_path, line(1))
    for options in (FIGURES, ("--claude-code", str(path))):
        outcome = priced.minitask("record-usage", "p", *options, "--dry-run")
        assert (outcome.code, "would record 1 record" in outcome.stdout) == (0, True)
        assert book(priced, *options, "--dry-run")["new"] == 1
    assert ledger(priced) == {}


def test_a_head_that_is_detached_is_no_obstacle(priced: World) -> None:
    priced.git("checkout", "-q", "--detach")
    book(priced, *FIGURES)
    assert only(priced)["base"] == priced.tip("HEAD")


def test_a_transcript_is_a_record_for_each_session_and_model(priced: World, tmp_path: Path) -> None:
    aside = line(3, isSidechain=True)
    transcript(tmp_path / "c", line(1, output=1), "{damaged", line(1), line(2, model="grand"))
    transcript(tmp_path / "c" / "s-1" / "subagents", aside, name="agent-1")
    transcript(tmp_path / "c", line(4, session="s-2"), {"type": "summary"}, name="s-2")
    outcome = priced.minitask("record-usage", "p", "--claude-code", str(tmp_path / "c"), "--json")
    found = outcome.json
    assert (outcome.code, "1 line of the transcripts" in outcome.stderr) == (0, True)
    assert (found["new"], found["skipped"]) == (4, 0)
    assert [each["model"] for each in found["records"]] == [OPUS, "grand", OPUS]
    assert costs(found["records"]) == [2 * COST, Decimal("0.0128"), COST]
    assert found["records"][0]["usage"] == {
        "requests": 2,
        "input_tokens": 6000,
        "cached_input_tokens": 4000,
        "output_tokens": 80,
    }
    note = "claude-code session s-1: 2 answers up to 2026-01-31T10:03:00.000+00:00"
    assert found["records"][0]["note"] == f"{note}, 1 by sub-agents"
    records = ledger(priced).values()
    assert len(records) == 3
    first = min(records, key=lambda each: each["started_at"])
    assert first["started_at"] == "2026-01-31T10:01:00.000+00:00"
    assert first["attempt"]["seconds"] == 120
    assert first["attempt"]["route"]["reason"] == "recorded from a transcript: planned elsewhere"


@pytest.mark.variant
def test_a_transcript_that_was_booked_gives_nothing_new(priced: World, tmp_path: Path) -> None:
    path = transcript(tmp_path, line(1), line(2))
    book(priced, "--claude-code", path)
    before = ledger(priced)
    again = book(priced, "--claude-code", path)
    assert (again["records"], again["cost_usd"], again["new"], again["skipped"]) == ([], "0", 0, 2)
    for project in ("p", "q"):
        outcome = priced.minitask("record-usage", project, "--claude-code", str(path))
        assert (
            outcome.code,
            "nothing new to record: 2 answers already recorded\n" in outcome.stdout,
        ) == (0, True)
    assert ledger(priced) == before, "nor does another project take what one has"


def test_of_a_session_that_went_on_only_the_rest_is_booked(priced: World, tmp_path: Path) -> None:
    book(priced, "--claude-code", transcript(tmp_path, line(1), line(2)))
    earlier = line(1, isSidechain=True)
    earlier["message"]["id"], earlier["requestId"] = "msg_9", "req_9"
    grown = transcript(tmp_path, line(1), line(2), earlier, line(3))
    found = book(priced, "--claude-code", grown)
    assert (found["new"], found["skipped"], costs([found])) == (2, 2, [2 * COST])
    total = priced.minitask("report", "--json").json["totals"]
    assert (Decimal(total["cost_usd"]), total["requests"]) == (4 * COST, 4)


def test_a_fork_that_copies_a_session_costs_only_what_it_adds(
    priced: World, tmp_path: Path
) -> None:
    book(priced, "--claude-code", transcript(tmp_path, line(1), line(2)))
    fork = [line(n, session="s-2") for n in (1, 2, 3)]
    found = book(priced, "--claude-code", transcript(tmp_path, *fork, name="s-2"))
    assert (found["new"], found["skipped"]) == (1, 2)


def test_a_time_or_a_session_narrow_it_down_and_the_rest_can_follow(
    priced: World, tmp_path: Path
) -> None:
    later = line(5, timestamp="2026-02-01T00:00:00Z")
    transcript(tmp_path, line(1), line(2), line(3), later)
    transcript(tmp_path, line(4, session="s-2"), name="s-2")
    source = ("--claude-code", tmp_path)
    since, until = "2026-01-31T10:02:00Z", "2026-01-31T11:02:00+01:00"
    assert book(priced, *source, "--since", since, "--until", until)["new"] == 1
    assert book(priced, *source, "--session", "s-2")["new"] == 1
    assert book(priced, *source, "--until", "2026-01-31")["new"] == 2, "to the end of the day"
    assert book(priced, *source)["new"] == 1
    outcome = priced.minitask("record-usage", "p", *map(str, source), "--since", "2030-01-01")
    assert (outcome.code, "no answer is from that time" in outcome.stdout) == (0, True)
    outcome = priced.minitask("record-usage", "p", *map(str, source), "--session", "s-3")
    assert (outcome.code, "s-1, s-2" in outcome.stderr) == (2, True)


def test_a_subscription_paid_a_transcript_too(priced: World, tmp_path: Path) -> None:
    path = transcript(tmp_path, line(1, model="nobody-knows"))
    assert book(priced, "--claude-code", path, "--subscription")["cost_usd"] == "0"


def test_a_model_of_a_transcript_without_a_price_is_unpriced(priced: World, tmp_path: Path) -> None:
    path = transcript(tmp_path, line(1, model="nobody-knows"), line(2))
    found = book(priced, "--claude-code", path)
    assert [each["cost_usd"] for each in found["records"]] == [str(COST), None]
    assert Decimal(found["cost_usd"]) == COST


def clones(world: World, folder: Path) -> World:
    """Another clone, which has other commits, another branch and other figures on record."""
    remote = world.add_remote()
    world.git("push", "-q", "origin", "main")
    run(("git", "clone", "-q", remote.root, folder / "other"), cwd=folder)
    other = World(folder / "other")
    other.git("checkout", "-q", "-b", "elsewhere")
    other.commit({"c.txt": "c\n"})
    book(other, *FIGURES)
    return other


@pytest.mark.variant
def test_two_clones_that_book_the_same_count_it_once(priced: World, tmp_path: Path) -> None:
    other = clones(priced, tmp_path)
    path = transcript(tmp_path / "c", line(1), line(2))
    for each in (priced, other):
        assert book(each, "--claude-code", path)["new"] == 2
    for each in (priced, other, priced):
        assert each.minitask("sync").code == 0
    assert ledger(priced) == ledger(other)
    assert len(ledger(priced)) == 2, "the figures, and the transcript once"
    assert book(priced, "--claude-code", path)["skipped"] == 2


def test_what_two_clones_booked_at_different_times_is_said(priced: World, tmp_path: Path) -> None:
    other = clones(priced, tmp_path)
    book(priced, "--claude-code", transcript(tmp_path / "c", line(1)))
    path = transcript(tmp_path / "c", line(1), line(2))
    book(other, "--claude-code", path)
    for each in (priced, other, priced):
        each.minitask("sync")
    outcome = priced.minitask("record-usage", "p", "--claude-code", str(path))
    assert "nothing new" in outcome.stdout
    assert "1 answer is recorded more than once" in outcome.stderr
