"""What no spec file may be is said at once, and options that are not read are said to be."""

from __future__ import annotations

import pytest

from minitask.spec.frontmatter import MAX_BYTES
from minitask.spec.parse import parse_file

TASK = "# Mini-Task 1: Title\n\n**Files to Create**: `a.py`\n"


def said(content: bytes) -> list[tuple[int, str, str]]:
    found = parse_file(content.decode("utf-8", "surrogateescape"), path="x.md")
    return [(item.line, item.code, item.message) for item in found.diagnostics]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding: str) -> None:
    assert said(TASK.encode(encoding)) == [(1, "E111", "the file is UTF-16, and a spec is UTF-8")]
    assert said(b"\xfe\xff" + TASK.encode("utf-16-be"))[0][1] == "E111"


def test_what_is_no_text_or_too_large_is_one_error() -> None:
    assert said((TASK + "a\0b\n").encode())[0][:2] == (4, "E111")
    assert said(b"# Mini-Task 1: X\n" + b"x" * MAX_BYTES)[0][1] == "E111"
    assert said(TASK.encode()) == []


@pytest.mark.parametrize(
    "options", ["id: b", "id: b\ndepends_on: [a]", "max_cost_usd: 1\ntier: free"]
)
def test_front_matter_before_a_later_task_is_an_error_at_its_line(options: str) -> None:
    text = f"{TASK}\n---\n{options}\n---\n\n# Mini-Task 2: Other\n"
    assert [(line, code) for line, code, _ in said(text.encode())] == [(5, "E112")]


@pytest.mark.parametrize(
    "top",
    [
        '+++\nreview = "required"\n+++\n',
        "```yaml\nreview: required\n```\n",
        "```\n---\ntier: free\n---\n```\n",
    ],
)
def test_front_matter_of_another_form_is_an_error(top: str) -> None:
    assert [(line, code) for line, code, _ in said(f"{top}\n{TASK}".encode())] == [(1, "E112")]
    assert said(f"{TASK}\n## Context\n\n{top}".encode()) == []
    assert said(f"{top.replace('re', 'pre').replace('ti', 'fi')}\n{TASK}".encode()) == []


def test_rules_and_headings_are_no_front_matter() -> None:
    text = f"{TASK}\n---\n\nNotes: all\n---\n\n---\n\n# Mini-Task 2: Other\n"
    assert said(text.encode()) == []


def test_the_keys_of_another_tool_are_one_diagnostic() -> None:
    text = f"---\nid: a\ntitle: x\nassignee: [me]\nstatus: open\ndepend_on: [b]\n---\n{TASK}"
    assert [(line, code) for line, code, _ in said(text.encode())] == [(3, "E103"), (6, "E103")]
    assert said(text.encode())[0][2] == "unknown keys `title`, `assignee`, `status`"


STATED = {
    "**Depends on**: Mini-Task 2": ("2",),
    "**Dependencies**: Task 1A, Task 3 (the parser)": ("1A", "3"),
    "**Prerequisites**: Tasks 1-3 and 7": ("1", "3", "7", "2"),
    "**Blocked by**: `02-b`, api/03-c.md": ("02-b", "api/03-c"),
    "**Depends On**:\n- 02-b\n- 03-c": ("02-b", "03-c"),
    "**Dependencies**: None (Task 3 builds on it)": (),
    "**Dependencies**: react 18-rc, node": (),
    "**Prerequisites**: Node 18": (),
    "**Dependencies**: independent of Task 2": (),
}


@pytest.mark.parametrize("field", STATED)
def test_a_header_field_that_names_tasks_is_a_dependency(field: str) -> None:
    spec = parse_file(
        f"# Mini-Task 5: X\n\n{field}\n\n**Files to Edit**: `a.py`\n", path="x.md"
    ).specs[0]
    assert spec.options.depends_on == STATED[field]
    assert not STATED[field] or spec.line_of("options.depends_on") == 3


def test_a_header_field_can_require_a_review_and_yields_to_the_front_matter() -> None:
    body = "# Mini-Task 5: X\n\n**Requires Review**: yes\n**Depends on**: Task 2\n"
    options = parse_file(body, path="x.md").specs[0].options
    assert (options.review, options.depends_on) == ("required", ("2",))
    options = parse_file(f"---\ndepends_on: []\n---\n{body}", path="x.md").specs[0].options
    assert options.depends_on == ()
    assert parse_file(body.replace("yes", "no"), path="x.md").specs[0].options.review is None
