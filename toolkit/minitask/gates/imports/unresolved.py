"""Unresolved imports: the missing name, near matches, and reasons why it may exist all the same.

Builds generate modules, `.gitignore` hides them, other programs read templates and samples. Every doubt favours the
change: refusing a right change costs more than leaving a wrong one to the validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from posixpath import basename

from msgspec import Struct

from minitask.gates.result import EntryKind, FilesAfter, above, join
from minitask.patterns import lazy_pattern
from minitask.words import word_set


class UnresolvedImport(Struct, frozen=True):
    """An import that does not resolve in the repository.

    `written` is the import as in the file, `target` the module's path without its ending, `name` the missing name if
    the module itself exists.
    """

    line: int
    written: str
    message: str
    target: str
    name: str = ""


class RequestedModule(Struct, frozen=True):
    """A file's imports: module paths without endings, and pairs of such a path and a name."""

    modules: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()

    def has(self, missing: UnresolvedImport) -> bool:
        """Return True if the file has the same import."""
        if missing.name:
            return (missing.target, missing.name) in self.names
        below = missing.target + "/"
        return any(path == missing.target or path.startswith(below) for path in self.modules)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return the most similar of `names`, or an empty string."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(names), n=1, cutoff=0.7)
    return near[0] if near else ""


_SAMPLES = word_set("""
case cases corpus cookiecutter data example examples fixture fixtures golden goldens input inputs resources sample
samples skeleton skeletons snapshots snippets template templates testdata test_data test-data typeshed __fixtures__
__snapshots__ __testfixtures__
""")
"""Folders whose files are input for a program or templates, and do not run in place."""
_MARKS = lazy_pattern(r"[{}%$\[\]<>]")
# Names typical of generated files and of private ones.
_MADE = lazy_pattern(
    r"(?i)^\.|^[$+]|_pb2?\b|_pb2_grpc|version|generated|^_?gen(?:_|$)|_gen$|parsetab|lextab|^ui_|_ui$|_rc$|local|secret"
    r"|credential|^_build|^_about|^(?:dist|build|out|pkg|node_modules|coverage)$"
)
# Files that declare what a build generates, in the same folder or above.
_BUILD = lazy_pattern(
    r"pyproject\.toml|setup\.(?:py|cfg)|hatch\w*\.(?:py|toml)|build\.(?:py|rs|zig|gradle)|Cargo\.toml|CMakeLists\.txt"
    r"|meson\.build|BUILD(?:\.bazel)?|(?:GNU)?[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml|Dockerfile|tox\.ini|noxfile\.py"
    r"|MANIFEST\.in|package\.json|[jt]sconfig[\w.]*\.json|[\w.-]+\.config\.[cm]?[jt]s|codegen\.\w+|buf\.gen\.yaml"
)
# Tools that compile other languages to modules, whose names usually begin with an underscore.
_COMPILES = lazy_pattern(
    r"(?i)maturin|pyo3|rust|scikit-build|cmake|meson|mypyc|cython|ext[-_]modules|Extension\(|cffi|pybind|nanobind|swig"
)
_COMPILED = lazy_pattern(r"\*\.(?:d\.ts|[cm]?jsx?|map)(?:\.map)?")
"""Patterns of files compiled from a neighbour of the same name, which must then exist."""


def is_sample(path: str) -> bool:
    """Return True if the file is a sample or template, whose imports need not resolve in place."""
    folders = path.split("/")[:-1]
    return bool(_MARKS.search(path)) or not _SAMPLES.isdisjoint(map(str.lower, folders))


def may_be_made(target: str, candidate: FilesAfter) -> bool:
    """Return True if a build may generate the missing module, or a `.gitignore` may hide it.

    `target` is its path without an ending.
    """
    if any(_MADE.search(part) for part in target.split("/")):
        return True
    word = re.compile(rf"(?<!\w){re.escape(basename(target))}(?!\w)")
    hidden = basename(target).startswith("_")
    for name, text in _near(target, candidate):
        if word.search(text) or (hidden and _COMPILES.search(text)):
            return True
        if "rootDirs" in text and name.startswith(("tsconfig", "jsconfig")):
            return True
    return is_ignored(target, candidate)


def is_ignored(target: str, candidate: FilesAfter) -> bool:
    """Return True if a `.gitignore` may hide the path with some ending; when in doubt, too."""
    forms = [target + ending for ending in _ENDINGS]
    for folder in above(target):
        if candidate.names(folder).get(".gitignore") is not EntryKind.FILE:
            continue
        patterns = tuple(_patterns(candidate.read(join(folder, ".gitignore")) or ""))
        paths = [form.removeprefix(f"{folder}/") if folder else form for form in forms]
        if any(_hides(pattern, path) for pattern in patterns for path in paths):
            return True
    return False


_ENDINGS = ("", ".py", ".js", ".ts", ".jsx", ".tsx", ".mjs", ".json", ".css", "/index.js")


def _near(target: str, candidate: FilesAfter) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of the build files above a path."""
    for folder in above(target):
        for name, kind in candidate.names(folder).items():
            if kind is EntryKind.FILE and _BUILD.fullmatch(name):
                yield name, candidate.read(join(folder, name)) or ""


def _patterns(text: str) -> Iterable[str]:
    """Yield the patterns of a `.gitignore`; without the catch-alls if it also lists exceptions."""
    lines = [line.strip() for line in text.split("\n")]
    lists = any(line.startswith("!") for line in lines)
    for line in lines:
        pattern = line.strip("/").replace("**/", "").removesuffix("/**")
        if not pattern or line.startswith(("#", "!")) or (lists and pattern in {"*", "*.*"}):
            continue
        if not _COMPILED.fullmatch(pattern.rsplit("/", 1)[-1]):
            yield pattern


def _hides(pattern: str, path: str) -> bool:
    parts = path.split("/")
    if "/" not in pattern:
        return any(fnmatchcase(part, pattern) for part in parts)
    heads = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return any(fnmatchcase(head, pattern) or fnmatchcase(head, f"*/{pattern}") for head in heads)


_DEPENDENCIES = lazy_pattern(
    r"pyproject\.toml|setup\.(?:py|cfg)|.*requirements.*|constraints.*|Pipfile|.*\.lock|environment.*\.ya?ml|tox\.ini"
    r"|noxfile\.py|Dockerfile"
)
# Settings that list a project's own packages.
_LISTS = lazy_pattern(
    r"(?m)^\W*(?:exclude|files|include|known[-_]first[-_]party|module\w*|mypy_path|packages|py[-_]modules|root_packages?"
    r"|source|src|testpaths|where)\s*=.*$"
)


def is_required(path: str, top: str, candidate: FilesAfter, *, loosely: bool) -> bool:
    """Return True if a dependency may have the name of the package `top`; `loosely` matches it anywhere."""
    name = re.escape(top).replace("_", "[-_.]")
    own = re.compile(rf"""(?im)^[ \t]*name\s*=\s*["']?{name}["']?\s*,?\s*$""")
    files = tuple(_dependencies(path, candidate))
    if any(own.search(text) for file, text in files if not file.endswith(".lock")):
        return False
    texts = (text if loosely else _LISTS.sub("", text) for _, text in files)
    strictly = (
        rf"""(?:^|["'])[\s-]*(?:python-|py)?{name}(?:-python|-py)?(?=["'\[<>=!~;@\s]|$)"""
        rf"""(?!["']?\s*=\s*["'\[{{]?{name})"""
    )
    requirement = re.compile(f"(?im){name if loosely else strictly}")
    return any(map(requirement.search, texts))


def _dependencies(path: str, candidate: FilesAfter) -> Iterator[tuple[str, str]]:
    """Yield the names and texts of the files above a path that declare dependencies."""
    for folder in above(path):
        for location in (folder, join(folder, "requirements")):
            for file, kind in candidate.names(location).items():
                if kind is EntryKind.FILE and (_DEPENDENCIES.fullmatch(file) or location != folder):
                    yield file, candidate.read(join(location, file)) or ""
