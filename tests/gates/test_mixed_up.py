# ruff: noqa: E501 - the cases are whole files
"""Each of several new files holds what belongs into it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec


def ruling(
    now: Mapping[str, str], task: str = "1. Write them.", base: Mapping[str, str] | None = None
) -> str:
    """What the lint gate says of a change."""
    base = base or {}
    files = [FileRef(p, FileAction.EDIT if p in base else FileAction.CREATE) for p in now]
    spec = Spec("mini-projects/p/01.md", "1", "Do it", files=tuple(files), task=task)
    changes = [Change(path, text) for path, text in now.items()]
    return check_lint(changes, read=base.get, spec=spec).reason


SLUG = "def slugify(title):\n    words = title.lower().split()\n    return '-'.join(words)\n"
SHORT = "def shorten(text, limit):\n    if len(text) <= limit:\n        return text\n    return text[:limit]\n"
TEST = "\n\ndef test_slugify():\n    assert slugify('A b') == 'a-b'\n"
ADD = "export function add(a, b) {\n  return a + b;\n}\n"
MULTIPLY = "export function multiply(a, b) {\n  return a * b;\n}\n"
INSTALL, USAGE = "# Installing\n\nRun `make install`.\n", "# Usage\n\nRun `app --help`.\n"
WRONG = {
    "swapped": ({"slug.py": SHORT, "shorten.py": SLUG}, "seems to be that of"),
    "swapped scripts": ({"a/add.ts": MULTIPLY, "a/multiply.ts": ADD}, "a/multiply.ts:1: its text seems to be that of a/add.ts"),
    "swapped documents": ({"docs/install.md": USAGE, "docs/usage.md": INSTALL}, "seems to be that of"),
    "swapped settings": ({"dev.yaml": "name: prod\n", "prod.yaml": "name: dev\n"}, "seems to be that of"),
    "the same code": ({"slug.py": SLUG, "shorten.py": SLUG}, "it holds the same text as slug.py"),
    "the same document": ({"docs/install.md": INSTALL, "docs/usage.md": INSTALL}, "it holds the same text"),
    "all in both": ({"slug.py": SLUG + "\n\n" + SHORT, "shorten.py": f'"""Texts."""\n\n\n{SLUG}\n\n{SHORT}'}, "it repeats slugify of slug.py"),
    "one in both": ({"slug.py": SLUG, "shorten.py": f"{SLUG}\n\n{SHORT}"}, "shorten.py:1: it repeats slugify"),
    "a test with the code in it": ({"slug.py": SLUG, "test_slug.py": SLUG + TEST}, "test_slug.py:1: it repeats slugify"),
    "a script's test with the code in it": ({"add.ts": ADD, "add.test.ts": f"{ADD}test('a', () => expect(add(1, 2)).toBe(3));\n"}, "add.test.ts:1: it repeats add"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_file_in_the_place_of_another_is_a_fault(case: str) -> None:
    now, words = WRONG[case]
    assert words in ruling(now)


RIGHT = {
    "each its own": {"slug.py": SLUG, "shorten.py": SHORT},
    "one that speaks of the other": {"add.ts": ADD, "multiply.ts": MULTIPLY + "// like add\n"},
    "neither has its name": {"io.py": "a = 1\n", "net.py": "b = 2\n"},
    "the same one line": {"a.py": "x = 1\n", "b.py": "x = 1\n"},
    "the same name in two folders": {"a/tsconfig.json": '{\n "a": 1\n}\n', "b/tsconfig.json": '{\n "a": 1\n}\n'},
    "a mirror": {"src/slug.py": SLUG, "dist/slug.py": f"# Copied.\n{SLUG}"},
    "two versions": {"options-v3.md": USAGE, "options-v4.md": USAGE},
    "data of tests": {"tests/in/a.txt": "x\ny\n", "tests/in/b.txt": "x\ny\n"},
    "a helper in two of many": {"a.py": f"{SLUG}\n\n{SHORT}", "b.py": SLUG + "\n\n" + SHORT.replace("shorten", "cut")},
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_files_that_are_alike_for_a_reason_pass(case: str) -> None:
    assert not ruling(RIGHT[case])


def test_a_copy_that_the_task_asks_for_passes() -> None:
    both = {"slug.py": SLUG, "old_slug.py": SLUG}
    assert ruling(both)
    assert not ruling(both, task="1. Write `slug.py`.\n2. Put a copy of it into `old_slug.py`.")
