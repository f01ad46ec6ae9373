"""Find the only position of a search text, exactly or except for white space; otherwise describe the nearest one."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nlargest
from itertools import accumulate
from posixpath import commonprefix

from msgspec import Struct

from minitask.edits.lines import (
    LF,
    Text,
    adopt,
    bodies,
    body,
    dominant_eol,
    indent_of,
    is_blank,
    split_lines,
    text_of,
)
from minitask.edits.script_model import SearchReplace
from minitask.errors import EditError
from minitask.patterns import lazy_pattern

_TRAILING = " \t\r\x0b\x0c"
_LISTED_PLACES = 10


class MatchedBlock(Struct, frozen=True):
    """Lines `start` to `end` (from 0, `end` excluded) that match a search text.

    `added` is the file's additional indentation compared to the search text, `removed` what it lacks. `past_end`
    counts the blank lines at the end of the search text that the file, which ends before them, lacks.
    """

    start: int
    end: int
    added: str = ""
    removed: str = ""
    past_end: int = 0

    def shift(self, lines: Sequence[str]) -> tuple[str, ...]:
        """Return lines written like the search text with the file's indentation."""
        return tuple(line if is_blank(line) else self._shift_line(line) for line in lines)

    def _shift_line(self, line: str) -> str:
        if not line.startswith(self.removed):
            message = f"the replacement has less indentation than the search text: {body(line)!r}"
            hint = "indent search text and replacement as the file is indented"
            raise EditError(message, hint=hint)
        return self.added + line[len(self.removed) :]


def find_block(
    lines: Sequence[str], search: Sequence[str], *, path: str = "the file"
) -> MatchedBlock:
    """Return the only match of `search` in `lines`: exact, else without trailing space, else without indentation.

    A search text that goes on with blank lines where the file ends matches there.

    Line ends are not compared. Raises `EditError` if a comparison finds several matches, or all find none.
    """
    have, want = bodies(lines), bodies(search)
    if not want:
        raise EditError(f"the search text for {path} is empty", hint="give the lines to replace")
    for look in (_exact, _but_for_trailing, _at_the_end, _but_for_indentation):
        blocks = look(have, want)
        if len(blocks) > 1:
            raise _ambiguous([block.start + 1 for block in blocks], path)
        if blocks:
            return blocks[0]
    raise _missing(have, want, path)


def replaced(text: Text | None, edit: SearchReplace) -> Text:
    """Return the file with the search text replaced; its line ends, and a missing last one, are preserved."""
    if not edit.search:
        return _filled(text, edit)
    if text is None:
        raise EditError(f"{edit.path} does not exist", hint="an empty search text creates a file")
    search, fresh = split_lines(edit.search), split_lines(edit.replace)
    block = find_block(text.lines, search, path=edit.path)
    search = search[: len(search) - block.past_end]
    for _ in range(block.past_end):
        fresh = fresh[:-1] if fresh and is_blank(fresh[-1]) else fresh
    eol = text.eol or LF
    here = dominant_eol("".join(text.lines[block.start : block.end])) or eol
    shifted = adopt(block.shift(fresh), had=dominant_eol(edit.replace), eol=here)
    put = _with_context(shifted, text.lines[block.start : block.end], search=search, fresh=fresh)
    after = text.lines[block.end :]
    if put and not after and not text.lines[-1].endswith(LF):
        put = (*put[:-1], body(put[-1]))
    return text_of((*text.lines[: block.start], *put, *after), eol=eol, bom=text.bom)


def _with_context(
    put: Sequence[str], lines: Sequence[str], *, search: Sequence[str], fresh: Sequence[str]
) -> tuple[str, ...]:
    """Return the replacement with the file's own lines where it repeats the search text.

    Two spaces at the end of a line, which the search may lack, can have a meaning.
    """
    from difflib import SequenceMatcher

    kept = list(put)
    pairs = SequenceMatcher(None, bodies(search), bodies(fresh), autojunk=False)
    for old, new, size in pairs.get_matching_blocks():
        for line, place in zip(lines[old : old + size], range(new, new + size), strict=True):
            ending = kept[place][len(body(kept[place])) :]
            kept[place] = line if line.endswith(LF) and ending else body(line) + ending
    return tuple(kept)


def _filled(text: Text | None, edit: SearchReplace) -> Text:
    if text and text.lines:
        hint = "give the lines to replace, or the whole file in a fence with its path"
        raise EditError(f"the search text for {edit.path} is empty, and the file is not", hint=hint)
    return text_of(split_lines(edit.replace), eol=LF, bom=bool(text and text.bom))


def occurrences(have: Sequence[str], want: Sequence[str]) -> list[int]:
    """Return every index at which `want` occurs in `have`, overlapping ones too."""
    have, want, size = tuple(have), tuple(want), len(want)
    places = range(len(have) - size + 1)
    return [i for i in places if have[i] == want[0] and have[i : i + size] == want]


def _exact(have: Sequence[str], want: Sequence[str]) -> list[MatchedBlock]:
    return [MatchedBlock(i, i + len(want)) for i in occurrences(have, want)]


def _but_for_trailing(have: Sequence[str], want: Sequence[str]) -> list[MatchedBlock]:
    return _exact(*([line.rstrip(_TRAILING) for line in side] for side in (have, want)))


def _at_the_end(have: Sequence[str], want: Sequence[str]) -> list[MatchedBlock]:
    size = next((i for i in range(len(want), 0, -1) if not is_blank(want[i - 1])), 0)
    start, past_end = len(have) - size, len(want) - size
    if not size or not past_end or start < 0:
        return []
    blocks = _but_for_trailing(have[start:], want[:size])
    return [MatchedBlock(start, len(have), past_end=past_end)] if blocks else []


def _but_for_indentation(have: Sequence[str], want: Sequence[str]) -> list[MatchedBlock]:
    if all(_CLOSES.fullmatch(line.strip()) for line in want):
        return []  # such lines occur at every depth
    places = occurrences(*([line.strip(_TRAILING) for line in side] for side in (have, want)))
    blocks = [_uniform(have[i : i + len(want)], want, start=i) for i in places]
    return [block for block in blocks if block]


_CLOSES = lazy_pattern(
    r"(?:[^\w]|\b(?:end|endif|fi|done|esac|else|begin|pass|return|break|continue)\b)*"
)


def _uniform(have: Sequence[str], want: Sequence[str], *, start: int) -> MatchedBlock | None:
    """Return the block if the same shift of indentation explains all its lines, or None."""
    pairs = zip(have, want, strict=True)
    shifts = {_shift(indent_of(h), indent_of(w)) for h, w in pairs if not is_blank(w)}
    shift = shifts.pop() if len(shifts) == 1 else None
    return MatchedBlock(start, start + len(want), *shift) if shift else None


def _shift(have: str, want: str) -> tuple[str, str] | None:
    if have.endswith(want):
        return have.removesuffix(want), ""
    return ("", want.removesuffix(have)) if want.endswith(have) else None


def _ambiguous(numbers: Sequence[int], path: str) -> EditError:
    more = ", …" if len(numbers) > _LISTED_PLACES else ""
    places = ", ".join(map(str, numbers[:_LISTED_PLACES])) + more
    message = f"search text occurs {len(numbers)} times in {path} (lines {places})"
    return EditError(message, hint="include one more line of context")


def _missing(have: Sequence[str], want: Sequence[str], path: str) -> EditError:
    nearest = describe_nearest(have, want)
    message = f"search text does not occur in {path}"
    if nearest:
        hint = "copy the lines as they stand in the file"
        return EditError(f"{message}; nearest: {nearest}", hint=hint)
    hint = "check the path, and that the lines still exist"
    return EditError(f"{message}, and nothing in it is alike", hint=hint)


_WORD = lazy_pattern(r"\w+")
_CANDIDATES = 8
_COMPARED_CHARACTERS = 2000
_SHOWN_LINES = 12
_SHOWN_WIDTH = 160


def describe_nearest(lines: Sequence[str], search: Sequence[str]) -> str:
    """Return the region of `lines` (without ends) most similar to `search`; `""` if none is similar."""
    start = nearest_start(lines, search)
    if start is None:
        return ""
    end = min(start + len(search), len(lines))
    first = _first_difference(lines[start:end], search)
    low = start + max(0, min(first, len(search) - 1) - 2)
    shown = range(low, min(end, low + _SHOWN_LINES))
    region = "\n".join(f"  {i + 1:>5} | {lines[i][:_SHOWN_WIDTH]}" for i in shown)
    span = f"line {start + 1}" if end == start + 1 else f"lines {start + 1}-{end}"
    character_note = _character(lines[start:end], search, first)
    return f"{span} (first difference in line {min(start + first, end - 1) + 1}{character_note}):\n{region}"


def _character(window: Sequence[str], search: Sequence[str], first: int) -> str:
    """Return a note on the characters that differ if they may look alike; empty if plain text differs."""
    if first >= min(len(window), len(search)):
        return ""
    have, want = window[first], search[first]
    at = len(commonprefix((have, want)))
    if at == min(len(have), len(want)) or (_is_plain(have[at]) and _is_plain(want[at])):
        return ""
    return f": the file has {_character_name(have[at])} where the search text has {_character_name(want[at])}"


def _is_plain(char: str) -> bool:
    return char.isascii() and char.isprintable()


def _character_name(char: str) -> str:
    from unicodedata import name

    plain_names = {"\t": "a tab", " ": "a space"}
    return plain_names.get(char) or f"U+{ord(char):04X} {name(char, '')}".rstrip()


def nearest_start(lines: Sequence[str], search: Sequence[str]) -> int | None:
    """Return the start (from 0) of the window most similar to `search`, or None."""
    scores = _window_scores(lines, search)
    best = nlargest(_CANDIDATES, range(len(scores)), key=lambda i: (scores[i], -i))
    alike = [i for i in best if scores[i] > 0]
    if not alike:
        return None
    return max(alike, key=lambda i: (_likeness(lines[i : i + len(search)], search), -i))


def _window_scores(lines: Sequence[str], search: Sequence[str]) -> list[float]:
    stripped = {line.strip() for line in search} - {""}
    search_words = {word for line in search for word in _WORD.findall(line)}
    scores = [_line_score(line, stripped, search_words) for line in lines]
    size = min(len(search), len(lines))
    sums = list(accumulate(scores, initial=0.0))
    return [sums[i + size] - sums[i] for i in range(len(lines) - size + 1)] if size else []


def _line_score(line: str, stripped: set[str], search_words: set[str]) -> float:
    if line.strip() in stripped:
        return 2.0
    line_words = set(_WORD.findall(line))
    return len(line_words & search_words) / len(line_words | search_words) if line_words else 0.0


def _likeness(window: Sequence[str], search: Sequence[str]) -> float:
    from difflib import SequenceMatcher

    have, want = "\n".join(window), "\n".join(search)
    return SequenceMatcher(None, have[:_COMPARED_CHARACTERS], want[:_COMPARED_CHARACTERS]).ratio()


def _first_difference(window: Sequence[str], search: Sequence[str]) -> int:
    pairs = enumerate(zip(window, search, strict=False))
    return next((i for i, (have, want) in pairs if have != want), len(window))
