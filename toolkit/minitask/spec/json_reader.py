"""Values of a JSON document that another program wrote: of the expected kind, absent, or an error that says where.

JSON's `null` counts as absent, as tools write the one for the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from minitask.errors import UsageError

Value = TypeVar("Value")
LARGEST = 10**9
"""No line or column is larger; a number that is was not meant as one."""
KINDS = ((bool, "a truth value"), (str, "a text"), (list, "a list"), (dict, "an object"))


def decode_json(content: bytes) -> str:
    """Return the text of a JSON document in the encoding that its first bytes tell; raise `UsageError` if it is in
    none.
    """
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise damaged(f"byte {error.start} is not {encoding.upper()}") from None


def load_json(text: str) -> Any:
    """Return the document; raise `UsageError` for what is none, or is nested too deeply to be a report."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise damaged(f"it is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise damaged(f"it is not readable JSON: {error}") from None


def table(value: object, where: str) -> Mapping[str, Any]:
    """Return an object; an empty one where there is none."""
    return _expect(value, where, dict, {})


def rows(value: object, where: str) -> Sequence[Any]:
    """Return a list; an empty one where there is none."""
    return _expect(value, where, list, [])


def string(value: object, where: str) -> str:
    """Return a text; an empty one where there is none."""
    return _expect(value, where, str, "")


def count(value: object, where: str) -> int:
    """Return a whole number from 0 on, as lines and columns are; 0 if there is none."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise damaged(f"{where} is {_kind(value)}, not a line or column")
    return value


def damaged(problem: str) -> UsageError:
    """Return the error for a document that is not what it should be."""
    return UsageError(
        f"the linter's report is damaged: {problem}",
        hint="run the linter again to write a complete report",
    )


def _expect(value: object, where: str, kind: type[Value], absent: Value) -> Value:
    if value is None:
        return absent
    if not isinstance(value, kind):
        raise damaged(f"{where} is {_kind(value)}, not {dict(KINDS)[kind]}")
    return value


def _kind(value: object) -> str:
    name = next((label for kind, label in KINDS if isinstance(value, kind)), "")
    return name or f"the number {str(value)[:20]}"
