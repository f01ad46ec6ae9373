"""File references: the bullets below Files to Read, Files to Create and their kin.

A bullet names a path (in backticks, as a link, or bare) and may add a note. The note is kept as
written; the lines that it cites, and whether it says create, edit or optional, are read out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from minitask.patterns import lazy_pattern
from minitask.spec.headings import key_of
from minitask.spec.inline import CODE, code_text
from minitask.spec.model import FileAction, FileRef, LineRange
from minitask.values import dataclass

_NOTHING = lazy_pattern(
    r"[(\[]?(?:none|n/?a|nothing)[.,;:)\]]*(?:\s.*)?|no (?:other |new )?files?\b.*|[-–—]?",
    re.IGNORECASE,
)
_VERB_PREFIX = lazy_pattern(
    r"\**(create|new|modify|edit|update|read|delete|remove|test)\**\s*:\**\s*", re.IGNORECASE
)
_ENUMERATION = lazy_pattern(r"(?P<note>.*?)\s*(?:[,;&+]|\band\b)\s*(?:and\s+)?\**\[?$", re.DOTALL)
_BARE_END = lazy_pattern(r"\s+\(|\s+[-–—]\s|:\s|[,;]\s|\s+lines?\s+[0-9]", re.IGNORECASE)
_BARE_LIST = lazy_pattern(r"[^\s(),]*[./][^\s(),]*(?:\s*\([^()]*\))?")
_DASH = r"(?:[-–—−]|â€[“”]|‚Ä[ìî])"  # the last two are dashes whose bytes were misread
_NUMBERS = rf"[0-9]+(?:{_DASH}L?[0-9]+)?"
_SUFFIX = lazy_pattern(rf"(?P<path>.+?)(?::|#L)(?P<lines>{_NUMBERS}(?:,\s*{_NUMBERS})*)")
_IN_SUFFIX = lazy_pattern(rf"(?P<start>[0-9]+)(?:{_DASH}L?(?P<end>[0-9]+))?")
_RANGE = rf"~?(?P<start>[0-9]+)(?:\s*(?:{_DASH}|\bto\b|\bthrough\b)\s*(?P<end>[0-9]+))?"
_FIRST = lazy_pattern(rf"\blines?:?\s+{_RANGE}", re.IGNORECASE)
_FURTHER = lazy_pattern(
    rf"\s*(?:[,;&]|\band\b|,\s*and\b)\s*(?:lines?\s+)?{_RANGE}"
    r"(?=\s*(?:$|[,;:.)&]|and\b|only\b|[-–—]\s))",
    re.IGNORECASE,
)
_OPEN_END = lazy_pattern(
    r"[^\s,;:.)\]&'’\"”`*_|!]|\.\.|:[0-9]|\s*(?:to|until|[-–—])\s*(?:the\s+)?(?:end|eof|bottom)\b"
    r"|\s+onwards?\b",
    re.IGNORECASE,
)
_OPTIONAL = lazy_pattern(r"\boptional(?:ly)?\b", re.IGNORECASE)
_ACTION_WORD = lazy_pattern(
    r"\s*(create|new|edit|modify|update|change|delete|remove)\b(?P<more>.*)",
    re.IGNORECASE | re.DOTALL,
)
_ACTIONS = {
    "create": FileAction.CREATE,
    "new": FileAction.CREATE,
    "edit": FileAction.EDIT,
    "modify": FileAction.EDIT,
    "update": FileAction.EDIT,
    "change": FileAction.EDIT,
    "delete": FileAction.DELETE,
    "remove": FileAction.DELETE,
    "created": FileAction.CREATE,
    "modified": FileAction.EDIT,
    "edited": FileAction.EDIT,
    "updated": FileAction.EDIT,
    "changed": FileAction.EDIT,
    "deleted": FileAction.DELETE,
    "removed": FileAction.DELETE,
    "read": FileAction.READ,
    "test": FileAction.WRITE,
    "touch": FileAction.WRITE,
    "touched": FileAction.WRITE,
    "write": FileAction.WRITE,
}
_READ_KEYS = {
    "files to read",
    "file to read",
    "read files",
    "files to reference",
    "reference files",
    "input files",
}
_WRITE_KEYS = {
    "target file",
    "target files",
    "output file",
    "output files",
    "file",
    "files",
    "files to touch",
}
_LIST_KEY = lazy_pattern(r"files? (?:to )?(?P<verbs>.+)")
_LARGEST = 9  # digits of a line number


@dataclass(frozen=True, slots=True)
class FoundRefs:
    """The references of one bullet or field, and what was wrong with the ranges that they cite."""

    refs: tuple[FileRef, ...] = ()
    bad_ranges: tuple[str, ...] = ()


def find_action(key: str) -> FileAction | None:
    """What a header field such as `Files to Create/Edit` lists; None where it lists no files."""
    name = key_of(re.sub(r"\(.*?\)", "", key))
    if name in _READ_KEYS:
        return FileAction.READ
    if name in _WRITE_KEYS:
        return FileAction.WRITE
    match = _LIST_KEY.fullmatch(name)
    if match is None:
        return None
    words = re.split(r"\W+|\bor\b|\band\b", match["verbs"])
    return _joined({_ACTIONS[word] for word in words if word in _ACTIONS})


def _joined(actions: set[FileAction]) -> FileAction | None:
    if len(actions) == 1:
        return actions.pop()
    return FileAction.WRITE if actions else None


def parse_refs(text: str, *, action: FileAction, line: int) -> FoundRefs:
    """The files that a bullet's or a field's text names."""
    text = re.sub(r"^\[[ xX]\]\s+", "", text.strip())
    if _NOTHING.fullmatch(text):
        return FoundRefs()
    verb = _VERB_PREFIX.match(text)
    if verb:
        action, text = _ACTIONS[verb[1].casefold()], text[verb.end() :]
    refs, bad = [], []
    for path, note in _split(text):
        ref, problems = _reference(path, note, action=action, line=line)
        refs.append(ref)
        bad.extend(problems)
    return FoundRefs(tuple(refs), tuple(bad))


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Path and raw note of each file; a path begins the text or follows a comma, not in brackets."""
    starts: list[tuple[re.Match[str], str]] = []
    end = depth = 0
    for span in CODE.finditer(text):
        gap = text[end : span.start()]
        depth += gap.count("(") - gap.count(")")
        before = _before(gap, first=not starts, depth=depth)
        if before is not None:
            starts.append((span, before))
        elif not starts:
            break
        end = span.end()
    if not starts:
        yield from _split_bare(text)
        return
    for index, (span, before) in enumerate(starts):
        until = starts[index + 1][0].start() if index + 1 < len(starts) else len(text)
        rest = text[span.end() : until]
        if index + 1 < len(starts) and (match := _ENUMERATION.match(rest)):
            rest = match["note"]
        yield code_text(span[2]).strip(), f"{before} {_after_link(rest)}".strip()


def _before(gap: str, *, first: bool, depth: int) -> str | None:
    """The words before a code span that is a path; None where the span is part of a note."""
    if depth > 0:
        return None
    if not first:
        return "" if _ENUMERATION.fullmatch(gap) else None
    words = gap.strip(" *[_")
    return None if "/" in words or re.search(r"\w\.\w", words) else words


def _after_link(rest: str) -> str:
    return re.sub(r"^\**(?:\]\([^)]*\))?\**", "", rest)


def _split_bare(text: str) -> Iterator[tuple[str, str]]:
    link = re.match(r"\[[^\]]+\]\(([^)]+)\)", text)
    if link:
        yield link[1], text[link.end() :]
        return
    bold = re.match(r"\*\*([^*]+)\*\*", text)
    if bold:
        yield bold[1], text[bold.end() :]
        return
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > 1 and all(_BARE_LIST.fullmatch(piece) for piece in pieces):
        for piece in pieces:
            yield from _split_bare(piece)
        return
    end = _BARE_END.search(text)
    cut = end.start() if end else len(text)
    yield text[:cut].strip(), text[cut:]


def _reference(
    path: str, raw_note: str, *, action: FileAction, line: int
) -> tuple[FileRef, list[str]]:
    note = _clean_note(raw_note)
    suffix = _SUFFIX.fullmatch(path)
    cited = list(_IN_SUFFIX.finditer(suffix["lines"])) if suffix else []
    path = suffix["path"] if suffix else path
    ranges, problems = [], []
    for match in (*cited, *_cited(note)):
        span = _line_range(match)
        if isinstance(span, LineRange):
            ranges.append(span)
        else:
            problems.append(f"{span} for {path}")
    written = action not in {FileAction.READ, FileAction.DELETE}
    action = (_noted_action(note) if written else None) or action
    optional = _OPTIONAL.search(note) is not None
    return FileRef(path, action, tuple(ranges), note, optional, line), problems


def _clean_note(raw: str) -> str:
    """A note without the punctuation that joins it to its path, nor brackets around it all."""
    note = re.sub(r"^(?:[-–—:,;]+\s+|[:,;]+$)+", "", raw.strip()).strip()
    return note[1:-1].strip() if is_wrapped(note) else note


def is_wrapped(text: str) -> bool:
    """Whether one pair of parentheses holds the whole text."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index == len(text) - 1
    return False


def _cited(note: str) -> Iterator[re.Match[str]]:
    at = 0
    while match := _FIRST.search(note, at):
        while match:
            yield match
            at = match.end()
            match = _FURTHER.match(note, at)


def cited_ranges(note: str) -> tuple[LineRange, ...]:
    """The well-formed line ranges that a note cites."""
    return tuple(
        span for match in _cited(note) if isinstance(span := _line_range(match), LineRange)
    )


def _line_range(match: re.Match[str]) -> LineRange | str:
    """The range, or what is wrong with it."""
    first, last = match["start"], match["end"]
    said = f"{first}-{last}" if last else first
    if max(len(first), len(last or "")) > _LARGEST:
        return f"line range {said[:40]} is too large"
    if last is None and _OPEN_END.match(match.string, match.end()):
        return f"line range from {first} names no last line"
    start, end = int(first), int(last or first)
    if start == 0:
        return f"line range {said} starts at 0, but lines count from 1"
    return LineRange(start, end) if start <= end else f"line range {said} ends before it starts"


def _noted_action(note: str) -> FileAction | None:
    """What a note such as `create` or `optional, edit lines 3-9` says is done with the file."""
    for part in note.split(","):
        match = _ACTION_WORD.match(part)
        if match is None:
            continue
        either = re.match(r"\s*(?:/|or\b|if\b)", match["more"], re.IGNORECASE)
        return FileAction.WRITE if either else _ACTIONS[match[1].casefold()]
    return None
