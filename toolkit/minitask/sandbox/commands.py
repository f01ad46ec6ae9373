"""The bash program of a session: each command in the same shell, followed by a mark; and the commands' results.

The program is sent over the shell's input, not its arguments, environment or a variable, where commands could read the
secret of the marks. Directory, variables, functions and `$?` carry over to the next command. It runs in bash 3.2. A
result is the effective exit status, and a check of the output against the spec.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import UsageError
from minitask.spec.model import Expectation, ExpectationKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.spec.model import Command


MARK_FD, GATE_FD = 250, 249
TAKEN_FDS = range(10, 20)
"""Kept open on /dev/null: bash moves descriptors that it closes for a command to the next free number."""

DRIVER = f'IFS= read -r -d "" __mt; exec {MARK_FD}>&1 {GATE_FD}<&0 </dev/null; eval "$__mt"'
PROLOGUE = """\
unset __mt
{gate}
{taken}
{identity}
set -o pipefail
__mt_same() {{ return "$?"; }}
__mt_again() {{ return "$1"; }}
builtin printf '\\0%s\\0' '{secret}:ready' >&{mark}
:
"""
"""Its last line resets `$_`, which holds the last argument of the previous command."""
IDENTITY = (
    "{ [[ -e $HOME/.gitconfig ]] || builtin printf '[user]\\n\\tname = minitask\\n\\temail = minitask@localhost\\n'"
    ' >"$HOME/.gitconfig"; } 2>/dev/null'
)
"""Identity for tests that commit to their own repository; that repository's settings and variables override it."""

# `__mt_same` keeps the status, and is a simple command on which the parser recovers: after a syntax error in the
# command, it can take a brace for a word.
COMMAND = """\
{before}
{{ eval {text}
}} {shut}
__mt_same && :
{{
__mt_last=$?
{after}
[[ ${{__mt-}} ]] || __mt=("$__mt_last")
builtin printf -v __mt_text ' %s' "${{__mt[@]}}"
builtin printf '\\0%s\\0' "{secret}:done$__mt_text" >&{mark}
{gate}
__mt_last=${{__mt[0]}} __mt=
__mt_again "$__mt_last" && :
}} 2>/dev/null
"""
CAPTURE = "\n\n{ __mt=($? ${PIPESTATUS[@]}); } 2>/dev/null"
"""Follows each command in its own `eval`.

Two newlines, since a final backslash removes one; no quotes, so that an unclosed quote stays unclosed.
"""

SHUT = f"{GATE_FD}<&- {MARK_FD}>&-"
"""Commands get neither the descriptor of the marks nor the one that the shell waits on."""
TAKEN = "exec " + " ".join(f"{fd}</dev/null" for fd in TAKEN_FDS)
GATE = f"builtin read -r __mt_text <&{GATE_FD} || builtin exit 1"


STEP = (
    'trap \'{{ builtin printf "\\0%s\\0" {step} >&{mark};'
    " builtin read -r __mt_text <&{gate}; }} 2>/dev/null' DEBUG; set -T"
)
"""Before each simple command, also in functions and subshells, the shell prints a mark and waits for a line."""


def wrapper_program(
    commands: Sequence[Command], *, secret: str, gated: bool, step: str = ""
) -> bytes:
    """Return the program for the shell, ended by a NUL.

    If `gated`, the shell waits for a line after each command; with `step` (not secret from commands) also before each
    part of one.
    """
    before = STEP.format(step=step, mark=MARK_FD, gate=GATE_FD) if step else ""
    after = "trap - DEBUG" if step else ""
    gate = "" if gated else f"exec {GATE_FD}<&-"
    parts = [
        PROLOGUE.format(secret=secret, mark=MARK_FD, gate=gate, taken=TAKEN, identity=IDENTITY)
    ]
    for command in commands:
        if "\0" in command.text:
            raise UsageError(f"line {command.line}: a command cannot hold a NUL character")
        text = _quoted(command.text + CAPTURE)
        parts.append(
            COMMAND.format(
                text=text,
                secret=secret,
                mark=MARK_FD,
                gate=GATE if gated else "",
                before=before,
                after=after,
                shut="" if step else SHUT,
            )
        )
    return "".join(parts).encode("utf-8", "surrogateescape") + b"\0"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


SIGPIPE_STATUS = 141
SIGNAL_BASE = 128
"""A shell's exit status for a command ended by a signal is this plus the signal's number."""
NOT_RUN = (126, 127)
"""Exit statuses of a program that is missing or not executable."""
OPERATORS = frozenset("();<>|&\n")
COMPOUNDS = frozenset({"if", "while", "until", "for", "case", "select", "function", "{"})
NUMBER = r"(?<!\w)-?\d{1,3}(?:[,_'\u00a0\u202f]\d{3})+(?![\d])|(?<!\w)-\d+|\d+"
SEPARATORS = ",_'\u00a0\u202f"


class Status(Struct, frozen=True):
    """The end of a command: the effective exit status, and a remark if needed."""

    exit_code: int
    remark: str = ""


def read_status(text: str, *, code: int, pipeline: Sequence[int]) -> Status:
    """Return the effective exit status, from the shell's and those of the last pipeline's stages."""
    missing = next((status for status in pipeline if status in NOT_RUN), 0)
    if code == 0 and missing and _is_negated(text):
        return Status(missing, "`!` turned that round")
    if not _died_only_of_sigpipe(pipeline) or code not in {0, SIGPIPE_STATUS}:
        return Status(code)
    if code == SIGPIPE_STATUS and is_one_pipeline(text):
        return Status(0)
    if code == 0 and _is_negated(text):
        return Status(1)
    return Status(
        SIGPIPE_STATUS,
        "a pipeline stage ended by SIGPIPE, which the shell reports as a failure; "
        "put the pipeline in a separate command",
    )


def _is_negated(text: str) -> bool:
    """Return True for one pipeline after `!`, except a program named by path, whose absence may be intended."""
    first, _, rest = text.strip().partition(" ")
    program = rest.split(maxsplit=1)[:1]
    return first == "!" and "/" not in "".join(program) and is_one_pipeline(rest)


def find_fault(command: Command, status: Status, output: bytes) -> str:
    """Return briefly why the command failed; empty if it passed."""
    expectations = command.expectations
    if any(expectation.kind is ExpectationKind.FAILS for expectation in expectations):
        failed = status.exit_code not in {0, *NOT_RUN}
        return "" if failed else f"exit code {status.exit_code}, expected a failure"
    codes = [e.number for e in expectations if e.kind is ExpectationKind.EXIT] or [0]
    if status.exit_code not in codes:
        expected = "" if codes == [0] else f", expected {' or '.join(map(str, codes))}"
        remark = status.remark or _signal_words(status.exit_code)
        remark = f" ({remark})" if remark else ""
        return f"exit code {status.exit_code}{expected}{remark}"
    text = output.decode("utf-8", "replace")
    faults = (_output_fault(expectation, text) for expectation in expectations)
    return next(filter(None, faults), "")


def _signal_words(code: int) -> str:
    """Return the signal of a shell's exit status in words; empty if it is none."""
    import signal

    try:
        number = signal.Signals(code - SIGNAL_BASE)
    except ValueError:
        return ""
    return f"{number.name}: {(signal.strsignal(number) or '').lower()}"


def is_one_pipeline(text: str) -> bool:
    """Return True if the text is certainly one pipeline, without a list, compound or second line.

    When in doubt it is not: quotes inside a word and escaped quotes are not parsed.
    """
    import re
    import shlex

    joined = text.strip().replace("\\\n", " ")
    if re.search(r"\\['\"]", joined):
        return False
    lexer = shlex.shlex(joined, posix=False, punctuation_chars="".join(OPERATORS))
    lexer.whitespace, lexer.commenters = " \t\r", ""
    try:
        tokens = list(lexer)
    except ValueError:
        return False
    if not tokens or tokens[0] in COMPOUNDS | {"!"}:
        return False
    return not any(
        _splits(part, before) for before, part in zip(["", *tokens], tokens, strict=False)
    )


def _splits(operator: str, before: str) -> bool:
    """Return True if an operator splits the command into several pipelines."""
    if not OPERATORS.issuperset(operator):
        return False
    if (
        ";" in operator
        or "\n" in operator
        or "&&" in operator
        or "||" in operator
        or operator == "&"
    ):
        return True
    return "(" in operator and operator[0] not in "<>" and not before.endswith("$")


def _died_only_of_sigpipe(pipeline: Sequence[int]) -> bool:
    """Return True if the last stage passed, and another ended by SIGPIPE, but none failed otherwise."""
    *others, last = pipeline or (0,)
    return last == 0 and SIGPIPE_STATUS in others and set(others) <= {0, SIGPIPE_STATUS}


def _output_fault(expectation: Expectation, output: str) -> str:
    """Return why the output violates the expectation, or an empty string."""
    if expectation.kind is ExpectationKind.NUMBER:
        return _number_fault(expectation, output)
    if expectation.kind in {ExpectationKind.AT_LEAST, ExpectationKind.AT_MOST}:
        return _bound_fault(expectation, output)
    if expectation.kind is ExpectationKind.CONTAINS and expectation.text not in output:
        return f'the output does not contain "{expectation.text}"'
    if expectation.kind is ExpectationKind.NO_OUTPUT and output.strip():
        return "printed something, expected no output"
    return ""


def _number_fault(expectation: Expectation, output: str) -> str:
    margin = f" ±{expectation.tolerance}" if expectation.tolerance else ""
    number = first_number(output)
    if number is None:
        return f"printed no number, expected {expectation.number}{margin}"
    if abs(number - expectation.number) > expectation.tolerance:
        return f"printed {number}, expected {expectation.number}{margin}"
    return ""


def _bound_fault(expectation: Expectation, output: str) -> str:
    """Return how the output's first number exceeds a bound, or an empty string."""
    number = first_number(output)
    bound = f"{expectation.kind} {expectation.number}"
    if number is None:
        return f"printed no number, expected {bound}"
    at_least = expectation.kind is ExpectationKind.AT_LEAST
    within = number >= expectation.number if at_least else number <= expectation.number
    return "" if within else f"printed {number}, expected {bound}"


def first_number(text: str) -> int | None:
    """Return the first integer in a text; thousands may be separated (`12,345`)."""
    import re

    match = re.search(NUMBER, text, re.ASCII)
    if match is None:
        return None
    return int(match[0].translate(str.maketrans("", "", SEPARATORS)))


TAIL_BYTES = 4000
NAMED_HOSTS = 3


class CommandResult(Struct, frozen=True):
    """The result of a command; `reason` says why it failed, `exit_code` is None if there was none.

    `output_tail` is the end of both output streams, `output_bytes` their total size. `changed` lists tracked files that
    it left changed, `refused_hosts` the hosts that a failed command could not reach because of `network`.
    """

    line: int
    command: str
    exit_code: int | None
    passed: bool
    seconds: float
    output_tail: str = ""
    output_bytes: int = 0
    reason: str = ""
    changed: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()


class SessionResult(Struct, frozen=True):
    """A result for every command, including those not run; `sandbox` is the strength used."""

    results: tuple[CommandResult, ...]
    timed_out: bool = False
    killed_reason: str = ""
    sandbox: str = ""

    @property
    def passed(self) -> bool:
        """Return True if every command passed."""
        return all(result.passed for result in self.results)


def tail(output: bytes, *, limit: int = TAIL_BYTES) -> str:
    """Return the last `limit` bytes as text, from the start of a line if possible."""
    end = output[-limit:]
    if len(end) < len(output):
        newline = output.find(b"\n", len(output) - limit - 1, len(output) - 1)
        end = output[newline + 1 :] if newline >= 0 else end.lstrip(bytes(range(0x80, 0xC0)))
    return end.decode("utf-8", "replace")


def unlisted_text(hosts: Sequence[str]) -> str:
    """Return which hosts a command could not reach, and the fix."""
    return f"wanted {first_hosts(hosts)}: add it to `network`, or vendor it"


def first_hosts(hosts: Sequence[str]) -> str:
    """Return the first hosts, and the number of others."""
    more = f" and {len(hosts) - NAMED_HOSTS} more" if len(hosts) > NAMED_HOSTS else ""
    return ", ".join(hosts[:NAMED_HOSTS]) + more
