"""Find paths of a crate's own modules that certainly lead to nothing: `util::fetch` where `util.rs` has no `fetch`.

A module's items are those of its one file. A module counts only if all of its items stand there: no macro at its top
level, no `use …::*`, no `include!`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename, dirname, splitext
from typing import TYPE_CHECKING

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.unresolved import is_sample
from minitask.gates.result import FilesAfter, LintError, above, holds, join, printable
from minitask.gates.source.grammars import leaves, sound_tree
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_UNTOLD = lazy_pattern(r"\binclude!|#!?\[(?:cfg_attr|path|macro_use|no_mangle)\b|\buse\s[^;]*\*")
_HEADS = frozenset({"identifier", "crate", "self", "super", "type_identifier"})
_MACROS = frozenset({"macro_invocation", "expression_statement"})
Path = tuple[str, ...]


def find_rust_faults(
    changes: Sequence[Change], *, read: Reader, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield the paths that lead to nothing: new ones of the changed files, and old ones to what the change removes."""
    texts = {c.path: c.content for c in changes if c.path.endswith(".rs") and not is_sample(c.path)}
    for path, text in texts.items():
        if text is not None:
            yield from _of(path, text, read(path) or "", candidate, frozenset(texts))
    for path, text in texts.items():
        gone = _items(read(path) or "").keys() - _items(text or "").keys()
        for name in sorted(gone):
            for user in candidate.holding(name, (".rs",)):
                if user not in texts and not is_sample(user):
                    user_text = candidate.read(user) or ""
                    yield from _of(user, user_text, "", candidate, frozenset([path]), name)


def _of(
    path: str, text: str, base: str, candidate: FilesAfter, touched: frozenset[str], only: str = ""
) -> Iterator[LintError]:
    root = sound_tree(text, ".rs")
    old = set(paths_of(sound_tree(base, ".rs"))) if base else set()
    had = {written for written, _ in old}
    if root is None:
        return
    for written, line in dict(paths_of(root)).items():
        *modules, name = written
        file = _file_of(path, root, modules, candidate)
        if file is None or (only and name != only) or (written in had and file not in touched):
            continue
        items = module_items(candidate.read(file) or "")
        is_open = path.startswith(splitext(file)[0].removesuffix("/mod") + "/")
        if items is None or name == "self" or (name in items and (items[name] or is_open)):
            continue
        kind = "public " if name in items else ""
        message = f"{printable(file)} has no {kind}{printable(name)}"
        yield LintError(path, line, message, "use what is there, or create it in this change")


def paths_of(root: Node | None) -> Iterator[tuple[Path, int]]:
    """Yield the paths of a file with their lines, also those within macros and lists of `use`."""
    tokens = (
        [node for node in leaves(root) if "comment" not in node.type] if root is not None else []
    )
    path: list[str] = []
    for index, node in enumerate(tokens):
        after = tokens[index + 1].type if index + 1 < len(tokens) else ""
        if node.type in _HEADS:
            before = tokens[index - 1].type if index else ""
            path = [*path, node_text(node)] if before == "::" and path else [node_text(node)]
            if after != "::" and len(path) > 1 and before == "::":
                yield tuple(path), node.start_point.row + 1
        elif node.type != "::":
            path = []
    for node in walk(root) if root is not None else ():
        listed = node.child_by_field_name("list") if node.type == "scoped_use_list" else None
        start = node_text(node.child_by_field_name("path")).split("::") if listed else []
        for part in listed.named_children if listed else ():
            if part.type in {"identifier", "use_as_clause"}:
                name = part.child_by_field_name("path") or part
                yield (*start, *node_text(name).split("::")), part.start_point.row + 1


def _file_of(path: str, root: Node, modules: Sequence[str], candidate: FilesAfter) -> str | None:
    """Return the file of a module that a path of a file names from the crate's root or from a `mod` of the file."""
    if not modules or not all(part.isidentifier() for part in modules):
        return None
    if modules[0] == "crate":
        top = next((f for f in above(path) if "Cargo.toml" in candidate.names(f)), None)
        is_source = top is not None and path.startswith(join(top, "src/"))
        folder, parts = (join(top or "", "src"), modules[1:]) if is_source else ("", ())
    else:
        stem = splitext(basename(path))[0]
        is_root = stem in {"main", "lib", "mod"}
        folder, parts = dirname(path) if is_root else join(dirname(path), stem), modules
        mods = (node for node in root.children if node.type == "mod_item")
        plain = (n for n in mods if n.child_by_field_name("body") is None)
        if modules[0] not in {node_text(n.child_by_field_name("name")) for n in plain}:
            return None
    stem = "/".join((folder, *parts)) if parts else ""
    files = [file for file in (f"{stem}.rs", f"{stem}/mod.rs") if stem and holds(candidate, file)]
    return files[0] if len(files) == 1 else None


def module_items(text: str) -> dict[str, bool] | None:
    """Return the names of a module's items and whether each is public, or None if they cannot be determined."""
    if _UNTOLD.search(text):
        return None
    root = sound_tree(text, ".rs")
    if root is None or any(node.type in _MACROS for node in root.named_children):
        return None
    return _items(text)


def _items(text: str) -> dict[str, bool]:
    """Return the names of the items at a file's top level and whether each is public; of `use`, all names in it."""
    root = sound_tree(text, ".rs")
    items: dict[str, bool] = {}
    for node in root.named_children if root is not None else ():
        is_public = any(child.type == "visibility_modifier" for child in node.children)
        name = node.child_by_field_name("name")
        if name is not None:
            is_macro = node.type == "macro_definition"
            items[node_text(name)] = is_public or is_macro or items.get(node_text(name), False)
        elif node.type in {"use_declaration", "foreign_mod_item", "extern_crate_declaration"}:
            for part in walk(node):
                if part.type in {"identifier", "type_identifier", "self"}:
                    is_known = items.get(node_text(part), False)
                    items[node_text(part)] = (
                        is_public or is_known or node.type == "foreign_mod_item"
                    )
    return items
