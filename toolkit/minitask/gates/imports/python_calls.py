"""Calls of the repository's own Python functions with arguments that these do not take.

Only functions without decorators count, whose name nothing else in a file binds, and calls without `*` and `**`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.python_imports import module_files
from minitask.gates.result import FilesAfter, LintError, printable
from minitask.gates.source.python_source import Function, parsed_python

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
    bound = _bindings(tree)
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
    bound = _bindings(tree)
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


def _bindings(tree: ast.Module) -> Counter[str]:
    """Return how often a file binds each name, in whatever scope."""
    names: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            names[node.name] += 1
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names[node.id] += 1
        elif isinstance(node, ast.arg):
            names[node.arg] += 1
        elif isinstance(node, ast.alias):
            names[(node.asname or node.name).partition(".")[0]] += 1
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names[node.name] += 1
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
    return names
