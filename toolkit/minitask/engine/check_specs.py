"""Checking tasks before they run, by the same rules as `validate`: what it calls an error is refused here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from minitask.edits.checker import CheckedSpec, check_one, check_specs
from minitask.edits.related_specs import Universe
from minitask.engine.anchors import CommitGround
from minitask.engine.context import Context, Progress
from minitask.engine.find_tasks import spec_paths
from minitask.engine.repository_settings import check_filters, check_route
from minitask.engine.spec_files import CommittedFiles
from minitask.engine.tasks import PROJECTS, Base, Task, load_file
from minitask.errors import MinitaskError, RefusedError, UsageError
from minitask.git.history import all_landings
from minitask.spec.checks import check_anchor
from minitask.spec.model import Diagnostic, Spec

UNUSABLE = frozenset({"E212", "E401"})
"""Rules about what every spec must have: one that lacks it stops the command, as one that cannot be read does."""
REFUSED = frozenset({"E213", "E215", "E219", "E220"})
"""Rules about what changed since the spec was written, or is forbidden here: the task is refused, where other errors
are bad usage.
"""

TOLD = frozenset({"W217", "W402", "W414", "W415", "W417", "W420"})
"""Warnings that are told when a task begins, for who did not ask `validate`: lines that are not those that the spec
means, and words of it that nothing checks.
"""


def check_tasks(
    engine: Context,
    tasks: Sequence[Task],
    base: Base,
    *,
    again: bool = False,
    is_routed: bool = False,
) -> Mapping[str, CheckedSpec]:
    """Return the verdict of each task at a commit, by its name, given all that is committed beside it.

    `is_routed` says that the user chose who does them, whatever the specs ask for.
    """
    return Check(engine, tuple(tasks), base, again=again, is_routed=is_routed).verdicts()


def tasks_beside(engine: Context, tasks: Sequence[Task], base: Base) -> list[Task]:
    """Return the other tasks of their projects, and those of further projects that they build on."""
    others: dict[str, Task] = {}
    paths = {task.path for task in tasks}
    for task in Check(engine, tuple(tasks), base).others():
        if task.path not in paths:
            others[f"{task.path}#{task.spec.index}"] = task
    return list(others.values())


def warn(
    engine: Context, tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec], base: Base
) -> None:
    """Tell whoever watches of tasks that may not do, or not prove, what their specs say."""
    files = {task.path: load_file(engine, task.path, base) for task in tasks}
    for task in tasks:
        parsed = files.pop(task.path).parsed.diagnostics if task.path in files else ()
        for diagnostic in (*parsed, *verdicts[task.name].diagnostics):
            if diagnostic.code in TOLD:
                text = f"{diagnostic.code} {diagnostic.path}:{diagnostic.line}: {diagnostic.message}; {diagnostic.hint}"
                engine.emit(Progress(task.name, "warning", text))


def waits_for(
    tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec]
) -> Mapping[str, tuple[str, ...]]:
    """Return the tasks, among those given, whose work each needs though it does not say so."""
    names = {id(task.spec): task.name for task in tasks}
    return {
        name: tuple(names[id(spec)] for spec in verdict.waits_for if id(spec) in names)
        for name, verdict in verdicts.items()
    }


def refusals(
    tasks: Sequence[Task], verdicts: Mapping[str, CheckedSpec]
) -> Mapping[str, MinitaskError]:
    """Return why tasks of a run are refused, by name; raises for a spec that is no use to anybody."""
    errors_by_name: dict[str, MinitaskError] = {}
    for task in tasks:
        errors = verdicts[task.name].errors
        if errors:
            errors_by_name[task.name] = refusal(task, errors)
            if any(diagnostic.code in UNUSABLE for diagnostic in errors):
                raise refusal(
                    task, [diagnostic for diagnostic in errors if diagnostic.code in UNUSABLE]
                )
    return errors_by_name


def refusal(task: Task, diagnostics: Sequence[Diagnostic]) -> MinitaskError:
    """Return the error that stops a task for what is wrong with its spec."""
    first, others = diagnostics[0], len(diagnostics) - 1
    more = f" (and {others} more: run `minitask validate {task.path}`)" if others else ""
    make = RefusedError if first.code in REFUSED else UsageError
    where = f"{first.path}:{first.line}"
    return make(f"{first.code} {first.message}{more}", where=where, hint=first.hint)


def check_alone(engine: Context, task: Task) -> None:
    """Refuse a task that cannot start from its base as it is, whatever other tasks are to do."""
    ground = _ground(engine, task.base, [task])
    verdict = check_one(task.spec, ground=ground, protected=engine.settings.protected)
    errors = (*_own_errors(engine, task), *verdict.errors)
    if errors:
        error = refusal(task, errors)
        raise RefusedError(error.message, where=error.where, hint=error.hint)


class Check(Struct, frozen=True, dict=True):
    """Tasks to be checked at a base."""

    engine: Context
    tasks: tuple[Task, ...]
    base: Base
    again: bool = False
    is_routed: bool = False

    def verdicts(self) -> dict[str, CheckedSpec]:
        """Return the verdict of each task, by its name."""
        verdicts: dict[str, CheckedSpec] = {}
        for mine in self._projects():
            verdicts |= self._of_project(mine)
        return verdicts

    def others(self) -> Iterator[Task]:
        """Yield the tasks beside those that are checked, once for each project."""
        for mine in self._projects():
            yield from self._everyone(mine)[len(mine) :]

    def _projects(self) -> list[list[Task]]:
        groups: dict[str, list[Task]] = {}
        for task in self.tasks:
            groups.setdefault(_project(task), []).append(task)
        return list(groups.values())

    def _everyone(self, tasks: Sequence[Task]) -> list[Task]:
        """Return the tasks of one project, then all others that matter to them."""
        own_paths = {task.path for task in tasks}
        near = self._load(set(self._near(tasks)) - own_paths)
        everyone = [*tasks, *near]
        specs = [task.spec for task in tasks]
        universe = Universe(specs, [task.spec for task in near], self._is_there)
        if not universe.is_complete:
            far = self._load(self._all_paths - {task.path for task in everyone})
            needed = set(map(id, universe.with_others([task.spec for task in far]).far))
            everyone += [task for task in far if id(task.spec) in needed]
        return everyone

    def _of_project(self, tasks: Sequence[Task]) -> dict[str, CheckedSpec]:
        everyone = self._everyone(tasks)
        specs = [task.spec for task in tasks]
        landed = self._landed(tasks, everyone)
        verdicts = check_specs(
            [task.spec for task in everyone],
            ground=_ground(self.engine, self.base.base, everyone),
            judged=specs,
            landed=landed,
            protected=self.engine.settings.protected,
        )
        landed_ids = set(map(id, landed))
        return {
            task.name: _with(() if id(task.spec) in landed_ids else self._own(task), verdict)
            for task, verdict in zip(tasks, verdicts, strict=True)
        }

    def _own(self, task: Task) -> tuple[Diagnostic, ...]:
        """Return the problems of a task's anchor and files, and of the executor that it asks for."""
        route_errors = () if self.is_routed else check_route(task.spec, self.engine.settings)
        return (*_own_errors(self.engine, task), *route_errors)

    def _near(self, tasks: Sequence[Task]) -> Iterable[str]:
        """Return the spec files of the tasks' projects, by folder and by name."""
        for folder in {_home(task) for task in tasks}:
            yield from spec_paths(self.engine, self.base.base, folder)
        for project in {_project(task) for task in tasks}:
            for home in (f"{PROJECTS}/{project}", f"{PROJECTS}/{project}.md"):
                yield from spec_paths(self.engine, self.base.base, home)

    @cached_property
    def _all_paths(self) -> set[str]:
        return set(spec_paths(self.engine, self.base.base, PROJECTS))

    def _load(self, paths: Iterable[str]) -> list[Task]:
        return [
            task for path in sorted(paths) for task in load_file(self.engine, path, self.base).tasks
        ]

    def _is_there(self, path: str) -> bool:
        return self.engine.objects.entry(self.base.base, path) is not None

    def _landed(self, tasks: Sequence[Task], everyone: Sequence[Task]) -> list[Spec]:
        """Return the specs that have landed as they are committed; not those that are to run again."""
        if len(everyone) == 1 and self.again:
            return []
        engine, names = self.engine, [task.name for task in everyone]
        landings = all_landings(engine.repository.git, engine.objects, self.base.base, names)
        mine = {id(task.spec) for task in tasks}
        return [
            task.spec
            for task in everyone
            if not (self.again and id(task.spec) in mine)
            and (landing := landings.get(task.name)) is not None
            and not landing.undone
            and landing.spec == f"{task.path}@{task.blob}"
        ]


def _with(errors: tuple[Diagnostic, ...], verdict: CheckedSpec) -> CheckedSpec:
    return CheckedSpec((*errors, *verdict.diagnostics), verdict.waits_for)


def _own_errors(engine: Context, task: Task) -> tuple[Diagnostic, ...]:
    """Return the problems of a task's anchor, and of files that go through a filter."""
    spec, revision = task.spec, task.spec.options.anchor
    anchor = check_anchor(spec, commit=engine.objects.commit(revision) if revision else None)
    return (*anchor, *check_filters([spec], engine.repository, engine.objects, task.base))


def _ground(engine: Context, base: str, tasks: Sequence[Task]) -> CommitGround:
    git, objects = engine.repository.git, engine.objects
    uncommitted = frozenset(task.path for task in tasks if task.uncommitted)
    return CommitGround(git, objects, base, CommittedFiles(objects, base), uncommitted)


def _project(task: Task) -> str:
    return task.name.partition("/")[0]


def _home(task: Task) -> str:
    """Return the folder that holds a task's project: one below `mini-projects/`, or its file's own."""
    parts = task.path.split("/")
    if parts[0] == PROJECTS and len(parts) > 2:
        return f"{PROJECTS}/{parts[1]}"
    return task.path if parts[0] == PROJECTS else task.path.rpartition("/")[0] or task.path
