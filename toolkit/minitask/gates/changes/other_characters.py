"""Find lines outside the task that a model typed again with other characters: quotes, accents, escapes, digests.

A line that differs from the one it replaces only in look-alike characters is a fault, unless the spec has one of them
or speaks of characters. Accents, escapes and links may be all that a task is about; so these count only beside a change
of another kind. In data, a number in quotes is another value.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from posixpath import commonprefix
from typing import Any
from unicodedata import normalize

from minitask.gates.requested_removals import text_about
from minitask.gates.result import FileChange, LintError, Rows, quoted
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_ALIKE = 0.5
_WIDEST = 500  # characters of a line that are compared
_ABOUT_CHARACTERS = lazy_pattern(
    r"(?i)\b(?:quot\w+|apostroph\w+|dash\w*|hyphen\w*|typograph\w+|entit\w+|escap\w+|nbsp|non-?breaking|unicode|ascii|characters?"
    r"|encod\w*|symbols?|punctuation|html|xml|translat\w+|convert\w*|ellips\w+|sanitiz\w+|format\w*|accents?|umlauts?)\b"
)
_ABOUT_SPACE = lazy_pattern(
    r"(?i)\b(?:tabs?|spac(?:e|es|ing)|white-?space|indent\w*|align\w*|(?:re-?)?format\w*|gofmt)\b"
)
_ABOUT_WRITING = lazy_pattern(
    r"(?i)\b(?:typos?|spell\w*|misspell\w*|grammar|wording|language|locali[sz]\w+|i18n|regex\w*|regular expressions?"
    r"|patterns?|backslash\w*|emojis?|icons?|links?|urls?|diacritic\w*|normali[sz]\w+|warnings?"
    r"|raw strings?|lint\w*)\b|\\"
)
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u202f\u2007\u2009\u200a\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),
        "\u2026": "...",
    }
)
_ESCAPE = lazy_pattern(r"\\u([0-9a-fA-F]{4})")
_LINK = lazy_pattern(r"\[([^\[\]\s]{3,})\]\((?:mailto:)?\1\)")
_ACCENTS = frozenset(map(chr, (*range(0x300, 0x370), *range(0xFE00, 0xFE10))))
_NO_ASCII = lazy_pattern(r"[^\x00-\x7f]+")
_LONGEST_STAND_IN = 12
"""Most characters in place of those that a line lost, such as `?`, `ae` or `:smile:`."""
_MARKS = "\"',;:`()"
_QUOTED = lazy_pattern(r"\\([\"'])")
_PRIVATE = lazy_pattern(r"[\ue000-\uf8ff] ?")
_WIDE = str.maketrans({"\u3002": ".", "\u3001": ",", "\\": None})
_NUMBER = lazy_pattern(r"(?i)(?<![\w.-])\d+(?:\.\d+|\d{15})(?![\w.-])")
_DIGEST = lazy_pattern(
    r"(?<![\w+/=])(?:[0-9a-f]{32,}|[0-9A-F]{32,}|[A-Za-z0-9+/]{40,}={0,2})(?![\w+/=])"
)
_VARIED, _SLIP = 8, 4
"""Fewest different characters of a digest, and most in a row that differ where it was mistyped."""


def find_other_characters(
    gone: Sequence[str], fresh: Rows, *, kept_text: str, spec_text: str, explicit: bool = False
) -> tuple[int, str] | None:
    """Return the number and fault of the first added line that only retypes a removed one.

    `kept_text` is the old file's text. The author of an `explicit` edit may have meant a line that is all it changes.
    """
    if not gone or not fresh:
        return None
    fault = _mistyped(gone, fresh, spec_text)
    if fault is not None or _ABOUT_CHARACTERS.search(spec_text):
        return fault
    pairs = list(_pairs(gone, fresh))
    has_more = len({number for number, *_ in pairs}) < len(fresh)
    for number, row, was, is_strict in pairs:
        is_certain = has_more or (is_strict and not explicit)
        if is_certain and _is_unasked(row, was, spec_text, is_strict=is_strict):
            return number, f"{quoted(row)} has other characters than {quoted(was)}"
    return _odd_characters(gone, fresh, kept_text + spec_text)


def find_recased(gone: Sequence[str], fresh: Rows, spec_text: str) -> tuple[int, str] | None:
    """Return the number and fault of the first added line that is a removed one in another case."""
    old = {row.casefold(): row for row in gone}
    recased = {number: row for number, row in fresh if row.casefold() in old}
    rewritten = {number for number, _ in fresh} - set(recased)
    for number, row in list(recased.items()):
        is_beside = not rewritten.isdisjoint({number - 1, number + 1})
        if is_beside and _begins_a_sentence(row, old[row.casefold()]):
            del recased[number]
    before = set(" ".join(gone).split())
    fresh_words = {word for row in recased.values() for word in row.split() if word not in before}
    if not recased or any(word in spec_text for word in fresh_words):
        return None
    number, row = next(iter(recased.items()))
    return number, f"{quoted(row)} is in another case than before"


def _begins_a_sentence(row: str, was: str) -> bool:
    """Return True if one letter alone differs in case: the first of a line, or one after a colon or full stop."""
    at = [place for place, pair in enumerate(zip(row, was, strict=False)) if pair[0] != pair[1]]
    if len(at) != 1:
        return False
    above = row[: at[0]].rstrip()
    return above.endswith((":", ".")) or not any(map(str.isalnum, above))


def is_like(row: str, was: str) -> bool:
    """Return True if a line is similar to another one, whatever its quotes and dashes are."""
    texts = _plain(row[:_WIDEST]), _plain(was[:_WIDEST])
    return SequenceMatcher(None, *texts, autojunk=False).ratio() >= _ALIKE


def _pairs(gone: Sequence[str], fresh: Rows) -> Iterator[tuple[int, str, str, bool]]:
    """Yield the added lines that equal a removed one but for look-alikes: number, both, and if plain ones suffice."""
    strict, loose = {_plain(row): row for row in gone}, {_bare(row): row for row in gone}
    for number, row in fresh:
        was = strict.get(_plain(row))
        other = loose.get(_bare(row)) if was is None else was
        if other is None:
            other = next((line for line in gone if _is_reduced(row, line)), None)
        if other is not None and other != row:
            yield number, row, other, was is not None


def _is_reduced(row: str, was: str) -> bool:
    """Return True if a line is a removed one without its tabs, or with ASCII or nothing for what was not ASCII."""
    if "\t" in was.strip() and "\t" not in row:
        return row.split() == was.split()
    if was.isascii() or not row.isascii():
        return False
    first, *inner, last = _NO_ASCII.split(was)
    if not "".join((first, *inner, last)).strip():
        return not any(map(str.isalnum, row))
    end = len(row) - len(last)
    at = len(first) if row.startswith(first) and row.endswith(last) else end + 1
    for part in inner:
        start = row.find(part, at, at + _LONGEST_STAND_IN + len(part))
        at = start + len(part) if start >= 0 else end + 1
    return 0 <= end - at <= _LONGEST_STAND_IN


def _is_unasked(row: str, was: str, spec_text: str, *, is_strict: bool) -> bool:
    """Return True if the spec has none of the characters that differ."""
    if not is_strict and _ABOUT_WRITING.search(spec_text):
        return False
    if "\t" in was and _ABOUT_SPACE.search(spec_text):
        return False
    has, had = Counter(row), Counter(was)
    odd = {char for char in (has - had) + (had - has) if not char.isascii()}
    if odd:
        return odd.isdisjoint(spec_text)
    if "&" in row + was and html.unescape(row) == html.unescape(was):
        return "&" not in spec_text
    words = set(row.split()) ^ set(was.split())
    if _bare_words(words) & _bare_words(spec_text.split()) or row.strip() in spec_text:
        return False
    is_lost = was.count("\\") > row.count("\\")
    unquoted = {_QUOTED.sub(r"\1", line) for line in (row, was)}
    return (is_lost and len(unquoted) > 1) or "\\" not in row + was


def _bare_words(words: Iterable[str]) -> set[str]:
    return {word.strip(_MARKS) for word in words} - {""}


def _odd_characters(gone: Sequence[str], fresh: Rows, known_text: str) -> tuple[int, str] | None:
    """Return an added line with typographic characters that are new to the file, where a similar one has plain ones."""
    known = {*known_text, "\u200d"}
    for number, row in fresh:
        odd = {char for char in set(row) if ord(char) in _PLAIN} - known
        was = next((was for was in gone if odd and is_like(row, was)), "")
        if was and all(str(_PLAIN[ord(char)]) in was for char in odd):
            return number, f"{quoted(row)} has other characters than {quoted(was)}"
    return None


def _mistyped(gone: Sequence[str], fresh: Rows, spec_text: str) -> tuple[int, str] | None:
    """Return an added line with a removed line's digest, but for a few characters: a new one differs in nearly all."""
    had = [digest for row in gone for digest in _digests(row)]
    for number, row in fresh if had else ():
        for digest in _digests(row):
            was = next((was for was in had if _is_slip(digest, was)), "")
            if was and digest not in had and digest not in spec_text:
                return number, f"`{digest[:60]}` has a few other characters than `{was[:60]}`"
    return None


def _digests(row: str) -> list[str]:
    """Return the digests and keys in a line, which are not made of words."""
    texts = (match[0] for match in _DIGEST.finditer(row))
    return [text for text in texts if len(set(text)) >= _VARIED and _is_random(text)]


def _is_random(text: str) -> bool:
    kinds = (str.isdigit, str.islower, str.isupper)
    counts = [sum(map(kind, text)) for kind in kinds]
    return counts[0] >= 4 and (min(counts) >= 4 or (min(counts) == 0 and text.isalnum()))


def _is_slip(digest: str, was: str) -> bool:
    """Return True if one character or two make the difference."""
    if digest == was or abs(len(digest) - len(was)) > 1:
        return False
    same = len(commonprefix((digest, was))) + len(commonprefix((digest[::-1], was[::-1])))
    return max(len(digest), len(was)) - same <= _SLIP


def _plain(row: str) -> str:
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), html.unescape(row))
    return text.translate(_PLAIN)


def _bare(row: str) -> str:
    """Return the line without accents, variants, backslashes and links to their own text, its numbers as a float's."""
    plain = _plain(_LINK.sub(r"\1", _decoded(row)))
    plain = _NUMBER.sub(lambda match: repr(float(match[0])).removesuffix(".0"), plain)
    if not plain.isascii():
        text = normalize("NFKD", plain).translate(_WIDE)
        plain = "".join(char for char in text if char not in _ACCENTS)
        plain = _PRIVATE.sub("", plain)
    return plain.replace("\\", "")


def _decoded(row: str) -> str:
    """Return a line whose UTF-8 was read as Windows-1252 as it was meant."""
    if row.isascii():
        return row
    try:
        return row.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return row


_ABOUT_TYPES = lazy_pattern(r"(?i)\b(?:strings?|quot\w+|texts?|types?|convert\w*|schema)\b")
_PLAIN_VALUE = lazy_pattern(r"-?\d+(?:\.\d+)?|true|false")
_DEEPEST = 50


def find_requoted(proposal: FileChange, *, spec: Spec) -> LintError | None:
    """Return the first value of a JSON file that was a number, and is a number in quotes now."""
    if not proposal.path.endswith(".json") or not proposal.base:
        return None
    if max(len(proposal.base), len(proposal.content)) > LARGEST:
        return None
    spec_text = text_about(spec, proposal.path)
    if _ABOUT_TYPES.search(spec_text):
        return None
    try:
        before, after = json.loads(proposal.base), json.loads(proposal.content)
    except (ValueError, RecursionError):
        return None
    for name, value in _changed(before, after, "", 0):
        if f'"{value}"' not in spec_text:
            message = f'{name[:60]} was a value without quotes, and is "{value[:60]}" now'
            return LintError(proposal.path, 1, message, "write it without quotes")
    return None


def _changed(before: Any, after: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict) and depth < _DEEPEST:
        for key in before.keys() & after.keys():
            yield from _changed(before[key], after[key], f"{name}.{key}".strip("."), depth + 1)
    elif isinstance(before, list) and isinstance(after, list) and depth < _DEEPEST:
        pairs = zip(before, after, strict=False) if len(before) == len(after) else ()
        for at, (old, new) in enumerate(pairs):
            yield from _changed(old, new, f"{name}[{at}]", depth + 1)
    elif (
        isinstance(before, int | float) and isinstance(after, str) and _PLAIN_VALUE.fullmatch(after)
    ):
        yield name, after
