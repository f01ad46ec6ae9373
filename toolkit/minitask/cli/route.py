"""`minitask route`: the tier, executor and model for each task, with reasons."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import into_option, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.find_tasks import list_tasks
from minitask.policy.route import RouteOverrides
from minitask.reports.forecasts import render_routes, routes_document
from minitask.routing.route_task import route_of


@click.command("route")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...", shell_complete=complete_tasks)
@click.option("--explain", is_flag=True, help="Show every tier, and who reviews.")
@click.option("--tier", help="Route as with `exec --tier`.")
@click.option("--executor", help="Route as with `exec --executor`.")
@click.option("--model", help="Route as with `exec --model`.")
@into_option
@json_option
def command(
    specs: tuple[str, ...],
    *,
    explain: bool,
    tier: str | None,
    executor: str | None,
    model: str | None,
    into: str | None,
    as_json: bool,
) -> int:
    """Say who would do each task, why, and what it should cost; no model is called.

    SPEC is a path, FILE#N, PROJECT or PROJECT/ID.

    \b
    Example:
      minitask route api --explain
    """
    session = start()
    with session.engine("route", quiet=True, looks_only=True) as engine:
        base = session.base(engine, into)
        tasks = list_tasks(engine, specs, base)
        demand = RouteOverrides(tier=tier, executor=executor, model=model)
        routed = [(task.name, route_of(engine, task, demand)) for task in tasks]
    if as_json:
        print_json(routes_document(routed))
    else:
        show(render_routes(routed, explain=explain))
    return 0
