"""Python, read by the interpreter that runs: its own compiler, which runs nothing of the text."""

from __future__ import annotations

import sys
from threading import Lock

from minitask.gates.lint_error import SyntaxFlaw, printable
from minitask.patterns import lazy_pattern

_WARNINGS = Lock()
"""Warnings are switched off for a whole process; two threads that did it at once could leave them off."""
_WIDEST = 500
"""Characters of a line that are looked at for what a later Python would take."""
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

# Forms that a later version brought, on the line that ours stumbles over: all of a file may be right then.
_LATER = (
    # `type Name = …`, `def f[T](…)`, `class C[T]:`
    ((3, 12), lazy_pattern(r"^\s*type\s+\w+.*=|^\s*(?:async\s+)?(?:def|class)\s+\w+\s*\[")),
    # The f-string's own quote within its braces, or braces that the line does not close.
    ((3, 12), lazy_pattern(r"""\b[rR]?[fF][rR]?(?P<mark>["']).*\{[^}]*(?:(?P=mark)|$)""")),
    # `def f[T = int]`, a default of a type parameter.
    ((3, 13), lazy_pattern(r"^\s*(?:(?:async\s+)?def|class|type)\s+\w+\s*\[.*=.*\]")),
    # `except A, B:`
    ((3, 14), lazy_pattern(r"^\s*except\*?\s+[\w.]+\s*,")),
    # t"…"
    ((3, 14), lazy_pattern(r"""\b[rR]?[tT][rR]?["']""")),
)


def find_python_flaw(text: str) -> SyntaxFlaw | None:
    """The first thing that Python does not take; None where it takes all, or cannot tell."""
    try:
        source = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    if b"\0" in source:
        return SyntaxFlaw(source[: source.index(b"\0")].count(b"\n") + 1, "it holds a NUL byte")
    try:
        _compile(source)
    except SyntaxError as error:
        return _flaw(error, text)
    except (RecursionError, MemoryError, ValueError, OverflowError):
        return None
    return None


def _compile(source: bytes) -> None:
    import warnings

    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compile(source, "proposal", "exec", dont_inherit=True)


def _flaw(error: SyntaxError, text: str) -> SyntaxFlaw | None:
    lines = text.split("\n")
    line = min(max(error.lineno or 1, 1), len(lines))
    if _is_later(error, lines[line - 1][:_WIDEST]):
        return None
    return SyntaxFlaw(line, f"{printable(error.msg or 'invalid syntax')} (as Python {_VERSION})")


def _is_later(error: SyntaxError, line: str) -> bool:
    """Whether a later Python than ours may well take the line."""
    if sys.version_info < (3, 12) and (error.msg or "").startswith("f-string"):
        return True
    return any(sys.version_info < version and form.search(line) for version, form in _LATER)
