"""A picture of any project is valid in every format, whatever its titles and paths say."""

from __future__ import annotations

import random
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.engine.task_status import State, TaskStatus
from minitask.engine.tasks import Task
from minitask.project.task_graph import Collision, Collisions, Edge, Node, TaskGraph
from minitask.reports.graph import (
    FORMATS,
    graph_document,
    render_dot,
    render_forecast,
    render_mermaid,
    render_text,
)
from minitask.reports.graph_svg import render_svg, tone_of
from minitask.spec.model import Spec

NASTY = 'a "quoted" \\N & <b>]]> --> | #35; `x` ${y} {z} %% \x1b[31m\x07\ud800 数据 1. _é_'
SVG = "{http://www.w3.org/2000/svg}"
EDGE = re.compile(r"  t\d+ (-->|-\.->\|\"[^\"]*\"\|) t\d+")
BOX = re.compile(r"  t\d+\[\"[^\"]*\"\]:::[a-z]+")
CLASS = re.compile(r"  classDef [a-z]+ fill:#\w+,stroke:#\w+,color:#\w+")
DOT_TOKEN = re.compile(r'\s+|->|[{}\[\];,=]|[A-Za-z_]\w*|"(?:[^"\\]|\\.)*"')


def node(
    name: str,
    *,
    wave: int = 1,
    title: str = "A task",
    state: State = State.NEW,
    needs: tuple[str, ...] = (),
    after: tuple[Edge, ...] = (),
    clashes: tuple[Edge, ...] = (),
) -> Node:
    spec = Spec(path=f"mini-projects/{name}.md", number="1", title=title)
    task = Task(name, spec, spec.path, "b", "c", "refs/heads/main")
    return Node(TaskStatus(task, state), wave, "cheap", needs, after, clashes, 1)


def picture(*nodes: Node, path: tuple[str, ...] = ()) -> TaskGraph:
    return TaskGraph("p", nodes, path, ())


def large(*, title: str = "Do it", tasks: int = 60) -> TaskGraph:
    """Tasks in random waves, each tied to some of earlier ones."""
    chance = random.Random(7)
    nodes: list[Node] = []
    for number in range(tasks):
        wave = 1 + number // 9
        earlier = [each.name for each in nodes if each.wave < wave]
        needs = tuple(chance.sample(earlier, min(2, len(earlier))))
        ties = tuple(Edge(name, f"src/{title}.py", "create-then-read") for name in earlier[-1:])
        state = chance.choice(list(State))
        nodes.append(
            node(f"p/{number:02}-x", wave=wave, title=title, state=state, needs=needs, after=ties)
        )
    return picture(*nodes, path=(nodes[0].name, nodes[-1].name))


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg.encode("utf-8", "strict"))


def tokens(dot: str) -> list[str]:
    """The words of a DOT file; anything between them is an error."""
    found, at = [], 0
    while at < len(dot):
        match = DOT_TOKEN.match(dot, at)
        assert match is not None, dot[at : at + 80]
        found.append(match[0])
        at = match.end()
    return [token for token in found if not token.isspace()]


@pytest.mark.parametrize("title", ["Do it", NASTY], ids=["plain", "nasty"])
def test_every_task_of_a_large_project_is_in_every_format(title: str) -> None:
    shown = large(title=title)
    for form, render in FORMATS.items():
        text = render(shown)
        missing = [each.name for each in shown.nodes if each.name not in text]
        assert not missing, (form, missing)
        assert all(char.isprintable() or char == "\n" for char in text), form


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None), min_size=1))
def test_any_title_and_path_leave_every_format_valid(title: str, path: str) -> None:
    shown = picture(
        node("p/a", title=title, state=State.FAILED),
        node("p/b", wave=2, title=title, after=(Edge("p/a", path, "create-then-read"),)),
    )
    parsed(render_svg(shown))
    assert_dot(render_dot(shown), edges=1)
    assert_mermaid(render_mermaid(shown))
    assert render_text(shown).count("\n") == 7


def assert_dot(dot: str, *, edges: int) -> None:
    found = tokens(dot)
    assert found[:3] == ["digraph", "minitask", "{"]
    assert found[-1] == "}"
    assert found.count("->") == edges
    assert found.count("[") == found.count("]")


def assert_mermaid(text: str) -> None:
    first, *rest = text.splitlines()
    assert first == "flowchart LR"
    for line in rest:
        assert EDGE.fullmatch(line) or BOX.fullmatch(line) or CLASS.fullmatch(line), line


def test_a_large_project_is_valid_dot_and_mermaid() -> None:
    shown = large(title=NASTY)
    edges = sum(len(each.depends_on) + len(each.after) for each in shown.nodes)
    assert_dot(render_dot(shown), edges=edges)
    assert_mermaid(render_mermaid(shown))


def test_dot_keeps_a_title_as_it_is() -> None:
    dot = render_dot(picture(node("p/a", title='say "\\N" & <i>')))
    assert '"p/a" [label="p/a\\nsay \\"\\\\N\\" &amp; <i>\\nnew"' in dot


def test_mermaid_draws_what_is_declared_solid_and_what_is_implied_dotted() -> None:
    shown = picture(
        node("p/a"),
        node("p/b", wave=2, needs=("p/a", "q/elsewhere")),
        node("p/c", wave=2, state=State.MERGED, after=(Edge("p/a", "src/x_y.py", "k"),)),
    )
    lines = render_mermaid(shown).splitlines()
    assert "  t0 --> t1" in lines
    assert '  t0 -.->|"src/x#95;y.py"| t2' in lines
    assert lines[3].endswith(":::merged")
    assert not any("elsewhere" in line for line in lines)


def test_text_says_what_a_task_waits_for_and_what_it_may_not_run_beside() -> None:
    shown = picture(
        node("p/a", clashes=(Edge("p/b", "app.py"),)),
        node("p/b", clashes=(Edge("p/a", "app.py"),), state=State.READY),
        node("p/c", wave=2, needs=("p/a", "q/z"), after=(Edge("p/a", "x.py", "create-then-read"),)),
        path=("p/a", "p/c"),
    )
    assert render_text(shown).splitlines() == [
        "3 tasks in 2 waves",
        "longest chain: p/a -> p/c",
        "",
        "wave 1",
        "  p/a  new       cheap     A task",
        "         clashes: p/b (app.py)",
        "  p/b  ready     cheap     A task",
        "         clashes: p/a (app.py)",
        "",
        "wave 2",
        "  p/c  new       cheap     A task",
        "         after: p/a (x.py), q/z",
    ]


def test_many_names_are_cut_short_in_text_and_whole_in_json() -> None:
    ties = tuple(Edge(f"p/{number}", "app.py") for number in range(30))
    shown = picture(node("p/a", clashes=ties))
    assert "p/7 and 22 more (app.py)" in render_text(shown)
    assert len(graph_document(shown, None)["tasks"][0]["clashes"]) == 30


def test_an_order_that_gave_way_is_said() -> None:
    tie = Edge("p/b", "x.py", "create-then-read")
    shown = TaskGraph("p", (node("p/a"), node("p/b", wave=2)), (), (("p/a", tie),))
    assert "p/a after p/b for x.py" in render_text(shown)


def test_svg_stands_alone_and_nothing_overlaps() -> None:
    svg = render_svg(large(title=NASTY))
    root = parsed(svg)
    boxes = [
        tuple(float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        for each in root.iter(f"{SVG}rect")
        if "x" in each.attrib
    ]
    assert len(boxes) == len(set(boxes)) == 60
    for x, y, width, height in boxes:
        assert 0 <= x <= float(root.attrib["width"]) - width
        assert 0 <= y <= float(root.attrib["height"]) - height
        others = [box for box in boxes if box[:2] != (x, y)]
        assert not any(abs(x - a) < width and abs(y - b) < height for a, b, *_ in others)
    assert "prefers-color-scheme:dark" in svg
    assert not re.search(r"href|@import|<image|<script|https?://(?!www\.w3\.org/2000/svg\")", svg)


def test_svg_arrows_lead_from_left_to_right() -> None:
    root = parsed(render_svg(large()))
    arrows = [each.attrib["d"] for each in root.iter(f"{SVG}path") if "marker-end" in each.attrib]
    ends = [re.findall(r"-?\d+", path) for path in arrows]
    assert len(arrows) > 60
    assert all(int(numbers[0]) < int(numbers[-2]) for numbers in ends)


def test_every_state_has_a_colour_and_an_empty_project_a_picture() -> None:
    assert {tone_of(state) for state in State} == {"idle", "ready", "good", "bad", "stale"}
    assert render_text(picture()) == "0 tasks in 0 waves"
    assert render_mermaid(picture()) == "flowchart LR"
    parsed(render_svg(picture()))
    assert_dot(render_dot(picture()), edges=0)


def test_a_forecast_has_a_line_a_conflict_and_says_what_it_left_out() -> None:
    found = Collisions((Collision("p/a", "main", ("x.py", "y\x1b.py")),), 30, 200, 235)
    assert render_forecast(found, "main").splitlines() == [
        "forecast: 30 candidates against main, 200 pairs that conflict",
        "  p/a conflicts with main: x.py, y .py",
        "  235 more pairs left out: at most 200 are tried",
    ]
    document = graph_document(picture(), found)["forecast"]
    assert document["conflicts"] == [{"task": "p/a", "with": "main", "paths": ["x.py", "y\x1b.py"]}]
    assert document["pairs_left_out"] == 235
    assert "no conflicts expected" in render_forecast(Collisions((), 1, 0, 0), "main")
