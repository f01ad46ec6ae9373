"""Find files of one change that hold what belongs into another: the same text, the other's text, the other's code.

A model that answers several files at once sometimes puts one into the place of another. A validation that only asks
whether the files are there does not notice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from posixpath import basename, dirname, splitext

from minitask.gates.imports.go_packages import is_plain
from minitask.gates.imports.unresolved import is_sample
from minitask.gates.requested_removals import task_sentences
from minitask.gates.result import FileChange, LintError, filled_lines, printable
from minitask.gates.source.grammars import GRAMMARS
from minitask.gates.source.parts import gained_parts
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_ASKS_FOR_BOTH = lazy_pattern(
    r"(?i)\b(?:cop(?:y|ies|ied)|same|identical\w*|mirror\w*|duplicat\w*|in sync|clone[sd]?|vendor\w*|equal)\b"
)
_WORD = lazy_pattern(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
_NUMBER = lazy_pattern(r"\d+")
_LEAST_LINES = 3
"""Fewest lines of a text, or of a definition, that nobody writes twice by chance."""
_READ = frozenset({".py", *GRAMMARS})
_MOST_FILES = 12
"""Most files of a change that are compared with each other."""
_REMEDY = "write into each file what the task asks of it"


def find_mixed_up(proposals: Sequence[FileChange], spec: Spec) -> Iterator[LintError]:
    """Yield a fault for each pair of the change's files of which one holds what belongs into the other."""
    fresh = [file for file in proposals if file.content != file.base and not is_sample(file.path)]
    pairs = combinations(fresh, 2) if len(fresh) <= _MOST_FILES else ()
    for first, second in pairs:
        is_other = first.suffix != second.suffix or _are_alike(first, second)
        if is_other or _is_asked(first, second, spec):
            continue
        name, line = printable(first.path), 1
        if _is_same(first, second):
            message = f"it holds the same text as {name}"
        elif _are_swapped(first, second):
            message = f"its text seems to be that of {name}, and the other way round"
        else:
            part, line = _repeated(first, second)
            message = f"it repeats {printable(part)} of {name}" if part else ""
        if message:
            yield LintError(second.path, line, message, _REMEDY)


def _is_asked(first: FileChange, second: FileChange, spec: Spec) -> bool:
    sentences = (*task_sentences(spec, first.path), *task_sentences(spec, second.path))
    return any(map(_ASKS_FOR_BOTH.search, sentences))


def _are_alike(first: FileChange, second: FileChange) -> bool:
    """Return True for files of one name in two folders, or numbered ones; a test is not like what it tests."""
    names = {_NUMBER.sub("", basename(file.path)).partition(".")[0] for file in (first, second)}
    return len(names) == 1 and is_test_path(first.path) == is_test_path(second.path)


def _is_same(first: FileChange, second: FileChange) -> bool:
    """Return True if two files that are no data of tests have the same lines."""
    is_data = any("test" in dirname(file.path).lower() for file in (first, second))
    rows, other_rows = _rows(first.content), _rows(second.content)
    if is_data or len(rows) < 2 or rows != other_rows:
        return False
    return first.base is None or second.base is None or _rows(first.base) != _rows(second.base)


def _rows(text: str) -> list[str]:
    return [row for _, row in filled_lines(text)]


def _are_swapped(first: FileChange, second: FileChange) -> bool:
    """Return True if each of two new files speaks of what the other is named after, and not of its own name."""
    if first.base is not None or second.base is not None:
        return False
    names = _name_words(first.path), _name_words(second.path)
    first_words, second_words = names[0] - names[1], names[1] - names[0]
    texts = first.content.lower(), second.content.lower()
    has_foreign = _has_any(texts[0], second_words) and _has_any(texts[1], first_words)
    return has_foreign and not (_has_any(texts[0], first_words) or _has_any(texts[1], second_words))


def _name_words(path: str) -> frozenset[str]:
    stem = splitext(basename(path))[0]
    return frozenset(word.lower() for word in _WORD.findall(stem))


def _has_any(text: str, words: frozenset[str]) -> bool:
    return any(word in text for word in words)


def _repeated(first: FileChange, second: FileChange) -> tuple[str, int]:
    """Return a definition that a test repeats of what it is to test, or one of a new file that has nothing else.

    With it comes its line in the second file.
    """
    is_tested = is_test_path(first.path) != is_test_path(second.path)
    are_new = first.base is None and second.base is None
    is_of_system = first.suffix == ".go" and not all(map(_is_plain, (first, second)))
    if not (is_tested or are_new) or first.suffix not in _READ or is_of_system:
        return "", 0
    had, has = dict(_definitions(first)), dict(_definitions(second))
    both = [name for name in has if name in had and had[name][1] == has[name][1]]
    is_all = are_new and len(both) == min(len(had), len(has))
    return (both[0], has[both[0]][0]) if both and (is_tested or is_all) else ("", 0)


def _is_plain(file: FileChange) -> bool:
    return is_plain(file.path, file.content)


def _definitions(file: FileChange) -> Iterator[tuple[str, tuple[int, list[str]]]]:
    """Yield the longer definitions of the top level that a change adds, each with its first line and its text."""
    rows = file.content.split("\n")
    for part in gained_parts(file):
        body = [row.strip() for row in rows[part.start - 1 : part.end] if row.strip()]
        if part.kind == "code" and not part.parent and part.start and len(body) >= _LEAST_LINES:
            yield part.shown, (part.start, body)
