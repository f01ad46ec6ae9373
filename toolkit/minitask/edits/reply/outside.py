"""Check the text outside a reply's fences: tags, retractions of edits, and edits in unread forms.

A reply is applied whole or not at all, so an edit in an unread form is an error of the whole reply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from minitask.edits.fences import path_above
from minitask.edits.grammar import paths_written
from minitask.edits.reply.markers import Bar, bar_of, is_closing, is_opening
from minitask.edits.reply.reply_context import SOURCE
from minitask.edits.script_model import EditScript
from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence
from minitask.words import word_set

_TAGS = lazy_pattern(r"\s*(?:</?[A-Za-z][^<>]*>\s*|<(\w+)>[^<>]*</\1>\s*|<!--.*?-->\s*)+")
_TAG_PATH = lazy_pattern(
    r"<\w+\b[^<>]*\s(?:path|file|file_?name|file_?path|name)=[\"']([^\"'<>]+)[\"'][^<>]*>"
)
_ANY_TAG = lazy_pattern(r"<[^<>]*>")
_ROUNDS = 8
"""Rounds of removing tags: one is enough, unless a fence that comes into view changes how the next ones pair."""
_BEFORE_BAR = lazy_pattern(r"(?:[\s>]|[-*+]\s|\d+[.)]\s)*")


def without_tags(text: str) -> str:
    """Return an answer without the tags right above its fences, which hide them; a path in or between tags is kept."""
    lines = text.split("\n")
    for _ in range(_ROUNDS):
        covered, starts = _covered("\n".join(lines))
        starts += _hidden_starts(lines, covered)
        tags = [at for start in starts for at in _tags_above(lines, start, covered)]
        if not tags:
            break
        for at in tags:
            lines[at] = _path_in_tags(lines[at])
    return "\n".join(lines)


def _path_in_tags(line: str) -> str:
    """Return the path that a tag has as an attribute, that a comment holds, or that stands between tags; else ""."""
    path, between = _TAG_PATH.search(line), _ANY_TAG.sub("", line).strip()
    if path:
        return path[1]
    text = between or line.strip(" <>!-")
    is_certain = between or "/" in text or "<!--" in line  # `<b.c>` is a tag
    return text if is_certain and path_above(text) else ""


def _hidden_starts(lines: Sequence[str], covered: set[int]) -> list[int]:
    """Return the indices of the bars that open a fence which a tag above hides: those that close one are skipped."""
    starts: list[int] = []
    opening: Bar | None = None
    for at, line in enumerate(lines):
        bar = None if at in covered else bar_of(line)
        if bar and opening is None:
            starts.append(at)
            opening = bar
        elif opening is not None and opening.is_closed_by(bar):
            opening = None
    return starts


def _covered(text: str) -> tuple[set[int], list[int]]:
    """Return the indices of all lines of fences, and those of their first lines."""
    fences = find_fences(text)
    rows = (range(fence.line - 1, fence.line + fence.content.count("\n") + 1) for fence in fences)
    return {at for row in rows for at in row}, [fence.line - 1 for fence in fences]


def _tags_above(lines: Sequence[str], start: int, covered: set[int]) -> Iterator[int]:
    at = start - 1
    while at >= 0 and not lines[at].strip() and start - at <= 2:
        at -= 1
    is_named = at == start - 1 and at > 0 and path_above(lines[at]) is not None
    if is_named and not _TAGS.fullmatch(lines[at]):
        at -= 1
    while at >= 0 and at not in covered and _TAGS.fullmatch(lines[at]):
        yield at
        at -= 1


def check_hidden(text: str, is_named: Callable[[Fence], bool]) -> None:
    """Raise if a fence with an edit is not read as a fence, because it is indented or in a comment."""
    lines = text.split("\n")
    covered, _ = _covered(text)
    for at, line in enumerate(lines):
        bar = None if at in covered else bar_of(_stripped(line))
        if bar is None or not bar.info:
            continue
        rest = [_stripped(row) for row in lines[at + 1 :]]
        end = next((n for n, row in enumerate(rest) if bar.is_closed_by(bar_of(row))), len(rest))
        content = "".join(f"{row}\n" for row in rest[:end])
        if is_named(Fence(bar.info, content, line=at + 1)):
            message = "a fence is not read as one: it is indented, or inside of something else"
            hint = "begin its lines without indentation, with an empty line above"
            raise EditError(message, hint=hint, where=f"{SOURCE}:{at + 1}")


def _stripped(line: str) -> str:
    match = _BEFORE_BAR.match(line)
    return line[match.end() :] if match else line


_TAKES_BACK = lazy_pattern(
    r"(?i)(?:^|[.!?]\s+)\W*(?:(?:oh|hm+|but|no)\W+)*(?:wait\b(?!\s+(?:for|until|till|on|at|a)\b)"
    r"|scratch that\b|on second thoughts?\b|oops\b|actually,?\s+(?:that|this|it|i|the (?:above|first|previous|last))\b"
    r"|(?:please\s+)?(?:ignore|disregard|forget)\s+(?:(?:the|that|this|my|what)\s+)?(?:above|previous|earlier|last"
    r"|first|edit|block|change|it|that|is)\b"
    r"|(?:or,?\s+)?(?:alternativ(?:ely|ement|amente)\b|as an alternative\b|(?:或者|また(?:は|、))[，、,:：])"
    r"|alternativ\w*(?:\s+\w+)?\W*(?::|$)|or,?\s+(?:if you (?:prefer|like|want)|you (?:can|could)|simply)\b"
    r"|(?:another|a second|the other) (?:option|approach|way|solution|possibility)\b"
    r"|(?:option|approach|alternative|variant|solution) (?:[b-e]|[2-9]|two)\b\W*(?:[:(\u2013\u2014-]|$))"
)
_ANEW = lazy_pattern(
    r"(?i)[\W_]*(?:or|oder(?: so)?|o(?: bien)?|ou(?: bien)?|eller|或者?|または|или|better(?: yet| still)?"
    r"|besser(?: so)?"
    r"|correct(?:ion|ed(?: (?:version|edit|code))?)|(?:revised|fixed|improved)(?: (?:version|edit|code))?"
    r"|final (?:version|edit|answer)|preferred|recommended(?: instead)?|instead|try again"
    r"|(?:second|another|other) (?:attempt|try|version|variant|option|approach|way|solution)"
    r"|(?:attempt|version|take|variant|plan|choice|approach|v) ?(?:[b-e]|[2-9]|two))[\W_]*"
    r"|(?:.*[.!?]\s+)?\W*(?:(?:no|hm+|oh|but),? )?"
    r"(?:sorry|apologies|my (?:mistake|bad)|never ?mind|hold on|strike that|undo (?:that|this|it|the)"
    r"|let me (?:redo|try again|correct|rethink|revise|(?:fix|rewrite) (?:that|this|it))"
    r"|on reflection|(?:instead of|rather than) (?:that|this|the (?:above|previous|first))"
    r"|if you(?:['’]d| would)? rather|(?:that|this|it) (?:won['’]t|will not|does not|doesn['’]t) work"
    r"|(?:that|this|it) (?:is not|isn['’]t|wasn['’]t|was not) right"
    r"|(?:the|that|my) (?:\w+ )?(?:edit|block|change|version|code|attempt)(?: above)? (?:is|was) (?:wrong|incorrect)"
    r"|the (?:above|previous|first) (?:edit|block|change|version) should not|i made an? (?:error|mistake)"
    r"|actually,? no\b"
    r"|(?:edit: )?(?:use|apply) (?:this|the following|it)(?: one| version| edit)?(?: instead\b|\W*$)|等等|更好|不对).*"
)
"""A line between two edits of a file that makes the second one an alternative or a correction of the first."""
_ASKS = lazy_pattern(r"(?i)[\s*#]*(?:human|user)\s*\**:")
_ANSWERS = lazy_pattern(r"(?i)[\s*#]*(?:assistant|ai)\s*\**:")
"""Lines at which the model itself wrote a further question, and answered it."""
_NEUTRAL = word_set("""
answer output response solution result final final_answer code change changes edit edits file files
""")
"""Tags around the parts of a reply that count."""
_TAG = lazy_pattern(r"\s*<(/?)([A-Za-z][\w:-]*)(?:\s[^<>]*)?>\s*")


def check_meant(script: EditScript, prose: str) -> None:
    """Raise if a line between edits retracts one, or if tags separate edits of the same file."""
    placed_lines = [edit.line for edit in script.edits]
    if len(placed_lines) < 2:
        return
    tags = _tags_around(prose.split("\n"))
    parents: dict[str, str] = {}
    rows: dict[str, list[int]] = {}
    for edit in script.edits:
        for path in paths_written(EditScript((edit,))):
            rows.setdefault(path, []).append(edit.line)
            tag = tags.get(edit.line, "")
            if parents.setdefault(path, tag) != tag:
                within = f"<{tag or parents[path]}>"
                message = f"an edit of {path} is inside {within}, and another is not"
                hint = "reply with the edits that count, and no others"
                raise EditError(message, hint=hint, where=f"{SOURCE}:{edit.line}")
    lines = prose.split("\n")[: max(placed_lines)]
    for number, line in enumerate(lines[min(placed_lines) :], min(placed_lines) + 1):
        is_inside = any(min(of_path) < number <= max(of_path) for of_path in rows.values())
        if _TAKES_BACK.search(line) or (is_inside and line and _ANEW.fullmatch(line)):
            message = f"`{line.strip()[:60]}` takes back an edit above it"
            hint = "reply with the edits that count, and no others"
            raise EditError(message, hint=hint, where=f"{SOURCE}:{number}")
        if _ASKS.match(line) and any(map(_ANSWERS.match, lines[number:])):
            message = f"`{line.strip()[:60]}` begins another conversation, which nobody asked for"
            hint = "reply to the task alone"
            raise EditError(message, hint=hint, where=f"{SOURCE}:{number}")


def _tags_around(lines: Sequence[str]) -> dict[int, str]:
    """Return the outermost tag around each line that has one; only tags alone on their lines count."""
    around: dict[int, str] = {}
    start, name = 0, ""
    for number, line in enumerate(lines, 1):
        tag = _TAG.fullmatch(line)
        if tag and not tag[1] and not name:
            start, name = number, tag[2]
        elif tag and tag[1] and tag[2] == name:
            around |= {} if name.lower() in _NEUTRAL else dict.fromkeys(range(start, number), name)
            name = ""
    return around


_CALLS = lazy_pattern(
    r"(?i)\s*(?:<(?:tool_call|tool_use|function_calls?|invoke|function=|\|tool_call|\|python_tag)|\[TOOL_CALLS\]"
    r"|\(a call of the tool "
    r"|(?:<\w[^<>]*>\s*)?<(?:search|old_?str(?:ing)?|old_?text)>"
    r"|\{.*\"(?:arguments|old_?str(?:ing)?|new_?str(?:ing)?|search|replace)\"\s*:)"
)
_PATCH = lazy_pattern(
    r"\s*(?:@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@.*|\*\*\* (?:Begin|End) Patch|\*\*\* (?:Add|Update|Delete) File: .*)"
)
_GOES_ON = lazy_pattern(
    r"(?i)\bto be continued\b|\bpart (?:1|one) of (?:\d|two|three)\b|\bleft for you\b"
    r"|\b(?:in|with) (?:the|my) (?:next|following|second) (?:message|reply|response|answer)\b"
    r"|\bI(?:'|\u2019)?(?:ll| will) (?:do|make|send|provide|add|write) the (?:other|second|remaining|rest|next)\b"
    r"|\b(?:other|remaining) (?:changes?|edits?|files?) (?:must|need to|has to|have to) be (?:made|done)\b"
    r"|\byou(?:'|\u2019)?(?:ll| will)? (?:still )?(?:need|have) to (?:make|apply|do) the (?:other|remaining|rest)\b"
)
_TELLS = lazy_pattern(
    r"(?i)(?:[-*+]\s+|\d+[.)]\s+)?(?:(?:also|then|next|now|and|finally|second(?:ly)?|please|in `[^`]+`"
    r"|on line \d+),?\s+)*"
    r"(?:change|replace|rename|update|set)\s+`(?P<old>[^`]{3,})`\s+(?:to|with|by|into)\s+`(?P<new>[^`]{3,})`[.!]?"
)


def check_unread(script: EditScript, prose: str, texts: Sequence[str]) -> None:
    """Raise if a reply continues outside its fences; `texts` are the resulting files."""
    if not script.edits:
        return
    written = "\0".join(texts)
    for number, line in enumerate(prose.split("\n"), 1):
        tells = _TELLS.fullmatch(line.strip())
        is_left = tells and tells["old"] in written and tells["new"] not in written
        is_edit = is_opening(line.strip()) or is_closing(line.strip()) or _PATCH.fullmatch(line)
        if is_edit or is_left or _CALLS.match(line) or _GOES_ON.search(line):
            message = f"`{line.strip()[:60]}` stands outside of the fences, so not all of the change was read"
            hint = "reply with all edits, each in a fence with `path=…`"
            raise EditError(message, hint=hint, where=f"{SOURCE}:{number}")
