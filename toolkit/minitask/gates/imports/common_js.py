"""Read what a CommonJS module exports, and the names that a file takes from a module that it holds as a whole.

Only forms that say all are read: an object of plain properties, and properties of `exports` at the top level. A module
with any other use of `exports` may export anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from minitask.gates.source.grammars import leaves
from minitask.spec.bash import node_text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

Taken = tuple[int, str, str]
"""The line of a use, the path of the module, and the name that is taken from it."""
_OF_ALL = frozenset({"default", "__esModule"})
_OF_FUNCTIONS = frozenset({"apply", "bind", "call", "length", "name", "prototype"})
_OF_OBJECTS = frozenset({"hasOwnProperty", "toString", "valueOf"})
_FUNCTIONS = frozenset({"function_expression", "arrow_function", "generator_function"})


def exported_by_assignment(root: Node) -> frozenset[str] | None:
    """Return the names that a module assigns to its `exports`, or None if they cannot be determined."""
    names = set(_OF_ALL)
    count = 0
    for statement in root.children:
        value: Node | None = next(iter(statement.named_children), None)
        while value is not None and value.type == "assignment_expression":
            name = _name_of_export(value.child_by_field_name("left"))
            value = value.child_by_field_name("right")
            count += name is not None
            if name:
                names.add(name)
            elif name is not None and value is not None and value.type != "assignment_expression":
                listed = _listed(value, root)
                if listed is None:
                    return None
                names |= listed
    mentions = sum(node_text(leaf) == "exports" for leaf in leaves(root))
    return frozenset(names) if count == mentions else None


def _name_of_export(target: Node | None) -> str | None:
    """Return the name that is assigned, an empty string for the whole of `exports`, or None for anything else."""
    text = node_text(target).replace("module.exports", "exports")
    owner, _, name = text.partition(".")
    is_name = owner == "exports" and (not name or name.isidentifier())
    return name if is_name else None


def _listed(value: Node, root: Node) -> frozenset[str] | None:
    """Return the properties of what is exported as a whole, or None if they cannot be determined."""
    if value.type in _FUNCTIONS:
        return _OF_FUNCTIONS
    if value.type == "identifier":
        name = node_text(value)
        declared = (node for node in root.children if node.type == "function_declaration")
        is_function = any(node_text(n.child_by_field_name("name")) == name for n in declared)
        gets_more = re.search(
            rf"(?<![\w.]){re.escape(name)}\s*[.\[]|\(\s*{re.escape(name)}\b", node_text(root)
        )
        return _OF_FUNCTIONS if is_function and not gets_more else None
    if value.type != "object":
        return None
    names = set(_OF_OBJECTS)
    for part in value.named_children:
        key = part.child_by_field_name("key") or part.child_by_field_name("name") or part
        if part.type == "comment":
            continue
        if key.type not in {"property_identifier", "shorthand_property_identifier", "string"}:
            return None
        names.add(node_text(key).strip("'\""))
    return frozenset(names)


def taken_names(root: Node) -> Iterator[Taken]:
    """Yield the names that a file takes from the relative paths that it requires, or imports as a whole."""
    held: dict[str, str] = {}
    for statement in root.children:
        if statement.type == "import_statement":
            source = _relative(statement.child_by_field_name("source"))
            spaces = (node for node in walk(statement) if node.type == "namespace_import")
            held |= {node_text(space.named_children[-1]): source for space in spaces if source}
        for part in statement.named_children if statement.type.endswith("_declaration") else ():
            source = _required(part.child_by_field_name("value"))
            name = part.child_by_field_name("name")
            if source and name is not None and name.type == "identifier":
                held[node_text(name)] = source
            elif source and name is not None:
                yield from ((line, source, key) for line, key in _keys(name))
    yield from _called(root, held) if held else ()


def _keys(pattern: Node) -> Iterator[tuple[int, str]]:
    """Yield the lines and names that a pattern takes from an object, without those that have a default."""
    for child in pattern.named_children if pattern.type == "object_pattern" else ():
        key = child.child_by_field_name("key") or child
        if key.type in {"property_identifier", "shorthand_property_identifier_pattern"}:
            yield key.start_point.row + 1, node_text(key)


def _relative(source: Node | None) -> str:
    written = node_text(source).strip("'\"`")
    return written if written.startswith(".") else ""


def _required(value: Node | None) -> str:
    """Return the relative path of a value that is `require(…)`, or an empty string."""
    if value is None or value.type != "call_expression":
        return ""
    arguments = value.child_by_field_name("arguments")
    is_required = node_text(value.child_by_field_name("function")) == "require"
    written = arguments.named_children if arguments is not None else []
    return _relative(written[0]) if is_required and len(written) == 1 else ""


def _called(root: Node, held: Mapping[str, str]) -> Iterator[Taken]:
    """Yield the members that the file only calls, of the names that it binds once; `held` gives their modules."""
    lines: dict[tuple[str, str], int] = {}
    not_called: set[tuple[str, str]] = set()
    bound: Counter[str] = Counter()
    for node in walk(root):
        if node.type not in _NAMES or node_text(node) not in held:
            continue
        local, member = node_text(node), node.parent
        is_owner = member is not None and member.type == "member_expression"
        if member is None or not is_owner or member.child_by_field_name("object") != node:
            bound[local] += member is None or member.type not in {"arguments", "return_statement"}
            continue
        key = (local, node_text(member.child_by_field_name("property")))
        if _is_call(member):
            lines[key] = min(node.start_point.row + 1, lines.get(key, 1 << 30))
        else:
            not_called.add(key)
    for (local, name), line in lines.items():
        if bound[local] == 1 and (local, name) not in not_called:
            yield line, held[local], name


_NAMES = frozenset({"identifier", "shorthand_property_identifier_pattern"})


def _is_call(member: Node) -> bool:
    """Return True if a member is called or constructed, without `?.`."""
    above = member.parent
    if above is None or any(
        child.type == "optional_chain" for child in (*member.children, *above.children)
    ):
        return False
    field = {"call_expression": "function", "new_expression": "constructor"}.get(above.type, "")
    return bool(field) and above.child_by_field_name(field) == member
