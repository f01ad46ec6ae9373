"""`minitask new`: a spec from a template."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_templates
from minitask.cli.session import environment, start_folder
from minitask.errors import UsageError
from minitask.git.repository import discover
from minitask.planning.scaffold import new_spec


@click.command("new")
@click.argument("project")
@click.argument("title")
@click.option(
    "--template",
    default="mini-task",
    shell_complete=complete_templates,
    help="The template's name (default: mini-task).",
)
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="K=V",
    help="A template's variable. Repeatable.",
)
@click.pass_context
def command(
    ctx: click.Context, project: str, title: str, template: str, pairs: tuple[str, ...]
) -> int:
    """Write the next spec of PROJECT from a template, for you to fill in and commit.

    \b
    Example:
      minitask new api "Extract the routes" --template extract-module --set source=api/app.py
    """
    repository = discover(start_folder(ctx), environment())
    top = repository.top
    if top is None:
        raise UsageError("a bare repository has no files to write to", hint="run it in a checkout")
    path = new_spec(top, project=project, title=title, template=template, values=_values(pairs))
    name = path.relative_to(top)
    click.echo(f"created  {name}")
    click.echo(f"next     edit it, then: minitask validate {name} && git add {name} && git commit")
    return 0


def _values(pairs: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--set {pair} is not K=V", hint="write it like --set source=a.py")
        values[key] = value
    return values
