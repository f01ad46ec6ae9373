"""Find values that a task sets in so many words, and that a changed file still holds as they were.

"Set `LIMIT` to 20" is as plain as a command, and a validation of another step does not notice that it was left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from minitask.gates.requested_removals import task_sentences
from minitask.gates.result import FileChange, LintError, printable
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_TOLD = lazy_pattern(
    r"(?i)\b(?:set|change|raise|lower|increase|decrease|reduce|bump|update)\s+(?:the\s+)?(?:[a-z]+\s+){0,2}`([A-Za-z_][\w-]*)`"
    r"\s+(?:from\s+\S+\s+)?to\s+`?(-?\d[\d_.]*|\"[^\"`\n]*\"|'[^'`\n]*'|true|false)`?(?=[\s.,;)]|$)"
)
_LITERAL = lazy_pattern(r"(?i)-?\d[\d_.]*|\"[^\"]+\"|'[^']+'|true|false")
_UNSURE = lazy_pattern(
    r"(?i)\b(?:not|n't|never|if|unless|when|instead|later|optional\w*|example)\b|n't\b"
)
_FILE = lazy_pattern(r"`([\w./-]+\.\w+)`")


def find_kept_values(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec
) -> Iterator[LintError]:
    """Yield each name that the task sets to a value, and that the file assigns once, still with its old value.

    `others` are the change's other files: the value may be meant for one of them.
    """
    base = proposal.base
    for sentence in task_sentences(spec, proposal.path) if base else ():
        files = _FILE.findall(sentence)
        is_elsewhere = files and not any(proposal.path.endswith(file) for file in files)
        if is_elsewhere or _UNSURE.search(sentence):
            continue
        for name, value in _TOLD.findall(sentence):
            old, new = _assigned(base or "", name), _assigned(proposal.content, name)
            is_kept = len(old) == len(new) == 1 and old[0][0] == new[0][0]
            is_kept = is_kept and _LITERAL.fullmatch(new[0][0]) is not None
            if not is_kept or _same(old[0][0], value) or _is_set(others, name, value):
                continue
            shown = printable(new[0][0])
            message = (
                f"{printable(name)} is still {shown}, and the task sets it to {printable(value)}"
            )
            yield LintError(proposal.path, new[0][1], message, "set it, too")


def _same(first: str, second: str) -> bool:
    return _plain(first) == _plain(second)


def _plain(value: str) -> str | float:
    """Return a literal without quotes and the sign of a range of versions; a number by its value."""
    text = value.strip("\"'` ").lstrip("^~=<>v ").rstrip(".").lower()
    try:
        return float(text)
    except ValueError:
        return text


def _is_set(files: Sequence[FileChange], name: str, value: str) -> bool:
    places = (place for file in files for place in _assigned(file.content, name))
    return any(_same(literal, value) for literal, _ in places)


def _assigned(text: str, name: str) -> list[tuple[str, int]]:
    """Return the literals that a file assigns to a name, each with its line; something else counts as one, too."""
    pattern = re.compile(
        rf"(?<![\w.-]){re.escape(name)}[\"']?(?:\s*:\s*[A-Za-z_&'][\w<>&' ]{{0,40}}=|\s*:?=(?!=)|\s*:)[ \t]*([^\n;,#]*)"
    )
    places = (
        (match[1].strip(), text.count("\n", 0, match.start()) + 1)
        for match in pattern.finditer(text)
    )
    return [(value.rstrip("});"), line) for value, line in places]
