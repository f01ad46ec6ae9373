"""Nothing lands past a review or a person's word, nothing paid is lost, and no odd answer ends a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.kit import (
    EDIT,
    FAIL,
    GATES,
    PASS,
    B,
    answering,
    exec_b,
    ladder,
    phase_of,
    settings_for,
    task_b,
    writes,
)
from executors.model_server import Received, completion, error, scripted_server
from world import World

DOWN = error(401, "no such key")
BROKEN_DIFF = "x" * 60


def test_merge_does_not_land_what_a_review_refused_whatever_came_after(world: World) -> None:
    calls: list[str] = []

    def answer(request: Received) -> Any:
        calls.append(phase_of(request))
        if calls.count("implement") > 1:
            return DOWN
        return completion(FAIL if calls[-1] == "review" else B)

    assert exec_b(world, answer, routing={"repairs": 1}, gates=GATES).code == 3
    merged = world.minitask("merge", "p/01-b", "--json")
    assert merged.code == 1
    assert "criteri" in merged.json["tasks"][0]["reason"]
    assert not world.has("b.txt")
    approved = world.minitask("review", "p/01-b", "--approve", "--json")
    assert approved.json["tasks"][0]["verdict"] == "merged", "a person may know better"


def test_merge_does_not_land_what_a_person_rejected_whatever_came_after(world: World) -> None:
    up = True
    told: list[bool] = []

    def answer(request: Received) -> Any:
        told.append("say it with flowers" in request.prompt)
        return writes("b") if up else DOWN

    with ladder(world, answer, review="required"):
        world.exec("p/01-b")
        world.minitask("review", "p/01-b", "--reject", "say it with flowers")
        up = False
        world.exec("p/01-b")
        merged = world.minitask("merge", "p/01-b", "--json")
        up = True
        world.exec("p/01-b")
    assert merged.json["tasks"][0]["verdict"] == "failed"
    assert not world.has("b.txt")
    assert told == [False, True, True], "an outage does not take the word away"


def test_an_approved_merge_says_who_made_it(world: World) -> None:
    with ladder(world, writes("b"), review="required"):
        world.exec("p/01-b")
        world.minitask("review", "p/01-b", "--approve")
    trailers = world.trailers("main")
    assert trailers["Minitask-Model"] == "cheap-model"
    assert trailers["Minitask-Tier"] == "cheap"


def test_a_rejection_can_be_taken_back_and_one_unknown_task_stops_all(world: World) -> None:
    with ladder(world, writes("b"), review="required"):
        world.exec("p/01-b")
        world.minitask("review", "p/01-b", "--reject", "no")
        both = world.minitask("review", "p/01-b", "p/99-x", "--approve")
        assert both.code == 2
        assert not world.has("b.txt")
        again = world.minitask("review", "p/01-b", "--approve", "--json")
    assert again.json["tasks"][0]["verdict"] == "merged"


def test_a_review_that_fails_after_a_repair_goes_on_from_the_record(world: World) -> None:
    up = False
    asked: list[str] = []

    def answer(request: Received) -> Any:
        asked.append(phase_of(request))
        if asked[-1] == "review":
            return completion(PASS) if up else DOWN
        return writes("b" if asked.count("implement") > 1 else "x")

    with ladder(world, answer, routing={"repairs": 1}, gates=GATES):
        first = world.exec("p/01-b")
        up = True
        second = world.exec("p/01-b")
    assert (first.code, first.json["attempts"][-1]["gate"]) == (3, "review")
    assert second.json["verdict"] == "merged"
    assert asked == ["implement", "implement", "review", "review"]
    steps = [each["attempt"]["route"]["step"] for each in world.records("p/01-b")]
    assert steps == ["first", "repair", "resume"]


def test_a_reviewer_that_is_not_there_costs_the_work_once(world: World) -> None:
    asked, answer = answering(implement=B, review=PASS)
    with scripted_server(answer) as server:
        settings = settings_for(server.base_url)
        settings["executors"]["local"] = {"type": "ollama", "base_url": "http://127.0.0.1:9"}
        settings["tiers"]["balanced"] = {"executor": "local", "model": "auto"}
        world.configure(**settings, gates=GATES)
        task_b(world)
        assert world.exec("p/01-b").code == 3
        assert world.exec("p/01-b").code == 3
    assert [phase for phase, _ in asked] == ["implement"]


def test_a_gate_that_is_added_later_is_passed_before_what_is_proven_lands(world: World) -> None:
    asked, answer = answering(implement=B, review=FAIL)
    with scripted_server(answer) as server:
        settings = settings_for(server.base_url, routing={"max_escalations": 0})
        world.configure(**settings)
        task_b(world)
        world.exec("p/01-b", "--no-merge")
        world.configure(**settings, gates=GATES)
        outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "failed"
    assert [phase for phase, _ in asked] == ["implement", "review"]


def test_a_specs_own_edits_are_reviewed_where_all_changes_are(world: World) -> None:
    asked, answer = answering(implement=B, review=FAIL)
    with world.serve(answer, settings_for, gates=GATES):
        world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
        refused = world.exec("p/01-b")
        asked.clear()
    assert refused.json["verdict"] == "failed"
    assert not world.has("b.txt")
    asked, answer = answering(implement=B, review=EDIT)
    with world.serve(answer, settings_for, gates=GATES):
        world.landed("p/02-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    assert asked == [("review", "balanced")]
    assert world.show("b.txt") == "b\nc\n"


def test_a_diff_that_is_too_long_to_review_asks_nobody_and_climbs_nowhere(world: World) -> None:
    long = f"```text path=b.txt\nb\n{(BROKEN_DIFF + chr(10)) * 4_000}```\n"
    asked, answer = answering(implement=long, review=PASS)
    outcome = exec_b(world, answer, gates=GATES)
    assert asked == [("implement", "cheap")]
    assert "review it yourself" in outcome.json["reason"]
    assert not world.has("b.txt")


def test_a_classification_takes_neither_the_tier_nor_the_review_away(world: World) -> None:
    asked, answer = answering(implement=B, review=PASS, classify="complexity: low\nlines: 5")
    rules = [{"when": {"lines_below": 50}, "tier": "free", "review": "none"}]
    exec_b(world, answer, routing={"rules": rules}, gates=["classify", *GATES])
    assert asked == [("classify", "free"), ("implement", "cheap"), ("review", "balanced")]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "reply",
    [
        "1" * 5_000 + " pass x",
        "- " * 20_000,
        "\n" * 20_000,
        "```verdict\n" + "-" * 40_000 + "\n```",
    ],
    ids=["digits", "dashes", "newlines", "rule"],
)
def test_an_odd_review_is_one_that_cannot_be_used(world: World, reply: str) -> None:
    _asked, answer = answering(implement=B, review=reply)
    outcome = exec_b(world, answer, gates=GATES)
    assert outcome.code in (1, 3), outcome.text
    assert outcome.json["attempts"][-1]["gate"] == "review"


def test_a_message_that_cannot_be_paid_comes_from_the_template(world: World) -> None:
    _asked, answer = answering(implement=B, message="feat: b")
    found = exec_b(
        world,
        answer,
        routing={"entry": {"message": "frontier"}},
        gates=["scope", "lint", "validate", "message"],
        budget={"max_cost_usd": 0.05},
    )
    assert (found.code, found.json["verdict"]) == (0, "merged")
    assert world.git("log", "-1", "--format=%s", found.json["commit"]) == "feat(b): write a file"


def test_nobody_applies_where_the_config_says_so(world: World) -> None:
    unfit = EDIT.replace("SEARCH\nb\n", "SEARCH\nbb\n")
    _asked, answer = answering(implement=B, review=unfit)
    routing = {"max_escalations": 0, "entry": {"apply": "none"}}
    outcome = exec_b(world, answer, routing=routing, gates=GATES)
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")


def test_after_the_top_tier_failed_a_run_does_not_begin_below(world: World) -> None:
    with ladder(world, writes("wrong")):
        world.exec("p/01-b")
        [route] = world.minitask("route", "p/01-b", "--json").json
    assert route["tier"] == "frontier"
    assert "there is no higher tier" in route["reason"]


def test_an_untrusted_repository_only_adds_to_what_must_be_passed(world: World) -> None:
    world.configure(gates=GATES, review="required", routing={"cap": "balanced"})
    world.commit(
        {"minitask.yaml": "gates: [scope, validate]\nreview: none\nrouting: {cap: frontier}\n"}
    )
    values = world.minitask("config", "show", "--json").json["values"]
    assert values["gates"] == GATES
    assert values["review"] == "required"
    assert values["routing"]["cap"] == "balanced"
    world.minitask("trust")
    values = world.minitask("config", "show", "--json").json["values"]
    assert values["gates"] == ["scope", "validate"]


def test_what_a_diff_holds_cannot_steer_the_terminal(world: World) -> None:
    hidden = "b\n\x1b[2K\x1b[1Ahidden\u202e\n"
    with ladder(world, f"```text path=b.txt\n{hidden}```\n", review="required"):
        world.exec("p/01-b")
        shown = world.minitask("review", "p/01-b").stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "hidden" in shown


def test_a_plan_with_a_name_that_is_too_long_is_written_under_another(world: World) -> None:
    from test_contract_workflows import planned, settings_of

    good = planned(1, path="part1.txt").replace("path=01-part.md", f"path={'x' * 300}.md")
    with world.serve(good, settings_of):
        outcome = world.minitask("plan", "Go", "--project", "p", "--json")
    assert outcome.code == 0, outcome.text
    assert [Path(name).name for name in outcome.json["specs"]] == ["01-write-part-1.md"]


def test_a_plan_does_not_follow_a_link_out_of_the_repository(world: World, tmp_path: Path) -> None:
    from test_contract_workflows import planned

    (tmp_path / "outside").mkdir()
    (world.root / "mini-projects").mkdir()
    (world.root / "mini-projects" / "p").symlink_to(tmp_path / "outside")
    (world.root / "answer.md").write_text(planned(1, path="part1.txt"))
    outcome = world.minitask("plan", "--from", "answer.md", "--project", "p")
    assert outcome.code == 2
    assert list((tmp_path / "outside").iterdir()) == []


def test_after_a_correction_that_fails_the_next_rung_is_above_whoever_made_the_change(
    world: World,
) -> None:
    broken = EDIT.replace("b\nc\n>", "x\n>")
    _asked, answer = answering(
        implement=lambda request: (
            "```text path=b.txt\nx\n```\n" if "A review found" in request.prompt else B
        ),
        review=lambda request: PASS if "frontier" in request.json["model"] else broken,
    )
    rules = [{"when": {"failures_from": 1}, "tier": "balanced", "review": "frontier"}]
    found = exec_b(world, answer, routing={"rules": rules}, gates=GATES).json
    assert found["verdict"] == "merged"
    tiers = [each["tier"] for each in found["attempts"]]
    assert tiers == ["cheap", "balanced", "cheap", "balanced"], "draft, correction, apply, rung"


def test_a_change_that_waits_for_its_review_is_not_classified_again(world: World) -> None:
    up = False
    asked: list[str] = []

    def answer(request: Received) -> Any:
        asked.append(phase_of(request))
        replies = {"implement": B, "review": PASS, "classify": "complexity: low"}
        return DOWN if asked[-1] == "review" and not up else completion(replies[asked[-1]])

    with ladder(world, answer, gates=["classify", *GATES]):
        world.exec("p/01-b")
        up = True
        assert world.exec("p/01-b").json["verdict"] == "merged"
    assert asked == ["classify", "implement", "review", "review"]
