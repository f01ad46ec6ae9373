"""The four workflows, each as a preset, with the outcome that it is known for: figures at the prices of 2025."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contract.kit import phase_of
from executors.model_server import Received, completion, scripted_server
from world import World, spec_text, write_program

SONNET = {"input": 3, "output": 15}
HAIKU = {"input": 0.25, "output": 1.25}


def usage(input_tokens: int, output_tokens: int) -> dict[str, Any]:
    """Counts as the API gives them."""
    return {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
    }


def settings_of(base_url: str, **more: Any) -> dict[str, Any]:
    """A free local model, Haiku as the cheap one, and Sonnet above, all on the scripted server."""
    models = {"free": "deepseek", "cheap": "haiku", "balanced": "sonnet", "frontier": "sonnet"}
    return {
        "executors": {"any": {"type": "openai", "base_url": base_url}},
        "tiers": {tier: {"executor": "any", "model": model} for tier, model in models.items()},
        "prices": {"deepseek": {"input": 0, "output": 0}, "haiku": HAIKU, "sonnet": SONNET},
        **more,
    }


def whole(path: str, text: str) -> str:
    """A reply that writes a file."""
    return f"```text path={path}\n{text}```\n"


def planned(number: int, *, path: str, depends_on: tuple[str, ...] = ()) -> str:
    """A spec as a planner writes it, in its fence."""
    text = spec_text(
        number=number,
        title=f"Write part {number}",
        writes=[path],
        validation=f"grep -qx 'part {number}' {path}",
        front={"depends_on": list(depends_on)} if depends_on else None,
    )
    return f"````markdown path={number:02}-part.md\n{text}````\n"


def report(world: World) -> dict[str, Any]:
    """The report as JSON."""
    found: dict[str, Any] = world.minitask("report", "--format", "json").json
    return found


def cost_of(found: dict[str, Any], phase: str) -> Decimal:
    return Decimal(found["by_phase"][phase]["cost_usd"])


def test_plan_big_execute_small_verify_big(world: World) -> None:
    """60k/22k of planning, six tasks of 3k/1k, 10k/2k of verification: $0.58, where Sonnet alone takes $1.03."""
    specs = "\n".join(planned(n, path=f"part{n}.txt") for n in range(1, 7))
    approved = (
        "```verdict\n" + "".join(f"p/{n:02}-part approve fine\n" for n in range(1, 7)) + "```\n"
    )

    def answer(request: Received) -> Any:
        start = request.json["messages"][0]["content"]
        if start.startswith("You plan"):
            return completion(specs, usage=usage(60_000, 22_000))
        if start.startswith("You verify"):
            return completion(approved, usage=usage(10_000, 2_000))
        number = request.prompt.split("Write part ")[1][0]
        return completion(whole(f"part{number}.txt", f"part {number}\n"), usage=usage(3_000, 1_000))

    with world.serve(answer, settings_of, workflow="delegate"):
        plan = world.minitask("plan", "Write six parts", "--project", "p", "--json")
        assert plan.code == 0, plan.text
        assert len(plan.json["specs"]) == 6
        world.git("add", "mini-projects")
        world.git("commit", "--quiet", "--message", "specs")
        run = world.minitask("run", "p", "--json")
        verified = world.minitask("review", "p", "--tier", "frontier", "--json")
    assert run.code == 0, run.text
    assert {*run.verdicts.values()} == {"merged"}
    assert verified.json["approved"]
    found = report(world)
    assert cost_of(found, "plan") == Decimal("0.51")
    assert cost_of(found, "implement") == Decimal("0.012")
    assert cost_of(found, "review") == Decimal("0.06")
    assert Decimal(found["totals"]["cost_usd"]) == Decimal("0.582")


@pytest.mark.variant
@pytest.mark.parametrize("applies", [True, False], ids=["by itself", "by the cheap model"])
def test_draft_review_apply(world: World, *, applies: bool) -> None:
    """A free draft, 55k/5k of review, and 60k/1k to apply at worst: $0.26, where writing it takes $0.77."""
    search = "draft" if applies else "drft"
    edit = f"```text path=b.txt\n<<<<<<< SEARCH\n{search}\n=======\nbetter\n>>>>>>> REPLACE\n```\n"
    said = "```verdict\n1 fix b.txt:1 it is a draft\n```\n\n" + edit
    asked: list[tuple[str, str]] = []

    def answer(request: Received) -> Any:
        phase, model = phase_of(request), request.json["model"]
        asked.append((phase, model))
        if phase == "review":
            return completion(said, usage=usage(55_000, 5_000))
        if model == "haiku":
            return completion(whole("b.txt", "better\nb\n"), usage=usage(60_000, 1_000))
        return completion(whole("b.txt", "draft\nb\n"), usage=usage(5_000, 50_000))

    with world.serve(answer, settings_of, workflow="draft-review"):
        text = spec_text(writes=["b.txt"], validation="grep -qx b b.txt")
        text = text.replace(
            "**Files", "**Estimated Tokens**: 5,000 input + 3,000 output\n\n**Files", 1
        )
        world.commit({"mini-projects/p/01-b.md": text})
        found = world.exec("p/01-b").json
    assert found["verdict"] == "merged"
    assert world.show("b.txt") == "better\nb\n"
    review = Decimal("0.24")
    if applies:
        assert asked == [("implement", "deepseek"), ("review", "sonnet")]
        assert Decimal(found["cost_usd"]) == review
    else:
        assert asked[2:] == [("implement", "haiku")]
        assert Decimal(found["cost_usd"]) == review + Decimal("0.01625")
        assert round(Decimal(found["cost_usd"]), 2) == Decimal("0.26")


@pytest.mark.parametrize(
    ("output_tokens", "front", "tier", "review"),
    [
        (300, {}, "cheap", "none"),
        (1_000, {}, "free", "cheap"),
        (3_000, {}, "free", "balanced"),
        (6_000, {}, "free", "frontier"),
        (3_000, {"tags": ["SECURITY"]}, "frontier", "none"),
        (3_000, {"tags": ["right-first-time"]}, "frontier", "none"),
        (300, {"complexity": "high"}, "frontier", "none"),
    ],
)
def test_the_estimated_lines_decide_who_drafts_and_who_reviews(
    world: World, output_tokens: int, front: dict[str, Any], tier: str, review: str
) -> None:
    """Below 50 lines cheap alone, up to 200 a cheap review, up to 500 a balanced one, a frontier one above."""
    world.configure(**settings_of("http://127.0.0.1:9/v1", workflow="draft-review"))
    text = spec_text(writes=["b.txt"], validation="grep -qx b b.txt", front=front or None)
    estimate = f"**Estimated Tokens**: 1,000 input + {output_tokens} output\n\n**Files"
    world.commit({"mini-projects/p/01-b.md": text.replace("**Files", estimate, 1)})
    [route] = world.minitask("route", "p/01-b", "--json").json
    explained = world.minitask("route", "p/01-b", "--explain").stdout
    assert route["tier"] == tier, route["reason"]
    assert f"review {review}" in explained


def test_a_model_for_every_gate(world: World) -> None:
    """Everything starts at its own tier; one failure goes to balanced, two go to frontier; what failed is counted."""
    asked: list[tuple[str, str]] = []
    replies = {
        "classify": "complexity: medium\ntags: none\nlines: 20",
        "plan": "1. write b into b.txt",
        "review": "```verdict\n1 pass b.txt:1 it is there\n```\n",
        "message": "nothing of the form",
    }

    def answer(request: Received) -> Any:
        phase, model = phase_of(request), request.json["model"]
        asked.append((phase, model))
        wrong = phase == "implement" and model != "opus"
        return completion(replies.get(phase) or whole("b.txt", "wrong\n" if wrong else "b\n"))

    with scripted_server(answer) as server:
        settings = settings_of(server.base_url, workflow="gated")
        settings["tiers"]["frontier"] = {"executor": "any", "model": "opus"}
        settings["prices"]["opus"] = {"input": 15, "output": 75}
        world.configure(**settings)
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        found = world.exec("p/01-b").json
    assert found["verdict"] == "merged"
    assert [each["tier"] for each in found["attempts"]] == ["cheap", "balanced", "frontier"]
    assert (
        asked
        == [
            ("classify", "deepseek"),
            ("plan", "deepseek"),
            ("implement", "haiku"),
            ("implement", "sonnet"),
            ("implement", "opus"),
            ("review", "opus"),
            ("message", "deepseek"),
            ("message", "deepseek"),
        ][: len(asked)]
    )
    counts = report(world)
    assert counts["escalations"] == 2
    assert counts["failures_by_gate"] == {"validate": 2}
    assert set(counts["by_phase"]) == {"implement", "classify", "plan", "review", "message"}
    assert world.git("log", "-1", "--format=%s", found["commit"]) == "feat(b): write a file"


def test_the_names_that_other_tools_have_for_routing_are_taken(world: World) -> None:
    world.configure(
        llmOps={
            "routing": {
                "entryModelClassify": "cheap",
                "entryModelPlan": "free",
                "entryModelDraft": "cheap",
                "entryModelImplement": "balanced",
                "entryModelReview": "frontier",
                "escalationModel": "balanced",
                "maxEscalationsPerTicket": 1,
            }
        }
    )
    routing = world.minitask("config", "show", "--json").json["values"]["routing"]
    assert routing["entry"]["classify"] == "cheap"
    assert routing["entry"]["plan"] == "free"
    assert routing["entry"]["message"] == "cheap"
    assert routing["entry"]["implement"] == "balanced"
    assert routing["entry"]["review"] == "frontier"
    assert routing["escalation"] == ["cheap", "balanced"]
    assert routing["max_escalations"] == 1


def test_batches_by_agents_cost_nothing_but_the_plan(world: World, tmp_path: Path) -> None:
    """1.5k tokens of Sonnet for six prompts, all code by agents on a subscription: $0.02, where Haiku takes $0.15."""
    agent = tmp_path / "agent"
    write_program(
        agent,
        "#!/bin/bash\nn=$(grep -oE 'Write part [0-9]' \"$1\" | head -1 | grep -oE '[0-9]')\n"
        'echo "part $n" > "part$n.txt"\n',
    )
    first = planned(1, path="part1.txt")
    rest = [planned(n, path=f"part{n}.txt", depends_on=("01-part",)) for n in range(2, 7)]
    answer = completion("\n".join([first, *rest]), usage=usage(500, 1_000))
    with scripted_server(lambda _request: answer) as server:
        settings = settings_of(server.base_url, workflow="batches")
        command = [str(agent), "{prompt_file}"]
        settings["executors"]["codex"] = {"type": "command", "command": command}
        settings["tiers"]["cheap"] = {"executor": "codex", "model": "subscription"}
        settings["prices"]["subscription"] = {"input": 0, "output": 0}
        world.configure(**settings)
        assert world.minitask("plan", "Six parts", "--project", "p").code == 0
        world.git("add", "mini-projects")
        world.git("commit", "--quiet", "--message", "specs")
        run = world.minitask("run", "p", "--json")
    assert run.code == 0, run.text
    assert Counter(task["verdict"] for task in run.json["tasks"]) == {"merged": 6}
    assert {each["attempts"][0]["executor"] for each in run.json["tasks"]} == {"codex"}
    assert Decimal(report(world)["totals"]["cost_usd"]) == Decimal("0.0165")
