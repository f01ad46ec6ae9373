"""Import another tool's plan as specs of a project; a mark in each spec shows later whether it was edited."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.spec_files import Sources
from minitask.engine.tasks import PROJECTS
from minitask.engine.validate_specs import check_sources
from minitask.errors import UsageError
from minitask.git.repository import Repository
from minitask.patterns import lazy_pattern
from minitask.planning.importers.boxes import MARK, way_in
from minitask.planning.importers.foreign_plan import MOST_TASKS, ForeignPlan, PlanTask
from minitask.planning.importers.markdown_plans import read_speckit, read_superpowers
from minitask.planning.importers.spec_text import ReadFile, SpecText, render_task
from minitask.planning.importers.task_list import read_task_list
from minitask.planning.plan import project_folder, project_name
from minitask.settings import Settings
from minitask.spec.dependency_graph import slug
from minitask.spec.frontmatter import (
    MAX_BYTES,
    SPEC_KIT,
    SUPERPOWERS,
    YAML,
    find_format,
    find_unreadable,
    import_command,
)
from minitask.spec.markdown import normalise
from minitask.spec.model import Diagnostic
from minitask.spec.paths import check_path
from minitask.system.files import create_file, real_path
from minitask.words import counted, whole_characters

READERS: Mapping[str, Callable[[str], ForeignPlan]] = {
    SUPERPOWERS: read_superpowers,
    SPEC_KIT: read_speckit,
    YAML: read_task_list,
}
LONGEST_SLUG = 48
_NUMBER = lazy_pattern(r"\d{1,4}")


class ImportedSpec(Struct, frozen=True):
    """A task of the plan as a spec. `state` is created, updated, unchanged or kept (edited since its import).

    `dropped` lists what is not imported, `missing` what a person must fill in; `validate` refuses a draft.
    """

    path: str
    title: str
    state: str
    draft: bool
    carried: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class ImportedPlan(Struct, frozen=True):
    """The result of an import; `tasks_found` counts the tasks of the plan, including done ones."""

    form: str
    project: str
    tasks_found: int
    specs: tuple[ImportedSpec, ...]
    notes: tuple[str, ...]


class _Existing(Struct, frozen=True):
    """A spec from an earlier import."""

    name: str
    text: str
    is_edited: bool


class _Planned(Struct, frozen=True):
    """A task with its spec's name and text, and the existing spec."""

    task: PlanTask
    name: str
    spec: SpecText
    existing: _Existing | None

    @property
    def state(self) -> str:
        """Return what happens to the file."""
        if self.existing is None:
            return "created"
        if self.existing.is_edited:
            return "kept"
        return "unchanged" if self.existing.text == self.spec.text else "updated"

    @property
    def text(self) -> str:
        """Return the file's text after the import."""
        existing = self.existing
        return existing.text if existing and existing.is_edited else self.spec.text


def import_plan(
    repository: Repository,
    settings: Settings,
    source: Path,
    *,
    form: str | None,
    project: str | None,
    dry_run: bool = False,
) -> ImportedPlan:
    """Write the specs of a plan, only in the project's folder, and never over an edited spec.

    Raises `UsageError` for an unknown format, or a file without tasks.
    """
    top = repository.checkout()
    name = inside(top, source)
    text = read_source(source)
    chosen = form or _detected(text, name)
    plan = READERS[chosen](text)
    if not plan.tasks:
        raise UsageError(f"{source.name} holds no task in the format {chosen}", hint=_forms())
    if len(plan.tasks) > MOST_TASKS:
        message = f"{source.name} holds more than {MOST_TASKS:,} tasks"
        raise UsageError(message, hint="split the plan")
    home = project_name(_project(plan, source, chosen), project)
    folder = project_folder(repository, home)
    origin = f"{chosen} {quote(name)}"
    present = dict(_existing(folder))
    planned = _plan_specs(plan, origin, folder, present, lambda path: read_file(top, path))
    texts = {f"{PROJECTS}/{home}/{item.name}.md": item.text for item in planned}
    diagnostics = check_sources(Sources(top, texts), repository, settings).diagnostics
    if not dry_run:
        _write(folder, planned)
    specs = tuple(
        _imported(item, path, [each for each in diagnostics if each.path == path])
        for path, item in zip(texts, planned, strict=True)
    )
    notes = tuple(_notes(plan, planned, present, origin))
    return ImportedPlan(chosen, home, len(plan.tasks), specs, notes)


def read_source(source: Path) -> str:
    """Return the text of a plan; raise `UsageError` if it cannot be read or is not text."""
    try:
        if not source.is_file():
            raise UsageError(f"{source} is not a file", hint="name an existing file")
        with source.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8", "surrogateescape")
    except OSError as error:
        message = f"{source} cannot be read: {error.strerror or error}"
        raise UsageError(message, hint="name an existing file") from None
    unreadable = find_unreadable(text)
    if unreadable is not None:
        raise UsageError(unreadable.message, hint=unreadable.hint, where=str(source))
    return normalise(whole_characters(text))


def _detected(text: str, path: str) -> str:
    form = find_format(text, path)
    if not form:
        hint = f"{_forms()}; or {way_in(text, path)}"
        raise UsageError(f"{path} is no plan in a known format", hint=hint)
    if form not in READERS:
        message = f"{path} is a plan in the format {form}, which holds neither files nor commands"
        raise UsageError(message, hint=f"have it planned: {import_command(form, path)}")
    return form


def _forms() -> str:
    return f"name the format: minitask import {'|'.join(READERS)} FILE"


def inside(top: Path, source: Path) -> str:
    """Return the source's path in the repository, or just its name if it is outside."""
    real, root = real_path(source), real_path(top)
    return real.relative_to(root).as_posix() if real.is_relative_to(root) else source.name


def _project(plan: ForeignPlan, source: Path, form: str) -> str:
    """Return a project name: spec-kit's folder, the plan's title, or the file's name."""
    if form == SPEC_KIT and source.stem == "tasks":
        return real_path(source).parent.name
    return plan.title if slug(plan.title) else source.stem


def read_file(top: Path, path: str) -> str | None:
    """Return the text of a file in the checkout, or None if it is missing or unsafe to read."""
    location = top / path
    try:
        if check_path(path) or location.is_symlink() or not location.is_file():
            return None
        with location.open("rb") as stream:
            return stream.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _plan_specs(
    plan: ForeignPlan, origin: str, folder: Path, existing: Mapping[str, _Existing], read: ReadFile
) -> tuple[_Planned, ...]:
    """Return the specs for the tasks that are not done."""
    open_tasks = [task for task in plan.tasks if not task.is_done]
    names = _names(open_tasks, origin, existing, folder)
    created: dict[str, str] = {}
    waits = _open_needs(plan.tasks)

    def read_or_created(path: str) -> str | None:
        return created.get(path) or read(path)

    planned = []
    for task in open_tasks:
        name, mark = names[task.label], _origin(origin, task.label)
        spec = render_task(
            task,
            _number(name),
            depends_on=[names[need] for need in waits[task.label]],
            context=plan.context,
            read=read_or_created,
        )
        marked = replace(spec, text=with_mark(spec.text, mark))
        planned.append(_Planned(task, name, marked, existing.get(mark)))
        whole = (code for code in task.codes if code.is_whole and code.path)
        created |= {code.path: code.fence.content for code in whole}
    return tuple(planned)


def _open_needs(tasks: Sequence[PlanTask]) -> dict[str, list[str]]:
    """Return what each task waits for: behind a done task, what that one waited for."""
    waits: dict[str, list[str]] = {}
    done = {task.label for task in tasks if task.is_done}
    for task in tasks:
        behind = (waits.get(need, []) if need in done else [need] for need in task.needs)
        waits[task.label] = list(dict.fromkeys(chain.from_iterable(behind)))
    return waits


def _names(
    tasks: Sequence[PlanTask], origin: str, existing: Mapping[str, _Existing], folder: Path
) -> dict[str, str]:
    """Return the name of each task's spec: that of an earlier import, or the next number and the title."""
    marks = {task.label: _origin(origin, task.label) for task in tasks}
    names = {label: existing[mark].name for label, mark in marks.items() if mark in existing}
    number = max((_number(path.stem) for path in folder.glob("*.md")), default=0)
    for task in tasks:
        if task.label not in names:
            number += 1
            names[task.label] = f"{number:02}-{slug(task.title)[:LONGEST_SLUG]}".rstrip("-.")
    return names


def _number(name: str) -> int:
    match = _NUMBER.match(name)
    return int(match[0]) if match else 0


def _existing(folder: Path) -> Iterator[tuple[str, _Existing]]:
    """Yield the specs of earlier imports, each with its origin."""
    for path in sorted(folder.glob("*.md")):
        if path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes()[:MAX_BYTES].decode("utf-8", "surrogateescape")
        plain = text.replace("\r\n", "\n")
        match = MARK.search(plain)
        if match:
            is_edited = _digest(plain[: match.start()] + plain[match.end() :]) != match["digest"]
            yield match["origin"], _Existing(path.stem, plain, is_edited)


def _origin(origin: str, label: str) -> str:
    return f"{origin} task {quote(label, safe='')}"


def with_mark(text: str, origin: str) -> str:
    """Return the text of a spec with a mark of its origin and its digest."""
    body = f"{text.rstrip()}\n\n"
    return f"{body}<!-- imported: {origin} sha256:{_digest(body)} -->\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.strip().encode("utf-8", "surrogateescape")).hexdigest()


def _write(folder: Path, planned: Sequence[_Planned]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for item in planned:
        path = folder / f"{item.name}.md"
        if item.state == "created":
            create_file(path, item.spec.text)
        elif item.state == "updated":
            path.write_text(item.spec.text, "utf-8", newline="\n")


def _imported(planned: _Planned, path: str, diagnostics: Sequence[Diagnostic]) -> ImportedSpec:
    errors = [item for item in diagnostics if item.is_error]
    missing = () if planned.state == "kept" else planned.spec.missing
    others = (item for item in errors if item.code not in ("E212", "E401"))
    refused = (f"{item.code} {item.message}" for item in others)
    return ImportedSpec(
        path,
        planned.task.title,
        planned.state,
        bool(errors),
        carried=planned.spec.carried,
        dropped=planned.task.dropped,
        missing=(*missing, *refused),
    )


def _notes(
    plan: ForeignPlan, planned: Sequence[_Planned], present: Mapping[str, _Existing], origin: str
) -> Iterator[str]:
    """Yield the remarks on the whole plan, and on specs whose tasks it no longer has."""
    yield from plan.notes
    finished = [task.label for task in plan.tasks if task.is_done]
    if finished:
        yield f"{counted(len(finished), 'task')} ticked off in the plan, not imported: {', '.join(finished)}"
    names = {item.name for item in planned}
    for mark, existing in present.items():
        if mark.startswith(f"{origin} task ") and existing.name not in names:
            yield f"{existing.name}: no longer an open task of the plan; its spec stays"
