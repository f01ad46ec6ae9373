"""Check specs against the published JSON schema; one mistake gives one problem, in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from minitask import resources
from minitask.resources import ANNOTATIONS, Check, fast_check, fault, remedy
from minitask.spec.model import Diagnostic, Problem, Spec

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError


def check_document(
    document: Mapping[str, object], lines: Mapping[str, int], *, path: str = ""
) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a spec's document; `lines` maps a path in it (`options/tier`) to a line."""
    if _fits_schema()(document):
        return ()
    return tuple(problem.at(path) for problem in _problems(_validator(""), document, lines))


def check_spec(spec: Spec) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a parsed spec; its front matter has been checked separately."""
    document = spec_document(spec)
    if _fits_beyond_front_matter()(document):
        return ()
    return check_document(document, dict(spec.lines), path=spec.path)


def check_options(options: Mapping[str, object], lines: Mapping[str, int]) -> tuple[Problem, ...]:
    """Return the problems of a front matter; `lines` maps a key, or `key/INDEX`, to a line."""
    if not options or _fits_options()(options):
        return ()
    return _problems(_validator("options"), options, lines)


@cache
def _schema(definition: str) -> dict[str, Any]:
    schema = resources.schema("spec")
    return {**schema["$defs"][definition], "$defs": schema["$defs"]} if definition else schema


@cache
def _inlined_schema() -> dict[str, Any]:
    """Return the schema of a spec with references inlined, without titles and descriptions."""
    definitions = resources.schema("spec")["$defs"]

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in part]
        if not isinstance(part, dict):
            return part
        reference = part.get("$ref", "").removeprefix("#/$defs/")
        judged = {key: value for key, value in part.items() if key not in {"$ref", *ANNOTATIONS}}
        if "properties" in judged:
            judged["properties"] = {
                name: inlined(each) for name, each in judged["properties"].items()
            }
        rest = {k: value if k == "properties" else inlined(value) for k, value in judged.items()}
        return {**inlined(definitions[reference]), **rest} if reference else rest

    return dict(inlined(resources.schema("spec")))


@cache
def _fits_schema() -> Check:
    return fast_check(_inlined_schema())


@cache
def _fits_beyond_front_matter() -> Check:
    schema = _inlined_schema()
    others = {**schema["properties"], "options": {}, "lines": {}}
    return fast_check({**schema, "properties": others})


@cache
def _fits_options() -> Check:
    return fast_check(_schema("options"))


@cache
def _validator(definition: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_schema(definition))


def _problems(
    validator: Draft202012Validator, value: Mapping[str, object], lines: Mapping[str, int]
) -> tuple[Problem, ...]:
    errors = list(validator.iter_errors(value))
    if not errors:
        return ()
    by_path: dict[str, list[ValidationError]] = {}
    for error in errors:
        by_path.setdefault(_path(error.absolute_path), []).append(error)
    problems = [
        problem for group in by_path.values() for problem in _explain(_best(group), lines=lines)
    ]
    return tuple(sorted(problems, key=lambda problem: problem.line))


def _best(errors: list[ValidationError]) -> ValidationError:
    """Return the error to report for one path: for alternatives, that of the closest one."""
    from jsonschema.exceptions import best_match

    best: ValidationError | None = best_match(errors)
    return best or errors[0]


def _path(path: Iterable[object]) -> str:
    return "/".join(str(part) for part in path)


def _line(path: str, lines: Mapping[str, int]) -> int:
    while path not in lines and "/" in path:
        path = path.rpartition("/")[0]
    return lines.get(path, 1)


def _explain(error: ValidationError, *, lines: Mapping[str, int]) -> list[Problem]:
    path = _path(error.absolute_path)
    if error.validator == "additionalProperties":
        return _unknown_keys(error, path=path, lines=lines)
    name = path.partition("/")[0] if path else "the document"
    subject = f"an item of {name}" if path.rpartition("/")[2].isdigit() else name
    message = f"{subject} {fault(error)}"
    return [Problem(_line(path, lines), "E104", message, remedy(error, name))]


def _unknown_keys(error: ValidationError, *, path: str, lines: Mapping[str, int]) -> list[Problem]:
    import difflib

    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    known_keys = list(schema.get("properties", {}))
    problems = []
    foreign = []
    instance: dict[str, object] = error.instance if isinstance(error.instance, dict) else {}
    for key in instance:
        if key in known_keys:
            continue
        line = _line(f"{path}/{key}" if path else key, lines)
        near = difflib.get_close_matches(key.casefold(), known_keys, n=1, cutoff=0.75)
        if near:
            hint = f"did you mean `{near[0]}`?"
            problems.append(Problem(line, "E103", f"unknown key `{key}`", hint))
        else:
            foreign.append((line, key))
    return [*problems, *_foreign_keys(foreign, known_keys)]


def _foreign_keys(foreign: list[tuple[int, str]], known_keys: list[str]) -> list[Problem]:
    """Return one problem for all keys that are not misspellings of known ones: they are another tool's."""
    if not foreign:
        return []
    names = ", ".join(f"`{key}`" for _, key in foreign)
    word = "key" if len(foreign) == 1 else "keys"
    hint = f"known keys: {', '.join(known_keys)}"
    return [Problem(foreign[0][0], "E103", f"unknown {word} {names}", hint)]


def spec_document(spec: Spec) -> dict[str, object]:
    """Return the JSON document of a spec: enums as text, money as decimal strings, unknown as null."""
    names = [name for name in spec.__struct_fields__ if name != "rows"]
    document = {name: _value(getattr(spec, name)) for name in names}
    document["extra"] = [{"key": key, "value": value} for key, value in spec.extra]
    document["lines"] = dict(spec.lines)
    return document


def _value(value: object) -> object:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, tuple):
        return [_value(element) for element in value]
    if isinstance(value, Struct):
        return {name: _value(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, str) else value


_PLAIN = (str, int, bool, type(None))
