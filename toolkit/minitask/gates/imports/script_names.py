"""Find names that a JavaScript or TypeScript file takes from a module of the repository that certainly lacks them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, normpath, splitext

from minitask.gates.imports.exports import exported_names, used_names
from minitask.gates.imports.unresolved import UnresolvedImport, did_you_mean
from minitask.gates.result import EntryKind, FilesAfter, find_kind, join
from minitask.gates.source.grammars import SCRIPTS


def find_missing_names(path: str, text: str, candidate: FilesAfter) -> Iterator[UnresolvedImport]:
    """Yield the names that a file imports by relative path, and that the one file it can mean does not export."""
    modules: dict[str, tuple[str, frozenset[str]] | None] = {}
    for used in used_names(path, text):
        if used.source not in modules:
            modules[used.source] = _exports(path, text, used.source, candidate)
        module = modules[used.source]
        if module is None or used.name in module[1] or not used.name:
            continue
        file, names = module
        near = did_you_mean(used.name, names)
        message = f"{file} has no {used.name}" + (f'; did you mean "{near}"?' if near else "")
        written = f"from {used.source} import {used.name}"
        target = without_script_ending(normpath(join(dirname(path), used.source)))
        yield UnresolvedImport(used.line, written, message, target, used.name)


def _exports(
    path: str, text: str, source: str, candidate: FilesAfter
) -> tuple[str, frozenset[str]] | None:
    """Return the file that a path means and its exports, or None if either is uncertain."""
    if re.search(rf"mock\w*\(\s*[\"'`]{re.escape(source)}[\"'`]", text, re.IGNORECASE):
        return None
    target = normpath(join(dirname(path), source))
    file = None if target.startswith("..") else _only_file(target, candidate)
    names = exported_names(file, candidate.read(file) or "") if file else None
    return (file, names) if file and names is not None else None


def _only_file(target: str, candidate: FilesAfter) -> str | None:
    """Return the one file that an import can mean, or None."""
    stem = without_script_ending(target)
    beside = candidate.names(dirname(stem))
    name = stem.rpartition("/")[2]
    files = [join(dirname(stem), entry) for entry in beside if entry.startswith(f"{name}.")]
    if find_kind(candidate, stem) is EntryKind.FOLDER:
        inside = candidate.names(stem)
        if "package.json" in inside:
            return None
        files += [join(stem, entry) for entry in inside if entry.startswith("index.")]
    sources = [file for file in files if not _is_beside(file)]
    is_script = len(sources) == 1 and splitext(sources[0])[1] in SCRIPTS
    return sources[0] if is_script and find_kind(candidate, sources[0]) is EntryKind.FILE else None


def _is_beside(path: str) -> bool:
    """Return True for a file that accompanies a module: its tests, stories, styles or map."""
    return BESIDE.match(path.rpartition("/")[2].partition(".")[2]) is not None


BESIDE = re.compile(r"(?:bench|cy|e2e|map|md|mdx|snap|spec|stories|story|test|tests|module\.css)\b")


def without_script_ending(target: str) -> str:
    """Return the path; without its ending if that is a script's."""
    stem, ending = splitext(target)
    return stem if ending in SCRIPTS else target
