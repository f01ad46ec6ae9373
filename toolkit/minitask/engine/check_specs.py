"""Check tasks before they run, by the same rules as `validate`; errors stop a task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from minitask.edits.checker import CheckedSpec, check_one, check_specs
from minitask.edits.related_specs import Universe
from minitask.engine.anchors import CommitGround
from minitask.engine.context import Context, Progress
from minitask.engine.find_tasks import spec_paths
from minitask.engine.repository_settings import check_filters, check_route
from minitask.engine.tasks import PROJECTS, Base, Task, load_file, refusal
from minitask.errors import MinitaskError, RefusedError
from minitask.git.history import all_landings
from minitask.spec.checks import check_anchor
from minitask.spec.model import Diagnostic, Spec

UNUSABLE = frozenset({"E212", "E401"})
"""Rules on required parts of a spec: a spec without one stops the command, like an unreadable one."""
WARNED = frozenset({"W217", "W402", "W414", "W415", "W417", "W420"})
"""Warnings repeated when a task starts: cited lines that may be wrong, and requirements that nothing checks."""


def _by_project(tasks: Sequence[Task]) -> list[list[Task]]:
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(_project(task), []).append(task)
    return list(groups.values())


def warn(
    engine: Context, tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec], base: Base
) -> None:
    """Emit the warnings on tasks that may not do, or not prove, what their specs require."""
    files = {task.path: load_file(engine, task.path, base) for task in tasks}
    for task in tasks:
        parsed = files.pop(task.path).parsed.diagnostics if task.path in files else ()
        for diagnostic in (*parsed, *verdicts[task.name].diagnostics):
            if diagnostic.code in WARNED:
                text = f"{diagnostic.code} {diagnostic.path}:{diagnostic.line}: {diagnostic.message}; {diagnostic.hint}"
                engine.emit(Progress(task.name, "warning", text))


def waits_for(
    tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec]
) -> Mapping[str, tuple[str, ...]]:
    """Return the undeclared dependencies of each task on other given tasks."""
    names = {id(task.spec): task.name for task in tasks}
    return {
        name: tuple(names[id(spec)] for spec in verdict.waits_for if id(spec) in names)
        for name, verdict in verdicts.items()
    }


def refusals(
    tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec]
) -> Mapping[str, MinitaskError]:
    """Return why tasks of a run are refused, by name; raise the error of a spec that lacks a required part."""
    errors_by_name: dict[str, MinitaskError] = {}
    for task in tasks:
        errors = verdicts[task.name].errors
        unusable = [diagnostic for diagnostic in errors if diagnostic.code in UNUSABLE]
        if unusable:
            raise refusal(task.path, unusable)
        if errors:
            errors_by_name[task.name] = refusal(task.path, errors)
    return errors_by_name


def check_alone(engine: Context, task: Task) -> None:
    """Refuse a task that cannot start from its base, regardless of other tasks."""
    ground = _ground(engine, task.base, [task])
    verdict = check_one(task.spec, ground=ground, protected=engine.settings.protected)
    errors = (*_own_errors(engine, task), *verdict.errors)
    if errors:
        error = refusal(task.path, errors)
        raise RefusedError(error.message, where=error.where, hint=error.hint)


class SpecCheck(Struct, frozen=True, dict=True):
    """The check of tasks at a commit, given all specs committed there; each spec is read once."""

    engine: Context
    base: Base

    def check_tasks(
        self, tasks: Sequence[Task], *, again: bool = False, is_routed: bool = False
    ) -> Mapping[str, CheckedSpec]:
        """Return the verdict on each task, by name.

        `is_routed`: the user chose the executor, whatever the specs request.
        """
        verdicts: dict[str, CheckedSpec] = {}
        for group in _by_project(tasks):
            verdicts |= self._verdicts(group, again=again, is_routed=is_routed)
        return verdicts

    def tasks_beside(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the other tasks of their projects, and those of other projects that they depend on."""
        paths = {task.path for task in tasks}
        others = (
            task
            for group in _by_project(tasks)
            for task in self._everyone(group)
            if task.path not in paths
        )
        return list({f"{task.path}#{task.spec.index}": task for task in others}.values())

    def _verdicts(
        self, tasks: Sequence[Task], *, again: bool, is_routed: bool
    ) -> dict[str, CheckedSpec]:
        """Return the verdicts of tasks of one project, by name."""
        engine, everyone = self.engine, self._everyone(tasks)
        landed = self._landed(everyone, again=tasks if again else ())
        verdicts = check_specs(
            [task.spec for task in everyone],
            ground=_ground(engine, self.base.base, everyone),
            judged=[task.spec for task in tasks],
            landed=landed,
            protected=engine.settings.protected,
        )
        landed_ids = set(map(id, landed))
        checked = {}
        for task, verdict in zip(tasks, verdicts, strict=True):
            errors: tuple[Diagnostic, ...] = ()
            if id(task.spec) not in landed_ids:
                route = () if is_routed else check_route(task.spec, engine.settings)
                errors = (*_own_errors(engine, task), *route)
            diagnostics = (*errors, *verdict.diagnostics)
            checked[task.name] = CheckedSpec(diagnostics, verdict.waits_for)
        return checked

    def _everyone(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks of one project, then all other tasks that are relevant to them."""
        own_paths = {task.path for task in tasks}
        near = self._load(self._near(tasks) - own_paths)
        everyone = [*tasks, *near]
        specs = [task.spec for task in tasks]
        universe = Universe(specs, [task.spec for task in near], self._is_there)
        if not universe.is_complete:
            far = self._load(self._all_paths - {task.path for task in everyone})
            needed = set(map(id, universe.with_others([task.spec for task in far]).far))
            everyone += [task for task in far if id(task.spec) in needed]
        return everyone

    def _near(self, tasks: Sequence[Task]) -> set[str]:
        """Return the spec files of the tasks' projects, by folder and by name."""
        projects = {f"{PROJECTS}/{_project(task)}" for task in tasks}
        homes = {_home(task) for task in tasks} | projects | {f"{name}.md" for name in projects}
        return {path for home in homes for path in spec_paths(self.engine, self.base.base, home)}

    @cached_property
    def _all_paths(self) -> set[str]:
        return set(spec_paths(self.engine, self.base.base, PROJECTS))

    def _load(self, paths: Iterable[str]) -> list[Task]:
        return [task for path in sorted(paths) for task in self._tasks_of(path)]

    def _tasks_of(self, path: str) -> tuple[Task, ...]:
        if path not in self._read:
            self._read[path] = load_file(self.engine, path, self.base).tasks
        return self._read[path]

    @cached_property
    def _read(self) -> dict[str, tuple[Task, ...]]:
        return {}

    def _is_there(self, path: str) -> bool:
        return self.engine.objects.entry(self.base.base, path) is not None

    def _landed(self, everyone: Sequence[Task], *, again: Sequence[Task]) -> list[Spec]:
        """Return the specs that have landed in their committed version, except for those to run again."""
        again_ids = {id(task.spec) for task in again}
        tasks = [task for task in everyone if id(task.spec) not in again_ids]
        if not tasks:
            return []
        engine, names = self.engine, [task.name for task in everyone]
        landings = all_landings(engine.repository.git, engine.objects, self.base.base, names)
        return [
            task.spec
            for task in tasks
            if (landing := landings.get(task.name)) is not None
            and not landing.undone
            and landing.spec == f"{task.path}@{task.blob}"
        ]


def _own_errors(engine: Context, task: Task) -> tuple[Diagnostic, ...]:
    """Return the errors of a task's anchor, and of files with a git filter."""
    spec, revision = task.spec, task.spec.options.anchor
    anchor = check_anchor(spec, commit=engine.objects.commit(revision) if revision else None)
    return (*anchor, *check_filters([spec], engine.repository, engine.objects, task.base))


def _ground(engine: Context, base: str, tasks: Sequence[Task]) -> CommitGround:
    uncommitted = frozenset(task.path for task in tasks if task.uncommitted)
    return CommitGround(engine.repository.git, engine.objects, base, uncommitted)


def _project(task: Task) -> str:
    return task.name.partition("/")[0]


def _home(task: Task) -> str:
    """Return the folder of a task's project: one below `mini-projects/`, or its file's own."""
    parts = task.path.split("/")
    if parts[0] == PROJECTS and len(parts) > 2:
        return f"{PROJECTS}/{parts[1]}"
    return task.path if parts[0] == PROJECTS else task.path.rpartition("/")[0] or task.path
