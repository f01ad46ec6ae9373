"""Tasks of a project that read one file are sent it first, so that a provider's cache holds it for all of them."""

from __future__ import annotations

from itertools import takewhile

import pytest

from executors.model_server import Received
from world import World

MODULE = "".join(
    f"def function_{number}(value):\n    return value + {number}\n\n\n" for number in range(120)
)


def answer(request: Received) -> str:
    number = request.prompt.rpartition("create: made/")[2].partition(".txt")[0]
    return f"```text path=made/{number}.txt\n{number}\n```\n"


@pytest.mark.variant
def test_ten_tasks_that_read_one_module_share_the_start_of_their_prompts(world: World) -> None:
    world.commit({"src/module.py": MODULE, "notes/a.md": "Read me.\n"})
    for number in range(10):
        own = [] if number % 2 else ["notes/a.md"]
        world.task(
            f"p/{number:02}-t",
            reads=[*own, "src/module.py"],
            writes=[f"made/{number}.txt (create)"],
            validation=f"grep -qx {number} made/{number}.txt",
        )
    with world.serve(answer) as server:
        outcome = world.minitask("run", "p", "--json")
        prompts = [request.prompt for request in server.requests]
    assert {*outcome.verdicts.values()} == {"merged"}, outcome.text
    assert len(prompts) == 10
    for with_notes in (True, False):
        alike = [prompt for prompt in prompts if ("Read me." in prompt) == with_notes]
        columns = zip(*alike, strict=False)
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
        assert shared >= 0.85 * max(map(len, alike))


def test_the_configs_context_begins_each_prompt_and_must_be_committed(world: World) -> None:
    world.commit({"docs/style.md": "Names are short.\n"})
    world.task("p/01-t", writes=["made/1.txt (create)"], validation="grep -qx 1 made/1.txt")
    with world.serve(answer, context=["docs/style.md"]) as server:
        assert world.exec("p/01-t").json["verdict"] == "merged"
        (prompt,) = (request.prompt for request in server.requests)
        assert prompt.index("docs/style.md:\nNames are short.") < prompt.index("made/1.txt")
    world.task("p/02-t", writes=["made/2.txt (create)"], validation="grep -qx 2 made/2.txt")
    with world.serve(answer, context=["docs/none.md"]) as server:
        outcome = world.exec("p/02-t")
        assert server.requests == []
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert "context: 'docs/none.md' is not a file of the base" in outcome.json["reason"]
