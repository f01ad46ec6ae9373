"""Starting: what `init` writes into a repository, and the next spec of a project from a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from minitask import resources
from minitask.engine.tasks import PROJECTS
from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.planning.agent_guides import PlannedFile
from minitask.planning.survey import Suggestion
from minitask.planning.templates import check_values, read_template
from minitask.settings import FILE
from minitask.spec.dependency_graph import slug
from minitask.system.files import create_file
from minitask.words import did_you_mean

TEMPLATES = "templates"
HEAD = """\
# What `minitask init` found here. After a change run `minitask trust`, or the file sets no executors.
"""
SUGGESTED = """\
# Suggested by the files of this repository: remove the `# ` of what is right, then run `minitask doctor`.
"""
SUFFIX = ".md.j2"
NUMBERED = lazy_pattern(r"(\d+)")


def init_files(
    top: Path,
    settings: Mapping[str, Any],
    *,
    suggestions: Sequence[Suggestion] = (),
    templates: bool,
) -> tuple[PlannedFile, ...]:
    """Return the configuration with these settings, and the templates if asked for; what is there already is kept.

    Suggestions are comments in the configuration, for the user to choose from.
    """
    texts = {FILE: config_text(settings, suggestions)}
    if templates:
        for source in template_files(None).values():
            texts[f"{PROJECTS}/{TEMPLATES}/{source.name}"] = source.read_text("utf-8")
    return tuple(_new_file(top, name, text) for name, text in texts.items())


def config_text(settings: Mapping[str, Any], suggestions: Sequence[Suggestion] = ()) -> str:
    """Return the text of `minitask.yaml`: these settings, then suggestions and every other key as comments."""
    template = resources.path("templates", FILE).read_text("utf-8")
    schema, _, options = template.partition("\n")
    options = f"{_suggested(suggestions)}{options}"
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
    """Return lines that set what is suggested once their `# ` is removed."""
    if not suggestions:
        return ""
    values: dict[str, list[str]] = {}
    for suggestion in suggestions:
        values.setdefault(suggestion.key, []).append(suggestion.value)
    reasons = {
        key: "; ".join(each.reason for each in suggestions if each.key == key) for key in values
    }
    rows = (f"# {_row(key, each).strip()}  # {reasons[key]}\n" for key, each in values.items())
    return f"{SUGGESTED}{''.join(rows)}\n"


def _row(name: str, entry: Any) -> str:
    """Return an entry of a table on a line of its own."""
    import yaml

    text = yaml.safe_dump({name: entry}, default_flow_style=True, width=1_000, sort_keys=False)
    return f"  {text.strip()[1:-1]}\n"


def template_files(top: Path | None) -> dict[str, Path]:
    """Return the templates by name; a repository's own stand before those that ship with the toolkit."""
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
    """A spec that is not written yet: where it goes, and its text."""

    path: Path
    text: str

    def write(self) -> None:
        """Write it; a file that is there already is never overwritten."""
        create_file(self.path, self.text)


def new_spec(
    top: Path, *, project: str, title: str, template: str, values: Mapping[str, str]
) -> Path:
    """Write the project's next spec and give its path; raise `UsageError` if the template or a name is unfit."""
    spec = next_spec(top, project=project, title=title, template=template, values=values)
    spec.write()
    return spec.path


def next_spec(
    top: Path,
    *,
    project: str,
    title: str,
    template: str,
    values: Mapping[str, str],
    ahead: int = 0,
) -> NextSpec:
    """Return the project's next spec; `ahead` is how many before it are drafted and not written yet.

    `UsageError` where the template or a name is unfit.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", project):
        raise UsageError(
            f"{project!r} is not a valid project name",
            hint="use letters, digits, dots, dashes, underscores",
        )
    folder = top / PROJECTS / project
    number = 1 + ahead + max(_numbers(folder), default=0)
    name = f"{number:02}-{slug(title)}".rstrip("-")
    text = render_template(
        top,
        template,
        {"number": str(number), "title": title, "id": name, "project": project, **values},
    )
    return NextSpec(folder / f"{name}.md", text)


STANDARD = ("number", "title", "id", "project")
"""Variables that every template is given."""


def render_template(top: Path | None, name: str, values: Mapping[str, str]) -> str:
    """Return a template's text with the values in it; nothing in a template can reach beyond them."""
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
            raise UsageError(
                f"the template {name} has no variable {unknown}",
                hint=did_you_mean(unknown, sorted(known)),
            )
        return environment.from_string(text).render(values)
    except TemplateError as error:
        raise UsageError(
            f"the template cannot be rendered: {error}", where=str(templates[name])
        ) from None


def _numbers(folder: Path) -> Iterator[int]:
    for path in folder.glob("*.md") if folder.is_dir() else ():
        match = NUMBERED.match(path.name)
        if match:
            yield int(match[1])


def _new_file(top: Path, name: str, text: str) -> PlannedFile:
    path = top / name
    if path.exists() or path.is_symlink():
        return PlannedFile(name, "kept", path)
    return PlannedFile(name, "created", path, text.encode())
