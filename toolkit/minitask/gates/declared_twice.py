"""Find names of a scope and keys of a mapping that a change declares twice where the language allows one.

Compilers refuse duplicate names; of duplicate keys, the last silently wins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from posixpath import splitext
from typing import TYPE_CHECKING, Any

from minitask.gates.grammars import GRAMMARS, SCRIPTS, parsed
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.syntax import LARGEST
from minitask.spec.bash import node_text

if TYPE_CHECKING:
    from tree_sitter import Node

Names = Iterator[tuple[str, int]]
_REMEDY = "keep one of them"


def find_declared_twice(proposal: FileChange) -> Iterator[LintError]:
    """Yield the duplicate names and keys that the base's file does not have."""
    ending = splitext(proposal.path)[1].lower()
    reader = _READERS.get(ending)
    if reader is None or max(len(proposal.content), len(proposal.base or "")) > LARGEST:
        return
    before = Counter(name for name, _ in reader(proposal.base or "", ending))
    for name, line in reader(proposal.content, ending):
        if before[name] > 0:
            before[name] -= 1
            continue
        shown = printable(name.rpartition("\0")[2])
        yield LintError(proposal.path, line, f"it has {shown} twice", _REMEDY)


def _twice(names: Names, scope: str = "") -> Names:
    visited: set[str] = set()
    for name, line in names:
        if name in visited:
            yield f"{scope}\0{name}", line
        visited.add(name)


def _in_code(text: str, ending: str) -> Names:
    root = parsed(text, GRAMMARS[ending]) if text else None
    if root is None or root.has_error:
        return
    declared = _of_script if ending in SCRIPTS else _of_go if ending == ".go" else _of_rust
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in {"program", "statement_block", "source_file", "declaration_list"}:
            yield from _twice(declared(node), node.type)
        waiting += node.children


def _name(node: Node | None) -> tuple[str, int] | None:
    name = node.child_by_field_name("name") if node is not None else None
    is_plain = name is not None and name.type.endswith("identifier")
    return (node_text(name), name.start_point.row + 1) if name is not None and is_plain else None


def _of_script(scope: Node) -> Names:
    """Yield the names that a scope may declare only once: `let`, `const`, classes, and a module's functions."""
    is_module = any(
        node.type in {"import_statement", "export_statement"} for node in scope.children
    )
    for node in scope.children:
        declaration = node.child_by_field_name("declaration") or node
        if declaration.type == "lexical_declaration":
            names = [_name(part) for part in declaration.named_children]
        elif declaration.type == "class_declaration" or (
            declaration.type in {"function_declaration", "generator_function_declaration"}
            and is_module
        ):
            names = [_name(declaration)]
        else:
            continue
        yield from filter(None, names)


def _of_go(scope: Node) -> Names:
    if scope.type != "source_file":
        return
    for node in scope.children:
        if node.type == "function_declaration" and (name := _name(node)) is not None:
            if name[0] not in {"init", "_"}:
                yield name
        elif node.type == "type_declaration":
            yield from filter(None, map(_name, node.named_children))


_RUST_TYPES = frozenset({"struct_item", "enum_item", "trait_item", "type_item"})
_RUST = _RUST_TYPES | {"function_item"}


def _of_rust(scope: Node) -> Names:
    """Yield the items of a scope without attributes; with `#[cfg]`, two may share a name.

    Types and functions have separate namespaces.
    """
    if scope.parent is not None and scope.parent.type not in {"mod_item", "impl_item"}:
        return
    has_attribute = False
    for node in scope.named_children:
        if node.type in _RUST and not has_attribute and (name := _name(node)) is not None:
            yield (f"type\0{name[0]}", name[1]) if node.type in _RUST_TYPES else name
        if not node.type.endswith("comment"):
            has_attribute = node.type == "attribute_item"


def _in_json(text: str, _ending: str) -> Names:
    twice: list[tuple[str, int]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, _ in _twice((name, 1) for name, _ in pairs):
            key = name.rpartition("\0")[2]
            start = text.rfind(json.dumps(key, ensure_ascii=False))
            if not key.startswith(("//", "_", "$", "#")):
                twice.append((name, 1 + text.count("\n", 0, max(start, 0))))
        return dict(pairs)

    try:
        json.loads(text.removeprefix("\ufeff") or "{}", object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return
    yield from twice


def _in_yaml(text: str, _ending: str) -> Names:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        waiting: list[Any] = list(yaml.compose_all(text.removeprefix("\ufeff"), Loader=loader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited or not isinstance(node, yaml.CollectionNode):
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        keys = (
            (key.value, key.start_mark.line + 1)
            for key, _ in node.value
            if isinstance(key, yaml.ScalarNode) and key.value != "<<"
        )
        yield from _twice(keys)
        waiting += [value for _, value in node.value]


_READERS: Mapping[str, Callable[[str, str], Names]] = {
    **dict.fromkeys((*SCRIPTS, ".go", ".rs"), _in_code),
    **dict.fromkeys((".json", ".webmanifest", ".geojson"), _in_json),
    **dict.fromkeys((".yaml", ".yml"), _in_yaml),
}
