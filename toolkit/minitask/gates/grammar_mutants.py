"""Faults for new lines of JavaScript, TypeScript, Go, Java and Rust, by their grammars.

In compiled languages only faults that keep the types are planted: what does not compile would always be noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from minitask.gates.grammars import GRAMMARS, parsed
from minitask.gates.splices import Splice, what

if TYPE_CHECKING:
    from tree_sitter import Node

_SCRIPTS = frozenset({".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})
_OPERATORS = {
    "===": "!==",
    "!==": "===",
    "==": "!=",
    "!=": "==",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "%": "*",
    "&&": "||",
    "||": "&&",
}
_UNREAD = ("import", "package", "type_annotation", "comment", "attribute", "use_declaration")
_NUMBERS = frozenset(
    {"number", "int_literal", "integer_literal", "decimal_integer_literal", "float_literal"}
)
_FUNCTIONS = ("function", "method_definition", "arrow_function")


def find_grammar_splices(text: str, lines: frozenset[int], suffix: str) -> Iterator[Splice]:
    """Return the faults for the given lines; none where the text cannot be read."""
    root = parsed(text, GRAMMARS[suffix])
    if root is None or root.has_error:
        return
    is_script = suffix in _SCRIPTS
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type.startswith(_UNREAD):
            continue
        pending.extend(reversed(node.children))
        if node.start_point.row + 1 in lines:
            yield from _of_any(node)
            yield from _of_script(node) if is_script else ()


def parses(text: str, suffix: str) -> bool:
    """Return True where the grammar takes all of a text."""
    root = parsed(text, GRAMMARS[suffix])
    return root is not None and not root.has_error


def _of_any(node: Node) -> Iterator[Splice]:
    """Faults that keep the types."""
    operator = node.child_by_field_name("operator")
    if node.type == "binary_expression" and operator is not None:
        new = _OPERATORS.get(_text(operator))
        if new and not _joins_text(node, operator):
            fault = what("operator changed", _text(node))
            yield Splice(operator.start_byte, operator.end_byte, new, _line(node), fault)
    condition = node.child_by_field_name("condition")
    if condition is not None and node.type.startswith(("if_", "while_", "for_")):
        if "let" not in condition.type:
            text = _text(condition)
            bare = condition.type in {"parenthesized_expression", "condition"}
            new = f"(!{text})" if bare else f"!({text})"
            fault = what("condition negated", text)
            yield Splice(condition.start_byte, condition.end_byte, new, _line(node), fault)
    elif node.type in {"true", "false", "boolean_literal"} and _text(node) in {"true", "false"}:
        yield _replaced(node, "false" if _text(node) == "true" else "true", "constant changed")
    elif node.type in _NUMBERS and _text(node).isdecimal():
        yield _replaced(node, str(int(_text(node)) + 1), "constant changed")
    elif node.type in {"string_fragment", "interpreted_string_literal_content", "string_content"}:
        yield _replaced(node, f"{_text(node)}_", "constant changed")


def _of_script(node: Node) -> Iterator[Splice]:
    """Faults that only a language without a compiler takes."""
    if node.type == "return_statement" and node.named_child_count:
        yield _replaced(node, "return;", "returns nothing")
    elif node.type == "expression_statement" and not _text(node).startswith(("'", '"')):
        yield _replaced(node, ";", "statement dropped")
    elif node.type.startswith(_FUNCTIONS):
        body = node.child_by_field_name("body")
        if body is not None and body.type == "statement_block" and body.named_child_count:
            name = _text(node.child_by_field_name("name")) or "a function"
            fault = f"body emptied: {name}"
            yield Splice(body.start_byte, body.end_byte, "{}", _line(node), fault)


def _replaced(node: Node, new: str, kind: str) -> Splice:
    return Splice(node.start_byte, node.end_byte, new, _line(node), what(kind, _text(node)))


def _joins_text(node: Node, operator: Node) -> bool:
    """Return True where `+` joins strings: no other operator would compile."""
    return _text(operator) == "+" and any("string" in child.type for child in node.named_children)


def _line(node: Node) -> int:
    return node.start_point.row + 1


def _text(node: Node | None) -> str:
    return "" if node is None else (node.text or b"").decode("utf-8", "replace")
