"""What `validate` calls an error, `exec` and `run` refuse, and nothing else: over generated sets of specs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.spec_sets import SETTINGS, base_files, spec_sets
from minitask.engine.context import Context, open_context
from minitask.engine.find_tasks import find_tasks
from minitask.engine.repository_settings import load_settings
from minitask.engine.spec_files import read_sources
from minitask.engine.tasks import Base, Task
from minitask.engine.validate_specs import check_sources
from minitask.errors import MinitaskError
from minitask.git.repository import discover
from minitask.policy.budget import Budget
from minitask.policy.route import SCRIPT, RouteOverrides
from minitask.project.load_project import make_plan
from minitask.routing.route_task import route_of
from minitask.spec.model import Severity
from minitask.task.earlier_work import find_unmet
from minitask.task.life import run_task
from minitask.task.prepare import prepare
from minitask.task.state import RunOptions
from world import World

GOOD = ("ready", "merged")


@dataclass(frozen=True)
class Sets:
    """A repository with generated projects, and the codes of the errors that `validate` finds, by spec."""

    world: World
    projects: dict[str, dict[str, str]]
    errors: dict[str, list[str]]

    def specs(self, project: str) -> list[str]:
        return [f"mini-projects/{project}/{name}" for name in self.projects[project]]

    @contextmanager
    def engine(self) -> Iterator[tuple[Context, Base]]:
        environ = {**os.environ, "MINITASK_SANDBOX": "none"}
        repository = discover(self.world.root, environ)
        settings = load_settings(repository, environ)
        with open_context(repository, settings, environ=environ, purpose="test") as engine:
            target = engine.target(None)
            yield engine, Base(engine.tip(target), target, Path(self.world.root))


@pytest.fixture(params=[10, pytest.param(100, marks=pytest.mark.sweep)])
def sets(world: World, request: pytest.FixtureRequest) -> Sets:
    """Many sets in one repository, committed."""
    world.configure(**SETTINGS)
    projects = dict(spec_sets(request.param, seed=int(os.environ.get("SPEC_SETS_SEED", "1"))))
    world.commit(base_files(projects), message="base")
    texts = {
        f"mini-projects/{project}/{name}": text
        for project, specs in projects.items()
        for name, text in specs.items()
    }
    world.commit({**texts}, message="specs")
    return Sets(world, projects, validate(world.root))


def validate(top: Path) -> dict[str, list[str]]:
    """The errors by spec."""
    repository = discover(top, os.environ)
    checked = check_sources(
        read_sources(top, top, []), repository, load_settings(repository, os.environ)
    )
    found: dict[str, list[str]] = {}
    for item in checked.diagnostics:
        if item.severity is Severity.ERROR:
            found.setdefault(item.path, []).append(f"{item.code} {item.message}")
    return found


def is_wrong_alone(errors: list[str]) -> bool:
    """Whether there is an error besides E309, which two specs make together."""
    return any(not text.startswith("E309") for text in errors)


def wishes(*, merge: bool = False) -> RunOptions:
    return RunOptions(RouteOverrides(), merge=merge, again=False, budget=Budget(None))


def why_not(engine: Context, place: Base, path: str) -> str:
    """Why `exec` of a spec refuses it; a spec's own edits are made and judged, models are not asked."""
    try:
        [task] = find_tasks(engine, [path], place).tasks
        if find_unmet(engine, task, place) is not None:
            return ""
        if route_of(engine, task).executor != SCRIPT or task.spec.commands:
            prepare(engine, task, wishes(), started=0.0)
            return ""
    except MinitaskError as error:
        return str(error)
    result = run_task(engine, task, wishes())
    return "" if result.verdict in GOOD else f"{result.verdict.value}: {result.reason}"


def refused_by_run(engine: Context, place: Base, project: str) -> dict[str, str] | str:
    """What a run refuses from the start, by spec; or what stops it as a whole."""
    try:
        found = find_tasks(engine, [project], place)
        plan = make_plan(engine, found, place)
    except MinitaskError as error:
        return str(error)
    return {
        task.path: str(plan.refused[task.name]) for task in plan.tasks if task.name in plan.refused
    }


def is_scripted(task: Task) -> bool:
    options = task.spec.options
    return not (options.tier or options.executor or options.model or task.spec.commands)


@pytest.mark.variant
def test_what_validate_calls_an_error_is_refused_and_nothing_else(sets: Sets) -> None:
    different: list[tuple[str, str, object, object]] = []
    errors = sets.errors
    with sets.engine() as (engine, place):
        for project in sets.projects:
            paths = sets.specs(project)
            run = refused_by_run(engine, place, project)
            if isinstance(run, str):
                if not any(path in errors for path in paths):
                    different.append(("run", project, [], run))
            else:
                different += [
                    ("run", path, errors.get(path), run.get(path))
                    for path in paths
                    if (path in errors) != (path in run)
                ]
            for path in paths:
                reason = why_not(engine, place, path)
                if is_wrong_alone(errors.get(path, [])) != bool(reason):
                    different.append(("exec", path, errors.get(path), reason))
    assert not different
    sound = sum(path not in errors for project in sets.projects for path in sets.specs(project))
    assert len(errors) > len(sets.projects) // 2
    assert sound > len(sets.projects) // 2


def test_a_run_of_what_validate_accepts_lands_it_all(sets: Sets) -> None:
    with sets.engine() as (engine, place):
        sound = [
            project
            for project in sets.projects
            if not any(path in sets.errors for path in sets.specs(project))
        ]
        found = {project: find_tasks(engine, [project], place).tasks for project in sound}
        scripted = [
            project
            for project, tasks in found.items()
            if all(is_scripted(task) and route_of_script(engine, task) for task in tasks)
        ]
    chosen = sorted(scripted, key=lambda project: -len(found[project]))[: len(sets.projects) // 10]
    assert len(chosen) == len(sets.projects) // 10
    outcome = sets.world.minitask("run", *chosen, "--json")
    verdicts = {task["task"]: task["verdict"] for task in outcome.json["tasks"]}
    assert set(verdicts.values()) == {"merged"}, outcome.text


def route_of_script(engine: Context, task: Task) -> bool:
    return route_of(engine, task).executor == SCRIPT
