"""Check Python's imports from the repository's own packages: whether their modules and names exist.

Only certain failures count. An absolute import is checked if its first package is a folder with an `__init__.py` that
the file can import; a folder without one may share its name with an installed package.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from posixpath import dirname

from msgspec import Struct

from minitask.gates.imports.unresolved import (
    RequestedModule,
    UnresolvedImport,
    did_you_mean,
    is_required,
    may_be_made,
)
from minitask.gates.result import EntryKind, FilesAfter, above, find_kind, holds, join
from minitask.gates.source.python_source import (
    MODULE_TRICKS,
    Imported,
    binds,
    bound_names,
    imports,
    parsed_python,
)
from minitask.patterns import lazy_pattern

_ROOTS = ("", "src", "lib", "python")
"""Folders in which a search for modules may start, below any folder above the file."""
_DATA = lazy_pattern(
    r"\.(?:bak|cfg|csv|css|html?|ini|js|json|log|md|orig|rst|sql|toml|txt|xml|ya?ml)$"
)
_PATHS = lazy_pattern(r"sys\.(?:path|modules)|importorskip|__path__")
# Files that mark a separate project, which need not see the packages of the repository's root.
_PROJECT = lazy_pattern(
    r"pyproject\.toml|setup\.(?:py|cfg)|requirements.*\.txt|Pipfile|Dockerfile|manage\.py|tox\.ini"
)


class Find(Enum):
    """The outcome of a search for a module; `UNKNOWN` if something else may provide it."""

    FOUND = "found"
    MISSING = "missing"
    UNKNOWN = "unknown"


class Search(Struct, frozen=True):
    """A finished search for a module below `root`: `at` is the last folder or file, `part` the name it lacks."""

    find: Find
    root: str
    at: str
    part: str = ""


def find_missing_python(path: str, text: str, candidate: FilesAfter) -> Iterator[UnresolvedImport]:
    """Yield the imports of a file that certainly do not resolve."""
    tree = parsed_python(text)
    if tree is None or "sys.modules" in text:
        return
    moves = _PATHS.search(text) is not None
    for imported in imports(tree):
        if imported.guarded or not imported.source.isascii() or (moves and not imported.level):
            continue
        look = _relative if imported.level else _absolute
        missing = look(path, imported, candidate)
        if missing is not None:
            yield missing


def is_missing(path: str, module: str, level: int, name: str, candidate: FilesAfter) -> bool:
    """Return True if `from module import name` certainly fails in a file."""
    imported = Imported(0, level, module, name, guarded=False)
    look = _relative if level else _absolute
    return look(path, imported, candidate) is not None


def python_wants(path: str, text: str) -> RequestedModule:
    """Return all imports of a file, guarded or not."""
    modules: set[str] = set()
    names: set[tuple[str, str]] = set()
    tree = parsed_python(text)
    for imported in imports(tree) if tree is not None else ():
        for folder in _folders(path, imported):
            module = join(folder, imported.module.replace(".", "/"))
            modules.add(module)
            if imported.name is not None:
                modules.add(join(module, imported.name))
                names.add((module, imported.name))
    return RequestedModule(frozenset(modules), frozenset(names))


def module_paths(path: str, module: str, level: int) -> Iterator[str]:
    """Yield the paths, without ending, that a module can mean as an import of a file writes it."""
    for folder in _folders(path, Imported(0, level, module, None, guarded=False)):
        yield join(folder, module.replace(".", "/"))


def module_files(path: str, module: str, level: int, candidate: FilesAfter) -> Iterator[str]:
    """Yield the files of the repository that a module, as an import of a file writes it, can mean."""
    for stem in module_paths(path, module, level):
        files = (f"{stem}.py", f"{stem}/__init__.py")
        yield from (file for file in files if holds(candidate, file))


def _folders(path: str, imported: Imported) -> Sequence[str]:
    """Return the folders in which the import may start."""
    folders = tuple(above(path))
    if imported.level:
        return folders[imported.level - 1 : imported.level]
    return _roots(path)


def _roots(path: str) -> Sequence[str]:
    """Return the folders in which a search for modules may start."""
    return tuple(join(folder, root) for folder in above(path) for root in _ROOTS)


def _relative(path: str, imported: Imported, candidate: FilesAfter) -> UnresolvedImport | None:
    for folder in _folders(path, imported):
        search = _search(folder, imported.module, candidate)
        if search.find is Find.MISSING:
            return _no_module(path, imported, search, candidate)
        if search.find is Find.FOUND and _lacks(search.at, imported.name, candidate):
            return _no_name(path, imported, search, candidate)
    return None


def _absolute(path: str, imported: Imported, candidate: FilesAfter) -> UnresolvedImport | None:
    """Return the missing module or name if every candidate folder lacks it and nothing else can provide it."""
    top = imported.module.split(".")[0]
    if top in sys.stdlib_module_names:
        return None
    failed = []
    for root in _folders(path, imported):
        if not _forms(candidate.names(root), top):
            continue
        search = _search(root, imported.module, candidate)
        if search.find is Find.UNKNOWN:
            return None
        if search.find is Find.FOUND and not _lacks(search.at, imported.name, candidate):
            return None
        failed.append(search)
    if not failed or not all(_is_clear(path, top, search, candidate) for search in failed):
        return None
    if failed[-1].find is Find.MISSING:
        return _no_module(path, imported, failed[-1], candidate)
    return _no_name(path, imported, failed[-1], candidate)


def _search(folder: str, module: str, candidate: FilesAfter) -> Search:
    """Follow a dotted name from a folder; `UNKNOWN` for anything that only may be the module."""
    at = folder
    kind = find_kind(candidate, at)
    for part in module.split(".") if module else ():
        if kind is EntryKind.FILE:
            find = Find.UNKNOWN if _has_tricks(at + ".py", candidate) else Find.MISSING
            return Search(find, folder, at, part)
        names = candidate.names(at)
        forms = _forms(names, part)
        is_odd = forms and forms.isdisjoint({part, f"{part}.py"})
        if not names or is_odd or names.get(part) is EntryKind.UNKNOWN:
            return Search(Find.UNKNOWN, folder, at)
        if not forms:
            find = Find.UNKNOWN if _has_tricks(join(at, "__init__.py"), candidate) else Find.MISSING
            return Search(find, folder, at, part)
        at = join(at, part)
        kind = EntryKind.FOLDER if part in forms else EntryKind.FILE
    return Search(Find.UNKNOWN if kind in {None, EntryKind.UNKNOWN} else Find.FOUND, folder, at)


def _forms(names: Mapping[str, EntryKind], part: str) -> frozenset[str]:
    """Return the names in a folder that may be the module: folder, source, compiled form, or what generates it."""
    is_folder = part in names and names[part] is not EntryKind.FILE
    return frozenset([*_files(names, part), *([part] if is_folder else [])])


def _files(names: Mapping[str, EntryKind], part: str) -> Iterator[str]:
    start = part + "."
    return (name for name in names if name.startswith(start) and not _DATA.search(name))


def _has_tricks(path: str, candidate: FilesAfter) -> bool:
    text = candidate.read(path) if holds(candidate, path) else None
    return text is not None and MODULE_TRICKS.search(text) is not None


def _lacks(module: str, name: str | None, candidate: FilesAfter) -> bool:
    """Return True if an existing module certainly lacks the name."""
    if not name or name == "*" or not name.isascii():
        return False
    if name.startswith("__") and name.endswith("__"):
        return False
    text = _text_of(module, candidate)
    inner = candidate.names(module) if find_kind(candidate, module) is EntryKind.FOLDER else {}
    return text is not None and not _forms(inner, name) and not binds(text, name)


def _text_of(module: str, candidate: FilesAfter) -> str | None:
    """Return the text that defines a module's names, or None if more than one file may define them."""
    folder = candidate.names(module) if find_kind(candidate, module) is EntryKind.FOLDER else {}
    beside = frozenset(_files(candidate.names(dirname(module)), module.rsplit("/", 1)[-1]))
    init_files = frozenset(_files(folder, "__init__"))
    if init_files == {"__init__.py"}:
        return candidate.read(join(module, "__init__.py"))
    if init_files:
        return None
    if beside:
        return candidate.read(module + ".py") if len(beside) == 1 and folder == {} else None
    return "" if folder else None


def _is_clear(path: str, top: str, search: Search, candidate: FilesAfter) -> bool:
    """Return True if the import certainly looks in the folder where the search failed."""
    names = candidate.names(search.root)
    if "__init__.py" in names or join(search.root, f"{top}.py") == path:
        return False
    if not _sees(path, search.root, candidate):
        return False
    package = search.root
    for part in search.at[len(search.root) :].strip("/").split("/"):
        package = join(package, part)
        if holds(candidate, join(package, "__init__.py")):
            return not is_required(path, top, candidate, loosely=False)
    is_file = search.find is Find.FOUND and holds(candidate, search.at + ".py")
    is_own = is_file or _is_imported(path, top, search.root, candidate)
    return is_own and not is_required(path, top, candidate, loosely=True)


def _is_imported(path: str, top: str, root: str, candidate: FilesAfter) -> bool:
    """Return True if another file imports a module from a folder without `__init__.py`, and it resolves there."""
    for other in candidate.holding(top, (".py",)):
        tree = parsed_python(candidate.read(other) or "") if other != path else None
        for imported in imports(tree) if tree is not None else ():
            if imported.guarded or not imported.module.startswith(f"{top}."):
                continue
            search = _search(root, imported.module, candidate)
            is_module = search.find is Find.FOUND and holds(candidate, search.at + ".py")
            if is_module and root in _roots(other):
                return True
    return False


def find_gone_python(
    path: str, text: str, target: str, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    """Yield the imports of a removed top-level module (`target` is its path without ending) that nothing replaces."""
    tree = parsed_python(text)
    if tree is None or _PATHS.search(text) is not None:
        return
    for imported in imports(tree):
        top = imported.module.split(".")[0]
        roots = _folders(path, imported)
        if imported.guarded or imported.level or target not in {join(root, top) for root in roots}:
            continue
        is_there = any(_forms(candidate.names(root), top) for root in roots)
        if is_there or top in sys.stdlib_module_names:
            continue
        if not is_required(path, top, candidate, loosely=True):
            message = f"there is no {target}.py"
            yield UnresolvedImport(imported.line, str(imported), message, target)


def _sees(path: str, root: str, candidate: FilesAfter) -> bool:
    """Return True if no separate project lies between the file and the folder `root` above it."""
    for folder in above(path):
        if folder == root or root.startswith(folder + "/") or not folder:
            return True
        if any(map(_PROJECT.fullmatch, candidate.names(folder))):
            return False
    return True


def _no_module(
    path: str, imported: Imported, search: Search, candidate: FilesAfter
) -> UnresolvedImport | None:
    target = join(search.at, search.part)
    if _is_filled(search.at, candidate) or may_be_made(target, candidate):
        return None
    if find_kind(candidate, search.at) is not EntryKind.FOLDER:
        message = f"{search.at}.py is a module, which holds no module {search.part}"
        return UnresolvedImport(imported.line, str(imported), message, target)
    message = f"there is no {target}.py"
    near = _elsewhere(path, imported, candidate) or _near_module(imported, search, candidate)
    return UnresolvedImport(imported.line, str(imported), message + _asked(near), target)


def _no_name(
    path: str, imported: Imported, search: Search, candidate: FilesAfter
) -> UnresolvedImport | None:
    name = imported.name or ""
    names = set(bound_names(_text_of(search.at, candidate) or "") or ())
    where = search.at + ".py"
    if find_kind(candidate, search.at) is EntryKind.FOLDER:
        if _is_filled(search.at, candidate) or may_be_made(join(search.at, name), candidate):
            return None
        names |= _modules(candidate.names(search.at))
        where = search.at or "the root"
    near = "" if imported.module else _elsewhere(path, imported, candidate)
    message = f"{where} has no {name}" + _asked(near or did_you_mean(name, names))
    return UnresolvedImport(imported.line, str(imported), message, search.at, name)


def _is_filled(folder: str, candidate: FilesAfter) -> bool:
    """Return True if a module of the package may add names to it that its text does not show."""
    sources = (join(folder, name) for name in candidate.names(folder) if name.endswith(".py"))
    return any(MODULE_TRICKS.search(candidate.read(source) or "") for source in sources)


def _near_module(imported: Imported, search: Search, candidate: FilesAfter) -> str:
    near = did_you_mean(search.part, _modules(candidate.names(search.at)))
    if not near:
        return ""
    parts = imported.module.split(".")
    at = len(search.at[len(search.root) :].strip("/").split("/")) if search.at != search.root else 0
    parts[at] = near
    return "." * imported.level + ".".join(parts)


def _elsewhere(path: str, imported: Imported, candidate: FilesAfter) -> str:
    """Return the same relative import with another number of dots if that resolves, or an empty string."""
    if not imported.level:
        return ""
    module = imported.module or imported.name or ""
    for level, folder in enumerate(above(path), 1):
        if level == imported.level or not folder:
            continue
        if _search(folder, module, candidate).find is Find.FOUND:
            dots = "." * level
            return dots + module if imported.module else f"from {dots} import {module}"
    return ""


def _modules(names: Mapping[str, EntryKind]) -> set[str]:
    files = {name.removesuffix(".py") for name in names if name.endswith(".py")}
    folders = {
        name for name, kind in names.items() if kind is EntryKind.FOLDER and name.isidentifier()
    }
    return files - {"__init__", "__main__"} | folders


def _asked(near: str) -> str:
    return f'; did you mean "{near}"?' if near else ""
