"""`minitask undo`: revert landed tasks."""

from __future__ import annotations

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import EXIT, json_option, print_json, start
from minitask.cli.terminal import show
from minitask.landing.merged_tasks import Undone
from minitask.ledger.record import Verdict
from minitask.project.whole_project import undo_named


@click.command("undo")
@click.argument(
    "tasks", nargs=-1, required=True, metavar="TASK|PROJECT...", shell_complete=complete_tasks
)
@click.option(
    "--into",
    metavar="BRANCH",
    help="The branch to revert them on (default: the setting target, else the current one).",
)
@json_option
def command(tasks: tuple[str, ...], into: str | None, *, as_json: bool) -> int:
    """Revert merged tasks, or all of a project, newest first, each by a commit of its own.

    \b
    Example:
      minitask undo api/02-routes
      minitask undo api
    """
    session = start()
    undone_tasks: list[Undone] = []
    with session.engine(f"undo {' '.join(tasks)}", quiet=as_json) as engine:
        for undone in undo_named(engine, tasks, lambda: session.base(engine, into)):
            undone_tasks.append(undone)
            if not as_json:
                show(_render(undone))
    if as_json:
        print_json({"tasks": [_document(item) for item in undone_tasks]})
    return max(1 if item.verdict is Verdict.READY else EXIT[item.verdict] for item in undone_tasks)


def _render(undone: Undone) -> str:
    if undone.verdict is Verdict.MERGED:
        lines = [f"✓ {undone.task}: reverted by {str(undone.commit)[:12]}"]
        if names := undone.dependents:
            depend, stay = ("depends", "stays") if len(names) == 1 else ("depend", "stay")
            command = f"minitask undo {' '.join(reversed(names))}"
            lines.append(
                f"  note   {', '.join(names)} {depend} on it, and {stay} merged: `{command}`"
            )
        return "\n".join([*lines, f"  next   minitask exec {undone.task}"])
    again = f"\n  next   minitask undo {undone.task}" if undone.verdict is Verdict.READY else ""
    return f"✗ {undone.task}: {undone.verdict.value}: {undone.reason}{again}"


def _document(undone: Undone) -> dict[str, object]:
    return {
        "task": undone.task,
        "verdict": undone.verdict.value,
        "commit": undone.commit,
        "reason": undone.reason,
        "undone": undone.undone or None,
        "dependents": undone.dependents,
    }
