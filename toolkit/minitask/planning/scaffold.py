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
from minitask.planning.survey import Suggestion
from minitask.planning.templates import check_values, read_template
from minitask.settings import FILE
from minitask.spec.dependency_graph import slug
from minitask.words import did_you_mean

TEMPLATES = "templates"
HEAD = """\
# What `minitask init` found here. After a change run `minitask trust`, or the file sets no executors.
"""
SUGGESTED = """\
# Suggested by the files of this repository: remove the `# ` of what is right, then run `minitask doctor`.
"""
SUFFIX = ".md.j2"
BEGIN, END = "<!-- minitask:begin -->", "<!-- minitask:end -->"
AGENT_FILES = {
    "aider": "CONVENTIONS.md",
    "claude": "CLAUDE.md",
    "codex": "AGENTS.md",
    "cursor": ".cursor/rules/minitask.mdc",
    "gemini": "GEMINI.md",
    "goose": ".goosehints",
    "opencode": "AGENTS.md",
    "qwen": "QWEN.md",
}
"""The file in which each coding agent looks for a repository's instructions."""

NUMBERED = lazy_pattern(r"(\d+)")


class Written(Struct, frozen=True):
    """A file, relative to the repository's root, and what was done: `created`, `extended` or `kept`."""

    path: str
    what: str


def init_repository(
    top: Path,
    settings: Mapping[str, Any],
    *,
    suggestions: Sequence[Suggestion] = (),
    agents: Sequence[str],
    templates: bool,
) -> tuple[Written, ...]:
    """Write the configuration with these settings, agents' instructions, and the templates if asked for.

    Suggestions are comments in it, for the user to choose from.

    What is there already is kept.
    """
    written = [_create(top, FILE, config_text(settings, suggestions))]
    if templates:
        written += [
            _create(top, f"{PROJECTS}/{TEMPLATES}/{source.name}", source.read_text("utf-8"))
            for source in template_files(None).values()
        ]
    guide = resources.path("templates", "agent-guide.md").read_text("utf-8")
    for agent in agents:
        if agent not in AGENT_FILES:
            raise UsageError(f"unknown agent {agent}", hint=did_you_mean(agent, AGENT_FILES))
        written.append(_teach(top, AGENT_FILES[agent], guide))
    return tuple(written)


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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("x", encoding="utf-8") as stream:
            stream.write(self.text)


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
        check_values(read_template(name, templates[name]), values)
        text = templates[name].read_text("utf-8")
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


def _create(top: Path, name: str, text: str) -> Written:
    path = top / name
    if path.exists() or path.is_symlink():
        return Written(name, "kept")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return Written(name, "created")


def _teach(top: Path, name: str, guide: str) -> Written:
    """Put the guide between its marks, in place of an earlier one or at the end; nothing else of the file changes."""
    path = top / name
    if path.is_symlink():
        raise UsageError(
            f"{name} is a link", hint="run `minitask init` once it is a file of this repository"
        )
    section = f"{BEGIN}\n{guide.strip()}\n{END}\n"
    if not path.exists():
        return _create(top, name, section)
    content = path.read_bytes()
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    taught = _with_section(content, section.encode().replace(b"\n", newline), newline)
    if taught == content:
        return Written(name, "kept")
    path.write_bytes(taught)
    return Written(name, "extended")


def _with_section(content: bytes, section: bytes, newline: bytes) -> bytes:
    end = content.find(END.encode())
    begin = content.rfind(BEGIN.encode(), 0, max(end, 0))
    if begin >= 0:
        return content[:begin] + section + content[end + len(END) :].removeprefix(newline)
    gap = b"" if not content or content.endswith(newline * 2) else newline
    return content + (b"" if content.endswith(newline) else newline) + gap + section
