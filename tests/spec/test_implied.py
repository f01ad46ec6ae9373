"""What files imply: orders that hold together with `depends_on`, clashes, and the longest chains."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.spec.dependency_graph import Graph, find_circle
from minitask.spec.file_dependencies import (
    Dependency,
    DependencyKind,
    ImpliedOrder,
    WriteClash,
    WriterOrder,
    critical_path,
    implied,
    urgency,
    wave_numbers,
)
from minitask.spec.model import FileAction, FileRef, LineRange, Options, Spec

NAMES = "abcdefghijkl"


def spec(name: str, *files: FileRef, needs: str = "", following: str = "") -> Spec:
    return Spec(
        path=f"mini-projects/p/{name}.md",
        number=str(NAMES.index(name) + 1),
        title=name,
        options=Options(depends_on=tuple(needs)),
        files=files,
        next_task=following,
    )


def ref(action: str, path: str = "x", *, optional: bool = False, lines: str = "") -> FileRef:
    ranges = (LineRange(*map(int, lines.split("-"))),) if lines else ()
    return FileRef(path, FileAction(action), ranges, optional=optional)


def orders(found: ImpliedOrder) -> list[str]:
    """`ab`: the first spec comes before the second one."""
    return sorted({NAMES[link.before] + NAMES[link.after] for link in found.links})


def clashes(found: ImpliedOrder) -> list[str]:
    return sorted({NAMES[clash.first] + NAMES[clash.second] for clash in found.clashes})


def project(text: str) -> list[Spec]:
    """`a create x read? y, b<a edit x:1-5`: specs with what they depend on, and their files; `?` is optional."""
    specs = []
    for part in text.split(", "):
        head, *words = part.split(" ")
        name, _, needs = head.partition("<")
        files = [
            ref(action.rstrip("?"), path, optional=action.endswith("?"), lines=lines)
            for action, (path, _, lines) in zip(
                words[::2], (word.partition(":") for word in words[1::2]), strict=True
            )
        ]
        specs.append(spec(name, *files, needs=needs))
    return specs


def test_who_creates_a_file_comes_before_all_that_read_or_edit_it() -> None:
    found = implied([spec("a", ref("read")), spec("b", ref("edit")), spec("c", ref("create"))])
    assert found.links == (
        Dependency(2, 0, DependencyKind.CREATE_READ, "x"),
        Dependency(2, 1, DependencyKind.CREATE_EDIT, "x"),
    )
    assert found.clashes == (WriteClash(0, 1, "x"),)


IMPLIED = {
    # fact: (specs, whether the file is there, orders, clashes, how many orders are dropped)
    "two writers of a file that is there clash and have no order": ("a edit x, b write x", True, "", "ab", 0),
    "a reader and a writer of a file that is there clash": ("a read x, b edit x", True, "", "ab", 0),
    "two readers have nothing to do with each other": ("a read x, b read x", True, "", "", 0),
    "lines apart in one file clash all the same": ("a edit x:1-5, b edit x:50-60", True, "", "ab", 0),
    "names that a file system may fold are one file": ("a create App.py, b read app.py", True, "ab", "", 0),
    "tasks in order do not clash": ("a edit x, b<a edit y, c<b edit x", True, "", "", 0),
    "create or edit creates what is not there yet": ("a read x, b write x", False, "ba", "", 0),
    "create or edit edits what is there": ("a read x, b write x", True, "", "ab", 0),
    "several that may create a file clash and its readers follow all": (
        "a read x, b write x, c write x", False, "ba ca", "bc", 0
    ),
    "who says create goes before who may": ("a write x, b create x", False, "ba", "", 0),
    "an optional file gives no order": ("a create x, b read? x", True, "", "ab", 0),
    "two that delete a file say nothing": ("a delete x, b delete x, c read x", True, "", "ab ac bc", 0),
    "a file that comes and goes is created first where it is not there": (
        "a delete x, b create x, c read x", False, "ba bc ca", "", 0
    ),
    "a file that comes and goes gives no order where it is there": (
        "a delete x, b create x, c read x", True, "", "ab ac bc", 0
    ),
    "depends_on wins by way of others": ("a<b create x, b<c, c read x", True, "", "", 1),
    "files that contradict each other give the order of the first": (
        "a create x read y, b create y read x", True, "ab", "", 1
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("specs", "there", "order", "clash", "dropped"), IMPLIED.values(), ids=IMPLIED
)
def test_files_imply(specs: str, *, there: bool, order: str, clash: str, dropped: int) -> None:
    found = implied(project(specs), is_there=lambda _path: there)
    assert (" ".join(orders(found)), " ".join(clashes(found))) == (order, clash)
    assert len(found.dropped) == dropped


def test_who_deletes_a_file_comes_last() -> None:
    found = implied([spec("a", ref("delete")), spec("b", ref("read")), spec("c", ref("edit"))])
    assert orders(found) == ["ba", "ca"]
    assert {link.kind for link in found.links} == {DependencyKind.USE_DELETE}


def test_next_task_is_an_order_where_told_so_only() -> None:
    specs = [
        spec("a", following="None."),
        spec("b", following="Mini-Task 1: the last"),
        spec("c", following="Mini-Task 9"),
    ]
    assert implied(specs) == ImpliedOrder()
    assert implied(specs, next_task=True).links == (Dependency(1, 0, DependencyKind.NEXT_TASK),)


def test_depends_on_wins_over_the_files() -> None:
    found = implied([spec("a", ref("create"), needs="b"), spec("b", ref("read"))])
    assert found == ImpliedOrder((), (), (Dependency(0, 1, DependencyKind.CREATE_READ, "x"),))


def test_a_circle_of_depends_on_is_printed() -> None:
    specs = [spec("a", needs="b"), spec("b", needs="c"), spec("c", needs="a")]
    with pytest.raises(UsageError, match="p/a -> p/b -> p/c -> p/a"):
        implied(specs)


def test_the_most_urgent_task_has_the_longest_chain_behind_it() -> None:
    specs = [
        spec("a"),
        spec("b"),
        spec("c", ref("create"), needs="b"),
        spec("d", ref("read")),
        spec("e", needs="d"),
    ]
    links = implied(specs).links
    assert urgency(specs, links) == (1, 4, 3, 2, 1)
    assert wave_numbers(specs, links) == (1, 1, 2, 3, 4)
    assert critical_path(specs, links) == (1, 2, 3, 4)


def test_nothing_has_no_chains() -> None:
    assert (urgency([], ()), wave_numbers([], ()), critical_path([], ())) == ((), (), ())
    assert implied([]) == ImpliedOrder()


ACTIONS = st.sampled_from(["read", "create", "edit", "write", "delete"])
FILES = st.builds(
    ref, ACTIONS, st.sampled_from("uvwxyz"), optional=st.integers(0, 9).map(lambda n: n == 0)
)


@st.composite
def projects(draw: st.DrawFn) -> list[Spec]:
    """Specs with any files, and dependencies that run in no circle."""
    size = draw(st.integers(0, len(NAMES)))
    names = draw(st.permutations(NAMES[:size]))
    return [
        spec(
            name,
            *draw(st.lists(FILES, max_size=3)),
            needs="".join(
                sorted(draw(st.sets(st.sampled_from(names[:at]), max_size=2)) if at else ())
            ),
            following=draw(st.sampled_from(["", "Mini-Task 1", "Mini-Task 2", "Mini-Task 3"])),
        )
        for at, name in enumerate(names)
    ]


@given(projects(), st.sets(st.sampled_from("uvwxyz")), st.booleans())
def test_what_is_implied_runs_in_no_circle_with_depends_on(
    specs: list[Spec], present: set[str], next_task: bool
) -> None:
    def found() -> ImpliedOrder:
        return implied(specs, next_task=next_task, is_there=present.__contains__)

    said = found()
    assert said == found()
    merged = [
        Spec(
            path=one.path,
            number=one.number,
            title=one.title,
            options=Options(depends_on=tuple(all_)),
        )
        for one, all_ in zip(specs, _needs(specs, said), strict=True)
    ]
    assert find_circle(Graph(tuple(merged))) == ()
    waves, lengths = wave_numbers(specs, said.links), urgency(specs, said.links)
    for place, before in enumerate(_needs(specs, said)):
        for name in before:
            earlier = next(at for at, one in enumerate(specs) if one.title == name)
            assert waves[earlier] < waves[place]
            assert lengths[earlier] > lengths[place]
    path = critical_path(specs, said.links)
    assert len(path) == max(lengths, default=0) == max(waves, default=0)
    assert all(specs[one].title in _needs(specs, said)[other] for one, other in pairwise(path))


@given(projects(), st.sets(st.sampled_from("uvwxyz")))
def test_two_of_which_one_writes_what_the_other_uses_clash_or_are_in_order(
    specs: list[Spec], present: set[str]
) -> None:
    said = implied(specs, is_there=present.__contains__)
    order = WriterOrder(len(specs))
    for place, needs in enumerate(Graph(tuple(specs)).needs):
        assert all(order.add(need, place) for need in needs)
    assert all(order.add(link.before, link.after) for link in said.links)
    assert not any(order.add(link.before, link.after) for link in said.dropped)
    pairs = {(clash.first, clash.second) for clash in said.clashes}
    for one in range(len(specs)):
        for other in range(one):
            shared = _writes(specs[one]) & _uses(specs[other]) | _writes(specs[other]) & _uses(
                specs[one]
            )
            assert ((other, one) in pairs) == (bool(shared) and not order.holds(one, other))


def _needs(specs: list[Spec], said: ImpliedOrder) -> list[set[str]]:
    needs = [set(one.options.depends_on) for one in specs]
    for link in said.links:
        needs[link.after].add(specs[link.before].title)
    return needs


def _writes(one: Spec) -> set[str]:
    return {each.path for each in one.writes()}


def _uses(one: Spec) -> set[str]:
    return {each.path for each in one.files}
