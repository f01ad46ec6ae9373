"""`minitask.values.dataclass` against the library's: the same classes, defined by both, behave the same."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from minitask import values
from minitask.spec.model import Command, FileAction, FileRef, LineRange, Spec


def _make(decorate: Callable[..., Any], **options: Any) -> Any:
    @decorate(**options)
    class Sample:
        """A sample."""

        name: str
        number: int = 0
        secret: str = dataclasses.field(default="", repr=False)
        note: str = dataclasses.field(default="", compare=False)
        parts: list[int] = dataclasses.field(default_factory=list, hash=False)

        def doubled(self) -> int:
            return 2 * self.number

    return Sample


PAIRS = [
    pytest.param(
        _make(values.dataclass, **options), _make(dataclasses.dataclass, **options), id=id_
    )
    for id_, options in {
        "plain": {},
        "slots": {"slots": True},
        "frozen": {"frozen": True},
        "value": {"frozen": True, "slots": True},
    }.items()
]


@pytest.mark.parametrize(("ours", "library"), PAIRS)
def test_values_look_and_compare_as_the_library_has_it(ours: Any, library: Any) -> None:
    for cls in (ours, library):
        one = cls("a", 1, "hidden", note="x", parts=[1])
        assert one == cls("a", 1, "hidden", note="y", parts=[1])
        assert one != cls("a", 2, "hidden", parts=[1])
        assert one != cls("a", 1, "other", parts=[1])
        assert one != ("a", 1, "hidden", "x", [1])
        assert (one == Ellipsis) is False
        assert dataclasses.replace(one, number=5).doubled() == 10
    assert repr(ours("a", 1, "hidden")) == repr(library("a", 1, "hidden"))
    assert ours.__match_args__ == library.__match_args__
    assert dataclasses.asdict(ours("a")) == dataclasses.asdict(library("a"))


@pytest.mark.parametrize(("ours", "library"), PAIRS)
def test_hashes_follow_the_library(ours: Any, library: Any) -> None:
    if library.__hash__ is None:
        assert ours.__hash__ is None
        return
    assert hash(ours("a", 1, note="x")) == hash(ours("a", 1, note="y", parts=[1]))
    assert hash(ours("a", 1)) == hash(library("a", 1))


@pytest.mark.parametrize(("ours", "library"), PAIRS)
def test_frozen_values_cannot_be_changed(ours: Any, library: Any) -> None:
    for cls in (ours, library):
        value = cls("a")
        if cls.__dataclass_params__.frozen:
            with pytest.raises(dataclasses.FrozenInstanceError):
                value.number = 1
            with pytest.raises(dataclasses.FrozenInstanceError):
                del value.number
        else:
            value.number = 1
            assert value.number == 1


@pytest.mark.parametrize(("ours", "library"), PAIRS)
def test_slots_are_kept(ours: Any, library: Any) -> None:
    assert hasattr(ours("a"), "__dict__") == hasattr(library("a"), "__dict__")


def test_methods_that_a_class_defines_itself_stay() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Odd:
        """Equal to everything."""

        name: str

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "odd"

    assert Odd("a") == 3
    assert hash(Odd("a")) == 7
    assert repr(Odd("a")) == "odd"


def test_a_value_in_itself_is_shown() -> None:
    @values.dataclass(slots=True)
    class Node:
        """May hold itself."""

        inner: object = None

    node = Node()
    node.inner = node
    assert repr(node).endswith("(inner=...)")


def test_ordered_values_are_left_to_the_library() -> None:
    @values.dataclass(frozen=True, slots=True, order=True)
    class Place:
        """A place."""

        line: int

    assert Place(1) < Place(2)


def test_a_class_without_fields_has_one_value() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Nothing:
        """Nothing."""

    assert Nothing() == Nothing()
    assert repr(Nothing()).endswith("Nothing()")


def test_spec_values_survive_pickling_and_copying() -> None:
    spec = Spec(
        path="a.md",
        number="1",
        title="A",
        files=(FileRef("a.py", FileAction.EDIT, (LineRange(1, 2),)),),
        commands=(Command("true"),),
        extra=(("Cost", str(Decimal("0.1"))),),
    )
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert copy.deepcopy(spec) == spec
    assert hash(pickle.loads(pickle.dumps(spec))) == hash(spec)


def test_hastened_values_are_made_as_before() -> None:
    @values.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        name: str = ""

    before = Point(1, name="a")
    values.hasten(Point)
    assert Point(1, name="a") == before == Point(x=1, y=2, name="a") == Point(1, 2, "a")
    assert dataclasses.replace(before, x=5) == Point(5, 2, "a")
    assert repr(Point(1)) == repr(before).replace("'a'", "''")
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Point(1, z=3)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Point(1).x = 3  # type: ignore[misc]
