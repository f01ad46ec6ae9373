"""Find what a change of Go breaks between the files of a package, and between the packages of a module.

A package's files share one scope: a name that one of them loses is missing in all of them, and a name that two declare
does not compile. Only files without build constraints count, and only what the change itself adds or takes away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.unresolved import is_sample, may_be_made
from minitask.gates.result import (
    EntryKind,
    FilesAfter,
    LintError,
    above,
    find_kind,
    join,
    printable,
)
from minitask.gates.source.grammars import sound_tree
from minitask.gates.source.name_uses import bound_among, uses_of
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

_CONSTRAINED = lazy_pattern(r"(?m)^//\s*(?:go:build|\+build)\b|^import \"C\"$")
_BY_NAME = lazy_pattern(
    r"_(?:linux|darwin|windows|freebsd|netbsd|openbsd|solaris|plan9|android|ios|js|wasm|wasip1|unix|aix|illumos|dragonfly"
    r"|386|amd64|arm|arm64|ppc64\w*|mips\w*|s390x|riscv64|loong64)(?:_test)?\.go$|(?:^|/)[_.]"
)
_MODULE = lazy_pattern(r"(?m)^module\s+\"?([^\s\"]+)")
_GENERATES = "go:generate"
_KINDS = {"const_spec", "var_spec", "type_spec", "type_alias", "function_declaration"}


def find_go_faults(
    changes: Sequence[Change], *, read: Reader, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield the packages, declarations and names that do not fit together once the change is made."""
    files = [c for c in changes if c.path.endswith(".go") and not is_sample(c.path)]
    for change in files:
        base = read(change.path)
        if change.content is not None and is_plain(change.path, change.content):
            yield from _beside(change.path, change.content, base or "", candidate)
            yield from _imported(change.path, change.content, base or "", candidate)
            yield from _undeclared(change.path, change.content, base or "", candidate)
        if base is not None:
            yield from _lost(change, base, candidate)


def is_plain(path: str, text: str) -> bool:
    """Return True if a file is built for every system."""
    return not _BY_NAME.search(path) and not _CONSTRAINED.search(text)


def _beside(path: str, text: str, base: str, candidate: FilesAfter) -> Iterator[LintError]:
    """Yield a package clause that the folder's other files contradict, and what another of them declares, too."""
    package, names = _facts(text)
    _, old_names = _facts(base)
    for sibling, sibling_text in _siblings(path, candidate):
        sibling_package, sibling_names = _facts(sibling_text)
        if sibling_package.removesuffix("_test") != package.removesuffix("_test"):
            if not base:
                both = f"{printable(package)} is beside package {printable(sibling_package)}"
                message = f"package {both} of {printable(sibling)}"
                yield LintError(
                    path, 1, message, "a folder holds one package; name it, or use another folder"
                )
                return
        elif sibling_package == package:
            twice = (names.keys() & sibling_names.keys()) - old_names.keys()
            for name in sorted(twice):
                message = f"{printable(name)} is declared in {printable(sibling)}, too"
                yield LintError(path, names[name], message, "declare it once")


_GIVEN = word_set("""
any append bool byte cap clear close comparable complex complex128 complex64 copy delete error float32 float64 imag int
int16 int32 int64 int8 len make max min new panic print println real recover rune string uint uint16 uint32 uint64 uint8
uintptr init main
""")


def _undeclared(path: str, text: str, base: str, candidate: FilesAfter) -> Iterator[LintError]:
    """Yield the new calls of functions that neither the file nor its package declares."""
    root = sound_tree(text, ".go")
    called = _called(root)
    names = called.keys() - _called(sound_tree(base, ".go")).keys() - _GIVEN
    if root is None or not names or _has_dot_import(root):
        return
    names -= bound_among(root, set(names)) | declared(root).keys()
    for name in candidate.names(dirname(path)) if names else ():
        sibling = candidate.read(join(dirname(path), name)) or "" if name.endswith(".go") else ""
        if sibling and not _is_readable(sibling):
            return
        names -= _facts(sibling)[1].keys()
    for name in sorted(names):
        message = f"nothing in package {printable(_package(root))} declares {printable(name)}"
        yield LintError(path, called[name], message, "declare it, or use what is there")


def _called(root: Node | None) -> dict[str, int]:
    """Return the names that a file calls by themselves, each with its first line."""
    lines: dict[str, int] = {}
    for node in walk(root) if root is not None else ():
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is not None and function.type == "identifier":
            line = function.start_point.row + 1
            lines[node_text(function)] = min(line, lines.get(node_text(function), line))
    return lines


def _siblings(path: str, candidate: FilesAfter) -> Iterator[tuple[str, str]]:
    """Yield the other plain files of a folder, with their texts."""
    folder = dirname(path)
    for name in sorted(candidate.names(folder)):
        sibling = join(folder, name)
        if not name.endswith(".go") or sibling == path:
            continue
        text = candidate.read(sibling) or ""
        if is_plain(sibling, text) and _facts(text)[0]:
            yield sibling, text


@lru_cache(maxsize=1_024)  # several checks read all files of a package
def _facts(text: str) -> tuple[str, Mapping[str, int]]:
    """Return the package and the declared names of a file, each with its line; nothing if it does not parse."""
    root = sound_tree(text, ".go")
    return _package(root), declared(root)


def _is_readable(text: str) -> bool:
    """Return True if the file itself tells all that it declares."""
    is_whole = _GENERATES not in text and 'import "C"' not in text
    return is_whole and bool(_facts(text)[0])


def _package(root: Node | None) -> str:
    clauses = (node for node in root.children if node.type == "package_clause") if root else ()
    return next((node_text(node.named_children[0]) for node in clauses), "")


def declared(root: Node | None) -> dict[str, int]:
    """Return the names that a file declares in its package, each with its line."""
    names: dict[str, int] = {}
    for child in root.children if root is not None else ():
        inner = (
            walk(child)
            if child.type.endswith("_declaration") and child.type[:3] in _GROUPS
            else (child,)
        )
        for node in inner:
            for name in node.children_by_field_name("name") if node.type in _KINDS else ():
                names[node_text(name)] = name.start_point.row + 1
    return {name: line for name, line in names.items() if name not in {"_", "init", "main"}}


_GROUPS = frozenset({"con", "var", "typ"})


def _imported(path: str, text: str, base: str, candidate: FilesAfter) -> Iterator[LintError]:
    """Yield the new imports of the module's own packages that are not there, and names that these lack."""
    root = sound_tree(text, ".go")
    for node, folder in _own_imports(path, root, candidate):
        written, line = node_text(node.child_by_field_name("path")), node.start_point.row + 1
        names = _names_of(folder, candidate)
        if names is None:
            continue
        if not names:
            if written not in base and not may_be_made(folder, candidate):
                message = f"import {printable(written)} finds nothing: there is no package in {printable(folder)}"
                yield LintError(
                    path, line, message, "import what is there, or create it in this change"
                )
            continue
        local = node_text(node.child_by_field_name("name")) or basename(folder)
        for name, at in _members(root, local):
            if name not in names and f"{local}.{name}" not in base:
                message = f"package {printable(folder)} has no {printable(name)}"
                yield LintError(path, at, message, "use what is there, or create it in this change")


def _own_imports(path: str, root: Node | None, candidate: FilesAfter) -> Iterator[tuple[Node, str]]:
    """Yield the imports of packages of the file's own module, with their folders."""
    top = next((f for f in above(path) if "go.mod" in candidate.names(f)), None)
    match = _MODULE.search(candidate.read(join(top, "go.mod")) or "") if top is not None else None
    if root is None or match is None or top is None:
        return
    for child in root.children:
        for node in walk(child) if child.type == "import_declaration" else ():
            if node.type != "import_spec":
                continue
            written = node_text(node.child_by_field_name("path")).strip('"`')
            folder = join(top, written.removeprefix(f"{match[1]}/"))
            inside = [f for f in (folder, *above(folder)) if f != top and f.startswith(top)]
            is_own = written.startswith(f"{match[1]}/")
            if is_own and not any("go.mod" in candidate.names(f) for f in inside):
                yield node, folder


def _names_of(folder: str, candidate: FilesAfter) -> frozenset[str] | None:
    """Return what a package declares, none if there is no package, or None if files may be missing."""
    if find_kind(candidate, folder) is not EntryKind.FOLDER:
        return frozenset()
    names: set[str] = set()
    for name in candidate.names(folder):
        if not name.endswith(".go") or name.endswith("_test.go"):
            continue
        text = candidate.read(join(folder, name)) or ""
        if not _is_readable(text):
            return None
        names |= _facts(text)[1].keys()
    return frozenset(names)


def _members(root: Node | None, local: str) -> Iterator[tuple[str, int]]:
    """Yield the names that a file takes from a package, with their lines, if nothing else has the package's name."""
    if root is None or local in bound_among(root, {local}):
        return
    for node in walk(root):
        if node.type in {"selector_expression", "qualified_type"}:
            owner, _, name = node_text(node).partition(".")
            if owner == local and name.isidentifier():
                yield name, node.start_point.row + 1


def _lost(change: Change, base: str, candidate: FilesAfter) -> Iterator[LintError]:
    """Yield the uses, in other files, of names that a package no longer declares."""
    folder, (package, declared_before) = dirname(change.path), _facts(base)
    gone = set(declared_before)
    if not is_plain(change.path, base):
        return
    for name in candidate.names(folder) if gone else ():
        text = candidate.read(join(folder, name)) or "" if name.endswith(".go") else ""
        gone = gone - _facts(text)[1].keys() if not text or _facts(text)[0] else set()
    for sibling, text in _siblings(change.path, candidate) if gone else ():
        root = sound_tree(text, ".go") if _facts(text)[0] == package else None
        if root is not None and not _has_dot_import(root):
            used = uses_of(root, gone - bound_among(root, gone) - _facts(text)[1].keys())
            yield from (_gone(sibling, line, name, folder) for name, line in used.items())
    for name in sorted(gone):
        for sibling in candidate.holding(name, (".go",)):
            line = _line_of(sibling, name, folder, package, candidate)
            if line:
                yield _gone(sibling, line, name, folder)


def _line_of(path: str, name: str, folder: str, package: str, candidate: FilesAfter) -> int:
    """Return the first line on which a file takes a name from the package of a folder, or 0."""
    text = candidate.read(path) or ""
    root = sound_tree(text, ".go") if is_plain(path, text) and not is_sample(path) else None
    for node, imported in _own_imports(path, root, candidate):
        local = node_text(node.child_by_field_name("name")) or package
        if imported == folder:
            return next((line for member, line in _members(root, local) if member == name), 0)
    return 0


def _has_dot_import(root: Node) -> bool:
    return any(
        node.type == "dot"
        for child in root.children
        if child.type == "import_declaration"
        for node in walk(child)
    )


def _gone(path: str, line: int, name: str, folder: str) -> LintError:
    message = f"{printable(name)} is used here, and package {printable(folder or '.')} no longer declares it"
    return LintError(path, line, message, f"keep {printable(name)}, or change its uses, too")
