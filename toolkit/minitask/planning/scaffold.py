"""The files that `init` writes into a repository, and the next spec of a project from a template.

The first comment of a template states its purpose, and its variables with their kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from minitask import resources
from minitask.engine.tasks import PROJECTS
from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.planning.agent_guides import PlannedFile
from minitask.planning.survey import CHECKS, SHARE, Suggestion
from minitask.settings import FILE
from minitask.spec.dependency_graph import slug
from minitask.spec.paths import check_path
from minitask.system.files import create_file
from minitask.values import grouped
from minitask.words import did_you_mean

TEMPLATES = "templates"
HEAD = """\
# What `minitask init` found here. After a change run `minitask trust`, or the file sets no executors.
"""
SUGGESTED = """\
# Suggested by the files of this repository: remove the `# ` of what is right, then run `minitask doctor`.
"""
SUFFIX = ".md.j2"
PROJECT_NAME = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NUMBERED = lazy_pattern(r"\d+")
STANDARD = ("number", "title", "id", "project")
"""Variables that every template gets."""
_VARIABLE = lazy_pattern(
    r"(?P<name>\w+)(?: \((?P<kind>\w+)\))?: (?P<meaning>.+?) \((?:default: (?P<default>.+)|always given)\)"
)
_TEXT = lazy_pattern(r"(?s).*")
_KINDS = {
    "lines": (
        lazy_pattern(r"\d+(?:-\d+)?(?:,\s?\d+(?:-\d+)?)*"),
        "these are not lines, such as 40-90,120",
    ),
    "name": (lazy_pattern(r"[^\s`'\"<>|&;]+"), "this is not one name"),
    "number": (_NUMBERED, "this is not a number"),
}
"""Pattern of each kind of value, and the message for a value that does not match."""


def init_files(
    top: Path,
    settings: Mapping[str, Any],
    *,
    suggestions: Sequence[Suggestion] = (),
    templates: bool,
) -> tuple[PlannedFile, ...]:
    """Return the configuration with these settings, and optionally the templates; existing files are kept.

    Suggestions become comments in the configuration, for the user to choose from. A configuration that is as it was
    written when nothing was found is replaced.
    """
    text = config_text(settings, suggestions)
    changes = [_new_file(top, FILE, text)]
    content = text.encode()
    if changes[0].what == "kept" and is_unset(top, suggestions) and not _holds(top / FILE, content):
        changes = [PlannedFile(FILE, "updated", top / FILE, content)]
    if templates:
        for source in template_files(None).values():
            name = f"{PROJECTS}/{TEMPLATES}/{source.name}"
            changes.append(_new_file(top, name, source.read_text("utf-8")))
    return tuple(changes)


def is_unset(top: Path, suggestions: Sequence[Suggestion]) -> bool:
    """Return True if there is no configuration, or only the one that is written when nothing was found."""
    path = top / FILE
    if path.is_symlink() or not path.is_file():
        return not path.exists()
    return any(_holds(path, text.encode()) for text in _unset_texts(suggestions))


def _holds(path: Path, content: bytes) -> bool:
    return path.read_bytes() == content


def _unset_texts(suggestions: Sequence[Suggestion]) -> Iterator[str]:
    """Yield the configurations for a machine where no executor was found, by the checks that passed."""
    checks = [each.value for each in suggestions if each.key == CHECKS]
    for passed in product((True, False), repeat=len(checks)):
        survey = passing(
            suggestions, [check for check, is_on in zip(checks, passed, strict=True) if is_on]
        )
        yield config_text(with_survey({}, survey), survey)


def passing(suggestions: Sequence[Suggestion], checks: Sequence[str]) -> tuple[Suggestion, ...]:
    """Return the suggestions with exactly these checks on."""
    return tuple(
        replace(each, is_on=each.value in checks) if each.key == CHECKS else each
        for each in suggestions
    )


def with_survey(
    settings: Mapping[str, Any], suggestions: Sequence[Suggestion]
) -> Mapping[str, Any]:
    """Return the settings with the folders to share and the checks that pass."""
    shared = [each.value for each in suggestions if each.key == SHARE]
    checks = [each.value for each in suggestions if each.key == CHECKS and each.is_on]
    found = {"workspace": {"share": shared} if shared else {}, "checks": checks}
    return {**settings, **{key: value for key, value in found.items() if value}}


def config_text(settings: Mapping[str, Any], suggestions: Sequence[Suggestion] = ()) -> str:
    """Return the text of `minitask.yaml`: these settings, then suggestions and every other key as comments."""
    template = resources.path("templates", FILE).read_text("utf-8")
    schema, _, options = template.partition("\n")
    options = f"{_suggested([item for item in suggestions if not item.is_on])}{options}"
    if not settings:
        return f"{schema}\n{options}"
    import yaml

    blocks = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            blocks.append(f"{key}:\n{''.join(_row(*entry) for entry in value.items())}")
        else:
            blocks.append(yaml.safe_dump({key: value}))
    return f"{schema}\n{HEAD}{''.join(blocks)}\n{options}"


def _suggested(suggestions: Sequence[Suggestion]) -> str:
    """Return comment lines that become settings once their `# ` is removed."""
    if not suggestions:
        return ""
    rows = []
    for key, group in grouped(suggestions, lambda suggestion: suggestion.key).items():
        reasons = "; ".join(suggestion.reason for suggestion in group)
        values = [suggestion.value for suggestion in group]
        rows.append(f"# {_row(key, values).strip()}  # {reasons}\n")
    return f"{SUGGESTED}{''.join(rows)}\n"


def _row(name: str, entry: Any) -> str:
    """Return an entry of a table as one line."""
    import yaml

    text = yaml.safe_dump({name: entry}, default_flow_style=True, width=1_000, sort_keys=False)
    return f"  {text.strip()[1:-1]}\n"


def template_files(top: Path | None) -> dict[str, Path]:
    """Return the templates by name; a repository's own override those of the toolkit."""
    folders = [resources.path("templates")]
    if top is not None:
        folders.append(top / PROJECTS / TEMPLATES)
    return {
        path.name.removesuffix(SUFFIX): path
        for folder in folders
        for path in sorted(folder.glob(f"*{SUFFIX}"))
        if not path.is_symlink()
    }


class NextSpec(Struct, frozen=True):
    """A spec before it is written: its path and its text."""

    path: Path
    text: str

    def write(self) -> None:
        """Write it, but never overwrite a file."""
        create_file(self.path, self.text)


def next_spec(
    top: Path, *, project: str, title: str, template: str, values: Mapping[str, str], ahead: int = 0
) -> NextSpec:
    """Return the project's next spec; `ahead` is the number of unwritten drafts before it.

    Raises `UsageError` if the template or a name is invalid.
    """
    if not PROJECT_NAME.fullmatch(project):
        wrong = f"{project!r} is not a valid project name"
        raise UsageError(wrong, hint="use letters, digits, dots, dashes, underscores")
    folder = top / PROJECTS / project
    number = 1 + ahead + last_number(path.name for path in folder.glob("*.md"))
    name = f"{number:02}-{slug(title)}".rstrip("-")
    standard = dict(zip(STANDARD, (str(number), title, name, project), strict=True))
    return NextSpec(folder / f"{name}.md", render_template(top, template, {**standard, **values}))


def last_number(names: Iterable[str]) -> int:
    """Return the highest number at the start of a name, or 0."""
    return max((int(match[0]) for name in names if (match := _NUMBERED.match(name))), default=0)


def render_template(top: Path | None, name: str, values: Mapping[str, str]) -> str:
    """Return a template's text with the values inserted; templates run in a sandbox."""
    from jinja2 import TemplateError, meta
    from jinja2.sandbox import SandboxedEnvironment

    templates = template_files(top)
    if name not in templates:
        raise UsageError(f"no template named {name}", hint=did_you_mean(name, sorted(templates)))
    environment = SandboxedEnvironment(keep_trailing_newline=True, autoescape=False)
    try:
        text = templates[name].read_text("utf-8")
        check_values(read_template(name, text), values)
        known = {*meta.find_undeclared_variables(environment.parse(text)), *STANDARD}
        unknown = next((key for key in values if key not in known), "")
        if unknown:
            message = f"the template {name} has no variable {unknown}"
            raise UsageError(message, hint=did_you_mean(unknown, sorted(known)))
        return environment.from_string(text).render(values)
    except TemplateError as error:
        message = f"the template cannot be rendered: {error}"
        raise UsageError(message, where=str(templates[name])) from None


def _new_file(top: Path, name: str, text: str) -> PlannedFile:
    path = top / name
    if path.is_dir() or (path.is_symlink() and not path.exists()):
        kind = "a folder" if path.is_dir() else "a link that leads nowhere"
        raise UsageError(f"{name} is {kind}", hint=f"move {name} away")
    if path.exists():
        return PlannedFile(name, "kept", path)
    return PlannedFile(name, "created", path, text.encode())


class Variable(Struct, frozen=True):
    """A variable of a template; `default` is None if minitask supplies the value."""

    name: str
    kind: str
    meaning: str
    default: str | None


class Template(Struct, frozen=True):
    """A template: its name, a summary, and its variables in order."""

    name: str
    summary: str
    variables: tuple[Variable, ...]


def read_template(name: str, text: str) -> Template:
    """Parse a template's comment; without one there is no summary and no variables."""
    comment = text.partition("{#-")[2].partition("-#}")[0].strip()
    summary, _, remainder = comment.partition("\n\n")
    matches = filter(None, map(_VARIABLE.fullmatch, remainder.splitlines()))
    variables = tuple(
        Variable(match["name"], match["kind"] or "text", match["meaning"], match["default"])
        for match in matches
    )
    return Template(name, " ".join(summary.split()), variables)


def check_values(template: Template, values: Mapping[str, str]) -> None:
    """Raise `UsageError` for a value that is not of its variable's kind."""
    for variable in template.variables:
        value = values.get(variable.name)
        fault = _fault(variable.kind, value) if value else ""
        if fault:
            message = f"--set {variable.name}={value}: {fault}"
            raise UsageError(message, hint=f"{variable.name} is {variable.meaning}")


def _fault(kind: str, value: str) -> str:
    """Return why a value is not of its kind, or ""."""
    if kind == "path":
        reason = check_path(value)
        return f"this is not a path in the repository: {reason}" if reason else ""
    pattern, fault = _KINDS.get(kind, (_TEXT, ""))
    return "" if pattern.fullmatch(value) else fault


def render_list(templates: Sequence[Template]) -> str:
    """Return one line per template."""
    width = max(len(template.name) for template in templates)
    lines = [f"{template.name:{width}}  {template.summary}" for template in templates]
    return "\n".join((*lines, "next: minitask new --list --template NAME, for its variables"))


def render_variables(template: Template) -> str:
    """Return one line per variable, and a command to copy."""
    variables = [variable for variable in template.variables if variable.default is not None]
    width = max((len(variable.name) for variable in variables), default=0)
    lines = [f"{template.name}: {template.summary}"]
    for variable in variables:
        default = "" if variable.default == f"[{variable.name}]" else f" ({variable.default})"
        lines.append(f"  {variable.name:{width}}  {variable.kind:7}  {variable.meaning}{default}")
    required = [item.name for item in variables if item.default == f"[{item.name}]"]
    pairs = " ".join(f"--set {name}=…" for name in required)
    lines.append(f"next: minitask new PROJECT TITLE --template {template.name} {pairs}")
    return "\n".join(lines)
