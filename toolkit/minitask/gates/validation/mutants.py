"""Plant faults in the lines that a change added, to test whether its validation notices them.

A line that occurs anywhere in the base's files, at any indentation, was moved or copied and is not new. Documents and
tests get no faults. Every mutant is still syntactically valid, as far as the parsers here can tell.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.gates.result import FileChange
from minitask.gates.source.grammars import GRAMMARS, SCRIPTS, sound_tree
from minitask.gates.source.python_source import Function, python_tree
from minitask.gates.source.syntax import find_syntax_fault
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node


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
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.LtE: ">", ast.Gt: "<=", ast.GtE: "<",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "*"
}  # fmt: skip


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
        if not (isinstance(node.value, ast.Constant) and node.value.value is None):
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


MOST = 12
LARGEST = 400_000
"""Characters above which a file gets no mutants."""
_DOCUMENTS = frozenset(
    {".adoc", ".asciidoc", ".csv", ".log", ".markdown", ".md", ".mdx", ".org", ".rst", ".tex"}
    | {".tsv", ".txt", ".svg", ".lock", ".snap", ""}
)
_DATA = frozenset({".cfg", ".conf", ".env", ".ini", ".json", ".toml", ".yaml", ".yml"})
_COMMENT = lazy_pattern(r"^\s*(?:#(?!\w)|//|--\s|/?\*|<!--|;|%|\"\"\"|''')")
_WORD = lazy_pattern(r"\w")
_PROLOGUE = lazy_pattern(
    r"^\s*(?:import\b|from\b.*\bimport\b|use\b|package\b|#include|#!|export\s+\*|require\b|@import|@charset|<!)"
)
"""Lines that run no code themselves, or without which nothing would run."""


class Mutant(Struct, frozen=True):
    """A file with one planted fault: path, line, description, and the file's whole text."""

    path: str
    line: int
    fault: str
    text: str


def find_mutants(
    files: Mapping[str, str], base_lines: Collection[str], *, most: int = MOST
) -> tuple[Mutant, ...]:
    """Return up to `most` mutants of the files' new lines, spread over all of them.

    `base_lines` are the stripped lines of the base.
    """
    splices = [
        (path, splice)
        for path, text in sorted(files.items())
        for splice in _splices(path, text, new_lines(text, base_lines))
    ]
    mutants: list[Mutant] = []
    for path, splice in _spread(splices):
        if len(mutants) == most:
            break
        mutant = _mutant(path, files[path], splice)
        if mutant is not None:
            mutants.append(mutant)
    return tuple(sorted(mutants, key=lambda mutant: (mutant.path, mutant.line)))


def is_graded(path: str) -> bool:
    """Return True if the file's new lines get faults."""
    return PurePosixPath(path).suffix.lower() not in _DOCUMENTS and not is_test_path(path)


def is_code(path: str) -> bool:
    """Return True if the file gets faults and is neither data nor settings."""
    return is_graded(path) and PurePosixPath(path).suffix.lower() not in _DATA


def new_lines(text: str, base_lines: Collection[str]) -> frozenset[int]:
    """Return the numbers of the code lines that no file of the base has."""
    return frozenset(
        number
        for number, line in enumerate(text.split("\n"), 1)
        if _WORD.search(line) and line.strip() not in base_lines and not _COMMENT.match(line)
    )


def _splices(path: str, text: str, lines: frozenset[int]) -> Iterable[Splice]:
    if not is_graded(path) or not lines or len(text) > LARGEST:
        return ()
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in {".py", ".pyi"}:
        return find_python_splices(text, lines)
    if suffix in GRAMMARS:
        return find_grammar_splices(text, lines, suffix)
    return _dropped_lines(text, lines)


def _dropped_lines(text: str, lines: frozenset[int]) -> Iterator[Splice]:
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        end = start + len(line.encode("utf-8", "surrogateescape"))
        if number in lines and not _PROLOGUE.match(line):
            yield Splice(start, end, "", number, "line dropped")
        start = end + 1


def _spread(splices: list[tuple[str, Splice]]) -> Iterator[tuple[str, Splice]]:
    """Yield the faults, the first of every line before the second of any, each round evenly spread."""
    by_line: dict[tuple[str, int], list[tuple[str, Splice]]] = {}
    for pair in splices:
        by_line.setdefault((pair[0], pair[1].line), []).append(pair)
    lines = [by_line[key] for key in sorted(by_line)]
    for rank in range(max(map(len, lines), default=0)):
        faults = [line_faults[rank] for line_faults in lines if len(line_faults) > rank]
        step = max(1, -(-len(faults) // MOST))
        for offset in range(step):  # in strides, so that the first ones are far apart
            yield from faults[offset::step]


def _mutant(path: str, text: str, splice: Splice) -> Mutant | None:
    source = text.encode("utf-8", "surrogateescape")
    mutated = source[: splice.start] + splice.new.encode() + source[splice.end :]
    changed = mutated.decode("utf-8", "surrogateescape")
    if changed == text or not _still_parses(path, changed, text):
        return None
    return Mutant(path, splice.line, splice.fault, changed)


def _still_parses(path: str, text: str, before: str) -> bool:
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in GRAMMARS:
        return sound_tree(text, suffix) is not None or sound_tree(before, suffix) is None
    return find_syntax_fault(FileChange(path, text, None)) is None


_OPERATOR_PAIRS = (
    *("=== !==", "!== ===", "== !=", "!= ==", "< >=", "<= >", "> <=", ">= <"),
    *("+ -", "- +", "* +", "/ *", "% *", "&& ||", "|| &&"),
)
_OPERATORS = dict(pair.split() for pair in _OPERATOR_PAIRS)
_UNREAD = ("import", "package", "type_annotation", "comment", "attribute", "use_declaration")
_NUMBERS = word_set("number int_literal integer_literal decimal_integer_literal float_literal")
_FUNCTIONS = ("function", "method_definition", "arrow_function")


def find_grammar_splices(text: str, lines: frozenset[int], suffix: str) -> Iterator[Splice]:
    """Yield the faults for the given lines; none if the text does not parse."""
    root = sound_tree(text, suffix)
    is_script = suffix in SCRIPTS
    pending = [root] if root is not None else []
    while pending:
        node = pending.pop()
        if node.type.startswith(_UNREAD):
            continue
        pending.extend(reversed(node.children))
        if node.start_point.row + 1 in lines:
            yield from _of_any(node)
            yield from _of_script(node) if is_script else ()


def _of_any(node: Node) -> Iterator[Splice]:
    """Yield faults that keep the types."""
    operator = node.child_by_field_name("operator")
    if node.type == "binary_expression" and operator is not None:
        new = _OPERATORS.get(node_text(operator))
        joins = any("string" in child.type for child in node.named_children)
        if new and not (joins and node_text(operator) == "+"):  # no other operator joins strings
            fault = what("operator changed", node_text(node))
            yield Splice(operator.start_byte, operator.end_byte, new, _line(node), fault)
    condition = node.child_by_field_name("condition")
    if condition is not None and node.type.startswith(("if_", "while_", "for_")):
        if "let" not in condition.type:
            text = node_text(condition)
            bare = condition.type in {"parenthesized_expression", "condition"}
            new = f"(!{text})" if bare else f"!({text})"
            fault = what("condition negated", text)
            yield Splice(condition.start_byte, condition.end_byte, new, _line(node), fault)
    elif node.type in {"true", "false", "boolean_literal"} and node_text(node) in {"true", "false"}:
        yield _replaced(node, "false" if node_text(node) == "true" else "true", "constant changed")
    elif node.type in _NUMBERS and node_text(node).isdecimal():
        yield _replaced(node, str(int(node_text(node)) + 1), "constant changed")
    elif node.type in {"string_fragment", "interpreted_string_literal_content", "string_content"}:
        yield _replaced(node, f"{node_text(node)}_", "constant changed")


def _of_script(node: Node) -> Iterator[Splice]:
    """Yield faults that only a language without a compiler accepts."""
    if node.type == "return_statement" and node.named_child_count:
        yield _replaced(node, "return;", "returns nothing")
    elif node.type == "expression_statement" and not node_text(node).startswith(("'", '"')):
        yield _replaced(node, ";", "statement dropped")
    elif node.type.startswith(_FUNCTIONS):
        body = node.child_by_field_name("body")
        if body is not None and body.type == "statement_block" and body.named_child_count:
            name = node_text(node.child_by_field_name("name")) or "a function"
            fault = f"body emptied: {name}"
            yield Splice(body.start_byte, body.end_byte, "{}", _line(node), fault)


def _replaced(node: Node, new: str, kind: str) -> Splice:
    return Splice(node.start_byte, node.end_byte, new, _line(node), what(kind, node_text(node)))


def _line(node: Node) -> int:
    return node.start_point.row + 1
