"""Checks on specs as they come from their Markdown: a whole file in, diagnostics with lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.check_script import check_script
from minitask.spec.checks import check_against_tree
from minitask.spec.parse import parse_file
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality

if TYPE_CHECKING:
    from minitask.spec.model import Kind

PATH = "mini-projects/split/02-base.md"

SOUND = """\
---
depends_on: [01-prepare]
---
# Mini-Task 2: Extract the base class

**Model**: Claude 3.5 Haiku
**Estimated Tokens**: 3,000 input + 800 output
**Files to Read**:
- `core/app.py` (lines 1-100 only)

**Files to Create**:
- `core/base.py`

## Context

`core/app.py` is split into modules; this task takes out the base class.

## Task

1. Copy the imports of `core/app.py` (lines 1-15).
2. Copy the class (lines 18-73).

## Code Snippets

```edits
copy core/app.py:1-15, core/app.py:18-73 -> core/base.py
```

## Acceptance Criteria

- [ ] `core/base.py` holds the class and nothing else

## Validation

```bash
# the file is there
ls -lh core/base.py
wc -l < core/base.py  # expect: output ~70 ±5
grep -q "class Base" core/base.py && echo "OK"
```

## On Failure

Stop and report.

## Next Task

Mini-Task 3: Extract the tools
"""


class Repository:
    """A tree of one file of 100 lines."""

    def kind(self, path: str) -> Kind | None:
        return {"core": "dir", "core/app.py": "file"}.get(path)  # type: ignore[return-value]

    def line_count(self, path: str) -> int | None:
        return 100 if path == "core/app.py" else None

    def names(self, folder: str) -> tuple[str, ...]:
        return {"": ("core",), "core": ("app.py",)}.get(folder, ())


def _said(text: str) -> list[tuple[int, str]]:
    known = [
        spec
        for number, name in ((1, "01-prepare"), (3, "03-tools"))
        for spec in parse_file(
            f"# Mini-Task {number}: Other", path=f"mini-projects/split/{name}.md"
        ).specs
    ]
    parsed = parse_file(text, path=PATH)
    assert parsed.diagnostics == ()
    said = [*check_project(parsed.specs, existing=known)]
    for spec in parsed.specs:
        said += check_against_tree(spec, Repository(), others=[*parsed.specs, *known])
        said += (*check_quality(spec), *check_script(spec))
    return sorted((item.line, item.code) for item in said)


def test_a_sound_spec_has_nothing_against_it() -> None:
    assert _said(SOUND) == []


def test_each_mistake_is_found_where_it_stands() -> None:
    wrong = (
        SOUND.replace("[01-prepare]", "[01-prepare, 00-none]")
        .replace("(lines 1-100 only)", "(lines 1-120)")
        .replace("- `core/base.py`\n", "- `/core/base.py`\n")
        .replace('echo "OK"', "true || echo")
        .replace("Mini-Task 3", "Mini-Task 9")
    )
    assert _said(wrong) == [
        (2, "E209"),
        (9, "E202"),
        (12, "E205"),
        (23, "N303"),
        (26, "E302"),
        (39, "W402"),
        (46, "W210"),
    ]


def test_a_template_that_was_not_filled_in_is_said_once() -> None:
    left = (
        SOUND.replace("Extract the base class", "[Clear, Concise Title]")
        .replace("`core/app.py` (lines 1-100 only)", "`path/to/file.py` (lines X-Y)")
        .replace("core/base.py", "path/to/new_file.py")
    )
    assert _said(left) == [(4, "E407")]
