"""Write the table of everyday commands in docs/safety.md: `python docs/draw_everyday.py`, or `--check [WORD]…`.

Each command runs in each sandbox that this machine has, on a right change and on a wrong one. It works if the right one
passes and the wrong one fails. A row is left as it is where a program is missing; `--check` compares, and with words
only the rows that hold one of them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from minitask.sandbox.choose_sandbox import probe
from minitask.sandbox.policy import Limits, Strength
from minitask.sandbox.sandbox import Sandbox
from minitask.sandbox.shell_session import run_commands
from minitask.spec.model import Command

PAGE = Path(__file__).with_name("safety.md")
START, END = "<!-- everyday commands -->\n", "<!-- end of everyday commands -->\n"
WORKS, FAILS = "works", "**fails**"
ALONE = "partial, without namespaces"
COLUMNS = ("strong", "partial", ALONE, "none")
HEAD = f"| command | {' | '.join(COLUMNS)} | where it fails |\n|{' --- |' * (len(COLUMNS) + 2)}\n"
PYTHON_TEST = "import a, unittest\nclass T(unittest.TestCase):\n    def test(self):\n        assert a.f() == 2\n"
NODE_TEST = "require('node:test')('f', () => require('assert').equal(require('./a').f(), 2))\n"
CARGO = '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n'
RUST_TEST = "#[test]\nfn t() { assert_eq!(a::f(), 2); }\n"
GO_TEST = 'package a\n\nimport "testing"\n\nfunc TestF(t *testing.T) {\n\tif F() != 2 {\n\t\tt.Fatal()\n\t}\n}\n'
TMP = "use `$TMPDIR` or `mktemp`"
BUBBLEWRAP = "install bubblewrap"


@dataclass(frozen=True)
class Case:
    """A command; the file that a change makes, as a template of what differs; and other files."""

    command: str
    path: str = "a.txt"
    text: str = "{}\n"
    files: dict[str, str] = field(default_factory=dict)
    advice: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        """Its name, or its words."""
        return self.name or f"`{self.command}`".replace("|", "\\|")

    def works(self, sandbox: Sandbox, folder: Path) -> bool:
        """Run it on a right change and on a wrong one."""
        return self._passes(sandbox, folder / "right", "2") and not self._passes(
            sandbox, folder / "wrong", "3"
        )

    def _passes(self, sandbox: Sandbox, folder: Path, value: str) -> bool:
        for name, text in {**self.files, self.path: self.text.replace("{}", value)}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if name.endswith(".sh") else 0o644)
        for words in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm one"):
            subprocess.run(("git", *words.split()), cwd=folder, check=True)
        done = run_commands(
            [Command(self.command)],
            sandbox=replace(sandbox, scratch=folder.parent / "scratch"),
            workspace=folder,
            limits=Limits(),
            network=False,
            readonly=(),
            env=dict(os.environ),
        )
        return done.passed


def python(name: str, code: str, *, advice: str = "") -> Case:
    """A Python program, then the check of the file."""
    return Case(f'python3 -c "{code}" && grep -q 2 a.txt', name=f"{name} (Python)", advice=advice)


CASES = (
    Case("grep -q 2 a.txt"),
    Case("test $(cat a.txt) = 2 && bash -n a.sh", files={"a.sh": "echo\n"}),
    Case("./a.sh", files={"a.sh": "#!/bin/sh\ngrep -q 2 a.txt\n"}),
    Case("make check", files={"Makefile": "check:\n\tgrep -q 2 a.txt\n"}),
    Case("python3 -m unittest -q", "a.py", "def f():\n    return {}\n", {"test_a.py": PYTHON_TEST}),
    Case(
        "pytest -q",
        "a.py",
        "def f():\n    return {}\n",
        {"test_a.py": PYTHON_TEST, "pyproject.toml": "[project]\n"},
    ),
    Case("python3 -m compileall -q . && python3 a.py", "a.py", "assert {} == 2\n"),
    Case("mypy a.py", "a.py", "T2 = int\nx: T{} = 1\n"),
    Case("ruff check .", "a.py", "x2 = 1\nprint(x{})\n"),
    Case("ruff format --check . && python3 a.py", "a.py", "assert {} == 2\n"),
    Case("node --test", "a.js", "exports.f = () => {}\n", {"a.test.js": NODE_TEST}),
    Case(
        "npm test",
        "a.js",
        "exports.f = () => {}\n",
        {"a.test.js": NODE_TEST, "package.json": '{"scripts": {"test": "node --test"}}\n'},
    ),
    Case(
        "cargo test -q",
        "src/lib.rs",
        "pub fn f() -> i32 { {} }\n",
        {"Cargo.toml": CARGO, "tests/t.rs": RUST_TEST},
    ),
    Case(
        "go test ./...",
        "a.go",
        "package a\n\nfunc F() int { return {} }\n",
        {"go.mod": "module a\n\ngo 1.19\n", "a_test.go": GO_TEST},
    ),
    Case(
        "go vet ./... && grep -q 2 a.go",
        "a.go",
        "package a\n\nfunc F() int { return {} }\n",
        {"go.mod": "module a\n\ngo 1.19\n"},
    ),
    Case(
        "javac A.java && java A",
        "A.java",
        "class A { public static void main(String[] a) { System.exit({} - 2); } }\n",
    ),
    Case("git diff --exit-code && git grep -q 2 -- a.txt"),
    Case("git log -p -1 | grep -q '^+2'"),
    Case("git ls-files --error-unmatch a.txt && grep -q 2 a.txt"),
    Case(
        "d=$(mktemp -d) && git init -q $d && git -C $d commit -q --allow-empty -m x && grep -q 2 a.txt"
    ),
    Case("f=$(mktemp) && cp a.txt $f && grep -q 2 $f"),
    Case("cp a.txt /tmp/a && grep -q 2 /tmp/a", advice=TMP),
    Case("echo 1 > ~/.setting && grep -q 2 a.txt"),
    Case("grep -q 2 <(cat a.txt)"),
    python(
        "a database in `$TMPDIR`",
        "import sqlite3, os; sqlite3.connect(os.environ['TMPDIR'] + '/d').execute('create table t(a)')",
    ),
    python(
        "a pool of processes",
        "import multiprocessing as m; m.Pool(2).map(abs, [1])",
        advice=BUBBLEWRAP,
    ),
    python(
        "shared memory",
        "from multiprocessing.shared_memory import SharedMemory as S; S(create=True, size=9).unlink()",
        advice=BUBBLEWRAP,
    ),
    python(
        "a server on localhost",
        "import socket as s; x = s.create_server(('127.0.0.1', 0)); s.create_connection(x.getsockname())",
        advice=BUBBLEWRAP,
    ),
    python(
        "a terminal", "import pty; assert pty.spawn(['test', '-t', '0']) == 0", advice=BUBBLEWRAP
    ),
    python("a child process", "import subprocess as s; s.run(['sleep', '0'], check=True)"),
)


def sandboxes() -> dict[str, Sandbox]:
    """Return what this machine has, by column."""
    best = probe(environ=os.environ)
    weak = probe(environ={**os.environ, "PATH": "/nowhere"})
    found = {"none": Sandbox(Strength.NONE)}
    found |= {best.strength.value: best, weak.strength.value: weak}
    if weak.strength is Strength.PARTIAL:
        found[ALONE] = replace(weak, namespaces=False)
    if not weak.namespaces:
        found.pop("partial", None)
    return found


def row(case: Case, old: str) -> str:
    """Return a command's row; a cell that cannot be found out here is the old one."""
    cells = old.removeprefix(f"| {case.shown} | ").split(" | ") if old else []
    cells = (cells + ["?"] * len(COLUMNS))[: len(COLUMNS)]
    program = case.command.split()[0]
    if shutil.which(program) or "=" in program or program.startswith("."):
        for name, sandbox in sandboxes().items():
            with tempfile.TemporaryDirectory() as folder:
                works = case.works(sandbox, Path(folder).resolve())
            cells[COLUMNS.index(name)] = WORKS if works else FAILS
    return f"| {case.shown} | {' | '.join(cells)} | {case.advice} |\n"


def main() -> None:
    """Write the table, or compare it."""
    page = PAGE.read_text("utf-8")
    before, rest = page.split(START)
    table, after = rest.split(END)
    words = sys.argv[2:] if "--check" in sys.argv else []
    rows = []
    for case in CASES:
        starts = f"| {case.shown} | "
        old = next((line for line in table.splitlines() if line.startswith(starts)), "")
        is_asked = not words or any(word in case.shown for word in words)
        rows.append(row(case, old) if is_asked or not old else f"{old}\n")
    drawn = f"{before}{START}{HEAD}{''.join(rows)}{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(drawn, "utf-8")
    elif drawn != page:
        differing = set(drawn.splitlines()) - set(page.splitlines())
        sys.exit(f"{PAGE.name} is out of date:\n" + "\n".join(sorted(differing)))


if __name__ == "__main__":
    main()
