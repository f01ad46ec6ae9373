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

DRIVER = f'IFS= read -r -d "" __mt; exec {MARK_FD}>&1 {GATE_FD}<&0 </dev/null; eval "$__mt"'
PROLOGUE = """\
unset __mt
{gate}
set -o pipefail
__mt_same() {{ return "$?"; }}
__mt_again() {{ return "$1"; }}
builtin printf '\\0%s\\0' '{secret}:ready' >&{mark}
:
"""
"""Its last line is there for `$_`, which holds the last argument of the command before."""

# `__mt_same` keeps the status, and is a plain command for the parser to recover on: a syntax error
# in the command can leave it in a state where it takes the brace for a word.
COMMAND = """\
eval {text}
__mt_same && :
{{
__mt_last=$?
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

GATE = f"builtin read -r __mt_text <&{GATE_FD} || builtin exit 1"


def wrapper_program(commands: Sequence[Command], *, secret: str, gated: bool) -> bytes:
    """Return what the shell evaluates, ended by a NUL; where it is gated it waits for a line after each
    command.
    """
    parts = [
        PROLOGUE.format(secret=secret, mark=MARK_FD, gate="" if gated else f"exec {GATE_FD}<&-")
    ]
    for command in commands:
        if "\0" in command.text:
            raise UsageError(f"line {command.line}: a command cannot hold a NUL character")
        text = _quoted(command.text + CAPTURE)
        parts.append(
            COMMAND.format(text=text, secret=secret, mark=MARK_FD, gate=GATE if gated else "")
        )
    return "".join(parts).encode("utf-8", "surrogateescape") + b"\0"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
