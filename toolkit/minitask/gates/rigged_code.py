"""Added lines by which code switches tests off: assertions patched, tested code replaced, tests skipped."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath

from msgspec import Struct

from minitask.gates.test_files import is_test_path
from minitask.patterns import lazy_pattern

_MACHINERY = lazy_pattern(
    r"(?:\w*TestCase|\w*TestResult|\w*TestRunner|TestLoader|TestSuite|TestProgram|unittest)(?:\.\w+)*\.(?:assert\w*|fail\w*"
    r"|_?run\w*|__call__|debug|add(?:Failure|Error)|wasSuccessful|main)"
    r"|(?:sys|os)\._?exit|builtins\.\w+|pytest\.(?:fail|raises|main|approx|exit)|.*\.__code__"
)
_ASSERTION = lazy_pattern(r"(?:assert[A-Z]\w*|fail|failIf|failUnless)")
_SCRIPT_PATCH = lazy_pattern(
    r"(?:\b(?:assert|expect|chai)|require\(\s*[\"'](?:node:)?assert[^\"']*[\"']\s*\))(?:\.\w+)+\s*=(?![=>])"
    r"|\b(?:globalThis|global|window)\.(?:assert|expect|test|it|describe)\s*=(?![=>])|\bprocess\.exit\s*=(?![=>])"
    r"|\bObject\.(?:assign|definePropert\w+)\(\s*(?:assert|expect|chai)\b"
    r"|\b(?:jest|vi)\.spyOn\(\s*(?:assert|expect|chai)\b"
)
_SETUP_MOCK = lazy_pattern(r"\b(?:jest|vi)\.(?:do)?[mM]ock\(\s*[\"'`]\.")
_SCRIPT = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_SKIPS = {
    ".py": r"pytestmark\s*=.*\b(?:skip|xfail)|allow_module_level\s*=\s*True|__test__\s*=\s*False",
    ".go": r"//go:build\s|// \+build\s",
    ".rs": r"#!?\[cfg\((?:any\(\)|FALSE|never)|#\[ignore",
    **dict.fromkeys((".java", ".kt", ".groovy", ".scala"), r"@(?:Disabled|Ignore)\b"),
    ".cs": r"\[(?:Ignore\b|(?:Fact|Theory|Test)\(.*\b(?:Skip|Ignore)\b)",
    ".rb": r"(?:skip|pending|xit|xdescribe|xcontext)\b",
    ".php": r"\$this->markTest(?:Skipped|Incomplete)|#\[\w*Skip",
    ".swift": r"throw XCTSkip",
    **dict.fromkeys(_SCRIPT, r"(?:\w+\.(?:only|skip)|fit|fdescribe|xit|xtest|xdescribe)\s*\("),
}
"""Marks of skipped tests, at the start of a line of a test file."""
_HOOKS = ("pytest_configure", "pytest_sessionstart", "pytest_runtest_setup", "pytest_load_initial")


class FileVersions(Struct, frozen=True):
    """A changed file on the base, None where there is none, and in the candidate."""

    path: str
    base: str | None
    now: str

    @property
    def added(self) -> tuple[str, ...]:
        """Return the stripped lines that the base does not have."""
        had = {line.strip() for line in (self.base or "").split("\n")}
        return tuple(
            line for line in map(str.strip, self.now.split("\n")) if line and line not in had
        )

    @property
    def suffix(self) -> str:
        """Return the ending of its name, in lower case."""
        return PurePosixPath(self.path).suffix.lower()


IsOwn = Callable[[str, str], bool]
"""Tells whether a module, by its dotted name, is the repository's own and defines a name."""


def find_patches(file: FileVersions, *, is_own: IsOwn) -> Iterator[str]:
    """Yield the added lines that patch assertions or test runners, or replace the code under test for all tests."""
    if file.suffix == ".py":
        yield from _python_patches(file, is_own)
    elif file.suffix in _SCRIPT:
        is_setup = "setup" in PurePosixPath(file.path).name.lower()
        for line in file.added:
            plain = not line.startswith(("//", "*", "/*"))
            if plain and (_SCRIPT_PATCH.search(line) or (is_setup and _SETUP_MOCK.search(line))):
                yield line


def find_skips(file: FileVersions) -> Iterator[str]:
    """Yield the added lines of a test file that leave tests out which the base runs."""
    pattern = _SKIPS.get(file.suffix)
    if file.base is None or pattern is None:
        return
    if is_test_path(file.path) or file.suffix in {".rs", ".java", ".kt", ".cs"}:
        compiled = lazy_pattern(pattern)
        yield from (line for line in file.added if compiled.match(line))


def _python_patches(file: FileVersions, is_own: IsOwn) -> Iterator[str]:
    try:
        root = ast.parse(file.now.encode("utf-8", "surrogateescape"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    names, added, rows = _imported(root), set(file.added), file.now.split("\n")
    starts = ".start()" in file.now
    for node, runs_always in _statements(root, always=True):
        line = rows[node.lineno - 1].strip()
        if line not in added:
            continue
        for target, name in _patched(node):
            owner = _resolved(target, names)
            if _MACHINERY.fullmatch(f"{owner}.{name}") or (
                runs_always
                and is_test_path(file.path)
                and (starts or not _is_patch_call(node))
                and is_own(owner, name)
            ):
                yield line
        if _is_silenced(node):
            yield line


def _imported(root: ast.AST) -> Mapping[str, str]:
    """Return what each imported name stands for, dotted."""
    dotted_names = {}
    for node in ast.walk(root):
        if isinstance(node, ast.Import):
            for alias in node.names:
                dotted_names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                dotted_names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return dotted_names


def _resolved(dotted: str, names: Mapping[str, str]) -> str:
    first, dot, attributes = dotted.partition(".")
    return names.get(first, first) + dot + attributes


def _statements(node: ast.AST, *, always: bool) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Yield assignments, calls and functions, and whether each runs for every test: at import, or in a hook of it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, always
            marks = " ".join(map(ast.unparse, child.decorator_list))
            is_auto = "fixture" in marks and "autouse=True" in marks
            runs = is_auto or child.name.startswith((*_HOOKS, "setup_module", "setUpModule"))
            for part in child.body:
                yield from _statements(ast.Module([part], []), always=runs)
        elif isinstance(child, ast.ClassDef):
            for part in child.body:
                yield from _statements(ast.Module([part], []), always=always)
        else:
            if isinstance(child, ast.Assign | ast.AugAssign | ast.Call):
                yield child, always
            yield from _statements(child, always=always)


def _patched(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the object and the name in it that a statement or a call replaces."""
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute):
                yield ast.unparse(target.value), target.attr
            elif (
                isinstance(target, ast.Subscript)
                and isinstance(target.slice, ast.Constant)
                and ast.unparse(target.value) == "sys.modules"
            ):
                yield str(target.slice.value), ""
    elif isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called.rpartition(".")[2] not in {"setattr", "patch", "object"} or not node.args:
            return
        texts = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
        if isinstance(node.args[0], ast.Constant):
            owner, _, name = str(texts[0]).rpartition(".")
            yield owner, name
        elif texts:
            yield ast.unparse(node.args[0]), str(texts[0])


def _is_patch_call(node: ast.AST) -> bool:
    """Return True for mock's `patch(…)`, which does nothing until it is started."""
    return isinstance(node, ast.Call) and not ast.unparse(node.func).endswith("setattr")


def _is_silenced(node: ast.AST) -> bool:
    """Return True for a method that stands in for one of unittest's assertions and does nothing."""
    if not isinstance(node, ast.FunctionDef) or not _ASSERTION.fullmatch(node.name):
        return False
    does = (ast.Call, ast.Raise, ast.Assert)
    return bool(node.args.args) and not any(
        isinstance(child, does) for part in node.body for child in ast.walk(part)
    )
