"""The command line, one file per command: each translates its options, calls the engine and renders its result."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click

from minitask import __version__

COMMANDS = {
    "init": "find models, agents and keys, and write minitask.yaml for them",
    "decide": "advise whether to delegate a change, and who should do it if not",
    "do": "make one change: write its spec, commit it, run it",
    "new": "write a spec from a template",
    "plan": "have an expensive model write specs for a goal",
    "import": "turn another tool's plan into specs",
    "scan": "write specs for files with many linter findings",
    "validate": "check specs and report what is wrong",
    "route": "show who would do each task, why, and at what cost",
    "exec": "run one task: branch, change, validation, merge",
    "run": "run all tasks of a project in dependency order",
    "status": "list tasks and their states",
    "graph": "draw a project's waves and dependencies",
    "export": "write the tasks' states for another tool's board",
    "show": "show the report of a task's latest attempt",
    "diff": "print what a task changed",
    "log": "list what was merged, newest first",
    "review": "approve or reject a task, or have a model verify a project",
    "merge": "merge tasks that passed",
    "undo": "revert merged tasks",
    "report": "show tokens, costs, savings and failures of all attempts",
    "ledger": "export the records of all attempts",
    "simulate": "compare routing policies on past figures; spends nothing",
    "record-usage": "record planning done elsewhere, in a chat or an agent",
    "verify": "validate a branch or commit again",
    "audit": "prove again what was merged",
    "sync": "share task branches and the ledger with a remote",
    "clean": "remove workspaces, caches and finished branches",
    "trust": "let this repository's minitask.yaml set executors and the sandbox",
    "config": "show the effective settings and where each comes from",
    "mcp": "serve these commands to a coding agent as tools",
    "completion": "print the script for a shell's completion",
    "doctor": "check git, the sandbox, the settings and the executors",
    "demo": "run a real plan of nine specs in a temporary repository",
}
"""Commands with their help lines; a module is named after its command, with `_` for `-`."""
UNICODE = ("utf-8", "utf8")
RARELY = (100_000, 20, 100)
"""Threshold of the garbage collector: a command creates many values, few of them in cycles, and ends soon."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of a task's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"minitask.cli.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)  # noqa: S101
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the requested command; raise `UsageError` with a similar one if it does not exist."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from minitask.errors import UsageError
            from minitask.words import nearest

            options = {option for param in self.get_params(ctx) for option in param.opts}
            near = f"--{name}" if f"--{name}" in options else nearest(name, COMMANDS)
            hint = f"did you mean `minitask {near}`?" if near else "`minitask --help` lists them"
            raise UsageError(f"there is no command {name}", hint=hint)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="minitask %(version)s")
@click.option("-C", "folder", metavar="DIR", default=".", help="Run in DIR.")
@click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    help="Colours: on a terminal (default; NO_COLOR turns them off), always or never.",
)
@click.pass_context
def group(ctx: click.Context, folder: str, color: str) -> None:
    """Delegate small code changes: committed Markdown specs become proven, merged git branches.

    \b
    Example:
      minitask validate && minitask run mini-projects/api
    """
    from minitask.cli.terminal import choose_colors

    ctx.obj = folder
    choose_colors(color, os.environ)


def main() -> None:
    """Run the command line and exit with its code."""
    from minitask.cli.terminal import end_by_signals, open_closed_streams, run_command

    open_closed_streams()
    end_by_signals()
    gc.set_threshold(*RARELY)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in UNICODE:
            from minitask.cli.terminal import write_what_it_lacks_in_ascii

            write_what_it_lacks_in_ascii(stream)
        elif isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # surrogates, of names that are not UTF-8
    code = run_command(group)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    # all files are closed; ending the interpreter normally would only take time
    os._exit(code)
