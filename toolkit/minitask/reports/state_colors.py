"""The colours of task states in pictures, on light paper and on dark, and text that is fit to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from minitask.engine.task_status import State


class Tone(Struct, frozen=True):
    """The fill and edge of a box, on light paper and on dark."""

    fill: str
    stroke: str
    dark_fill: str
    dark_stroke: str


TONES: Mapping[str, Tone] = MappingProxyType(
    {
        "idle": Tone("#f6f8fa", "#6e7781", "#21262d", "#8b949e"),
        "ready": Tone("#ddf4ff", "#0969da", "#0c2d6b", "#58a6ff"),
        "good": Tone("#dafbe1", "#1a7f37", "#033a16", "#3fb950"),
        "bad": Tone("#ffebe9", "#cf222e", "#490202", "#f85149"),
        "stale": Tone("#fff8c5", "#9a6700", "#3b2300", "#d29922"),
    }
)
_BY_STATE: Mapping[State, str] = MappingProxyType(
    {
        State.NEW: "idle",
        State.SKIPPED: "idle",
        State.READY: "ready",
        State.MERGED: "good",
        State.FAILED: "bad",
        State.REFUSED: "bad",
        State.CONFLICT: "bad",
        State.ERROR: "bad",
        State.CHANGED: "stale",
        State.UNDONE: "stale",
    }
)


def tone_of(state: State) -> str:
    """Return the name of a state's tone."""
    return _BY_STATE[state]
