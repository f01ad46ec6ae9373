"""The command line: one file a command; each translates its options, calls the engine and renders what came of it."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click

from minitask import __version__

COMMANDS = {
    "init": "set a repository up: minitask.yaml, mini-projects/, a first spec",
    "decide": "whether a change is worth delegating, and who does it if not",
    "new": "write a spec from a template",
    "plan": "turn a goal into specs, by an expensive model",
    "scan": "write specs for files in which a linter finds much",
    "validate": "check specs and say what is wrong with them",
    "route": "who would do a task, why, and at what cost",
    "exec": "run one task: branch, change, proof, merge",
    "run": "run all the tasks of a project, in dependency order",
    "status": "where the tasks stand",
    "graph": "draw a project: waves, what waits for what and why",
    "show": "the report of a task's latest attempt",
    "review": "judge a task, or have a whole project verified",
    "merge": "land tasks that are proven",
    "undo": "take landed tasks back",
    "report": "tokens, costs, savings and failures, over all attempts",
    "simulate": "replay routing policies over past figures; nothing is spent",
    "record-usage": "book planning that was done elsewhere: in a chat, in an agent",
    "verify": "prove a branch or commit again",
    "sync": "share task branches and the ledger with a remote",
    "clean": "remove workspaces, caches and finished branches",
    "trust": "let this repository's minitask.yaml name executors and the sandbox",
    "config": "the settings in force, and where each comes from",
    "doctor": "check git, the sandbox, the settings and the executors",
    "demo": "watch a real plan of nine specs run, in a throw-away repository",
}
"""Every command and its one line of help; a command's module has its name, with `_` for `-`."""
UNICODE = ("utf-8", "utf8")
RARELY = (100_000, 20, 100)
"""When garbage is looked for: a command makes many small values, few of them in circles, and lives a short time."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of a task's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"minitask.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="minitask %(version)s")
@click.option("-C", "folder", metavar="DIR", default=".", help="Run as if started in DIR.")
@click.pass_context
def group(ctx: click.Context, folder: str) -> None:
    """Delegate small code changes: committed Markdown specs become proven, merged git branches.

    \b
    Example:
      minitask validate && minitask run mini-projects/api
    """
    ctx.obj = folder


def main() -> None:
    """Run the command line and exit with its code."""
    from minitask.cli.edge import run_command

    gc.set_threshold(*RARELY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in UNICODE:
            from minitask.cli.streams import write_what_it_lacks_in_ascii

            write_what_it_lacks_in_ascii(stream)
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(
                errors="backslashreplace"
            )  # half characters, of names that are no UTF-8
    code = run_command(group)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    # Everything that has to be closed is closed: taking the interpreter apart would only take time.
    os._exit(code)
