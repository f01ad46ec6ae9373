"""Find the tests in source files, and make every test in a file fail.

Python is read with `ast`; JavaScript, TypeScript, Go and Rust with tree-sitter grammars.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.gates.source.grammars import GRAMMARS, SCRIPTS, parsed
from minitask.gates.source.python_source import Function, python_tree
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk_in_order
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

PLANTED = "minitask: this test must fail"
_FOLDERS = frozenset({"test", "tests", "__tests__", "spec", "specs", "e2e", "testing"})
_NAME = lazy_pattern(
    r"^(?:test_.*|.*_test|tests?)\.(?:py|go|rs)$|^conftest\.py$|[.\-_](?:test|spec)\.[cm]?[jt]sx?$"
    r"|^(?:test|spec)(?:[.\-_].*)?\.[cm]?[jt]sx?$"
    r"|(?:Tests?|Spec|Specs|_SUITE)\.(?:kts?|java|scala|groovy|swift|cs|fs|php|hs|erl)$|\.Tests\.ps1$|\.t\.sol$"
    r"|_(?:test|spec)\.(?:exs?|rb|dart|lua|erl|c|cc|cpp|clj)$"
    r"|^(?:pytest\.ini|\.?tox\.ini|(?:jest|vitest|ava|karma)\.config\.\w+|\.mocharc.*)$"
)
JUDGED = frozenset({".py", ".go", ".rs", *SCRIPTS})
"""Endings of files in which tests can be found."""
_PROSE = word_set(".adoc .css .gif .jpg .less .md .pdf .png .rst .scss .svg .txt")
_TAGS = frozenset({"test", "it", "specify"})
_ASSERTION = lazy_pattern(
    r"\bassert\w*\b|\bexpect\w*\b|\.should\b|\bfail\w*\b|\braises\b|\bt\.\w+\(|\bthrow\w*\b"
    r"|\brequire\.\w+\(|\bok\(|\b\w*eq!?\(|\bpanic!|(?:\b|_)(?:check|verif|compar|ensur)\w*\("
)
_CAUGHT = lazy_pattern(r"\b(?:Base)?Exception\b|\bAssertionError\b")
_PYTEST_NAME = lazy_pattern(r"(?:^|/)(?:test_[^/]*|[^/]*_test)\.py$")
_SCRIPT_NAME = lazy_pattern(r"[.\-_](?:test|spec)\.[cm]?[jt]sx?$")
"""Names of files that JavaScript runners run, whatever their tests are called."""
_TEST_MODULE = lazy_pattern(
    r"[\"'](?:node:test|bun:test|vitest|@jest/globals|mocha|ava|tape|uvu)[\"']"
)
_SKIP = lazy_pattern(r"\bskip\w*\b|\bxfail\b|\btodo\b|\bignore\b|\bexpectedFailure\b|\bSkip\w*\(")


class KnownTest(Struct, frozen=True):
    """A test: whether it asserts anything, and whether it is marked as skipped."""

    asserts: bool
    is_skipped: bool


def is_test_path(path: str) -> bool:
    """Return True if the file belongs to the tests, by its name or by a folder in its path."""
    parts = PurePosixPath(path).parts
    return bool(_NAME.search(parts[-1])) or not _FOLDERS.isdisjoint(map(str.lower, parts[:-1]))


def is_prose(path: str) -> bool:
    """Return True for a file that no test run executes or uses as setup."""
    return PurePosixPath(path).suffix.lower() in _PROSE


def may_hold_tests(path: str) -> bool:
    """Return True for a source file in which a test runner would look for tests."""
    suffix = PurePosixPath(path).suffix.lower()
    return suffix in JUDGED and (is_test_path(path) or suffix == ".rs")


def find_tests(path: str, text: str) -> Mapping[str, KnownTest]:
    """Return the tests in a file by name; empty if it cannot be parsed."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        return dict(_python_tests(text))
    grammar_tests = _found(suffix, text) if suffix in JUDGED else ()
    return {grammar_test.name: grammar_test.test for grammar_test in grammar_tests}


def with_failing_tests(path: str, text: str) -> str | None:
    """Return the file with a failure added to the end of every test, or None if that is possible for no test."""
    suffix = PurePosixPath(path).suffix.lower()
    inserts = _python_inserts(text) if suffix == ".py" else _inserts(suffix, text)
    source = text.encode("utf-8", "surrogateescape")
    ordered = sorted(inserts, reverse=True)
    is_run = _SCRIPT_NAME.search(path) is not None and _TEST_MODULE.search(text) is not None
    if not ordered and suffix in SCRIPTS and is_run:
        ordered = [(len(source), len(source), f'\nthrow new Error("{PLANTED}");\n')]
    for start, end, new in ordered:
        source = source[:start] + new.encode() + source[end:]
    return source.decode("utf-8", "surrogateescape") if ordered else None


def _python_functions(text: str) -> Iterator[tuple[str, Function, bool]]:
    """Yield the test functions with their qualified names, and whether a class around them is skipped."""
    root = python_tree(text)
    if root is None:
        return
    pending: list[tuple[str, ast.AST, bool]] = [("", root, False)]
    while pending:
        above, node, skipped = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                pending.append((f"{above}{child.name}.", child, skipped or _is_marked(child)))
            elif isinstance(child, Function):
                if child.name.startswith("test"):
                    yield f"{above}{child.name}", child, skipped
            elif isinstance(child, ast.If | ast.Try | ast.With):
                pending.append((above, child, skipped))


def _python_tests(text: str) -> Iterator[tuple[str, KnownTest]]:
    for name, function, skipped in _python_functions(text):
        skips = skipped or _is_marked(function) or _skips_at_once(function)
        yield name, KnownTest(any(map(_asserts, function.body)), skips)


def _asserts(node: ast.AST) -> bool:
    """Return True if the statement can fail a test: not with a constant or tuple, nor if the failure is caught."""
    if isinstance(node, ast.Assert):
        is_true = isinstance(node.test, ast.Constant) and bool(node.test.value)
        return not is_true and not isinstance(node.test, ast.Tuple) and not _is_same(node.test)
    if isinstance(node, ast.Raise):
        return True
    if isinstance(node, ast.Call) and _ASSERTION.search(f"{ast.unparse(node.func)}("):
        return True
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.Try) and any(map(_catches_failures, node.handlers)):
        children = (*node.handlers, *node.orelse, *node.finalbody)
    return any(map(_asserts, children))


def _is_same(test: ast.expr) -> bool:
    """Return True for a comparison of something with itself."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    is_equality = isinstance(test.ops[0], ast.Eq | ast.Is)
    return is_equality and ast.dump(test.left) == ast.dump(test.comparators[0])


def _catches_failures(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or _CAUGHT.search(ast.unparse(handler.type)) is not None


def holds_no_test(path: str, text: str) -> bool:
    """Return True for a Python file named like a test that has only code that no runner calls."""
    root = python_tree(text) if _PYTEST_NAME.search(path) else None
    if root is None or find_tests(path, text):
        return False
    return all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)
        or (isinstance(node, ast.ClassDef) and not node.bases)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in root.body
    )


def _is_marked(node: ast.ClassDef | Function) -> bool:
    return any(_SKIP.search(ast.unparse(decorator)) for decorator in node.decorator_list)


def _skips_at_once(function: Function) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    is_plain = bool(body) and isinstance(body[0], ast.Expr | ast.Raise)
    return is_plain and _SKIP.search(ast.unparse(body[0])) is not None


def _python_inserts(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield insertions of a `raise` after the last statement of each test and before each `return`."""
    lines = text.encode("utf-8", "surrogateescape").splitlines(keepends=True)
    starts = list(accumulate(map(len, lines), initial=0))
    statement = f"raise AssertionError({PLANTED!r})"
    for _, function, _ in _python_functions(text):
        last = function.body[-1]
        indent = function.body[0].col_offset
        for node in _returns(function):
            offset = starts[node.lineno - 1] + node.col_offset
            yield offset, offset, f"{statement}; "
        if isinstance(last, ast.Return):
            continue
        if function.body[0].lineno == function.lineno:  # `def test_a(): …` on one line
            offset = starts[last.lineno - 1] + last.col_offset
            yield offset, offset, f"{statement}; "
        elif isinstance(last, ast.Raise):
            offset = starts[last.lineno - 1]
            yield offset, offset, f"{' ' * indent}{statement}\n"
        else:
            offset = starts[last.end_lineno or last.lineno]
            before = "" if lines[(last.end_lineno or last.lineno) - 1].endswith(b"\n") else "\n"
            yield offset, offset, f"{before}{' ' * indent}{statement}\n"


def _returns(node: ast.AST) -> Iterator[ast.Return]:
    """Yield the returns of a function, without those of nested functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return):
            yield child
        elif not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            yield from _returns(child)


class _Found(Struct, frozen=True):
    """A test found with a grammar, and the node of its body."""

    name: str
    test: KnownTest
    body: Node
    parameter: str = ""


def _found(suffix: str, text: str) -> Iterator[_Found]:
    root = parsed(text, GRAMMARS[suffix])
    if root is None:
        return
    read = _script_test if suffix in SCRIPTS else _go_test if suffix == ".go" else _rust_test
    yield from filter(None, map(read, walk_in_order(root)))


def _script_test(node: Node) -> _Found | None:
    """Return the test of a call such as `test("name", () => { … })` or `it.each(…)("name", …)`, or None."""
    arguments = node.child_by_field_name("arguments")
    if node.type != "call_expression" or arguments is None:
        return None
    called = node_text(node.child_by_field_name("function"))[:200]
    call_parts = [word for word in called.replace("(", ".").split(".") if word]
    values = [child for child in arguments.named_children if child.type != "comment"]
    if not call_parts or len(values) < 2 or not _is_script_tag(call_parts):
        return None
    callback = next((value for value in reversed(values) if "function" in value.type), None)
    body = callback.child_by_field_name("body") if callback is not None else None
    if body is None:
        return None
    options = "".join(node_text(value) for value in values[1:] if value.type == "object")
    skipped = bool(_SKIP.search(".".join(call_parts[1:2]))) or bool(_SKIP.search(options))
    name = node_text(values[0]).strip("\"'`")
    return _Found(name, KnownTest(_ASSERTION.search(node_text(body)) is not None, skipped), body)


def _is_script_tag(call_parts: list[str]) -> bool:
    return call_parts[0] in {*_TAGS, "xit", "xtest", "fit"} or call_parts[-1] in _TAGS


def _go_test(node: Node) -> _Found | None:
    name, body = node_text(node.child_by_field_name("name")), node.child_by_field_name("body")
    parameters = node_text(node.child_by_field_name("parameters"))
    if node.type != "function_declaration" or not name.startswith("Test") or body is None:
        return None
    if "*testing.T)" not in parameters:
        return None
    inside = node_text(body)
    skips = ".Skip" in inside[:120]
    parameter = parameters.strip("() ").split()[0]
    return _Found(name, KnownTest(_ASSERTION.search(inside) is not None, skips), body, parameter)


def _rust_test(node: Node) -> _Found | None:
    body = node.child_by_field_name("body")
    if node.type != "function_item" or body is None:
        return None
    marks, before = [], node.prev_named_sibling
    while before is not None and before.type in {"attribute_item", "line_comment"}:
        marks.append("".join(node_text(before).split()))
        before = before.prev_named_sibling
    if not any(mark.endswith("test]") or "::test(" in mark for mark in marks):
        return None
    skipped = any(mark.startswith("#[ignore") for mark in marks)
    panics = any("should_panic" in mark for mark in marks)
    name = node_text(node.child_by_field_name("name"))
    asserts = panics or _ASSERTION.search(node_text(body)) is not None
    return _Found(name, KnownTest(asserts, skipped), body, "panics" if panics else "")


def _inserts(suffix: str, text: str) -> Iterator[tuple[int, int, str]]:
    if suffix not in JUDGED:
        return
    for grammar_test in _found(suffix, text):
        if suffix == ".go" and grammar_test.parameter != "_":
            offset = grammar_test.body.start_byte + 1
            yield offset, offset, f' defer {grammar_test.parameter}.Error("{PLANTED}");'
        elif suffix == ".rs" and not grammar_test.parameter:
            offset = grammar_test.body.start_byte + 1
            yield offset, offset, _RUST
        elif suffix in SCRIPTS:
            yield _script_insert(grammar_test.body)


def _script_insert(body: Node) -> tuple[int, int, str]:
    statement = f'throw new Error("{PLANTED}");'
    if body.type != "statement_block":
        return body.start_byte, body.end_byte, f"{{ {node_text(body)}; {statement} }}"
    last = [child for child in body.named_children if child.type != "comment"][-1:]
    ends = bool(last) and last[0].type in {"return_statement", "throw_statement"}
    offset = last[0].start_byte if ends else body.end_byte - 1
    return offset, offset, f"{statement} " if ends else f"\n{statement}\n"


_RUST = (
    " struct MinitaskMustFail; impl Drop for MinitaskMustFail { fn drop(&mut self) { "
    f'panic!("{PLANTED}") }} }} let _minitask_must_fail = MinitaskMustFail;'
)
