"""Cited lines: they mean what they meant when the spec was committed, or the task is refused."""

from __future__ import annotations

import pytest

from world import World

COUNT = 9
HEIGHT = 12


def module() -> str:
    """A module of nine functions whose edges look alike: decorators, blank lines, the same last line."""
    blocks = []
    for number in range(1, COUNT + 1):
        body = [f"    value = {number}", *[f"    value += {step}" for step in range(HEIGHT - 5)]]
        blocks.append("\n".join(["@tool", f"def tool_{number}():", *body, "    return value", ""]))
    return "import functools\n\n" + "\n".join(blocks) + "\n"


def span(number: int) -> str:
    """The lines of one function, with its decorator and the blank line below it."""
    start = 3 + (number - 1) * HEIGHT
    return f"{start}-{start + HEIGHT - 1}"


def moving(number: int) -> dict[str, object]:
    """The fields of a spec that moves one function into a file of its own."""
    return {
        "number": number,
        "snippets": f"```edits\nmove big.py:{span(number)} -> part_{number}.py\n```\n",
        "writes": ["big.py", f"part_{number}.py"],
        "validation": f"grep -q 'def tool_{number}' part_{number}.py",
    }


@pytest.fixture
def planned(world: World) -> World:
    """Nine specs, and one that does the work of all, committed beside the module that they cite."""
    world.commit({"big.py": module()})
    for number in range(1, COUNT + 1):
        world.task(f"p/{number:02}-part", **moving(number))
    lines = "\n".join(f"move big.py:{span(n)} -> part_{n}.py" for n in range(1, COUNT + 1))
    world.task(
        "q/01-all",
        snippets=f"```edits\n{lines}\n```\n",
        writes=["big.py", *(f"part_{n}.py" for n in range(1, COUNT + 1))],
        validation="test -f part_9.py",
    )
    return world


def files(world: World) -> dict[str, str]:
    """The module and its parts, as the target has them."""
    names = ["big.py", *(f"part_{number}.py" for number in range(1, COUNT + 1))]
    return {name: world.show(name) for name in names}


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize("backwards", [False, True], ids=["in order", "in reverse"])
def test_nine_specs_that_move_their_own_lines_equal_one_that_moves_them_all(
    planned: World, *, backwards: bool
) -> None:
    start = planned.tip()
    assert planned.exec("q/01-all").json["verdict"] == "merged"
    wanted = files(planned)
    planned.git("checkout", "--quiet", "-B", "other", start)
    numbers = range(1, COUNT + 1)
    for number in reversed(numbers) if backwards else numbers:
        outcome = planned.exec(f"p/{number:02}-part")
        assert outcome.json["verdict"] == "merged", outcome.text
    names = ["big.py", *(f"part_{number}.py" for number in numbers)]
    assert {name: planned.show(name, at="other") for name in names} == wanted


def test_a_cited_line_that_changed_is_refused_by_name(planned: World) -> None:
    planned.commit({"big.py": module().replace("value = 4\n", "value = 44\n")})
    tip = planned.tip()
    outcome = planned.exec("p/04-part")
    assert outcome.code == 1
    assert outcome.json["verdict"] == "refused"
    assert "value = 4" in outcome.json["reason"]
    assert f"lines {span(4)} of big.py" in outcome.json["reason"]
    assert planned.tip() == tip
    assert planned.exec("p/05-part").json["verdict"] == "merged"


@pytest.mark.variant
def test_lines_that_came_into_a_cited_range_are_refused(planned: World) -> None:
    planned.commit({"big.py": module().replace("value = 4\n", "value = 4\n    extra()\n")})
    assert planned.exec("p/04-part").json["verdict"] == "refused"


def test_a_spec_that_is_committed_again_cites_the_file_as_it_is_then(planned: World) -> None:
    planned.commit({"big.py": "# a new first line\n" + module()})
    start, end = (int(part) + 1 for part in span(4).split("-"))
    fields = moving(4) | {"snippets": f"```edits\nmove big.py:{start}-{end} -> part_4.py\n```\n"}
    planned.landed("p/04-part", **fields)
    assert planned.show("part_4.py").startswith("@tool\ndef tool_4")


def test_an_anchor_that_the_spec_names_is_used(planned: World) -> None:
    anchor = planned.tip()
    planned.commit({"big.py": "# a new first line\n" + module()})
    planned.landed("p/10-late", **moving(5), front={"anchor": anchor})
    assert planned.show("part_5.py").startswith("@tool\ndef tool_5")


def test_an_anchor_that_is_no_commit_is_refused(planned: World) -> None:
    planned.task("p/10-late", **moving(5), front={"anchor": "f" * 40})
    outcome = planned.exec("p/10-late")
    assert outcome.code == 1
    assert "anchor" in outcome.json["reason"]
