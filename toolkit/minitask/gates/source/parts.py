"""Read the named parts of a file (definitions, sections, rules, keys), to tell which ones a change removes.

Each file type has its own reader; if one returns None for a text it cannot read, patterns for many languages are used.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache, partial
from posixpath import basename, splitext
from typing import TYPE_CHECKING

from minitask.gates.result import FileChange
from minitask.gates.source.grammars import GRAMMARS, Grammar, parsed
from minitask.gates.source.parts_by_line import read_patterns
from minitask.gates.source.parts_text import SEPARATOR, NamedPart, Parts
from minitask.gates.source.python_source import BODIES, Function, parsed_python
from minitask.gates.source.syntax import LARGEST
from minitask.spec.bash import node_text
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

Read = Callable[[str], Parts | None]


@lru_cache(maxsize=4)  # several checks read the same two texts, one after another
def parts_of_both(
    path: str, before: str, after: str, *, inner: bool = False
) -> tuple[Parts, Parts]:
    """Return the parts of two versions of a file from the same reader; `inner` adds functions inside of others."""
    reader = _reader(path, inner=inner)
    if reader is not None:
        old, new = reader(before), reader(after)
        if old is not None and new is not None:
            return old, new
    return read_patterns(before), read_patterns(after)


def lost_parts(before: Parts, after: Parts) -> list[NamedPart]:
    """Return the lost parts, without those inside another lost part and without retitled headings."""
    remaining = Counter(part.name for part in after)
    gone = []
    for part in before:
        if remaining[part.name]:
            remaining[part.name] -= 1
        else:
            gone.append(part)
    names = {part.name for part in gone}
    heads = [part for part in gone if part.parent not in names]
    return [part for part in heads if part not in _retitled(before, after)]


def _retitled(before: Parts, after: Parts) -> set[NamedPart]:
    """Return the headings that other parts replace."""
    if not any(part.kind == "heading" for part in before):
        return set()
    old, new = [part.name for part in before], [part.name for part in after]
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return {
        part
        for tag, i1, i2, j1, j2 in blocks
        if tag == "replace" and i2 - i1 <= j2 - j1
        for part in before[i1:i2]
        if part.kind == "heading"
    }


def definition_named(name: str, parts: Parts) -> NamedPart | None:
    """Return the one definition of a name, or of `Class.name`; None if there is none, or more."""
    path = SEPARATOR + name.replace(".", SEPARATOR)
    code = [part for part in parts if part.start and part.kind == "code"]
    matches = [part for part in code if f"{SEPARATOR}{part.name}".endswith(path)]
    return matches[0] if len(matches) == 1 else None


def gained_parts(file: FileChange) -> list[NamedPart]:
    """Return the parts that the file has and its base has not."""
    before, after = parts_of_both(file.path, file.base or "", file.content)
    return lost_parts(after, before)


def is_code(path: str) -> bool:
    """Return True if the file holds statements, so that fewer lines may do the same."""
    return _ending(path) not in _TEXT and basename(path).lower() not in _TEXT_NAMES


def is_markup(path: str) -> bool:
    """Return True if the file's content is elements between tags."""
    return _ending(path) in _MARKUP


_DATA = {".json": "json", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}
_PROPERTIES = frozenset({".cfg", ".conf", ".env", ".ini", ".properties", ".editorconfig"})
STYLES = frozenset({".css", ".scss", ".less", ".pcss", ".postcss"})
"""Endings of style sheets."""
_MARKUP = word_set(".html .htm .xhtml .vue .svelte .astro .xml .svg .xaml")
_HEADED = frozenset({".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org"})
_TEXT = (
    frozenset({"", ".txt", ".text", ".csv", ".tsv", ".log", ".lst", ".po", ".tex", ".srt", ".list"})
    | _DATA.keys()
    | _PROPERTIES
    | STYLES
    | _MARKUP
    | _HEADED
)
_TEXT_NAMES = frozenset({"requirements.txt", ".gitignore", ".dockerignore", "codeowners"})
_SCRIPT_NAMES = word_set("makefile gnumakefile dockerfile justfile rakefile vagrantfile")


def _ending(path: str) -> str:
    name = basename(path).lower()
    if name in _SCRIPT_NAMES or name.startswith("dockerfile"):
        return ".make"
    if name.startswith(".env"):
        return ".env"
    return splitext(name)[1]


def _reader(path: str, *, inner: bool) -> Read | None:
    ending = _ending(path)
    if ending in {".py", ".pyi"}:
        return partial(read_python, inner=inner)
    if ending in GRAMMARS:
        return partial(read_grammar, grammar=GRAMMARS[ending], inner=inner)
    return _text_reader(ending)


def _text_reader(ending: str) -> Read | None:
    from minitask.gates.source import parts_text

    if ending in _DATA:
        return lambda text: parts_text.read_data(text, _DATA[ending])
    tables: tuple[tuple[frozenset[str], Read], ...] = (
        (_PROPERTIES, parts_text.read_properties),
        (STYLES, parts_text.read_styles),
        (_MARKUP, parts_text.read_markup),
        (_HEADED, lambda text: parts_text.read_headings(text, ending)),
    )
    for endings, reader in tables:
        if ending in endings:
            return reader
    return (lambda _text: ()) if ending in _TEXT or ending in {".rd", ".pod"} else None


_RUNS_AS_MAIN = "__name__ == '__main__'"
_MAIN = "__main__"
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FUNCTION_VALUES = word_set("arrow_function function_expression generator_function class")
_NAMED = word_set("""
function_declaration generator_function_declaration class_declaration abstract_class_declaration method_definition
interface_declaration enum_declaration type_alias_declaration internal_module function_signature method_signature
abstract_method_signature method_declaration type_spec type_alias const_spec record_declaration
annotation_type_declaration constructor_declaration function_item function_signature_item struct_item enum_item
union_item trait_item mod_item const_item static_item type_item macro_definition
""")
"""Named nodes of all grammars whose removal counts."""
_OWNERS = frozenset({"impl_item"})
_LOCAL = frozenset({"statement_block", "block", "function_body", "constructor_body"})
"""Nodes whose inner definitions are local to them."""


def read_python(text: str, *, inner: bool = False) -> Parts | None:
    """Return the definitions and assigned names of a Python module, or None if it does not parse."""
    tree = parsed_python(text)
    return None if tree is None else tuple(_python_parts(tree, "", inner=inner))


def _python_parts(node: ast.AST, above: str, *, inner: bool) -> Iterator[NamedPart]:
    is_local = isinstance(node, Function)
    for body in BODIES:
        for child in getattr(node, body, ()):
            if isinstance(child, _DEFINED):
                start = min([child.lineno, *(mark.lineno for mark in child.decorator_list)])
                name = above + child.name
                yield NamedPart(name, "code", start, child.end_lineno or start)
                if inner or isinstance(child, ast.ClassDef):
                    yield from _python_parts(child, name + SEPARATOR, inner=inner)
            elif isinstance(child, ast.Assign | ast.AnnAssign):
                yield from () if is_local else _assigned(child, above)
            elif isinstance(child, ast.If) and _RUNS_AS_MAIN in ast.unparse(child.test):
                yield NamedPart(_MAIN, "code", child.lineno, child.end_lineno or child.lineno)
            else:
                yield from _python_parts(child, above, inner=inner)


def _assigned(node: ast.Assign | ast.AnnAssign, above: str) -> Iterator[NamedPart]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name):
            strong = _is_constant(target.id) or isinstance(node, ast.AnnAssign) or bool(above)
            kind = "code" if strong else "value"
            yield NamedPart(above + target.id, kind, node.lineno, node.end_lineno or node.lineno)


def _is_constant(name: str) -> bool:
    return name.isupper() and len(name) > 1


def read_grammar(text: str, grammar: Grammar, *, inner: bool = False) -> Parts | None:
    """Return the definitions of a text, read with a grammar, or None if it cannot be parsed."""
    root = parsed(text, grammar) if len(text) <= LARGEST else None
    return None if root is None else tuple(_grammar_parts(root, "", inner=inner))


def _grammar_parts(node: Node, above: str, *, inner: bool) -> Iterator[NamedPart]:
    waiting = [(child, above) for child in reversed(node.children)]
    while waiting:
        child, prefix = waiting.pop()
        part = _grammar_part(child, prefix)
        if part is not None:
            yield part
            prefix = part.name + SEPARATOR
        elif child.type in _OWNERS:
            prefix = prefix + _owner(child) + SEPARATOR
        if inner or child.type not in _LOCAL:
            waiting += [(below, prefix) for below in reversed(child.children)]


def _grammar_part(node: Node, above: str) -> NamedPart | None:
    if node.type == "variable_declarator":
        return _variable(node, above)
    if node.type == "assignment_expression":
        return _assigned_member(node, above)
    if node.type not in _NAMED:
        return None
    name = node.child_by_field_name("name")
    text = node_text(name)
    if node.type == "method_declaration":
        receiver = node.child_by_field_name("receiver")
        text = (receiver_of(node) + SEPARATOR if receiver else "") + text
    return _part(above + text, "code", node) if text else None


def _variable(node: Node, above: str) -> NamedPart | None:
    """Return a variable of the top level or of a class; one that holds a function counts as a definition."""
    name = node.child_by_field_name("name")
    value = node.child_by_field_name("value")
    text = node_text(name)
    if name is None or name.type != "identifier":
        return None
    strong = _is_constant(text) or (value is not None and value.type in _FUNCTION_VALUES)
    return _part(above + text, "code" if strong else "value", node.parent or node)


def _assigned_member(node: Node, above: str) -> NamedPart | None:
    """Return what a statement assigns to a member, `exports.x = function () {}`; inside of others, only a function."""
    statement, owner = node.parent, node.child_by_field_name("left")
    value = node.child_by_field_name("right")
    while value is not None and value.type == "assignment_expression":
        value = value.child_by_field_name("right")
    if statement is None or statement.parent is None or owner is None or value is None:
        return None
    is_function, is_top = value.type in _FUNCTION_VALUES, statement.parent.type == "program"
    is_member = owner.type == "member_expression"
    if not (is_member if is_top else is_function and (is_member or owner.type == "identifier")):
        return None
    name = ("" if is_top else above) + node_text(owner).replace(".", SEPARATOR)
    return _part(name, "code" if is_function else "value", statement)


def _part(name: str, kind: str, node: Node) -> NamedPart:
    return NamedPart(name, kind, node.start_point.row + 1, node.end_point.row + 1)


def receiver_of(method: Node) -> str:
    """Return the type of a Go method's receiver."""
    receiver = node_text(method.child_by_field_name("receiver"))
    return receiver.strip("()").rpartition(" ")[2].strip("*").partition("[")[0]


def _owner(node: Node) -> str:
    owner = node_text(node.child_by_field_name("type")).partition("<")[0]
    trait = node_text(node.child_by_field_name("trait"))
    return f"{trait} for {owner}" if trait else owner
