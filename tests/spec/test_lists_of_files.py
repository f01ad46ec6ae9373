"""Lists of files as people write them: the paths that are read are those that were written, and no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.spec.checks import check_against_tree
from minitask.spec.model import FileAction, LineRange, Spec, Tree
from minitask.spec.parse import parse_file
from minitask.spec.quality import check_quality

FIELDS = {
    "Files to Read": FileAction.READ,
    "Files to Create": FileAction.CREATE,
    "Files to Edit": FileAction.EDIT,
    "Files to Create/Edit": FileAction.WRITE,
}
PATHS = st.lists(
    st.sampled_from(["src", "app", "(auth)", "[id]", "a-b", "über", "x y"]), max_size=2
).flatmap(
    lambda parts: st.sampled_from(["a.py", "b.ts", "page.tsx", ".env", "Makefile", "c d.txt"]).map(
        lambda name: "/".join([*parts, name])
    )
)
# Notes that are about what is in a file: none of them changes what is done with it.
NOTES = st.sampled_from(
    ["", " (remove the `.old` rule)", " (new `.y` rule)", " (create the `Base` class)", " - delete the last test",
     " — update `other.py` callers", " (edit `b.css` as well)", ": the `color`, the `width`", " (lines 3-9)",
     " (make `x.y` optional)", " (see `docs/a.md`, `docs/b.md`)"]
)  # fmt: skip
DETAILS = st.lists(
    st.sampled_from(
        ["`color` becomes `blue`", "keep `margin`", "delete", "`other.py` stays", "create", "[x](y/z.py)",
         "**bold** text", "optional", "`b.py`"]
    ),
    max_size=3,
)  # fmt: skip
MARKERS = st.sampled_from(["- ", "* ", "1. ", "- [ ] "])


@st.composite
def items(draw: st.DrawFn) -> tuple[str, str]:
    """A list item for a path, with a note and nested details; and the path."""
    path, marker = draw(PATHS), draw(MARKERS)
    form = draw(st.sampled_from(["`{}`", "**`{}`**", "[`{}`]({})", "`{}`"]))
    target = f"<{path}>"
    text = marker + form.format(path, target) + draw(NOTES)
    inner = " " * (3 if marker == "1. " else 2)
    return "\n".join([text, *(f"{inner}- {detail}" for detail in draw(DETAILS))]), path


BOTH = {"new.txt": FileAction.CREATE, "a.py": FileAction.EDIT}
FORMS = {
    "no colon": ("**Files to Create**\n- `new.txt`\n\n**Files to Edit**\n- `a.py`", BOTH),
    "no colon, blank": ("**Files to Create**\n\n- `new.txt`\n\n**Files to Edit**\n\n- `a.py`", BOTH),
    "other colon": ("**Files to Create**：\n- `new.txt`\n\n**Files to Edit：**\n- `a.py`", BOTH),
    "a list of fields": (
        "- **Model**: small\n- **Files to Create**:\n  - `new.txt`\n    - holds `x.py`\n- **Files to Edit**: `a.py`",
        BOTH,
    ),
    "read only": (
        "**Files to Edit**:\n- `a.py`\n- `b.py` (read only)",
        {"a.py": FileAction.EDIT, "b.py": FileAction.READ},
    ),
    "context": (
        """**Files to Edit**:
- `a.py` (the context of requests)
- `b.py` (context)
- `c.py` [context]
- `d.py` (context: lines 1-9)
- `e.py` - as context only
- `f.py` (read)""",
        {
            "a.py": FileAction.EDIT,
            **dict.fromkeys(("b.py", "c.py", "d.py", "e.py", "f.py"), FileAction.READ),
        },
    ),
    "not to be changed": (
        """**Files to Edit**:
- `a.py` (edit lines 1-2, do not modify the imports)
- `b.py` (do not modify)
- `c.py` - unchanged, for reference
- Do not edit `d.py`
- `e.py` (leave as is)""",
        {
            "a.py": FileAction.EDIT,
            **dict.fromkeys(("b.py", "c.py", "d.py", "e.py"), FileAction.READ),
        },
    ),
    "a table says what stays": (
        """**Files to Edit**:

| File | Note |
|---|---|
| `a.py` | set x |
| `b.py` | keep as is |
| `c.py` | Reference only |
| `d.py` | No change |""",
        {"a.py": FileAction.EDIT, **dict.fromkeys(("b.py", "c.py", "d.py"), FileAction.READ)},
    ),
    "a table answers": (
        "**Files**:\n\n| File | Edit? |\n|---|---|\n| a.py | yes |\n| b.py | no |",
        {"a.py": FileAction.WRITE, "b.py": FileAction.READ},
    ),
    "marks and words that say no": (
        """**Files**:
- ✅ `a.py`
- ❌ `b.py`
- No changes to `c.py`
- NOT `d.py`
- `e.py` (for context only)
- View f/g.py""",
        {
            "a.py": FileAction.WRITE,
            **dict.fromkeys(("b.py", "c.py", "d.py", "e.py", "f/g.py"), FileAction.READ),
        },
    ),
    "verbs without a colon": ("**Files**:\n- Create new.txt\n- Edit a.py (lines 1-2)", BOTH),
    "two after a verb": ("**Files**:\n- Edit a.py and b.py", {"a.py": FileAction.EDIT, "b.py": FileAction.EDIT}),
    "a name of two words": ("**Files to Create**: new file.txt", {"new file.txt": FileAction.CREATE}),
    "other separators": (
        "**Files to Edit**: a.py; b.py\n\n**Files to Delete**: `c.py` / `d.py`",
        {
            **dict.fromkeys(("a.py", "b.py"), FileAction.EDIT),
            **dict.fromkeys(("c.py", "d.py"), FileAction.DELETE),
        },
    ),
    "a tag behind": ("**Files**:\n- new.txt [NEW]\n- a.py [MODIFY]", BOTH),
    "what to undo is no work": (
        "**Files to Edit**: a.py\n\n## On Failure\n\nUndo it.\n\n**Files to Delete**: b.py",
        {"a.py": FileAction.EDIT},
    ),
    "sections as labels": ("**On Failure**: stop.\n\n**Files to Edit**: a.py", {"a.py": FileAction.EDIT}),
    "numbered": ("## 2. Files to Create\n\n- new.txt\n\n### 2.1 Files to Edit\n\n- a.py", BOTH),
    "quoted, with punctuation": (
        "**Files to Create**: new.txt;\n\n**Files to Edit**:\n- \"a.py\",\n- 'b/c.py'\n- <d/e.py>",
        {
            "new.txt": FileAction.CREATE,
            **dict.fromkeys(("a.py", "b/c.py", "d/e.py"), FileAction.EDIT),
        },
    ),
    "tags": ("**Files**:\n- [NEW] new.txt\n- **[MODIFY]** `a.py`\n\n**Files to Delete**: *none*", BOTH),
    "groups": (
        """**Files**:
- Code:
  - `a.py` (edit)
    - `x.y` stays
  - Tests
    - [t.py](tests/t.py)
- **New:**
  - Styles
    - b.css: for all
    - c.css
- `d.py`
  - `e.py` imports it
  - keep `f.py`""",
        {
            "a.py": FileAction.EDIT,
            **dict.fromkeys(("tests/t.py", "d.py"), FileAction.WRITE),
            **dict.fromkeys(("b.css", "c.css"), FileAction.CREATE),
        },
    ),
    "links": (
        """**Files to Edit**:
- [a](src/a.py), [b](<src/b.py>) and [`c`](src/c.py "all of it")
- **[d](src/d.py#rules)** (see [docs](docs/d.md))
- ![logo](img/e.svg)
- <a href="src/f.py">the f</a>
- <code>src/g.py</code>
- [[src/h.py]]
- [src/i.py](https://host/x/blob/main/src/i.py)
- [j](app/\\(auth\\)/j.py)
- [the k][k]
- [src/l.py][]
- [src/m.py] - see `a[k]`
- `n.py` (as in [x][k])

[k]: src/k.py "k"
[src/l.py]: src/l.py
[src/m.py]: ./src/m.py""",
        dict.fromkeys(
            ("src/a.py", "src/b.py", "src/c.py", "src/d.py", "img/e.svg", "src/f.py", "src/g.py", "src/h.py",
             "src/i.py", "app/(auth)/j.py", "src/k.py", "src/l.py", "src/m.py", "n.py"),
            FileAction.EDIT,
        ),
    ),
    "struck out": (
        "**Files to Create**:\n- `new.txt`\n- ~~`b.py`~~ (later)\n- ~~c.py~~",
        {"new.txt": FileAction.CREATE},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_list_is_read_as_a_reader_takes_it(name: str) -> None:
    written, expected = FORMS[name]
    found = parse_file(f"# Mini-Task 1: X\n\n{written}\n\n## Task\n\n1. Do it.\n", path="x.md")
    assert {ref.path: ref.action for ref in found.specs[0].files} == expected


@given(
    field=st.sampled_from(sorted(FIELDS)),
    written=st.lists(items(), min_size=1, max_size=4),
    heading=st.booleans(),
)
def test_the_paths_read_are_the_paths_written(
    field: str, written: list[tuple[str, str]], *, heading: bool
) -> None:
    head = f"## {field}\n" if heading else f"**{field}**:"
    listed = "\n".join(text for text, _ in written)
    found = parse_file(
        f"# Mini-Task 1: X\n\n{head}\n{listed}\n\n## Task\n\n1. Do it.\n", path="x.md"
    )
    files = found.specs[0].files
    assert list(dict.fromkeys(ref.path for ref in files)) == list(
        dict.fromkeys(path for _, path in written)
    )
    assert {ref.action for ref in files} == {FIELDS[field]}
    assert not any(ref.optional for ref in files)


@pytest.mark.parametrize(
    ("text", "path", "ranges"),
    [("`path.ts:15-17`", "path.ts", [(15, 17)]), ("`path.py#L10-L20`", "path.py", [(10, 20)]),
     ("`path.py:L3-L4`", "path.py", [(3, 4)]), ("`path.py:10:5`", "path.py", [(10, 10)]),
     ("[path.py](src/path.py#L5)", "src/path.py", [(5, 5)]), ("path.ts:15-17 - fix", "path.ts", [(15, 17)]),
     ("`app/[id]/x.tsx:3,7-9`", "app/[id]/x.tsx", [(3, 3), (7, 9)])],
)  # fmt: skip
def test_lines_behind_a_path_are_read(text: str, path: str, ranges: list[tuple[int, int]]) -> None:
    found = parse_file(f"# Mini-Task 1: X\n\n**Files to Edit**:\n- {text}\n", path="x.md")
    (ref,) = found.specs[0].files
    assert (ref.path, ref.ranges) == (path, tuple(LineRange(*pair) for pair in ranges))


class Nothing(Tree):
    """A tree without files."""

    def kind(self, path: str) -> None:
        """Nothing is there."""

    def line_count(self, path: str) -> None:
        """Nothing has lines."""

    def names(self, folder: str) -> tuple[str, ...]:
        """Nothing is anywhere."""
        return ()


def spec_with(body: str) -> Spec:
    return parse_file(f"# Mini-Task 1: X\n\n{body}\n", path="x.md").specs[0]


@pytest.mark.parametrize(
    ("body", "name", "line"),
    [("**Scope (allowed files)**:\n- `a.py`\n- `b.py`", "Scope (allowed files)", 3),
     ("**Target paths**: `a.py`", "Target paths", 3),
     ("## Task\n\n1. Do it.\n\n### Scope of the change\n\n- `src/a.py`", "Scope of the change", 7),
     ("## Task\n\nTouch these files:\n\n- src/a.py\n- src/b.py", "Touch these files", 5)],
)  # fmt: skip
def test_a_list_of_paths_with_another_name_is_named(body: str, name: str, line: int) -> None:
    spec = spec_with(body)
    found = [d for d in check_against_tree(spec, Nothing()) if d.code == "E212"]
    assert [(d.line, f"read `{name}` as Files to Edit?" in d.hint) for d in found] == [(line, True)]
    beside = spec_with(f"**Files to Create**: `x.py`\n\n{body}")
    warned = [d for d in check_quality(beside) if d.code == "W417"]
    assert [(d.line, f"`{name}`" in d.message) for d in warned] == [(line + 2, True)]


@pytest.mark.parametrize(
    "body",
    ["**Files to Create**: `a.py`\n\n## Task\n\n1. In `a.py`:\n   - `b.py` is imported",
     "**Files to Create**: `a.py`\n\n## Task\n\nIts functions:\n\n- `one()`\n- `two()`",
     "**Files to Create**: `a.py`\n**Reference files that matter**: `b.py`"],
)  # fmt: skip
def test_other_lists_are_left_alone(body: str) -> None:
    assert not [d for d in check_quality(spec_with(body)) if d.code == "W417"]


@pytest.mark.parametrize(
    ("body", "lines"),
    [("## Task\n\n1. Do it.\n\n## Verify\n\n```bash\npytest -q\n```", [7]),
     ("## Task\n\n1. Do it.\n\n## Tests\n\nRun them:\n\n```sh\npytest -q\n```", [7]),
     ("## Task\n\n1. Do it.\n\n**Tests**: `pytest -q`", [7]),
     ("## Task\n\n1. Do it.\n\n## Tests\n\nAdd one for `a()`.\n\n```python\ndef test_a(): ...\n```", []),
     ("## Task\n\n1. Create the script:\n\n```bash\nls\n```", [])],
)  # fmt: skip
def test_commands_below_another_heading_are_said_not_to_run(body: str, lines: list[int]) -> None:
    assert [d.line for d in check_quality(spec_with(body)) if d.code == "W415"] == lines


def test_a_heading_and_labels_may_have_wide_colons() -> None:
    text = "# Mini-Task 2：Do it\n\n**Files to Create**：`a.txt`\n\n## Task：\n\n1. Do it.\n"
    spec = parse_file(text, path="x.md").specs[0]
    found = (spec.number, spec.title, [ref.path for ref in spec.files], spec.task)
    assert found == ("2", "Do it", ["a.txt"], "1. Do it.")
