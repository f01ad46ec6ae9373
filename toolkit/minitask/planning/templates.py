"""What the first comment of a template says: its purpose and its variables, each with a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from minitask.errors import UsageError
from minitask.patterns import lazy_pattern
from minitask.spec.paths import check_path

_VARIABLE = lazy_pattern(
    r"(?P<name>\w+)(?: \((?P<kind>\w+)\))?: (?P<meaning>.+?) \((?:default: (?P<default>.+)|always given)\)"
)
_LINES = lazy_pattern(r"\d+(?:-\d+)?(?:,\s?\d+(?:-\d+)?)*")
_NAME = lazy_pattern(r"[^\s`'\"<>|&;]+")


class Variable(Struct, frozen=True):
    """A variable of a template; `default` is None where minitask gives the value."""

    name: str
    kind: str
    meaning: str
    default: str | None


class Template(Struct, frozen=True):
    """A template: its name, a sentence, and its variables in order."""

    name: str
    summary: str
    variables: tuple[Variable, ...]


def read_template(name: str, text: str) -> Template:
    """Return what a template's comment says; a template without one has neither a summary nor variables."""
    comment = text.partition("{#-")[2].partition("-#}")[0].strip()
    summary, _, remainder = comment.partition("\n\n")
    found = (_VARIABLE.fullmatch(line) for line in remainder.splitlines())
    variables = (
        Variable(match["name"], match["kind"] or "text", match["meaning"], match["default"])
        for match in found
        if match
    )
    return Template(name, " ".join(summary.split()), tuple(variables))


def check_values(template: Template, values: Mapping[str, str]) -> None:
    """Raise `UsageError` for a value that is not of its variable's kind."""
    for variable in template.variables:
        value = values.get(variable.name)
        wrong = _CHECKS[variable.kind](value) if value and variable.kind in _CHECKS else ""
        if wrong:
            raise UsageError(
                f"--set {variable.name}={value}: {wrong}",
                hint=f"{variable.name} is {variable.meaning}",
            )


def _check_lines(value: str) -> str:
    return "" if _LINES.fullmatch(value) else "these are not lines, such as 40-90,120"


def _check_name(value: str) -> str:
    return "" if _NAME.fullmatch(value) else "this is not one name"


def _check_number(value: str) -> str:
    return "" if value.isdecimal() else "this is not a number"


def _check_path(value: str) -> str:
    reason = check_path(value)
    return f"this is not a path in the repository: {reason}" if reason else ""


_CHECKS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"path": _check_path, "lines": _check_lines, "name": _check_name, "number": _check_number}
)


def render_list(templates: Sequence[Template]) -> str:
    """Return a line a template."""
    width = max(len(template.name) for template in templates)
    lines = [f"{template.name:{width}}  {template.summary}" for template in templates]
    return "\n".join((*lines, "next: minitask new --list --template NAME, for its variables"))


def render_variables(template: Template) -> str:
    """Return a line a variable, and a command to copy."""
    asked = [variable for variable in template.variables if variable.default is not None]
    width = max((len(variable.name) for variable in asked), default=0)
    lines = [f"{template.name}: {template.summary}"]
    for variable in asked:
        default = "" if variable.default == f"[{variable.name}]" else f" ({variable.default})"
        lines.append(f"  {variable.name:{width}}  {variable.kind:7}  {variable.meaning}{default}")
    pairs = " ".join(f"--set {each.name}=…" for each in asked if each.default == f"[{each.name}]")
    return "\n".join(
        (*lines, f"next: minitask new PROJECT TITLE --template {template.name} {pairs}")
    )
