"""Find commands that exit with 0 although they print that their own comparison failed: `False`, `FAIL`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.gates.validation.test_runners import Runner, Suite, read_counts
from minitask.ledger.record import CommandRecord
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command, ExpectationKind
from minitask.words import counted, one_line

_EQUAL = lazy_pattern(r"[=!]==?")
_COMPARES = lazy_pattern(r"[=!]==?|[<>]=|\b(?:in|is|not|any|all)\b")
_FALSE = lazy_pattern(r"(?P<label>.*[^\w\s]\s*)?[Ff]alse")
_HIDES = lazy_pattern(r"[$<]\(|`|\.catch\(|print_exc")
"""What takes a failure's exit code away."""
_SUITES = tuple(Suite(runner) for runner in Runner if runner not in {Runner.ANY, Runner.AVA})
"""Runners whose summaries nothing else prints."""
_BROKEN = lazy_pattern(
    r"(?m)^(?:\S*bash: .*: \S+: command not found|Traceback \(most recent call last\):"
    r"|\s+at \S.*:\d+:\d+\)?)$"
)
_FAIL = lazy_pattern(r"(?:FAIL(?:ED|URE)?|NOT OK)\b.*|[✗✘❌].*")

_WRITES = lazy_pattern(
    r"(?:\b(?:echo|printf|print|puts|log|error|warn|info)\b(?:\s+-\w+)*[\s(]*|(?:\belse|[?:])\s*(?=[\"']))"
    r"(?P<quote>[\"']?)(?P<text>[^\"';|&)\n]*)"
)
_GOOD = lazy_pattern(
    r"(?i)(?:all\s+)?(?:ok(?:ay)?|pass(?:ed)?|yes|good|success(?:ful)?|valid|correct|right|✓|✔|✅)\b.*"
)


def find_denials(
    before: Sequence[CommandRecord], after: Sequence[CommandRecord], commands: Sequence[Command]
) -> tuple[str, ...]:
    """Return a message for each passed command that its output contradicts, unless the spec has expectations of it."""
    unjudged = {
        (command.line, command.text)
        for command in commands
        if all(stated.kind is ExpectationKind.FAILS_BEFORE for stated in command.expectations)
    }
    earlier = {(record.line, record.command): record for record in before}
    keys = ((record, (record.line, record.command)) for record in after)
    return tuple(
        f"`{one_line(record.command, longest=80)}` passed and printed {line}"
        for record, key in keys
        if key in unjudged and record.exit_code == 0
        for line in _denials(record, earlier.get(key))
    )


def _denials(record: CommandRecord, old: CommandRecord | None) -> Iterator[str]:
    """Yield the output's last line if it reports a failure, unless a command that passed on the base may mean it.

    A failure inside `$(…)` or `<(…)` gives no output and no exit code: `test -z "$(lint)"` then passes.
    """
    broken = _BROKEN.search(record.output_tail) if _HIDES.search(record.command) else None
    if broken is not None:
        yield f"`{one_line(broken[0].strip(), longest=80)}`"
    if failed := _failed_tests(record):
        yield f"a summary in which {counted(failed, 'test')} failed"
    last = record.output_tail.rstrip().rpartition("\n")[2].strip()
    texts = _texts(record.command)
    was_red = old is None or not old.passed
    if "Assertion failed" in record.output_tail and "console.assert" in record.command:
        yield "Assertion failed"
    elif false := _FALSE.fullmatch(last):
        if (_COMPARES if was_red and not false["label"] else _EQUAL).search(record.command):
            yield last
    elif _FAIL.fullmatch(last) and last.split()[0] in record.command:
        if was_red or last in texts:
            yield one_line(last, longest=80)
    elif last in texts and not _GOOD.match(last) and any(map(_GOOD.match, texts)):
        yield one_line(last, longest=80)


def _failed_tests(record: CommandRecord) -> int:
    """Return how many tests failed by the summaries in the output of a command that starts no runner by itself."""
    if record.tests or "||" in record.command or record.command.startswith("!"):
        return 0
    counts = read_counts(_SUITES, record.output_tail.encode())
    return counts.failed if counts else 0


def _texts(command: str) -> list[str]:
    """Return the texts that a command itself contains, to print for one of its outcomes."""
    return [match["text"].strip().removesuffix("\\n") for match in _WRITES.finditer(command)]
