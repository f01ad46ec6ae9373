"""Counts add up, and what nobody counted stays unknown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minitask.ledger.record import NO_USAGE, Usage, plus

COUNT = st.none() | st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNT, COUNT, COUNT, COUNT)


def test_known_counts_add_up_field_by_field():
    assert plus(Usage(1, 10, 2, 5), Usage(1, 20, 3, 6)) == Usage(2, 30, 5, 11)


def test_unknown_and_known_is_unknown_for_that_field_alone():
    assert plus(Usage(1, None, None, 5), Usage(1, 20, 0, None)) == Usage(2, None, None, None)
    assert plus(Usage(1, 10, None, 5), Usage(1, 20, 0, 5)) == Usage(2, 30, None, 10)


@given(USAGES, USAGES, USAGES)
def test_the_order_of_a_sum_does_not_matter(one, two, three):
    assert plus(one, NO_USAGE) == one
    assert plus(one, two) == plus(two, one)
    assert plus(plus(one, two), three) == plus(one, plus(two, three))
