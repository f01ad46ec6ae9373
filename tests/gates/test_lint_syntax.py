"""What is of its language and what is not, by the name of the file."""

from __future__ import annotations

import sys
import threading
import warnings

import pytest

from minitask.edits.script_model import Change
from minitask.gates.broken.declared_twice import _READERS
from minitask.gates.lint import check_lint
from minitask.gates.source.grammars import GRAMMARS, JUDGED
from minitask.gates.source.syntax import _CHECKS
from minitask.spec.model import Spec

SPEC = Spec(path="mini-projects/p/01.md", number="1", title="Add a flag")


def lint(path: str, content: str, base: str | None = None) -> str:
    """The reason of the ruling on one file; empty where it passed."""
    return check_lint([Change(path, content)], read={path: base}.get, spec=SPEC).reason


VALID = {
    "a.py": "type_ = 1\nx = '\\d' is 1\nassert (x, 'always')\n",
    "latin.py": "# -*- coding: latin-1 -*-\nx = '\udce9'\n",
    "bom.py": "\ufeffx = 1\n",
    "crlf.py": "if 1:\r\n    x = 1\r\n",
    "empty.py": "",
    "a.pyi": "def f(x: int) -> str: ...\n",
    "a.json": '{"a": [1, 2.5, NaN, null]}\n',
    "bom.json": '\ufeff{"a": 1}\n',
    "long.json": "9" * 10_000,
    "lines.json": '{"a": 1}\n{"a": 2}\n',
    "a.jsonc": "// a comment\n{,}\n",
    "tsconfig.build.json": '{ // a comment\n "a": 1, }\n',
    "src/appsettings.Development.json": '{ // a comment\n "a": 1\n}\n',
    ".codesandbox/tasks.json": '{ // a comment\n "a": 1\n}\n',
    "web/.vscode/settings.json": "// a comment\n{}\n",
    ".eslintrc.json": "{ /* a comment */ }\n",
    "a.toml": 'a = 1.5\n[b]\nc = ["d"]\r\n',
    "a.yaml": "a: !Ref b\n---\nc: !Sub ['x', {y: z}]\nd: &e 1\n",
    "a.yml": "on: push\njobs:\n  a:\n    if: ${{ github.ref }}\n    run: |\n      echo {\n",
    "chart.yaml": "a:\n  {{- if .Values.b }}\n  c: {{ .Values.c }}\n  {{- end }}\n",
    "page.js": "let a = {% if b %}1{% endif %};\nlet = ;\n",
    "{{cookiecutter.name}}/a.py": "import {{ cookiecutter.name }}\n",
    "a.c": "int main( }\n",
    "A.vue": '<script setup generics="T extends A<b>">\nconst a = 1\n</script>\n<style>\na {\n</style>\n',
    "a.html": "<script type='text/template'>\n<p>\n</script>\n<script>\nlet a = {{ b }};\n</script>\n",
    "a.fish": "if then (\n",
    "a.md": "def f(\n",
    "py": "def f(\n",
}


@pytest.mark.parametrize("path", VALID)
def test_it_is_valid_or_there_is_no_telling(path: str) -> None:
    assert not lint(path, VALID[path])


INVALID = [
    (
        "A.vue",
        "<p>x</p>\n<script setup>\nconst a = (1\n</script>\n",
        'A.vue:3: not valid JavaScript: the "(" in line 3',
    ),
    ("a.svelte", "<script lang='ts'>\nlet a: A = {;\n</script>\n", "a.svelte:2: "),
    ("a.html", "<script>\nf(;\n</script>\n", "a.html:2: "),
    ("a.py", "x = 1\ndef f(:\n", "a.py:2: not valid Python: "),
    ("a.py", "x = (1,\n\n", "a.py:1: not valid Python: '(' was never closed"),
    ("a.py", "def f():\nreturn 1\n", "a.py:2: "),
    ("a.py", "x = 1\nreturn x\n", "a.py:2: "),
    ("a.py", "def f():\n    x = 1\n  y = 2\n", "a.py:3: "),
    ("a.py", "x = 1\ny = '\0'\n", "a.py:2: not valid Python: it holds a NUL byte"),
    ("a.py", "x = '\udce9'\n", "a.py:1: "),
    ("a.pyi", "def f(x: int -> str: ...\n", "a.pyi:1: "),
    ("a.py", "```python\nx = 1\n```\n", "a.py:1: "),
    ("a.json", '{"a": 1,\n "b": }\n', "a.json:2: not valid JSON: Expecting value"),
    ("a.json", '{"a": 1}\n{"b": }\n', "a.json:2: "),
    ("a.json", "", "a.json:1: "),
    ("package.json", '{\n  // a comment\n  "a": 1\n}\n', "package.json:2: "),
    ("a.toml", "a = 1\nb = \n", "a.toml:2: not valid TOML: Invalid value"),
    ("a.toml", 'a = 1\nb = """\n\n', "a.toml:2: not valid TOML: Unterminated string"),
    ("a.toml", "a = 1\na = 2\n", "a.toml:2: "),
    ("a.yaml", "a: 1\nb: [1, 2\nc: 3\n", "a.yaml:3: not valid YAML: "),
    ("a.yml", "a: 1\n\tb: 2\n", "a.yml:2: "),
    ("a.yml", "a: '\0'\n", "a.yml:1: "),
]


@pytest.mark.parametrize(("path", "content", "start"), INVALID)
def test_it_is_not_valid_and_the_line_is_named(path: str, content: str, start: str) -> None:
    reason = lint(path, content)
    assert reason.startswith(start)
    assert reason.endswith("; correct it, and reply with complete code that leaves nothing out")
    assert "\n" not in reason


@pytest.mark.parametrize(("path", "content", "start"), INVALID)
def test_what_was_wrong_in_the_base_is_not_judged(path: str, content: str, start: str) -> None:
    assert not lint(path, content, content + "\n")


def test_python_is_judged_as_the_version_that_runs() -> None:
    version = f"(as Python {sys.version_info.major}.{sys.version_info.minor})"
    assert version in lint("a.py", "def f(:\n")


@pytest.mark.parametrize(
    "line",
    [
        "type Pair[T] = tuple[T, T]",
        "def first[T](items: list[T]) -> T:\n    return items[0]",
        "class Box[T]:\n    size = 1",
        """x = f"{os.environ["b"]}" """,
        """x = f"{', '.join(f"{b}" for b in os.sep)}" """,
        "try:\n    os.getcwd()\nexcept ValueError, TypeError:\n    raise",
        "x = t'{os.sep}'",
    ],
)
def test_forms_of_a_later_python_are_not_called_wrong(line: str) -> None:
    assert not lint("a.py", f"import os\n{line}\n")


def test_no_warning_of_the_compiler_leaks() -> None:
    text = "x = '\\d'\nassert (1, 'a')\nx is 1\n1()\n"
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        threads = [threading.Thread(target=lint, args=("a.py", text)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == []


def test_warnings_that_are_errors_are_no_syntax_errors() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not lint("a.py", "x = '\\d'\nx is 1\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("n.ipynb", '{"cells": [\n  "x"\n  "y"\n]}\n'),
        ("map.geojson", '{"type": \n}\n'),
        ("app.webmanifest", '{"name": "x",\n}\n'),
        ("composer.lock", '{"a": 1\n'),
        ("sub/Cargo.lock", "[[package]\nname = 1\n"),
        ("Makefile", "all: a\n    echo a\n"),
        ("GNUmakefile", "CC = gcc\nall:\n\techo a\n  echo b\n"),
        ("rules.mk", "%.o: %.c\n        $(CC) -c $<\n"),
    ],
)
def test_data_and_makefiles_that_their_programs_refuse_are_told(path: str, text: str) -> None:
    assert lint(path, text)


@pytest.mark.parametrize(
    "text",
    [
        "all: a\n\techo a\n\n# none\n  # note\nb:\n\techo b\n",
        "SRC = a.c \\\n    b.c\nall: $(SRC)\n\tcc $^ \\\n    -o x\n",
        "ifeq (a,b)\n  X = 1\nelse\n  X := 2\nendif\n",
        "all: a\nifdef D\n    X += 1\nendif\n\techo a\n",
        "define T\nall:\n    text\nendef\n",
        ".RECIPEPREFIX = >\nall:\n    echo a\n",
        "all: a\n  include other.mk\n  $(info hello)\n",
        "help: FLAGS = -x\n    Y = 2\n",
        "all: b \\\n    c\n\techo a\n",
        "a: b\n $(TOP)/x/y: $(TOP)/z\n\ttouch $@\n",
        ".PHONY: all\n  all: a\n\techo a\n",
    ],
)
def test_what_make_reads_passes(text: str) -> None:
    assert not lint("Makefile", text)


def test_at_most_five_faults_are_named() -> None:
    changes = [Change(f"{n}.py", "def f(:\n") for n in range(7)]
    reason = check_lint(changes, read={}.get, spec=SPEC).reason.split("\n")
    assert [line[:5] for line in reason[:5]] == [f"{n}.py:" for n in range(5)]
    assert reason[5:] == ["and 2 more"]


def test_a_change_without_content_passes() -> None:
    ruling = check_lint([Change("a.py", None)], read={"a.py": "x"}.get, spec=SPEC)
    assert (ruling.gate, ruling.passed, ruling.refused, ruling.reason) == ("lint", True, False, "")


def test_a_renamed_file_that_was_wrong_is_not_judged() -> None:
    change = Change("b.py", "def f(:\n", mode_from="a.py")
    assert check_lint([change], read={"a.py": "def f(:\n"}.get, spec=SPEC).passed


def test_every_file_that_can_be_judged_is_looked_at():
    assert {*GRAMMARS, *_CHECKS, *_READERS} == JUDGED
