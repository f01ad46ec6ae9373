"""A spec as the plain JSON value that `spec.schema.json` describes."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

from minitask.spec.model import Spec


def spec_document(spec: Spec) -> dict[str, object]:
    """Return the JSON document of a spec: enums as text, money as decimal strings, unknown as null."""
    names = [field.name for field in dataclasses.fields(spec) if field.name != "rows"]
    document = {name: _value(getattr(spec, name)) for name in names}
    document["extra"] = [{"key": key, "value": value} for key, value in spec.extra]
    document["lines"] = dict(spec.lines)
    return document


def _value(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _value(getattr(value, field.name)) for field in fields}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, str) else value
