"""Read YAML task lists: `tasks:`, each with `title`, `model_tier`, `allowed_paths`, `validation` and `depends_on`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from minitask.errors import UsageError
from minitask.planning.importers.foreign_plan import (
    ITEM,
    ForeignPlan,
    PlanCode,
    PlanFile,
    PlanStep,
    PlanTask,
    parse_nodes,
    skip_reason,
    unique_labels,
)
from minitask.planning.importers.plan_commands import RunLine, read_runs, with_criteria
from minitask.planning.importers.plan_files import ACTIONS, file_remark, unfit_path
from minitask.spec.model import FileAction, Tier
from minitask.words import one_line, word_set

TIERS = {
    "haiku": Tier.CHEAP,
    "local": Tier.FREE,
    "mini": Tier.CHEAP,
    "ollama": Tier.FREE,
    "opus": Tier.FRONTIER,
    "small": Tier.CHEAP,
    "sonnet": Tier.BALANCED,
    "large": Tier.FRONTIER,
    "medium": Tier.BALANCED,
}
_FILES = {
    "allowed_paths": FileAction.WRITE,
    "files": FileAction.WRITE,
    "files_to_edit": FileAction.EDIT,
    "files_to_create": FileAction.CREATE,
    "files_to_read": FileAction.READ,
    "context_files": FileAction.READ,
    "read": FileAction.READ,
}
_TITLES = ("title", "name", "summary")
_STEPS = ("steps", "instructions", "description", "prompt", "task", "details")
_CRITERIA = ("acceptance_criteria", "acceptance", "criteria", "done_when")
_CHECKS = ("validation", "validate", "verify", "checks", "test")
_CONTEXT = ("context", "constraints", "notes", "goal")
_KNOWN = _FILES.keys() | word_set(
    "id key depends_on dependencies model_tier tier status state done"
)
_KNOWN |= {*_TITLES, *_STEPS, *_CRITERIA, *_CHECKS, *_CONTEXT}
LONGEST = 1_000_000


def read_task_list(text: str) -> ForeignPlan:
    """Return the plan in a YAML text; raise `UsageError` if the text is not valid YAML."""
    document = _load(text)
    top = document if isinstance(document, Mapping) else {}
    rows = document if isinstance(document, list) else top.get("tasks")
    if isinstance(rows, Mapping):
        pairs = rows.items()
        rows = [{"id": key, **entry} for key, entry in pairs if isinstance(entry, Mapping)]
    listed = rows if isinstance(rows, list) else []
    entries = [entry for entry in listed if isinstance(entry, Mapping)]
    names = (one_line(_first(entry, ("id", "key")), longest=60) for entry in entries)
    labels = unique_labels([name or str(number) for number, name in enumerate(names, 1)])
    tasks = tuple(_task(entry, label, labels) for entry, label in zip(entries, labels, strict=True))
    title = _first(top, ("project", "plan", *_TITLES))
    context = tuple(map(one_line, _values(top, (*_CONTEXT, "global_constraints"))))
    return ForeignPlan(title, tasks, context)


def _load(text: str) -> Any:
    import yaml

    if len(text) > LONGEST:
        raise UsageError("the task list is longer than 1 MB", hint="split it into several files")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=loader)):
            raise UsageError("the task list uses YAML aliases", hint="write the values out")
        return yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        message = "the task list is not YAML" + (f" in line {mark.line + 1}" if mark else "")
    except (ValueError, RecursionError, OverflowError):
        message = "the task list is not readable YAML"
    raise UsageError(message, hint="fix it, then import it again")


def _task(entry: Mapping[Any, Any], label: str, labels: Collection[str]) -> PlanTask:
    commands, left_out = read_runs(_runs(entry))
    files, missing = _files(entry)
    needs = [one_line(name) for name in _values(entry, ("depends_on", "dependencies"))]
    unknown = [name for name in needs if name not in labels]
    tier, tier_note = _tier(entry)
    unread = [str(key) for key in entry if str(key) not in _KNOWN]
    return PlanTask(
        label,
        one_line(_first(entry, _TITLES), longest=120) or f"Task {label}",
        files=files,
        steps=tuple(_steps(entry)),
        commands=commands,
        criteria=(*map(one_line, _values(entry, _CRITERIA)), *with_criteria(commands)),
        context=tuple(map(one_line, _values(entry, _CONTEXT))),
        needs=tuple(name for name in needs if name in labels and name != label),
        tier=tier,
        is_done=bool(skip_reason(_first(entry, ("status", "state")))) or entry.get("done") is True,
        dropped=(
            *left_out,
            *tier_note,
            *(f"the dependency on {name}: no such task" for name in unknown),
            *(f"`{one_line(key, longest=40)}`: no field of a spec" for key in unread),
            *(f"`{key}`: an entry in a form that is not read" for key in _odd_keys(entry)),
        ),
        missing=missing,
    )


def _runs(entry: Mapping[Any, Any]) -> Iterator[RunLine]:
    for key in _CHECKS:
        rows = entry.get(key)
        for row in rows if isinstance(rows, list) else [rows]:
            if isinstance(row, Mapping):
                command = _first(row, ("command", "run", "cmd"))
                yield RunLine(command, _first(row, ("expect", "expected")), "check")
            elif isinstance(row, str) and row.strip():
                yield RunLine(row, "", "check")


def _files(entry: Mapping[Any, Any]) -> tuple[tuple[PlanFile, ...], tuple[str, ...]]:
    files: dict[str, PlanFile] = {}
    missing = []
    named = [
        (key, path, action) for key, action in _FILES.items() for path in _values(entry, (key,))
    ]
    for key, path, action in (*named, *_with_actions(entry)):
        if why := unfit_path(path):
            missing.append(file_remark(path, why))
        else:
            files.setdefault(path, PlanFile(path, action, optional=key == "allowed_paths"))
    return tuple(files.values()), tuple(missing)


def _with_actions(entry: Mapping[Any, Any]) -> Iterator[tuple[str, str, FileAction]]:
    """Yield the files of `files: {create: [a.py]}` and of `files: [{path: a.py, action: create}]`."""
    rows = entry.get("files")
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, Mapping) and (path := _first(row, ("path", "file"))):
            action = ACTIONS.get(
                _first(row, ("action", "change", "type")).lower(), FileAction.WRITE
            )
            yield "files", path, action
        elif isinstance(row, Mapping):
            for verb in sorted(row.keys() & ACTIONS.keys()):
                yield from (("files", path, ACTIONS[verb]) for path in _values(row, (verb,)))


def _odd_keys(entry: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the known keys with an entry that is neither a text nor a number, nor a form that is read."""
    for key in sorted(_KNOWN & entry.keys() - {"files", "done", *_CHECKS}):
        rows = entry[key]
        if any(
            isinstance(row, Mapping | list) for row in (rows if isinstance(rows, list) else [rows])
        ):
            yield key


def _steps(entry: Mapping[Any, Any]) -> Iterator[PlanStep]:
    for key in _STEPS:
        rows = entry.get(key)
        if isinstance(rows, list):
            texts = (row for row in rows if isinstance(row, str))
            yield from (PlanStep(one_line(text, longest=1_000)) for text in texts)
        elif isinstance(rows, str) and rows.strip():
            yield PlanStep(key.capitalize(), tuple(_parts(rows)))


def _parts(text: str) -> Iterator[str | PlanCode]:
    """Yield the paragraphs, items and code blocks of a Markdown text."""
    for node in parse_nodes(text)[0]:
        if node.fence is not None:
            yield PlanCode("", node.fence)
        else:
            yield f"- {node.text}" if node.kind == ITEM else node.text


def _tier(entry: Mapping[Any, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the tier of a task, and a remark on an unknown one."""
    name = _first(entry, ("model_tier", "tier")).lower()
    if name in {tier.value for tier in Tier}:
        return ("", ()) if name == Tier.NONE else (name, ())
    tier = next((tier for word, tier in TIERS.items() if word in name), None)
    if tier is not None:
        return tier.value, ()
    return "", (f"the tier `{one_line(name, longest=40)}`: no tier of that name",) if name else ()


def _first(entry: Mapping[Any, Any], keys: tuple[str, ...]) -> str:
    return next(_values(entry, keys), "")


def _values(entry: Mapping[Any, Any], keys: tuple[str, ...]) -> Iterator[str]:
    """Yield the texts and numbers under these keys, alone or in lists."""
    for key in keys:
        rows = entry.get(key)
        for row in rows if isinstance(rows, list) else [rows]:
            is_text = isinstance(row, str | int | float) and not isinstance(row, bool)
            if is_text and str(row).strip():
                yield str(row).strip()
