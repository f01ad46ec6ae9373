"""Where a search text fails by a character that looks like another, the message names both."""

from __future__ import annotations

import pytest

from minitask.edits.match import describe_nearest


@pytest.mark.parametrize(
    ("have", "want", "said"),
    [
        (
            "value\u00a0= one",
            "value = one",
            "has U+00A0 NO-BREAK SPACE where the search text has a space",
        ),
        ("value\t= one", "value = one", "has a tab where the search text has a space"),
        ('say "one two"', "say \u201cone two\u201d", "has U+201C LEFT DOUBLE QUOTATION MARK"),
        ("cafe\u0301 one", "caf\u00e9 one", "has U+00E9 LATIN SMALL LETTER E WITH ACUTE"),
    ],
)
def test_the_character_that_differs_is_named(have: str, want: str, said: str) -> None:
    assert said in describe_nearest(["first", have, "last"], [want])


def test_plain_text_that_differs_is_not_spelled_out() -> None:
    assert "where the search text" not in describe_nearest(["value = one"], ["value = two"])
