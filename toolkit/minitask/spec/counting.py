"""Find what a command's first printed number counts, and which expectations in words it can be held to."""

from __future__ import annotations

import ast
import re
from enum import StrEnum

from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.model import Command, Expectation, ExpectationKind
from minitask.spec.remarks import Remark, with_default_tolerance
from minitask.spec.vacuous_commands import plain_words, read_pipelines, read_words
from minitask.words import word_set

_SILENT = frozenset(
    {"test", "[", "[[", "cd", "pushd", "popd", "true", ":", "mkdir", "touch", "cp", "mv", "rm"}
    | {"export", "set", "cmp", "source", "."}
)
_SHOWN = frozenset({"ls", "cat", "head", "tail", "git", "file", "stat", "du", "echo", "printf"})
_SELECTORS = frozenset({"awk", "tr", "cut", "xargs", "tail", "head", "sed", "cat", "sort", "uniq"})
_GREPS = frozenset({"grep", "egrep", "fgrep", "rg"})
_TESTS = frozenset({"test", "[", "[["})
_PRESENT = frozenset({"-e", "-f", "-d", "-s", "-r", "-x", "-L", "-h"})
_TURNED = word_set("! -v -L --invert-match --files-without-match -qv -vq -not")
_PRINTERS = frozenset({"python", "python3", "node", "ruby", "perl", "php", "jq", "awk"})
_RUNNERS = word_set("pytest npm npx yarn pnpm jest vitest cargo go make tox mypy ruff")
_GLOB = lazy_pattern(r"[*?\[{$]")


class Counts(StrEnum):
    """The meaning of the first number that a command prints."""

    LINES = "lines"
    WORDS = "words"
    BYTES = "bytes"
    CHARACTERS = "characters"
    ANYTHING = "anything"
    UNKNOWN = "unknown"
    OTHER = "other"
    SILENCE = "silence"


_FLAGS = {"l": Counts.LINES, "w": Counts.WORDS, "c": Counts.BYTES, "m": Counts.CHARACTERS}
_LINE_WORDS = {"line", "lines", "loc", "sloc", "long", "total"}
_UNITS = {
    Counts.LINES: _LINE_WORDS,
    Counts.WORDS: {"word", "words"},
    Counts.BYTES: {"byte", "bytes", "character", "characters", "chars"},
    Counts.CHARACTERS: {"character", "characters", "chars"},
}
_MEASURES = word_set("""
kb mb gb kib mib gib ms s sec secs seconds min mins minutes hours percent px em
""")
_SMALL_WORDS = word_set("""
after before in for since and or if now with because as when not at on total
""")


def counts(command: Command) -> Counts:
    """Return the meaning of the first number in the command's output."""
    tokens = read_words(command.text)
    if not tokens:
        first = command.text.split(maxsplit=1)[:1]
        return Counts.SILENCE if _TESTS.issuperset(first) else Counts.UNKNOWN
    kinds = [_counts(parts) for parts, _ in read_pipelines(tokens)]
    speaking = [kind for kind in kinds if kind is not Counts.SILENCE]
    if not speaking:
        return Counts.SILENCE
    return speaking[0] if len(speaking) == 1 else Counts.OTHER


def _counts(parts: list[list[str]]) -> Counts:
    """Return the meaning of a pipeline's number, by its last stage that does more than select."""
    stages = [plain_words(part)[0] for part in parts]
    selects_last = False
    while len(stages) > 1 and stages[-1] and stages[-1][0] in _SELECTORS:
        selects_last = selects_last or stages[-1][0] == "tail"
        stages.pop()
    argv = stages[-1]
    if argv[:1] == ["!"]:
        argv = argv[1:]
    if not argv or argv[0] in _SILENT:
        return Counts.SILENCE
    piped = len(stages) > 1
    if argv[0] == "wc":
        return _wc(argv, piped=piped, totals=selects_last)
    if argv[0] in _GREPS:
        return _grep(argv, piped=piped)
    if argv[0] in _PRINTERS:
        return _printer(argv)
    if argv[0] in _RUNNERS:
        return Counts.OTHER
    if argv[0] == "echo" and "$" in " ".join(argv):
        return Counts.ANYTHING if argv[1:] == ["$?"] else Counts.UNKNOWN
    return Counts.OTHER if argv[0] in _SHOWN else Counts.UNKNOWN


def _printer(argv: list[str]) -> Counts:
    if "-m" in argv:
        return Counts.OTHER
    text = " ".join(argv)
    prints = argv[0] == "jq" or "print" in text or "log(" in text or "puts" in text
    return Counts.ANYTHING if prints else Counts.UNKNOWN


def _wc(argv: list[str], *, piped: bool, totals: bool) -> Counts:
    letters = _short_options(argv)
    letters += "".join(word[2:3].replace("b", "c") for word in argv[1:] if word.startswith("--"))
    files = [word for word in argv[1:] if not word.startswith("-")]
    one_number = len(files) < 2 and not any(_GLOB.search(name) for name in files)
    if len(set(letters)) != 1 or letters[0] not in _FLAGS or not (one_number or totals):
        return Counts.OTHER
    return Counts.ANYTHING if piped and letters[0] == "l" else _FLAGS[letters[0]]


def _grep(argv: list[str], *, piped: bool) -> Counts:
    short = _short_options(argv)
    if "q" in short or {"--quiet", "--silent"}.intersection(argv):
        return Counts.SILENCE
    if "c" not in short and "--count" not in argv:
        return Counts.OTHER
    files = [word for word in argv[1:] if not word.startswith("-")][1:]
    many = len(files) > 1 or "r" in short.lower() or any(_GLOB.search(name) for name in files)
    return Counts.OTHER if many or (not files and not piped) else Counts.ANYTHING


def _short_options(argv: list[str]) -> str:
    return "".join(word[1:] for word in argv[1:] if word.startswith("-") and word[1:2] != "-")


def enforceable(command: Command, remark: Remark) -> tuple[Expectation, ...]:
    """Return the expectations that a remark adds to a command; none if they cannot be enforced on it."""
    expectation = remark.expectation
    if expectation is None:
        return _own_text(command, remark)
    kind = counts(command)
    if expectation.kind in {ExpectationKind.EXIT, ExpectationKind.FAILS_BEFORE}:
        return (expectation,)
    if expectation.kind is ExpectationKind.FAILS:
        return _failure(command, absent=remark.absent)
    if expectation.kind is ExpectationKind.NO_OUTPUT and _is_printed_value(command, remark.text):
        return (Expectation(ExpectationKind.CONTAINS, text=remark.text),)
    if expectation.kind in {ExpectationKind.CONTAINS, ExpectationKind.NO_OUTPUT}:
        return _on_output(command, expectation, kind)
    if not _fits(kind, remark):
        return _shown_number(command, remark)
    if remark.plain and kind is Counts.LINES:
        expectation = with_default_tolerance(expectation)
    return (expectation, *_exits(command, expectation))


def _own_text(command: Command, remark: Remark) -> tuple[Expectation, ...]:
    """Return the expectation that a command prints a text, if that is certainly one to print.

    Its own text has it as one to print, or it is in quotes behind a program that prints, or it is a value of Python.
    """
    text, code = remark.text, command.text
    if (
        not text
        or counts(command) is Counts.SILENCE
        or (_INLINE.search(code) and not _SAYS.search(code))
    ):
        return ()
    pattern = rf"(?:[\"'\\]|\b(?:echo|printf)\s+){re.escape(text)}(?![\w-])"
    is_quoted = remark.quoted and not text.isalpha() and _PRINTS.match(code)
    if (is_quoted and not _CHECKS.search(code)) or re.search(pattern, code):
        return (Expectation(ExpectationKind.CONTAINS, text=text),)
    is_value = _is_printed_value(command, text)
    return (Expectation(ExpectationKind.CONTAINS, text=text),) if is_value else ()


_INLINE = lazy_pattern(r"\s-(?:c|e)\s")
_SAYS = lazy_pattern(r"\b(?:print|puts?|echo|say|write|log|dump)|-p\b")
_PRINTS = lazy_pattern(
    r"(?:python[\d.]*|node|deno|bun|ruby|perl|php|echo|printf|cat|head|tail|jq|\./[\w./-]+)(?=\s|$)"
)
_CHECKS = lazy_pattern(r"(?i)test|\s-m\s|lint|check")
_PYTHON_PRINTS = lazy_pattern(r"(?s)python[\d.]*\s+-c\s.*\bprint\(")


def _is_printed_value(command: Command, text: str) -> bool:
    """Return True if Python code prints, and the text is the form of a value other than a string."""
    if not _PYTHON_PRINTS.match(command.text):
        return False
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False
    return not isinstance(value, str) and repr(value) == text


def _shown_number(command: Command, remark: Remark) -> tuple[Expectation, ...]:
    """Return the expectation that the end or whole of a file holds a number that is stated exactly."""
    tokens, expectation = read_words(command.text), remark.expectation
    is_file = tokens[:1] in (["cat"], ["head"], ["tail"]) and "|" not in tokens
    is_exact = expectation and expectation.kind is ExpectationKind.NUMBER
    if not is_file or not is_exact or expectation is None or expectation.tolerance:
        return ()
    if not remark.bare or remark.tail or remark.unit:
        return ()
    return (Expectation(ExpectationKind.CONTAINS, text=str(expectation.number)),)


def _on_output(command: Command, expectation: Expectation, kind: Counts) -> tuple[Expectation, ...]:
    if expectation.kind is ExpectationKind.NO_OUTPUT and kind is Counts.SILENCE:
        return _failure(command, absent=True)
    if expectation.kind is ExpectationKind.NO_OUTPUT:
        return (expectation, *_exits(command, replace(expectation, number=0)))
    return () if kind is Counts.SILENCE else (expectation,)


def _failure(command: Command, *, absent: bool) -> tuple[Expectation, ...]:
    """Return the expectation that a command fails; none for a negated command or a list of commands.

    A search without matches exits with 1; any other code means that it could not search.
    """
    pipelines = read_pipelines(read_words(command.text))
    stages = [plain_words(part)[0] for part in pipelines[0][0]] if len(pipelines) == 1 else []
    argv = stages[0] if stages else []
    argv = argv[1:] if argv[:2] == ["git", "grep"] else argv
    fails = Expectation(ExpectationKind.FAILS)
    if not argv or argv[0] == "!" or (absent and _TURNED.intersection(argv[1:])):
        return ()
    if not absent:
        return (fails,)
    if any(stage[:1] == [] or stage[0] not in _GREPS for stage in stages[1:]):
        return ()
    if argv[0] in _GREPS or (argv[0] in _TESTS and argv[1:2] and argv[1] in _PRESENT):
        return (Expectation(ExpectationKind.EXIT, 1),)
    if argv[0] == "find":
        return (Expectation(ExpectationKind.NO_OUTPUT),)
    return (fails,) if argv[0] in {"ls", "pgrep", "which"} else ()


def _exits(command: Command, expectation: Expectation) -> tuple[Expectation, ...]:
    """Return the exit codes allowed with an expected zero: a search without matches exits with 1."""
    pipelines = read_pipelines(read_words(command.text))
    stages = [plain_words(part)[0] for part in pipelines[-1][0]] if pipelines else []
    searches = any(stage and stage[0] in _GREPS | {"pgrep"} for stage in stages)
    may_be_zero = expectation.number - expectation.tolerance <= 0
    if may_be_zero and searches:
        return tuple(Expectation(ExpectationKind.EXIT, code) for code in (0, 1))
    return ()


def _fits(kind: Counts, remark: Remark) -> bool:
    unit = "" if remark.unit in _SMALL_WORDS else remark.unit
    if unit in _MEASURES or kind in {Counts.OTHER, Counts.SILENCE}:
        return False
    if kind is Counts.UNKNOWN:
        if remark.tail:
            return False
        return not unit and remark.bare and not remark.returns
    if kind is Counts.ANYTHING:
        return True
    return not unit or unit in _UNITS[kind]
