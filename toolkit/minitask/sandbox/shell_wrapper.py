"""The bash program of a session: each command in the same shell, followed by a mark.

It is sent over the shell's input, not its arguments, environment or a variable, where commands could read the secret of
the marks. Directory, variables, functions and `$?` carry over to the next command. It runs in bash 3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.errors import UsageError

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
