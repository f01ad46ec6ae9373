"""Find files that certainly are in another language than their name says, such as a page in a style sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from posixpath import splitext

from minitask.patterns import lazy_pattern

_COMMENTS = lazy_pattern(r"(?s)/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|(?m:^[ \t]*//[^\n]*)")
_TEMPLATES = lazy_pattern(r"\{\{|\{%|<%|<\?")
_STYLE = lazy_pattern(r"[{@]")


def find_foreign_text(path: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield that no line of a file can be of its language, with the first line that is not blank."""
    name, is_foreign = _CHECKS.get(splitext(path)[1].lower(), ("", None))
    if is_foreign is None or _TEMPLATES.search(text):
        return
    bare = _COMMENTS.sub(lambda match: "\n" * match[0].count("\n"), text)
    plain = bare.strip()
    if plain and is_foreign(plain):
        yield f"it is no {name}", bare[: bare.index(plain)].count("\n") + 1


def _is_no_style(plain: str) -> bool:
    return plain.startswith("<") or not _STYLE.search(plain)


def _is_no_page(plain: str) -> bool:
    return "<" not in plain and "{" not in plain and "=" in plain


_CHECKS: dict[str, tuple[str, Callable[[str], bool] | None]] = {
    ".css": ("style sheet", _is_no_style),
    ".html": ("page of HTML", _is_no_page),
    ".htm": ("page of HTML", _is_no_page),
}
