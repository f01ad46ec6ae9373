"""Definitions in two places: names and keys declared twice, and definitions that a move leaves in place."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from posixpath import splitext
from typing import TYPE_CHECKING, Any

from minitask.edits.script_model import Locate
from minitask.errors import EditError
from minitask.gates.broken import repeated_keys
from minitask.gates.broken.repeated_keys import Names, repeated
from minitask.gates.imports.exports import declared_names, named_imports
from minitask.gates.requested_removals import has_name, task_sentences
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.source.grammars import SCRIPTS, sound_tree, suffix_of
from minitask.gates.source.parts import gained_parts, parts_of_both, receiver_of
from minitask.gates.source.parts_text import NamedPart
from minitask.gates.source.python_source import parsed_python
from minitask.gates.source.syntax import LARGEST, has_many_escapes
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk
from minitask.spec.model import LineRange, Spec

if TYPE_CHECKING:
    from tree_sitter import Node


_TEMPLATE = lazy_pattern(r"\{%|<%|\{\{-?[ \t]*(?:#|if\b|range\b|else\b|with\b)")
_REMEDY = "keep one of them"


def find_declared_twice(proposal: FileChange) -> Iterator[LintError]:
    """Yield the duplicate names and keys that the base's file does not have."""
    ending = suffix_of(proposal.path)
    reader = _READERS.get(ending)
    if reader is None or _TEMPLATE.search(proposal.content):
        return
    if max(len(proposal.content), len(proposal.base or "")) > LARGEST:
        return
    if has_many_escapes(proposal.content) or has_many_escapes(proposal.base or ""):
        return
    names = list(reader(proposal.content))
    before = Counter(name for name, _ in reader(proposal.base or "")) if names else Counter()
    for name, line in names:
        if before[name] > 0:
            before[name] -= 1
            continue
        shown = printable(name.rpartition("\0")[2])
        yield LintError(proposal.path, line, f"it has {shown} twice", _REMEDY)


def _in_code(text: str, ending: str) -> Names:
    root = sound_tree(text, ending)
    declared = _of_script if ending in SCRIPTS else _of_go if ending == ".go" else _of_rust
    for node in walk(root) if root is not None else ():
        if node.type in {"program", "statement_block", "source_file", "declaration_list"}:
            yield from repeated(declared(node), node.type)


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
        is_function = declaration.type.endswith("function_declaration")
        if declaration.type == "lexical_declaration":
            yield from filter(None, map(_name, declaration.named_children))
        elif declaration.type == "class_declaration" or (is_function and is_module):
            yield from filter(None, [_name(declaration)])


def _of_go(scope: Node) -> Names:
    if scope.type != "source_file":
        return
    for node in scope.children:
        if node.type == "function_declaration" and (name := _name(node)) is not None:
            if name[0] not in {"init", "_"}:
                yield name
        elif node.type == "method_declaration":
            owner = receiver_of(node)
            method = node_text(node.child_by_field_name("name"))
            yield f"{owner}\0{method}", node.start_point.row + 1
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


def _in_json(text: str) -> Names:
    twice: list[tuple[str, int]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for name, _ in repeated((name, 1) for name, _ in pairs):
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


def _in_yaml(text: str) -> Names:
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
        yield from repeated(keys)
        waiting += [value for _, value in node.value]


_READERS: Mapping[str, Callable[[str], Names]] = {
    **repeated_keys.READERS,
    **{ending: partial(_in_code, ending=ending) for ending in (*SCRIPTS, ".go", ".rs")},
    **dict.fromkeys((".json", ".webmanifest", ".geojson", ".arb"), _in_json),
    **dict.fromkeys((".yaml", ".yml"), _in_yaml),
}


_MOVES = lazy_pattern(r"(?i)\b(?:mov(?:e[sd]?|ing)|extract(?:s|ed|ing)?|relocat(?:e[sd]?|ing))\b")
_STAYS = lazy_pattern(
    r"(?i)\b(?:cop(?:y|ies|ied|ying)|duplicat\w*|keep\w*|kept|stays?|remains?|leav\w+|left|also|both|again)\b"
)


def find_left_behind(
    proposals: Sequence[FileChange], *, spec: Spec, locate: Locate | None
) -> Iterator[LintError]:
    """Yield the definitions that remain in the files to edit although the change copied them to another file."""
    written = {ref.path for ref in spec.writes()}
    for proposal in proposals:
        if not proposal.base or proposal.path not in written:
            continue
        shadowed = _shadowed(proposal)
        if shadowed is not None:
            yield shadowed
            continue
        for receiver in proposals:
            if receiver is not proposal:
                yield from _kept(proposal, receiver, spec, locate)


def _kept(
    proposal: FileChange, receiver: FileChange, spec: Spec, locate: Locate | None
) -> Iterator[LintError]:
    gained = {part.leaf: part for part in gained_parts(receiver) if part.kind == "code"}
    before, after = parts_of_both(proposal.path, proposal.base or "", proposal.content)
    now = {part.name: part for part in after}
    for part in before if gained else ():
        copy, still = gained.get(part.leaf), now.get(part.name)
        if copy is None or still is None:
            continue
        rows = _rows(proposal.base or "", part)
        is_copied = rows == _rows(proposal.content, still) == _rows(receiver.content, copy)
        if is_copied and _is_to_move(part, proposal.path, spec, locate):
            name, place = printable(part.shown), printable(receiver.path)
            message = f"{name} is still here, and in {place}, where it is to be moved"
            remedy = f"take {name} out of {printable(proposal.path)}"
            yield LintError(proposal.path, still.start, message, remedy)


def _rows(text: str, part: NamedPart) -> list[str]:
    rows = text.split("\n")[part.start - 1 : part.end]
    return [row.strip() for row in rows if row.strip()]


def _is_to_move(part: NamedPart, path: str, spec: Spec, locate: Locate | None) -> bool:
    """Return True if the spec cites the definition among the lines to edit, or says that it moves."""
    sentences = task_sentences(spec, path)
    if any(map(_STAYS.search, sentences)):
        return False
    if any(_MOVES.search(sentence) and has_name(sentence, part.leaf) for sentence in sentences):
        return True
    return any(
        _covers(path, part, ref_range, locate)
        for ref in spec.writes()
        if ref.path == path
        for ref_range in ref.ranges
    )


def _covers(path: str, part: NamedPart, cited: LineRange, locate: Locate | None) -> bool:
    try:
        lines = locate(path, cited) if locate is not None else cited
    except EditError:
        return False
    return lines.start <= part.start and part.end <= lines.end


def _shadowed(proposal: FileChange) -> LintError | None:
    """Return a definition that the file keeps although it now imports one of the same name."""
    ending = splitext(proposal.path)[1].lower()
    imports = {row for row in proposal.content.split("\n") if "import" in row}
    if ending not in {".py", *SCRIPTS} or imports <= set((proposal.base or "").split("\n")):
        return None
    names_of = _python_names if ending == ".py" else _script_names
    imported, defined = names_of(proposal.path, proposal.content)
    had_imported, had_defined = names_of(proposal.path, proposal.base or "")
    for name in sorted((imported - had_imported) & defined & had_defined):
        rows = enumerate(proposal.content.split("\n"), 1)
        line = next(number for number, row in rows if has_name(row, name))
        message = f"it imports {printable(name)}, and defines it, too"
        return LintError(proposal.path, line, message, _REMEDY)
    return None


def _python_names(_path: str, text: str) -> tuple[set[str], set[str]]:
    """Return the names that a module imports with `from`, and those that it defines, at its top level."""
    tree = parsed_python(text)
    body = tree.body if tree is not None else []
    imports = (node for node in body if isinstance(node, ast.ImportFrom))
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return (
        {alias.asname or alias.name for node in imports for alias in node.names},
        {node.name for node in body if isinstance(node, defined)},
    )


def _script_names(path: str, text: str) -> tuple[set[str], set[str]]:
    imported_names = {imported.local for imported in named_imports(path, text) if imported.local}
    return imported_names, set(declared_names(path, text))
