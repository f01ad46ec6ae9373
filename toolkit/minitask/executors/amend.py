"""Another form of a request whose limit a server refuses: under the other name, or no longer than it allows.

Pure. Servers disagree on what the limit of an answer is called and on how long one may be, and refuse the request with
status 400 where it is not to their taste.
"""

from __future__ import annotations

from collections.abc import Mapping

from minitask.patterns import lazy_pattern

Payload = Mapping[str, object]
NAMES = ("max_tokens", "max_completion_tokens")
LEAST_TOKENS = 256
"""An answer that may not even be this long is of no use."""
_UNSUPPORTED = lazy_pattern(
    r"unsupported|not supported|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|no such"
)
_CONTEXT = lazy_pattern(
    r"(?:context (?:length|window|size)|maximum sequence length)\D{0,20}([\d,_]{3,9})"
)
_MOST = lazy_pattern(
    r"(?:at most|maximum(?: allowed)?(?: (?:value|number|limit))?(?: (?:is|of))?|up to|"
    r"less than or equal to|<=|≤|range of [\w ]{0,30}\[\d+, ?|> )\D{0,3}([\d,_]{3,9})"
)


def amended(payload: Payload, message: str, *, prompt_tokens: int) -> Payload | None:
    """Return the request in the form that a refusal asks for; None if it is about something else."""
    name = limit_name(payload)
    if not name:
        return None
    text = message.lower()
    shorter = _shorter(payload[name], text, prompt_tokens)
    if shorter is not None:
        return {**payload, name: shorter}
    if name in text and _UNSUPPORTED.search(text):
        return renamed(payload, NAMES[1 - NAMES.index(name)])
    return None


def limit_name(payload: Payload) -> str:
    """Return what the limit of the answer is called in a request; empty if it has none."""
    return next((name for name in NAMES if name in payload), "")


def renamed(payload: Payload, name: str | None) -> Payload:
    """Return the request with its limit under another name."""
    old = limit_name(payload)
    if not name or not old or old == name:
        return payload
    return {
        **{field: value for field, value in payload.items() if field != old},
        name: payload[old],
    }


def _shorter(limit: object, text: str, prompt_tokens: int) -> int | None:
    """Return the longest answer that a message allows, where that is less than the limit."""
    if not isinstance(limit, int) or not any(name in text for name in (*NAMES, "context", "token")):
        return None
    context = _CONTEXT.search(text)
    if context is not None:
        most = _number(context[1]) - int(1.25 * prompt_tokens)
    else:
        found = [_number(each) for each in _MOST.findall(text)]
        most = min(found, default=limit)
    return most if LEAST_TOKENS <= most < limit else None


def _number(digits: str) -> int:
    bare = digits.replace(",", "").replace("_", "")
    return int(bare) if bare else 0
