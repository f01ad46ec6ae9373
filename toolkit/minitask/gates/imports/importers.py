"""Find imports anywhere in the repository that a change breaks by removing a module or a name of it.

A validation that does not run the importing file still passes. An import counts only if it resolved before, as far as
can be determined, and certainly fails now. Files that a spec of the project names are exempt: another task may fix
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename, dirname, normpath, splitext

from msgspec import Struct

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.exports import exported_names, named_imports
from minitask.gates.imports.imports import (
    find_missing_javascript,
    is_excused_line,
    is_in_spec,
    without_script_ending,
)
from minitask.gates.imports.python_imports import find_gone_python, find_missing_python
from minitask.gates.imports.unresolved import UnresolvedImport, is_sample
from minitask.gates.result import FilesAfter, LintError, holds, join, printable
from minitask.gates.source.grammars import GRAMMARS, SCRIPTS
from minitask.gates.source.python_source import bound_names
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec


class LostNames(Struct, frozen=True):
    """The names that a change removes from a module; `names` is None if the whole module is removed.

    `target` is the module's path without its ending; for `__init__.py` or `index.js`, its folder.
    """

    path: str
    target: str
    names: frozenset[str] | None

    def has(self, name: str) -> bool:
        """Return True if `name` is removed from the module."""
        return self.names is None or name in self.names


_INDEX = lazy_pattern(r"(?:^|/)(?:__init__|index)$")


def find_broken_imports(
    changes: Sequence[Change], *, read: Reader, spec: Spec, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield the imports, in any file of the candidate, of names or modules that the change removes."""
    for loss in filter(None, (_loss(change, read) for change in changes)):
        is_python = loss.path.endswith(".py")
        endings = (".py",) if is_python else tuple(sorted(SCRIPTS))
        for path in candidate.holding(basename(loss.target), endings):
            if path == loss.path or is_sample(path):
                continue
            text = candidate.read(path) or ""
            find = _of_python if is_python else _of_javascript
            broken = [
                missing
                for missing in find(path, text, loss, candidate)
                if not is_excused_line(text, missing.line) and not is_in_spec(missing, spec)
            ]
            if broken and not _is_named(path, spec, candidate):  # searches all specs
                yield from (_fault(path, missing, loss) for missing in broken)


def _loss(change: Change, read: Reader) -> LostNames | None:
    """Return what a change certainly removes from a module, or None."""
    base = read(change.path)
    target, ending = splitext(change.path)
    if base is None or is_sample(change.path) or not (ending == ".py" or ending in SCRIPTS):
        return None
    target = dirname(target) if _INDEX.search(target) else target
    if not target or basename(target).startswith("__"):
        return None
    if change.content is None:
        return LostNames(change.path, target, None)
    names_of = bound_names if ending == ".py" else lambda text: exported_names(change.path, text)
    before, after = names_of(base), names_of(change.content)
    lost = before - after if before is not None and after is not None else frozenset()
    return LostNames(change.path, target, lost) if lost else None


def _is_named(path: str, spec: Spec, candidate: FilesAfter) -> bool:
    """Return True if a spec of the project names the file and this spec does not change it."""
    if any(ref.path == path for ref in spec.writes()):
        return False
    return dirname(spec.path) in map(dirname, candidate.holding(path, (".md",)))


def _of_python(
    path: str, text: str, loss: LostNames, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    if loss.names is not None and not any(name in text for name in loss.names):
        return
    for missing in find_missing_python(path, text, candidate):
        is_of_module = missing.target == loss.target and loss.has(missing.name)
        is_module = loss.names is None and join(missing.target, missing.name) == loss.target
        if is_of_module or is_module:
            yield missing
    if loss.names is None:
        yield from find_gone_python(path, text, loss.target, candidate)


def _of_javascript(
    path: str, text: str, loss: LostNames, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    if loss.names is None:
        for missing in find_missing_javascript(path, text, candidate):
            if missing.target == loss.target:
                yield missing
        return
    if not _is_alone(loss, candidate):
        return
    for imported in named_imports(path, text):
        at = without_script_ending(normpath(join(dirname(path), imported.source)))
        if at in {loss.target, splitext(loss.path)[0]} and loss.has(imported.name):
            written = f"from {imported.source} import {imported.name}"
            message = f"{loss.path} has no {imported.name}"
            yield UnresolvedImport(imported.line, written, message, loss.target, imported.name)


def _is_alone(loss: LostNames, candidate: FilesAfter) -> bool:
    """Return True if the module's path can mean no other file."""
    stem = basename(splitext(loss.path)[0])
    files = [name for name in candidate.names(dirname(loss.path)) if splitext(name)[0] == stem]
    beside = [loss.target + ending for ending in GRAMMARS if loss.target + ending != loss.path]
    return files == [basename(loss.path)] and not any(holds(candidate, path) for path in beside)


def _fault(path: str, missing: UnresolvedImport, loss: LostNames) -> LintError:
    message = printable(f'"{missing.written}" finds nothing any more: {missing.message}')
    lost_part = "the file" if loss.names is None else missing.name
    remedy = f"keep {lost_part} importable from {printable(loss.path)}, or have the task change {printable(path)}, too"
    return LintError(path, missing.line, message, remedy)
