"""What a model is told, and what it costs."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from orders import FILES, SPEC, order

from minitask.errors import EditError
from minitask.executors.prompt import agent_prompt, repair_prompt, system_prompt, user_prompt
from minitask.executors.request import Excerpt
from minitask.policy.estimates import estimate_tokens
from minitask.spec.markdown import find_fences
from minitask.spec.model import (
    Command,
    Criterion,
    Expectation,
    ExpectationKind,
    Fence,
    FileAction,
    FileRef,
    LineRange,
    Spec,
)

RAW = """\
# Mini-Task 1: Round prices up

**Model**: claude-haiku-4-5
**Files to Edit**: `src/prices.py` (lines 40-59)

## Context
Prices are shown with two decimals. Half a cent is lost on each line of an invoice.

## Task
1. Make `total` round up to whole cents at the end and nowhere else.
2. Keep the signature and the docstring.

## Acceptance Criteria
- [ ] `total([0.001])` is `0.01`
- [ ] `total([])` is `0`

## Validation
```bash
python -c "from src.prices import total; assert total([0.001]) == 0.01"
grep -c ceil src/prices.py
```
"""
LINES = "".join(
    f"    amount_{n} = compute_amount(order.lines[{n % 7}], rate=rates.get(currency))\n"
    for n in range(20)
)
ROUNDED = Spec(
    path="mini-projects/p/01.md",
    number="1",
    title="Round prices up",
    model="claude-haiku-4-5",
    files=(FileRef("src/prices.py", FileAction.EDIT, ranges=(LineRange(40, 59),)),),
    context="Prices are shown with two decimals. Half a cent is lost on each line of an invoice.",
    task=(
        "1. Make `total` round up to whole cents at the end and nowhere else.\n"
        "2. Keep the signature and the docstring."
    ),
    criteria=(Criterion("`total([0.001])` is `0.01`"), Criterion("`total([])` is `0`")),
    commands=(
        Command('python -c "from src.prices import total; assert total([0.001]) == 0.01"'),
        Command("grep -c ceil src/prices.py"),
    ),
)


def test_the_instructions_stay_small():
    assert estimate_tokens(system_prompt()) <= 150


def test_the_whole_prompt_is_within_a_seventh_of_its_floor():
    asked = order(spec=ROUNDED, excerpts=(Excerpt("src/prices.py", 40, LINES),))
    sent = estimate_tokens(system_prompt()) + estimate_tokens(user_prompt(asked))
    floor = estimate_tokens(RAW) + estimate_tokens(LINES) + 150
    assert sent <= 1.15 * floor


def test_a_prompt_for_a_large_extraction_is_within_a_seventh_of_its_floor():
    text = "".join(f"{line}\n" if n % 5 else "\n" for n, line in enumerate(LINES.split("\n") * 45))
    asked = order(spec=ROUNDED, excerpts=(Excerpt("src/prices.py", 1200, text),))
    sent = estimate_tokens(system_prompt()) + estimate_tokens(user_prompt(asked))
    assert sent <= 1.15 * (estimate_tokens(RAW) + estimate_tokens(text) + 150)


def test_of_many_lines_those_where_blocks_begin_and_end_have_numbers():
    text = "a\nb\nc\n\nd\ne\nf\n" + "x\n" * 100
    shown = user_prompt(order(excerpts=(Excerpt("src/a.py", 101, text),)))
    assert "101\ta\nb\n103\tc\n\n105\td\ne\nf\nx\nx\n110\tx\nx\nx\nx\nx\n115\tx\n" in shown
    assert "207\tx\n```" in shown


def test_what_is_read_comes_first_then_the_spec_the_lines_to_change_and_the_feedback():
    prompt = user_prompt(order(feedback="FAILED test_one"))
    places = [
        prompt.index(text)
        for text in (
            *("# Style", "# Rename one", "create: src/b.py (the new home)"),
            *("The names are numbers.", "1. Move `one`", "- src/b.py holds `one`"),
            *("grep -q one src/b.py", "4\tdef one():", "FAILED test_one"),
        )
    ]
    assert places == sorted(places)


def test_cited_lines_that_moved_are_said_to_have_moved():
    def locate(path: str, cited: LineRange) -> LineRange:
        return LineRange(cited.start + 2, cited.end + 2)

    assert "edit: src/a.py:4-9 (its lines are now 6-11)" in user_prompt(order(locate=locate))
    assert "edit: src/a.py:4-9\n" in user_prompt(order(locate=lambda path, cited: cited))


def test_a_files_note_is_kept_whole():
    files = (FileRef("a.py", FileAction.READ, (LineRange(1, 2),), note="lines 1-2, the style"),)
    assert "read: a.py (lines 1-2, the style)\n" in user_prompt(
        order(spec=replace(SPEC, files=files))
    )


def test_feedback_leaves_the_beginning_of_the_prompt_as_it_was():
    assert user_prompt(order(feedback="FAILED")).startswith(user_prompt(order()))


def test_what_is_for_people_and_for_the_toolkit_is_not_sent():
    prompt = user_prompt(order())
    assert "Stop and report" not in prompt
    assert "02-b.md" not in prompt


@pytest.mark.parametrize(
    ("key", "value", "is_told"),
    [
        ("Constraints", "keep `core.py` as it is", True),
        ("Do not touch", "- `core.py`", True),
        ("Purpose", "Fewer cents are lost.", True),
        ("Dependencies", "express 4", True),
        ("Dependencies", "Mini-Task 2", False),
        ("Depends on", "None", False),
        ("Status", "Done", False),
        ("Estimated Lines", "12", False),
        ("📅 Last Updated", "today", False),
    ],
)
def test_header_fields_that_are_no_data_for_people_are_told(
    key: str, value: str, *, is_told: bool
) -> None:
    spec = replace(SPEC, extra=((key, value),))
    for prompt in (user_prompt(order(spec=spec)), agent_prompt(order(spec=spec))):
        assert (f"## Context\n{key}: {value}\n" in prompt) is is_told


def test_lines_that_may_move_have_the_numbers_of_the_base_and_context_has_none():
    shown = {fence.lead: fence.content for fence in find_fences(user_prompt(order()))}
    assert shown["docs/style.md"] == FILES["docs/style.md"]
    assert shown["src/a.py:4-9"] == (
        "4\tdef one():\n5\t    return 1\n\n\n8\tdef two():\n9\t    return 2\n"
    )


def test_only_line_feeds_count_as_line_ends():
    excerpt = Excerpt("src/a.py", 1, "a\x0cb\u2028c\r\nd\n", whole=True)
    assert "1\ta\x0cb\u2028c\n2\td\n" in user_prompt(order(excerpts=(excerpt,)))


def test_fences_inside_shown_lines_do_not_end_them():
    excerpt = Excerpt("docs/style.md", 1, "````\n```\nx\n```\n````\n", whole=True)
    [fence] = [f for f in find_fences(user_prompt(order(excerpts=(excerpt,)))) if "x" in f.content]
    assert fence.content == excerpt.text


def test_an_empty_file_is_shown_as_one():
    excerpt = Excerpt("src/__init__.py", 1, "", whole=True)
    assert "src/__init__.py\n```\n\n```" in user_prompt(order(excerpts=(excerpt,)))


def test_snippets_are_sent_once():
    fence = Fence("python path=src/b.py", "x = 41\n")
    alone = replace(SPEC, snippets=(fence,))
    inside = replace(alone, task="Write it:\n\n```python path=src/b.py\nx = 41\n```")
    section = replace(alone, snippets_text="As so:\n```python path=src/b.py\nx = 41\n```")
    for spec in (alone, inside, section):
        assert user_prompt(order(spec=spec)).count("x = 41") == 1


def test_a_repair_prompt_holds_the_precise_error():
    assert "search text occurs 3 times" in repair_prompt("search text occurs 3 times in a.py")


def test_all_that_judges_the_result_is_told_to_chat_models_and_agents():
    expectation = Expectation(ExpectationKind.NUMBER, 600, 60)
    commands = (
        Command("wc -l a.py", (expectation,)),
        Command("python3 - <<E\nprint()\nE", (Expectation(ExpectationKind.NO_OUTPUT),)),
        Command("pytest -q"),
    )
    spec = replace(SPEC, commands=commands, criteria=(Criterion("It is short"),))
    judged = order(spec=spec, checks=("ruff check", "pytest -q"))
    for prompt in (user_prompt(judged), agent_prompt(judged)):
        assert "## Done when\n- It is short\n" in prompt
        assert (
            "## Validated by\nwc -l a.py  # expect: output ~600 ±60\n"
            "# expect: no output\npython3 - <<E\nprint()\nE\npytest -q\nruff check\n" in prompt
        )
        assert prompt.count("pytest -q") == 1


def moved_by_two(path: str, cited: LineRange) -> LineRange:
    """Lines from 4 on stand two lines below where they were."""
    if cited.start < 4:
        raise EditError("changed")
    return LineRange(cited.start + 2, cited.end + 2)


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("Move lines 4-9 of `src/a.py`.", "Move lines 6-11 of `src/a.py`."),
        ("Move `src/a.py:4-9` away.", "Move `src/a.py:6-11` away."),
        ("Delete src/a.py:5.", "Delete src/a.py:7."),
        ("Move lines 4 to 9.", "Move lines 6 to 11."),
        ("Move lines 4–9.", "Move lines 6–11."),
        ("See line 5, then L7-L8.", "See line 7, then L9-L10."),
        ("Leave line 2 and line 40 alone.", "Leave line 2 and line 40 alone."),
        ("Look at lines 4-9 of other.py.", "Look at lines 4-9 of other.py."),
        ("Lines 1-5 have changed.", "Lines 1-5 have changed."),
        ("It has 5 lines and 4-9 parts.", "It has 5 lines and 4-9 parts."),
    ],
)
def test_ranges_in_the_steps_are_those_of_the_lines_that_are_shown(told: str, sent: str) -> None:
    spec = replace(SPEC, task=told)
    assert sent in user_prompt(order(spec=spec, locate=moved_by_two))
    assert told in user_prompt(order(spec=spec, locate=lambda path, cited: cited))


def test_ranges_in_the_code_are_renumbered_too() -> None:
    spec = replace(SPEC, snippets_text="```edits\nmove src/a.py:4-9 -> src/b.py\n```")
    assert "move src/a.py:6-11 -> src/b.py" in user_prompt(order(spec=spec, locate=moved_by_two))


def test_a_range_that_two_files_may_mean_stays_and_the_prompt_says_which_numbers_count() -> None:
    files = tuple(
        FileRef(path, FileAction.EDIT, (LineRange(4, 9),)) for path in ("src/a.py", "b.py")
    )
    spec = replace(SPEC, files=files, task="Move lines 4-9.")
    prompt = user_prompt(order(spec=spec, locate=moved_by_two))
    assert "Move lines 4-9." in prompt
    assert "edit: b.py:4-9 (its lines are now 6-11); the new numbers count" in prompt
