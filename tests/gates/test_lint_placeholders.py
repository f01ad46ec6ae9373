"""Comments in place of code: which lines are, and which only look it."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.gates.source.elisions import is_elision, is_note
from minitask.spec.model import FileAction, FileRef, Spec

SPEC = Spec(path="mini-projects/p/01.md", number="1", title="Add a flag")

ELISIONS = [
    "# ... rest of the file unchanged",
    "# ... rest of the file unchanged ...",
    "    # ... rest of code ...",
    "# ...rest of the code remains the same...",
    "# … rest of the module …",
    "# rest of the file unchanged",
    "# Rest of file remains the same.",
    "# (rest of the class unchanged)",
    "# [rest of the code stays the same]",
    "# (other functions remain the same)",
    "# other methods unchanged",
    "# remaining methods unchanged",
    "# --- remaining tests unchanged ---",
    "# existing code here",
    "# ... existing code ...",
    "# ... existing imports ...",
    "# ... (existing imports and helpers)",
    "# keep existing code as is",
    "# everything else stays the same",
    "# ... everything else unchanged",
    "# same as before",
    "# ... same as before ...",
    "# ... unchanged ...",
    "# ... omitted for brevity ...",
    "# code omitted for brevity",
    "# no changes below",
    "# ... 40 more lines ...",
    "// existing code here",
    "// ... existing code ...",
    "// ...existing code...",
    "// ... other handlers",
    "// ... remaining imports unchanged",
    "// ... previous routes ...",
    "// ... imports ...",
    "// ... rest of the component",
    "// [previous implementation unchanged]",
    "/* remaining methods unchanged */",
    "/* ... existing styles ... */",
    "{/* ... rest of the JSX ... */}",
    "{/* existing form fields and markup unchanged */}",
    " * ... rest of the methods",
    "<!-- rest unchanged -->",
    "<!-- ... existing content ... -->",
    "-- same as before",
    "-- ... other columns unchanged",
    "; rest of the file unchanged",
    "{# ... rest of the template ... #}",
    "... (rest of code)",
    "... rest of the file unchanged ...",
    "[rest of the file unchanged]",
    "(remaining functions unchanged)",
    "# rest of implementation here",
]

CODE = [
    "...",
    "    ...",
    "    def f(self) -> int: ...",
    "# ...",
    "# the rest of the fields are optional",
    "# The rest of this function assumes UTF-8.",
    "# rest",
    "# the rest is up to the caller",
    "# the remaining items are skipped",
    "# remaining methods of the protocol, in the order of the RFC",
    "# unchanged",
    "# omitted",
    "# nothing here",
    "# if the nodes are the same...",
    "# Everything else...",
    "# loading the remaining users...",
    "# existing rows are updated in place, other rows are left alone",
    "# keep the existing order of imports when sorting",
    "# add the remaining new files",
    "# original code: https://example.com/a.py",
    "# same as before, but with a lock held",
    "# the same as in `read`",
    "# ... and then the cache is warm",
    "# ... otherwise the lock is lost",
    "# see foo(a, ...)",
    "# usage: prog [options] file...",
    "# TODO: the rest",
    "// ...rest",
    "// ...args are passed through",
    "// the rest of the props go to the button",
    "// other fields are unchanged by this call, see above",
    "const { a, ...rest } = props;",
    "  ...rest,",
    "{...rest}",
    "<Button {...rest}>",
    "function f(...rest) {",
    "func f(args ...string) {",
    "    f(args...)",
    "REMAINDER = '...'",
    "from sympy.core.expr import unchanged",
    "assert text == 'rest of the file unchanged'",
    '    "... existing code ...",',
    "rest: unchanged",
    "- existing code here",
    "x = 1  # ... rest unchanged",
    "--rest",
    "#!/usr/bin/env python3",
    "#include <rest.h>",
    "<rest>",
    "",
]


def lint(path: str, content: str, base: str | None = None) -> str:
    """The reason of the ruling on one file; empty where it passed."""
    return check_lint([Change(path, content)], read={path: base}.get, spec=SPEC).reason


@pytest.mark.parametrize("line", ELISIONS)
def test_it_elides_code(line: str) -> None:
    assert is_elision(line)


@pytest.mark.parametrize("line", CODE)
def test_it_elides_nothing(line: str) -> None:
    assert not is_elision(line)


@pytest.mark.parametrize(
    "line", ["rest unchanged", "Rest of the file unchanged.", "same as before"]
)
def test_a_bare_note_counts_at_the_ends_of_a_file_only(line: str) -> None:
    assert is_note(line)
    assert lint("a.conf", f"one\n\n{line}\n\n")
    assert lint("a.conf", f"{line}\none\n")
    assert not lint("a.conf", f"one\n{line}\ntwo\n")


def test_the_fault_names_place_line_and_remedy() -> None:
    found = lint("a.py", "import os\n\n    # ... rest of the file unchanged\n")
    assert found == (
        'a.py:3: "# ... rest of the file unchanged" stands for code that is left out; '
        "write out the code that it stands for, or reply with edits of the lines that change"
    )


def test_a_line_that_the_base_has_is_no_addition() -> None:
    line = "# ... existing code ...\n"
    assert not lint("a.py", f"x = 2\n    {line}", f"x = 1\n{line}")


def test_a_line_that_moved_from_another_file_of_the_change_or_the_spec_is_no_addition() -> None:
    base = {"a.py": "# ... existing code ...\n", "c.py": "# same as before\n"}
    spec = Spec(path="s.md", number="1", title="t", files=(FileRef("c.py", FileAction.READ),))
    changes = [Change("a.py", None), Change("b.py", base["a.py"] + base["c.py"])]
    assert check_lint(changes, read=base.get, spec=spec).passed
    assert not check_lint(changes[1:], read=base.get, spec=SPEC).passed


@pytest.mark.parametrize("path", ["README.md", "docs/a.rst", "notes.txt"])
def test_prose_may_talk_about_it(path: str) -> None:
    assert not lint(path, "How models cheat\n\n# ... existing code ...\n\nThat is all.\n")
    assert not lint(path, "What changed\n\nThe rest of the file is unchanged.\n")


def test_prose_that_ends_in_it_is_cut_off() -> None:
    assert "README.md:3" in lint("README.md", "# Title\n\n... rest of the file unchanged ...\n")


PYTHON_STRING = 'CASE = """\n# ... rest of the file unchanged\n"""\n'
STRINGS = {
    "a.py": PYTHON_STRING,
    "b.py": 'CASE = f"""{1}\n# existing code here\n"""\n',
    "a.js": "const a = `\n// ... existing code ...\n`;\n",
    "a.ts": "const a: string = `\n// ... existing code ...\n`;\n",
    "a.go": "package a\n\nvar a = `\n// ... existing code ...\n`\n",
    "a.rs": 'const A: &str = r"\n// ... existing code ...\n";\n',
    "A.java": 'class A { String a = """\n    // ... existing code ...\n    """; }\n',
}


@pytest.mark.parametrize("path", STRINGS)
def test_a_line_within_a_string_is_data(path: str) -> None:
    assert not lint(path, STRINGS[path])


COMMENTS = {
    "a.py": PYTHON_STRING + "# existing code here\n",
    "a.js": "const a = `x`;\n/*\n * ... rest of the methods\n */\n",
    "a.ts": "const a = `x`;\n// existing code here\n",
    "a.tsx": "const a = (\n  <p>\n    {/* ... rest of the form ... */}\n  </p>\n);\n",
    "a.go": "package a\n\n// existing code here\n",
    "a.rs": "fn main() {\n    // existing code here\n}\n",
    "A.java": "class A {\n    // existing code here\n}\n",
    "a.css": "/* ... existing styles ... */\n",
    "a.sql": "-- same as before\n",
    "a.yaml": "a: 1\n# rest of the file unchanged\n",
    "a.html": "<p>\n<!-- rest unchanged -->\n</p>\n",
    "Makefile": "all:\n# rest of the file unchanged\n",
}


@pytest.mark.parametrize("path", COMMENTS)
def test_a_comment_in_any_language_counts(path: str) -> None:
    assert "stands for code" in lint(path, COMMENTS[path])


LONG = "def f(rows):\n    total = 0\n    for row in rows:\n        total += row\n    print(total)\n    return total\n"
ELSEWHERE = [
    "# 其余代码保持不变",
    "# 以下は変更なし",
    "# 나머지 코드는 동일",
    "# остальной код без изменений",
    "# el resto del código sin cambios",
    "# o restante do código permanece igual",
    "# le reste du code est inchangé",
    "# Rest des Codes unverändert",
    "# kodun geri kalanı aynı",
    "# ... бла",
    "# [snip]",
]


@pytest.mark.parametrize("line", ELSEWHERE)
def test_a_comment_where_more_code_went_than_came_may_stand_for_it(line: str) -> None:
    gone = LONG.replace("    for row in rows:\n        total += row\n", f"    {line}\n")
    change = Change("a.py", gone, explicit=True)
    assert "stands for code" in check_lint([change], read={"a.py": LONG}.get, spec=SPEC).reason
    more = LONG.replace("    return total\n", f"    {line}\n    total += 1\n    return total\n")
    assert not lint("a.py", more, LONG)


def test_a_comment_that_says_what_the_code_does_now_stands_for_nothing() -> None:
    for line in ("# nur eine Summe", "# 求和", "# same total as before the loop"):
        now = LONG.replace(
            "    for row in rows:\n        total += row\n", f"    {line}\n    total = sum(rows)\n"
        )
        change = Change("a.py", now, explicit=True)
        assert check_lint([change], read={"a.py": LONG}.get, spec=SPEC).passed


def test_a_line_that_is_both_is_named_once() -> None:
    assert lint("a.py", "import os\n... rest of the file unchanged ...\n").count("\n") == 0


NO_CONTENT = [
    "(unchanged)",
    "See above.",
    "No changes needed.",
    "Content unchanged from previous reply.",
    "// same as before",
]
CONTENT = ["unchanged = 1", "See README.md.", "One change.", "same", "See above: the rules hold."]


@pytest.mark.parametrize("path", ["a.md", "a.txt", "a.ts", "Makefile"])
@pytest.mark.parametrize("line", [*NO_CONTENT, *CONTENT])
def test_a_line_in_place_of_a_file_is_a_fault(path: str, line: str) -> None:
    spec = Spec(SPEC.path, "1", "Write it", files=(FileRef(path, FileAction.CREATE),))
    reason = check_lint([Change(path, f"{line}\n")], read={}.get, spec=spec).reason
    assert ("is left out" in reason) is (line in NO_CONTENT), reason
