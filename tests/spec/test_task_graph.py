"""Order, waves and cycles; and what a `depends_on` entry may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.spec.dependency_graph import Graph, find_circle, order, task_names
from minitask.spec.file_dependencies import wave_numbers
from minitask.spec.model import Options, Spec


def _spec(
    name: str, *needs: str, number: str = "", project: str = "p", id_: str | None = None
) -> Spec:
    return Spec(
        path=f"mini-projects/{project}/{name}.md",
        number=number,
        title=name,
        options=Options(id=id_, depends_on=needs),
    )


def waves(specs: list[Spec]) -> list[tuple[Spec, ...]]:
    """The specs wave by wave, as their own entries have it."""
    numbers = wave_numbers(specs, ())
    return [
        tuple(spec for spec, number in zip(specs, numbers, strict=True) if number == wave)
        for wave in range(1, max(numbers, default=0) + 1)
    ]


def _titles(specs: tuple[Spec, ...]) -> str:
    return " ".join(spec.title for spec in specs)


def test_every_spec_follows_what_it_depends_on() -> None:
    specs = [_spec("a", "c"), _spec("b"), _spec("c", "d"), _spec("d")]
    assert _titles(order(specs)) == "b d c a"


def test_specs_that_are_free_come_by_path_and_place() -> None:
    file = [Spec(path="x.md", number=str(n), title=f"x{n}", index=n) for n in (2, 0, 1)]
    assert _titles(order([_spec("z"), *file, _spec("a")])) == "a z x0 x1 x2"


def test_a_wave_holds_all_that_waits_for_nothing_else() -> None:
    specs = [_spec("a"), _spec("b", "a"), _spec("c", "a"), _spec("d", "b", "c"), _spec("e")]
    assert [_titles(group) for group in waves(specs)] == ["a e", "b c", "d"]


def test_no_specs_make_no_waves() -> None:
    assert waves([]) == []
    assert order([]) == ()
    assert find_circle(Graph(())) == ()


def test_a_cycle_is_found_without_its_tail() -> None:
    specs = [_spec("tail", "a"), _spec("a", "b"), _spec("b", "c"), _spec("c", "a"), _spec("free")]
    assert _titles(specs[index] for index in find_circle(Graph(tuple(specs)))) == "a b c"


def test_a_spec_that_needs_itself_is_a_cycle() -> None:
    assert find_circle(Graph((_spec("a", "a"),))) == (0,)


@pytest.mark.parametrize("arrange", [order, waves])
def test_a_cycle_cannot_be_put_in_order(arrange: object) -> None:
    with pytest.raises(UsageError, match="p/a -> p/b -> p/a"):
        arrange([_spec("a", "b"), _spec("b", "a")])  # type: ignore[operator]


@pytest.mark.parametrize(
    "entry", ["base", "q/base", "01-base", "01-base.md", "mini-projects/q/01-base.md", "1", "01"]
)
def test_an_entry_may_be_id_name_file_or_number(entry: str) -> None:
    base = _spec("01-base", number="1", project="q", id_="base")
    user = _spec("02-user", entry, number="2", project="q")
    assert Graph((base, user)).needs == (frozenset(), frozenset({0}))


def test_a_number_counts_in_the_same_project_only() -> None:
    specs = (_spec("a", number="1", project="one"), _spec("b", "1", number="2", project="two"))
    assert Graph(specs).find("1", asker=1) == ()


def test_a_number_counts_in_the_same_file_first() -> None:
    here = [
        Spec(path="mini-projects/p/plan.md", number="1", title="One", siblings=2),
        Spec(
            path="mini-projects/p/plan.md",
            number="2",
            title="Two",
            index=1,
            siblings=2,
            options=Options(depends_on=("1",)),
        ),
    ]
    elsewhere = Spec(path="mini-projects/plan/x.md", number="1", title="Else")
    graph = Graph((elsewhere, *here))
    assert graph.names == ("plan/x", "plan/01-one", "plan/02-two")
    assert graph.needs[2] == frozenset({1})


def test_a_file_of_another_project_can_be_named() -> None:
    specs = (_spec("base", project="one"), _spec("user", "base", project="two"))
    assert Graph(specs).needs[1] == frozenset({0})


def test_the_same_project_is_preferred_to_another() -> None:
    specs = (
        _spec("base", project="one"),
        _spec("base", project="two"),
        _spec("user", "base", project="two"),
    )
    assert Graph(specs).needs[2] == frozenset({1})


def test_a_file_stands_for_all_the_tasks_in_it() -> None:
    plan = [Spec(path="plan.md", number=str(n), title=f"T{n}", index=n - 1) for n in (1, 2)]
    graph = Graph((*plan, _spec("user", "plan")))
    assert graph.needs[2] == frozenset({0, 1})
    assert graph.find("plan.md#2", asker=2) == (1,)


def test_a_number_that_two_files_share_is_a_choice_and_no_dependency() -> None:
    specs = (_spec("a", number="1"), _spec("b", number="1"), _spec("c", "1", number="2"))
    graph = Graph(specs)
    assert graph.is_ambiguous(graph.find("1", asker=2))
    assert graph.needs[2] == frozenset()


@st.composite
def _acyclic(draw: st.DrawFn) -> list[Spec]:
    size = draw(st.integers(1, 12))
    shuffled = draw(st.permutations(range(size)))
    return [
        _spec(
            f"t{shuffled[n]:02}",
            *(f"t{shuffled[m]:02}" for m in draw(st.sets(st.integers(0, n - 1)))),
        )
        if n
        else _spec(f"t{shuffled[0]:02}")
        for n in range(size)
    ]


@given(_acyclic())
def test_order_and_waves_hold_every_spec_once_and_after_its_needs(specs: list[Spec]) -> None:
    assert find_circle(Graph(tuple(specs))) == ()
    ordered = order(specs)
    assert sorted(_titles(ordered).split()) == sorted(spec.title for spec in specs)
    done: set[str] = set()
    for spec in ordered:
        assert done.issuperset(spec.options.depends_on)
        done.add(spec.title)
    done = set()
    for wave in waves(specs):
        assert all(done.issuperset(spec.options.depends_on) for spec in wave)
        assert all(not wave_needs_more(spec, done) for spec in wave)
        done.update(spec.title for spec in wave)
    assert len(done) == len(specs)
    assert len(set(task_names(specs))) == len(specs)


def wave_needs_more(spec: Spec, done: set[str]) -> bool:
    return bool(set(spec.options.depends_on) - done)
