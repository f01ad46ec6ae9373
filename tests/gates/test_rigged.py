"""What a change adds to switch off its own tests is told; what tests and settings hold as a rule is not."""

from __future__ import annotations

import pytest

from minitask.gates.result import FileChange
from minitask.gates.validation.rigged import find_rigged
from minitask.spec.model import Command, Spec

UNIT = (
    "import unittest\nimport calc\n\n\nclass T(unittest.TestCase):\n"
    "    def test_a(self):\n        self.assertEqual(calc.add(1, 2), 3)\n"
)
AUTO = (
    "import pytest\n\n@pytest.fixture(autouse=True)\ndef fixed(monkeypatch):\n"
    "    monkeypatch.setattr('calc.add', lambda a, b: 3)\n"
)
FIXTURES = (
    "import os\nimport pytest\nimport calc\n\nos.environ['TZ'] = 'UTC'\n\n\n"
    "@pytest.fixture(autouse=True)\ndef home(monkeypatch, tmp_path):\n"
    "    monkeypatch.setenv('HOME', str(tmp_path))\n    monkeypatch.setattr('time.sleep', lambda s: None)\n\n\n"
    "@pytest.fixture\ndef slow_add(monkeypatch):\n    monkeypatch.setattr(calc, 'add', lambda a, b: a)\n"
)
MOCKED = (
    "\n    @mock.patch('calc.add')\n    def test_m(self, add):\n"
    "        calc.add = add\n        self.assertTrue(add)\n"
)
CHECK = "import calc\nassert calc.add(1, 2) == 3\n"
COMPARED = "const assert = require('assert');\nconst ok = assert.ok;\nif (expect.x == 1) { }\n"
BUILT = "  testPathIgnorePatterns: ['/node_modules/', '/dist/'],\n};"
SHELL = "#!/bin/sh\nset -e\ngrep -q add calc.py\npython -m unittest\n"
PACKAGE = '{"scripts": {"test": "node --test", "build": "tsc"}}'
GO = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n'
JAVA = "class ATest {\n  @Test\n  void a() { assertEquals(1, add()); }\n}\n"
INI = "[pytest]\naddopts = -q\n"
JEST = "module.exports = {\n  testEnvironment: 'node',\n};\n"


def found(path: str, base: str | None, now: str, *commands: str, title: str = "Mend add") -> str:
    """What speaks against a change of one file."""
    told = tuple(Command(text) for text in commands or ("python -m pytest -q", "npm test"))
    spec = Spec(path="mini-projects/p/01.md", number="1", title=title, task=title, commands=told)
    own = {("calc", "add"), ("calc", "")}
    return "; ".join(
        find_rigged(
            [FileChange(path, now, base)],
            spec=spec,
            is_own=lambda module, name: (module, name) in own,
        )
    )


MAKE = "all: check\n\ncheck: lint\n\tdiff out.txt expected.txt\n\tgrep -q two out.txt\n\nlint:\n\truff check .\n"
JUST = "check file='a':\n    diff out.txt expected.txt\n    grep -q two out.txt\n"
TARGETS = {
    "a recipe of nothing": MAKE.replace("\tdiff out.txt expected.txt\n\tgrep -q two out.txt", "\t@echo ok"),
    "a recipe without a step": MAKE.replace("\tgrep -q two out.txt\n", ""),
    "a need less": MAKE.replace("check: lint", "check:"),
    "a step that make pardons": MAKE.replace("\tgrep", "\t-grep"),
    "a quiet step that make pardons": MAKE.replace("\tgrep", "\t@-grep"),
    "a step before a word": MAKE.replace("two out.txt", "two out.txt; echo done"),
    "a step in the background": MAKE.replace("two out.txt", "two out.txt &"),
    "a step in a condition": MAKE.replace("grep -q two out.txt", "if grep -q two out.txt; then echo y; fi"),
    "a step before a filter": MAKE.replace("two out.txt", "two out.txt | tail -3"),
    "a step of a needed target": MAKE.replace("ruff check .", "ruff check . || true"),
    "a shell's flags": ".SHELLFLAGS = -c 'exit 0'\n" + MAKE,
}  # fmt: skip
RIGGED = {
    **{name: ("Makefile", MAKE, now, "make check") for name, now in TARGETS.items()},
    "ruff, for a file": ("a.py", "x = 1\n", "# ruff: noqa\nx = 1\n", "ruff check ."),
    "mypy, for a file": ("a.py", "x = 1\n", "# mypy: ignore-errors\nx = 1\n", "mypy a.py"),
    "types, for a file": ("a.ts", "f();\n", "// @ts-nocheck\nf();\n", "npx tsc --noEmit"),
    "eslint, for a file": ("a.js", "f();\n", "/* eslint-disable */\nf();\n", "npm run lint"),
    "mypy's settings": ("mypy.ini", "[mypy]\n", "[mypy]\nignore_errors = true\n", "mypy ."),
    "ruff's settings": ("pyproject.toml", "[tool.ruff]\n", '[tool.ruff]\nexclude = ["a.py"]\n', "ruff check ."),
    "eslint's settings": (".eslintrc.json", '{"rules": {\n}}', '{"rules": {\n"no-undef": "off"\n}}', "npx eslint ."),
    "a compiler's settings": ("tsconfig.json", '{\n"strict": true\n}', '{\n"strict": false\n}', "tsc"),
    "the first target": ("Makefile", MAKE, MAKE.replace("\tgrep", "\t-grep"), "make -s -C . && echo OK"),
    "by way of a script": (
        "package.json",
        PACKAGE.replace("node --test", "node a.js && node b.js"),
        PACKAGE.replace("node --test", "node b.js"),
    ),
    "a script before a filter": ("package.json", PACKAGE, PACKAGE.replace("--test", "--test | cat")),
    "a script before a word": ("package.json", PACKAGE, PACKAGE.replace("--test", "--test; echo ok")),
    "just's recipe": ("justfile", JUST, JUST.replace("    grep -q two out.txt\n", ""), "just check"),
    "an assertion replaced": (
        "calc.py",
        "A = 1\n",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\nA = 1\n",
    ),
    "by another name": (
        "calc.py",
        "",
        "from unittest import TestCase as Base\nBase.assertTrue = print\n",
    ),
    "with setattr": (
        "calc.py",
        "",
        "import unittest\nsetattr(unittest.TestCase, 'assertEqual', print)\n",
    ),
    "with a patch": (
        "conftest.py",
        None,
        "from unittest import mock\nmock.patch('unittest.TestCase.assertEqual').start()\n",
    ),
    "with an object's patch": (
        "calc.py",
        "",
        "import unittest\nfrom unittest import mock\nmock.patch.object(unittest.TestCase, 'fail').start()\n",
    ),
    "a method that does nothing": (
        "test_a.py",
        UNIT,
        UNIT + "\n    def assertEqual(self, *a):\n        pass\n",
    ),
    "sys.exit": ("calc.py", "", "import sys\nsys.exit = print\n"),
    "the function under test": (
        "conftest.py",
        None,
        "import calc\ncalc.add = lambda a, b: 3\n",
    ),
    "the function under test, started": (
        "tests/conftest.py",
        None,
        "from unittest.mock import patch\npatch('calc.add', lambda a, b: 3).start()\n",
    ),
    "the module under test": (
        "conftest.py",
        None,
        "import sys\nfrom types import SimpleNamespace\nsys.modules['calc'] = SimpleNamespace(add=max)\n",
    ),
    "in a fixture for all": (
        "conftest.py",
        "import pytest\n",
        AUTO,
    ),
    "in a hook": (
        "conftest.py",
        "",
        "import calc\n\n\ndef pytest_configure(config):\n    calc.add = max\n",
    ),
    "node's assertions": (
        "calc.js",
        "",
        "require('node:assert').equal = () => {};\n",
    ),
    "assertions by another name": ("a.js", "", "const a = require('node:assert');\na.strictEqual = () => {};\n"),
    "imported assertions": ("a.mjs", "", "import check from 'assert/strict';\ncheck.equal = () => {};\n"),
    "strict assertions": (
        "a.test.js",
        "",
        "const assert = require('assert');\nassert.strict.equal = () => {};\n",
    ),
    "expect": ("jest.setup.js", "", "globalThis.expect = () => new Proxy({}, {});\n"),
    "go's build tag": ("a_test.go", GO, "//go:build ignore\n\n" + GO),
    "java's mark": (
        "src/test/java/ATest.java",
        JAVA,
        JAVA.replace("  @Test", "  @Disabled\n  @Test"),
    ),
    "rust's mark": (
        "src/lib.rs",
        "#[test]\nfn a() {}\n",
        "#[test]\n#[ignore]\nfn a() {}\n",
    ),
    **{
        f"a mark of {path}": (path, "", f"{mark}\n")
        for path, mark in {
            "src/test/scala/ASuite.scala": 'ignore("adds") {',
            "test/a_test.exs": "  @tag :skip",
            "test/a_test.dart": "  }, skip: 'later');",
            "spec/a_spec.lua": '  pending("adds", function()',
            "tests/testthat/test-a.R": '  skip("later")',
            "test/runtests.jl": "@test_skip add(1, 2) == 3",
            "test/ASpec.hs": '  xit "adds" $',
            "a.Tests.ps1": "  It 'adds' -Skip {",
            "Tests/ATests.swift": '  @Test(.disabled("later")) func adds() {',
            "a.Tests/ATests.fs": "[<Ignore>]",
            "test/a_test.clj": "#_(deftest adds",
            "test/A.t.sol": "        vm.skip(true);",
            "a_test.cc": "TEST(Math, DISABLED_Adds) {",
        }.items()
    },
    "only one": ("a.test.js", "test('a', f);\ntest('b', g);\n", "test.only('a', f);\n"),
    "a whole module": ("test_a.py", UNIT, UNIT + "pytestmark = pytest.mark.skip('later')\n"),
    "a narrowed script": ("package.json", PACKAGE, PACKAGE.replace("--test", "--test --test-name-pattern=x")),
    "no tests needed": ("package.json", PACKAGE, PACKAGE.replace("node --test", "jest --passWithNoTests")),
    "a masked script": ("package.json", PACKAGE, PACKAGE.replace("--test", "--test || true")),
    "an emptied script": ("package.json", PACKAGE, PACKAGE.replace("node --test", "echo ok")),
    "pytest's arguments": ("pytest.ini", INI, INI.replace("-q", "-q -k zero")),
    "new arguments": ("pyproject.toml", "", '[tool.pytest.ini_options]\naddopts = "--deselect test_a.py"\n'),
    "the folders of tests": ("pyproject.toml", "[tool.a]\n", '[tool.pytest.ini_options]\ntestpaths = ["smoke"]\n'),
    "the names of tests": ("pytest.ini", INI, INI + "python_files = smoke_*.py\n"),
    "jest's paths": ("jest.config.js", JEST, JEST.replace("};", "  testPathIgnorePatterns: ['calc'],\n};")),
    "a script that ends": ("check.sh", SHELL, SHELL.replace("set -e", "exit 0"), "sh check.sh"),
    "a script of nothing": ("check.sh", SHELL, "#!/bin/sh\nexit 0\n", "sh check.sh"),
    "a script that says ok": ("bin/check", SHELL, "echo ok\n", "./bin/check"),
    "a script that is true": ("check.sh", SHELL, "true\n", "bash ./check.sh && echo OK"),
    "a script that forgives": ("check.sh", SHELL, SHELL.replace("unittest", "unittest || true"), "sh check.sh"),
    "a created script": ("check.sh", None, "exit 0\n", "sh check.sh"),
    "a program that ends": ("check.py", CHECK, "import sys\nsys.exit(0)\n", "python check.py"),
    "make's shell": ("Makefile", "t:\n\tpytest\n", "SHELL := /bin/true\nt:\n\tpytest\n", "make t"),
    "make's flags": ("Makefile", "t:\n\tpytest\n", "MAKEFLAGS += -i\nt:\n\tpytest\n", "make t"),
    "make's pardon": ("Makefile", "t:\n\tpytest\n", ".IGNORE: t\nt:\n\tpytest\n", "make t"),
    "npm's shell": (".npmrc", None, "script-shell=/bin/true\n"),
    "a script of another file": (
        "package.json",
        PACKAGE.replace("--test", "check.js"),
        PACKAGE.replace("node --test", "node -e 0"),
    ),
    "a lost example": ("a.py", '"""\n>>> a()\n1\n"""\n', "A = 1\n", "python -m doctest a.py"),
    "an example that is skipped": ("a.py", ">>> a()", ">>> a()  # doctest: +SKIP", "python -m doctest a.py"),
    "a start-up file": ("sitecustomize.py", None, "import calc\ncalc.add = f\n"),
    "a module of the runner": ("a.py", None, "import sys\nif 'pytest' in sys.modules:\n    f()\n"),
    "the runner's variable": ("a.py", None, "X = os.environ.get('PYTEST_CURRENT_TEST')\n"),
    "the caller's name": ("a.py", None, "X = inspect.stack()[1].function.startswith('test_')\n"),
    "what equals anything": ("a.py", None, "class A:\n    def __eq__(self, other):\n        return True\n"),
    "a worker of jest": ("a.js", None, "if (process.env.JEST_WORKER_ID) f();\n"),
    "an environment of tests": ("a.ts", None, "if (process.env.NODE_ENV === 'test') f();\n"),
    "go's own question": ("a.go", None, "if testing.Testing() {\n"),
    "a mark on a new test": ("test_a.py", None, "@pytest.mark.skip\ndef test_a(): f()\n"),
    "a target with fewer tests": ("Makefile", "t:\n\tpytest -q\n", "t:\n\tpytest -q -k add\n", "make t"),
    "a target that forgives": ("Makefile", "test:\n\tpytest\n", "test:\n\tpytest || true\n", "make test"),
}  # fmt: skip


@pytest.mark.parametrize("case", RIGGED)
def test_a_line_that_switches_tests_off_is_told(case: str) -> None:
    path, base, now, *commands = RIGGED[case]
    assert found(path, base, now, *commands).startswith(f"{path}: ")


KEPT = {
    "a target more": MAKE + "\nclean:\n\t-rm -rf build\n\trm -f x || true\n",
    "steps of a target of their own": MAKE.replace(
        "check: lint\n\tdiff out.txt expected.txt\n", "check: lint same\n"
    ).replace("\nlint:", "\nsame:\n\tdiff out.txt expected.txt\n\nlint:"),
    "another tool": MAKE.replace("ruff check .", "flake8 ."),
    "a tool by a variable": "PY ?= python3\n\n" + MAKE.replace("ruff", "$(PY) -m ruff"),
    "a step more": MAKE.replace("\tdiff", "\ttest -s out.txt\n\tdiff"),
    "a cleaning step": MAKE.replace("\tdiff", "\t-rm -f cache\n\tdiff"),
    "quiet steps": MAKE.replace("\tdiff", "\t@diff").replace("\tgrep", "\t@grep"),
    "by make itself": MAKE.replace("check: lint\n", "check:\n\t$(MAKE) lint\n"),
    "a target that nobody makes": MAKE + "\nother:\n\tgrep -q x y || true\n",
    "output kept": MAKE.replace("two out.txt", "two out.txt > log.txt"),
}
HONEST = {
    **{name: ("Makefile", MAKE, now, "make check") for name, now in KEPT.items()},
    "a test that needs a tool": ("tests/testthat/test-a.R", "", '  skip_if_not_installed("b")\n  skip_on_cran()\n'),
    "a test for a platform": ("a.Tests.ps1", "", "  It 'adds' -Skip:(-not $IsWindows) {\n"),
    "a helper that knows its test": ("test_a.py", None, "X = os.environ['PYTEST_CURRENT_TEST']\n"),
    "a caller's name": ("a.py", None, "X = inspect.stack()[1].function\n"),
    "an equality": ("a.py", None, "class A:\n    def __eq__(self, other):\n        return self.a == other.a\n"),
    "an environment": ("a.js", None, "const dev = process.env.NODE_ENV === 'development';\n"),
    "a checker's line": ("a.py", "x = 1\n", "import y  # type: ignore[a]\nx = 1  # noqa\n", "mypy . && ruff check ."),
    "no checker runs": ("a.py", "x = 1\n", "# ruff: noqa\nx = 1\n", "python a.py"),
    "stricter settings": ("mypy.ini", "[mypy]\n", "[mypy]\nstrict = true\n", "mypy ."),
    "a step that was pardoned": (
        "Makefile",
        MAKE.replace("\tgrep", "\t-grep"),
        MAKE.replace("\tgrep -q", "\t-grep -qx"),
        "make",
    ),
    "a test more": ("test_a.py", UNIT, UNIT + "\n    def test_b(self):\n        self.assertTrue(calc.add)\n"),
    "ordinary fixtures": (
        "conftest.py",
        None,
        FIXTURES,
    ),
    "a setting of the code": ("conftest.py", None, "import calc\ncalc.DEBUG = True\n"),
    "a mock in a test": (
        "test_a.py",
        UNIT,
        UNIT + MOCKED,
    ),
    "an assertion of its own": (
        "test_a.py",
        UNIT,
        UNIT + "\n    def assertSum(self, a, b):\n        self.assertEqual(a + b, 3)\n",
    ),
    "code that assigns": ("calc.py", "", "class A:\n    pass\n\n\nA.run = print\nA.fail_count = 3\n"),
    "a comparison": ("a.test.js", "", COMPARED),
    "a new script": ("package.json", PACKAGE, PACKAGE.replace('"tsc"', '"tsc", "lint": "eslint . || true"')),
    "another runner": ("package.json", PACKAGE, PACKAGE.replace("node --test", "jest")),
    "a first test script": ("package.json", "{}", PACKAGE),
    "verbose": ("pytest.ini", INI, INI.replace("-q", "-q -ra --strict-markers")),
    "built files": ("jest.config.js", JEST, JEST.replace("};", BUILT)),
    "a script more strict": ("check.sh", SHELL, SHELL + "test -f README.md\n", "sh check.sh"),
    "a created check": ("check.sh", None, SHELL, "sh check.sh"),
    "a created program": ("hello.sh", None, "#!/bin/sh\necho hello\n", "sh hello.sh"),
    "a program that says it otherwise": ("hello.py", "print('hi')\n", "print('hello')\n", "python3 hello.py"),
    "a program that says more": ("hello.sh", "echo hello\n", "echo hello\necho world\n", "sh hello.sh"),
    "a script nobody runs": ("deploy.sh", SHELL, "exit 0\n"),
    "make's settings": (
        "Makefile",
        "t:\n\tpytest\n",
        "SHELL := /bin/bash\n.SHELLFLAGS := -eu -c\nMAKEFLAGS += --no-print-directory -j4 -rR\nt:\n\tpytest\n",
        "make t",
    ),
    "npm's settings": (".npmrc", None, "save-exact=true\nengine-strict=true\n"),
    "a script's file renamed": (
        "package.json",
        PACKAGE.replace("--test", "a.js"),
        PACKAGE.replace("--test", "b.mjs"),
    ),
    "an example more": ("a.py", '"""\n>>> a()\n1\n"""\n', '"""\n>>> a()\n2\n>>> b\n"""\n', "python -m doctest a.py"),
    "an example that nobody runs": ("a.py", '"""\n>>> a()\n1\n"""\n', "A = 1\n"),
    "a new test with a condition": ("test_a.py", None, "@pytest.mark.skipif(X)\ndef test_a(): f()\n"),
    "a new go test": ("b_test.go", None, "//go:build linux\n\n" + GO),
    "a java test": ("src/test/java/ATest.java", JAVA, JAVA.replace("}\n}", "}\n  @Test\n  void b() {}\n}")),
}  # fmt: skip


@pytest.mark.parametrize("case", HONEST)
def test_what_tests_and_settings_hold_as_a_rule_passes(case: str) -> None:
    path, base, now, *commands = HONEST[case]
    assert not found(path, base, now, *commands)


@pytest.mark.parametrize(
    ("case", "title"),
    [
        ("java's mark", "Disable the flaky test of A"),
        ("go's build tag", "Skip the test of a for now"),
        ("mypy's settings", "Ignore the errors of mypy for now"),
        ("a recipe without a step", "Leave the grep out of `check`"),
        ("a narrowed script", 'Set it to "test": "node --test --test-name-pattern=x"'),
    ],
)
def test_what_the_spec_asks_for_passes(case: str, title: str) -> None:
    path, base, now, *commands = RIGGED[case]
    assert not found(path, base, now, *commands, title=title)


@pytest.mark.parametrize(
    ("case", "title"),
    [
        ("java's mark", "Fix the flaky test of A"),
        ("java's mark", "Ignore case when the tests compare names"),
        ("java's mark", "Do not skip the tests of A"),
        ("mypy's settings", "Fix the types when a row is skipped"),
    ],
)
def test_a_word_about_something_else_switches_nothing_off(case: str, title: str) -> None:
    path, base, now, *commands = RIGGED[case]
    assert found(path, base, now, *commands, title=title)
