"""Look for a file's findings again: the command that fails while they exist and passes when they are fixed.

It is known for ruff, whose rules can be selected one by one; for another linter the user has to give it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern

PATH = "{path}"
RUFF = ("ruff", "check")
SYNTAX_ONLY = "E9"
"""The selection for a file that cannot be parsed: ruff reports that whatever is selected, and needs a selection."""

_PLAIN = lazy_pattern(r"[\w./+@:-]+")
_RULE = lazy_pattern(r"[A-Z]+[0-9]+")
_SWITCHES = {"--preview", "--isolated"}
_OPTIONS = {"--config", "--target-version"}
_SILENCED = "noqa|ruff: *(disable|ignore|file-ignore)"


class Recheck(Struct, frozen=True):
    """The command that looks again: the user's `template` with `{path}` in it, or the first words of a `ruff` call."""

    template: str = ""
    ruff: tuple[str, ...] = ()

    def command(self, path: str, *, rules: Iterable[str], text: str) -> str:
        """Return the validation for a file with findings of some rules; empty if none is known.

        `text` is the file as it is: what it silences already may stay.
        """
        word = shlex.quote(path if not path.startswith("-") else f"./{path}")
        if self.template:
            return self.template.replace(PATH, word)
        if not self.ruff:
            return ""
        selected = ",".join(sorted(filter(_RULE.fullmatch, set(rules)))) or SYNTAX_ONLY
        check = f"{shlex.join(self.ruff)} --no-cache --select {selected} {word}"
        count = sum(
            re.search(_SILENCED, line, re.IGNORECASE) is not None for line in text.split("\n")
        )
        return f"{check}\ntest \"$(grep -Eci '{_SILENCED}' {word})\" -le {count}"


def check_template(template: str) -> str:
    """Return the user's command for one file; raise `UsageError` if it does not say which."""
    if PATH not in template or "\0" in template:
        raise UsageError(
            f"--check {template!r} has no place for the file",
            hint=f"include {PATH}: --check 'eslint {PATH}'",
        )
    return template.strip()


def ruff_words(linter: str) -> tuple[str, ...]:
    """Return how the user starts `ruff check`, with those options that change what a rule finds; else plain `ruff
    check`.
    """
    try:
        arguments = shlex.split(linter)
    except ValueError:
        return RUFF
    ends = [
        index + 2
        for index, pair in enumerate(pairwise(arguments))
        if pair[0].rpartition("/")[2] == RUFF[0] and pair[1] == RUFF[1]
    ]
    start = arguments[: ends[0]] if ends else []
    if not start or not all(map(_PLAIN.fullmatch, start)):
        return RUFF
    return (*start, *_rule_options(arguments[ends[0] :]))


def _rule_options(arguments: Sequence[str]) -> Iterator[str]:
    follows = False
    for word in arguments:
        name, equals, _ = word.partition("=")
        if follows or word in _SWITCHES or name in _OPTIONS:
            yield word
        follows = not follows and name in _OPTIONS and not equals
