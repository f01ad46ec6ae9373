"""Acceptance criteria that state how long a file is, made commands of the validation: they bind as its own do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec.structs import replace

from minitask.spec.counting import Counts, counts
from minitask.spec.model import (
    Command,
    Criterion,
    Expectation,
    ExpectationKind,
    FileAction,
    FileRef,
    Severity,
)
from minitask.spec.problems import Problem
from minitask.spec.remarks import parse_length

_NUMBERS = frozenset({ExpectationKind.NUMBER, ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST})
_WRITTEN = frozenset({FileAction.CREATE, FileAction.EDIT, FileAction.WRITE})


def enforce_lengths(
    criteria: Sequence[Criterion], files: Sequence[FileRef], commands: tuple[Command, ...]
) -> tuple[tuple[Command, ...], tuple[Problem, ...]]:
    """Return the commands with those that the criteria add, and a warning for each length that names no one file.

    A command that counts the file's lines already is held to the number; one that states a number of its own counts.
    """
    written = tuple(dict.fromkeys(ref.path for ref in files if ref.action in _WRITTEN))
    found = list(commands)
    added: list[Command] = []
    problems = []
    for criterion in criteria:
        length = parse_length(criterion.text)
        if length is None:
            continue
        subject, expectation = length
        paths = _subjects(subject, written)
        if expectation is None or not paths:
            problems.append(_unread(criterion))
            continue
        for path in paths:
            place = next((i for i, command in enumerate(found) if _counts(command, path)), None)
            if place is None:
                text = f"wc -l < {shlex.quote(path)}"
                added.append(Command(text, (expectation,), criterion.line))
            elif not any(item.kind in _NUMBERS for item in found[place].expectations):
                found[place] = _with(found[place], expectation)
    return (*added, *found), tuple(problems)


def _subjects(subject: str, written: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files that a criterion's subject means: those it names, or the only one that is written."""
    named = [code or bare for code, bare in re.findall(r"`([^`]+)`|([\w./-]+\.\w+)", subject)]
    if named:
        fits = (_named(name, written) for name in named)
        return tuple(path for path in fits if path)
    each = subject.casefold().startswith("each")
    return written if each or len(written) == 1 else ()


def _named(name: str, written: Sequence[str]) -> str:
    """Return the one written file that a name or the end of a path means; empty if none or several fit."""
    fits = [path for path in written if path == name or path.endswith(f"/{name}")]
    return fits[0] if len(fits) == 1 else ""


def _counts(command: Command, path: str) -> bool:
    return counts(command) is Counts.LINES and path in command.text


def _with(command: Command, expectation: Expectation) -> Command:
    return replace(command, expectations=(*command.expectations, expectation))


def _unread(criterion: Criterion) -> Problem:
    said = criterion.text if len(criterion.text) <= 60 else f"{criterion.text[:59]}…"
    return Problem(
        criterion.line,
        "W414",
        f"`{said}` states a number that no command checks",
        "name the file in the criterion, or check it: `wc -l < FILE  # expect: output ~600 ±60`",
        Severity.WARNING,
    )
