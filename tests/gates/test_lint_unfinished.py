# ruff: noqa: E501 - the cases are whole files
"""Work left out: TODO and its kin, bodies that do nothing; and what only looks like it."""

from __future__ import annotations

import pytest

from minitask.edits.script_model import Change
from minitask.gates.changes.unfinished import find_only_comments
from minitask.gates.lint import check_lint
from minitask.gates.result import FileChange
from minitask.spec.model import Criterion, Fence, FileAction, FileRef, Spec


def lint(path: str, content: str, *, base: str | None = None, **parts: object) -> str:
    """What lint says of a file, but for what it lost."""
    told = {"title": "Add a parser", "task": "1. Parse it.", **parts}
    spec = Spec(path="mini-projects/p/01.md", number="1", **told)  # type: ignore[arg-type]
    reason = check_lint([Change(path, content)], read={path: base}.get, spec=spec).reason
    return "\n".join(line for line in reason.split("\n") if "it loses" not in line)


UNFINISHED = [
    ("a.py", "def f(x):\n    # TODO: parse\n    return x\n"),
    ("a.py", "x = 1  # FIXME later\n"),
    ("a.py", "# XXX\nx = 1\n"),
    ("a.py", "# PLACEHOLDER\nx = 1\n"),
    ("a.py", "# todo: more\nx = 1\n"),
    ("a.py", "def f(x):\n    # your code here\n    return x\n"),
    ("a.py", "def f(x):\n    # implementation goes here\n    return x\n"),
    ("a.py", "def f(x):\n    raise NotImplementedError\n"),
    ("a.py", 'def f(x):\n    """Parse."""\n    raise NotImplementedError("later")\n'),
    ("a.py", "def f(x):\n    pass\n"),
    ("a.py", "def f(x):\n    ...\n"),
    ("a.py", 'def f(x):\n    """Parse."""\n    ...\n'),
    ("a.py", "async def f(x):\n    pass\n"),
    ("a.py", "class A:\n    def f(self):\n        pass\n"),
    ("a.py", "class A:\n    pass\n"),
    ("a.py", "class A(Base):\n    def f(self):\n        raise NotImplementedError\n"),
    ("test_a.py", "def test_it():\n    pass\n"),
    ("a.js", "function f(x) {\n  // TODO implement\n  return x;\n}\n"),
    ("a.js", "function f(x) {\n  throw new Error('Not implemented');\n}\n"),
    ("a.ts", "function f(x: number): number {\n  /* your code here */\n  return x;\n}\n"),
    ("a.tsx", "const A = () => <div>{/* TODO */}</div>;\n"),
    ("a.go", 'package a\n\nfunc F() {\n\tpanic("not implemented")\n}\n'),
    ("a.go", "package a\n\n// TODO: write\nfunc F() {}\n"),
    ("a.rs", "fn f() -> i32 {\n    todo!()\n}\n"),
    ("a.rs", "fn f() -> i32 {\n    unimplemented!()\n}\n"),
    ("A.java", 'class A {\n  int f() { throw new RuntimeException("TODO"); }\n}\n'),
    ("a.kt", "fun f(): Int = TODO()\n"),
    ("a.cs", "int F() { throw new NotImplementedException(); }\n"),
    ("a.rb", "def f\n  raise NotImplementedError\nend\n"),
    ("a.scala", "object A {\n  def f(x: Int): Int = ???\n}\n"),
    ("a.dart", "int f() {\n  throw UnimplementedError();\n}\n"),
    ("a.fs", "let f x =\n    raise (NotImplementedException())\n"),
    ("a.ps1", "function F {\n    throw [System.NotImplementedException]::new()\n}\n"),
    ("a.erl", "f(X) ->\n    error(not_implemented).\n"),
    ("a.ex", 'def f(x) do\n  raise "not implemented"\nend\n'),
    ("a.clj", '(defn f [x]\n  (throw (UnsupportedOperationException. "Not implemented yet")))\n'),
    ("a.swift", 'func f() -> Int {\n    preconditionFailure("unimplemented")\n}\n'),
    ("A.sol", 'contract A {\n    function f() public {\n        revert("TODO: pay");\n    }\n}\n'),
    ("a.R", 'f <- function(x) {\n  stop("f() is not implemented yet.")\n}\n'),
    ("a.ml", 'let f x =\n  failwith "TODO"\n'),
    ("a.sh", "f() {\n  # TODO\n  :\n}\n"),
    ("a.css", "/* TODO: colours */\na { top: 0; }\n"),
    ("a.html", "<p>a</p>\n<!-- TODO -->\n"),
    ("a.yaml", "a: 1  # TODO\n"),
    ("a.sql", "-- TODO: index\nSELECT 1;\n"),
    ("a.md", "# Title\n\nTODO: write this\n"),
    ("a.md", "# Title\n\n[TODO: describe]\n"),
    ("a.txt", "TBD\n"),
]


@pytest.mark.parametrize(("path", "content"), UNFINISHED)
def test_work_that_is_left_out_fails(path: str, content: str) -> None:
    assert lint(path, content).startswith(f"{path}:")


FINISHED = [
    ("a.py", "class TodoList:\n    def todo(self):\n        return 'TODO'\n"),
    ("a.py", 'STATES = ["TODO", "DONE"]\n'),
    ("a.py", "try:\n    print()\nexcept ValueError:\n    pass\n"),
    ("a.py", "class E(Exception):\n    pass\n"),
    ("a.py", 'class E:\n    """Marks the end."""\n'),
    ("a.py", "from abc import ABC, abstractmethod\n\n\nclass A(ABC):\n    @abstractmethod\n    def f(self): ...\n"),
    ("a.py", "from typing import Protocol\n\n\nclass A(Protocol):\n    def f(self) -> int: ...\n"),
    (
        "a.py",
        "from typing import overload\n\n\n@overload\ndef f(x: int) -> int: ...\n@overload\ndef f(x: str) -> str: ...\ndef f(x):\n    return x\n",
    ),
    (
        "a.py",
        "class A:\n    def f(self):\n        raise NotImplementedError\n\n\nclass B(A):\n    def f(self):\n        return 1\n",
    ),
    ("a.py", "class BaseReader:\n    def f(self):\n        raise NotImplementedError\n"),
    ("a.py", "def f(x):\n    if x:\n        return 1\n    raise NotImplementedError(x)\n"),
    ("a.py", "def f(x):\n    while True:\n        pass\n"),
    ("a.py", "def noop(x):\n    pass\n"),
    ("a.py", "def f(x):\n    pass  # nothing to do here\n"),
    ("a.py", "from a import Handler\n\n\nclass H(Handler):\n    def log_message(self, *args):\n        pass\n"),
    ("a.py", "def f(x: 'tuple[int, ...]'):\n    return x[...]\n"),
    ("a.py", "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    def f() -> int: ...\n"),
    ("a.py", "class A:\n    def __eq__(self, other):\n        return NotImplemented\n"),
    ("a.py", "# format: XXX-XXX\nx = 1\n"),
    ("a.pyi", "def f(x: int) -> int: ...\n"),
    ("a.js", "const text = 'TODO';\nconst f = () => {};\n"),
    ("a.html", '<input placeholder="Name">\n'),
    ("a.tsx", 'const A = () => <input placeholder="TODO" />;\n'),
    ("a.css", "input::placeholder { color: red; }\n"),
    ("a.md", "# TODO list app\n\nManages TODO items.\n"),
    ("a.java", "class A { void f() { throw new UnsupportedOperationException(); } }\n"),
    ("a.sh", "echo TODO\n"),
    ("a.py", "# here the code of the zone is read\nx = 1\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "content"), FINISHED)
def test_what_only_looks_like_it_passes(path: str, content: str) -> None:
    assert not lint(path, content)


def test_what_the_base_had_is_none_of_the_changes_doing() -> None:
    base = "def f(x):\n    pass\n\n\n# TODO: more\ny = 1\n"
    assert not lint("a.py", base + "z = 1\n", base=base)
    assert "alone" in lint("a.py", base + "def g(x):\n    pass\n", base=base)


ALLOWED: list[dict[str, object]] = [
    {"task": "1. Add a stub for the parser."},
    {"task": "1. Leave a TODO where the parser goes."},
    {"task": "1. Raise NotImplementedError for now."},
    {"criteria": (Criterion("the body is a placeholder"),)},
    {"files": (FileRef("a.py", FileAction.CREATE, note="skeleton"),)},
    {"snippets": (Fence("python", "def f(x):\n    # TODO: parse\n    return x\n"),)},
]


@pytest.mark.parametrize("parts", ALLOWED, ids=str)
def test_the_spec_may_allow_it(parts: dict[str, object]) -> None:
    assert not lint("a.py", "def f(x):\n    # TODO: parse\n    return x\n", **parts)


@pytest.mark.parametrize(
    "words", ["No TODO is left", "Do not leave any placeholders", "Replace the stub in `f`"]
)
def test_a_spec_that_forbids_it_does_not_allow_it(words: str) -> None:
    assert lint("a.py", "def f(x):\n    pass\n", criteria=(Criterion(words),))


def test_the_specs_own_edit_script_may_leave_what_it_will() -> None:
    spec = Spec(path="p.md", number="1", title="x")
    change = [Change("a.py", "def f(x):\n    pass\n")]
    assert check_lint(change, read={}.get, spec=spec, scripted=True).passed
    assert not check_lint(change, read={}.get, spec=spec).passed


REMARKS = {
    "a.py": ("def f():\n    return 1\n", "def f():\n    # total = 1\n    return 1\n"),
    "a.js": ("f(1); // old\n", "/* total = 1 */\nf(1);\n"),
    "a.go": ("package a\n", "package a\n\n// total = 1\n"),
    "a.yml": ("total: 0\n", "# total: 1\ntotal: 0  # total: 1\n"),
}


@pytest.mark.parametrize("path", REMARKS)
def test_a_change_of_comments_alone_is_doubted_unless_the_task_is_about_them(path: str) -> None:
    base, now = REMARKS[path]
    spec = Spec("p.md", "1", "Set the total", task="1. Set `total` to 1.")
    assert "only comments" in "".join(find_only_comments([FileChange(path, now, base)], spec))
    code = FileChange("b.py", "x = 2  # so\n", "x = 1\n")
    assert not find_only_comments([FileChange(path, now, base), code], spec)
    assert not find_only_comments([FileChange(path, now, None)], spec)
    told = Spec("p.md", "1", "Explain the total", task="1. Say in a comment what it is.")
    assert not find_only_comments([FileChange(path, now, base)], told)


NOT_UNFINISHED = [
    ("a.rs", "/// Callers implement this trait explicitly, so that errors stay theirs.\nfn a() {}\n"),
    ("A.java", "/**\n * Invoked when a request fails to be written.\n */\nclass A {}\n"),
    ("a.go", "package a\n\n// B is to be implemented by JSON, XML and so on.\ntype B interface{}\n"),
    ("a.go", 'package a\n\n// Call it as Get(context.TODO(), "a").\nfunc Get() {}\n'),
    ("a.py", "# Fill in the omitted input type before Python 3.13.\nA = 1\n"),
    ("a.rb", "#     # Your classic application code goes here...\nA = 1\n"),
    ("a.rb", "#     # The rest of your classic application code goes here...\nA = 1\n"),
    ("a.ts", "export function f(a: string): string\n\n// implementation\nexport function f(a: any) {\n  return a\n}\n"),
    ("a.cs", "//    throw new NotImplementedException();\nclass A {}\n"),
    ("a.py", "import click\n\n\n@click.group()\ndef cli():\n    pass\n"),
    ("a.py", "class MockRequest:\n    def add_header(self, key):\n        raise NotImplementedError\n"),
    ("tests/test_a.py", "def test_a():\n    def hook():\n        pass\n\n    assert run(hook)\n"),
    ("tests/test_a.py", "class NoLength:\n    def seek(self):\n        pass\n"),
    ("a.scala", "def f(a: A) = a match {\n  case (None, None) => ??? // should not happen\n}\n"),
    ("a.dart", "int f() {\n  throw UnimplementedError('version() has not been implemented.');\n}\n"),
    ("a.lua", 'function f(a)\n  error("seek is not implemented for pipes")\nend\n'),
    ("a.kt", 'val text = """\n    throw A("not implemented")\n"""\n'),
    ("contracts/mocks/A.sol", 'function f() public {\n  revert("A: not implemented");\n}\n'),
    ("tests/a.rs", "fn f() {\n    a(|_| unimplemented!());\n}\n"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "content"), NOT_UNFINISHED)
def test_words_of_unfinished_work_in_finished_work(path: str, content: str) -> None:
    assert "left out" not in lint(path, content)
    assert "alone" not in lint(path, content)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.ts", "function f(a: any) {\n  // implementation\n}\n"),
        ("a.rs", "// The rest is to be implemented later\nfn a() {}\n"),
        ("a.py", "# fill in the details\nA = 1\n"),
        ("a.py", "# Implement this\nA = 1\n"),
        ("tests/test_a.py", "def test_a():\n    pass\n"),
    ],
)
def test_work_that_is_left_out_is_told(path: str, content: str) -> None:
    reason = lint(path, content)
    assert "left out" in reason or "alone" in reason
