"""Find names that a file no longer imports or defines and still uses, in Python and the languages that have a grammar.

Only what is certain counts: the base binds and uses the name, and no declaration, parameter, pattern or import of the
new file has it. In Go, Java and Rust, the base binds it at the top level; in Python and scripts, in any scope.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from minitask.gates.requested_removals import has_name
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.source.grammars import SCRIPTS, sound_tree, suffix_of
from minitask.gates.source.name_uses import (
    IDENTIFIERS,
    PATTERNS,
    binding_counts,
    bound_among,
    uses_of,
)
from minitask.gates.source.python_source import BUILT_IN, parsed_python
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

_GIVEN_TO_SCRIPTS = word_set("""
AbortController Array Blob Boolean Buffer Date Error Event EventTarget File FormData Function Headers Intl Iterator
JSON JSX Map Math Number Object Promise Proxy React Reflect RegExp Request Response Set String Symbol TextDecoder
TextEncoder URL URLSearchParams WeakMap WebSocket Worker afterAll afterEach atob beforeAll beforeEach btoa
clearInterval clearTimeout console crypto describe document expect exports fetch global globalThis it jest location
module navigator performance process queueMicrotask require setImmediate setInterval setTimeout structuredClone test
vi window
""")
_GIVEN = {
    **dict.fromkeys(SCRIPTS, _GIVEN_TO_SCRIPTS),
    ".go": word_set("any clear max min"),
    ".java": word_set("""
Boolean Class Deprecated Double Exception FunctionalInterface Integer Iterable Long Math Object Override Record
Runnable RuntimeException SafeVarargs String StringBuilder SuppressWarnings System Thread Throwable Void
"""),
    ".rs": word_set("""
Box Err FromIterator Iterator None Ok Option Result Some String ToString TryFrom TryInto Vec
"""),
}
"""Names that a language, a platform or a test runner provides, so that a file may stop importing them."""
_SHARING = frozenset({".go", ".java"})
"""Languages in which a file sees the definitions of others in its folder without an import."""
_MODULE = lazy_pattern(r"\b(?:import|export|require|use)\b")
_GLOB = frozenset({"use_wildcard", "dot", "asterisk"})
_VERSION = lazy_pattern(r"v\d+")


def find_lost_names(proposal: FileChange, others: Sequence[FileChange] = ()) -> Iterator[LintError]:
    """Yield each name that the file still uses, though the change takes away its import or definition."""
    suffix, base = suffix_of(proposal.path), proposal.base or ""
    if not base or max(len(base), len(proposal.content)) > LARGEST:
        return
    used = _lost_in_python(base, proposal.content) if suffix == ".py" else _lost(proposal, others)
    for name, line in sorted(used.items(), key=lambda pair: pair[1]):
        message = f"{printable(name)} is used here, and the file no longer imports or defines it"
        yield LintError(proposal.path, line, message, f"keep {printable(name)}, or change its uses")


def _lost_in_python(base: str, content: str) -> dict[str, int]:
    old, new = parsed_python(base), parsed_python(content)
    if old is None or new is None:
        return {}
    names = binding_counts(new).keys()
    gone = binding_counts(old).keys() - names - BUILT_IN
    if not gone or "*" in names:
        return {}
    lines = _reads(new, gone)
    return lines and _only(lines, _reads(old, gone))


def _only(lines: Mapping[str, int], names: Collection[str]) -> dict[str, int]:
    """Return the lines of those names."""
    return {name: line for name, line in lines.items() if name in names}


def _reads(tree: ast.Module, names: Collection[str]) -> dict[str, int]:
    """Return the first line that reads each of the names by itself."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in names:
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
    return lines


def _lost(proposal: FileChange, others: Sequence[FileChange]) -> dict[str, int]:
    suffix = suffix_of(proposal.path)
    old, new = sound_tree(proposal.base or "", suffix), sound_tree(proposal.content, suffix)
    if old is None or new is None:
        return {}
    gone = top_names(old) - top_names(new) - _GIVEN[suffix]
    if suffix in SCRIPTS:
        gone |= (_declared(old) & _words_of_change(proposal)) - _GIVEN[suffix]
    if suffix in _SHARING or not _MODULE.search(proposal.content):
        gone = {name for name in gone if not any(has_name(file.content, name) for file in others)}
    if not gone or _globs(new) - _globs(old):
        return {}
    gone -= bound_among(new, gone)
    lines = uses_of(new, gone) if gone else {}
    return lines and _only(lines, uses_of(old, gone))


def _declared(root: Node) -> set[str]:
    """Return the names of functions, classes and variables of a script, in any scope."""
    names = (node.child_by_field_name("name") for node in walk(root) if node.type in _DECLARATIONS)
    return {node_text(name) for name in names if name is not None and name.type in IDENTIFIERS}


_DECLARATIONS = word_set("function_declaration class_declaration variable_declarator")


def _words_of_change(proposal: FileChange) -> set[str]:
    """Return the words of the lines that a change takes away, as far as they still occur."""
    fresh = proposal.content.split("\n")
    lost = set((proposal.base or "").split("\n")).difference(fresh)
    return {word for row in lost for word in _NAMES.findall(row)} & set(
        _NAMES.findall(proposal.content)
    )


def top_names(root: Node) -> set[str]:
    """Return the names that the statements of a file's top level import and define."""
    names: set[str] = set()
    for child in root.children:
        statement = child.child_by_field_name("declaration") or child
        if "import" in statement.type or statement.type == "use_declaration":
            names.update(_imported(statement))
        elif statement.type in _LISTS:
            for part in statement.named_children:
                names.update(_pattern_names(part.child_by_field_name("name")))
        elif statement.type.endswith(("_declaration", "_item")):
            names.update(_pattern_names(statement.child_by_field_name("name")))
    return names


_LISTS = word_set("""
lexical_declaration variable_declaration type_declaration const_declaration var_declaration
""")
"""Declarations that hold one or more names with values or types."""


def _pattern_names(node: Node | None) -> Iterator[str]:
    """Yield the names that a name or pattern binds."""
    waiting = [node] if node is not None else []
    while waiting:
        part = waiting.pop()
        if part.type in PATTERNS:
            yield node_text(part)
        elif part.type == "pair_pattern":
            waiting += filter(None, [part.child_by_field_name("value")])
        else:
            waiting += part.named_children


def _imported(statement: Node) -> Iterator[str]:
    """Yield the local names of an import that the file cannot use without it.

    In Java, its package, its base class or `java.lang` may have the name anyway; in Rust, a crate needs no import.
    """
    is_crate = statement.type == "use_declaration"
    waiting = [
        node for node in statement.named_children if not (is_crate and node.type == "identifier")
    ]
    while waiting:
        node = waiting.pop()
        if node.type == "import_spec":
            yield from _of_go(node)
        elif node.type in {"import_specifier", "use_as_clause"}:
            named = node.child_by_field_name("alias") or node.child_by_field_name("name")
            yield node_text(named)
        elif node.type in IDENTIFIERS:
            yield node_text(node)
        elif node.type == "scoped_identifier":
            yield from _of_path(node, statement)
        elif node.type == "scoped_use_list":
            names = node.child_by_field_name("list")
            waiting += filter(None, [names])
            if names is not None and any(part.type == "self" for part in names.children):
                yield node_text(node.child_by_field_name("path")).rpartition(":")[2]
        elif node.type != "string":
            waiting += node.named_children


_INHERITS = lazy_pattern(r"\b(?:extends|implements)\b([^{;]{0,400})")
_NAMES = lazy_pattern(r"\w+")


def _of_path(path: Node, statement: Node) -> Iterator[str]:
    owner = node_text(path.child_by_field_name("scope"))
    root = statement.parent
    statements = root.children if root else ()
    package = next((node for node in statements if node.type == "package_declaration"), None)
    here = node_text(package).removeprefix("package").strip(" ;\n")
    outer, inherits = owner.rpartition(".")[2], _INHERITS.findall(node_text(root))
    is_inherited = any(outer in _NAMES.findall(names) for names in inherits)
    if not owner or not (owner in {here, "java.lang"} or is_inherited):
        yield node_text(path.child_by_field_name("name"))


def _of_go(spec: Node) -> Iterator[str]:
    alias = node_text(spec.child_by_field_name("name"))
    parts = node_text(spec.child_by_field_name("path")).strip('"`').split("/")
    name = parts[-2] if len(parts) > 1 and _VERSION.fullmatch(parts[-1]) else parts[-1]
    name = alias or name.partition(".v")[0]
    if name.isidentifier() and name != "_":
        yield name


def _globs(root: Node) -> set[str]:
    """Return the statements that import all names of something: a new one may bring the lost name."""
    return {
        node_text(child)
        for child in root.children
        if "import" in child.type or child.type == "use_declaration"
        if any(node.type in _GLOB for node in walk(child))
    }
