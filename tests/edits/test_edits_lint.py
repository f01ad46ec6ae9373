"""Each E3xx rule: a spec whose edit script breaks it, and one whose does not."""

from __future__ import annotations

import pytest

from minitask.edits.check_script import check_script
from minitask.spec.model import Fence, FileAction, FileRef, Severity, Spec

READ, CREATE, EDIT = FileAction.READ, FileAction.CREATE, FileAction.EDIT


def _spec(files: dict[str, FileAction], *fences: tuple[str, str]) -> Spec:
    return Spec(
        path="mini-projects/p/a.md",
        number="1",
        title="T",
        files=tuple(FileRef(path, action, line=4) for path, action in files.items()),
        snippets=tuple(
            Fence(info, text, line=20 + 10 * n) for n, (info, text) in enumerate(fences)
        ),
        lines=(("title", 1), ("snippets", 18)),
    )


COPY = ("edits", "copy app.py:1-9 -> base.py\n")
MOVE = ("edits", "move app.py:1-9 -> base.py\n")
DIFF = ("diff", "--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,2 @@\n import os\n-A = 1\n+A = 2\n")

CASES = {
    "no script": (_spec({"base.py": CREATE}), ""),
    "plain snippets": (_spec({"base.py": CREATE}, ("python", "X = 1\n")), ""),
    "an operation without its arrow": (_spec({"base.py": CREATE}, ("edits", "copy app.py:1-9 base.py\n")), "E301"),
    "a block that is not closed": (
        _spec({"a.py": EDIT}, ("python path=a.py", "<<<<<<< SEARCH\nx\n=======\ny\n")),
        "E301",
    ),
    "a copy": (_spec({"app.py": READ, "base.py": CREATE}, COPY), ""),
    "a copy to a file that is not listed": (_spec({"app.py": EDIT}, COPY), "E302 N303"),
    "a move from a file that is only read": (_spec({"app.py": READ, "base.py": CREATE}, MOVE), "E302"),
    "a move": (_spec({"app.py": EDIT, "base.py": CREATE}, MOVE), ""),
    "a diff of a file that is not listed": (_spec({"base.py": CREATE}, COPY, DIFF), "E302"),
    "one file twice": (_spec({"base.py": CREATE}, COPY, ("edits", "copy app.py:20-30 -> new.py\n" * 2)), "E302"),
    "a file that is left": (_spec({"base.py": CREATE, "tests.py": CREATE}, COPY), "N303"),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "codes"), CASES.values(), ids=CASES.keys())
def test_one_mistake_in_a_script_gives_one_diagnostic(spec: Spec, codes: str) -> None:
    found = check_script(spec)
    assert [item.code for item in found] == codes.split()
    assert all(item.message and item.hint and item.path == spec.path for item in found)


def test_a_malformed_line_is_named_by_its_place_in_the_spec() -> None:
    spec = _spec({"base.py": CREATE}, ("edits", "copy app.py:1-9 -> base.py\nnonsense\n"))
    (found,) = check_script(spec)
    assert found.line == 22


def test_a_path_out_of_scope_is_named_at_its_edit() -> None:
    spec, _ = CASES["a move from a file that is only read"]
    (found,) = check_script(spec)
    assert found.line == 21
    assert found.message == "the edit script writes app.py, which the spec lists only to read"


def test_a_path_with_spaces_and_without_quotes_is_told_with_them() -> None:
    (found, _) = check_script(_spec({"my file.txt": CREATE}, ("text path=my file.txt", "x\n")))
    assert (found.code, found.hint) == ("E302", 'write the path in quotes: path="my file.txt"')


def test_what_is_left_to_a_model_is_a_note() -> None:
    spec, _ = CASES["a file that is left"]
    (found,) = check_script(spec)
    assert found.severity is Severity.NOTE
    assert found.message == "the edit script leaves tests.py to a model"
