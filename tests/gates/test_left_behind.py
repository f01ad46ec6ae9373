"""What a task moves to another file goes from where it was."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from minitask.edits.script_model import Change
from minitask.errors import EditError
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, LineRange, Spec

OLD = "def keep():\n    return 0\n\n\ndef load(path):\n    text = read(path)\n    return text.strip()\n"
NEW = OLD[OLD.index("def load") :]
MOVED = OLD[: OLD.index("\n\n\ndef load")] + "\n"
MORE = OLD + "\n\nx = 1\n"
JS = "export function keep() {\n  return 0;\n}\n\nexport function load(p) {\n  const t = p;\n  return t;\n}\n"
JS_NEW = JS[JS.index("export function load") :]


def ruling(old: str, new: str, after: str, **spec_parts: object) -> str:
    """Return the reason against a change of `a.EXT` from `old` to `after` and a new `b.EXT`."""
    ending = "js" if "export" in old else "py"
    cited = spec_parts.pop("cited", ())
    locate = spec_parts.pop("locate", None)
    files = (
        FileRef(f"a.{ending}", FileAction.EDIT, cited),
        FileRef(f"b.{ending}", FileAction.CREATE),
    )
    parts = {"title": "Split it", "task": "1. Do it.", **spec_parts}
    spec = Spec("mini-projects/p/01.md", "1", files=files, **parts)  # type: ignore[arg-type]
    changes = [Change(f"a.{ending}", after), Change(f"b.{ending}", new)]
    return check_lint(changes, read={f"a.{ending}": old}.get, spec=spec, locate=locate).reason  # type: ignore[arg-type]


CITED = (LineRange(5, 7),)
WRONG: Mapping[str, tuple[str, str, str, dict[str, object]]] = {
    "cited lines": (OLD, NEW, MORE, {"cited": CITED}),
    "cited lines around it": (OLD, NEW, MORE, {"cited": (LineRange(3, 7),)}),
    "a sentence that moves it": (OLD, NEW, MORE, {"task": "1. Move `load` to `b.py`."}),
    "a title that extracts it": (OLD, NEW, MORE, {"title": "Extract load into b.py"}),
    "another indentation": (OLD, "if x:\n    " + NEW.replace("\n", "\n    ").rstrip() + "\n", MORE, {"cited": CITED}),
    "a script": (JS, JS_NEW, JS + "\nkeep();\n", {"cited": (LineRange(5, 8),)}),
    "it is imported, too": (OLD, NEW, "from b import load\n\n\n" + OLD, {}),
    "a script imports it, too": (JS, JS_NEW, 'import { load } from "./b.js";\n' + JS, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_moves_does_not_stay_where_it_was(case: str) -> None:
    old, new, after, parts = WRONG[case]
    reason = ruling(old, new, after, **parts)
    assert "load is still here, and in b." in reason or "it imports load, and defines it" in reason


def gone(path: str, cited: LineRange) -> LineRange:
    """No cited line is where it was."""
    raise EditError(f"{cited} of {path} changed")


RIGHT: Mapping[str, tuple[str, str, str, dict[str, object]]] = {
    "moved": (OLD, NEW, "from b import load\n\n\n" + MOVED, {"cited": CITED, "title": "Move load"}),
    "copied": (OLD, NEW, MORE, {"cited": CITED, "task": "1. Copy lines 5-7 to `b.py`."}),
    "kept for now": (OLD, NEW, MORE, {"task": "1. Move `load` to `b.py`, but keep it here for now."}),
    "a wrapper stays": (
        OLD,
        NEW,
        "import b\n\n\n"
        + OLD.replace("    text = read(path)\n    return text.strip()", "    return b.load(path)"),
        {"task": "1. Move `load` to `b.py`."},
    ),
    "other lines are cited": (OLD, NEW, MORE, {"cited": (LineRange(1, 2),)}),
    "a part of it is cited": (OLD, NEW, MORE, {"cited": (LineRange(5, 6),)}),
    "another is named": (OLD, NEW, MORE, {"task": "1. Move `keep` to `b.py`."}),
    "two of one name": (OLD, NEW.replace("strip", "lower"), MORE, {"cited": CITED}),
    "cited lines that are gone": (OLD, NEW, MORE, {"cited": CITED, "locate": gone}),
    "an override": (
        "x = 1\n",
        "def load():\n    return 1\n",
        "from b import load\n\n\ndef load():\n    return 2\n",
        {},
    ),
    "an alias": (OLD, NEW, "from b import load as other\n\n\n" + OLD, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGHT)
def test_what_may_stay_stays(case: str) -> None:
    old, new, after, parts = RIGHT[case]
    reason = ruling(old, new, after, **parts)
    assert "still here" not in reason
    assert "it imports" not in reason


def test_lines_are_cited_as_they_were_when_the_spec_was_written() -> None:
    def two_down(_path: str, cited: LineRange) -> LineRange:
        return LineRange(cited.start + 2, cited.end + 2)

    parts = {"cited": (LineRange(3, 5),), "locate": two_down}
    assert "load is still here" in ruling(OLD, NEW, MORE, **parts)
