"""`PROJECT/ID`: from the path, the front matter or the title, and always fit for a git ref."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minitask.spec.dependency_graph import project_of, task_name, task_names
from minitask.spec.model import Options, Spec


def _spec(path: str, number: str = "2", title: str = "Extract the Base") -> Spec:
    return Spec(path=path, number=number, title=title)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mini-projects/api/03-routes.md", "api/03-routes"),
        ("mini-projects/api/v2/03-routes.md", "api/v2-03-routes"),
        ("mini-projects/split.md", "split/02-extract-the-base"),
        ("docs/plans/routes.md", "plans/routes"),
        ("routes.md", "tasks/routes"),
        ("sub/mini-projects/api/03-routes.md", "api/03-routes"),
    ],
)
def test_the_path_names_a_spec_that_has_its_file_to_itself(path: str, name: str) -> None:
    assert task_name(_spec(path)) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mini-projects/split.md", "split/02-extract-the-base"),
        ("mini-projects/api/plan.md", "plan/02-extract-the-base"),
        ("docs/plan.md", "plan/02-extract-the-base"),
        ("plan.md", "plan/02-extract-the-base"),
    ],
)
def test_the_title_names_a_spec_that_shares_its_file(path: str, name: str) -> None:
    assert task_name(_spec(path), siblings=3) == name
    assert task_name(Spec(path=path, number="2", title="Extract the Base", siblings=3)) == name
    assert task_name(Spec(path=path, number="2", title="Extract the Base", index=1)) == name


@pytest.mark.parametrize(
    ("number", "title", "expected"),
    [
        ("2", "A b", "02-a-b"),
        ("0", "A b", "00-a-b"),
        ("12", "A b", "12-a-b"),
        ("1A", "A b", "1a-a-b"),
        ("", "A b", "01-a-b"),
        ("3", "日本語", "03"),
        ("3", "🚀 Füge `get_x()` hinzu!", "03-fuge-get-x-hinzu"),
        ("4", "word " * 30, "04-" + "-".join(["word"] * 9)),
        ("4", "w" * 90, "04-" + "w" * 48),
    ],
)
def test_number_and_title_make_the_id(number: str, title: str, expected: str) -> None:
    assert task_name(_spec("mini-projects/p.md", number, title)) == f"p/{expected}"


def test_specs_of_one_path_are_counted() -> None:
    shared = [
        Spec(path="docs/plan.md", number="1", title="One"),
        Spec(path="docs/plan.md", number="2", title="Two", index=1),
        Spec(path="docs/other.md", number="1", title="Else"),
    ]
    assert task_names(shared) == ("plan/01-one", "plan/02-two", "docs/other")


def test_the_id_in_the_front_matter_wins() -> None:
    spec = Spec(path="mini-projects/a/x.md", number="1", title="T", options=Options(id="base"))
    assert task_name(spec) == "a/base"


@pytest.mark.parametrize(
    "bad",
    ["-x", ".x", "a..b", "a.lock", "a.LOCK", "a.", "a b", "ä", "a/b", "$(id)", "x" * 200, "@{"],
)
def test_an_id_unfit_for_a_ref_is_mended_and_kept_distinct(bad: str) -> None:
    spec = Spec(path="mini-projects/a/x.md", number="1", title="T", options=Options(id=bad))
    twin = Spec(path="mini-projects/a/x.md", number="1", title="T", options=Options(id=bad + "~"))
    assert task_name(spec).startswith("a/")
    assert task_name(spec) != f"a/{bad}"
    assert task_name(spec) != task_name(twin)
    assert task_name(spec)[-9] == "-"


def test_a_project_unfit_for_a_ref_is_mended() -> None:
    assert project_of(_spec("mini-projects/.hidden dir/x.md")).startswith("hidden-dir-")


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
@example("..", ".lock")
@example("-", "a.lock")
@example("x.", "..lock")
def test_git_takes_every_name(project: str, own: str) -> None:
    spec = Spec(
        path=f"mini-projects/{project.replace('/', '')}/t.md",
        number="1",
        title="T",
        options=Options(id=own),
    )
    name = task_name(spec)
    assert not name.startswith("-")
    assert name.count("/") == 1
    ref = f"refs/heads/minitask/{name}"
    subprocess.run(("git", "check-ref-format", ref), check=True, timeout=30)
