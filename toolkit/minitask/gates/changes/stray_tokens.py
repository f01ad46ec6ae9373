"""Find what a model or its tools left inside a file: the end of a turn or a call, a citation, a reader's notice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import splitext

from minitask.gates.requested_removals import text_about
from minitask.gates.result import FileChange, LintError, quoted
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_END = lazy_pattern(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end|return)\|>|<｜end[▁_ ]of[▁_ ]sentence｜>|<end_of_turn>"
)
_TOKEN = lazy_pattern(r"<[|｜][^<>|｜]{1,40}[|｜]>|<(?:start|end)_of_turn>")
_QUOTES = "\"'`"
_CALL_TAG = lazy_pattern(
    r"(?i)</(parameter|invoke|(?:antml:)?function_calls|tool_call|tool_use|file_text|(?:new|old)_str(?:ing)?|write_to_file"
    r"|replace_in_file|apply_diff|arg_value|write_file|create_file|edit_file|content|diff|replace)>"
)
_NOTICE = lazy_pattern(
    r"(?i)[(\[<]+\s*(?:showing lines? \d+(?:\s?[-–]\s?\d+)? of \d+\b.*"
    r"|(?:\.{3}|…)?\s*\d+ (?:more )?(?:characters?|chars|lines|bytes) (?:truncated|omitted|clipped|not shown)\b.*"
    r"|(?:response|output|file|content|text) (?:was )?(?:clipped|truncated)\b.*|(?:\.{3}|…)\s*truncated)\s*[)\]>]+"
    r"|(?:\.{3}|…)\s*[\[(]\s*truncated\s*[\])]"
)
_CITATION = lazy_pattern(
    r"\ue200cite\ue202[^\ue201]{0,200}\ue201?|【\d{1,4}(?::\d{1,4})?†[^】\n]{0,80}】|:?contentReference\[oaicite:\d+\](?:\{[^}\n]{0,40}\})?"
    r"|\[oaicite:\d+\]|citeturn\d+(?:search|view|news|image)\d+|\[cite_start\]"
    r"|\[cite: ?\d[\d, ]{0,40}\]|</?grok:render\b"
)
"""References to what a model's search found, which only its provider's page can show."""
_LONGEST = 160
"""Characters above which a line is no notice."""
_DOTS = lazy_pattern(r"\s*(?:\.{3}|…)\s*")
_HAS_DOTS = frozenset({".py", ".pyi", ".yml", ".yaml", ".md", ".markdown", ".mdx", ".rst", ".txt"})
"""Endings of files in which a line of dots may have a meaning."""
_REMEDY = "leave it out, and keep the file's own lines"


def find_stray(proposal: FileChange, *, spec: Spec) -> Iterator[LintError]:
    """Yield the first added line that holds a token, a tag or a notice that is not the file's, nor in the spec."""
    base = proposal.base or ""
    had, spec_text = frozenset(base.split("\n")), text_about(spec, proposal.path)
    tokens = {match[0] for text in (base, proposal.content) for match in _TOKEN.finditer(text)}
    marks = [_END] if len(tokens) == 1 else []  # a file with several tokens is about such tokens
    marks += [] if _CITATION.search(base) else [_CITATION]
    for number, line in enumerate(proposal.content.split("\n"), 1):
        stray = "" if line in had else _marked(line, marks) or _stray(line.strip(), proposal, base)
        if stray and stray not in spec_text:
            message = f"{quoted(stray)} is no text of the file"
            yield LintError(proposal.path, number, message, _REMEDY)
            return


def _marked(line: str, marks: Iterable[re.Pattern[str]]) -> str:
    """Return the first mark in a line that is not in quotes, or ""."""
    for mark in marks:
        match = mark.search(line)
        if match is not None and not any(quote in line[: match.start()] for quote in _QUOTES):
            return match[0]
    return ""


def _stray(row: str, proposal: FileChange, base: str) -> str:
    """Return a line that only ends a call, tells of a reader, or leaves lines out; else ""."""
    tag = _CALL_TAG.fullmatch(row)
    if tag is not None and _is_unopened(tag[1], proposal.content, base):
        return row
    if len(row) <= _LONGEST and _NOTICE.fullmatch(row):
        return row
    is_left_out = base and splitext(proposal.path)[1].lower() not in _HAS_DOTS
    return row if is_left_out and _DOTS.fullmatch(row) else ""


def _is_unopened(name: str, content: str, base: str) -> bool:
    return all(f"<{name}{after}" not in content for after in " >\n") and f"</{name}>" not in base
