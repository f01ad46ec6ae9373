"""The graph of a project as SVG: waves are columns, tasks are boxes in the colours of their states.

A standalone document needs nothing else, a page needs `graph_style`. Both follow the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from html import escape

from msgspec import Struct

from minitask.engine.task_status import State
from minitask.project.task_graph import Node, TaskGraph
from minitask.values import grouped
from minitask.words import counted, display_width, one_line

WIDTH, HEIGHT = 220, 62
ACROSS, DOWN = 90, 22
MARGIN, TOP = 20, 48
LETTERS = 30
"""Columns of text that fit into a box."""
NAMESPACE = "http://www.w3.org/2000/svg"


class Arrow(Struct, frozen=True):
    """An arrow between tasks; `path` is the file or kind that implies it, "" if it is declared."""

    before: str
    after: str
    path: str = ""
    dotted: bool = False


Spots = Mapping[str, tuple[int, int]]
"""Column and row of each task, 0-based."""


def render_svg(graph: TaskGraph) -> str:
    """Return the graph as one SVG document."""
    kind = f'xmlns="{NAMESPACE}" role="img"'
    return _svg(graph, kind, [f"<style>{graph_style()}</style>"])


def render_figure(graph: TaskGraph, *, number: int, linked: Collection[str]) -> str:
    """Return the graph for a page with several; the boxes of the `linked` tasks link to `#tasks`."""
    name = _attribute(_name(graph))
    return _svg(graph, f'role="group" aria-label="{name}"', [], number=number, linked=linked)


def _svg(
    graph: TaskGraph,
    kind: str,
    first: Iterable[str],
    *,
    number: int = 0,
    linked: Collection[str] = (),
) -> str:
    arrows = _arrows(graph)
    spots = _spots(graph, arrows)
    columns = max((column for column, _ in spots.values()), default=0) + 1
    rows = max((row for _, row in spots.values()), default=0) + 1
    width = 2 * MARGIN + columns * (WIDTH + ACROSS) - ACROSS
    height = TOP + MARGIN + rows * (HEIGHT + DOWN) - DOWN
    size = f'width="{width}" height="{height}"'
    chain = set(zip(graph.critical_path, graph.critical_path[1:], strict=False))
    return "\n".join(
        [
            f'<svg class="graph" {kind} {size} viewBox="0 0 {width} {height}">',
            f"<title>{_text(_name(graph))}</title>",
            *first,
            _arrow_head(number),
            f'<rect class="paper" {size}/>',
            *_headings(columns if graph.nodes else 0),
            *(_line(arrow, spots, chain, number) for arrow in arrows),
            *(_box(node, _corner(spots[node.name]), graph, linked) for node in graph.nodes),
            "</svg>",
        ]
    )


def _name(graph: TaskGraph) -> str:
    return f"{graph.project}: {counted(len(graph.nodes), 'task')}"


def _arrow_head(number: int) -> str:
    return (
        f'<defs><marker id="head{number}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" '
        'orient="auto" markerUnits="userSpaceOnUse"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>'
    )


def _arrows(graph: TaskGraph) -> list[Arrow]:
    """Return one arrow for each pair of tasks, the declared one if there is one."""
    names = {node.name for node in graph.nodes}
    arrows: dict[tuple[str, str], Arrow] = {}
    for node in graph.nodes:
        for name in node.depends_on:
            if name in names:
                arrows[name, node.name] = Arrow(name, node.name)
        for tie in node.after:
            arrow = Arrow(tie.task, node.name, tie.path or tie.kind, dotted=True)
            arrows.setdefault((tie.task, node.name), arrow)
    return list(arrows.values())


def _spots(graph: TaskGraph, arrows: Iterable[Arrow]) -> Spots:
    """Return a column per wave; in it, each task near the middle of its predecessors."""
    arrows_to = grouped(arrows, lambda arrow: arrow.after)
    columns = grouped(graph.nodes, lambda node: node.wave - 1)
    spots: dict[str, tuple[int, int]] = {}
    for column, nodes in sorted(columns.items()):
        middles = {node.name: _middle(arrows_to.get(node.name, ()), spots) for node in nodes}
        ordered = sorted(middles, key=middles.__getitem__)
        spots.update((name, (column, row)) for row, name in enumerate(ordered))
    return spots


def _middle(arrows: Iterable[Arrow], spots: Spots) -> float:
    rows = [spots[arrow.before][1] for arrow in arrows]
    return sum(rows) / len(rows) if rows else 0.0


def _corner(spot: tuple[int, int]) -> tuple[int, int]:
    """Return the upper left corner of a box."""
    column, row = spot
    return MARGIN + column * (WIDTH + ACROSS), TOP + row * (HEIGHT + DOWN)


def _headings(columns: int) -> Iterator[str]:
    for column in range(columns):
        x, _ = _corner((column, 0))
        yield f'<text class="wave" x="{x}" y="{TOP - 18}">wave {column + 1}</text>'


def _line(arrow: Arrow, spots: Spots, chain: set[tuple[str, str]], number: int) -> str:
    before_x, before_y = _corner(spots[arrow.before])
    end, after_y = _corner(spots[arrow.after])
    x, y, down = before_x + WIDTH, before_y + HEIGHT // 2, after_y + HEIGHT // 2
    bend = ACROSS // 2
    classes = "line" + (" dotted" if arrow.dotted else "")
    classes += " chain" if (arrow.before, arrow.after) in chain else ""
    title = f"{arrow.before} → {arrow.after}" + (f": {arrow.path}" if arrow.path else "")
    return (
        f'<path class="{classes}" marker-end="url(#head{number})" '
        f'd="M{x} {y}C{x + bend} {y} {end - bend} {down} {end} {down}">'
        f"<title>{_text(title)}</title></path>"
    )


def _box(node: Node, corner: tuple[int, int], graph: TaskGraph, linked: Collection[str]) -> str:
    x, y = corner
    state, title = node.status.state, one_line(node.task.spec.title)
    marks = f"box {tone_of(state)}{' chain' if node.name in graph.critical_path else ''}"
    name = node.name.removeprefix(f"{graph.project}/")
    below = f"{state.value} · {node.tier}" if node.tier else state.value
    box = (
        f"<g><title>{_text(f'{node.name}: {title}')}</title>"
        f'<rect class="{marks}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x + 10}" y="{y + 19}">{_text(_cut(name, LETTERS - 3))}</text>'
        f'<text x="{x + 10}" y="{y + 36}">{_text(_cut(title, LETTERS))}</text>'
        f'<text class="faint" x="{x + 10}" y="{y + 53}">{_text(below)}</text></g>'
    )
    if node.name not in linked:
        return box
    label = _attribute(f"{node.name}: {title}, {state.value}")
    return f'<a href="#tasks" data-task="{_attribute(node.name)}" aria-label="{label}">{box}</a>'


def _text(text: str) -> str:
    return escape(one_line(text), quote=False)


def _attribute(text: str) -> str:
    return escape(one_line(text))


def _cut(text: str, letters: int) -> str:
    """Return the text, cut to `letters` columns."""
    width = 0
    for index, char in enumerate(text):
        width += display_width(char)
        if width > letters:
            return text[: max(index - 1, 0)] + "…"
    return text


def graph_style() -> str:
    """Return the style of elements with the class `graph`."""
    light = [
        "text{font:12px ui-sans-serif,system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1f2328}",
        ".name{font-weight:600}",
        ".wave{font-weight:600;fill:#59636e}",
        ".faint{fill:#59636e}",
        ".paper{fill:#fff}",
        ".head{fill:#6e7781}",
        ".box{stroke-width:1}",
        ".box.chain{stroke-width:2.5}",
        ".line{fill:none;stroke:#6e7781;stroke-width:1.2}",
        ".line.dotted{stroke-dasharray:2 4}",
        ".line.chain{stroke-width:2.5}",
        *(f".{name}{{fill:{tone.fill};stroke:{tone.stroke}}}" for name, tone in TONES.items()),
    ]
    dark = [
        "text{fill:#e6edf3}",
        ".wave{fill:#9198a1}",
        ".faint{fill:#9198a1}",
        ".paper{fill:#0d1117}",
        ".head{fill:#9198a1}",
        ".line{stroke:#9198a1}",
        *(
            f".{name}{{fill:{tone.dark_fill};stroke:{tone.dark_stroke}}}"
            for name, tone in TONES.items()
        ),
    ]
    day, night = ("".join(f".graph {rule}" for rule in rules) for rules in (light, dark))
    return f"{day}@media screen and (prefers-color-scheme:dark){{{night}}}"


class Tone(Struct, frozen=True):
    """Fill and stroke of a box, in the light and the dark theme."""

    fill: str
    stroke: str
    dark_fill: str
    dark_stroke: str


TONES: Mapping[str, Tone] = {
    "idle": Tone("#f6f8fa", "#6e7781", "#21262d", "#8b949e"),
    "ready": Tone("#ddf4ff", "#0969da", "#0c2d6b", "#58a6ff"),
    "good": Tone("#dafbe1", "#1a7f37", "#033a16", "#3fb950"),
    "bad": Tone("#ffebe9", "#cf222e", "#490202", "#f85149"),
    "stale": Tone("#fff8c5", "#9a6700", "#3b2300", "#d29922"),
}
_TONE_OF_STATE: Mapping[State, str] = {
    **dict.fromkeys((State.NEW, State.SKIPPED), "idle"),
    State.READY: "ready",
    State.MERGED: "good",
    **dict.fromkeys((State.FAILED, State.REFUSED, State.CONFLICT, State.ERROR), "bad"),
    **dict.fromkeys((State.CHANGED, State.UNDONE), "stale"),
}


def tone_of(state: State) -> str:
    """Return the name of a state's tone."""
    return _TONE_OF_STATE[state]
