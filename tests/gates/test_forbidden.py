"""What the task wants as it is stays as it is."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

BASE = '''"""Sizes."""


class Store:
    def load(self, path):
        return open(path).read()


def old_size(text):
    return int(text)


def show(n, unit="bytes"):
    return f"{n} {unit} {old_size('0')}"
'''
ROUNDED = BASE.replace("int(text)", "round(float(text))")
OTHER_BODY = ROUNDED.replace("{n} {unit}", "{n}{unit}")
OTHER_HEAD = ROUNDED.replace("unit=", "name=")
LOST = ROUNDED[: ROUNDED.index("def show")].rstrip() + "\n"


def ruling(content: str, limit: str, **parts: object) -> str:
    files = (FileRef("m.py", FileAction.EDIT),)
    spec_parts = {"task": f"1. Round in `old_size`.\n2. {limit}", **parts}
    spec = Spec("mini-projects/p/01.md", "1", "Round sizes", files=files, **spec_parts)
    return check_lint([Change("m.py", content)], read={"m.py": BASE}.get, spec=spec).reason


LIMITS = [
    "Do not change `show`.",
    "Do not touch `Store` or `show`.",
    "Don’t modify the function `show`.",
    "Keep `show` as it is.",
    "Leave show() alone.",
    "`show` must not be changed.",
    "`show` stays unchanged.",
    "**Never** edit `show` in this task.",
    "Do it without touching `show`.",
    "Only change `old_size`.",
    "Change nothing but `old_size`.",
    "Leave everything else as it is.",
    "Do not change any other function.",
    "Change nothing else.",
]


@pytest.mark.parametrize("limit", LIMITS)
def test_a_definition_that_the_task_wants_as_it_is_does_not_change(limit: str) -> None:
    assert not ruling(ROUNDED, limit)
    for content in (OTHER_BODY, OTHER_HEAD, LOST):
        assert "it changes show, which the task wants as it is" in ruling(content, limit)
    context = {"task": "1. Round in `old_size`.", "context": limit}
    assert "it changes show" in ruling(OTHER_BODY, "", **context)


@pytest.mark.parametrize(
    "limit",
    ["Keep the signature of `show`.", "Do not change `show`'s signature."],
)
def test_a_signature_that_the_task_wants_as_it_is_does_not_change(limit: str) -> None:
    assert not ruling(OTHER_BODY, limit)
    assert "it changes the signature of show" in ruling(OTHER_HEAD, limit)


def test_existing_functions_do_not_change_if_none_may() -> None:
    limit = {"task": "1. Add `half`.\n2. Do not change existing functions."}
    more = BASE + "\n\ndef half(n):\n    return n / 2\n"
    assert not ruling(more, "", **limit)
    assert "it changes old_size" in ruling(more.replace("int(text)", "float(text)"), "", **limit)


@pytest.mark.parametrize(
    "limit",
    [
        "Do not change the behaviour of `show`.",
        "Do not change `show` beyond its separator.",
        "Do not change `show` unless you must.",
        "Do not modify `other.py`.",
        "Do not change the default of `unit`.",
    ],
)
def test_a_limit_of_something_else_allows_it(limit: str) -> None:
    assert not ruling(OTHER_BODY, limit)


def test_everything_else_means_nothing_if_the_task_names_no_definition() -> None:
    task = "1. Print sizes without a space.\n2. Leave everything else as it is."
    assert not ruling(OTHER_BODY, "", task=task)


def test_a_rename_reaches_what_is_to_stay() -> None:
    task = "1. Rename `old_size` to `read_size`.\n2. Do not change `show`."
    assert not ruling(BASE.replace("old_size", "read_size"), "", task=task)


UNWANTED = [
    ("Do not use `eval`.", "m.py", "    return eval(text)\n"),
    ("Read it without using `json`.", "m.py", "    import json\n\n    return json.loads(text)\n"),
    ("Don't import `numpy`.", "m.py", "    from numpy import int64\n\n    return int64(text)\n"),
    ("Avoid `os.system`.", "m.py", "    return os.system(text)\n"),
    ("Never call `print()`.", "m.py", "    print(text)\n"),
    ("Do not use the type `any`.", "m.ts", "const size = (text: any) => text.length;\n"),
    ("Do not use `var`.", "m.ts", "var size = 1;\n"),
    ("Do not add `unwrap` anywhere.", "m.rs", "fn f() -> u8 { g().unwrap() }\n"),
]


@pytest.mark.parametrize(("limit", "path", "line"), UNWANTED)
def test_a_name_that_the_task_does_not_want_is_not_used(limit: str, path: str, line: str) -> None:
    def ruled(content: str, base: str | None) -> str:
        files = (FileRef(path, FileAction.WRITE),)
        task = f"1. Read sizes in `read_size`.\n2. {limit}"
        spec = Spec("mini-projects/p/01.md", "1", "Read sizes", files=files, task=task)
        return check_lint([Change(path, content)], read={path: base}.get, spec=spec).reason

    head = "def read_size(text):\n" if path == "m.py" else "// read_size\n"
    assert "and the task says not to" in ruled(head + line, None)
    assert "says not to" not in ruled(f"{head}{line}\n\nX = 1\n", head + line)
    comment = "    # neither eval, any, var, unwrap nor numpy\n    return int(text)\n"
    harmless = comment if path == "m.py" else "// neither any, var nor unwrap\n"
    assert "says not to" not in ruled(head + harmless, None)


def test_a_name_that_is_unwanted_for_one_use_may_have_others() -> None:
    limit = "Do not use `round` for the unit."
    assert not ruling(ROUNDED, limit)
