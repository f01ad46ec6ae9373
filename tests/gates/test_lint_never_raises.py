"""Whatever a file holds, the gate gives a ruling, in time, in text that can be sent."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.gates.result import GateResult
from minitask.spec.model import Spec

SPEC = Spec(path="mini-projects/p/01.md", number="1", title="Add a flag")
PATHS = [
    *("a.py", "a.pyi", "a.json", "a.toml", "a.yaml", "a.js", "a.jsx", "a.ts", "a.tsx", "a.go"),
    *("a.rs", "A.java", "a.sh", "a.md", "a.html", "Makefile"),
    *(".env", "a.properties", "a.ini", "a.graphql", "a.proto", "a.tf"),
]
PIECES = [
    *("(", ")", "[", "]", "{", "}", "<", ">", "`", "${", '"', "'", '"""', "/*", "*/", "//", "#"),
    *("\n", "\r", "\t", " ", "\0", "\udcff", "\ud800", "\u2028", "\ufeff", "\x1b", "é", "😀", "\\"),
    *("... rest of the file unchanged", "# existing code here\n", "// ...\n", "def f", "class A"),
    *("return", "if x", "else", ":", ";", ",", "=", "=>", "->", "&", "|", "*", "1", "x", "- ", "{%"),
]  # fmt: skip
TEXT = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=60).map("".join),
)
READ = [
    *("a.py", "a.json", "a.toml", "a.yaml", "a.js", "a.tsx"),
    *("a.go", "a.rs", "A.java", "a.md", "a.sh"),
]
"""A file for each way to be read."""
COUNTED = [
    *("a.php", "a.c", "a.cs", "a.rb", "a.lua", "a.html", "a.css", "a.csv", "a.sql", "Dockerfile"),
]
"""Files that are judged by what their lines count to."""
DATA = [
    *(".env", "a.properties", "tox.ini", "Makefile", "a.graphql", "a.proto", "a.tf", "a.prisma"),
    *("a.po", "a.tex", "a.scss", "a.ipynb", "compose.yml", ".github/workflows/a.yml"),
]
"""Files that are judged by the rules of their loaders."""
ROWS = st.lists(
    st.sampled_from(
        [
            *(
                "",
                "# a note",
                "// a note",
                "/*",
                " * a note",
                " */",
                "<!-- a -->",
                "-- a",
                "%",
                ";",
            ),
            *(
                "def f(a, b):",
                "    return a",
                "class A:",
                "@mark",
                "}",
                "{",
                "function f() {",
                "});",
            ),
            *(
                "import os",
                "from a import b, c",
                "use a::b;",
                "[a]",
                "a = 1",
                "a: 1",
                "- a",
                "  b: 2",
            ),
            *(
                "| a | b |",
                "| - | - |",
                "## A title",
                "```",
                "a,b",
                '"a',
                "<p>",
                "</p>",
                "if (a) {",
            ),
            *(
                "#if",
                "#endif",
                "end",
                "begin",
                "FROM a",
                "RUN b",
                "SELECT 1;",
                "\t",
                "\\",
                '"""',
                "pass",
            ),
        ]
    ),
    min_size=1,
    max_size=30,
)
"""Lines of many languages, that pairs of old and new files share."""


def lint(path: str, content: str, base: str | None = None) -> GateResult:
    """The ruling on one file, whose reason is text that any encoding takes."""
    ruling = check_lint([Change(path, content)], read={path: base}.get, spec=SPEC)
    ruling.reason.encode("utf-8")
    assert all(line.isprintable() for line in ruling.reason.split("\n"))
    return ruling


@given(path=st.sampled_from(PATHS), content=TEXT, base=st.none() | TEXT)
@example(path="a.sh", content="\ud800(", base=None)
@example(path="a.sh", content="{\U0010ca97mo {1..\U000e0100} $\U0010ffff", base=None)
@example(path="a.py", content="\rA", base=None)
@example(path="a.py", content="", base="*\n# a\n*\n# b\n*\n# c")
def test_any_text_gets_a_ruling(path: str, content: str, base: str | None) -> None:
    ruling = lint(path, content, base)
    assert ruling.passed == (not ruling.reason)


@given(path=st.sampled_from([*PATHS, *COUNTED, *DATA]), rows=ROWS, data=st.data())
def test_any_change_of_the_same_lines_gets_a_ruling(
    path: str, rows: list[str], data: st.DataObject
) -> None:
    some_of_them = st.lists(st.sampled_from(rows), max_size=len(rows) + 4)
    order = data.draw(some_of_them | st.permutations(rows))
    lint(path, "\n".join(order), "\n".join(rows))


@given(path=st.sampled_from(PATHS), content=TEXT)
def test_identical_content_never_fails(path: str, content: str) -> None:
    assert lint(path, content, content).passed


@given(path=st.sampled_from(PATHS), content=TEXT)
def test_content_that_only_grew_blank_lines_never_fails(path: str, content: str) -> None:
    if "\r" not in content and path.endswith((".py", ".go", ".js")):
        assert lint(path, content + "\n", content).passed or lint(path, content).passed


HARD = {
    "parentheses": "(" * 100_000,
    "brackets": "[" * 100_000 + "]" * 100_000,
    "braces": '{"a":' * 20_000,
    "angles": "a<" * 100_000,
    "minus": "-" * 100_000 + "1",
    "sums": "1+" * 100_000 + "1",
    "calls": "a" + "()" * 100_000,
    "soup": "- } " * 50_000,
    "quotes": '"\n' * 50_000,
    "interpolations": "`${" * 50_000,
    "prose": "lorem ipsum dolor sit amet. " * 4_000,
    "digits": "9" * 10_000,
    "key": "a = " + "9" * 10_000,
    "NULs": "\0" * 100_000,
    "surrogates": "\udcff\ud800\n" * 50_000,
    "control": "\x1b[31m\u202e" * 1_000 + "(",
    "10 MB": "x = 1  # the rest of it\n" * 420_000,
    "10 MB line": "# ... " * 1_700_000,
    "template": "<%" * 250_000 + "{% a" * 100_000 + "case impl export *" * 10_000,
    "directives": "#if\n#else\n" * 20_000,
    "blank lines": "\n" * 150_000,
    "escapes": '\\"' * 100_000 + "\nx\n",
    "a long field": 'a,b\n"' + "x" * 200_000 + '",2\n',
    "elision": "# ... " + "other code and " * 9 + "\n",
}


def rule_in_time(name: str, text: str, *, seconds: float) -> None:
    for groups in ((READ, COUNTED), (DATA,)):
        started = time.process_time()
        for paths in groups:
            for path in paths[:1] if name == "10 MB" else paths:
                lint(path, text, None if paths is READ else "a,b\n")
        assert time.process_time() - started < seconds


@pytest.mark.sampled(8)
@pytest.mark.parametrize("name", HARD)
def test_the_beginning_of_hard_text_gets_a_ruling_in_time(name: str) -> None:
    rule_in_time(name, HARD[name][: max(10_000, len(HARD[name]) // 50)], seconds=10)


@pytest.mark.sweep
@pytest.mark.parametrize("name", HARD)
def test_hard_text_gets_a_ruling_in_time(name: str) -> None:
    rule_in_time(name, HARD[name], seconds=60)


def test_two_long_lines_are_compared_in_time() -> None:
    drawing = "<svg><path d='" + "M1,2L3.5-" * 3_000 + "'/></svg>"
    started = time.process_time()
    lint("a.svg", drawing + "\r\n\r", drawing + "\n")
    assert time.process_time() - started < 5
