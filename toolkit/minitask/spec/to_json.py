"""A spec as the plain JSON value that `spec.schema.json` describes."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from minitask.spec.model import Spec


def spec_document(spec: Spec) -> dict[str, object]:
    """Return the JSON document of a spec: enums as text, money as decimal strings, unknown as null."""
    names = [name for name in spec.__struct_fields__ if name != "rows"]
    document = {name: _value(getattr(spec, name)) for name in names}
    document["extra"] = [{"key": key, "value": value} for key, value in spec.extra]
    document["lines"] = dict(spec.lines)
    return document


def _value(value: object) -> object:
    if isinstance(value, Struct):
        return {name: _value(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value) if isinstance(value, str) else value
