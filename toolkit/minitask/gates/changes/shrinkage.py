"""Find content that a proposed file lost and that the spec does not ask to remove.

The checks compare line counts, then named parts, then look for comments in place of lines. Content that moved to
another file of the change is not lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

from minitask.gates.requested_removals import (
    asks_for_fewer_lines,
    asks_for_less,
    asks_for_something,
    cited_lines,
    is_named,
    may_ask_for,
    rename,
    requested_renames,
    takes_away,
)
from minitask.gates.result import (
    SEND_WHOLE,
    FileChange,
    LintError,
    Rows,
    filled_lines,
    last_line,
    printable,
    quoted,
)
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import (
    STYLES,
    gained_parts,
    is_code,
    lost_parts,
    parts_of_both,
)
from minitask.gates.source.parts_text import NamedPart, Parts
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

SMALLEST = 40
"""Lines of code, without blank ones, below which losing more than half may be right."""
SMALLEST_TEXT = 6
"""The same limit for text, where fewer lines rarely say the same."""
_LEAST_VALUES = 3
"""Fewest lost variables that count, if they are more than a third of all: code may do without a few."""
_LEAST_ELIDED = 3
"""Fewest lines lost at a comment that stands for them; one less if it is the last line of a block."""
_CLOSERS = ("}", ")", "]", "</", "#end", "end")
_SHOWN = 5
_LONGEST_NAME = 60
_MOST_LINES = 5_000
"""Lines above which a file is not searched for such comments: comparing takes too long."""


def find_shrinkage(
    proposal: FileChange, *, spec: Spec, others: Sequence[FileChange] = ()
) -> LintError | None:
    """Return the loss of text that the spec does not ask for, or None; `others` are the change's other files."""
    path = proposal.path
    if proposal.base is None or takes_away(spec, path) or asks_for_less(spec, path):
        return None
    before, after = _lines(proposal.base), _lines(proposal.content)
    lost, cited = before - after, cited_lines(spec, path)
    most_lost = max(before.total() - after.total(), lost.total())
    if not lost or (cited and cited >= most_lost) or _is_elsewhere(lost, others):
        return None
    is_asked = asks_for_something(spec, path)
    return (
        (None if asks_for_fewer_lines(spec, path) else _lost_lines(proposal))
        or _lost_parts(proposal, lost, spec=spec, others=others, is_asked=is_asked)
        or (None if is_asked else _elided(proposal))
    )


def _lines(text: str) -> Counter[str]:
    """Count the stripped lines that are not blank."""
    return Counter(line for _, line in filled_lines(text))


def _is_elsewhere(lost: Counter[str], others: Sequence[FileChange]) -> bool:
    """Return True if at least half of the lost lines were added to other files of the change."""
    gained: Counter[str] = Counter()
    for file in others:
        gained += _lines(file.content) - _lines(file.base or "")
    return (lost & gained).total() * 2 >= lost.total()


def _lost_lines(proposal: FileChange) -> LintError | None:
    before, after = (len(filled_lines(text)) for text in (proposal.base or "", proposal.content))
    least = SMALLEST if is_code(proposal.path) else SMALLEST_TEXT
    if after and (before < least or after * 2 >= before):
        return None
    if not after and before < 2:
        return None
    message = f"it loses {before - after} of its {before} lines, which the spec does not ask for"
    return LintError(proposal.path, last_line(proposal.content), message, SEND_WHOLE)


def _lost_parts(
    proposal: FileChange,
    lines: Counter[str],
    *,
    spec: Spec,
    others: Sequence[FileChange],
    is_asked: bool,
) -> LintError | None:
    """Return the loss of named parts; if the spec asks to remove something, only of definitions that it cannot mean."""
    base = proposal.base or ""
    before, after = parts_of_both(proposal.path, base, proposal.content)
    is_only = len(before) == 1 and before[0].kind != "code"
    if is_only and not after and proposal.content.strip():
        return None
    gone = lost_parts(before, after)
    if not gone:
        return None
    elsewhere = {part.leaf for file in others for part in gained_parts(file)}
    fresh = {part.leaf for part in lost_parts(after, before)}
    elsewhere |= fresh
    rows = base.split("\n")
    renames = requested_renames(spec, proposal.path)
    lost = [
        part
        for part in gone
        if part.leaf not in elsewhere
        and not _stays(part, rows, lines)
        and not _is_renamed_along(part, rows, proposal.content, renames)
        and not is_named(spec, proposal.path, part)
        and not _is_respelled(part, fresh, spec)
        and not _is_done_with(part, before, rows, proposal.content, is_asked=is_asked)
    ]
    if is_asked:
        code = (part for part in lost if part.kind == "code")
        lost = [part for part in code if not may_ask_for(spec, proposal.path, part)]
    lost = [part for part in lost if part.kind != "value" or _are_many(lost, before)]
    return _fault(proposal, lost) if lost else None


def _stays(part: NamedPart, rows: Sequence[str], lost: Counter[str]) -> bool:
    """Return True if at least half of the part's lines remain in the file, so that it was renamed."""
    if part.end <= part.start:
        return False
    telling = (row for row in rows[part.start - 1 : part.end] if any(map(str.isalnum, row)))
    part_lines = _lines("\n".join(telling))
    return part_lines.total() > 1 and (part_lines & lost).total() * 2 <= part_lines.total()


def _is_renamed_along(
    part: NamedPart, rows: Sequence[str], content: str, renames: Mapping[str, str]
) -> bool:
    """Return True if a part bears a name that the spec renames, and remains under the new one."""
    leaf = rename(part.leaf, renames)
    if leaf == part.leaf or leaf not in content:
        return False
    part_lines = _lines(rename("\n".join(rows[part.start - 1 : part.end]), renames))
    return (part_lines & _lines(content)).total() * 2 > part_lines.total()


_SPELLING = lazy_pattern(r"(?i)\b(?:typos?|(?:mis)?spell\w*|(?:mis)?spelt)\b")
_RESPELLED = 0.85
"""Least likeness of a name to its other spelling."""


def _is_respelled(part: NamedPart, fresh: Collection[str], spec: Spec) -> bool:
    """Return True if the task is about spelling, and a new name differs from the part's by a few letters."""
    if not _SPELLING.search(f"{spec.title}\n{spec.task}"):
        return False
    return any(SequenceMatcher(None, part.leaf, name).ratio() >= _RESPELLED for name in fresh)


def _is_done_with(
    part: NamedPart, before: Parts, rows: Sequence[str], content: str, *, is_asked: bool
) -> bool:
    """Return True for a private definition whose users remain in the file and no longer name it.

    If the spec asks to remove something, the definition need not be private.
    """
    is_private = part.leaf.startswith(("_", "#"))
    if part.kind != "code" or not (is_private or is_asked) or part.leaf in content:
        return False
    elsewhere = "\n".join((*rows[: part.start - 1], *rows[part.end :]))
    others = (user for user in before if user != part and user.leaf in content)
    uses = (part.leaf in "\n".join(rows[user.start - 1 : user.end]) for user in others)
    return part.leaf in elsewhere and any(uses)


def _are_many(lost: Sequence[NamedPart], before: Parts) -> bool:
    gone = sum(part.kind == "value" for part in lost)
    return gone >= _LEAST_VALUES and gone * 3 > sum(part.kind == "value" for part in before)


def _fault(proposal: FileChange, lost: Sequence[NamedPart]) -> LintError:
    names = list(dict.fromkeys(_told(part) for part in lost))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    message = f"it loses {', '.join(names[:_SHOWN])}{more}, which the spec does not ask for"
    return LintError(proposal.path, last_line(proposal.content), message, SEND_WHOLE)


def _told(part: NamedPart) -> str:
    if part.kind == "items":
        return f"items of {printable(part.shown.removesuffix('[]'))[:_LONGEST_NAME] or 'the list'}"
    name = printable(part.shown)[:_LONGEST_NAME]
    return f'"{name}"' if " " in name else name


def _elided(proposal: FileChange) -> LintError | None:
    """Return the fault of a comment, in any language, in place of lost lines."""
    path, old, new = (
        proposal.path,
        filled_lines(proposal.base or ""),
        filled_lines(proposal.content),
    )
    base_lines = {line for _, line in old}
    fresh = [at for at, (_, line) in enumerate(new) if line not in base_lines]
    marks = [at for at in fresh if _is_remark(new[at][1], path)]
    if max(len(old), len(new)) > _MOST_LINES or not marks:
        return None
    matched = _kept(old, new)
    was, now = (_contents(lines, path) for lines in (old, new))
    for at in marks:
        before = max((pair for pair in matched if pair[1] < at), default=(-1, -1))
        after = min((pair for pair in matched if pair[1] > at), default=(len(old), len(new)))
        lost = was[after[0]] - was[before[0] + 1]
        gained = now[after[1]] - now[before[1] + 1]
        is_last = now[after[1]] == now[at + 1]
        ends_block = "".join(line for _, line in new[at + 1 : at + 2]).startswith(_CLOSERS)
        if is_last and lost - gained >= _LEAST_ELIDED - ends_block:
            number, line = new[at]
            message = f"{quoted(line)} stands where {lost - gained} lines were lost"
            return LintError(path, number, message, SEND_WHOLE)
    return None


def _contents(lines: Rows, path: str) -> list[int]:
    """Return how many lines with content stand before each line, and before the end."""
    return [0, *accumulate(_is_content(line, path) for _, line in lines)]


def _kept(old: Rows, new: Rows) -> list[tuple[int, int]]:
    """Return the index pairs (old, new) of unchanged lines with more than two letters or digits."""
    texts = ([line for _, line in old], [line for _, line in new])
    blocks = SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks()
    return [
        (block.a + step, block.b + step)
        for block in blocks
        for step in range(block.size)
        if sum(map(str.isalnum, texts[0][block.a + step])) > 2
    ]


def _is_remark(line: str, path: str) -> bool:
    """Return True if the line is only a comment or, in prose, a note that begins or ends as an elision."""
    if path.lower().endswith(_PROSE):
        return line.startswith(_OPENS) or line.endswith(_CLOSES)
    if path.lower().endswith(tuple(STYLES)) and not line.startswith(("/*", "//")):
        return False  # `#main {` is a selector
    return any(map(str.isalnum, comment_text(line) or ""))


_PROSE = (".md", ".markdown", ".mdx", ".txt", ".rst", ".adoc", ".asciidoc", ".org", ".csv", ".tsv")
_OPENS = ("...", "…", "[...", "[…", "(...", "(…", "<!--")
_CLOSES = ("...)", "…)", "...]", "…]")


def _is_content(line: str, path: str) -> bool:
    return any(map(str.isalnum, line)) and not (_is_remark(line, path) and is_code(path))
