"""Find lines of a change that weaken its own checks in ways that test counts do not show.

They patch assertions, replace tested code, skip tests or narrow settings.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from posixpath import basename

from minitask.gates.removal_words import without_conditions
from minitask.gates.requested_removals import task_sentences, text_about
from minitask.gates.result import FileChange, quoted
from minitask.gates.source.grammars import SCRIPTS
from minitask.gates.source.python_source import Function, python_rows, python_tree
from minitask.gates.validation.named_files import is_named_in
from minitask.gates.validation.sentinel import allows_losses
from minitask.gates.validation.test_files import is_test_path
from minitask.gates.validation.weakened_checks import (
    MAKEFILES,
    MASKS,
    NARROWS,
    find_detections,
    find_hidden_steps,
    find_lost_examples,
    find_lost_steps,
    find_narrowed,
    find_skips,
    find_switched_off,
    run_scripts,
    scripts_of,
)
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_SKIPS = lazy_pattern(
    r"(?i)\b(?:skip\w*|xfail\w*|expect\w* (?:to )?fail\w*|disabl\w*|ignor\w*|quarantin\w*|mark\w*.*\bflaky"
    r"|only on|platform\w*)\b"
)
_OF_TESTS = lazy_pattern(
    r"(?i)tests?\b(?!\s+(?:files?|folders?|director\w+|data)\b)|\btest_|\b(?:specs?|suites?|cases|examples?|ci)\b"
)


def find_rigged(files: Sequence[FileChange], *, spec: Spec, is_own: IsOwn) -> tuple[str, ...]:
    """Return a reason for each added line that may let the validation pass although the change is wrong.

    Lines that the spec itself shows or asks for are exempt.
    """
    return tuple(dict.fromkeys(reason for file in files for reason in _of(file, spec, is_own)))


def _of(file: FileChange, spec: Spec, is_own: IsOwn) -> Iterator[str]:
    commands = [command.text for command in spec.commands]
    spec_text = text_about(spec, file.path)
    asked = map(without_conditions, task_sentences(spec, file.path))
    skips = any(_SKIPS.search(part) and _OF_TESTS.search(part) for part in asked)
    may_skip = skips or allows_losses(spec)
    findings = [
        (find_patches(file, is_own=is_own), "replaces what its tests run or assert with"),
        (() if may_skip else find_skips(file), "leaves tests out"),
        (find_lost_examples(file, commands), "is gone, an example that the validation runs"),
        (find_detections(file), "lets it tell whether it is tested"),
        (find_settings(file, commands, spec_text), "narrows or hides what the validation checks"),
        (find_switched_off(file, commands, spec), "leaves out what a checker is to judge"),
        (find_hidden_steps(file, commands), "hides whether what the validation runs fails"),
        (find_lost_steps(file, commands, spec_text), "is gone, which the validation runs"),
    ]
    for lines, why in findings:
        for line in lines:
            if line not in spec_text:
                yield f"{file.path}: {quoted(line)} {why}, which the spec does not ask for"


_MAKE_MASKS = lazy_pattern(
    r"\.IGNORE\b|\.SHELLFLAGS\s*[:?]*=.*\bexit 0|\w*\s*SHELL\s*[:?]*=(?!\s*\S*\b(?:ba|da|k|z)?sh\b)"
    r"|\w*\s*MAKEFLAGS\s*[:?+]*=(?:.*\s)?(?:-?[A-Za-z]*[intq][A-Za-z]*|--(?:ignore-errors|dry-run|touch|question))(?:\s|$)"
)
_NOTHING = lazy_pattern(r"(?:true|:|exit(?:\s+0)?|return 0)\s*;?")
_SAYS_ONLY = lazy_pattern(
    r"(?:true|:|exit(?:\s+0)?|set [-+]\w+.*|echo\b[^|&;]*|printf\b[^|&;]*|cd\b.*|#!.*|pass"
    r"|print\(.*\)|console\.log\(.*\);?"
    r"|import .*|from .*|(?:sys\.|process\.|os\._)?exit\(0?\);?|raise SystemExit(?:\(0?\))?|[{}()]|fi|done"
    r"|\"use strict\";?)"
)
_ENDS = lazy_pattern(
    r"(?:exit(?:\s+0)?|true|(?:sys\.|process\.|os\._)?exit\(0?\);?|quit\(\)|raise SystemExit(?:\(0?\))?)"
)
_IGNORES = lazy_pattern(
    r"testPathIgnorePatterns|testNamePattern|passWithNoTests[\"']?\s*:\s*true|\bgrep[\"']?\s*:|\bdescribe\.skip\b"
)
_GENERATED = lazy_pattern(
    r"[\"'`][^\"'`]*(?:node_modules|dist|build|coverage|\.next)[^\"'`]*[\"'`]"
)
_NPM_MASKS = lazy_pattern(r"(?:script-shell|ignore-scripts|if-present|node-options)\s*=")
_FILE_WORD = lazy_pattern(r"[\w./-]*[\w-]\.(?:sh|py|rb|[cm]?[jt]sx?)\b")
_JS_SETTINGS = lazy_pattern(
    r"(?:jest|vitest|karma|ava|playwright|cypress)\.config\.\w+|\.mocharc.*|\.?taprc"
)
_COLLECTED = ("testpaths", "python_files", "python_classes", "python_functions", "norecursedirs")
"""Pytest's settings that decide which tests it collects."""
_INI = {"pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg"}


def find_settings(file: FileChange, commands: Sequence[str], spec_text: str) -> Iterator[str]:
    """Yield the added lines of a settings file or script that narrow, mask or empty what the commands run."""
    name = basename(file.path)
    if name in _INI or name == "pyproject.toml":
        yield from _options(file, spec_text)
    elif name == "package.json":
        yield from _package(file, commands)
    elif name == ".npmrc":
        yield from (line for line in file.added if _NPM_MASKS.match(line))
    elif _JS_SETTINGS.fullmatch(name):
        yield from filter(_is_narrowing, file.added)
    elif name.lower() in MAKEFILES:
        if any(re.search(r"\b(?:make|just)\b", command) for command in commands):
            yield from filter(_MAKE_MASKS.match, file.added)
            yield from find_narrowed(file)
    elif any(is_named_in(command, file.path) for command in commands):
        yield from _script(file)


def _is_narrowing(line: str) -> bool:
    match = _IGNORES.search(line)
    if match is None or line.startswith(("//", "*", "/*")):
        return False
    values = re.findall(r"[\"'`]([^\"'`]*)[\"'`]", line[match.end() :])
    return not values or not all(_GENERATED.search(f'"{pattern}"') for pattern in values)


def _options(file: FileChange, spec_text: str) -> Iterator[str]:
    """Yield pytest's settings that became narrower: `addopts`, and what it collects unless the spec names the key."""
    old, new = (
        _pytest_settings(file.path, file.base or ""),
        _pytest_settings(file.path, file.content),
    )
    before, now = old.get("addopts", ""), new.get("addopts", "")
    if now != before and NARROWS.search(now) is not None:
        yield f"addopts = {' '.join(now.split())}"
    for key in _COLLECTED if file.base is not None else ():
        if key in new and new[key] != old.get(key) and key not in spec_text:
            yield f"{key} = {' '.join(new[key].split())}"


def _pytest_settings(path: str, text: str) -> dict[str, str]:
    try:
        if path.endswith(".toml"):
            settings = tomllib.loads(text).get("tool", {}).get("pytest", {}).get("ini_options", {})
            return {
                key: " ".join(map(str, value)) if isinstance(value, list) else str(value)
                for key, value in settings.items()
            }
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.read_string(text)
        return {
            key: value
            for section in ("pytest", "tool:pytest")
            if parser.has_section(section)
            for key, value in parser.items(section)
        }
    except (ValueError, AttributeError, configparser.Error):
        return {}


def _package(file: FileChange, commands: Sequence[str]) -> Iterator[str]:
    before, now = scripts_of(file.base or ""), scripts_of(file.content)
    for name in run_scripts(commands, now):
        old, new = before.get(name, ""), now[name]
        is_worse = len(NARROWS.findall(new)) > len(NARROWS.findall(old))
        no_longer_runs = set(_FILE_WORD.findall(old)) and not _FILE_WORD.findall(new)
        says_only = _SAYS_ONLY.fullmatch(new) and not _SAYS_ONLY.fullmatch(old)
        if new != old and (is_worse or no_longer_runs or says_only):
            yield f'"{name}": "{new}"'
    yield from (line for line in file.added if _is_narrowing(line))


def _script(file: FileChange) -> Iterator[str]:
    """Yield the lines that make a command's script pass: early exits, hidden failures, or no checks left."""
    rows = [line for line in file.content.split("\n") if line.strip() and line.strip()[0] != "#"]
    plain, says_only = [row.strip() for row in rows], _SAYS_ONLY.fullmatch
    if file.base is None:
        if plain and all(map(_NOTHING.fullmatch, plain)):
            yield plain[0]
        return
    added = set(file.added)
    ends = [row for row in rows if row.strip() in added and _ENDS.fullmatch(row)]
    masks = [row.strip() for row in rows if row.strip() in added and MASKS.search(row)]
    had = [line.strip() for line in file.base.split("\n") if line.strip()]
    lost = [row for row in had if row not in plain and row[0] != "#" and not says_only(row)]
    name = basename(file.path)
    if "." in name and not name.endswith((".sh", ".bash", ".py", ".js", ".mjs", ".cjs")):
        return
    if lost and all(map(says_only, plain)):
        yield plain[-1] if plain else "an empty file"
    else:
        yield from (*ends[:1], *masks)


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
_ASSERT_NAMES = lazy_pattern(
    r"\b(?:const|let|var)\s+(\w+)\s*=\s*require\(\s*[\"'](?:node:)?(?:assert[\w/]*|chai)[\"']"
    r"|\bimport\s+(?:\*\s+as\s+)?(\w+)\s+from\s+[\"'](?:node:)?(?:assert[\w/]*|chai)[\"']"
)
_SETUP_MOCK = lazy_pattern(r"\b(?:jest|vi)\.(?:do)?[mM]ock\(\s*[\"'`]\.")
_HOOKS = (
    *("pytest_configure", "pytest_sessionstart", "pytest_runtest_setup", "pytest_load_initial"),
    *("setup_module", "setUpModule"),
)


IsOwn = Callable[[str, str], bool]
"""Returns True if a module (by its dotted name) is the repository's own and defines the name."""


def find_patches(file: FileChange, *, is_own: IsOwn) -> Iterator[str]:
    """Yield the added lines that patch assertions or test runners, or replace the tested code for all tests."""
    if file.suffix == ".py":
        yield from _python_patches(file, is_own)
    if file.suffix not in SCRIPTS:
        return
    is_setup = "setup" in PurePosixPath(file.path).name.lower()
    names = "|".join(first or second for first, second in _ASSERT_NAMES.findall(file.content))
    renamed = re.compile(rf"\b(?:{names})(?:\.\w+)+\s*=(?![=>])") if names else None
    for line in file.added:
        patches = _SCRIPT_PATCH.search(line) or (is_setup and _SETUP_MOCK.search(line))
        patches = patches or (renamed is not None and renamed.search(line))
        if patches and not line.startswith(("//", "*", "/*")):
            yield line


def _python_patches(file: FileChange, is_own: IsOwn) -> Iterator[str]:
    root = python_tree(file.content)
    if root is None:
        return
    names, added, rows = _imported(root), set(file.added), python_rows(file.content)
    starts = ".start()" in file.content
    for node, runs_always in _statements(root.body, always=True):
        line = rows[node.lineno - 1].strip()
        if line not in added:
            continue
        for target, name in _patched(node):
            owner = _resolved(target, names)
            if _MACHINERY.fullmatch(f"{owner}.{name}") or (
                runs_always
                and (is_test_path(file.path) or file.path.endswith("customize.py"))
                and (starts or not _is_patch_call(node))
                and is_own(owner, name)
            ):
                yield line
        if _is_silenced(node):
            yield line


def _imported(root: ast.AST) -> Mapping[str, str]:
    dotted_names = {}
    for node in ast.walk(root):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                dotted_names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                dotted_names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return dotted_names


def _resolved(dotted: str, names: Mapping[str, str]) -> str:
    first, dot, attributes = dotted.partition(".")
    return names.get(first, first) + dot + attributes


def _statements(
    nodes: Iterable[ast.AST], *, always: bool
) -> Iterator[tuple[ast.stmt | ast.expr, bool]]:
    """Yield assignments, calls and functions, and whether each runs for every test (at import, or in a hook)."""
    for node in nodes:
        if isinstance(node, Function):
            yield node, always
            marks = " ".join(map(ast.unparse, node.decorator_list))
            is_auto = "fixture" in marks and "autouse=True" in marks
            yield from _statements(node.body, always=is_auto or node.name.startswith(_HOOKS))
        elif isinstance(node, ast.ClassDef):
            yield from _statements(node.body, always=always)
        else:
            if isinstance(node, ast.Assign | ast.AugAssign | ast.Call):
                yield node, always
            yield from _statements(ast.iter_child_nodes(node), always=always)


def _patched(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the owner and name of each object that a statement or call replaces."""
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
    """Return True for mock's `patch(…)`, which has no effect until it is started."""
    return isinstance(node, ast.Call) and not ast.unparse(node.func).endswith("setattr")


def _is_silenced(node: ast.AST) -> bool:
    """Return True for a method named like a unittest assertion that does nothing."""
    if not isinstance(node, ast.FunctionDef) or not _ASSERTION.fullmatch(node.name):
        return False
    does = (ast.Call, ast.Raise, ast.Assert)
    return bool(node.args.args) and not any(
        isinstance(child, does) for part in node.body for child in ast.walk(part)
    )
