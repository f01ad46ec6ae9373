"""`minitask validate`: check specs, and print diagnostics like a compiler."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import click
from msgspec.structs import replace

from minitask.cli.completion import complete_tasks
from minitask.cli.session import environment, find_repository, start_folder
from minitask.cli.terminal import show_changes
from minitask.engine.repository_settings import load_settings
from minitask.engine.spec_files import read_sources
from minitask.engine.validate_specs import Checked, check_sources
from minitask.errors import MinitaskError
from minitask.git.repository import share_modes
from minitask.reports.diagnostics import FORMATS, render_diagnostics
from minitask.spec.model import Diagnostic


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=complete_tasks)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="text", help="Output format."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--explain", metavar="CODE", help="Explain a rule: why it exists and how to fix what it finds."
)
@click.option(
    "--grade",
    "grades",
    is_flag=True,
    help="Plant faults in the lines that edit scripts add, and report how many the validations catch.",
)
@click.option("--watch", is_flag=True, help="Check again whenever a spec changes, until Ctrl-C.")
def command(
    paths: tuple[str, ...],
    form: str,
    explain: str | None,
    *,
    as_json: bool,
    grades: bool,
    watch: bool,
) -> int:
    """Check specs (default: all below mini-projects/). Exits with 2 where there is an error.

    PATH is a spec file, a folder of them, a project's name or a task's. Each spec is checked against the others of its
    project, and its edit script is tried; only what was named is reported on.

    \b
    Example:
      minitask validate mini-projects/api --format github
    """
    if explain is not None:
        from minitask.spec.rules import explain as explain_rule

        click.echo(explain_rule(explain))
        return 0
    if watch:
        return show_changes(lambda: _watched(paths))
    gc.disable()  # a short process with many small values: collection takes a third of its time
    checked, top = _check(paths)
    diagnostics = checked.diagnostics
    if grades and not checked.has_errors:
        diagnostics += _grades(paths)
    form = "json" if as_json else form
    shown = _from_here(diagnostics, top) if form == "text" else diagnostics
    text = render_diagnostics(shown, form=form, spec_count=checked.spec_count)
    click.echo(text.encode("utf-8", "replace"), nl=False)
    return 2 if checked.has_errors else 0


def _from_here(diagnostics: tuple[Diagnostic, ...], top: Path) -> tuple[Diagnostic, ...]:
    """Return the diagnostics with paths relative to the user's folder, for a terminal's links."""
    here = Path.cwd()
    if here == top or not here.is_relative_to(top):
        return diagnostics
    return tuple(replace(item, path=os.path.relpath(top / item.path, here)) for item in diagnostics)


def _check(paths: tuple[str, ...]) -> tuple[Checked, Path]:
    """Return the checked specs, and the folder that their paths are relative to."""
    folder = start_folder()
    repository = find_repository(folder)
    if repository:
        share_modes(repository)
    top = repository.top if repository and repository.top else folder
    around = repository if repository and repository.top else None
    settings = load_settings(repository, environment())
    return check_sources(read_sources(top, folder, paths), around, settings), top


def _watched(paths: tuple[str, ...]) -> str:
    """Return the current diagnostics, or the error that prevents the check."""
    try:
        checked, top = _check(paths)
    except MinitaskError as error:
        return f"error: {error}"
    shown = _from_here(checked.diagnostics, top)
    return render_diagnostics(shown, form="text", spec_count=checked.spec_count).rstrip("\n")


def _grades(paths: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """Return a note on each spec with an edit script: the share of planted faults that its validation notices."""
    from minitask.cli.session import start
    from minitask.engine.find_tasks import list_tasks
    from minitask.engine.tasks import PROJECTS
    from minitask.planning.verify_project import grade_specs

    session = start()
    with session.engine("validate --grade", quiet=True) as engine:
        base = session.base(engine)
        return tuple(grade_specs(engine, list_tasks(engine, paths or (PROJECTS,), base)))
