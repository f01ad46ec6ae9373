"""What a provider counted for one or more calls.

A field is `None` where nobody said, which is never the same as 0: an unknown count makes a sum
unknown, so that no total looks smaller than it was.
"""

from __future__ import annotations

from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Requests sent and tokens billed; `None` is unknown.

    `cached_input_tokens` are part of `input_tokens`, as are cache writes; reasoning is part of
    `output_tokens`.
    """

    requests: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None


NO_USAGE = Usage(requests=0, input_tokens=0, cached_input_tokens=0, output_tokens=0)
"""Nothing was asked and nothing was spent: the neutral element of `plus`."""


def plus(left: Usage, right: Usage) -> Usage:
    """The sum, field by field; unknown plus anything is unknown for that field."""
    return Usage(
        requests=_sum(left.requests, right.requests),
        input_tokens=_sum(left.input_tokens, right.input_tokens),
        cached_input_tokens=_sum(left.cached_input_tokens, right.cached_input_tokens),
        output_tokens=_sum(left.output_tokens, right.output_tokens),
    )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
