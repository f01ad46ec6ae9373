"""The change of a text by one fault, and the faults for new lines of Python, found with its own parser."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import accumulate

from msgspec import Struct

from minitask.gates.source.python_source import Function, python_tree


class Splice(Struct, frozen=True, order=True):
    """A replacement in a text, from `start` to `end` in bytes, with its line and description."""

    start: int
    end: int
    new: str
    line: int
    fault: str


def what(kind: str, text: str) -> str:
    """Return the description of a fault: its kind and the affected code."""
    piece = " ".join(text.split())
    return f"{kind}: {piece[:60]}{'…' if piece[60:] else ''}"


_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_COMPUTED: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
}


class _Source:
    """A text with the byte offsets of its nodes."""

    def __init__(self, text: str) -> None:
        self.bytes = text.encode("utf-8", "surrogateescape")
        lines = self.bytes.splitlines(keepends=True)
        self._starts = list(accumulate(map(len, lines), initial=0))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return a node's start and end in bytes."""
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        start = self._starts[node.lineno - 1] + node.col_offset
        return start, self._starts[end_line - 1] + end

    def text(self, node: ast.expr | ast.stmt) -> str:
        """Return a node's code."""
        start, end = self.span(node)
        return self.bytes[start:end].decode("utf-8", "replace")

    def splice(self, node: ast.expr | ast.stmt, new: str, kind: str) -> Splice:
        """Return the splice that replaces a node by `new`."""
        return Splice(*self.span(node), new, node.lineno, what(kind, self.text(node)))


def find_python_splices(text: str, lines: frozenset[int]) -> Iterator[Splice]:
    """Yield the faults for the given lines; none if the text does not parse."""
    root = python_tree(text)
    if root is None:
        return
    source = _Source(text)
    unread = {id(docstring) for docstring in _unread(root)}
    for node in ast.walk(root):
        if id(node) in unread or getattr(node, "lineno", 0) not in lines:
            continue
        if isinstance(node, ast.stmt):
            yield from _of_statement(node, source)
        elif isinstance(node, ast.expr):
            yield from _of_expression(node, source)


def _unread(root: ast.Module) -> Iterator[ast.AST]:
    """Yield docstrings and annotations, which do not affect the running program."""
    for node in ast.walk(root):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and ast.get_docstring(node):
            yield node.body[0]
            yield from ast.walk(node.body[0])
        annotations = (getattr(node, name, None) for name in ("annotation", "returns"))
        for annotation in annotations:
            yield from ast.walk(annotation) if isinstance(annotation, ast.AST) else ()


def _of_statement(node: ast.stmt, source: _Source) -> Iterator[Splice]:
    if isinstance(node, Function):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        if body and not all(isinstance(part, ast.Pass) for part in body):
            start, end = source.span(body[0])[0], source.span(body[-1])[1]
            yield Splice(start, end, "pass", node.lineno, f"body emptied: {node.name}")
    elif isinstance(node, ast.If | ast.While):
        yield _negated(node.test, source)
    elif isinstance(node, ast.Return) and node.value is not None:
        is_none = isinstance(node.value, ast.Constant) and node.value.value is None
        if not is_none:
            yield source.splice(node, "return None", "returns nothing")
    elif isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.Raise | ast.Delete):
        yield source.splice(node, "pass", "statement dropped")


def _negated(test: ast.expr, source: _Source) -> Splice:
    return source.splice(test, f"not ({source.text(test)})", "condition negated")


def _of_expression(node: ast.expr, source: _Source) -> Iterator[Splice]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        new = _COMPARED[type(node.ops[0])]
        yield _between(node, node.left, node.comparators[0], new, source=source)
    elif isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
        yield _between(node, node.left, node.right, _COMPUTED[type(node.op)], source=source)
    elif isinstance(node, ast.IfExp):
        yield _negated(node.test, source)
    elif isinstance(node, ast.BoolOp):
        new = " or " if isinstance(node.op, ast.And) else " and "
        parts = (f"({source.text(value)})" for value in node.values)
        yield source.splice(node, f"({new.join(parts)})", "and/or swapped")
    elif isinstance(node, ast.Constant):
        new = _other(node.value)
        if new and source.text(node)[:1] not in {"f", "F"}:
            yield source.splice(node, new, "constant changed")


def _between(
    node: ast.expr, left: ast.expr, right: ast.expr, new: str, *, source: _Source
) -> Splice:
    """Return a splice with another operator, its operands in brackets."""
    start, end = source.span(node)
    first, second = source.text(left), source.text(right)
    text = f"(({first}) {new} ({second}))"
    return Splice(start, end, text, node.lineno, what("operator changed", source.text(node)))


def _other(value: object) -> str:
    """Return another constant of the same type as Python code, or an empty string."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int | float):
        return repr(value + 1) if abs(value) < 1e15 else ""
    return repr(f"{value}_") if isinstance(value, str) and len(value) < 200 else ""
