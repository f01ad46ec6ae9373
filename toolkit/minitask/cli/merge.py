"""`minitask merge`: land what is proven."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import Session, exit_code, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.engine.find_tasks import full_name
from minitask.ledger.record_json import result_document
from minitask.reports.results import render_result
from minitask.task.merge_later import merge_task


@click.command("merge")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=complete_tasks)
@click.option(
    "--into", metavar="BRANCH", help="The branch to merge into (default: the current one)."
)
@click.option(
    "--pr", "opens", is_flag=True, help="Push the branches and open pull requests; merge nothing."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, tasks: tuple[str, ...], into: str | None, *, opens: bool, as_json: bool
) -> int:
    """Merge proven tasks; a merge that was not validated as it is now is validated first.

    \b
    Example:
      minitask merge api/02-routes api/03-tests
    """
    session = start(ctx)
    if opens:
        return _publish(session, tasks, into, as_json=as_json)
    results = []
    with session.engine(f"merge {' '.join(tasks)}", quiet=as_json) as engine:
        for word in tasks:
            base = session.base(engine, into)
            result = merge_task(engine, full_name(engine, word, base), base)
            results.append(result)
            if not as_json:
                show(render_result(result))
    if as_json:
        print_json({"tasks": [result_document(result) for result in results]})
    if session.settings.forge.comment:
        from minitask.cli.pull_requests import tell_issues

        tell_issues(session, results)
    return exit_code(results)


def _publish(session: Session, tasks: tuple[str, ...], into: str | None, *, as_json: bool) -> int:
    from minitask.cli.pull_requests import choose_forge, publish

    forge = choose_forge(session)
    with session.engine(f"merge {' '.join(tasks)}", quiet=as_json) as engine:
        base = session.base(engine, into)
        names = [full_name(engine, word, base) for word in tasks]
        published = publish(engine, names, base, forge)
    if as_json:
        print_json({"tasks": [result_document(result) for result in published.results]})
    else:
        for result in published.results:
            show(render_result(result))
    if published.problem is not None:
        raise published.problem
    return exit_code(published.results)
