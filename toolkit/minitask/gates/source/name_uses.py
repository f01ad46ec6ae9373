"""Tell where a name is bound and where it is used: in Python by its parser, in other languages by their grammars."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING

from minitask.gates.source.python_source import Function, names_of
from minitask.spec.bash import node_text
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

IDENTIFIERS = word_set("""
identifier type_identifier package_identifier shorthand_property_identifier
""")
PATTERNS = IDENTIFIERS | {"shorthand_property_identifier_pattern"}
_BINDING = ("parameter", "pattern", "declarator", "import", "use_", "catch", "_spec")
"""Parts of the types of nodes in which an identifier may be a new name."""
_FIELDS = frozenset({"left", "name", "pattern", "parameter", "parameters", "alias", "label"})
_VALUES = word_set("""
value body right arguments function condition type return_type trait type_arguments
""")
_OWNERS = frozenset({"path", "scope", "object", "module", "package", "operand"})
_QUALIFIED = (
    *("scoped_", "qualified_", "nested_", "member_"),
    *("selector_", "jsx_", "field_", "macro_", "generic_"),
)


def bound_among(root: Node, names: set[str]) -> set[str]:
    """Return those of the names that may be bound somewhere in the file, in any scope but that of an inner module."""
    bound: set[str] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in PATTERNS and node_text(node) in names and _may_bind(node):
            bound.add(node_text(node))
        waiting += [] if node.type == "mod_item" else node.children
    return bound


def _may_bind(node: Node) -> bool:
    """Return True if a name may be declared where it stands; what is part of a type only names a type."""
    is_type = node.type == "type_identifier"
    child, parent = node, node.parent
    if parent is not None and _is_method(parent):
        return False
    for _ in range(3 if is_type else 6):
        if parent is None or parent.type.endswith(("block", "body", "program", "source_file")):
            return False
        field = _field(parent, child)
        is_owner = field in _OWNERS and parent.type.startswith(_QUALIFIED)
        if field in _VALUES or is_owner or parent.type == "use_wildcard":
            return False
        if is_type and parent.type in {"type_parameter", "type_parameters"}:
            return True
        if not is_type and any(part in parent.type for part in _BINDING):
            return True
        if field in _FIELDS and not parent.type.startswith(_QUALIFIED):
            return not is_type or child == node
        child, parent = parent, parent.parent
    return False


def _is_method(node: Node) -> bool:
    """Return True for a function of a Rust type, whose name alone calls nothing."""
    owner = node.parent.type if node.parent is not None else ""
    return owner == "declaration_list" and node.type.startswith("function_")


def _field(parent: Node, child: Node) -> str:
    index = next(at for at, node in enumerate(parent.children) if node == child)
    return parent.field_name_for_child(index) or ""


def uses_of(root: Node, names: set[str]) -> dict[str, int]:
    """Return the first line that uses each of the names by itself, outside imports and macros."""
    lines: dict[str, int] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if "import" in node.type or node.type in _NO_USE:
            continue
        if node.type in IDENTIFIERS and node_text(node) in names and _is_use(node):
            line = node.start_point.row + 1
            lines[node_text(node)] = min(line, lines.get(node_text(node), line))
        waiting += node.children
    return lines


_NO_USE = word_set("use_declaration mod_item token_tree attribute_item inner_attribute_item")


def _is_use(node: Node) -> bool:
    """Return True if a name stands by itself: no member, key, label or tag of markup, no operand of `typeof`."""
    parent = node.parent
    if parent is None or parent.type in _NO_USERS:
        return False
    field = _field(parent, node)
    if field == "name" and _is_method(parent):
        return False
    if parent.type in {"method_invocation", "field_access"}:
        return field == "object"
    if parent.type.startswith(("scoped_", "qualified_", "nested_")):
        return field in {"path", "scope", "package", "module"}
    if parent.type.startswith("jsx_"):
        return node_text(node)[:1].isupper()
    return not (parent.type == "unary_expression" and parent.children[0].type == "typeof")


_NO_USERS = word_set("""
keyed_element literal_element export_specifier macro_invocation package_clause
""")


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
