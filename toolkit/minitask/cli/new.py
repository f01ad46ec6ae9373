"""`minitask new`: a spec from a template."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from minitask.cli.completion import complete_templates
from minitask.cli.session import environment, start_folder
from minitask.cli.terminal import show
from minitask.errors import MinitaskError, UsageError
from minitask.git.repository import discover
from minitask.planning.scaffold import (
    next_spec,
    read_template,
    render_list,
    render_variables,
    template_files,
)
from minitask.words import did_you_mean, one_line

STANDARD_TEMPLATE = "mini-task"


class NewCommand(click.Command):
    """The command `new`, whose help ends with the variables of a template named before `--help`."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the variables of the named template."""
        name = ctx.params.get("template")
        if not name:
            return
        try:
            top = discover(start_folder(), environment()).top
        except MinitaskError:
            top = None
        file = template_files(top).get(name)
        if file is not None:
            formatter.write(f"\n{render_variables(read_template(name, file.read_text('utf-8')))}\n")


@click.command("new", cls=NewCommand)
@click.argument("project", required=False)
@click.argument("title", required=False)
@click.option(
    "--template",
    is_eager=True,
    shell_complete=complete_templates,
    help="The template's name (default: mini-task).",
)
@click.option(
    "--list", "lists", is_flag=True, help="List the templates; with --template, its variables."
)
@click.option(
    "--set", "pairs", multiple=True, metavar="K=V", help="A template's variable. Repeatable."
)
def command(
    project: str | None,
    title: str | None,
    template: str | None,
    *,
    lists: bool,
    pairs: tuple[str, ...],
) -> int:
    """Write the next spec of PROJECT from a template, for you to fill in and commit.

    \b
    Example:
      minitask new --list
      minitask new --template extract-module --help
      minitask new api "Extract the routes" --template extract-module --set source=api/app.py
    """
    repository = discover(start_folder(), environment())
    if lists:
        return _list(template_files(repository.top), template)
    title = one_line(title or "")
    if not project or not title:
        raise UsageError("name a project and a title", hint="minitask new PROJECT TITLE")
    template, values = template or STANDARD_TEMPLATE, _values(pairs)
    checkout = repository.checkout()
    spec = next_spec(checkout, project=project, title=title, template=template, values=values)
    spec.write()
    name = os.path.relpath(spec.path, start_folder())
    click.echo(f"created  {name}")
    commit = f"git add -- {name} && git commit -m {shlex.quote(f'spec: {title}')} -- {name}"
    click.echo(f"next     edit it, then: minitask validate {name} && {commit}")
    return 0


def _list(files: Mapping[str, Path], name: str | None) -> int:
    if name is not None and name not in files:
        raise UsageError(f"no template named {name}", hint=did_you_mean(name, sorted(files)))
    names = sorted(files) if name is None else [name]
    templates = [read_template(each, files[each].read_text("utf-8")) for each in names]
    show(render_list(templates) if name is None else render_variables(templates[0]))
    return 0


def _values(pairs: tuple[str, ...]) -> dict[str, str]:
    values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.isidentifier():
            raise UsageError(f"--set {pair} is not K=V", hint="write it like --set source=a.py")
        values[key] = value
    return values
