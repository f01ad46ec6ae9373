"""The note after a file's path: cited lines, a verb, whether the file is optional; and cited lines that are only moved.

The field determines the action on a file. A note changes it only if it is nothing but a verb: `(edit lines 3-9)` is
one, `(remove the old rule)` is about the file's content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename

from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, FileRef, LineRange, Spec
from minitask.words import word_set

DASH = r"(?:[-–—−]|â€[“”]|‚Ä[ìî])"  # the last two are dashes whose bytes were misread
DETAILS = "; "
"""The separator between a file's note and the details nested below it."""

_RANGE = rf"~?(?P<start>[0-9]+)(?:\s*(?:{DASH}|\bto\b|\bthrough\b)\s*(?P<end>[0-9]+))?"
_FIRST = lazy_pattern(
    rf"(?i)\blines?:?\s+{_RANGE}|\bL(?P<start2>[0-9]+)\s*{DASH}\s*L(?P<end2>[0-9]+)\b"
)
_FURTHER = lazy_pattern(
    rf"(?i)\s*(?:[,;&]|\band\b|,\s*and\b)\s*(?:lines?\s+)?{_RANGE}"
    r"(?=\s*(?:$|[,;:.)&]|and\b|only\b|[-–—]\s))"
)
_OPEN_END = lazy_pattern(
    r"(?i)[^\s,;:.)\]&'’\"”`*_|!]|\.\.|:[0-9]|\s*(?:to|until|[-–—])\s*(?:the\s+)?(?:end|eof|bottom)\b"
    r"|\s+onwards?\b"
)
_LARGEST = 9  # digits of a line number
_VERBS = r"creates?|new|add|edits?|modify|modified|updated?|changed?|deleted?|removed?|write"
_LINES = (
    r"(?:\s*(?:at|in|on|near|around|only)?\s*(?:lines?|L)?:?\s*"
    rf"~?L?[0-9]+(?:\s*(?:{DASH}|to|through|and|&)\s*L?[0-9]+)*)"
)
_VERB_ONLY = lazy_pattern(
    rf"(?i)[\s(\[*_]*(?P<verb>{_VERBS})[*_]*(?P<either>\s*(?:/|or)\s*(?:{_VERBS})|\s+if\b[^,;]*)?"
    rf"(?:\s+(?:the\s+|this\s+|whole\s+|entire\s+|existing\s+|new\s+)*file)?(?P<lines>{_LINES}*)(?:\s+only)?[\s)\]*_.!]*"
)
_UNTOUCHED = lazy_pattern(
    r"(?i)[\s(\[*_]*(?:read[- ]only|(?:for\s+)?reference(?:\s+only)?|unchanged|no\s+changes?(?:\s+to)?"
    r"|as\s+(?:it\s+)?is"
    rf"|(?:(?:for|as)\s+)?(?:context|background)(?:\s+only)?(?:\s*:?{_LINES})?|(?:to\s+)?read(?:\s+only)?"
    r"|only\s+(?:for|as)\s+(?:context|reference)|as\s+reference|not|[❌🚫⛔🔒]\ufe0f?"
    r"|(?:leave|keep)\s+(?:it\s+|this\s+(?:file\s+)?)?(?:unchanged|alone|as\s+(?:it\s+)?is|untouched)"
    r"|(?:do\s+not|don['’]t|must\s+not|never|not\s+to)\s+(?:be\s+)?"
    r"(?:edit|modif(?:y|ied)|chang|touch|delet|remov|writ)[a-z]*(?:\s+(?:it|this|the|that)(?:\s+file)?)?)[\s)\]*_.!]*"
)
_LINES_ONLY = lazy_pattern(rf"(?i){_LINES}*(?:\s+only)?\s*")
_OPTIONAL = lazy_pattern(
    r"(?i)[\s(\[*_]*optional(?:ly)?\b[*_)\]]*\s*(?:$|[:–—-]|(?:file|context|reference|reading|background|read|for|if)\b|"
    rf"{_LINES})"
)
_IF_NEEDED = lazy_pattern(
    r"(?i)\b(?:if|where|when|as|only if|unless)\s+(?:it is |really |already )?"
    r"(?:need|necessary|required|appropriate|useful|there\b)\w*"
    r"|\b(?:may|might|need) not (?:need|have|be|change)|\bmay (?:stay|need)\b"
)
_EXECUTABLE = lazy_pattern(
    r"(?i)[\s(\[*_]*(?:(?:make\s+(?:it\s+)?)?executable(?:\s+(?:script|file))?|(?:chmod\s+)?\+x|mode\s+0?755)[\s)\]*_.!]*"
)
_EMPTY_NAMES = word_set("""
__init__.py __init__.pyi .gitkeep .keep .nojekyll py.typed conftest.py .npmignore
""")
"""Files that exist for their name alone."""
_SAYS_EMPTY = lazy_pattern(r"(?i)\b(?:empty|blank|touch|zero[- ]byte|placeholder|stub|marker)\b")
_ACTIONS = {
    **dict.fromkeys(("create", "creates", "new", "add"), FileAction.CREATE),
    **dict.fromkeys(("delete", "deleted", "remove", "removed"), FileAction.DELETE),
    "write": FileAction.WRITE,
}


def clean_note(raw: str) -> str:
    """Return a note without the punctuation after its path and without brackets around it."""
    note = re.sub(r"^(?:[-–—:,;]+\s+|[:,;]+$)+", "", raw.strip()).strip()
    return note[1:-1].strip() if is_wrapped(note) else note


def with_details(note: str, details: str) -> str:
    """Return a note with its details appended; details alone are never read as a verb."""
    if note or not details:
        return f"{note}{DETAILS}{details}" if details else note
    action = noted_action(details, FileAction.WRITE)
    is_verb = action is not FileAction.WRITE or is_optional(details)
    return f"below{DETAILS}{details}" if is_verb else details


def is_wrapped(text: str) -> bool:
    """Return True if one pair of parentheses encloses the whole text."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index == len(text) - 1
    return False


def noted_action(note: str, field: FileAction) -> FileAction:
    """Return the action on a file: from a note that is nothing but a verb, otherwise from the field.

    Files to read or to delete remain so; a file noted as unchanged is to be read. Below a field that leaves the action
    open, one part of the note may be the verb: `(create, the new module)`.
    """
    if field in {FileAction.READ, FileAction.DELETE}:
        return field
    head = _head(note)
    if head.startswith("(") and ")" in head and not is_wrapped(head):
        head = head.replace(")", "),", 1)
    parts = [part for part in head.split(",") if part.strip()]
    actions = [action for part in parts if (action := _verb(part))]
    if not actions and any(_UNTOUCHED.fullmatch(part) for part in parts):
        return FileAction.READ
    others = [part for part in parts if not _verb(part) and not _is_plain(part)]
    if not actions or (others and field is not FileAction.WRITE):
        return field
    return actions[0]


def _verb(part: str) -> FileAction | None:
    match = _VERB_ONLY.fullmatch(part)
    if match is None:
        return None
    if match["either"]:
        return FileAction.WRITE
    action = _ACTIONS.get(match["verb"].casefold(), FileAction.EDIT)
    only_lines = match["lines"].strip() and action is not FileAction.EDIT
    return None if only_lines else action


def _is_plain(part: str) -> bool:
    """Return True if a part of a note only cites lines, or says that the file is optional or executable."""
    plain = _LINES_ONLY.fullmatch(part) or _EXECUTABLE.fullmatch(part)
    return plain is not None or is_optional(part)


def is_executable(ref: FileRef) -> bool:
    """Return True if a note asks for mode 755: `(executable)`, `(create, +x)`."""
    return any(_EXECUTABLE.fullmatch(part) for part in _head(ref.note).split(","))


def is_optional(note: str) -> bool:
    """Return True if a note says that the file may be missing; `make the argument optional` does not."""
    return any(_OPTIONAL.match(part) for part in _head(note).split(","))


def _head(note: str) -> str:
    """Return a note without the details nested below its file."""
    return note.partition(DETAILS.strip())[0]


def may_stay(ref: FileRef) -> bool:
    """Return True if a listed file need not change: it is optional, or its note says `if needed`."""
    return ref.optional or _IF_NEEDED.search(_head(ref.note)) is not None


def may_be_empty(spec: Spec, path: str) -> bool:
    """Return True if a created file may be empty."""
    if basename(path) in _EMPTY_NAMES:
        return True
    notes = (ref.note for ref in spec.files if ref.path == path)
    criteria = (criterion.text for criterion in spec.criteria)
    return any(map(_SAYS_EMPTY.search, (spec.title, spec.task, *criteria, *notes)))


def find_cited(note: str) -> Iterator[re.Match[str]]:
    """Yield the line ranges that a note cites, as written."""
    at = 0
    while match := _FIRST.search(note, at):
        while match:
            yield match
            at = match.end()
            match = _FURTHER.match(note, at)


def line_range(match: re.Match[str]) -> LineRange | str:
    """Return the range, or the reason why it is invalid."""
    groups = match.groupdict()
    first = match["start"] or groups["start2"]
    last = match["end"] or groups.get("end2")
    text = f"{first}-{last}" if last else first
    if max(len(first), len(last or "")) > _LARGEST:
        return f"line range {text[:40]} is too large"
    if last is None and _OPEN_END.match(match.string, match.end()):
        return f"line range from {first} names no last line"
    start, end = int(first), int(last or first)
    if start == 0:
        return f"line range {text} starts at 0, but lines count from 1"
    return LineRange(start, end) if start <= end else f"line range {text} ends before it starts"


SHORTEST = 20
"""Fewer lines are always shown: leaving them out would save little."""

_CHANGING = lazy_pattern(
    r"(?i)\b(?:adapt|adjust|chang|change|convert|correct|edit|fix|improv|improve|modif|modify|refactor|renam|rename|replac"
    r"|replace|rewrit|rewrite|simplif|simplify|updat|update)(?:s|d|es|ed|ing)?\b"
)
"""Verbs and stems that ask for more than moving."""
_MOVING = lazy_pattern(
    r"(?i)\b(?:mov(?:e|es|ed|ing)|cop(?:y|ies|ied)|extract(?:s|ed)?|relocate[sd]?)\b"
)


def is_only_moved(spec: Spec, ref: FileRef, cited: LineRange) -> bool:
    """Return True if the task only moves or copies these lines unchanged."""
    if cited.end - cited.start + 1 < SHORTEST:
        return False
    if _MOVING.search(ref.note):
        return not _CHANGING.search(ref.note)
    numbers = re.compile(rf"(?<!\d){cited.start}\s*(?:[-–—−]|to)\s*{cited.end}(?!\d)")
    citing = [line for line in spec.task.splitlines() if numbers.search(line)]
    return bool(citing) and all(
        _MOVING.search(line) and not _CHANGING.search(line) for line in citing
    )


def moved_lines(spec: Spec) -> int:
    """Return how many lines the task only moves."""
    return sum(
        cited.end - cited.start + 1
        for ref in spec.files
        for cited in ref.ranges
        if is_only_moved(spec, ref, cited)
    )
