"""Find comments that a rewrite strips or parts from what they are for, and blocks that it puts in twice in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from posixpath import splitext

from minitask.edits.match import occurrences
from minitask.gates.requested_removals import has_name, telling_words, text_about, text_beside
from minitask.gates.result import (
    SEND_WHOLE,
    FileChange,
    LintError,
    Rows,
    filled_lines,
    indented_lines,
    quoted,
)
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import is_code, parts_of_both
from minitask.gates.source.parts_text import NamedPart
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

MOST_LINES = 5_000
_LEAST_PLACES, _LEAST_LINES = 3, 4
"""Fewest places and lines at which comments go, and the code around them stays."""
_FEWER = 3
"""Lost lines of comments that a new one may stand for."""
ABOUT_COMMENTS = lazy_pattern(
    r"(?i)\b(?:comments?|commented|doc-?(?:strings?|blocks?|comments?)|jsdoc|javadoc\w*|rustdoc|godoc|clean\w*|tidy|licen[cs]\w*"
    r"|copyright|remarks?|todos?|noqa|eslint\w*|pylint|annotations?|pragmas?|directives?|translat\w+|rewrit\w+|rewrote"
    r"|minif\w+)\b"
)


def find_stripped_comments(proposal: FileChange, spec: Spec) -> LintError | None:
    """Return the first of several comments that a rewritten file lost, though the code beside each is the same."""
    old, new = filled_lines(proposal.base or ""), filled_lines(proposal.content)
    if not new or not is_code(proposal.path) or max(len(old), len(new)) > MOST_LINES:
        return None
    texts = [text for _, text in old], [text for _, text in new]
    places = lines = 0
    first = None
    for tag, start, end, at, _ in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        gone = texts[0][start:end]
        if tag == "delete" and all(is_remark(row) for row in gone):
            places, lines = places + 1, lines + len(gone)
            first = first or (new[min(at, len(new) - 1)][0], gone[0])
    fresh = set(texts[1]) - set(texts[0])
    if first is None or places < _LEAST_PLACES or lines < _LEAST_LINES:
        return None
    is_reworded = sum(map(is_remark, fresh)) * _FEWER >= lines
    if is_reworded or ABOUT_COMMENTS.search(text_beside(spec, proposal.path)):
        return None
    message = f"it loses {quoted(first[1])} and other comments, which the spec does not ask for"
    return LintError(proposal.path, first[0], message, SEND_WHOLE)


def is_remark(row: str) -> bool:
    """Return True for a line that is all comment."""
    return comment_text(row) is not None or row in {"*", "*/", "**/"}


def find_left_comment(proposal: FileChange) -> LintError | None:
    """Return the comment of a definition that is gone, if another comment or the end of the scope follows it now."""
    base = proposal.base or ""
    if not base or not is_code(proposal.path):
        return None
    before, after = parts_of_both(proposal.path, base, proposal.content)
    remaining = {part.name for part in after}
    rows, new = [row.strip() for row in base.split("\n")], filled_lines(proposal.content)
    for part in before:
        if part.kind != "code" or part.name in remaining or not part.start:
            continue
        comment = _comment_above(rows, part)
        line = _left_alone(comment, new) if comment else 0
        if line:
            message = f"{quoted(comment[0])} is the comment of {part.shown}, which is gone"
            remedy = f"keep {part.shown}, or take its comment out, too"
            return LintError(proposal.path, line, message, remedy)
    return None


def _comment_above(rows: Sequence[str], part: NamedPart) -> list[str]:
    """Return the comment right above a definition if it is about that alone: a doc comment, or one with its name."""
    comment: list[str] = []
    above = list(rows[: part.start - 1])
    if len(above) > 1 and not above[-1] and above[-2] in {"*/", "**/"}:
        above.pop()  # some styles put a blank line below a doc comment
    for row in reversed(above):
        if not row or not is_remark(row):
            break
        comment.insert(0, row)
    is_doc = bool(comment) and comment[0].startswith(("/**", "///"))
    is_named = any(has_name(row, part.leaf) for row in comment)
    return comment if is_doc or is_named else []


def _left_alone(comment: Sequence[str], new: Rows) -> int:
    """Return the line of a comment that nothing follows in its scope but another comment; 0 if there is none."""
    texts = [row for _, row in new]
    for at in occurrences(texts, comment):
        follower = texts[at + len(comment)] if at + len(comment) < len(texts) else ""
        if not follower or follower[0] in "})]" or follower == "end" or is_remark(follower):
            return new[at][0]
    return 0


MARKED = word_set("""
.py .js .jsx .mjs .ts .tsx .mts .java .kt .scala .groovy .rs .go .cs .php .swift .dart .cc .cpp .h
""")
_MARK = lazy_pattern(
    r"@[A-Za-z][\w.]*(?:\(.*\))?|#\[.*\]|\[+(?!Header|Space)[A-Za-z]\w*(?:\(.*\))?\]+|template\s*<.*>"
)
"""A decorator, annotation or attribute on a line of its own."""
_DEFINES = lazy_pattern(
    r"(?:(?:def|class|function|fn|func|fun|struct|enum|trait|interface|record|public|private|protected|internal|static"
    r"|final|export|async|pub|abstract|override|const|let|var|val)\b|[\w<>\[\]*&:, ]+\(.*\).*\{$|\w+\s*[:=][^=])"
)


def find_taken_mark(proposal: FileChange, spec: Spec) -> LintError | None:
    """Return the fault of a definition put between another one and its decorator, attribute or doc comment."""
    if not proposal.base or splitext(proposal.path)[1].lower() not in MARKED:
        return None
    old, new = (filled_lines(text) for text in (proposal.base, proposal.content))
    before, after = [row for _, row in old], [row for _, row in new]
    if max(len(before), len(after)) > MOST_LINES:
        return None
    spec_words = telling_words(text_about(spec, proposal.path))
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, at, _, start, end in matcher.get_opcodes():
        if tag != "insert" or not 0 < at < len(before):
            continue
        heads = (row for row in after[start:end] if not is_mark(row) and comment_text(row) is None)
        head, owner = next(heads, ""), before[at]
        lost = _marks_above(before, at, owner) - _marks_above(after, end, owner)
        if not lost or not _DEFINES.match(head) or not _DEFINES.match(owner):
            continue
        mark = min(lost)
        if not (spec_words & telling_words(mark) and spec_words & telling_words(owner)):
            where = f"belongs to {quoted(owner)}, and stands above {quoted(head)} now"
            message, remedy = f"{quoted(mark)} {where}", "put the new lines above it"
            return LintError(proposal.path, new[start][0], message, remedy)
    return None


def is_mark(row: str) -> bool:
    """Return True for a line that is all decorator, annotation or attribute."""
    return _MARK.fullmatch(row) is not None


def _marks_above(rows: Sequence[str], at: int, owner: str) -> set[str]:
    """Return the decorators above a line, and its doc comment: `/**`, `///`, or one that begins with its name."""
    marks: set[str] = set()
    for row in reversed(rows[:at]):
        comment = None if is_mark(row) else comment_text(row)
        if comment is None and not is_mark(row):
            break
        is_doc = row.startswith(("/**", "///")) or (
            row.startswith("// ") and has_name(owner, (comment or "").partition(" ")[0])
        )
        marks |= {row} if is_doc or comment is None else set()
    return marks


_MOST_APART = 250
_LEAST, _LEAST_OF_PART, _LETTERS = 8, 3, 30
"""Fewest lines of a repeated block, of one that is a definition, and letters and digits of either."""


_HEAD = lazy_pattern(r"\s*(?:async\s+def|def|class)\s+\w")


def find_repeat(proposal: FileChange) -> LintError | None:
    """Return the second of two equal blocks of code, one right below the other, if the base has only one.

    In a new file, it must be a definition.
    """
    if not is_code(proposal.path):
        return None
    base = proposal.base or ""
    old, new = indented_lines(base), indented_lines(proposal.content)
    if max(len(old), len(new)) > MOST_LINES:
        return None
    added = Counter(row for _, row in new) - Counter(row for _, row in old)
    had = {row for _, row in old} or {row for row, times in added.items() if times > 1}
    if sum(times for row, times in added.items() if row in had) < _LEAST_OF_PART:
        return None
    rows = [row for _, row in new]
    known = {tuple(block) for _, block in _repeated([row for _, row in old])}
    _, parts = parts_of_both(proposal.path, base, proposal.content, inner=True)
    starts = {part.start for part in parts if part.kind == "code" and part.end > part.start}
    starts |= {number for number, row in new if _HEAD.match(row)}  # a part begins at its decorators
    for at, block in _repeated(rows):
        is_new = tuple(block) not in known and all(row in had for row in block)
        is_long = len(block) >= _LEAST and bool(base)
        if is_new and (is_long or _is_part(new, at, len(block), starts)):
            number = new[at + len(block)][0]
            message = f"{len(block)} lines from {quoted(block[0].strip())} stand twice in a row"
            return LintError(proposal.path, number, message, "take out one of the two")
    return None


def _repeated(rows: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each block that is repeated right below, with its index; of overlapping ones, the first."""
    for apart in range(_LEAST_OF_PART, min(_MOST_APART, len(rows) // 2) + 1):
        run = 0
        for at in range(len(rows) - apart):
            run = run + 1 if rows[at] == rows[at + apart] else 0
            if run == apart:
                block = rows[at - apart + 1 : at + 1]
                if _tells(block):
                    yield at - apart + 1, block
                run = 0


def _tells(block: Sequence[str]) -> bool:
    letters = sum(map(str.isalnum, "".join(block)))
    return letters >= _LETTERS and len(set(block)) > len(block) // 2


def _is_part(rows: Rows, at: int, size: int, starts: set[int]) -> bool:
    """Return True if a definition starts in the block and again in its repetition."""
    first = {number for number, _ in rows[at : at + size]}
    second = {number for number, _ in rows[at + size : at + 2 * size]}
    return bool(first & starts) and bool(second & starts)
