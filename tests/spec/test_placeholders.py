"""What a template left to be filled in is an error, wherever it stands; brackets of other kinds are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined, meta

from minitask.spec.model import Severity, Spec
from minitask.spec.parse import parse_file
from minitask.spec.quality import check_quality

TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.md.j2"))
GIVEN = {"number": 3, "title": "Move the parser", "id": "03-x", "project": "demo"}
VALUES = {
    "path": "src/a.py", "source": "src/a.py", "target": "src/b.py", "ranges": "3-9", "head": "import re",
    "symbol": "parse", "anchor": "import os", "import": "from b import parse", "check": "pytest -q", "next": "None",
    "example": "src/c.py", "purpose": "It parses.", "contents": "a parser", "reason": "It is wrong.", "search": "x = 1",
    "replace": "x = 2", "user": "src/d.py", "old": "import a", "new": "import b", "tests": "tests/test_a.py",
    "subject": "parse", "cases": "empty input", "count": "14 findings", "findings": "E1 line 3", "context": "A parser.",
    "read": "src/a.py", "write": "src/b.py", "note": "edit", "tool": "ruff", "commit": "HEAD",
}  # fmt: skip
DEFAULTS_THAT_HOLD = {"next", "note", "tool", "commit"}


def render(path: Path, /, **values: object) -> tuple[list[str], Spec]:
    text = path.read_text("utf-8")
    rendered = Environment(undefined=StrictUndefined).from_string(text).render({**GIVEN, **values})
    (spec,) = parse_file(rendered, path="mini-projects/demo/03-x.md").specs
    found = [item for item in check_quality(spec) if item.severity is Severity.ERROR]
    return [f"{item.code} {item.message}" for item in found], spec


def variables(path: Path) -> set[str]:
    tree = Environment().parse(path.read_text("utf-8"))
    return meta.find_undeclared_variables(tree) - GIVEN.keys()


CASES = [
    (path, name) for path in TEMPLATES for name in sorted(variables(path) - DEFAULTS_THAT_HOLD)
]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_fresh_template_is_an_error(path: Path) -> None:
    errors, _ = render(path)
    assert errors


@pytest.mark.parametrize(("path", "left"), CASES, ids=lambda value: getattr(value, "name", value))
def test_a_template_with_one_variable_left_is_an_error(path: Path, left: str) -> None:
    if (path.name, left) == ("add-tests.md.j2", "check"):
        pytest.skip("its default is the command that runs the tests")
    errors, _ = render(path, **{name: value for name, value in VALUES.items() if name != left})
    assert errors


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_with_all_variables_set_holds_no_placeholder(path: Path) -> None:
    errors, _ = render(path, **VALUES)
    free_text = "[the first step" in path.read_text("utf-8")
    assert bool(errors) is free_text


BODY = """# Mini-Task 1: {title}

**Files to Create**:
- `a.py`{note}

## Context

{context}

## Task

1. Create `a.py`.
{task}

## Acceptance Criteria

- [ ] {criterion}

## Validation

```bash
{command}
```
"""


def errors_of(**parts: str) -> list[tuple[int, str]]:
    given = {
        "title": "T",
        "note": "",
        "context": "C.",
        "task": "",
        "criterion": "It is.",
        "command": "true",
    } | parts
    (spec,) = parse_file(BODY.format(**given), path="x.md").specs
    return [(item.line, item.code) for item in check_quality(spec) if item.code == "E407"]


@pytest.mark.parametrize(
    ("part", "text", "line"),
    [("title", "[Clear, Concise Title]", 1), ("title", "TODO", 1), ("note", " (lines X-Y)", 4),
     ("context", "[Just enough background to understand the task]", 8), ("context", "[What this is about]", 8),
     ("task", "2. [Any other specific instructions]", 13), ("task", "2. TODO", 13), ("task", "3. ...", 13),
     ("task", "2. Use <your function name here> for it", 13), ("task", "Copy lines X-Y of it.", 13),
     ("criterion", "Line count is approximately [X] lines (±50)", 17),
     ("criterion", "[something that can be checked]", 17),
     ("command", "[check]", 22), ("command", 'grep -q -- "[symbol]" a.py', 22),
     ("command", "test -f path/to/new_file.py", 22), ("command", "wc -l path/to/a.py", 22)],
)  # fmt: skip
def test_a_placeholder_is_an_error_at_its_own_line(part: str, text: str, line: int) -> None:
    assert errors_of(**{part: text}) == [(line, "E407")]


@pytest.mark.parametrize(
    ("part", "text"),
    [("task", "2. See [the docs](docs/a.md) and [b][1].\n\n[1]: docs/b.md"), ("task", "- [ ] Check it\n- [x] Done"),
     ("task", "2. It is so[^1].\n\n[^1]: Because."), ("task", "2. Set `items[count]` to `[path]`."),
     ("task", "2. [P] [US1] Write `a.py`."), ("task", "2. Match `[a-z]+`, or [0-9] as well."),
     ("task", "2. Return `Array<T>`, `Map<string, number>` and <div>."), ("task", "2. Rename app/[slug]/page.tsx."),
     ("task", "```python\nx = [\n    path,\n    [1, 2],\n]\n[check]\n```"), ("task", "2. Remove every TODO in `a.py`."),
     ("title", "Support [id] routes"), ("title", "[US1] Routes"), ("context", "The list [1, 2] is sorted."),
     ("criterion", "[US2] It works"), ("criterion", "No TODO is left"), ("note", " (see [b](c/d.md))"),
     ("command", "[ -f a.py ]"), ("command", "[[ -f a.py ]]"), ("command", "grep -q '[.]old' a.py"),
     ("command", 'grep -q "path/to" README.md'), ("command", "grep -q '\\[N\\]' a.py"),
     ("command", "ls app/[slug]/a.tsx"), ("task", "2. Write [the page]( <docs/a b.md> )."),
     ("task", "```ts\ntype A = { [key: string]: number }\n```")],
)  # fmt: skip
def test_other_brackets_are_none(part: str, text: str) -> None:
    assert errors_of(**{part: text}) == []
