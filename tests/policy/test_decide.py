"""The tree that says who should do a change, and what specs answer to its questions."""

from __future__ import annotations

from itertools import product

import pytest

from minitask.policy.decide import (
    ATOMIC,
    EXPLORATION,
    JUDGEMENT,
    LARGE,
    REPETITIVE,
    WELL_DEFINED,
    DelegationAnswer,
    DelegationDecision,
    DelegationVerdict,
    Question,
    answer_atomic,
    decide,
    most_alike,
    survey,
    survey_answers,
)
from minitask.spec.model import Command, Diagnostic, FileAction, FileRef, Severity, Spec

QUESTIONS = (WELL_DEFINED, EXPLORATION, JUDGEMENT, REPETITIVE, LARGE, ATOMIC)


def answers(**said: bool) -> dict[Question, DelegationAnswer]:
    """Answers by the name of their question in small letters."""
    return {globals()[name.upper()]: DelegationAnswer(yes, "test") for name, yes in said.items()}


def spec(number: int, *, title: str = "", task: str = "", path: str = "", line: int = 1) -> Spec:
    ref = FileRef(path or f"src/m{number}.py", FileAction.EDIT)
    return Spec(
        path=f"mini-projects/p/{number:02}.md",
        number=str(number),
        title=title or f"Compress the docstring of m{number}.py",
        task=task or f"1. Shorten the docstring of `function_{number}` to one line.",
        files=(ref,),
        commands=(Command("true"),),
        lines=(("title", line),),
    )


def finding(place: Spec, code: str, severity: Severity = Severity.WARNING) -> Diagnostic:
    return Diagnostic(place.path, 3, code, severity, "m")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ({"well_defined": False, "exploration": True}, DelegationVerdict.BIG),
        ({"well_defined": False, "exploration": False}, DelegationVerdict.ASK),
        ({"well_defined": True, "judgement": True}, DelegationVerdict.BIG),
        ({"well_defined": True, "judgement": False, "repetitive": True}, DelegationVerdict.DELEGATE),
        ({"well_defined": True, "judgement": False, "repetitive": False, "large": False}, DelegationVerdict.CURRENT),
    ],
)  # fmt: skip
def test_each_way_through_the_tree_has_its_verdict(
    said: dict[str, bool], verdict: DelegationVerdict
) -> None:
    found = decide(answers(**said))
    assert isinstance(found, DelegationDecision)
    assert found.verdict is verdict
    assert found.reason
    assert [question for question, _ in found.path] == list(answers(**said))


@pytest.mark.parametrize(
    ("count", "verdict"), [(0, "big model"), (4, "big model"), (5, "delegate"), (60, "delegate")]
)
def test_a_large_project_is_delegated_where_it_comes_apart(count: int, verdict: str) -> None:
    said = answers(well_defined=True, judgement=False, repetitive=False, large=True)
    found = decide({**said, ATOMIC: answer_atomic(count, "test")})
    assert isinstance(found, DelegationDecision)
    assert found.verdict == verdict


def test_the_first_question_without_an_answer_is_asked() -> None:
    assert decide({}) is WELL_DEFINED
    assert decide(answers(well_defined=False)) is EXPLORATION
    assert decide(answers(well_defined=True)) is JUDGEMENT
    assert decide(answers(well_defined=True, judgement=False)) is REPETITIVE
    assert decide(answers(large=True, atomic=True)) is WELL_DEFINED


def test_all_answers_together_always_end_in_a_verdict() -> None:
    for values in product((True, False), repeat=len(QUESTIONS)):
        said = {
            item: DelegationAnswer(yes, "") for item, yes in zip(QUESTIONS, values, strict=True)
        }
        found = decide(said)
        assert isinstance(found, DelegationDecision)
        assert all(said[question] == answer for question, answer in found.path)


def test_ten_specs_of_one_pattern_are_delegated() -> None:
    specs = [spec(number) for number in range(10)]
    assert most_alike(specs) == 10
    found = decide({JUDGEMENT: DelegationAnswer(False, ""), **survey_answers(survey(specs, ()))})
    assert isinstance(found, DelegationDecision)
    assert found.verdict is DelegationVerdict.DELEGATE
    assert found.path[-1][0] is REPETITIVE
    assert most_alike(specs[:9]) == 9


def test_other_words_or_other_files_are_another_edit() -> None:
    specs = [
        spec(1),
        spec(2, title="Add a route", task="1. Register the handler below the others."),
        spec(3, path="notes.md"),
    ]
    assert most_alike(specs) == 1
    assert most_alike([]) == 0


def test_an_error_makes_the_work_badly_defined() -> None:
    specs = [spec(number) for number in range(6)]
    found = survey_answers(survey(specs, [finding(specs[2], "E201", Severity.ERROR)]))
    assert found[WELL_DEFINED].yes is False
    assert "5 of 6 pass `minitask validate`" in found[WELL_DEFINED].source
    assert "6 have a validation" in found[WELL_DEFINED].source
    assert found[ATOMIC].yes is True


def test_an_error_in_a_file_without_tasks_counts_too() -> None:
    stray = Diagnostic("mini-projects/p/notes.md", 1, "E101", Severity.ERROR, "m")
    assert survey([spec(1)], [stray]).strays == 1
    assert survey_answers(survey([spec(1)], [stray]))[WELL_DEFINED].yes is False


def test_vague_and_wide_tasks_need_exploring_and_are_not_atomic() -> None:
    specs = [spec(number) for number in range(6)]
    found = survey(specs, [finding(specs[0], "W403"), finding(specs[1], "W405")])
    assert (found.vague, found.wide, found.atomic, found.sound) == (1, 1, 4, 6)
    said = survey_answers(found)
    assert (said[EXPLORATION].yes, said[ATOMIC].yes, said[WELL_DEFINED].yes) == (True, False, True)


def test_in_a_file_of_several_tasks_a_finding_belongs_to_the_one_above_it() -> None:
    first, second = spec(1, line=1), spec(1, line=10)
    below = Diagnostic(first.path, 12, "E201", Severity.ERROR, "m")
    assert survey([first, second], [below]).sound == 1
    whole = Diagnostic(first.path, 0, "E201", Severity.ERROR, "m")
    assert survey([first, second], [whole]).sound == 0


def test_writing_one_file_is_small_and_writing_two_is_large() -> None:
    one = [spec(1, path="a.py"), spec(2, path="a.py")]
    assert survey_answers(survey(one, ()))[LARGE].yes is False
    assert survey_answers(survey([*one, spec(3, path="b.py")], ()))[LARGE].yes is True
