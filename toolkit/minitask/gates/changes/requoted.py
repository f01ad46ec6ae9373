"""Find numbers and truth values of data that became text: `8080` is no `"8080"` to what reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from minitask.gates.requested_removals import text_about
from minitask.gates.result import FileChange, LintError
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_ABOUT_TYPES = lazy_pattern(r"(?i)\b(?:strings?|quot\w+|texts?|types?|convert\w*|schema)\b")
_NUMBER = lazy_pattern(r"-?\d+(?:\.\d+)?|true|false")
_DEEPEST = 50


def find_requoted(proposal: FileChange, *, spec: Spec) -> LintError | None:
    """Return the first value of a JSON file that was a number, and is a number in quotes now."""
    if not proposal.path.endswith(".json") or not proposal.base:
        return None
    if max(len(proposal.base), len(proposal.content)) > LARGEST:
        return None
    spec_text = text_about(spec, proposal.path)
    if _ABOUT_TYPES.search(spec_text):
        return None
    try:
        before, after = json.loads(proposal.base), json.loads(proposal.content)
    except (ValueError, RecursionError):
        return None
    for name, value in _changed(before, after, "", 0):
        if f'"{value}"' not in spec_text:
            message = f'{name[:60]} was a value without quotes, and is "{value[:60]}" now'
            return LintError(proposal.path, 1, message, "write it without quotes")
    return None


def _changed(before: Any, after: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(before, dict) and isinstance(after, dict) and depth < _DEEPEST:
        for key in before.keys() & after.keys():
            yield from _changed(before[key], after[key], f"{name}.{key}".strip("."), depth + 1)
    elif isinstance(before, list) and isinstance(after, list) and depth < _DEEPEST:
        pairs = zip(before, after, strict=False) if len(before) == len(after) else ()
        for at, (old, new) in enumerate(pairs):
            yield from _changed(old, new, f"{name}[{at}]", depth + 1)
    elif isinstance(before, int | float) and isinstance(after, str) and _NUMBER.fullmatch(after):
        yield name, after
