"""`minitask init`: set a repository up."""

from __future__ import annotations

import click

from minitask.cli.session import environment, start_folder
from minitask.errors import UsageError
from minitask.git.repository import discover
from minitask.planning.scaffold import AGENT_FILES, init_repository


@click.command("init")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME",
    help=f"Teach a coding agent to write specs: {', '.join(AGENT_FILES)}. Repeatable.",
)
@click.pass_context
def command(ctx: click.Context, agents: tuple[str, ...]) -> int:
    """Write minitask.yaml, mini-projects/ with the templates, and agents' instructions. Nothing is overwritten.

    \b
    Example:
      minitask init --agent claude --agent codex
    """
    repository = discover(start_folder(ctx), environment())
    if repository.top is None:
        raise UsageError("a bare repository has no files to set up", hint="run it in a checkout")
    for item in init_repository(repository.top, agents):
        click.echo(f"{item.what:8} {item.path}")
    click.echo('next     minitask new my-project "What the first task does"')
    return 0
