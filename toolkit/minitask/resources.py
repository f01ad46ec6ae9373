"""Files that ship with the toolkit: schemas, templates, worked examples, pages of rules; and a check against schemas.

The files are at the top of a checkout or inside the wheel; only this module needs to know which. The check is fast:
importing the schema library takes longer than most commands. Errors are in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from minitask.errors import MachineError, UsageError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT = {
    "schemas": "schemas",
    "templates": "templates",
    "mini-projects": "mini-projects",
    "rules": "docs/rules",
}


def path(kind: str, name: str = "") -> Path:
    """Return the path of the file or folder `name` of a kind; without a name, of the kind's folder.

    Raise `UsageError` for a name that leaves the folder or does not exist, `MachineError` if the installation is
    broken.
    """
    folder = _folder(kind)
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise UsageError(f"{kind} has no {name!r}", hint="give the bare name of a file there")
    file = folder / relative
    if not file.exists():
        raise UsageError(f"{kind} has no {name!r}", hint=f"it has: {', '.join(_names(folder))}")
    return file


@cache
def schema(name: str) -> dict[str, Any]:
    """Return the JSON schema `name` (`spec`, `config`, `record`): a shared value, not to be modified."""
    text = path("schemas", f"{name}.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def _folder(kind: str) -> Path:
    if kind not in _IN_CHECKOUT:
        raise UsageError(f"no resources of kind {kind!r}", hint=f"use {', '.join(_IN_CHECKOUT)}")
    for folder in (_PACKAGE / "_data" / kind, _PACKAGE.parents[1] / _IN_CHECKOUT[kind]):
        if folder.is_dir():
            return folder
    raise MachineError(f"the toolkit's {kind} are missing", hint="install minitask again")


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))


ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "examples"})


Schema = Mapping[str, Any]
Check = Callable[[Any], bool]


def fast_check(schema: Schema) -> Check:
    """Return a check that is True if a value certainly fits: False may mean that the schema has an unknown keyword."""
    checks: list[tuple[type | tuple[type, ...], Check]] = []
    for keyword, rule_value in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword not in _RULES:
            return lambda _value: False
        kind, make = _RULES[keyword]
        checks.append((kind, make(rule_value, schema)))

    def fits(value: object) -> bool:
        return all(keeps(value) for kind, keeps in checks if isinstance(value, kind))

    return fits


def _has_type(names: str | list[str], _schema: Schema) -> Check:
    listed = [names] if isinstance(names, str) else names
    types = frozenset(kind for name in listed for kind in _TYPES.get(name, ()))
    return lambda value: type(value) in types


def _is_choice(choices: Iterable[object], _schema: Schema) -> Check:
    return lambda value: any(type(value) is type(choice) and value == choice for choice in choices)


def _all_fit(rule_value: Any, _schema: Schema) -> Check:
    fits = fast_check(rule_value) if isinstance(rule_value, dict) else lambda _value: False
    return lambda values: all(map(fits, values))


def _are_unique(rule_value: Any, _schema: Schema) -> Check:
    def unique(value: list[object]) -> bool:
        return all(type(item) is str for item in value) and len(set(value)) == len(value)

    return unique if rule_value else lambda _value: True


def _properties_fit(rule_value: Mapping[str, Schema], _schema: Schema) -> Check:
    checks = {key: fast_check(each) for key, each in rule_value.items() if each}

    def fit(value: Mapping[str, object]) -> bool:
        return all(checks[key](item) for key, item in value.items() if key in checks)

    return fit


def _others_fit(rule_value: Any, schema: Schema) -> Check:
    if rule_value is True:
        return lambda _value: True
    known = frozenset(schema.get("properties", ()))
    if not isinstance(rule_value, dict):
        return lambda value: value.keys() <= known
    if "patternProperties" in schema:
        return lambda _value: False
    fits = fast_check(rule_value)
    return lambda value: all(fits(item) for key, item in value.items() if key not in known)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_NUMBERS = (int, float, Decimal)
_RULES: Mapping[str, tuple[type | tuple[type, ...], Callable[[Any, Schema], Check]]] = {
    "type": (object, _has_type),
    "enum": (object, _is_choice),
    "minimum": (_NUMBERS, lambda least, _: lambda value: bool(value >= least)),
    "maximum": (_NUMBERS, lambda most, _: lambda value: bool(value <= most)),
    "minLength": (str, lambda least, _: lambda value: len(value) >= least),
    "maxLength": (str, lambda most, _: lambda value: len(value) <= most),
    "pattern": (str, lambda pattern, _: lambda value: re.search(pattern, value) is not None),
    "items": (list, _all_fit),
    "minItems": (list, lambda least, _: lambda value: len(value) >= least),
    "uniqueItems": (list, _are_unique),
    "required": (dict, lambda keys, _: lambda value: all(key in value for key in keys)),
    "properties": (dict, _properties_fit),
    "additionalProperties": (dict, _others_fit),
    "propertyNames": (dict, _all_fit),
}
"""The rules of a schema, each with the types of values that it is about."""


KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
"""The words for each type of JSON."""
VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
"""The schemas' pattern of an environment variable's name."""


def fault(error: ValidationError) -> str:
    """Return what is wrong with a value, to be put after its name."""
    value: object = error.instance
    constraint: Any = error.validator_value
    if value is None or value in ("", [], {}):
        return "is empty"
    if error.validator == "type":
        kinds = constraint if isinstance(constraint, list) else [constraint]
        expected = " or ".join(KINDS[kind] for kind in kinds if kind != "null")
        return f"must be {expected}, not {_show(value)}"
    if error.validator == "enum":
        expected = ", ".join(str(choice) for choice in constraint if choice is not None)
        return f"must be one of {expected}, not {_show(value)}"
    if error.validator == "minimum":
        return f"must be at least {constraint}, not {_show(value)}"
    if error.validator == "required":
        return f"lacks {error.message.partition(' is ')[0]}"
    if error.validator == "uniqueItems" and isinstance(value, list):
        return f"names {next(item for item in value if value.count(item) > 1)} twice"
    if (
        error.validator == "pattern" and constraint == VARIABLE
    ):  # the value may be a key: it is not shown
        return "must be the name of an environment variable"
    return f"has an invalid value: {_show(value)}"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _show(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def remedy(error: ValidationError, name: str, *, around: str = "") -> str:
    """Return how to fix it: the nearest choice, else an example, else what the property's description says.

    `around` is the description of the key around a value that has none of its own, such as an item of a list.
    """
    import difflib

    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "required":
        keys: Any = error.validator_value
        instance: Any = error.instance
        missing = next((key for key in keys if key not in instance), "")
        described = schema.get("properties", {}).get(missing, {}).get("description", "")
        return f"add `{missing}`" + (f": {described}" if described else "")
    choices = [str(choice) for choice in schema.get("enum", ()) if choice is not None]
    near = difflib.get_close_matches(str(error.instance).casefold(), choices, n=1)
    if near and error.instance is not None:
        return f"did you mean `{near[0]}`?"
    written = _as_written(error, schema, name)
    if written:
        return written
    described = schema.get("description") or ("" if choices else around)
    if described:
        return f"`{name}`: {described}"
    return "choose one of them" if choices else f"see the schema's `{name}`"


def _as_written(error: ValidationError, schema: Mapping[str, Any], name: str) -> str:
    """Return how to write a value: its keys, its choices, with or without quotes or brackets, or an example; or ""."""
    value: object = error.instance
    types = schema.get("type", ())
    is_type = error.validator == "type"
    if is_type and schema.get("properties"):
        return f"its keys: {', '.join(schema['properties'])}"
    if is_type and _is_number(value) and "string" in types:
        return f'put it in quotes: "{value}"'
    if is_type and isinstance(value, str) and _reads_as_number(value, types):
        return f"write it without quotes: {value}"
    if value is None and schema.get("enum"):
        return f"write one of {', '.join(map(str, schema['enum']))}, or remove the key"
    if schema.get("examples"):
        return f"write, for example, `{name}: {schema['examples'][0]}`"
    if types == "array" and isinstance(value, str):
        items = value.split() if name == "command" else [value]
        return f"write `{name}: {json.dumps(items, ensure_ascii=False)}`"
    return ""


def _reads_as_number(text: str, types: str | list[str]) -> bool:
    """Return True for a number in quotes where the schema wants a number."""
    pattern = r"-?\d+(\.\d+)?" if "number" in types else r"-?\d+" if "integer" in types else r"(?!)"
    return re.fullmatch(pattern, text) is not None
