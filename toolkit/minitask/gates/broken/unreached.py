"""Find code that nothing reaches: statements behind a `return` or `break`, functions that stand inside another one.

Languages with a grammar here are read by it, others line by line. What is hoisted, a label, or chosen by a
condition of the compiler may stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from posixpath import splitext
from typing import TYPE_CHECKING

from minitask.edits.lines import indent_of
from minitask.gates.result import FileChange, LintError, printable, quoted
from minitask.gates.source.grammars import SCRIPTS, sound_tree
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk
from minitask.spec.model import Spec

if TYPE_CHECKING:
    from tree_sitter import Node

Pair = tuple[int, tuple[str, str]]
"""The line (from 1) that is not reached; the texts of the one above it, and of itself."""


def find_unreached(proposal: FileChange) -> Iterator[LintError]:
    """Yield the lines that follow a `return` or the like, and do not in the base."""
    ending = splitext(proposal.path)[1].lower()
    pairs = list(_pairs(proposal.content, ending))
    had = {pair for _, pair in _pairs(proposal.base or "", ending)} if pairs else set()
    for line, pair in pairs:
        if pair not in had:
            message = f"{quoted(pair[1])} is never reached"
            yield LintError(proposal.path, line, message, "take out one of the two")


def _pairs(text: str, ending: str) -> Iterator[Pair]:
    root = sound_tree(text, ending)
    if root is not None:
        yield from _in_tree(root, ending)
    elif ending in _LEAVES:
        yield from _in_lines(text, ending)


_MAY_STAND = re.compile(
    r".*comment|empty_statement|labeled_statement|attribute_item|break_statement|[;}{)]"
    r"|(?:(?:generator_)?function|class|abstract_class|interface|type_alias|enum|ambient|record|macro|use)_(?:declaration|definition)"
    r"|function_signature|internal_module|module|\w+_item|import_statement|export_statement"
)
"""Kinds of nodes that are no code, are hoisted, or are reached by another way; `return x; break;` is a habit."""
_BLOCKS = re.compile(
    r"program|statement_(?:block|list)|switch_(?:case|default)|block|constructor_body|switch_block_statement_group"
    r"|(?:expression|default|type|communication)_case"
)
_RUST_ENDS = lazy_pattern(r"(?:unreachable|panic|todo|unimplemented)!")
_LEAVING = re.compile(r"(?:return|throw|break|continue)_(?:statement|expression)")


def _in_tree(root: Node, ending: str) -> Iterator[Pair]:
    for node in walk(root):
        if not _BLOCKS.fullmatch(node.type):
            continue
        code = [child for child in node.children if not child.type.endswith("comment")]
        for above, (left, below) in zip([None, *code], pairwise(code), strict=False):
            has_attribute = above is not None and above.type == "attribute_item"
            if _leaves(left) and not has_attribute and not _may_stand(below, ending):
                texts = (node_text(left).split("\n")[0], node_text(below).split("\n")[0])
                yield below.start_point.row + 1, texts


def _leaves(node: Node) -> bool:
    inner = node.children[0] if node.type == "expression_statement" else node
    return node.type.endswith("_statement") and _LEAVING.fullmatch(inner.type) is not None


def _may_stand(node: Node, ending: str) -> bool:
    if _MAY_STAND.fullmatch(node.type):
        return True
    if ending in SCRIPTS and node.type == "variable_declaration":
        return all(part.child_by_field_name("value") is None for part in node.named_children)
    is_word = not node.is_named or node.type in {"switch_case", "switch_default"}
    return is_word or (ending == ".rs" and _RUST_ENDS.match(node_text(node)) is not None)


_RETURN = r"(?:return|throw)\b[^{}]*;"
_C_LIKE = lazy_pattern(_RETURN)
_C_SHARP = lazy_pattern(rf"{_RETURN}|(?:break|continue);")
_WITHOUT_SEMICOLON = lazy_pattern(r"return\b(?:[^{}]*[^{}(,|&+*/.-])?")
_KOTLIN = lazy_pattern(r"(?:return|throw)\b(?:[^{}]*[^{}(,|&+*/.=:-])?|break|continue")
_LEAVES: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(
        (".c", ".h", ".cc", ".cpp", ".java", ".js", ".mjs", ".cjs", ".ts", ".rs"), _C_LIKE
    ),
    **dict.fromkeys((".cs", ".dart", ".php"), _C_SHARP),
    ".go": _WITHOUT_SEMICOLON,
    **dict.fromkeys((".kt", ".kts"), _KOTLIN),
}
_ENDS_STATEMENT = (";", "{", "}", ":", "*/")
_MAY_FOLLOW = lazy_pattern(
    r"[\W_]|(?:case|default|else|catch|finally|function|async|class|break|end\w*|public|private|protected|fun|when)\b"
    r"|[\w-]+\s*:|.*=>"
)
_HEAD = lazy_pattern(r"(?:if|else|for|while|do|when|try|catch|finally)\b|.*(?:[-=?:&|+*/,.(]|->)$")
"""A line of Kotlin that the next one belongs to."""


def _in_lines(text: str, ending: str) -> Iterator[Pair]:
    """Yield each line that follows a `return` with its indentation."""
    has_semicolons = ending not in {".go", ".kt", ".kts"}
    rows = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for (_, above), (_, left), (number, line) in zip(rows, rows[1:], rows[2:], strict=False):
        is_whole = (
            above.rstrip().endswith(_ENDS_STATEMENT) and line.rstrip().endswith(";")
            if has_semicolons
            else ending == ".go" or not _HEAD.match(above.strip())
        )
        if (
            is_whole
            and indent_of(left) == indent_of(line)
            and _LEAVES[ending].fullmatch(left.strip())
            and left.count("(") == left.count(")")
            and not _MAY_FOLLOW.match(line.strip())
        ):
            yield number, (left.strip(), line.strip())


_FUNCTION = re.compile(
    r"(?:generator_)?function_(?:declaration|expression)|arrow_function|method_definition"
)
_IS_MEANT = lazy_pattern(r"(?i)\b(?:inside|within|nested|inner|local|closure)\b")


def find_unused_inner(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the new JavaScript functions inside a function of the base that nothing in their file names."""
    text, base = proposal.content, proposal.base or ""
    ending = splitext(proposal.path)[1].lower()
    is_meant = _IS_MEANT.search(f"{spec.title}\n{spec.task}") is not None
    if not base or ending not in SCRIPTS or "function" not in text or is_meant:
        return
    root = sound_tree(text, ending)
    for name, outer, line in _inner(root) if root is not None else ():
        is_new = name not in base and outer in base
        if is_new and len(re.findall(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text)) == 1:
            message = f"{printable(name)} is inside {printable(outer)}, which does not use it"
            yield LintError(proposal.path, line, message, "put it outside")


def _inner(root: Node) -> Iterator[tuple[str, str, int]]:
    """Yield the name of each function inside a named one, the outer one's name, and the line."""
    waiting = [(root, "")]
    while waiting:
        node, outer = waiting.pop()
        if _FUNCTION.fullmatch(node.type):
            name = node_text(node.child_by_field_name("name"))
            if outer and name and node.type.endswith("declaration"):
                yield name, outer, node.start_point.row + 1
            outer = name or outer
        waiting += [(child, outer) for child in node.children]
