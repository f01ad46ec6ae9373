"""File references: the bullets below Files to Read, Files to Create and similar fields.

A bullet names a path (in backticks, as a link, or bare) and may add a note. The note is stored as written; cited lines
and words such as create, edit or optional are read from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import CODE, Link, code_span, code_text, find_link
from minitask.spec.model import FileAction, FileRef, LineRange
from minitask.spec.notes import (
    DASH,
    clean_note,
    find_cited,
    is_optional,
    line_range,
    noted_action,
    with_details,
)
from minitask.spec.template import key_of

_NOTHING = lazy_pattern(
    r"(?i)[(\[*_]*(?:none|n/?a|nothing)[.,;:)\]*_]*(?:\s.*)?|no (?:other |new )?files?\b.*|[-–—]?"
)
_STRUCK = lazy_pattern(r"(?s)~~(?:(?!~~).)+~~.*")
VERBS = "create|new|add|modify|edit|update|change|read|reference|verify|view|see|delete|remove|test|write"
_VERB_PREFIX = lazy_pattern(
    rf"(?i)\**(?P<verb>{VERBS})(?:\s+files?)?\**\s*:\**\s*|[*`]*\[(?P<tag>{VERBS})\][*`]*(?:\s+|$)"
)
_VERB_ALONE = lazy_pattern(rf"(?i)(?P<verb>{VERBS})\s+(?=[^\s`*]+[./][^\s`*]+(?:\s|$))(?P<tag>)")
_QUOTED = lazy_pattern(r"([\"'])(?P<path>[^\"']+)\1|<(?P<inner>[^<>]+)>")
_LINK_START = lazy_pattern(r"!?\[|<(?=[a-z])")
_ENUMERATION = lazy_pattern(r"(?s)(?P<note>.*?)\s*(?:[,;&+]|\s/\s|\band\b)\s*(?:and\s+)?\**\[?$")
_BARE_END = lazy_pattern(r"(?i)\s+[(\[]|\s+[-–—]\s|:\s|[,;]\s|\s+lines?\s+[0-9]")
_BARE_LIST = lazy_pattern(r"[^\s(),]*[./][^\s(),]*(?:\s*\([^()]*\))?")
_NUMBERS = rf"L?[0-9]+(?:{DASH}L?[0-9]+)?"
_SUFFIX = lazy_pattern(rf"(?P<path>.+?)(?::|#)(?P<lines>{_NUMBERS}(?:,\s*{_NUMBERS})*)(?::[0-9]+)?")
_IN_SUFFIX = lazy_pattern(rf"L?(?P<start>[0-9]+)(?:{DASH}L?(?P<end>[0-9]+))?")
_PATHLIKE = lazy_pattern(
    r"[^\s()<>=\"'{}|;,]*[./][^\s()<>=\"'{}|;,]*|[A-Z][a-z]+file|LICENSE|README"
)
_WORDS_AFTER = lazy_pattern(r"[^\s`]+\.\w+(?P<cut>)\s+[^/]*[^/.\w]?[a-z]+[.]?$")
_GOES_ON = lazy_pattern(r"\s+(?!and\b|lines?\b|[-–—])[A-Za-z]")
_MOVE = lazy_pattern(
    r"(?is)\**(?P<verb>move|rename)\**\s*:\**\s*(`+)(?P<old>[^`]+)\2\s*(?:→|[-=]+>|\bto\b|\binto\b)\s*(`+)(?P<new>[^`]+)\4(?P<note>.*)"
)
_VERBS = {
    FileAction.CREATE: "create created new add added",
    FileAction.EDIT: "edit edited modify modified update updated change changed refactor",
    FileAction.DELETE: "delete deleted remove removed",
    FileAction.READ: "read reference verify view see",
    FileAction.WRITE: "test touch touched write",
}
_ACTIONS = {verb: action for action, verbs in _VERBS.items() for verb in verbs.split()}
_READ_NAMES = (
    "files to read, file to read, read files, files to reference, reference files, input files"
)
_READ_KEYS = frozenset(_READ_NAMES.split(", "))
_WRITE_NAMES = "target file, target files, output file, output files, file, files, files to touch"
_WRITE_KEYS = frozenset(_WRITE_NAMES.split(", "))
_LIST_KEY = lazy_pattern(
    r"files? (?:to |that (?:are|will be) )?(?P<verbs>.+)"
    r"|(?P<before>(?:new|modified|changed|edited|created|deleted|added)"
    r"(?:(?: or | and |[ /])(?:new|modified|changed|edited|created|deleted|added))*) files?"
)
_JOINTS = {"", "or", "and", "be", "to"}


class FoundRefs(Struct, frozen=True):
    """The references of one bullet or field, and errors in the ranges that they cite."""

    refs: tuple[FileRef, ...] = ()
    bad_ranges: tuple[str, ...] = ()


def find_action(key: str) -> FileAction | None:
    """Return the action of a header field such as `Files to Create/Edit`, or None if it lists no files."""
    name = key_of(re.sub(r"\(.*?\)", "", key))
    if name in _READ_KEYS:
        return FileAction.READ
    if name in _WRITE_KEYS:
        return FileAction.WRITE
    match = _LIST_KEY.fullmatch(name)
    if match is None:
        return None
    verbs = re.split(r"\W+", match["verbs"] or match["before"])
    if not all(word in _ACTIONS or word in _JOINTS for word in verbs):
        return None
    actions = {_ACTIONS[word] for word in verbs if word in _ACTIONS}
    if len(actions) == 1:
        return actions.pop()
    return FileAction.WRITE if actions else None


def parse_refs(text: str, *, action: FileAction, line: int) -> FoundRefs:
    """Return the files that an item names; lines of `text` after the first are details, which name none."""
    head, _, details = text.partition("\n")
    head = re.sub(r"^\[[ xX]\]\s+", "", head.strip())
    if _NOTHING.fullmatch(head) or _STRUCK.fullmatch(head):
        return FoundRefs()
    moved = _MOVE.fullmatch(head) if action is FileAction.WRITE else None
    if moved:
        old, new = code_text(moved["old"]).strip(), code_text(moved["new"]).strip()
        deleted = FileRef(old, FileAction.DELETE, line=line)
        return FoundRefs((deleted, FileRef(new, FileAction.CREATE, line=line)))
    action, head = _with_prefix(head, action)
    entries = list(_split(_with_code(head)))
    refs, bad = [], []
    for index, (path, note) in enumerate(entries):
        more = details if index == len(entries) - 1 else ""
        ref, problems = _reference(path, note, details=more, action=action, line=line)
        refs.append(ref)
        bad.extend(problems)
    return FoundRefs(tuple(refs), tuple(bad))


def find_prefix(text: str) -> FileAction | None:
    """Return the action of an item such as `Modify:` or `**New files:**`, or None for any other text."""
    plain = text.strip()
    match = _VERB_PREFIX.fullmatch(plain)
    return _prefix_action(match) if match else find_action(plain.strip("*").rstrip(": "))


def _prefix_action(match: re.Match[str]) -> FileAction:
    return _ACTIONS[(match["verb"] or match["tag"]).casefold()]


def _with_prefix(text: str, action: FileAction) -> tuple[FileAction, str]:
    """Return an item's action (from the verb before its path, unless the file is to be read) and the other text."""
    verb = _VERB_PREFIX.match(text)
    if verb is None and action is FileAction.WRITE:
        verb = _VERB_ALONE.match(text)
    if verb is None:
        return action, text
    return action if action is FileAction.READ else _prefix_action(verb), text[verb.end() :]


def _with_code(text: str) -> str:
    """Return an item with the path of each link that names a file, in place of the link, as code."""
    at, is_first = 0, True
    while match := _LINK_START.search(text, at):
        gap = text[at : match.start()]
        link = find_link(text[match.end() - 1 :])
        is_note = "`" in gap or _before(gap, first=is_first, depth=gap.count("(")) is None
        if link is None or is_note:
            break
        code, end = code_span(_link_path(link)), match.end() - 1 + link.end
        text = f"{text[: match.start()]}{code}{text[end:]}"
        at, is_first = match.start() + len(code), False
    return text


def _split(text: str) -> Iterator[tuple[str, str]]:
    """Yield the path and raw note of each file; a path begins the text or follows a comma outside brackets."""
    starts: list[tuple[re.Match[str], str]] = []
    end = depth = 0
    for span in CODE.finditer(text):
        gap = text[end : span.start()]
        depth += gap.count("(") - gap.count(")")
        before = _before(gap, first=not starts, depth=depth)
        if before is not None and _names_file(span, text, first=not starts and not before):
            starts.append((span, before))
        elif not starts and before is None:
            break
        end = span.end()
    if not starts:
        yield from _split_bare(text)
        return
    for index, (span, before) in enumerate(starts):
        until = starts[index + 1][0].start() if index + 1 < len(starts) else len(text)
        note = text[span.end() : until]
        if index + 1 < len(starts) and (match := _ENUMERATION.match(note)):
            note = match["note"]
        yield code_text(span[2]).strip(), f"{before} {note.lstrip('*')}".strip()


def looks_like_path(text: str) -> bool:
    """Return True if a text certainly is a path: code, or a word with a dot or slash."""
    whole = CODE.fullmatch(text.strip())
    return whole is not None or _PATHLIKE.fullmatch(text.strip()) is not None


def _names_file(span: re.Match[str], text: str, *, first: bool) -> bool:
    """Return True if a code span names a file: the first of an item always, any other if it looks like a path."""
    if first:
        return True
    looks = _PATHLIKE.fullmatch(code_text(span[2]).strip())
    return looks is not None and _GOES_ON.match(text, span.end()) is None


def _before(gap: str, *, first: bool, depth: int) -> str | None:
    """Return the words before a code span that is a path, or None if the span is part of a note."""
    if depth > 0:
        return None
    if not first:
        return "" if _ENUMERATION.fullmatch(gap) else None
    lead = gap.strip(" *[_")
    return None if "/" in lead or re.search(r"\w\.\w", lead) else lead


def _split_bare(text: str) -> Iterator[tuple[str, str]]:
    bold = re.match(r"\*\*([^*]+)\*\*", text)
    if bold:
        yield bold[1], text[bold.end() :]
        return
    quoted = _QUOTED.match(text)
    if quoted and looks_like_path(path := quoted["path"] or quoted["inner"]):
        yield path, text[quoted.end() :]
        return
    pieces = [piece.strip() for piece in re.split(r"[,;]|\s(?:/|and)\s", text.rstrip(",; "))]
    if len(pieces) > 1 and all(_BARE_LIST.fullmatch(piece) for piece in pieces):
        for piece in pieces:
            yield from _split_bare(piece)
        return
    end = _BARE_END.search(text) or _WORDS_AFTER.match(text)
    cut = end.start("cut") if end and end.re.groups else end.start() if end else len(text)
    yield text[:cut].strip().rstrip(",;"), text[cut:]


def _link_path(link: Link) -> str:
    """Return a link's path: its target, or its path-like text if the target is a URL, absolute, upward or an anchor."""
    target, text = link.target.removeprefix("./"), link.text.strip("`*_")
    foreign = re.match(r"[a-z]+://|/|\.\./|#", target, re.IGNORECASE)
    looks = _PATHLIKE.fullmatch(_SUFFIX.sub(r"\g<path>", text)) is not None
    return text if foreign and looks else target


def _reference(
    path: str, raw_note: str, *, details: str, action: FileAction, line: int
) -> tuple[FileRef, list[str]]:
    note = with_details(clean_note(raw_note), details.strip())
    suffix = _SUFFIX.fullmatch(path)
    cited = list(_IN_SUFFIX.finditer(suffix["lines"])) if suffix else []
    path = suffix["path"] if suffix else path
    ranges, problems = [], []
    for match in (*cited, *find_cited(note)):
        span = line_range(match)
        if isinstance(span, LineRange):
            ranges.append(span)
        else:
            problems.append(f"{span} for {path}")
    action = noted_action(note, action)
    return FileRef(path, action, tuple(ranges), note, is_optional(note), line), problems
