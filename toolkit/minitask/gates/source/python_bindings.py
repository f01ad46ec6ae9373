"""Count how often a Python file binds each name, to know whether a name can mean one thing only."""

from __future__ import annotations

import ast
from collections import Counter

from minitask.gates.source.python_source import Function, names_of


def binding_counts(tree: ast.Module) -> Counter[str]:
    """Return how often a file binds each name, in whatever scope."""
    names: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            names[node.name] += 1
        elif isinstance(node, ast.arg):
            names[node.arg] += 1
        elif type(node).__name__ in _TYPE_PARAMETERS:  # since Python 3.12
            names[getattr(node, "name", "")] += 1
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names.update(node.names)
        else:
            names.update(names_of(node))
    return names


_TYPE_PARAMETERS = frozenset({"TypeVar", "ParamSpec", "TypeVarTuple"})
