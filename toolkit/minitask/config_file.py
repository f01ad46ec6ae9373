"""Read a configuration file: YAML without its traps, checked against the schema; one mistake gives one error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, cast

from minitask import resources
from minitask.errors import UsageError
from minitask.resources import fast_check, fault, remedy
from minitask.settings import FILE
from minitask.words import did_you_mean, nearest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from yaml import YAMLError


def read_values(text: str, name: str) -> dict[str, Any]:
    """Return the values of a file; raise `UsageError` for what is not YAML or does not fit the schema.

    A section without content, such as one whose keys are all comments, has no values.
    """
    values = _parsed(text, name)
    if values is None:
        return {}
    if _is_circular(values):
        raise UsageError("a value contains itself", where=name, hint="remove the YAML alias")
    if not isinstance(values, dict):
        hint = "write `key: value` lines; `minitask init` writes an example"
        raise UsageError("the configuration must be a mapping of keys", where=name, hint=hint)
    sections = _schema()["properties"]
    values = {
        key: value
        for key, value in values.items()
        if value is not None or sections.get(key, {}).get("type") != "object"
    }
    check_schema(values, name, text)
    return values


def _parsed(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        problem, line, hint = _explained(error)
        where = f"{name}:{line}" if line else name
        raise UsageError(f"not valid YAML: {problem}", where=where, hint=hint) from None
    except RecursionError:
        hint = "write fewer brackets"
        raise UsageError("not valid YAML: it is nested too deep", where=name, hint=hint) from None


@cache
def _loader() -> type[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """A safe loader that refuses a key that a mapping has twice: YAML would take the last one."""

        def compose_mapping_node(self, anchor: Any) -> Any:
            node = super().compose_mapping_node(anchor)
            lines: dict[str, int] = {}
            for key, _ in node.value:
                if key.id == "scalar" and key.value in lines and key.value != "<<":
                    problem = f"`{key.value}` is there twice, first in line {lines[key.value]}"
                    raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
                lines[str(key.value)] = key.start_mark.line + 1
            return node

    return Loader


def _explained(error: YAMLError) -> tuple[str, int, str]:
    """Return what is wrong with a YAML text, the line (0 if unknown), and the way out."""
    problem = getattr(error, "problem", None) or "it cannot be read"
    mark = getattr(error, "problem_mark", None)
    if str(getattr(error, "context", "")).startswith("while scanning"):
        mark = getattr(error, "context_mark", None) or mark  # the start of what has no end
    line = mark.line + 1 if mark else 0
    if "is there twice" in problem:
        return problem, line, "keep one of them"
    if "'\\t'" in problem:
        return (
            "a tab stands where YAML allows spaces only",
            line,
            "write spaces in place of the tab",
        )
    return problem, line, "correct that line" if line else "save it as text"


def where_is(name: str, text: str, path: Sequence[object]) -> str:
    """Return `FILE:LINE` of a key of a YAML file, or of the nearest key above it; FILE if there is none."""
    import yaml

    node, line = (yaml.compose(text, Loader=yaml.SafeLoader) if text else None), 0
    for part in path:
        if isinstance(node, yaml.MappingNode):
            pairs = (pair for pair in node.value if str(pair[0].value) == str(part))
            key, node = next(pairs, (None, None))
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            key = node = node.value[part]
        else:
            break
        line = key.start_mark.line + 1 if key else line
    return f"{name}:{line}" if line else name


def check_schema(values: Mapping[str, Any], name: str, text: str = "") -> None:
    """Raise `UsageError` if the values do not fit the schema; an unknown key comes first, as it explains others."""
    endless = _not_finite(values)
    if endless:
        raise UsageError(
            f"{endless} is not a finite number", where=name, hint="write a plain number"
        )
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    errors = [*Draft202012Validator(_schema()).iter_errors(values)]
    unknown = [error for error in errors if error.validator == "additionalProperties"]
    error = best_match(unknown or errors)
    if error is None:
        return
    path = [*error.absolute_path]
    key = ".".join(map(str, path))
    if unknown:
        raise _unknown_key(error, name, text)
    if "propertyNames" in error.absolute_schema_path:
        key = f"a key of {key}"
        path = [*path, error.instance]
    names = [part for part in path if isinstance(part, str)]
    last = names[-1] if names else FILE
    hint = _choice_hint(error) or remedy(error, last, around=_description(names))
    raise UsageError(f"{key} {fault(error)}", where=where_is(name, text, path), hint=hint)


def _description(names: Sequence[str]) -> str:
    """Return what the schema says of the last key of a path."""
    part: Any = _schema()
    for name in names:
        others = part.get("additionalProperties")
        part = part.get("properties", {}).get(name) or (others if isinstance(others, dict) else {})
    return str(part.get("description", ""))


def _unknown_key(error: ValidationError, name: str, text: str) -> UsageError:
    schema = cast("Mapping[str, Any]", error.schema)
    known_keys = sorted(schema.get("properties", {}))
    instance = cast("Mapping[object, Any]", error.instance)
    key = next(part for part in instance if part not in known_keys)
    path = [*error.absolute_path, key]
    near = "" if path[1:] else _elsewhere(str(key))
    near = near or nearest(str(key), known_keys) or _lacking(schema, instance, key)
    return UsageError(
        f"unknown key `{'.'.join(map(str, path))}`",
        where=where_is(name, text, path),
        hint=f"did you mean {near}?" if near else did_you_mean(str(key), known_keys),
    )


def _lacking(schema: Mapping[str, Any], instance: Mapping[object, Any], key: object) -> str:
    """Return the required key that is missing and that the value of an unknown one fits, or ""."""
    missing = (need for need in schema.get("required", ()) if need not in instance)
    fits = (need for need in missing if fast_check(schema["properties"][need])(instance[key]))
    return next(fits, "")


def _elsewhere(key: str) -> str:
    """Return the dotted paths of the sections' keys of that name, if there are one or two, else ""."""
    paths = [path for path in _paths(_schema()) if path.rpartition(".")[2] == key]
    return " or ".join(paths) if len(paths) < 3 else ""


def _paths(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted paths of all keys of a schema that have a fixed name."""
    names: Iterable[str] = schema.get("propertyNames", {}).get("enum", ())
    yield from (f"{above}{name}" for name in names)
    for name, part in schema.get("properties", {}).items():
        yield f"{above}{name}"
        yield from _paths(part, f"{above}{name}.")


@cache
def _schema() -> dict[str, Any]:
    return resources.schema("config")


def _choice_hint(error: ValidationError) -> str:
    """Return the nearest allowed value, or ""."""
    if error.validator == "enum" and isinstance(error.instance, str):
        near = nearest(error.instance, map(str, cast("list[object]", error.validator_value)))
        return f"did you mean {near}?" if near else ""
    return ""


def _is_circular(values: Any, above: tuple[int, ...] = ()) -> bool:
    """Return True if the value contains itself through a YAML alias."""
    if not isinstance(values, dict | list):
        return False
    if id(values) in above:
        return True
    inside = values.values() if isinstance(values, dict) else values
    return any(_is_circular(value, (*above, id(values))) for value in inside)


def _not_finite(values: Any, prefix: str = "") -> str:
    """Return the dotted key of the first NaN or infinite number, or an empty string."""
    if isinstance(values, Mapping):
        keys = (
            _not_finite(value, f"{prefix}.{key}" if prefix else str(key))
            for key, value in values.items()
        )
        return next(filter(None, keys), "")
    return prefix if isinstance(values, float) and not isfinite(values) else ""
