"""Faults planted in the lines that a change added."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.gates.validation.mutants import MOST, find_mutants

PYTHON = '''\
"""A module."""
import os

LIMIT = 3


def area(width: int, height: int = 1) -> int:
    """Return the area."""
    if width < 0 and height < 0:
        raise ValueError("negative")
    total = width * height
    return total
'''


def faults(path: str, text: str, known: str = "") -> list[str]:
    lines = frozenset(line.strip() for line in known.split("\n"))
    return [f"{each.line} {each.fault}" for each in find_mutants({path: text}, lines, most=99)]


def test_python_gets_faults_of_every_kind() -> None:
    told = faults("src/a.py", PYTHON)
    for expected in (
        "4 statement dropped: LIMIT = 3",
        "4 constant changed: 3",
        "7 body emptied: area",
        "7 constant changed: 1",
        "9 condition negated: width < 0 and height < 0",
        "9 and/or swapped: width < 0 and height < 0",
        "9 operator changed: width < 0",
        '10 statement dropped: raise ValueError("negative")',
        '10 constant changed: "negative"',
        "11 operator changed: width * height",
        "12 returns nothing: return total",
    ):
        assert expected in told
    assert not any(each.startswith(("1 ", "2 ", "8 ")) for each in told)


def test_only_lines_that_are_new_get_faults() -> None:
    known = PYTHON.replace("    total = width * height\n", "")
    assert {each.split()[0] for each in faults("src/a.py", PYTHON, known)} == {"11"}
    assert faults("src/a.py", PYTHON, PYTHON) == []
    moved = "class Box:\n" + "".join(f"    {line}\n" for line in PYTHON.split("\n")[3:])
    assert {each.split()[0] for each in faults("src/b.py", moved, PYTHON)} <= {"1"}


@pytest.mark.parametrize("path", ["README.md", "a.txt", "tests/test_a.py", "a.test.js", "LICENSE"])
def test_documents_and_tests_get_none(path: str) -> None:
    assert faults(path, PYTHON) == []


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "a.js",
            'function f(a) {\n  if (a > 1) { log("x"); }\n  return a + 2;\n}\n',
            [
                "1 body emptied: f",
                "2 operator changed: a > 1",
                "2 condition negated: (a > 1)",
                '2 statement dropped: log("x");',
                "3 returns nothing: return a + 2;",
                "3 constant changed: 2",
            ],
        ),
        ("a.ts", "export const f = (a: number): boolean => { return a === 1; };\n", ["1 operator changed: a === 1"]),
        (
            "a.go",
            "package a\n\nfunc F(a int) int {\n\tif a > 1 {\n\t\treturn 2\n\t}\n\treturn a\n}\n",
            ["4 condition negated: a > 1", "5 constant changed: 2"],
        ),
        ("src/lib.rs", "pub fn f(a: u8) -> bool {\n    a == 1\n}\n", ["2 operator changed: a == 1"]),
        ("A.java", "class A {\n  boolean f(int a) { return a < 1; }\n}\n", ["2 operator changed: a < 1"]),
        ("a.css", ".a {\n  color: red;\n}\n", ["1 line dropped", "2 line dropped"]),
        ("a.sh", "#!/bin/sh\nset -e\n# why\necho hi\n", ["2 line dropped", "4 line dropped"]),
        ("a.yaml", "a: 1\nb: 2\n", ["1 line dropped", "2 line dropped"]),
        ("a.json", '{\n  "a": 1,\n  "b": 2\n}\n', ["2 line dropped"]),
    ],
)  # fmt: skip
def test_other_languages_get_faults_that_still_parse(
    path: str, text: str, expected: list[str]
) -> None:
    told = faults(path, text)
    assert [each for each in expected if each not in told] == []


def test_there_are_at_most_a_dozen_and_they_are_spread() -> None:
    text = "".join(f"x{number} = {number}\n" for number in range(100))
    found = find_mutants({"a.py": text, "b.py": text}, frozenset())
    assert len(found) == MOST
    assert {each.path for each in found} == {"a.py", "b.py"}
    assert len({(each.path, each.line) for each in found}) == MOST


def test_every_python_mutant_compiles_and_differs() -> None:
    for each in find_mutants({"a.py": PYTHON}, frozenset(), most=99):
        ast.parse(each.text)
        assert each.text != PYTHON


def test_a_lone_carriage_return_ends_a_line_of_python() -> None:
    text = "a = 1 + 2  # a\rif a < 3: b = 3 - 4\nif b > 5: c = 5 * 6\nd = c == 5\n"
    assert "3 operator changed: 5 * 6" in faults("a.py", text)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    for path in ("a.py", "a.js", "a.go", "a.sh", "a.json"):
        find_mutants({path: text}, frozenset())
