r"""Paths as they are written in info strings and operation lines: bare, or in double quotes.

Inside quotes, `\"` is a quote and `\\` a backslash; any other backslash is itself.
"""

from __future__ import annotations

from minitask.patterns import lazy_pattern

QUOTED = r'"(?:[^"\\]|\\.)*"'
_BARE = lazy_pattern(r"[\w./@+-]+")
_NUMBERS = lazy_pattern(r"[0-9]+(-[0-9]+)?")
_ESCAPE = lazy_pattern(r'\\(["\\])')
_KEYWORDS = frozenset({"dedent", "indent"})


def quote(path: str) -> str:
    """Return the path as it must be written: in quotes unless it could not be taken for anything else."""
    if _BARE.fullmatch(path) and path not in _KEYWORDS and not _NUMBERS.fullmatch(path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(written: str) -> str:
    """Return the path that `quote` wrote, or a bare one as it is."""
    if not written.startswith('"'):
        return written
    return _ESCAPE.sub(r"\1", written[1:-1])
