"""Where cited lines are once some of them changed: what a reader is shown, and what a refusal names."""

from __future__ import annotations

import pytest

from minitask.edits.check_script import versions_of
from minitask.edits.lines import map_lines, spread
from minitask.errors import EditError
from minitask.spec.model import LineRange

OLD = "".join(f"line {number}\n" for number in range(1, 11))


def _with(**changes: str) -> str:
    """The ten lines, of which `l3="x\\ny\\n"` replaces the third; an empty text takes it away."""
    lines = [changes.get(f"l{number}", f"line {number}\n") for number in range(1, 11)]
    return changes.get("above", "") + "".join(lines)


@pytest.mark.parametrize(
    ("new", "cited", "now"),
    [
        (_with(), (3, 5), (3, 5)),
        (_with(above="new\n"), (3, 5), (4, 6)),
        (_with(l4="four\n"), (3, 5), (3, 5)),
        (_with(l4="four\nand a half\n"), (3, 5), (3, 6)),
        (_with(l3="three\n"), (3, 5), (3, 5)),
        (_with(l5="five\nand more\n"), (3, 5), (3, 6)),
        (_with(l4=""), (3, 5), (3, 4)),
        (_with(l1="", l4=""), (3, 5), (2, 3)),
        (_with(l3="", l4="", l5=""), (3, 5), None),
        (_with(l9="nine\n"), (3, 5), (3, 5)),
        (_with(l8="", l9="", l10=""), (7, 10), (7, 7)),
    ],
)
def test_what_came_of_cited_lines_is_found(
    new: str, cited: tuple[int, int], now: tuple[int, int] | None
) -> None:
    found = spread(LineRange(*cited), versions_of("a.txt", OLD, new))
    assert found == (LineRange(*now) if now else None)


def test_a_refusal_for_changed_lines_prints_the_new_numbers() -> None:
    new = _with(above="new\n", l4="four\n")
    with pytest.raises(EditError) as caught:
        map_lines(LineRange(3, 5), versions_of("a.txt", OLD, new))
    assert "now in lines 4-6" in caught.value.hint
