"""`minitask demo`: a real plan of nine specs, run in a temporary repository."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import click

from minitask.cli.session import environment
from minitask.cli.terminal import say, show
from minitask.engine.context import Progress
from minitask.errors import UsageError
from minitask.ledger.record import Verdict
from minitask.project.demo import PROJECT, run_demo
from minitask.reports.results import render_demo


@click.command("demo")
@click.argument("folder", required=False, type=click.Path(file_okay=False))
def command(folder: str | None) -> int:
    """Split a module of 2,897 lines into a package, in a new repository (in FOLDER, or a temporary one).

    Nine specs run, each on a branch of its own; one of them is wrong on purpose, and does not merge.

    \b
    Example:
      minitask demo
    """
    path = Path(folder).absolute() if folder else Path(tempfile.mkdtemp(prefix="minitask-demo-"))
    if path.exists() and any(path.iterdir()):
        raise UsageError(f"{path} is not empty", hint="name a folder that does not exist yet")
    say(f"running mini-projects/{PROJECT} in {path}")
    shown = run_demo(path, environment(), _progress)
    is_on_path = shutil.which("minitask", path=environment().get("PATH", ""))
    program = "minitask" if is_on_path else shlex.quote(str(Path(sys.argv[0]).absolute()))
    show(render_demo(shown, program=program))
    landed = sum(result.verdict is Verdict.MERGED for result in shown.results)
    return 0 if landed == len(shown.results) - 1 else 1


def _progress(event: Progress) -> None:
    if event.stage == "done":
        say(f"  {event.task}: {event.text}")
