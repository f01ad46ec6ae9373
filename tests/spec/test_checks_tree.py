"""Each E2xx rule about files: one spec that breaks it, one that does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from minitask.edits.check_script import check_script
from minitask.spec.checks import check_against_tree, check_anchor
from minitask.spec.model import Command, Criterion, FileAction, FileRef, LineRange, Options, Spec
from minitask.spec.parse import parse_file
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality

if TYPE_CHECKING:
    from minitask.spec.model import Kind

READ, CREATE, EDIT = FileAction.READ, FileAction.CREATE, FileAction.EDIT
WRITE, DELETE = FileAction.WRITE, FileAction.DELETE


@dataclass
class Listing:
    """A tree that is given as a listing: path to line count; other kinds apart."""

    files: dict[str, int | None]
    kinds: dict[str, Kind] = field(default_factory=dict)

    def kind(self, path: str) -> Kind | None:
        if path in self.kinds:
            return self.kinds[path]
        if path in self.files:
            return "file"
        return "dir" if any(known.startswith(f"{path}/") for known in self.files) else None

    def line_count(self, path: str) -> int | None:
        return self.files.get(path)

    def names(self, folder: str) -> set[str]:
        start = f"{folder}/" if folder else ""
        known = (path for path in (*self.files, *self.kinds) if path.startswith(start))
        return {path[len(start) :].partition("/")[0] for path in known}


TREE = Listing(
    {"src/app.py": 402, "src/lib/util.py": 10, "logo.png": None, "one.txt": 1},
    {"current": "symlink", "src/link.py": "symlink", "vendor/lib": "submodule"},
)


def _ref(
    path: str, action: FileAction, *ranges: tuple[int, int], optional: bool = False
) -> FileRef:
    cited = tuple(LineRange(*pair) for pair in ranges)
    return FileRef(path, action, cited, optional=optional, line=7)


def _spec(*files: FileRef, path: str = "mini-projects/p/a.md") -> Spec:
    return Spec(path=path, number="1", title="T", files=files, lines=(("title", 3),))


OUT = _ref("src/new.py", CREATE)

CASES = {
    "E201": [
        [_ref("src/ap.py", READ), OUT], [_ref("src/lib", READ), OUT], [_ref("src/*.py", READ), OUT],
        [_ref("src/ap.py", READ), _ref("src/ap.py", EDIT)],
    ],
    "": [
        [_ref("src/app.py", READ), OUT], [_ref("src/ap.py", READ, optional=True), OUT],
        [_ref("src/app.py", READ, (1, 402)), OUT], [_ref("logo.png", EDIT, (1, 2))],
        [_ref("src/new.py", CREATE, (1, 600))], [_ref("src/app.py", EDIT)], [_ref("src/app.py", DELETE)],
        [_ref("src/lib/new/deep.py", CREATE)], [_ref("src/app.py", WRITE)], [_ref("src/new.py", WRITE)],
        [_ref("path/to/file.py", READ), OUT],
    ],
    "E202": [
        [_ref("src/app.py", READ, (1, 40), (380, 403)), OUT], [_ref("src/app.py", EDIT, (403, 403))],
        [_ref("one.txt", EDIT, (1, 2))],
    ],
    "E203": [[_ref("src/ap.py", EDIT)], [_ref("src/ap.py", DELETE)], [_ref("src/lib", EDIT)]],
    "E204": [
        [_ref("src/app.py", CREATE)], [_ref("src/lib", CREATE)], [_ref("src/app.py/x.py", CREATE)],
        [_ref("src/lib", WRITE)],
    ],
    "E205": [
        [_ref("/home/ana/src/app.py", EDIT)], [_ref("../app.py", READ), OUT],
        [_ref(".GIT/config", CREATE)], [_ref("Set src/app.py", WRITE)], [_ref("+ src/n.py", CREATE)],
        [_ref("/src/a.py", READ), _ref("/src/a.py", EDIT)],
    ],
    "E206": [
        [_ref("current/app.py", EDIT)], [_ref("current/app.py", CREATE)], [_ref("src/link.py", READ), OUT],
        [_ref("vendor/lib/x.c", EDIT)],
    ],
    "E212": [[_ref("src/app.py", READ)]],
    "E201 E205": [[_ref("src/ap.py", READ), _ref("../x", EDIT)]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("src\\app.py", "src/app.py"),
        ("./src/app.py", "src/app.py"),
        ("src//app.py", "src/app.py"),
        ("src\\new.py", "src/new.py"),
        ("/home/ana/shop/src/app.py", "src/app.py"),
        ("C:\\shop\\src\\app.py", "src/app.py"),
        ("/home/ana/shop/src/new.py", ""),
        ("../src/app.py", ""),
        ("src/lib/", ""),
        (".GIT\\config", ""),
    ],
)
def test_another_spelling_of_a_path_is_told_with_the_one_that_is_meant(
    path: str, meant: str
) -> None:
    (found,) = check_against_tree(_spec(_ref(path, WRITE)), TREE)
    assert found.code == "E205"
    assert found.message.partition("; did you mean ")[2].removesuffix("?") == meant


@pytest.mark.parametrize(
    ("files", "codes"), [(files, codes) for codes, them in CASES.items() for files in them]
)
def test_one_mistake_about_files_gives_one_diagnostic(files: list[FileRef], codes: str) -> None:
    found = check_against_tree(_spec(*files), TREE)
    assert [item.code for item in found] == codes.split()
    assert all(item.hint and item.message and item.line in {3, 7} for item in found)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("app.py", "src/app.py"), ("scr/app.py", "src/app.py"), ("src/ap.py", "src/app.py"),
        ("src/lib/Util.py", "src/lib/util.py"), ("lib/utils.py", ""), ("src/link.py", ""),
        ("src/libs", ""), ("nothing/like/it.md", ""), ("re\u0301sume\u0301.txt", r"'r\xe9sum\xe9.txt'"),
    ],
)  # fmt: skip
def test_the_file_that_a_misspelt_path_may_mean_is_named(path: str, meant: str) -> None:
    tree = Listing({**TREE.files, "r\xe9sum\xe9.txt": 1, "src/a/__init__.py": 1}, TREE.kinds)
    message = check_against_tree(_spec(_ref(path, EDIT)), tree)[0].message
    assert message.partition("; did you mean ")[2].removesuffix("?") == meant


def test_lines_out_of_range_are_named_with_the_length_of_the_file() -> None:
    spec = _spec(_ref("src/app.py", READ, (1, 40), (380, 460)), OUT)
    (found,) = check_against_tree(spec, TREE)
    assert found.message == "lines 380-460 are outside src/app.py, which has 402 lines"


def test_cited_lines_are_those_of_the_anchor() -> None:
    longer = Listing({"src/app.py": 900})
    spec = _spec(_ref("src/app.py", EDIT, (880, 900)))
    assert check_against_tree(spec, TREE, anchor=longer) == ()
    assert [item.code for item in check_against_tree(spec, longer, anchor=TREE)] == ["E202"]


def test_a_file_that_another_spec_creates_may_be_missing() -> None:
    maker = _spec(_ref("src/base.py", CREATE), path="mini-projects/p/maker.md")
    user = _spec(_ref("src/base.py", READ), _ref("src/base.py", EDIT))
    assert [item.code for item in check_against_tree(user, TREE)] == ["E201"]
    assert check_against_tree(user, TREE, others=(maker, user)) == ()


def test_a_spec_does_not_provide_for_itself() -> None:
    spec = _spec(_ref("src/base.py", READ), _ref("src/base.py", CREATE))
    assert [item.code for item in check_against_tree(spec, TREE, others=(spec,))] == ["E201"]


def test_a_file_that_another_spec_deletes_may_be_created_anew() -> None:
    remover = _spec(_ref("src/app.py", DELETE), path="mini-projects/p/remover.md")
    maker = _spec(_ref("src/app.py", CREATE))
    assert check_against_tree(maker, TREE, others=(remover,)) == ()


@pytest.mark.parametrize(
    ("anchor", "commit", "codes"),
    [("4f2c9e1", None, ["E213"]), ("4f2c9e1", "4f2c9e1a" * 5, []), (None, None, [])],
)
def test_an_anchor_must_be_found(anchor: str | None, commit: str | None, codes: list[str]) -> None:
    spec = replace(_spec(OUT), options=Options(anchor=anchor))
    assert [item.code for item in check_anchor(spec, commit=commit)] == codes


def _sound(path: str, *files: FileRef, needs: tuple[str, ...] = ()) -> Spec:
    return replace(
        _spec(*files, path=path),
        task="1. Copy lines 1-9.",
        criteria=(Criterion("it is there"),),
        commands=(Command("python -m compileall src"),),
        options=Options(depends_on=needs),
    )


def test_a_sound_project_has_nothing_against_it() -> None:
    maker = _sound("mini-projects/p/a.md", _ref("src/base.py", CREATE))
    user = _sound("mini-projects/p/b.md", _ref("src/base.py", EDIT), needs=("a",))
    assert check_project([maker, user]) == check_project([user], existing=[maker]) == ()
    for spec in (maker, user):
        assert check_against_tree(spec, TREE, others=[maker]) == check_quality(spec) == ()


def test_what_a_task_uses_and_another_creates_is_said_once() -> None:
    maker = _sound("mini-projects/p/b.md", _ref("src/base.py", CREATE))
    late = _sound("mini-projects/p/a.md", _ref("src/base.py", READ), _ref("src/app.py", EDIT))
    said = check_project([maker, late])
    assert [(item.path[-4:], item.code) for item in said] == [("a.md", "W214")]
    assert check_against_tree(late, TREE, others=[maker]) == ()


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
