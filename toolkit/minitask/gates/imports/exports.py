"""Read the exports of a JavaScript or TypeScript module, and the names that a file imports by relative path."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import splitext
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.gates.imports.common_js import exported_by_assignment, taken_names
from minitask.gates.source.grammars import GRAMMARS, parsed
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text

if TYPE_CHECKING:
    from tree_sitter import Node

# Exports that cannot be listed from the file's statements: `export * from`, TypeScript's `export =`.
_UNTOLD = lazy_pattern(r"\bexport\s*(?:\*\s*from|=)")
_COMMON = lazy_pattern(r"\bexports\b")
# Scripts that hand out names in another way: AMD, and `this` of the top level.
_OTHERWISE = lazy_pattern(r"\bdefine\s*\(|\bthis\s*[.\[]|\bdeclare\s+(?:module|global)\b")
_DECLARATIONS = (".d.ts", ".d.mts", ".d.cts")
_NAMES = frozenset({"identifier", "type_identifier", "shorthand_property_identifier_pattern"})


class NamedImport(Struct, frozen=True):
    """A name that a file imports or re-exports from a relative path, with its line (from 1).

    `local` is the file's own name for it; empty if the file only re-exports it.
    """

    line: int
    source: str
    name: str
    local: str


def exported_names(path: str, text: str) -> frozenset[str] | None:
    """Return the names that a module exports, including `default`, or None if they cannot be determined."""
    is_told = not _UNTOLD.search(text) and not path.endswith(_DECLARATIONS)
    root = _root(path, text) if is_told else None
    if root is None or root.has_error:
        return None
    statements = [node for node in root.children if node.type == "export_statement"]
    names = frozenset(name for node in statements for name in _exported(node))
    if not _COMMON.search(text):
        return names if statements or not _OTHERWISE.search(text) else None
    assigned = exported_by_assignment(root)
    return None if assigned is None else names | assigned


def named_imports(path: str, text: str) -> Iterator[NamedImport]:
    """Yield the names that a file imports or re-exports from relative paths."""
    root = _root(path, text)
    for node in root.children if root is not None else ():
        source = node.child_by_field_name("source")
        if node.type not in {"import_statement", "export_statement"} or source is None:
            continue
        written = node_text(source)[1:-1]
        if written.startswith("."):
            passes_on = node.type == "export_statement"
            for line, name, local in _specified(node):
                yield NamedImport(line, written, name, "" if passes_on else local)


def used_names(path: str, text: str) -> Iterator[NamedImport]:
    """Yield the names that a file imports, re-exports, or takes from modules that it holds as a whole."""
    yield from named_imports(path, text)
    root = _root(path, text)
    for line, source, name in taken_names(root) if root is not None else ():
        yield NamedImport(line, source, name, "")


def declared_names(path: str, text: str) -> Iterator[str]:
    """Yield the functions, classes and variables declared at a module's top level."""
    root = _root(path, text)
    for node in root.children if root is not None else ():
        declaration = node.child_by_field_name("declaration") or node
        if declaration.type.endswith("_declaration"):
            yield from _declared(declaration)


def _root(path: str, text: str) -> Node | None:
    grammar = GRAMMARS.get(splitext(path)[1].lower())
    return parsed(text, grammar) if grammar is not None and len(text) <= LARGEST else None


def _exported(node: Node) -> Iterator[str]:
    if any(child.type == "default" for child in node.children):
        yield "default"
        return
    for child in node.children:
        if child.type == "export_clause":
            for part in filter(lambda part: part.type == "export_specifier", child.named_children):
                yield node_text(
                    part.child_by_field_name("alias") or part.child_by_field_name("name")
                )
        elif child.is_named and child.type not in {"string", "comment", "decorator"}:
            yield from _declared(child)


def _declared(node: Node) -> Iterator[str]:
    """Yield the names that a declaration binds; when in doubt, also others."""
    name = node.child_by_field_name("name")
    waiting = [name] if name is not None else list(node.named_children)
    while waiting:
        part = waiting.pop()
        if part.type in _NAMES:
            yield node_text(part)
        elif part.type in {"variable_declarator", "function_signature"}:
            waiting.append(part.child_by_field_name("name") or part)
        else:
            waiting.extend(part.named_children)


def _specified(node: Node) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the imported name and the local name for each name of an import."""
    for child in node.named_children:
        if child.type == "import_clause":
            yield from _specified(child)
        elif child.type == "identifier":
            yield child.start_point.row + 1, "default", node_text(child)
        elif child.type in {"named_imports", "export_clause"}:
            for specifier in child.named_children:
                name = specifier.child_by_field_name("name")
                if name is not None:
                    local = specifier.child_by_field_name("alias") or name
                    yield name.start_point.row + 1, node_text(name), node_text(local)
