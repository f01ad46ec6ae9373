"""The named parts of a file: its definitions, sections, rules, keys. They tell what a change takes away.

Each file type has a reader of its own; where one cannot read a text it returns None, and patterns that hold for many
languages take over.
"""

from __future__ import annotations

from collections.abc import Callable
from posixpath import basename, splitext

from minitask.gates.part import Parts

Read = Callable[[str], Parts | None]


def parts_of_both(path: str, before: str, after: str) -> tuple[Parts, Parts]:
    """Return the parts of two versions of a file, read in the same way."""
    from minitask.gates.parts_code import read_patterns

    reader = _reader(path)
    if reader is not None:
        found, now = reader(before), reader(after)
        if found is not None and now is not None:
            return found, now
    return read_patterns(before), read_patterns(after)


def is_code(path: str) -> bool:
    """Return True if a file holds statements, so that fewer lines may do the same."""
    return _ending(path) not in _TEXT and basename(path).lower() not in _TEXT_NAMES


_DATA = {".json": "json", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
_PROPERTIES = frozenset({".cfg", ".conf", ".env", ".ini", ".properties", ".editorconfig"})
_STYLES = frozenset({".css", ".scss", ".less", ".pcss", ".postcss"})
_MARKUP = frozenset(
    {".html", ".htm", ".xhtml", ".vue", ".svelte", ".astro", ".xml", ".svg", ".xaml"}
)
_HEADED = frozenset({".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org"})
_TEXT = (
    frozenset({"", ".txt", ".text", ".csv", ".tsv", ".log", ".lst", ".po", ".tex", ".srt", ".list"})
    | _DATA.keys()
    | _PROPERTIES
    | _STYLES
    | _MARKUP
    | _HEADED
)
_TEXT_NAMES = frozenset({"requirements.txt", ".gitignore", ".dockerignore", "codeowners"})
_SCRIPT_NAMES = frozenset(
    {"makefile", "gnumakefile", "dockerfile", "justfile", "rakefile", "vagrantfile"}
)


def _ending(path: str) -> str:
    name = basename(path).lower()
    if name in _SCRIPT_NAMES or name.startswith("dockerfile"):
        return ".make"
    if name.startswith(".env"):
        return ".env"
    return splitext(name)[1]


def _reader(path: str) -> Read | None:
    ending = _ending(path)
    if ending in {".py", ".pyi"}:
        from minitask.gates.parts_code import read_python

        return read_python
    from minitask.gates.grammars import GRAMMARS

    if ending in GRAMMARS:
        from minitask.gates.parts_code import read_grammar

        return lambda text: read_grammar(text, GRAMMARS[ending])
    return _text_reader(ending)


def _text_reader(ending: str) -> Read | None:
    from minitask.gates import parts_text

    if ending in _DATA:
        return lambda text: parts_text.read_data(text, _DATA[ending])
    tables: tuple[tuple[frozenset[str], Read], ...] = (
        (_PROPERTIES, parts_text.read_properties),
        (_STYLES, parts_text.read_styles),
        (_MARKUP, parts_text.read_markup),
        (_HEADED, lambda text: parts_text.read_headings(text, ending)),
    )
    for endings, reader in tables:
        if ending in endings:
            return reader
    return (lambda _text: ()) if ending in _TEXT else None
