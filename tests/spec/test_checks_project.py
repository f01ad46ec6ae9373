"""Each rule between the specs of a project: one project that breaks it, one that does not."""

from __future__ import annotations

import pytest

from minitask.spec.model import Diagnostic, FileAction, FileRef, Options, Severity, Spec
from minitask.spec.project import check_project

READ, CREATE, EDIT = FileAction.READ, FileAction.CREATE, FileAction.EDIT
WRITE = FileAction.WRITE


def _spec(
    name: str,
    *files: tuple[str, FileAction],
    needs: tuple[str, ...] = (),
    number: str = "",
    id_: str | None = None,
    then: str = "",
) -> Spec:
    return Spec(
        path=f"mini-projects/p/{name}.md",
        number=number,
        title=name,
        options=Options(id=id_, depends_on=needs),
        files=tuple(FileRef(path, action, line=5) for path, action in files),
        next_task=then,
        lines=(("title", 1), ("options.depends_on", 2), ("options.id", 3), ("next_task", 40)),
    )


def _codes(found: tuple[Diagnostic, ...]) -> str:
    return " ".join(item.code for item in found)


CASES = {
    "two edits": ([_spec("a", ("f", EDIT)), _spec("b", ("f", EDIT))], "N207"),
    "two creations": ([_spec("a", ("f", CREATE)), _spec("b", ("f", CREATE))], "N207"),
    "two spellings": ([_spec("a", ("src/F", EDIT)), _spec("b", ("src/f", EDIT))], "N207"),
    "two writes of two files": (
        [_spec("a", ("f", EDIT), ("g", EDIT)), _spec("b", ("f", EDIT), ("g", EDIT))],
        "N207 N207",
    ),
    "two edits in order": ([_spec("a", ("f", EDIT)), _spec("b", ("f", EDIT), needs=("a",))], ""),
    "two edits in an order by way of a third": (
        [_spec("a", ("f", EDIT)), _spec("b", needs=("a",)), _spec("c", ("f", EDIT), needs=("b",))],
        "",
    ),
    "one reads what another edits": ([_spec("a", ("f", EDIT)), _spec("b", ("f", READ))], ""),
    "an absolute path in both": ([_spec("a", ("/f", EDIT)), _spec("b", ("/f", EDIT))], ""),
    "a placeholder in both": ([_spec(n, ("path/to/f.py", EDIT)) for n in "ab"], ""),
    "circle": ([_spec("a", needs=("b",)), _spec("b", needs=("a",))], "E208"),
    "itself": ([_spec("a", needs=("a",))], "E208"),
    "two circles": (
        [
            _spec("a", needs=("b",)),
            _spec("b", needs=("a",)),
            _spec("c", needs=("d",)),
            _spec("d", needs=("c",)),
        ],
        "E208 E208",
    ),
    "chain": ([_spec("a"), _spec("b", needs=("a",)), _spec("c", needs=("b",))], ""),
    "unknown dependency": ([_spec("a", needs=("b",))], "E209"),
    "two unknown dependencies": ([_spec("a", needs=("b", "c"))], "E209 E209"),
    "ambiguous number": (
        [_spec("a", number="1"), _spec("b", number="1"), _spec("c", number="2", needs=("1",))],
        "E209",
    ),
    "known number": ([_spec("a", number="1"), _spec("c", number="2", needs=("1",))], ""),
    "unknown next": ([_spec("a", number="1", then="Mini-Task 9: Else")], "W210"),
    "known next": (
        [
            _spec("a", number="1", then="After this, move to **Mini-Task 2**: B."),
            _spec("b", number="2"),
        ],
        "",
    ),
    "lettered next": ([_spec("a", number="1", then="Mini-Task 1b"), _spec("b", number="1B")], ""),
    "last task": ([_spec("a", number="1", then="Or report completion.")], ""),
    "no next": ([_spec("a", number="1", then="None")], ""),
    "dash": ([_spec("a", number="1", then="-")], ""),
    "template next": ([_spec("a", number="1", then="- Mini-Task [N+1]: [Next Task Title]")], ""),
    "same id": ([_spec("a", id_="x"), _spec("b", id_="x")], "E211"),
    "same id but for capitals": ([_spec("a", id_="x"), _spec("b", id_="X")], "E211"),
    "different ids": ([_spec("a", id_="x"), _spec("b", id_="y")], ""),
    "an id twice that is waited for": ([_spec("a", id_="x"), _spec("b", id_="x"), _spec("c", needs=("x",))], "E211"),
    "reads before it is created": ([_spec("a", ("f", CREATE)), _spec("b", ("f", READ))], "W214"),
    "edits before it is created": ([_spec("a", ("f", CREATE)), _spec("b", ("f", EDIT))], "W214"),
    "the creator waits for the user": ([_spec("a", ("f", CREATE), needs=("b",)), _spec("b", ("f", EDIT))], "W214"),
    "reads after it is created": ([_spec("a", ("f", CREATE)), _spec("b", ("f", READ), needs=("a",))], ""),
    "create or edit, and read": ([_spec("a", ("f", WRITE)), _spec("b", ("f", READ))], ""),
}  # fmt: skip


@pytest.mark.parametrize(("specs", "codes"), CASES.values(), ids=CASES.keys())
def test_one_mistake_between_specs_gives_one_diagnostic(specs: list[Spec], codes: str) -> None:
    found = check_project(specs)
    assert _codes(found) == codes
    assert all(item.hint and item.message for item in found)


def test_two_writers_are_named_with_the_way_out() -> None:
    (found,) = check_project(
        [_spec("03-routes", ("api.py", EDIT)), _spec("05-auth", ("api.py", EDIT))]
    )
    assert (found.path, found.line) == ("mini-projects/p/05-auth.md", 5)
    assert "api.py is also written by 03-routes (mini-projects/p/03-routes.md:1)" in found.message
    assert "depends_on: [03-routes]" in found.hint


def test_many_writers_of_one_file_give_one_note_that_stops_nothing() -> None:
    specs = [_spec(f"{number:02}-x", ("api.py", EDIT)) for number in range(1, 13)]
    (found,) = check_project(specs)
    assert (found.code, found.severity) == ("N207", Severity.NOTE)
    assert found.path == "mini-projects/p/12-x.md"
    assert "by 01-x (mini-projects/p/01-x.md:1), 02-x" in found.message
    assert "and 8 more" in found.message


def test_what_has_landed_shares_no_file_and_creates_none() -> None:
    maker, writer = _spec("a", ("f", CREATE)), _spec("b", ("f", EDIT))
    assert _codes(check_project([maker, writer])) == "W214"
    assert check_project([writer], existing=[maker], landed=[maker]) == ()
    other = _spec("c", ("f", EDIT))
    assert check_project([writer, other], landed=[other]) == ()


def test_a_cycle_is_printed() -> None:
    (found,) = check_project(
        [_spec("c", needs=("a",)), _spec("a", needs=("b",)), _spec("b", needs=("c",))]
    )
    assert found.message.endswith("p/c -> p/a -> p/b -> p/c")
    assert (found.path, found.line) == ("mini-projects/p/c.md", 2)


def test_an_ambiguous_dependency_names_the_choices() -> None:
    specs, _ = CASES["ambiguous number"]
    (found,) = check_project(specs)
    assert "names several tasks (p/a, p/b)" in found.message


def test_a_missing_next_task_is_a_warning() -> None:
    specs, _ = CASES["unknown next"]
    assert [item.severity for item in check_project(specs)] == [Severity.WARNING]


def test_specs_that_are_only_known_are_not_judged() -> None:
    broken = _spec("z", ("f", EDIT), needs=("nothing",), then="Mini-Task 77")
    assert check_project([_spec("a")], existing=[broken]) == ()
    assert _codes(check_project([_spec("a", needs=("z",))], existing=[broken])) == ""
    assert _codes(check_project([_spec("a", ("f", EDIT))], existing=[broken])) == "N207"
    assert _codes(check_project([_spec("a", id_="z")], existing=[broken])) == "E211"


def test_a_judged_creator_is_told_of_a_known_user() -> None:
    user = _spec("user", ("f", READ))
    (found,) = check_project([_spec("maker", ("f", CREATE))], existing=[user])
    assert (found.code, found.path) == ("W214", "mini-projects/p/maker.md")
    assert "to p/user" in found.hint


def test_a_spec_given_twice_is_not_two_specs() -> None:
    spec = _spec("a", ("f", EDIT))
    assert check_project([spec], existing=[spec]) == ()


def test_what_the_parser_says_of_one_file_is_not_said_again() -> None:
    def twin(number: str, index: int, id_: str | None = None) -> Spec:
        options = Options(id=id_)
        return Spec("plan.md", number=number, title="T", index=index, options=options, siblings=2)

    assert check_project([twin("2", 0), twin("2", 1)]) == ()
    assert check_project([twin("1", 0, "x"), twin("2", 1, "x")]) == ()
    assert _codes(check_project([twin("2", 0), twin("02", 1)])) == "E211"
