"""The usage that a provider counted for calls.

`None` is an unknown count, which is not 0: a sum with an unknown count is unknown, so that no total looks too small.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import astuple


class Usage(Struct, frozen=True):
    """Requests sent and tokens billed; `None` is unknown.

    `cached_input_tokens` (read from the provider's cache), `cache_write_tokens` (kept there for five minutes) and
    `cache_write_1h_tokens` are parts of `input_tokens`; `reasoning_tokens` are part of `output_tokens`.
    """

    requests: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None


USAGE = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")
"""The counts that reports and records show; the others are parts of them."""
NO_USAGE = Usage(0, 0, 0, 0, 0, 0, 0)
"""No requests, no tokens: the neutral element of `plus`."""


class TokenClasses(Struct, frozen=True):
    """The tokens of a usage, each counted once; `None` is unknown."""

    fresh_input: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    reasoning: int | None


def classes(usage: Usage) -> TokenClasses:
    """Return the tokens in disjoint classes, as they are priced.

    `output` excludes `reasoning`; if reasoning was not counted, `output` is all of it.
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
    """Return the sum, field by field; a count that is unknown on one side is unknown in the sum."""
    pairs = zip(astuple(left), astuple(right), strict=True)
    return Usage(*(None if a is None or b is None else a + b for a, b in pairs))


def _less(whole: int | None, *parts: int | None) -> int | None:
    """Return a count without its parts; None if one of them is unknown, or they exceed it."""
    known_parts = [part for part in parts if part is not None]
    if whole is None or len(known_parts) < len(parts):
        return None
    left = whole - sum(known_parts)
    return left if left >= 0 else None
