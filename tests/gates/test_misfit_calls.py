# ruff: noqa: E501 - the cases are whole files
"""Calls of the repository's own Python functions that do not fit their parameters."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from memory_files import Files
from minitask.edits.script_model import Change
from minitask.gates.imports.importers import find_misfit_calls

F = "def f(x, y=0, *, z=1):\n    return x\n"
USE = "from a import f\n\nprint(f(1, y=2))\n"


def faults(base: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What is wrong with a change."""
    changes = [Change(path, text) for path, text in now.items()]
    after = Files({**base, **now})
    return "\n".join(map(str, find_misfit_calls(changes, read=base.get, candidate=after)))


WRONG = {
    "a parameter that is gone": ({"a.py": F, "b.py": USE}, {"a.py": "def f(x):\n    return x\n"}, "b.py:3: `f(1, y=2)`"),
    "a parameter more": ({"a.py": f"{F}f(1)\n"}, {"a.py": "def f(x, k):\n    return x\nf(1)\n"}, "does not fit `def f(x, k)`"),
    "too many": ({"a.py": F}, {"b.py": "from a import f as g\ng(1, 2, 3)\n"}, "b.py:2: `g(1, 2, 3)`"),
    "given twice": ({"a.py": F}, {"b.py": "from a import f\nf(1, x=1)\n"}, "`f(1, x=1)`"),
    "unknown": ({"a.py": F}, {"b.py": "from a import f\nf(1, q=1)\n"}, "`f(1, q=1)`"),
    "none": ({"a.py": F}, {"b.py": "from a import f\nf()\n"}, "`f()`"),
}  # fmt: skip
RIGHT = {
    "all forms": ({"a.py": F}, {"b.py": "from a import f\nf(1)\nf(1, 2)\nf(x=1, z=2)\nf(*a)\nf(**b)\n"}),
    "open": ({}, {"a.py": "def f(*a, **k):\n    return a\nf(1, 2, q=3)\n"}),
    "decorated": ({}, {"a.py": "@g\ndef f(x):\n    return x\nf()\n"}),
    "bound otherwise": ({}, {"a.py": "def f(x):\n    return x\ndef g(f):\n    f()\n"}),
    "meant to fail": ({}, {"a.py": "def f(x):\n    return x\nwith raises(TypeError):\n    f()\n"}),
    "wrong before": ({"a.py": "def f(x):\n    return x\nf()\n"}, {"a.py": "def f(x):\n    return x + 1\nf()\n"}),
    "of another module": ({"a.py": F}, {"b.py": "from c import f\nf()\n"}),
    "a method": ({}, {"a.py": "class A:\n    def f(self):\n        return 1\nA().f(1)\n"}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_call_that_raises_is_a_fault(case: str) -> None:
    base, now, words = WRONG[case]
    assert words in faults(base, now)


@pytest.mark.parametrize("case", RIGHT)
def test_a_call_that_may_fit_is_none(case: str) -> None:
    base, now = RIGHT[case]
    assert not faults(base, now)
