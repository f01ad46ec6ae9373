"""Find what a change breaks in the files that import from it: imports of what it removes, calls that no longer fit.

A validation that does not run the importing file still passes. An import counts only if it resolved before, as far as
can be determined, and certainly fails now. Files that a spec of the project names are exempt: another task may fix
them. Of Python's functions, only those without decorators count, whose name nothing else in a file binds, and calls
without `*` and `**`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from posixpath import basename, dirname, normpath, splitext

from msgspec import Struct

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.exports import exported_names, used_names
from minitask.gates.imports.imports import (
    find_all_python,
    find_missing_javascript,
    is_excused_line,
    is_in_spec,
)
from minitask.gates.imports.python_imports import find_gone_python, module_files
from minitask.gates.imports.script_names import without_script_ending
from minitask.gates.imports.unresolved import UnresolvedImport, is_sample
from minitask.gates.result import FilesAfter, LintError, holds, join, printable
from minitask.gates.source.grammars import GRAMMARS, SCRIPTS
from minitask.gates.source.name_uses import binding_counts
from minitask.gates.source.python_source import Function, bound_names, parsed_python
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
    for missing in find_all_python(path, text, candidate):
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
    for imported in used_names(path, text):
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


_REMEDY = "call it with what it takes, or leave its parameters as they are"


class Parameters(Struct, frozen=True):
    """The parameters of a function: those by position, the keywords among them (None: any), and what must be given."""

    shown: str
    positions: tuple[str, ...]
    is_open: bool
    keywords: frozenset[str] | None
    needed: frozenset[str]

    def takes(self, call: ast.Call) -> bool:
        """Return True if a call without stars fits."""
        given = {keyword.arg or "" for keyword in call.keywords}
        by_position = frozenset(self.positions[: len(call.args)])
        too_many = len(call.args) > len(self.positions) and not self.is_open
        uncallable_as = self.keywords is not None and bool(given - self.keywords)
        twice = bool(given & by_position) and self.keywords is not None
        return not (too_many or uncallable_as or twice or self.needed - by_position - given)


Misfit = tuple[int, str, str]
"""The line of a call, the call, and the definition that it does not fit."""


def find_misfit_calls(
    changes: Sequence[Change], *, read: Reader, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield the calls that a change adds, or that it leaves in other files, and that raise a `TypeError`."""
    texts = {c.path: c.content for c in changes if c.path.endswith(".py") and c.content}

    def now(path: str) -> str | None:
        return texts[path] if path in texts else candidate.read(path)

    touched = set(texts)
    for path in texts:
        touched.update(_callers(path, read(path), now, candidate))
    for path in sorted(touched):
        misfits = list(_misfits(path, now(path) or "", candidate, now))
        old = _misfits(path, read(path) or "", candidate, read) if misfits else ()
        had = {call for _, call, _ in old}
        for line, call, definition in misfits:
            if call not in had:
                message = f"`{printable(call)[:60]}` does not fit `{printable(definition)[:80]}`"
                yield LintError(path, line, message, _REMEDY)


def _callers(path: str, base: str | None, now: Reader, candidate: FilesAfter) -> Iterator[str]:
    """Yield the files that may call a function of a module whose parameters the change makes others."""
    before, after = signatures(base or ""), signatures(now(path) or "") if base else {}
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            yield from candidate.holding(name, (".py",))


def _misfits(path: str, text: str, candidate: FilesAfter, read: Reader) -> Iterator[Misfit]:
    tree = parsed_python(text)
    if tree is None or "TypeError" in text:
        return
    callable_as = dict(signatures(text))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            callable_as |= _imported(path, statement, candidate, read)
    bound = binding_counts(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        called = callable_as.get(node.func.id) if bound[node.func.id] == 1 else None
        has_stars = any(isinstance(argument, ast.Starred) for argument in node.args)
        is_plain = not has_stars and all(keyword.arg for keyword in node.keywords)
        if called is not None and is_plain and not called.takes(node):
            yield node.lineno, ast.unparse(node), called.shown


def _imported(
    path: str, node: ast.ImportFrom, candidate: FilesAfter, read: Reader
) -> Iterator[tuple[str, Parameters]]:
    files = list(module_files(path, node.module or "", node.level, candidate))
    functions = signatures(read(files[0]) or "") if len(files) == 1 else {}
    for alias in node.names:
        if alias.name in functions:
            yield alias.asname or alias.name, functions[alias.name]


@lru_cache(maxsize=32)
def signatures(text: str) -> Mapping[str, Parameters]:
    """Return the plain functions of a module's top level by name."""
    tree = parsed_python(text)
    if tree is None:
        return {}
    bound = binding_counts(tree)
    functions = (node for node in tree.body if isinstance(node, Function))
    plain = (node for node in functions if not node.decorator_list and bound[node.name] == 1)
    return {node.name: _signature(node) for node in plain}


def _signature(node: Function) -> Parameters:
    spec = node.args
    by_position = [*spec.posonlyargs, *spec.args]
    needed = {arg.arg for arg in by_position[: len(by_position) - len(spec.defaults)]}
    by_keyword = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    needed |= {arg.arg for arg, default in by_keyword if default is None}
    names = frozenset(arg.arg for arg in (*spec.args, *spec.kwonlyargs))
    return Parameters(
        shown=f"def {node.name}({ast.unparse(spec)})",
        positions=tuple(arg.arg for arg in by_position),
        is_open=spec.vararg is not None,
        keywords=None if spec.kwarg is not None else names,
        needed=frozenset(needed),
    )
