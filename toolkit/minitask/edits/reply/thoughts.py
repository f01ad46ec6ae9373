"""The answer in a reply: without the thoughts that reasoning models put before it.

Lines that are taken away become empty, so that messages cite the reply's own line numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from minitask.edits.reply.markers import bar_of, is_balanced
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAMES = r"think|thinking|thought|thoughts|reasoning|reflection|scratchpad|seed:think|analysis"
_OPENING = lazy_pattern(
    rf"[ \t]*(?:<({_NAMES})>|\[(THINK)\]|◁(think)▷|<\|begin_of_(thought)\|>)", re.IGNORECASE
)
_CLOSING = lazy_pattern(rf"</(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
_END_TOKENS = lazy_pattern(
    r"(?:\s*(?:<\|(?:im_end|end|return|endoftext|eot_id|eom_id|end_of_text)\|>|</s>|<end_of_turn>))+\s*\Z"
)
_CHANNEL = lazy_pattern(
    r"(?:<\|start\|>\s*\w*\s*)?<\|channel\|>\s*(\w+)[^<]*?(?:<\|constrain\|>[^<]*)?<\|message\|>"
)
_CHANNEL_END = lazy_pattern(r"<\|(?:end|return|call|start|channel)\|>")
_PLAIN_CHANNELS = lazy_pattern(r"\s*analysis(?=\S).*assistantfinal", re.DOTALL)


def answer_of(reply: str) -> str:
    """Return the reply without its thoughts; raise `EditError` where they never end."""
    text = _final_channel(reply)
    end = _END_TOKENS.search(text)
    text = text[: end.start()] + "\n" if end else text
    return _without_blocks(text)


def _blank(text: str) -> str:
    return "\n" * text.count("\n")


def _final_channel(reply: str) -> str:
    """Return the text of the final channel, where the reply has channels as gpt-oss has."""
    plain = _PLAIN_CHANNELS.match(reply)
    if plain:
        return _blank(plain[0]) + reply[plain.end() :]
    if not reply.lstrip().startswith(("<|channel|>", "<|start|>")):
        return reply
    at, out, final = 0, "", False
    for match in _CHANNEL.finditer(reply):
        if match.start() < at:
            continue
        end = _CHANNEL_END.search(reply, match.end())
        stop = end.start() if end else len(reply)
        out += _blank(reply[at : match.end()])
        body = reply[match.end() : stop]
        is_final = match[1] == "final"
        final = final or is_final
        out += body if is_final else _blank(body)
        at = stop
    if not final:
        raise EditError("the reply holds thoughts alone", hint="reply with the files or edits")
    return out + "\n"


def _without_blocks(text: str) -> str:
    lines = text.split("\n")
    at, bar, tag = 0, None, None
    while at < len(lines):
        line = lines[at]
        if bar is not None:
            line_bar = bar_of(line)
            if tag is not None and line_bar is not None and line_bar.info and bar.covers(line_bar):
                at, bar, tag = _blanked_above(lines, tag), None, None
                continue
            bar = None if bar.is_closed_by(line_bar) else bar
            tag = _lone_tag(lines, at, tag)
        elif _OPENING.match(line):
            at, tag = _blanked_block(lines, at), None
            continue
        elif _is_closing(line):
            _blanked_above(lines, at)
            continue
        else:
            bar, tag = bar_of(line), None
        at += 1
    if bar is not None and tag is not None and is_balanced(lines[tag + 1 :]):
        _blanked_above(lines, tag)
    return "\n".join(lines)


def _lone_tag(lines: Sequence[str], at: int, tag: int | None) -> int | None:
    """Return the line of a closing tag inside a fence, so far; one that something opened there is text of the fence."""
    if tag is None and _CLOSING.fullmatch(lines[at].strip()):
        opened = any(_OPENING.match(line) for line in lines[:at])
        return None if opened else at
    return tag


def _blanked_block(lines: list[str], start: int) -> int:
    """Empty a block of thoughts that opens in a line; the line in which it ends."""
    opening = _OPENING.match(lines[start])
    assert opening is not None  # noqa: S101 - the caller looked
    for at in range(start, len(lines)):
        begin = opening.end() if at == start else 0
        match = _CLOSING.search(lines[at], begin)
        if match:
            remainder = lines[at][match.end() :]
            lines[start:at] = [""] * (at - start)
            lines[at] = remainder
            return at
    raise EditError("the thoughts are never closed", hint="end them, then reply with the answer")


def _is_closing(line: str) -> bool:
    """Return True if the line ends thoughts that somebody else opened."""
    match = _CLOSING.search(line)
    if not match:
        return False
    before, behind = line[: match.start()].strip(), line[match.end() :].strip()
    return not before or not behind


def _blanked_above(lines: list[str], at: int) -> int:
    """Empty all lines above a closing tag, and that line up to its end; the line."""
    match = _CLOSING.search(lines[at])
    assert match is not None  # noqa: S101 - the caller looked
    lines[:at] = [""] * at
    lines[at] = lines[at][match.end() :]
    return at
