"""Read the fences of a reply's answer to their real ends, without the thoughts of reasoning models.

Removed lines become empty, so that messages cite the reply's own line numbers. CommonMark ends a fence at the next bare
line of backticks, which cuts a file with inner fences if its author did not use a longer outer fence. Such a file is
read whole if there is only one way to do so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.reply.markers import Bar, bar_of, is_balanced, is_closing, is_opening
from minitask.edits.reply.outside import check_hidden, without_tags
from minitask.edits.reply.reply_context import SOURCE
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence

_NAMES = (
    r"think|thinking|thought|thoughts|reasoning(?:_content)?|reflection|scratchpad|seed:think|analysis"
    r"|ant:?thinking|(?:inner|internal)_(?:monologue|thoughts)|brainstorm(?:ing)?|chain_of_thought"
)
_OPENING = lazy_pattern(
    rf"(?i)[ \t]*(?:<({_NAMES})>|\[(THINK)\]|◁(think)▷|<\|(?:begin_of|start)_(th\w+)\|>)"
)
_CLOSING = lazy_pattern(
    rf"(?i)</(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|end_(?:of_)?(?:thought|thinking)\|>"
)
_START_TOKENS = lazy_pattern(r"(?m)^(?:<\|\w{2,30}\|>[ \t]*)+(?=`{3}|~{3})")
_END_TOKENS = lazy_pattern(r"(?:\s*(?:<\|\w{2,30}\|>|</s>|<end_of_turn>))+\s*\Z")
_NEXT_TURN = lazy_pattern(
    r"<(?:\|(?:im_end|end|eot_id|end_of_text|endoftext)\||end_of_turn|/s)>\s*"
    r"(?:<\|(?:im_start|start_header_id|user|start)\|>|<start_of_turn>|\[INST\])"
)
_MOST_TURNS = 20
_CHANNEL = lazy_pattern(
    r"(?:<\|start\|>\s*\w*\s*)?<\|channel\|>\s*(\w+)[^<]*?(?:<\|constrain\|>[^<]*)?<\|message\|>"
)
_CHANNEL_END = lazy_pattern(r"<\|(?:end|return|call|start|channel)\|>")
_PLAIN_CHANNELS = lazy_pattern(r"(?s)\s*analysis(?=\S).*assistantfinal")


def answer_of(reply: str) -> str:
    """Return the reply without its thoughts; raise `EditError` if they never end."""
    text = _final_channel(reply)
    end = _END_TOKENS.search(text)
    text = text[: end.start()] + "\n" if end else text
    return _START_TOKENS.sub("", _without_blocks(_first_turn(text)))


def _first_turn(text: str) -> str:
    """Return the text up to the end of its turn, behind which a server without a stop token let the model go on."""
    for turn in islice(_NEXT_TURN.finditer(text), _MOST_TURNS):
        if is_balanced(text[: turn.start()].split("\n")):
            return text[: turn.start()] + "\n"
    return text


def _blank(text: str) -> str:
    return "\n" * text.count("\n")


def _final_channel(reply: str) -> str:
    """Return the text of the final channel if the reply has channels as gpt-oss does."""
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
    """Return the line of the first closing tag inside a fence, so far; one with an opening tag before it is text."""
    if tag is None and _CLOSING.fullmatch(lines[at].strip()):
        opened = any(_OPENING.match(line) for line in lines[:at])
        return None if opened else at
    return tag


def _blanked_block(lines: list[str], start: int) -> int:
    """Blank a block of thoughts that opens at `start`; return the line in which it ends."""
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
    """Return True if the line ends thoughts without an opening tag."""
    match = _CLOSING.search(line)
    if not match:
        return False
    before, behind = line[: match.start()].strip(), line[match.end() :].strip()
    return not before or not behind or bar_of(behind) is not None


def _blanked_above(lines: list[str], at: int) -> int:
    """Blank all lines above a closing tag, and its own line up to the tag's end; return that line."""
    match = _CLOSING.search(lines[at])
    assert match is not None  # noqa: S101 - the caller looked
    lines[:at] = [""] * at
    lines[at] = lines[at][match.end() :]
    return at


_END = "END-OF-REPLY"
_LONGER = "write a longer fence (````) around a file that holds fences"
_TICKED_PATH = lazy_pattern(r"(?m)^(?P<bar> {0,3}`{3,}[^`\n]*?[ =])`(?P<path>[^`\n]+)`[ ]*$")
"""A path in backticks in an info string, where CommonMark allows none."""
_WRAPPERS = frozenset({"", "markdown", "md", "text", "txt", "plaintext", "reply", "answer"})

IsNamed = Callable[[Fence], bool]
"""Tells if a fence names its file or is an edit by its form."""


def fences_of(answer: str, *, is_named: IsNamed) -> tuple[Fence, ...]:
    """Return the fences of an answer; raise `EditError` if one is unclosed, or if a file may be cut."""
    answer = without_tags(_TICKED_PATH.sub(r'\g<bar>"\g<path>"', answer))
    longer = None
    try:
        fences = _closed_fences(answer)
        torn = _torn(fences, answer.split("\n"), is_named)
    except EditError:
        longer = _with_longer_bars(answer)
        if longer is None:
            raise
        fences, torn = _closed_fences(longer), None
    if torn is not None:
        longer = _with_longer_bars(answer)
        if longer is None:
            message = "a file seems to end at a fence inside its own text"
            raise EditError(message, hint=_LONGER, where=f"{SOURCE}:{torn.line}")
        fences = _closed_fences(longer)
    check_hidden(longer or answer, is_named)
    return tuple(inner for fence in fences for inner in _unwrapped(fence, is_named))


def _closed_fences(text: str) -> tuple[Fence, ...]:
    """Return the fences by CommonMark's rules; raise for an unclosed one, found because it swallows appended text."""
    fences = find_fences(f"{text}\n\n{_END}\n")
    if fences and fences[-1].content.endswith(f"{_END}\n"):
        where = f"{SOURCE}:{fences[-1].line}"
        message = "the last fence is never closed"
        raise EditError(message, hint=f"send all of it; {_LONGER}", where=where)
    return fences


def _torn(fences: Sequence[Fence], lines: Sequence[str], is_named: IsNamed) -> Fence | None:
    """Return the first fence that seems to end too early, or None."""
    for number, fence in enumerate(fences):
        bar = _opening_bar(lines[fence.line - 1])
        if bar is None or _holds_opening(fence, bar):
            return fence
        follows = fences[number + 1] if number + 1 < len(fences) else None
        if follows is None or not is_named(fence) or is_named(follows):
            continue
        if not follows.info and not _ends(lines, fence.line + fence.content.count("\n")):
            return fence
    return None


def _opening_bar(line: str) -> Bar | None:
    """Return the bar of a fence's first line, which may be in a quotation or list."""
    starts = [line.find(mark) for mark in ("```", "~~~") if mark in line]
    return bar_of(line[min(starts) :]) if starts else None


def _holds_opening(fence: Fence, bar: Bar) -> bool:
    """Return True if a line inside opens a fence, which no line inside can close."""
    inner = (bar_of(line) for line in fence.content.split("\n"))
    return any(
        inner_bar is not None and inner_bar.info and bar.covers(inner_bar) for inner_bar in inner
    )


def _ends(lines: Sequence[str], at: int) -> bool:
    """Return True if the bar at an index ends a fence: text before it, none after."""
    behind = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return bool(lines[at - 1].strip()) and not behind


def _begins(lines: Sequence[str], at: int) -> bool:
    before = lines[at - 1].strip() if at else ""
    behind = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return bool(behind) and (not before or before.endswith(":"))


class _Scan(Struct):
    """A scan for nested fences: the open ones, and index pairs of the closed outermost ones."""

    lines: Sequence[str]
    open: list[Bar]
    pairs: list[tuple[int, int]]
    start: int = 0
    in_block: bool = False

    def take(self, at: int) -> bool:
        """Add a line; return False if it is ambiguous."""
        line = self.lines[at]
        if len(self.open) == 1 and self._is_inside_block(line):
            return True
        bar = bar_of(line)
        if bar is None or (self.open and not self.open[0].covers(bar)):
            return True
        if not self.open:
            self.start = at
            self.open.append(bar)
        elif bar.info:
            self.open.append(bar)
        elif len(self.open) > 1:
            self.open.pop()
        elif _ends(self.lines, at):
            self.open.pop()
            self.pairs.append((self.start, at))
        elif _begins(self.lines, at):
            self.open.append(bar)
        else:
            return False
        return True

    def _is_inside_block(self, line: str) -> bool:
        """Return True if the line is in a SEARCH/REPLACE block, in which bars are text."""
        if self.in_block:
            self.in_block = not is_closing(line)
            return True
        self.in_block = is_opening(line)
        return self.in_block


def _with_longer_bars(text: str) -> str | None:
    """Return the text with longer bars around its outermost fences, or None if these are ambiguous."""
    lines = text.split("\n")
    scan = _Scan(lines, [], [])
    if not all(scan.take(at) for at in range(len(lines))) or scan.open:
        return None
    bars = [bar for line in lines if (bar := bar_of(line))]
    size = max((bar.size for bar in bars), default=3) + 1
    for start, end in scan.pairs:
        opening = bar_of(lines[start])
        assert opening is not None  # noqa: S101 - the scan found it
        lines[start] = opening.mark * size + opening.info
        lines[end] = opening.mark * size
    return "\n".join(lines)


def _unwrapped(fence: Fence, is_named: IsNamed) -> tuple[Fence, ...]:
    """Return the fences inside a fence that only wraps them, otherwise the fence itself."""
    if is_named(fence) or fence.info.lower() not in _WRAPPERS:
        return (fence,)
    bars = (bar_of(line) for line in fence.content.split("\n"))
    names = any(bar and bar.info and is_named(Fence(bar.info, "")) for bar in bars)
    try:
        inner = fences_of(fence.content, is_named=is_named)
    except EditError as error:
        if not names:
            return (fence,)
        error.where = f"{SOURCE}:{fence.line}"
        raise
    if not any(is_named(inner_fence) for inner_fence in inner):
        return (fence,)
    return tuple(replace(inner_fence, line=inner_fence.line + fence.line) for inner_fence in inner)
