"""Gates from the config: their order, and the commands that every candidate must pass."""

from __future__ import annotations

import pytest

from contract.kit import ladder, settings_for, writes
from world import World


def test_a_lint_command_judges_the_changed_files_and_its_output_goes_back(world: World) -> None:
    replies = [writes("b\nTABOO"), writes("b")]
    lint = ["! grep -n TABOO {files}"]
    with ladder(world, replies, routing={"repairs": 1}, lint=lint) as server:
        found = world.exec("p/01-b").json
        asked = server.requests
    assert [each["gate"] for each in found["attempts"]] == ["lint", None]
    assert "2:TABOO" in asked[1].prompt
    assert world.show("b.txt") == "b\n"


def test_the_validation_is_on_record_though_lint_comes_last(world: World) -> None:
    world.configure(gates=["scope", "validate", "lint"])
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    found = world.exec("p/01-b").json
    assert found["verdict"] == "merged"
    assert [each["command"] for each in found["attempts"][0]["commands"]] == ["grep -qx b b.txt"]


def test_lint_can_be_left_out(world: World) -> None:
    broken = {"b.py": "def broken(:\n"}
    world.task("p/01-b", whole=broken, validation="test -e b.py")
    assert world.exec("p/01-b").json["attempts"][0]["gate"] == "lint"
    world.configure(gates=["scope", "validate"])
    assert world.exec("p/01-b").json["verdict"] == "merged"


@pytest.mark.variant
def test_a_new_import_of_what_is_not_there_is_a_fault(world: World) -> None:
    world.commit({"shop/__init__.py": "", "shop/routes.py": "X = 1\n"})
    reply = "```python path=shop/app.py\nfrom shop.router import X\n```\n"
    with world.serve(reply, settings_for, routing={"max_escalations": 0}):
        world.task("p/01-b", writes=["shop/app.py"], validation="test -e shop/app.py")
        attempt = world.exec("p/01-b").json["attempts"][0]
    assert attempt["gate"] == "lint"
    assert "shop.routes" in attempt["reason"]


@pytest.mark.parametrize(
    ("gates", "word"),
    [
        (["lint", "validate"], "scope is missing"),
        (["scope", "lint"], "validate is missing"),
        (["scope", "review", "validate"], "order"),
        (["scope", "validate", "message", "review"], "order"),
        (["scope", "validate", "revue"], "revue"),
    ],
)
def test_gates_that_would_prove_nothing_are_refused(
    world: World, gates: list[str], word: str
) -> None:
    world.configure(gates=gates)
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    outcome = world.minitask("exec", "p/01-b")
    assert outcome.code == 2
    assert word in outcome.stderr
