"""A fast JSON schema check without the schema library, whose import takes longer than most commands.

True is certain. After False the library must decide, and report the problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

ANNOTATIONS = frozenset({"$schema", "$id", "$comment", "$defs", "title", "description", "examples"})


def surely_fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Return True if the value certainly fits; False if it does not, or the schema uses an unsupported keyword."""
    for keyword, rule_value in schema.items():
        if keyword in ANNOTATIONS:
            continue
        rule = _RULES.get(keyword)
        if rule is None or not rule(value, rule_value, schema):
            return False
    return True


def _has_type(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    kinds = rule_value if isinstance(rule_value, list) else [rule_value]
    return any(type(value) in _TYPES.get(kind, ()) for kind in kinds)


def _is_choice(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return any(type(value) is type(choice) and value == choice for choice in rule_value)


def _is_at_least(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, (int, float, Decimal)) or value >= rule_value


def _is_at_most(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, (int, float, Decimal)) or value <= rule_value


def _is_long_enough(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or len(value) >= rule_value


def _is_short_enough(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or len(value) <= rule_value


def _matches(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, str) or re.search(rule_value, value) is not None


def _items_fit(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, list):
        return True
    return isinstance(rule_value, dict) and all(surely_fits(item, rule_value) for item in value)


def _has_enough_items(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, list) or len(value) >= rule_value


def _are_unique(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    if not rule_value or not isinstance(value, list):
        return True
    return all(type(item) is str for item in value) and len(set(value)) == len(value)


def _has_all(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    return not isinstance(value, dict) or all(key in value for key in rule_value)


def _properties_fit(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return all(surely_fits(value[key], rule_value[key]) for key in value if key in rule_value)


def _others_fit(value: object, rule_value: Any, schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    others = [item for key, item in value.items() if key not in schema.get("properties", {})]
    if isinstance(rule_value, dict):
        return "patternProperties" not in schema and all(
            surely_fits(item, rule_value) for item in others
        )
    return rule_value is True or not others


def _names_fit(value: object, rule_value: Any, _schema: Mapping[str, Any]) -> bool:
    if not isinstance(value, dict):
        return True
    return isinstance(rule_value, dict) and all(surely_fits(key, rule_value) for key in value)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_RULES: Mapping[str, Callable[[object, Any, Mapping[str, Any]], bool]] = {
    "type": _has_type,
    "enum": _is_choice,
    "minimum": _is_at_least,
    "maximum": _is_at_most,
    "minLength": _is_long_enough,
    "maxLength": _is_short_enough,
    "pattern": _matches,
    "items": _items_fit,
    "minItems": _has_enough_items,
    "uniqueItems": _are_unique,
    "required": _has_all,
    "properties": _properties_fit,
    "additionalProperties": _others_fit,
    "propertyNames": _names_fit,
}
