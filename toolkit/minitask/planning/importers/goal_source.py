"""Find the format of a plan, a file or folder whose tasks become goals, and read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from msgspec import Struct

from minitask.errors import UsageError
from minitask.planning.importers.backlog_goals import NamedText, read_backlog
from minitask.planning.importers.boxes import read_boxes
from minitask.planning.importers.foreign_plan import MOST_TASKS, GoalPlan, listed
from minitask.planning.importers.import_plan import inside, read_source
from minitask.planning.importers.json_goals import read_beads, read_task_master
from minitask.spec.frontmatter import (
    BACKLOG,
    BEADS,
    GOALS,
    KIRO,
    OPENSPEC,
    READ,
    TASK_MASTER,
    find_format,
    import_command,
)
from minitask.spec.parse import parse_file
from minitask.system.files import real_path
from minitask.words import MOST_CHARACTERS, did_you_mean, one_line, whole_characters

READERS: Mapping[str, Callable[[str, str], GoalPlan]] = {
    TASK_MASTER: read_task_master,
    BEADS: lambda text, _tag: read_beads(text),
    KIRO: lambda text, _tag: read_boxes(text),
    OPENSPEC: lambda text, _tag: read_boxes(text),
    BACKLOG: lambda text, _tag: read_backlog([("", text)]),
}
"""Parser of each format; Backlog.md's files are read together."""
ANSWER = "answer"
"""A planner's answer: it holds specs, and is not another tool's plan."""
DONE_STATUS = "Done"
_PLACES = ("tasks/tasks.json", "tasks.json", "issues.jsonl", "tasks.md", "tasks")
_BESIDE = ("requirements.md", "design.md", "proposal.md")


class GoalSource(Struct, frozen=True):
    """A plan: its format, its path in the repository (Backlog.md: the folder's), and its goals."""

    form: str
    path: str
    plan: GoalPlan

    def origin(self, label: str) -> tuple[str, str, str]:
        """Return the origin in the marks of specs from this task."""
        return self.form, self.path, label


def find_goals(top: Path, location: Path, form: str | None, tag: str = "") -> GoalSource | None:
    """Return the plan in a file or folder, in the given or detected format.

    Returns None for a planner's answer. Raises `UsageError` for a plan that `import` reads, or that is invalid.
    """
    chosen = _named(form)
    if chosen == ANSWER:
        return None
    location = _inside_folder(location)
    if location.is_dir():
        if chosen not in (None, BACKLOG):
            raise UsageError(f"{location.name} is a folder", hint=f"name the file of {chosen}")
        plan = read_backlog(list(_texts(location)))
        return _source(BACKLOG, inside(top, location), plan, location)
    text, path = read_source(location), inside(top, location)
    chosen = chosen or _detected(text, path)
    if not chosen:
        return None
    if chosen == BACKLOG:
        plan = read_backlog([(location.name, text)])
        return _source(chosen, inside(top, location.parent), plan, location)
    try:
        plan = READERS[chosen](text, tag)
    except UsageError as error:
        raise UsageError(error.message, hint=error.hint, where=path) from None
    return _source(chosen, path, plan, location)


def _named(form: str | None) -> str | None:
    names = {name.casefold(): name for name in (*GOALS, ANSWER, "backlog")}
    if form is None:
        return None
    if form.casefold() in READ:
        raise UsageError(f"{form} is read by `import`", hint=f"minitask import {form} FILE")
    if form.casefold() not in names:
        choices = [name for name in names if name != BACKLOG.casefold()]
        raise UsageError(f"unknown format {form}", hint=did_you_mean(form, choices))
    return names[form.casefold()].replace("backlog", BACKLOG)


def _detected(text: str, path: str) -> str:
    """Return the format of a plan whose tasks become goals; "" for a text that may be an answer."""
    form = find_format(text, path)
    if form and not parse_file(text, path=path).specs:
        if form in READ:
            message = f"{path} is a plan in the format {form}, which needs no model"
            raise UsageError(message, hint=import_command(form, path))
        return form
    if not form and PurePosixPath(path).suffix in (".json", ".jsonl"):
        hint = f"name the format with --format: {', '.join(GOALS)}"
        raise UsageError(f"{path} is no plan in a known format", hint=hint)
    return ""


def _inside_folder(location: Path) -> Path:
    """Return the path of the plan inside a tool's folder; any other path unchanged."""
    for _ in range(2):
        inner = (location / name for name in _PLACES if (location / name).exists())
        location = next(inner, location) if location.is_dir() else location
    return location


def _texts(folder: Path) -> Iterator[NamedText]:
    paths = sorted(path for path in folder.glob("*.md") if path.is_file())
    if not paths:
        message = f"{folder.name} holds no task"
        raise UsageError(message, hint="name a plan's file, or backlog/tasks")
    for path in paths[: MOST_TASKS + 1]:
        yield path.name, read_source(path)


def done_status(folder: Path) -> str:
    """Return the status of done tasks on a folder's board: the last one in its configuration."""
    import yaml

    board = folder.parent
    configs = (board / "config.yml", board / "config.yaml", board.parent / "backlog.config.yml")
    for config in configs:
        try:
            fields = yaml.safe_load(read_source(config))
        except (UsageError, yaml.YAMLError, ValueError, RecursionError):
            continue
        statuses = fields.get("statuses") if isinstance(fields, dict) else None
        if isinstance(statuses, list) and statuses and isinstance(statuses[-1], str):
            return one_line(statuses[-1]) or DONE_STATUS
    return DONE_STATUS


def _source(form: str, path: str, plan: GoalPlan, location: Path) -> GoalSource:
    if not plan.goals:
        message = f"{path} holds no task in the format {form}"
        raise UsageError(message, hint="name the format: --format")
    if len(plan.goals) > MOST_TASKS:
        raise UsageError(f"{path} holds more than {MOST_TASKS:,} tasks", hint="split the plan")
    notes = list(plan.notes)
    names = _BESIDE if form in (KIRO, OPENSPEC) else ()
    if beside := [name for name in names if (location.parent / name).is_file()]:
        folder = PurePosixPath(path).parent
        shown = " ".join(f"--read {folder / name}" for name in beside)
        notes.append(f"to show the planner what stands beside it: {one_line(shown)}")
    open_goals = (goal for goal in plan.goals if not goal.skipped)
    if long := [goal.label for goal in open_goals if len(goal.text) > MOST_CHARACTERS]:
        notes.append(f"only the first {MOST_CHARACTERS:,} characters count of task {listed(long)}")
    is_generic = location.stem == "tasks"
    name = plan.name or (real_path(location.parent).name if is_generic else location.stem)
    return GoalSource(form, whole_characters(path), GoalPlan(name, plan.goals, tuple(notes)))
