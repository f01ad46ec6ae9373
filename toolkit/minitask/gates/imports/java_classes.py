"""Find Java that does not fit its file or the classes beside it: names of types, packages, static members.

A member counts as missing only in a class of the repository that inherits nothing and that no annotation extends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.unresolved import did_you_mean, is_sample
from minitask.gates.result import FilesAfter, LintError, holds, join, printable
from minitask.gates.source.grammars import sound_tree
from minitask.gates.source.name_uses import bound_among
from minitask.spec.bash import node_text, walk
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES = word_set("""
class_declaration interface_declaration enum_declaration record_declaration annotation_type_declaration
""")
_INHERITS = frozenset({"superclass", "super_interfaces", "extends_interfaces"})
_HARMLESS = word_set(
    "@Deprecated @SuppressWarnings @FunctionalInterface @Nullable @NonNull @Immutable @ThreadSafe"
)
_OF_ALL = word_set("""
clone equals finalize getClass hashCode length name notify notifyAll of ordinal toString valueOf values wait
""")
"""Members of every class, enum or record."""


def find_java_faults(
    changes: Sequence[Change], *, read: Reader, candidate: FilesAfter
) -> Iterator[LintError]:
    """Yield the types and packages that are in the wrong file, and the static members that a class lacks."""
    texts = {
        c.path: c.content for c in changes if c.path.endswith(".java") and not is_sample(c.path)
    }
    for path, text in texts.items():
        root, base = sound_tree(text or "", ".java"), read(path)
        if root is not None and text:
            yield from _misplaced(path, root, base or "", candidate)
            yield from _missing(path, text, base or "", candidate, frozenset(texts))
    for path, text in texts.items():
        gone = (members(read(path) or "", path) or frozenset()) - (
            members(text or "", path) or frozenset()
        )
        name = basename(path).removesuffix(".java")
        for user in candidate.holding(name, (".java",)) if gone and text else ():
            if user not in texts and not is_sample(user):
                user_text = candidate.read(user) or ""
                yield from _missing(user, user_text, "", candidate, frozenset(texts), gone)


def _misplaced(path: str, root: Node, base: str, candidate: FilesAfter) -> Iterator[LintError]:
    """Yield a public type that is not named after its file, and a package that is not the folder's."""
    stem = basename(path).removesuffix(".java")
    types = [node for node in root.children if node.type in _TYPES]
    public = [n for n in types if "public" in node_text(n.named_children[0]).split()]
    for node in public:
        name = node_text(node.child_by_field_name("name"))
        if name != stem and name not in base and stem[:1].isupper():
            line = node.start_point.row + 1
            message = f"the public type {printable(name)} is in {printable(basename(path))}"
            yield LintError(
                path,
                line,
                message,
                f"a public type is in the file of its name, {printable(name)}.java",
            )
    package = _package(root)
    if base or not package:
        return
    for entry in sorted(candidate.names(dirname(path))):
        sibling = join(dirname(path), entry)
        if entry.endswith(".java") and sibling != path:
            beside = _package(sound_tree(candidate.read(sibling) or "", ".java"))
            if beside and beside != package:
                message = f"package {printable(package)} is beside package {printable(beside)} of {printable(entry)}"
                yield LintError(
                    path, 1, message, "name the folder's package, or use another folder"
                )
            return


def _package(root: Node | None) -> str:
    nodes = (
        (n for n in root.children if n.type == "package_declaration") if root is not None else ()
    )
    return next((node_text(node.named_children[-1]) for node in nodes), "")


def _missing(
    path: str,
    text: str,
    base: str,
    candidate: FilesAfter,
    touched: frozenset[str],
    only: frozenset[str] | None = None,
) -> Iterator[LintError]:
    root = sound_tree(text, ".java")
    uses = list(_uses(root)) if root is not None else []
    if root is None or not uses:
        return
    inner = {node_text(n.child_by_field_name("name")) for n in walk(root) if n.type in _TYPES}
    owners = {owner for owner, _, _ in uses} - inner
    files = {owner: _file_of(path, root, owner, candidate) for owner in owners}
    bound = bound_among(root, {owner for owner, file in files.items() if file})
    classes = {
        owner: members(candidate.read(file) or "", file)
        for owner, file in files.items()
        if file and owner not in bound
    }
    for owner, name, line in uses:
        names = classes.get(owner)
        is_old = f"{owner}.{name}" in base and files.get(owner) not in touched
        if names is None or name in names or is_old or (only is not None and name not in only):
            continue
        near = did_you_mean(name, names)
        message = f"{printable(files[owner])} has no {printable(name)}"
        message += f'; did you mean "{printable(near)}"?' if near else ""
        yield LintError(path, line, message, "use what is there, or create it in this change")


def _uses(root: Node) -> Iterator[tuple[str, str, int]]:
    """Yield the class, the name and the line of each static call and field, and of each call of a new object."""
    for node in walk(root):
        owner = node.child_by_field_name("object")
        if owner is not None and owner.type == "object_creation_expression":
            has_body = any(child.type == "class_body" for child in owner.children)
            owner = None if has_body else owner.child_by_field_name("type")
        if node.type not in {"method_invocation", "field_access"} or owner is None:
            continue
        name = node.child_by_field_name("name") or node.child_by_field_name("field")
        is_name = name is not None and name.type == "identifier"
        is_class = owner.type in {"identifier", "type_identifier"}
        if name is not None and is_name and is_class and node_text(owner)[:1].isupper():
            yield node_text(owner), node_text(name), node.start_point.row + 1


def _file_of(path: str, root: Node, owner: str, candidate: FilesAfter) -> str:
    """Return the file of a class that a file imports, or that is beside it; empty if it is not certain."""
    imports = [node_text(n).rstrip(" ;") for n in root.children if n.type == "import_declaration"]
    named = [line.split()[-1] for line in imports if line.endswith(f".{owner}")]
    if not named and any("*" in line for line in imports):
        return ""
    folder, package = dirname(path), _package(root).replace(".", "/")
    file = join(folder, f"{owner}.java")
    if named:
        is_rooted = bool(package) and folder.endswith(package)
        top = folder.removesuffix(package)
        file = f"{top}{named[0].replace('.', '/')}.java" if is_rooted else ""
    return file if file and holds(candidate, file) else ""


def members(text: str, path: str) -> frozenset[str] | None:
    """Return the names of what a file's one class has, or None if it may have more."""
    root = sound_tree(text, ".java")
    stem = basename(path).removesuffix(".java")
    types = [node for node in root.children if node.type in _TYPES] if root is not None else []
    owner = next((n for n in types if node_text(n.child_by_field_name("name")) == stem), None)
    if owner is None or any(child.type in _INHERITS for child in owner.children):
        return None
    marks = [word for word in node_text(owner.named_children[0]).split() if word.startswith("@")]
    if any(mark.partition("(")[0] not in _HARMLESS for mark in marks):
        return None
    names: set[str] = set(_OF_ALL)
    waiting = [owner.child_by_field_name("body")]
    while waiting:
        node = waiting.pop()
        for child in node.named_children if node is not None else ():
            if child.type == "enum_body_declarations":
                waiting.append(child)
            names.update(map(node_text, _names_in(child)))
    return frozenset(names)


def _names_in(member: Node) -> Iterator[Node]:
    """Yield the names that a member of a class declares."""
    name = member.child_by_field_name("name")
    if name is not None:
        yield name
    for child in member.named_children:
        inner = child.child_by_field_name("name") if child.type == "variable_declarator" else None
        if inner is not None:
            yield inner
