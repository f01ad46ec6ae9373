"""The tests that cannot stay: those named after a definition that the task asks to remove, and that is gone."""

from __future__ import annotations

import re
from collections.abc import Mapping

from minitask.gates.removal_words import asks_to_remove
from minitask.gates.requested_removals import asks_for_something, has_name, task_sentences
from minitask.gates.source.parts import is_code, lost_parts, parts_of_both
from minitask.gates.source.parts_text import NamedPart
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_WORDS = lazy_pattern(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
Texts = Mapping[str, str | None]


def removed_subjects(base: Texts, candidate: Texts, *, spec: Spec) -> tuple[str, ...]:
    """Return the names of definitions outside of the tests that the spec asks to remove and no changed file has now."""
    texts_after = "\n".join(text for text in candidate.values() if text)
    return tuple(
        part.leaf
        for path, text in base.items()
        if text and is_code(path) and not is_test_path(path)
        for part in lost_parts(*parts_of_both(path, text, candidate.get(path) or ""))
        if part.kind == "code"
        and not has_name(texts_after, part.leaf)
        and _is_asked(spec, path, part)
    )


def _is_asked(spec: Spec, path: str, part: NamedPart) -> bool:
    sentences = task_sentences(spec, path)
    is_named = any(has_name(text, part.leaf) and asks_to_remove(text) for text in sentences)
    return is_named or asks_for_something(spec, path)


def is_named_after(test: str, subject: str) -> bool:
    """Return True if a test's name begins with what it tests: `test_old_words_are_split` with `old_words`."""
    test_words, subject_words = (
        _words(re.sub(r"(?i)^test_?|(?<=\.)test_?", "", test)),
        _words(subject),
    )
    return bool(subject_words) and test_words[: len(subject_words)] == subject_words


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
