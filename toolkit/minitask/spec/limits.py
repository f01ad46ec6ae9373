"""Limits on spec files: larger than 5 MB, in UTF-16, no text; and front matter that is not read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import Document, blocks
from minitask.spec.rules import Problem

MAX_BYTES = 5_000_000
MAX_FILES = 20_000

_UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff", "\ufffe")
_SAMPLE = 400
_OPTION = lazy_pattern(
    r"(?:id|depends_on|tags|complexity|tier|executor|model|timeout_seconds|max_cost_usd|review|network|protected|anchor"
    r"|proof)\s*:"
)


def find_unreadable(text: str) -> Problem | None:
    """Return why a file is no spec whatever it says; bytes that are no UTF-8 are lone surrogates in `text`."""
    if len(text) > MAX_BYTES:
        size = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
        return Problem(1, "E111", size, "split it: a spec is a few kilobytes of Markdown")
    if text.startswith(_UTF16_MARKS) or _is_wide(text):
        hint = "save it as UTF-8: `iconv -f UTF-16 -t UTF-8`, or `Set-Content -Encoding utf8` in PowerShell"
        return Problem(1, "E111", "the file is UTF-16, and a spec is UTF-8", hint)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return Problem(
            line, "E111", "the file holds a NUL character, so it is not text", "remove it"
        )
    return None


def _is_wide(text: str) -> bool:
    """Return True if every other byte at the start is NUL, as in UTF-16 without its mark."""
    sample = text[:_SAMPLE]
    return len(sample) > 3 and sample.count("\0") * 3 > len(sample)


def find_late_front_matter(document: Document) -> Iterator[Problem]:
    """Yield a problem for each block of options that does not begin the file: in Markdown it is a rule and a
    heading.
    """
    if not any(token.type == "hr" for token in document.tokens):
        return
    hint = "front matter belongs at the top and applies to the whole file: move this task to its own file"
    for rule, heading in pairwise(blocks(document)):
        underlined = heading.kind == "heading" and document.tokens[heading.first].markup == "-"
        follows = rule.kind == "hr" and rule.end == heading.start
        if follows and underlined and _OPTION.match(heading.text):
            yield Problem(rule.start + 1, "E112", "front matter inside the file is not read", hint)
