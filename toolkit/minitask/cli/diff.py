"""`minitask diff`: the change of an attempt."""

from __future__ import annotations

import click
from msgspec import to_builtins

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, print_json, start
from minitask.cli.terminal import show, show_diff
from minitask.engine.find_tasks import full_name
from minitask.engine.task_records import changes_of


@click.command("diff")
@click.argument("task", shell_complete=complete_tasks)
@click.option("--stat", is_flag=True, help="List the files with lines added and removed.")
@click.option("--attempt", "number", type=int, metavar="N", help="Another attempt's change.")
@json_option
def command(task: str, *, stat: bool, number: int | None, as_json: bool) -> int:
    """Print the change of a task's latest attempt, merged or not, with what people committed on its branch.

    \b
    Example:
      minitask diff api/02-routes --stat
    """
    session = start()
    with session.engine(f"diff {task}", quiet=True, looks_only=True) as engine:
        name = full_name(engine, task, session.base(engine))
        change = changes_of(engine, name, number)
    if as_json:
        ends = {"base": change.base, "commit": change.commit, "attempt": change.attempt}
        files = to_builtins(change.files)
        print_json({"task": name, **ends, "files": files, "diff": change.patch})
    elif stat:
        lines = []
        for file in change.files:
            counts = "binary" if file.added is None else f"+{file.added} -{file.removed}"
            lines.append(f"{file.status}  {file.path}  {counts}")
        show("\n".join(lines) or "no change")
    else:
        show_diff(change.patch.rstrip("\n") or "no change")
    return 0
