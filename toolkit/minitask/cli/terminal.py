"""Output for people: colours on a terminal, ASCII for other encodings, errors with a fix, and exit codes."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, TextIO

import click

from minitask.errors import Ended, MinitaskError, machine_text
from minitask.patterns import lazy_pattern
from minitask.system.signals import raise_on_signals
from minitask.words import did_you_mean, nearest, plain, plain_text

if TYPE_CHECKING:
    from pathlib import Path

WATCH_SECONDS = 1.0
GREEN, RED, YELLOW, CYAN = "green", "red", "yellow", "cyan"
COLORS: Mapping[str, str] = {
    **dict.fromkeys(("✓", "merged", "passed", "ok", "proven"), GREEN),
    **dict.fromkeys(("✗", "!", "failed", "refused", "conflict", "error", "FAILED"), RED),
    **dict.fromkeys(("–", "skipped", "changed", "undone", "warning", "NOTE"), YELLOW),
    **dict.fromkeys(("●", "ready"), CYAN),
}
"""Colours of marks, states and verdicts."""
_WORDS = "|".join(COLORS)
_MARKED = lazy_pattern(rf"^(\s*)({_WORDS})(?=[ :]|$)")
_STATE = lazy_pattern(rf"^(\S+?(?:/\S+)?:?\s+)({_WORDS})(?=[ :,]|$)")
_WORKFLOW_COMMAND = lazy_pattern(r"(?m)^([ \t]*)::")
"""Start of a line that GitHub's runner executes as a command."""
_LABEL = lazy_pattern(r"^(\s+)(next|hint|fix|undo|approve|reject|edit)(?=[ :])")
_DIFF: tuple[tuple[tuple[str, ...], Mapping[str, object]], ...] = (
    (("+++", "---", "diff ", "index "), {"bold": True}),
    (("@@",), {"fg": CYAN}),
    (("+",), {"fg": GREEN}),
    (("-",), {"fg": RED}),
)


_is_colored: list[bool | None] = [None]
"""Whether output has colours; None: if the stream is a terminal."""


def choose_colors(word: str, environ: Mapping[str, str]) -> None:
    """Set colours for the process: `auto`, `always` or `never`; `NO_COLOR` or a dumb terminal makes `auto` `never`."""
    has_none = bool(environ.get("NO_COLOR")) or is_dumb(environ)
    off = word == "never" or (word == "auto" and has_none)
    _is_colored[0] = False if off else True if word == "always" else None


def is_dumb(environ: Mapping[str, str]) -> bool:
    """Return True if the terminal can do no more than print, or nothing says what it can do."""
    return environ.get("TERM", "") in ("", "dumb")


def is_colored(stream: TextIO) -> bool:
    """Return True if the output on a stream has colours."""
    return stream.isatty() if _is_colored[0] is None else _is_colored[0]


def write_output(content: str, folder: Path, file: str | None) -> None:
    """Print a text, or write it to a file, relative to a folder; what UTF-8 cannot hold becomes `?`."""
    encoded = content.encode("utf-8", "replace")
    if file is None:
        click.echo(encoded, nl=False)
    else:
        (folder / file).write_bytes(encoded)


def show(text: str, *, err: bool = False) -> None:
    """Print text with marks and states in colour, but without control characters and commands of workflows."""
    colored = is_colored(sys.stderr if err else sys.stdout)
    harmless = _WORKFLOW_COMMAND.sub(r"\1\\::", plain_text(text))
    lines = map(painted, harmless.split("\n")) if colored else [harmless]
    click.echo("\n".join(lines), err=err, color=colored)


def show_diff(text: str) -> None:
    """Print a unified diff; on a terminal in colour and without control characters."""
    colored = is_colored(sys.stdout)
    lines = map(_diff_line, text.split("\n")) if colored or sys.stdout.isatty() else [text]
    click.echo("\n".join(lines), color=colored)


def show_changes(render: Callable[[], str]) -> int:
    """Print a text again whenever it changes, until Ctrl-C; return the exit code 0."""
    shown = None
    with suppress(KeyboardInterrupt):
        while True:
            text = render()
            if text != shown:
                click.clear()
                show(text)
                shown = text
            time.sleep(WATCH_SECONDS)
    return 0


def painted(line: str) -> str:
    """Return a line with its mark, state or label in colour, as ANSI sequences."""
    for pattern in (_MARKED, _STATE):
        match = pattern.match(line)
        if match:
            word = click.style(match[2], fg=COLORS[match[2]])
            return f"{match[1]}{word}{line[match.end() :]}"
    match = _LABEL.match(line)
    return f"{match[1]}{click.style(match[2], bold=True)}{line[match.end() :]}" if match else line


def _diff_line(line: str) -> str:
    clean = plain(line)
    for heads, style in _DIFF:
        if clean.startswith(heads):
            return click.style(clean, **style)  # type: ignore[arg-type]
    return clean


ASCII = {
    "✓": "+",
    "✗": "x",
    "·": "-",
    "…": "...",
    "→": "->",
    "←": "<-",
    "±": "+-",
    "×": "x",
    "–": "-",
    "—": "-",
    "│": "|",
    "├": "|",
    "└": "`",
    "─": "-",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
HANDLER = "minitask.ascii"


def write_what_it_lacks_in_ascii(stream: TextIOWrapper) -> None:
    """Make a stream write ASCII for characters that its encoding lacks."""
    codecs.register_error(HANDLER, _in_ascii)
    stream.reconfigure(errors=HANDLER)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return similar ASCII text for characters that cannot be encoded, or else escapes as in JSON."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    import json

    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(char) or json.dumps(char)[1:-1] for char in lacking), error.end


_QUOTED = lazy_pattern(r"'([^']*)'")
_LISTED = lazy_pattern(r"(?s)( is not one of |\. Choose from:).*")
BUG, INTERRUPTED, MACHINE = 70, 130, 3
DEBUG = "MINITASK_DEBUG"


def run_command(command: click.Command) -> int:
    """Run a command with the process's arguments; return its exit code."""
    try:
        code = command.main(prog_name="minitask", standalone_mode=False)
    except MinitaskError as error:
        say(f"error: {error}")
        return error.exit_code
    except click.Abort:
        return interrupted('{"verdict": "error", "reason": "interrupted"}')
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        say(f"error: {_usage(error, command)}")
        return error.exit_code
    except OSError as error:
        say(f"error: {_system_error(error)}")
        return MACHINE
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _bug(error)
    return code if isinstance(code, int) else 0


def _system_error(error: OSError) -> str:
    """Return the text of an error of the operating system, with a fix."""
    try:
        os.getcwd()  # noqa: PTH109 - the folder itself is in question, no path
    except FileNotFoundError:
        return "the current folder does not exist any more\n  fix: cd to a folder that does"
    return machine_text(error)


def interrupted(document: str = "") -> int:
    """Print that the command was interrupted, and a JSON document with `--json`; return the exit code."""
    if document and "--json" in sys.argv:
        show(document)
    say("interrupted: run the same command again to continue")
    return INTERRUPTED


def open_closed_streams() -> None:
    """Open the null device for closed standard streams, as by `>&-`."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def end_by_signals() -> None:
    """Make SIGTERM and SIGHUP end the command like an interrupt, unless they are ignored."""
    exceptions: dict[int, type[BaseException]] = {
        number: Ended
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is signal.SIG_DFL
    }
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        exceptions[signal.SIGINT] = KeyboardInterrupt
    raise_on_signals(exceptions)


def say(text: str) -> None:
    """Print to stderr."""
    show(text, err=True)


def _usage(error: click.ClickException, program: click.Command) -> str:
    """Return the error of a command line and a hint, in two lines."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else _as_typed(program)
    hint = f"`{command} --help` says how it is used"
    kind = getattr(getattr(error, "param", None), "type", None)
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        message = f"no such option '{error.option_name}'"
        hint = _option_hint(error, program) or hint
    if isinstance(kind, click.Choice):
        message = _LISTED.sub("", message)
        choices = [str(choice) for choice in kind.choices]
        value = _QUOTED.search(message.partition(": ")[2])
        hint = did_you_mean(value[1] if value else "", choices)
    return f"{message[:1].lower()}{message[1:].rstrip('.')}\n  fix: {hint}"


def _option_hint(error: click.NoSuchOption, program: click.Command) -> str:
    """Return where an option belongs, or which one is similar, or ""."""
    name, context = error.option_name, error.ctx
    typed = _as_typed(program)
    if (context is None or context.parent is None) and " " in typed:
        return f"write it behind the command: {typed} {name}"
    if context is not None and any(name in option.opts for option in program.params):
        return f"write it before the command: minitask {name} … {context.info_name}"
    near = nearest(name, error.possibilities or ())
    return f"did you mean {near}?" if near else ""


def _as_typed(program: click.Command) -> str:
    """Return the program and the command that was typed, for an error that names none."""
    names = (
        program.list_commands(click.Context(program)) if isinstance(program, click.Group) else []
    )
    return " ".join(["minitask", *[word for word in sys.argv[1:] if word in names][:1]])


def _bug(error: Exception) -> int:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    say(f"internal error: {type(error).__name__}: {error}")
    say(f"  this is a bug of minitask: run it again with {DEBUG}=1 and report what it prints")
    return BUG
