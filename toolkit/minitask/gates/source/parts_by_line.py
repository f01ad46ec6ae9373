"""Read what looks like a definition in some language, line by line: of files that no parser here reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from minitask.gates.source.elisions import rows_in_strings
from minitask.gates.source.parts_text import NamedPart, Parts
from minitask.patterns import lazy_pattern
from minitask.words import word_set

# Each alternative begins at the line's first word.
_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|override|virtual|sealed|open"
    r"|inline|local|pub(?:\([^)]*\))?|partial|data|suspend|unsafe|extern|mutating|fileprivate|const|constexpr|implicit|case|pure"
    r"|elemental|recursive|actual|expect|infix|operator|tailrec|annotation|value|companion"
    r"|enum(?=\s+(?:class|struct)\b)|fun(?=\s+interface\b)|module(?=\s+(?:pure|elemental|subroutine|function)\b))\s+)*"
)
_KEYWORD = lazy_pattern(
    rf"^[ \t]*{_MODIFIERS}(?:def|fn|func|fun|function|sub|subroutine|proc|procedure|class|struct|interface|trait|enum"
    r"|module|defmodule|defp?|defmacro|object|protocol|extension|namespace|record|typedef\s+struct|message|service|rpc"
    r"|type|input|macro|task|contract|event|modifier|package)\s+(?:<[^>\n]{1,80}>\s*)?(?:self\.)?"
    r"(?:[A-Z][A-Z0-9]*_[A-Z0-9_]*\s+(?=\w))*([^\W\d][\w.:?!-]*)"
)
_SHELL = lazy_pattern(r"^[ \t]*([^\W\d][\w:.-]*)[ \t]*\(\)[ \t]*\{")
_C_FUNCTION = lazy_pattern(
    r"^(?:[^\W\d][\w:<>,~]*[\s*&]+)+(?:[\w:~]+::)?([^\W\d]\w*)[ \t]*\([^;{}=]*\)?[^;{}=]*\{?[ \t]*$"
)
_SQL = lazy_pattern(
    r"(?i)^\s*create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+|unique\s+|materialized\s+)*(?:table|view|index|function"
    r"|procedure|trigger|type|schema|sequence|role|policy|extension)\s+(?:if\s+not\s+exists\s+)?[`\"\[]?([\w.]+)"
)
_BLOCK = lazy_pattern(
    r'^(?:resource|data|variable|output|module|provider|locals|job|rule)\b((?:\s+"[^"]+")+)\s*\{'
)
_TARGET = lazy_pattern(
    r"^(?![A-Z][a-z]+ [a-z])([A-Za-z0-9_./%-]+(?:[ \t]+[A-Za-z0-9_./%-]+)*)[ \t]*::?(?![=:/])(?:[ \t]|$)"
)
_STAGE = lazy_pattern(r"(?i)^\s*from\s+\S+\s+as\s+(\S+)")
_LISP = lazy_pattern(
    r"^\(def(?:n|un|macro|protocol|record|test)?\s+(?:\^(?:\{[^{}\n]*\}|\S+)\s+)*([^\W\d][\w'*!?<>=/.-]*)"
)
_LET = lazy_pattern(r"^let\s+(?:(?:rec|inline)\s+)*([^\W\d][\w']*)(?=[^\n]*=)")
"""A definition of the top level in OCaml or F#; as in Lisp, private ones may go with their last use."""
_ASSIGNED = lazy_pattern(
    r"^([^\W\d][\w.]*)[ \t]*(?:<-|=|::(?=[ \t]))[ \t]*(?:(?<=::[ \t])|function\b)"
)
"""A function of R or Lua as a value, or the type of one in Haskell."""
_KEY = lazy_pattern(r'^\s*"([^"\n]+)"\s*:')
_METHOD = lazy_pattern(
    r"^[ \t]+(?:public|private|protected|internal)[ \t]+(?:(?:internal|static|override|virtual|async|sealed)[ \t]+)*"
    r"(?:[\w<>\[\],.?]+[ \t]+)?([^\W\d]\w*)(?:<[^<>\n]{1,80}>)?\([^;=]*$"
)
"""A method of C# or its like."""
_FORMS = (_KEYWORD, _METHOD, _SHELL, _SQL, _BLOCK, _STAGE, _TARGET, _KEY, _LISP, _LET, _ASSIGNED)
_NO_FUNCTION = word_set("if for while switch return else catch do sizeof elif until")


@lru_cache(maxsize=8)  # several checks read the same few texts
def read_patterns(text: str) -> Parts:
    """Return everything that looks like a definition in some language, at most one a line."""
    lines = text.split("\n")
    heads = (
        f"{line} {{" if below.strip() == "{" else line
        for line, below in zip(lines, [*lines[1:], ""], strict=True)
    )
    inside = rows_in_strings(text)
    starts = [
        (number, name)
        for number, head in enumerate(heads, 1)
        if number not in inside and (name := _defined(head))
    ]
    limits = [number - 1 for number, _ in starts[1:]] + [len(lines)] * bool(starts)
    return tuple(
        NamedPart(name, "code", number, _end(lines, number, limit))
        for (number, name), limit in zip(starts, limits, strict=True)
    )


_CLOSES = lazy_pattern(r"[})\]]|(?:end|fi|done|esac)\b")


def _end(lines: Sequence[str], start: int, limit: int) -> int:
    """Return the last line of a definition: its closing line, or the one before a line indented no deeper."""
    first = lines[start - 1]
    depth = len(first) - len(first.lstrip())
    for number in range(start + 1, limit + 1):
        line, text = lines[number - 1], lines[number - 1].lstrip()
        if text and len(line) - len(text) <= depth and not text.startswith("{"):
            return number if _CLOSES.match(text) else number - 1
    return limit


def _defined(line: str) -> str:
    if len(line) > 300:
        return ""
    for form in _FORMS:
        match = form.match(line)
        if match:
            return " ".join(match[1].replace('"', " ").split()).rstrip(":")
    match = _C_FUNCTION.match(line)
    is_statement = match and {match[1], line.split(maxsplit=1)[0]} & _NO_FUNCTION
    return match[1] if match and not is_statement else ""
