"""The usage that a provider counted for one or more calls.

A field is `None` where nobody said, which is never the same as 0: an unknown count makes a sum
unknown, so that no total looks smaller than it was.
"""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True):
    """Requests sent and tokens billed; `None` is unknown.

    `cached_input_tokens` (read from the provider's cache), `cache_write_tokens` (kept there for
    five minutes) and `cache_write_1h_tokens` are parts of `input_tokens`; `reasoning_tokens` are
    part of `output_tokens`. `classes` takes them apart.
    """

    requests: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None


NO_USAGE = Usage(0, 0, 0, 0, 0, 0, 0)
"""Nothing was asked and nothing was spent: the neutral element of `plus`."""


class TokenClasses(Struct, frozen=True):
    """The tokens of a usage, each counted once; `None` is unknown."""

    fresh_input: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    reasoning: int | None


def classes(usage: Usage) -> TokenClasses:
    """Usage in disjoint classes, as they are priced.

    `output` is without `reasoning`; where nobody counted that, it is all output.
    """
    return TokenClasses(
        fresh_input=_less(
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.cache_write_1h_tokens,
        ),
        cache_read=usage.cached_input_tokens,
        cache_write_5m=usage.cache_write_tokens,
        cache_write_1h=usage.cache_write_1h_tokens,
        output=_less(usage.output_tokens, usage.reasoning_tokens or 0),
        reasoning=usage.reasoning_tokens,
    )


def plus(left: Usage, right: Usage) -> Usage:
    """Return the sum, field by field; unknown plus anything is unknown for that field."""
    return Usage(
        requests=_sum(left.requests, right.requests),
        input_tokens=_sum(left.input_tokens, right.input_tokens),
        cached_input_tokens=_sum(left.cached_input_tokens, right.cached_input_tokens),
        output_tokens=_sum(left.output_tokens, right.output_tokens),
        cache_write_tokens=_sum(left.cache_write_tokens, right.cache_write_tokens),
        cache_write_1h_tokens=_sum(left.cache_write_1h_tokens, right.cache_write_1h_tokens),
        reasoning_tokens=_sum(left.reasoning_tokens, right.reasoning_tokens),
    )


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def _less(whole: int | None, *parts: int | None) -> int | None:
    """Return what is left of a count without its parts; unknown if one of them is, or makes no sense."""
    known_parts = [part for part in parts if part is not None]
    if whole is None or len(known_parts) < len(parts):
        return None
    left = whole - sum(known_parts)
    return left if left >= 0 else None
