"""Find imports that a change adds and that no package provides, by the repository and its interpreter.

Only certain cases are reported. A package is not reported if the repository names it anywhere (in a manifest, a lock
file, another file's imports), if it is one of its own files, or if the validation's interpreter finds it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from minitask.edits.script_model import Change, Reader
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.gates.imports.unresolved import is_sample
from minitask.gates.result import LintError
from minitask.gates.source.prefilters import may_import_package
from minitask.landing.run_commands import run_on
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command

OTHER_NAMES = {
    "bs4": "beautifulsoup",
    "Crypto": "pycrypto",
    "cv2": "opencv",
    "fitz": "pymupdf",
    "gi": "pygobject",
    "MySQLdb": "mysqlclient",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "setuptools",
    "skimage": "scikit.image",
    "sklearn": "scikit.learn",
    "win32com": "pywin32",
}
"""Patterns of package names that do not contain the module's name."""
MANIFESTS = (
    "*requirements*", "*constraints*", "*environment*.y*ml", "*.toml", "*setup.py", "*setup.cfg", "*Pipfile*",
    "*.lock", "*tox.ini", "*noxfile.py", "*Dockerfile*", "*.github/workflows/*", "*package.json", "*lock.json",
    "*lock.yaml", "*tsconfig*.json", "*jsconfig.json", "*.config.*", "*deno.json*", "*importmap*", "*minitask.yaml",
)  # fmt: skip
"""Files that declare installed packages, or names for imports."""
RUNNERS = lazy_pattern(
    r"\b(?:uv|poetry|pipenv|pdm|hatch|tox|nox|conda|mamba|pixi|docker|podman|make)\b"
)
"""Programs that run commands with an interpreter of their own."""
SCRIPTS = frozenset({".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"})
_SOURCES = tuple(f"*{suffix}" for suffix in (*sorted(SCRIPTS), ".vue", ".svelte"))
NOT_FOUND = 7
PROBE = """(tried=0
for python in .venv/bin/python venv/bin/python python3 python; do
  "$python" -c 'import importlib.util, sys; sys.exit(0 if importlib.util.find_spec(sys.argv[1]) else 7)' {name}
  case $? in 0) exit 0 ;; 7) tried=7 ;; esac
done
exit $tried)"""


def find_unknown_packages(
    engine: Context, task: Task, commit: str, *, changes: Sequence[Change], read: Reader
) -> Iterator[LintError]:
    """Yield the first import of each package that nothing provides, in the files of a change."""
    reported: set[str] = set()
    for change in changes:
        text = change.content
        if text is None or is_sample(change.path) or not may_import_package(change.path, text):
            continue
        before = {name for _, name in _packages(change.path, read(change.path) or "")}
        for line, name in _packages(change.path, text):
            if name in before or name in reported:
                continue
            reported.add(name)
            is_python = change.path.endswith(".py")
            if _is_named(engine, task, commit, name, is_python=is_python):
                continue
            if is_python and not _is_missing(engine, task, commit, name):
                continue
            message = f'nothing that is installed or declared provides "{name}"'
            hint = "import an existing module, or declare the package"
            yield LintError(change.path, line, message, hint)


def _packages(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the packages that a file requires, each with the line of its import."""
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".py":
        from minitask.gates.source.python_source import imports, parsed_python

        tree = parsed_python(text)
        for imported in imports(tree) if tree is not None else ():
            top = imported.module.split(".")[0]
            if not imported.guarded and not imported.level and top not in sys.stdlib_module_names:
                yield imported.line, top
    elif suffix in SCRIPTS:
        from minitask.gates.imports.imports import find_packages

        yield from find_packages(path, text)


def _is_named(engine: Context, task: Task, commit: str, name: str, *, is_python: bool) -> bool:
    """Return True if the repository has a file of the name, imports it elsewhere, or declares it."""
    git = engine.repository.git
    parts = name.removeprefix("@").split("/")
    paths = git.fields("ls-tree", "-r", "-z", "--name-only", commit)
    if any(part.partition(".")[0] in parts for path in paths for part in path.split("/")):
        return True
    spelled = re.sub("[-_.]", "[-_.]", name)
    pattern = OTHER_NAMES.get(name, spelled)
    if git.succeeds("grep", "-qiE", "-e", pattern, commit, "--", *MANIFESTS):
        return True
    if is_python:
        used = rf"(import|from)[[:space:]]+{spelled}([^A-Za-z0-9_]|$)"
        return git.succeeds("grep", "-qE", "-e", used, task.base, "--", "*.py")
    top = engine.repository.top
    is_there = top is not None and (top / "node_modules" / name).exists()
    if is_there or not git.succeeds("cat-file", "-e", f"{commit}:package.json"):
        return True
    return git.succeeds("grep", "-qE", "-e", rf"""['"]{spelled}['"/]""", task.base, "--", *_SOURCES)


def _is_missing(engine: Context, task: Task, commit: str, name: str) -> bool:
    """Return True if the interpreter of the validation certainly does not find a module."""
    commands = (*(command.text for command in task.spec.commands), *engine.settings.checks)
    if not name.isidentifier() or any(RUNNERS.search(text) for text in commands):
        return False
    probe = Command(PROBE.format(name=shlex.quote(name)))
    [ran] = run_on(engine, task, commit, (probe,)).commands
    return ran.exit_code == NOT_FOUND
