"""The demo: a plan of nine specs, run in a temporary repository, and its estimated cost with models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask import resources
from minitask.engine.context import Context, Progress, open_context
from minitask.engine.find_tasks import find_tasks
from minitask.engine.repository_settings import load_settings
from minitask.engine.tasks import PROJECTS, Base
from minitask.errors import MachineError
from minitask.git.repository import create_repository, discover
from minitask.ledger.record import TaskResult, whole
from minitask.policy.route import RouteOverrides
from minitask.project.call_pool import ThreadCallPool
from minitask.project.load_project import run_project
from minitask.routing.requests import baseline_cost
from minitask.task.state import RunOptions

if TYPE_CHECKING:
    from git import Repo

PROJECT = "split-todoist"


class DemoResult(Struct, frozen=True):
    """The result of the demo: the tasks, the module's lines by file, and estimated costs.

    `branches` and `merges` are pairs of an abbreviated commit id, and a branch's name or a merge's subject.
    """

    folder: Path
    results: tuple[TaskResult, ...]
    branches: Sequence[tuple[str, str]]
    merges: Sequence[tuple[str, str]]
    lines_before: Mapping[str, int]
    lines_after: Mapping[str, int]
    models: Mapping[str, str]
    estimates_usd: Mapping[str, Decimal | None]
    seconds: float


def run_demo(
    folder: Path, environ: Mapping[str, str], emit: Callable[[Progress], None]
) -> DemoResult:
    """Create the repository in an empty folder, and run its project."""
    create_repository(
        folder, demo_files(), message="A module, and the plan that splits it", environ=environ
    )
    repository = discover(folder, environ)
    settings = load_settings(repository, environ)
    with open_context(repository, settings, environ=environ, purpose="demo", emit=emit) as engine:
        started = engine.clock()
        target = engine.target(None)
        base = Base(engine.tip(target), target, folder)
        before = _python_lines(engine, base.base)
        selected = find_tasks(engine, [f"{PROJECTS}/{PROJECT}"], base)
        options = RunOptions(RouteOverrides())
        results = run_project(
            engine, selected, base=base, options=options, askers=ThreadCallPool(engine, width=1)
        )
        repo = _open(folder)
        return DemoResult(
            folder=folder,
            results=results,
            branches=_task_branches(repo),
            merges=_merges(repo),
            lines_before=before,
            lines_after=_python_lines(engine, engine.tip(target)),
            models=settings.baseline,
            estimates_usd={kind: _estimate(engine, results, kind) for kind in settings.baseline},
            seconds=engine.clock() - started,
        )


def demo_files() -> dict[str, str]:
    """Return the generated tree and the nine specs."""
    folder = resources.path("mini-projects", PROJECT)
    generator = spec_from_file_location("split_todoist_generate", folder / "generate.py")
    if generator is None or generator.loader is None:
        raise MachineError(f"{folder} has no generator", hint="install minitask again")
    module = module_from_spec(generator)
    sys.modules[generator.name] = module  # dataclasses look up their module
    generator.loader.exec_module(module)
    files: dict[str, str] = dict(module.tree())
    for path in sorted(folder.glob("*.md")):
        files[f"{PROJECTS}/{PROJECT}/{path.name}"] = path.read_text("utf-8")
    return files


def _python_lines(engine: Context, commit: str) -> dict[str, int]:
    """Return the number of lines of each Python file below `core/agents`."""
    git, objects = engine.repository.git, engine.objects
    paths = git.fields("ls-tree", "-r", "-z", "--name-only", commit, "--", "core/agents")
    entries = {path: objects.entry(commit, path) for path in paths if path.endswith(".py")}
    return {path: objects.blob(entry.oid).count(b"\n") for path, entry in entries.items() if entry}


def _estimate(engine: Context, results: Sequence[TaskResult], kind: str) -> Decimal | None:
    usages = [result.estimate for result in results if result.estimate]
    return whole(baseline_cost(engine, usage, kind=kind) for usage in usages) if usages else None


def _task_branches(repo: Repo) -> list[tuple[str, str]]:
    """Return the commit and name of each task branch, by name."""
    heads = sorted(repo.heads, key=lambda head: head.name)
    return [
        (head.commit.hexsha[:9], head.name) for head in heads if head.name.startswith("minitask/")
    ]


def _merges(repo: Repo) -> list[tuple[str, str]]:
    """Return the commit and subject of each merge on main's first-parent line, oldest first."""
    commits = repo.iter_commits("main", first_parent=True, merges=True, reverse=True)
    return [(commit.hexsha[:9], str(commit.summary)) for commit in commits]


def _open(top: Path) -> Repo:
    """Open the repository with GitPython, since speed does not matter here."""
    from git import Repo

    repo = Repo(top)
    repo.git.update_environment(GIT_DIR=str(repo.git_dir), GIT_WORK_TREE=str(top))
    return repo
