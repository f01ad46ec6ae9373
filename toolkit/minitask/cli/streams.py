"""Output in whatever encoding a terminal or a pipe has: what that lacks is written in ASCII."""

from __future__ import annotations

import codecs
import os
import signal
import sys
import traceback
from io import TextIOWrapper

import click

from minitask.cli.terminal import show
from minitask.errors import Ended, MinitaskError
from minitask.patterns import lazy_pattern
from minitask.system.signals import raise_on_signals
from minitask.words import did_you_mean

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
BEYOND_16_BITS = 0x10000
HANDLER = "minitask.ascii"


def write_what_it_lacks_in_ascii(stream: TextIOWrapper) -> None:
    """Have a stream write ASCII in place of characters that its encoding lacks."""
    codecs.register_error(HANDLER, _in_ascii)
    stream.reconfigure(errors=HANDLER)


def _in_ascii(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for characters that could not be encoded; JSON's escape where nothing is like them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(ASCII.get(char) or _escaped(char) for char in lacking), error.end


def _escaped(char: str) -> str:
    code = ord(char)
    if code < BEYOND_16_BITS:
        return f"\\u{code:04x}"
    high, low = divmod(code - BEYOND_16_BITS, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


_QUOTED = lazy_pattern(r"'([^']*)'")
_LISTED = lazy_pattern(r"(?s)( is not one of |\. Choose from:).*")
_BARE = {ord("'"): None}
BUG, INTERRUPTED, MACHINE = 70, 130, 3
SPACE = "check the path, its permissions and the disk's free space"
DEBUG = "MINITASK_DEBUG"


def run_command(command: click.Command) -> int:
    """Run a command with the process's arguments; its exit code."""
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
        say(f"error: {_usage(error)}")
        return error.exit_code
    except OSError as error:
        say(
            f"error: {error.strerror or error}: {error.filename or 'the file system'}\n  fix: {SPACE}"
        )
        return MACHINE
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _bug(error)
    return code if isinstance(code, int) else 0


def interrupted(document: str = "") -> int:
    """Say that the command was interrupted, with a JSON document if one is wanted; the exit code."""
    if document and "--json" in sys.argv:
        show(document)
    say("interrupted: run the same command again to continue")
    return INTERRUPTED


def open_closed_streams() -> None:
    """Have the null device in place of standard streams that were closed, as by `>&-`."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def end_by_signals() -> None:
    """Have SIGTERM and SIGHUP end the command as an interrupt does, unless whoever started it has them ignored."""
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


def _usage(error: click.ClickException) -> str:
    """Return what is wrong with a command line and how to go on, in two lines."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "minitask"
    hint = f"`{command} --help` says how it is used"
    kind = getattr(getattr(error, "param", None), "type", None)
    message, _, near = error.format_message().partition(" Did you mean ")
    if near:
        hint = f"did you mean {near.translate(_BARE)}"
    if isinstance(kind, click.Choice):
        message = _LISTED.sub("", message)
        choices = [str(choice) for choice in kind.choices]
        given = _QUOTED.search(message.partition(": ")[2])
        hint = did_you_mean(given[1] if given else "", choices)
    return f"{message[:1].lower()}{message[1:].rstrip('.')}\n  fix: {hint}"


def _bug(error: Exception) -> int:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    say(f"internal error: {type(error).__name__}: {error}")
    say(f"  this is a bug of minitask: run it again with {DEBUG}=1 and report what it prints")
    return BUG
