"""A whole project's batches: how many hold a single task, how many tasks run side by side, what they should take."""

from __future__ import annotations

from itertools import pairwise

import pytest

from minitask.spec.batches import check_batches, home_of
from minitask.spec.model import Diagnostic, Estimate, FileAction, FileRef, Options, Severity, Spec
from minitask.spec.project import check_project

READ, CREATE, EDIT = FileAction.READ, FileAction.CREATE, FileAction.EDIT
WRITE = FileAction.WRITE
NO_ESTIMATE = Estimate()


def _spec(
    name: str,
    *files: tuple[str, FileAction],
    needs: str = "",
    estimate: Estimate = NO_ESTIMATE,
    path: str = "",
    siblings: int = 1,
) -> Spec:
    return Spec(
        path=path or f"mini-projects/p/{name}.md",
        number=name,
        title=name,
        options=Options(depends_on=tuple(needs)),
        estimate=estimate,
        files=tuple(FileRef(file, action, line=5) for file, action in files),
        lines=(("title", 1), ("options.depends_on", 2), ("estimate", 7)),
        siblings=siblings,
    )


def _project(shape: str) -> list[Spec]:
    """`a b<a c<ab`: the tasks by name, and what each depends on; each edits a file of its own name."""
    words = (word.partition("<") for word in shape.split())
    return [_spec(name, (f"{name}.py", EDIT), needs=needs) for name, _, needs in words]


def _codes(found: tuple[Diagnostic, ...]) -> str:
    return " ".join(item.code for item in found)


WAVES = {
    "a chain of four": ("a b<a c<b d<c", "N411"),
    "a chain of three is too small a project": ("a b<a c<b", ""),
    "one base, and all the others at once": ("a b<a c<a d<a", ""),
    "a base, two, and one that joins them": ("a b<a c<a d<bc", "N412"),
    "a base, three, and one that joins them": ("a b<a c<a d<a e<bcd", "N412"),
    "a base, five, and one that joins them": ("a b<a c<a d<a e<a f<a g<bcdef", ""),
    "two chains side by side": ("a b<a c<b d<c e f<e g<f h<g", ""),
    "three single waves among many tasks": ("a b<a c<b d<c e<c f<c g<c h<c i<c j<c k<c", "N411"),
    "no dependency at all": ("a b c d e", ""),
}


@pytest.mark.parametrize(("shape", "codes"), WAVES.values(), ids=WAVES.keys())
def test_the_shape_of_the_waves_gives_one_note_at_most(shape: str, codes: str) -> None:
    found = check_batches(_project(shape))
    assert _codes(found) == codes
    assert all(item.severity is Severity.NOTE and item.hint for item in found)


def test_a_chain_is_told_where_it_gets_too_long_and_what_to_untie() -> None:
    (found,) = check_batches(_project("a b<a c<b d<c"))
    assert (found.path, found.line) == ("mini-projects/p/c.md", 2)
    assert found.message == (
        "4 sequential batches; aim for at most 2: a, b, c and d run alone; "
        "0 of 4 tasks (0 %) run in parallel"
    )
    assert "remove `depends_on` (b to a, c to b and d to c)" in found.hint


def test_a_low_share_is_told_at_the_task_that_lowers_it() -> None:
    (found,) = check_batches(_project("a b<a c<a d<a e<bcd"))
    assert (found.path, found.code) == ("mini-projects/p/e.md", "N412")
    assert found.message.startswith("3 of 5 tasks (60 %) run in parallel: a and e run alone")
    assert "remove `depends_on` (e to b, c and d)" in found.hint


def test_a_share_that_is_high_enough_is_not_told() -> None:
    (found,) = check_batches(_project("a b<a c<b d<c e<c f<c g<c h<c i<c j<c k<c"))
    assert "parallel" not in found.message


def test_files_order_tasks_as_depends_on_does() -> None:
    chain = [
        _spec("a", ("a.py", CREATE)),
        _spec("b", ("a.py", READ), ("b.py", CREATE)),
        _spec("c", ("b.py", READ), ("c.py", CREATE)),
        _spec("d", ("c.py", READ), ("d.py", CREATE)),
    ]
    (found,) = check_batches(chain)
    assert (found.code, found.path) == ("N411", "mini-projects/p/c.md")
    assert "a, b, c and d share files" in found.hint


def test_a_file_that_may_be_created_orders_tasks_only_where_there_is_none() -> None:
    chain = [
        _spec("a", ("a.py", WRITE)),
        _spec("b", ("a.py", READ), ("b.py", WRITE)),
        _spec("c", ("b.py", READ), ("c.py", WRITE)),
        _spec("d", ("c.py", READ), ("d.py", WRITE)),
    ]
    assert _codes(check_batches(chain, is_there=lambda _path: False)) == "N411"
    assert check_batches(chain, is_there=lambda _path: True) == ()


def test_tasks_of_one_wave_that_may_not_run_at_once_run_beside_nobody() -> None:
    clashing = [_spec("a", ("x", EDIT)), _spec("b", ("x", READ), ("b.py", EDIT))]
    later = [_spec("c", ("c.py", EDIT), needs="ab"), _spec("d", ("d.py", EDIT), needs="ab")]
    assert _codes(check_batches([*clashing, *later])) == "N412"
    assert check_batches([*clashing, _spec("e", ("e.py", EDIT)), *later]) == ()


def test_a_project_whose_order_is_in_doubt_is_judged_by_no_wave() -> None:
    circle = _project("a<d b<a c<b d<c")
    assert check_batches(circle) == ()
    writers = [_spec(name, ("x", EDIT)) for name in "abcd"]
    said = check_project(writers)
    assert set(_codes(said).split()) == {"N207"}
    assert check_batches(writers, diagnostics=said) == ()
    elsewhere = [Diagnostic("mini-projects/q/a.md", 1, "N207", Severity.ERROR, "said")]
    assert _codes(check_batches(_project("a b<a c<b d<c"), diagnostics=elsewhere)) == "N411"


def test_many_tasks_are_named_by_the_first_few() -> None:
    names = "abcdefghijkl"
    shape = " ".join(["a", *(f"{then}<{first}" for first, then in pairwise(names))])
    (found,) = check_batches(_project(shape))
    assert "a, b, c, d and 8 more run alone" in found.message
    assert "e to d" in found.hint
    assert "f to e" not in found.hint


def _estimated(*counts: tuple[int | None, int | None]) -> list[Spec]:
    return [
        _spec(f"t{number}", (f"{number}.py", EDIT), estimate=Estimate(*count))
        for number, count in enumerate(counts)
    ]


def test_tasks_without_an_estimate_are_told_once_a_project() -> None:
    (found,) = check_batches(_estimated((900, 100), (None, None), (800, None), (0, 0)))
    assert (found.path, found.line, found.code) == ("mini-projects/p/t1.md", 7, "N413")
    assert found.message.startswith("no estimate of input and output tokens in t1 and t2, while 2")


@pytest.mark.parametrize(
    "counts",
    [[(None, None)] * 4, [(900, 100)] * 4, [(900, 100), (None, None), (900, 100)]],
    ids=["nobody has one", "all have one", "too small a project"],
)
def test_estimates_that_are_all_there_or_all_missing_are_fine(
    counts: list[tuple[int | None, int | None]],
) -> None:
    assert check_batches(_estimated(*counts)) == ()


def test_a_task_that_needs_no_model_needs_no_estimate() -> None:
    specs = _estimated((900, 100), (900, 100), (900, 100), (None, None))
    assert check_batches(specs, is_free=lambda spec: spec.title == "t3") == ()
    assert _codes(check_batches(specs)) == "N413"


@pytest.mark.parametrize(
    ("path", "siblings", "home"),
    [
        ("mini-projects/p/a.md", 1, "mini-projects/p"),
        ("mini-projects/p/deep/a.md", 1, "mini-projects/p"),
        ("mini-projects/p/all.md", 3, "mini-projects/p/all.md"),
        ("mini-projects/p.md", 1, "mini-projects/p.md"),
        ("plans/next/a.md", 1, "plans/next"),
    ],
)
def test_a_project_is_a_folder_or_a_file(path: str, siblings: int, home: str) -> None:
    assert home_of(_spec("a", path=path, siblings=siblings)) == home
