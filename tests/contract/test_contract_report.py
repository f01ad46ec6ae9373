"""`minitask report` adds up what real runs have put on record."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import Received, completion, scripted_server
from world import Once, World, model_settings

KEYS = {
    *("totals", "by_tier", "by_model", "by_phase", "by_project"),
    *("savings", "first_try_rate", "failures_by_gate", "escalations", "estimate_error"),
}
COST = Decimal("0.0014")
"""One request of the scripted server at the settings' prices."""


def answer(request: Received) -> Any:
    """Repairs b at the second request, never gets c right, and does d at once."""
    prompt = request.prompt
    first = len(request.json["messages"]) == 2
    if "c.txt" in prompt:
        return completion("```text path=c.txt\nnot c\n```\n")
    if "d.txt" in prompt:
        return completion("```text path=d.txt\nd\n```\n")
    return completion(f"```text path=b.txt\n{'not b' if first else 'b'}\n```\n")


@pytest.fixture
def worked(once: Once) -> World:
    """A script, a repair, a failure that is tried on a higher tier, and a model without a price."""
    return once(work)


def work(world: World) -> None:
    with scripted_server(answer) as server:
        settings = model_settings(
            server.base_url, baseline={"frontier": "grand"}, routing={"max_escalations": 0}
        )
        settings["tiers"]["free"] = {"executor": "scripted", "model": "nobody-knows"}
        settings["tiers"]["balanced"] = {"executor": "scripted", "model": "tiny"}
        settings["prices"]["grand"] = {"input": 1000, "output": 2000}
        world.configure(**settings)
        world.task("p/01-a", whole={"s.txt": "s\n"}, validation="grep -qx s s.txt")
        for name in "bcd":
            project = "q" if name == "d" else "p"
            world.task(
                f"{project}/02-{name}",
                writes=[f"{name}.txt"],
                validation=f"grep -qx {name} {name}.txt",
                title=f"Write {name}.txt",
            )
        verdicts = [
            world.exec("p/01-a").json["verdict"],
            world.exec("p/02-b").json["verdict"],
            world.exec("p/02-c").json["verdict"],
            world.exec("p/02-c", "--tier", "balanced").json["verdict"],
            world.exec("q/02-d", "--tier", "free").json["verdict"],
        ]
    assert verdicts == ["merged", "merged", "failed", "failed", "merged"]


def report(world: World, *options: str) -> dict[str, Any]:
    outcome = world.minitask("report", "--format", "json", *options)
    assert outcome.code == 0, outcome.text
    found: dict[str, Any] = outcome.json
    return found


@pytest.mark.variant
def test_the_document_has_what_the_design_says_and_adds_up(worked: World) -> None:
    found = report(worked)
    assert set(found) >= KEYS
    totals = found["totals"]
    assert (totals["attempts"], totals["tasks"], totals["requests"]) == (8, 4, 7)
    assert (totals["input_tokens"], totals["output_tokens"]) == (700, 140)
    assert Decimal(totals["cost_usd"]) == 6 * COST
    assert totals["unpriced"] == 1
    assert sum(totals["tokens"][name] or 0 for name in totals["tokens"]) == 840
    for key in ("by_tier", "by_model", "by_phase", "by_project", "by_day"):
        groups = found[key].values()
        assert sum(Decimal(each["cost_usd"] or 0) for each in groups) == 6 * COST, key
        for name in ("records", "attempts", "requests", "input_tokens", "output_tokens"):
            assert sum(each[name] for each in groups) == totals[name], (key, name)


@pytest.mark.variant
def test_the_records_and_the_log_add_up_to_the_same(worked: World) -> None:
    rows = list(csv.DictReader(io.StringIO(worked.minitask("report", "--format", "csv").stdout)))
    lines = worked.minitask("report", "--format", "jsonl").stdout.splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(rows) == len(documents) == report(worked)["totals"]["records"]
    assert all(each["attempt"]["files"] and each["attempt"]["commands"] for each in documents)
    whole = worked.minitask("ledger", "export").stdout.splitlines()
    assert [line for line in whole if json.loads(line)["kind"] != "landing"] == lines
    assert sum(Decimal(json.loads(line)["attempt"]["cost_usd"] or 0) for line in whole) == 6 * COST
    mistyped = worked.minitask("ledger", "export", "--project", "qq")
    assert (mistyped.code, mistyped.stdout, "did you mean q?" in mistyped.stderr) == (2, "", True)
    narrowed = worked.minitask("ledger", "export", "--format", "csv", "--project", "q").stdout
    assert {row["task"] for row in csv.DictReader(io.StringIO(narrowed))} == {"q/02-d"}
    assert sum(Decimal(row["cost_usd"] or 0) for row in rows) == 6 * COST
    assert sum(Decimal(each["attempt"]["cost_usd"] or 0) for each in documents) == 6 * COST
    log = worked.minitask("report", "--format", "log").stdout
    assert "- **Implementation**: 700 in + 140 out tokens, $0.0084 + 1 unpriced" in log
    assert "    - p/02-c: 400 in + 80 out tokens" in log
    assert "- 3 attempts failed at validate" in log or "failed at validate" in log
    assert "p/02-b failed 1 time: see what its spec left open" in log
    assert "a month" in log
    day = report(worked)["period"]["first"][:10]
    assert f"\n**Date**: {day}  \n**Attempts**: 8 at 4 tasks  \n" in log


def test_one_grouping_and_a_floor_for_what_is_saved(worked: World) -> None:
    text = worked.minitask("report", "--by", "day").stdout
    assert ("By day" in text, "By tier" in text) == (True, False)
    assert worked.minitask("report", "--fail-under", "10").code == 0
    outcome = worked.minitask("report", "--fail-under", "100")
    assert (outcome.code, "less than --fail-under" in outcome.stderr) == (1, True)


def test_groups_are_those_of_the_attempts(worked: World) -> None:
    found = report(worked)
    assert list(found["by_tier"]) == ["none", "free", "cheap", "balanced"]
    assert set(found["by_model"]) == {"script", "tiny", "nobody-knows"}
    assert found["by_model"]["nobody-knows"]["cost_usd"] is None
    assert found["by_model"]["script"]["cost_usd"] == "0"
    assert list(found["by_phase"]) == ["implement"]
    assert {name: each["attempts"] for name, each in found["by_project"].items()} == {
        "p": 7,
        "q": 1,
    }


def test_tries_failures_and_escalations_are_counted(worked: World) -> None:
    found = report(worked)
    assert found["first_try_rate"] == 0.5
    assert found["first_tries"] == {"tasks": 4, "proven": 2}
    assert found["failures_by_gate"] == {"validate": 5}
    assert (found["repairs"], found["escalations"]) == (3, 1)
    assert found["estimate_error"]["tasks"] == 7, "all that one call was made for"
    assert (found["damaged"], found["future"]) == (0, 0)


def test_savings_are_against_the_frontier_model_once_a_proven_task(worked: World) -> None:
    savings = report(worked)["savings"]
    proven = [worked.records(task)[-1] for task in ("p/01-a", "p/02-b")]
    baseline = sum(Decimal(record["baseline_cost_usd"]) for record in proven)
    assert savings["baseline_model"] == "grand"
    assert Decimal(savings["baseline_cost_usd"]) == baseline
    assert sum(map(Decimal, savings["baseline_by_day"].values())) == baseline
    assert Decimal(savings["cost_usd"]) == 6 * COST
    assert Decimal(savings["saved_usd"]) == baseline - 6 * COST
    assert savings["saved_percent"] == round(float(100 - 100 * 6 * COST / baseline), 1)
    assert (savings["tasks"], savings["left_out"]) == (2, 1), "the unpriced one is left out"


def test_a_period_and_a_project_narrow_it_down(worked: World) -> None:
    everything = report(worked)
    assert report(worked, "--project", "q")["totals"]["attempts"] == 1
    assert report(worked, "--project", "mini-projects/q/")["project"] == "q"
    first = everything["period"]["first"]
    assert report(worked, "--since", first)["totals"] == everything["totals"]
    last = report(worked, "--since", everything["period"]["last"])
    assert last["totals"]["attempts"] == 1
    mistyped = worked.minitask("report", "--project", "qq")
    assert (mistyped.code, "did you mean q?" in mistyped.stderr) == (2, True), mistyped.text
    none = report(worked, "--since", "2999-01-01")
    assert (none["totals"]["attempts"], none["period"]["first"]) == (0, None)
    assert (
        "no attempts since 2999-01-01" in worked.minitask("report", "--since", "2999-01-01").stdout
    )


def test_people_can_read_it(worked: World, tmp_path: Path) -> None:
    text = worked.minitask("report").stdout
    for word in ("8 attempts at 4 tasks", "grand once for each of 2", "nobody-knows", "validate"):
        assert word in text
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("By tier"))
    assert len({len(line) for line in lines[start : start + 6]}) == 1, "columns are aligned"
    markdown = worked.minitask("report", "--format", "md").stdout
    assert "| cheap | 4 |" in markdown
    target = tmp_path / "report.html"
    outcome = worked.minitask("report", "--format", "html", "--output", str(target))
    assert (outcome.code, outcome.stdout) == (0, "")
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_a_repository_without_attempts_says_so(world: World) -> None:
    outcome = world.minitask("report")
    assert (outcome.code, "no attempts" in outcome.stdout) == (0, True)
    assert "no attempts" in world.minitask("report", "--format", "html").stdout
    found = report(world)
    assert (found["totals"]["cost_usd"], found["first_try_rate"]) == ("0", None)
    assert found["by_tier"] == {}


def test_damaged_and_later_records_are_said_and_stop_nothing(worked: World) -> None:
    ledger = "refs/minitask/ledger"
    for name, content in {"x.json": b"{", "y.json": b'{"format": 99}'}.items():
        worked.write({name: content})
        blob = worked.git("hash-object", "-w", name)
        worked.git("read-tree", "--index-output=.git/other", ledger)
        other = {"GIT_INDEX_FILE": ".git/other"}
        cacheinfo = f"100644,{blob},p/02-b/0009-{name}"
        worked.git("update-index", "--add", "--cacheinfo", cacheinfo, env=other)
        tree = worked.git("write-tree", env=other)
        commit = worked.git("commit-tree", tree, "-p", ledger, "-m", "x")
        worked.git("update-ref", ledger, commit)
    found = report(worked)
    assert (found["damaged"], found["future"], found["totals"]["attempts"]) == (1, 1, 8)
    text = worked.minitask("report").stdout
    assert "1 damaged record skipped" in text
    assert "1 record of a later format" in text


def test_a_ledger_without_its_newest_commit_is_not_an_empty_ledger(worked: World) -> None:
    tree = worked.git("rev-parse", "refs/minitask/ledger^{tree}")
    lost = worked.git("commit-tree", tree, "-p", "refs/minitask/ledger", "-m", "x")
    worked.git("update-ref", "refs/minitask/ledger", lost)
    (worked.root / ".git/objects" / lost[:2] / lost[2:]).unlink()
    for command in (("report",), ("status",), ("show", "p/01-a")):
        outcome = worked.minitask(*command)
        assert outcome.code == 3, outcome.text
        assert f"commit {lost[:12]} is missing or damaged" in outcome.text
