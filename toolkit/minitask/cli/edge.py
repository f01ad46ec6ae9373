"""The edge: every way a command can end becomes an exit code and a message, never a bare traceback."""

from __future__ import annotations

import os
import traceback

import click

from minitask.errors import MinitaskError

BUG, INTERRUPTED, MACHINE = 70, 130, 3
DEBUG = "MINITASK_DEBUG"


def run_command(command: click.Command) -> int:
    """Run a command with the process's arguments; its exit code."""
    try:
        code = command.main(standalone_mode=False)
    except MinitaskError as error:
        say(f"error: {error}")
        return error.exit_code
    except click.Abort:
        say("interrupted: merged tasks stay merged; run the same command again to continue")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        say(f"error: {error.strerror or error}: {error.filename or 'the file system'}")
        return MACHINE
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _bug(error)
    return code if isinstance(code, int) else 0


def say(text: str) -> None:
    """Print to stderr."""
    click.echo(text, err=True)


def _bug(error: Exception) -> int:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    say(f"internal error: {type(error).__name__}: {error}")
    say(f"  hint: this is a bug of minitask; run again with {DEBUG}=1 and report what it prints")
    return BUG
