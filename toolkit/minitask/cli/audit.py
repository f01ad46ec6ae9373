"""`minitask audit`: prove landed tasks again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import json_option, landed_of, moment, print_json, start
from minitask.cli.terminal import show
from minitask.engine.tasks import Base
from minitask.git.history import LandedTask
from minitask.landing.merged_tasks import audit, statement
from minitask.reports.task_lists import audit_document, render_audit


@click.command("audit")
@click.argument("projects", nargs=-1, metavar="[PROJECT]...", shell_complete=complete_tasks)
@click.option("--since", metavar="DATE", help="Only what was merged then or later: 2026-01-31.")
@click.option(
    "-n", "--number", type=click.IntRange(min=1), metavar="N", help="Only the newest N merges."
)
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Only N merges, chosen at random."
)
@click.option(
    "--into",
    metavar="BRANCH",
    help="The branch to look at (default: the setting target, else the current one).",
)
@click.option("--attest", metavar="FILE", help="Write what is proven as an in-toto statement.")
@json_option
def command(
    projects: tuple[str, ...],
    since: str | None,
    number: int | None,
    sample: int | None,
    into: str | None,
    attest: str | None,
    *,
    as_json: bool,
) -> int:
    """Run the validation of every merged task again, each on a fresh checkout of its own merge.

    It needs nothing but the repository: the spec is read from the merge's own history. Exits with 1 if one fails.

    \b
    Example:
      minitask audit --since 2026-01-31 --sample 20
    """
    session = start()
    with session.engine("audit", quiet=as_json) as engine:
        base = session.base(engine, into)
        merges_and_undos = _since(landed_of(engine, base, projects), since)
        undone = _undone(merges_and_undos)
        merges = [landed for landed in merges_and_undos if landed not in undone][:number]
        if sample is not None and sample < len(merges):
            merges = random.SystemRandom().sample(merges, sample)
        results = tuple(audit(engine, merges, Base(base.base, "", session.folder)))
        content = statement(results, engine.repository.object_format)
    if attest is not None:
        Path(session.folder, attest).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    if as_json:
        print_json(audit_document(results, undone))
    else:
        show(render_audit(results))
    return 0 if all(result.is_proven for result in results) else 1


def _since(landed: Iterable[LandedTask], since: str | None) -> list[LandedTask]:
    begin = moment(since, option="--since") if since else ""
    return [commit for commit in landed if not begin or moment(commit.date, option="") >= begin]


def _undone(landed: Sequence[LandedTask]) -> list[LandedTask]:
    """Return the commits that undid a task, and the merges that they undid; `landed` has the newest first."""
    taken_back: set[str] = set()
    undone = []
    for commit in landed:
        if commit.undone:
            taken_back.add(commit.task)
        if commit.task in taken_back:
            undone.append(commit)
    return undone
