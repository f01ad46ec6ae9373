"""The bash program that a session runs: each command in the same shell, a mark after each.

It comes in over the shell's input, never over its arguments, its environment or a variable, where
the commands could read the secret that the marks are known by. Directory, variables, functions and
`$?` carry over from one command to the next. It is bash 3.2 at most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from minitask.spec.model import Command

MARK_FD, GATE_FD = 250, 249
TAKEN_FDS = range(10, 20)
"""Kept open on nothing: bash puts what it shuts for a command at the next free number, which a command might use."""

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
"""Its last line is there for `$_`, which holds the last argument of the command before."""
IDENTITY = (
    "{ [[ -e $HOME/.gitconfig ]] || builtin printf '[user]\\n\\tname = minitask\\n\\temail = minitask@localhost\\n'"
    ' >"$HOME/.gitconfig"; } 2>/dev/null'
)
"""Who commits, for tests that make a repository of their own; below that repository's settings and variables."""

# `__mt_same` keeps the status, and is a plain command for the parser to recover on: a syntax error
# in the command can leave it in a state where it takes the brace for a word.
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
"""Follows each command in its own `eval`: two lines on, for a final backslash eats the first;
without a quote, so that one left open before it stays open.
"""

SHUT = f"{GATE_FD}<&- {MARK_FD}>&-"
"""No command gets what the marks go through, nor what the shell waits on."""
TAKEN = "exec " + " ".join(f"{fd}</dev/null" for fd in TAKEN_FDS)
GATE = f"builtin read -r __mt_text <&{GATE_FD} || builtin exit 1"


STEP = (
    'trap \'{{ builtin printf "\\0%s\\0" {step} >&{mark};'
    " builtin read -r __mt_text <&{gate}; }} 2>/dev/null' DEBUG; set -T"
)
"""Before each simple command, in functions and subshells too, the shell tells so and waits for a line."""


def wrapper_program(
    commands: Sequence[Command], *, secret: str, gated: bool, step: str = ""
) -> bytes:
    """Return what the shell evaluates, ended by a NUL; where it is gated it waits for a line after each
    command, with a `step` (which commands may come to know) also before each part of one.
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
