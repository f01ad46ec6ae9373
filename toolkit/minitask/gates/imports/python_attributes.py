"""Find attributes that a Python file reads of the repository's own modules, and that these certainly lack.

`from app import util` with `util.fetch()` is as wrong as `from app.util import fetch`, if `fetch` is not there. Only
modules that are one file count, under a name that the file binds once, and not where the file expects an attribute to
be missing, or any file sets it from outside.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from posixpath import dirname

from msgspec import Struct

from minitask.gates.imports.python_imports import is_missing, module_files
from minitask.gates.imports.unresolved import UnresolvedImport, did_you_mean
from minitask.gates.result import FilesAfter, join
from minitask.gates.source.name_uses import binding_counts
from minitask.gates.source.python_source import bound_names, parsed_python
from minitask.patterns import lazy_pattern

_EXPECTS = lazy_pattern(
    r"\bAttributeError\b|\b(?:has|set|get|del)attr\s*\(|\bsys\.(?:modules|path)|\bcreate\s*=\s*True"
)


class ModuleUse(Struct, frozen=True):
    """An attribute that a file reads of a module that it imports, with the line of the first use."""

    line: int
    level: int
    module: str
    name: str

    @property
    def written(self) -> str:
        """Return the use in the form of an import."""
        return f"from {'.' * self.level}{self.module} import {self.name}"


def find_missing_attributes(
    path: str, text: str, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    """Yield the attributes that a file reads of the repository's own modules and that certainly are not there."""
    files: dict[tuple[int, str], str | None] = {}
    for use in used_attributes(text):
        key = (use.level, use.module)
        if key not in files:
            files[key] = _only_file(path, use, candidate)
        file = files[key]
        names = bound_names(candidate.read(file) or "") if file else None
        if file is None or names is None or use.name in names or _is_set(use.name, candidate):
            continue
        if not is_missing(path, use.module, use.level, use.name, candidate):
            continue
        near = did_you_mean(use.name, names)
        message = f"{file} has no {use.name}" + (f'; did you mean "{near}"?' if near else "")
        target = file.removesuffix(".py")
        yield UnresolvedImport(use.line, use.written, message, target, use.name)


@lru_cache(maxsize=16)
def used_attributes(text: str) -> tuple[ModuleUse, ...]:
    """Return the attributes that a file reads of what its top level imports; dunder names do not count."""
    tree = parsed_python(text)
    if tree is None or _EXPECTS.search(text):
        return ()
    modules = {local: module for node in tree.body for local, module in _modules(node)}
    bound = binding_counts(tree)
    first: dict[tuple[str, str], int] = {}
    changed: set[tuple[str, str]] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            key = (node.value.id, node.attr)
            if not isinstance(node.ctx, ast.Load):
                changed.add(key)
            elif key[0] in modules and bound[key[0]] == 1 and not key[1].startswith("__"):
                first[key] = min(node.lineno, first.get(key, node.lineno))
    uses = (
        (line, modules[local], name)
        for (local, name), line in first.items()
        if (local, name) not in changed
    )
    return tuple(ModuleUse(line, *module, name) for line, module, name in uses)


def _modules(node: ast.stmt) -> Iterator[tuple[str, tuple[int, str]]]:
    """Yield the names that an import binds, each with the level and module that it may mean."""
    if isinstance(node, ast.ImportFrom):
        for alias in node.names:
            module = f"{node.module}.{alias.name}" if node.module else alias.name
            yield alias.asname or alias.name, (node.level, module)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.asname or "." not in alias.name:
                yield alias.asname or alias.name, (0, alias.name)


def _only_file(path: str, use: ModuleUse, candidate: FilesAfter) -> str | None:
    """Return the one file that a module can mean; None for a package, or if the package binds its name."""
    files = list(module_files(path, use.module, use.level, candidate))
    if len(files) != 1 or files[0].endswith("/__init__.py"):
        return None
    package = candidate.read(join(dirname(files[0]), "__init__.py"))
    names = bound_names(package) if package else frozenset()
    leaf = use.module.rpartition(".")[2]
    return None if names is None or leaf in names else files[0]


def _is_set(name: str, candidate: FilesAfter) -> bool:
    """Return True if any file may set the attribute from outside."""
    sets = (f".{name} =", f'"{name}"', f"'{name}'")
    files = candidate.holding(name, (".py",))
    return any(text in (candidate.read(file) or "") for file in files for text in sets)
