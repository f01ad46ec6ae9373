"""Faults to plant in the lines that a change added, to see whether its validation notices them.

A line that stood anywhere in the base's files, however indented, was moved or copied: it is not new. Documents and
tests are left alone. Every mutant is still of its language, as far as that can be told here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from minitask.gates.grammars import GRAMMARS
from minitask.gates.splices import Splice
from minitask.gates.test_files import is_test_path
from minitask.patterns import lazy_pattern

MOST = 12
LARGEST = 400_000
"""Characters above which a file gets no mutants."""
_DOCUMENTS = frozenset(
    {".adoc", ".asciidoc", ".csv", ".log", ".markdown", ".md", ".mdx", ".org", ".rst", ".tex"}
    | {".tsv", ".txt", ".svg", ".lock", ".snap", ""}
)
_DATA = frozenset({".cfg", ".conf", ".env", ".ini", ".json", ".toml", ".yaml", ".yml"})
_COMMENT = lazy_pattern(r"^\s*(?:#(?!\w)|//|--\s|/?\*|<!--|;|%|\"\"\"|''')")
_WORD = lazy_pattern(r"\w")
_PROLOGUE = lazy_pattern(
    r"^\s*(?:import\b|from\b.*\bimport\b|use\b|package\b|#include|#!|export\s+\*|require\b|@import|@charset|<!)"
)
"""Lines without which nothing would run at all, or that run no code themselves."""


class Mutant(Struct, frozen=True):
    """A file with one fault in it: where, what the fault is, and the file's whole text."""

    path: str
    line: int
    fault: str
    text: str


def find_mutants(
    files: Mapping[str, str], known: Collection[str], *, most: int = MOST
) -> tuple[Mutant, ...]:
    """Return up to `most` mutants of the new lines of some files, spread over all of them.

    `known` are the lines of the base, stripped.
    """
    found = [
        (path, splice)
        for path, text in sorted(files.items())
        for splice in _splices(path, text, new_lines(text, known))
    ]
    mutants: list[Mutant] = []
    for path, splice in _spread(found):
        if len(mutants) == most:
            break
        mutant = _mutant(path, files[path], splice)
        if mutant is not None:
            mutants.append(mutant)
    return tuple(sorted(mutants, key=lambda each: (each.path, each.line)))


def is_graded(path: str) -> bool:
    """Return True for a file whose new lines get faults."""
    return PurePosixPath(path).suffix.lower() not in _DOCUMENTS and not is_test_path(path)


def is_code(path: str) -> bool:
    """Return True for a file that gets faults and is neither data nor settings."""
    return is_graded(path) and PurePosixPath(path).suffix.lower() not in _DATA


def new_lines(text: str, known: Collection[str]) -> frozenset[int]:
    """Return the numbers of the lines that hold code and that no file of the base has."""
    return frozenset(
        number
        for number, line in enumerate(text.split("\n"), 1)
        if _WORD.search(line) and line.strip() not in known and not _COMMENT.match(line)
    )


def _splices(path: str, text: str, lines: frozenset[int]) -> Iterable[Splice]:
    if not is_graded(path) or not lines or len(text) > LARGEST:
        return ()
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in {".py", ".pyi"}:
        from minitask.gates.python_mutants import find_python_splices

        return find_python_splices(text, lines)
    if suffix in GRAMMARS:
        from minitask.gates.grammar_mutants import find_grammar_splices

        return find_grammar_splices(text, lines, suffix)
    return _dropped_lines(text, lines)


def _dropped_lines(text: str, lines: frozenset[int]) -> Iterator[Splice]:
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        end = start + len(line.encode("utf-8", "surrogateescape"))
        if number in lines and not _PROLOGUE.match(line):
            yield Splice(start, end, "", number, "line dropped")
        start = end + 1


def _spread(found: list[tuple[str, Splice]]) -> Iterator[tuple[str, Splice]]:
    """The faults in an order that begins with one a line, evenly spread, and goes on with second ones."""
    by_line: dict[tuple[str, int], list[tuple[str, Splice]]] = {}
    for each in found:
        by_line.setdefault((each[0], each[1].line), []).append(each)
    lines = [by_line[key] for key in sorted(by_line)]
    for rank in range(max(map(len, lines), default=0)):
        yield from _evenly([faults[rank] for faults in lines if len(faults) > rank])


def _evenly(items: list[tuple[str, Splice]]) -> Iterator[tuple[str, Splice]]:
    """The items, those first that are far from each other."""
    step = max(1, -(-len(items) // MOST))
    for offset in range(step):
        yield from items[offset::step]


def _mutant(path: str, text: str, splice: Splice) -> Mutant | None:
    source = text.encode("utf-8", "surrogateescape")
    mutated = source[: splice.start] + splice.new.encode() + source[splice.end :]
    changed = mutated.decode("utf-8", "surrogateescape")
    if changed == text or not _still_parses(path, changed, text):
        return None
    return Mutant(path, splice.line, splice.fault, changed)


def _still_parses(path: str, text: str, before: str) -> bool:
    from minitask.gates.lint_error import FileChange
    from minitask.gates.syntax import find_syntax_fault

    suffix = PurePosixPath(path).suffix.lower()
    if suffix in GRAMMARS:
        from minitask.gates.grammar_mutants import parses

        return parses(text, suffix) or not parses(before, suffix)
    return find_syntax_fault(FileChange(path, text, None)) is None
