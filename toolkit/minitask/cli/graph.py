"""`minitask graph`: the dependencies and states of tasks."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, start
from minitask.cli.terminal import write_output
from minitask.engine.find_tasks import list_tasks
from minitask.errors import UsageError
from minitask.project.task_graph import find_collisions, task_graph
from minitask.reports.graph import FORMATS, graph_document, render_forecast
from minitask.words import json_text


@click.command("graph")
@click.argument(
    "specs", nargs=-1, required=True, metavar="PROJECT|SPEC...", shell_complete=complete_tasks
)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", help="Output format."
)
@click.option(
    "--forecast",
    is_flag=True,
    help="Merge the unmerged candidates in memory, and list the conflicts.",
)
@click.option("--output", metavar="FILE", help="Write to a file instead of stdout.")
@json_option
def command(
    specs: tuple[str, ...], form: str, *, forecast: bool, output: str | None, as_json: bool
) -> int:
    """Draw a project: its waves, what each task waits for and why, and which may not run at once.

    \b
    Example:
      minitask graph api --format svg --output api.svg
    """
    if forecast and form != "text" and not as_json:
        raise UsageError(f"--forecast does not work with {form}", hint="use text, or --json")
    session = start()
    with session.engine("graph", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        tasks = list_tasks(engine, specs, base)
        picture = task_graph(engine, tasks, base, project=", ".join(specs))
        statuses = [node.status for node in picture.nodes]
        collisions = find_collisions(engine, statuses, base) if forecast else None
    target = base.target.removeprefix("refs/heads/")
    if as_json:
        text = json_text(graph_document(picture, collisions), indent=2)
    else:
        text = FORMATS[form](picture)
        if collisions is not None:
            text += f"\n\n{render_forecast(collisions, target)}"
    write_output(f"{text}\n", session.folder, output)
    return 0
