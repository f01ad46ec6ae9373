"""Find tests that a correction weakens: after a failed validation, the code should change, not what is expected of it.

Both versions of such a test are new, so a comparison with the base does not show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from minitask.edits.script_model import Change
from minitask.gates.validation.sentinel import find_lost_tests
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_ASSERTS = lazy_pattern(r"(?i)\b(?:assert\w*!?|expect|should|require|t\.(?:error|fatal)f?|check)\b")


def find_weakened_tests(
    earlier: Sequence[Change], now: Sequence[Change], *, spec: Spec
) -> tuple[str, ...]:
    """Return a doubt if a correction takes tests away, or changes assertions and none of the code."""
    old, new = _texts(earlier), _texts(now)
    lost = find_lost_tests(old, {path: new.get(path) for path in old}, spec=spec).doubts
    if lost:
        return lost
    tests = [path for path in old if is_test_path(path) and path in new]
    is_same_code = _code(old) == _code(new)
    changed = [path for path in tests if _assertions(old[path]) - _assertions(new[path])]
    if not is_same_code or not changed:
        return ()
    return (f"its correction changes what {changed[0]} expects, and not the code that failed",)


def _texts(changes: Sequence[Change]) -> dict[str, str]:
    return {change.path: change.content for change in changes if change.content is not None}


def _code(texts: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if not is_test_path(path)}


def _assertions(text: str) -> frozenset[str]:
    rows = map(str.strip, text.split("\n"))
    return frozenset(row for row in rows if _ASSERTS.search(row))
