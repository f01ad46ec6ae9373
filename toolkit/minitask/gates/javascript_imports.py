"""JavaScript's and TypeScript's relative imports: whether a file or folder is where they look.

Only paths are judged, and generously: any ending may be one that a bundler knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, normpath, splitext
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.gates.candidate import EntryKind, FilesAfter, find_kind, join
from minitask.gates.exemptions import may_be_made
from minitask.gates.grammars import GRAMMARS, parsed
from minitask.gates.syntax import LARGEST
from minitask.gates.unresolved import RequestedModule, UnresolvedImport, did_you_mean
from minitask.patterns import lazy_pattern

if TYPE_CHECKING:
    from tree_sitter import Node

_SPECIFIER = lazy_pattern(r"""(["'`])(\.{1,2}(?:/[^"'`\\\n]*)?)\1""")
_PACKAGE = lazy_pattern(r"""(["'`])((?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*(?:/[\w./-]*)?)\1""")
_BUILT_IN_NAMES = """
assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel
dns domain electron events fs http http2 https inspector module net os path perf_hooks process
punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8
vm vscode wasi worker_threads zlib
"""
BUILT_IN = frozenset(_BUILT_IN_NAMES.split())
"""Modules that come with a runtime."""
# What a bundler, not a path, is told: `?raw`, `!loader`, `*`, `${…}`, an alias of a route.
_TOLD = lazy_pattern(r"[?!*${}#|%<>]")
_SCRIPTS = frozenset({".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts"})
_STYLES = frozenset({".css", ".scss", ".sass", ".less", ".styl"})
# Files that go with a module of the name, and are none.
_BESIDE = lazy_pattern(r"^(?:bench|cy|e2e|map|md|mdx|snap|spec|stories|story|test|tests)\b")
_STATEMENTS = frozenset({"import_statement", "export_statement", "import_require_clause"})
_DEEPEST = 200


class Specifier(Struct, frozen=True):
    """A relative path that a file imports, and where from 1 on."""

    line: int
    text: str
    guarded: bool


def find_missing_javascript(
    path: str, text: str, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    """The relative imports of a file that certainly find nothing."""
    for specifier in _specifiers(path, text):
        target = _target(path, specifier.text)
        if (
            specifier.guarded
            or target is None
            or _TOLD.search(specifier.text)
            or _resolves(target, candidate)
        ):
            continue
        if may_be_made(_stem(target), candidate):
            continue
        near = _near(path, target, candidate)
        message = f"there is no {target}" + (f'; did you mean "{near}"?' if near else "")
        yield UnresolvedImport(specifier.line, f"import '{specifier.text}'", message, _stem(target))


def javascript_wants(path: str, text: str) -> RequestedModule:
    """All that a file imports by a relative path."""
    targets = (_target(path, specifier.text) for specifier in _specifiers(path, text))
    return RequestedModule(frozenset(_stem(target) for target in targets if target is not None))


def find_packages(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the packages, of `@scope/name/part` the first two, that a file imports for sure, with their lines."""
    for specifier in _specifiers(path, text, _PACKAGE):
        parts = specifier.text.split("/")
        name = "/".join(parts[: 2 if specifier.text.startswith("@") else 1])
        if not specifier.guarded and name not in BUILT_IN:
            yield specifier.line, name


def _specifiers(path: str, text: str, pattern: re.Pattern[str] = _SPECIFIER) -> Iterator[Specifier]:
    if len(text) > LARGEST:
        return
    grammar = GRAMMARS[splitext(path)[1].lower()]
    matches = tuple(pattern.finditer(text))
    root = parsed(text, grammar) if matches else None
    if root is None:
        return
    at, before = 0, 0
    for match in matches:
        before += len(text[at : match.start()].encode("utf-8", "surrogateescape"))
        at = match.start()
        node = root.descendant_for_byte_range(before, before + 1)
        if node is not None and _is_import(node):
            yield Specifier(node.start_point.row + 1, match[2], _is_guarded(node))


def _is_import(node: Node) -> bool:
    """Return True if a quote begins the path of an import, not a text, a comment, or a part of either."""
    literal = node.parent
    if literal is None or literal.type not in {"string", "template_string"}:
        return False
    if literal.start_byte != node.start_byte or literal.parent is None:
        return False
    holder = literal.parent
    if holder.type in _STATEMENTS:
        return not holder.has_error
    call = holder.parent
    if holder.type != "arguments" or call is None or call.type != "call_expression":
        return False
    called = call.child_by_field_name("function")
    return (
        called is not None
        and called.text in {b"require", b"import"}
        and holder.named_child(0) == literal
    )


def _is_guarded(node: Node) -> bool:
    """Return True if the file goes on without the import: below a `try`, or where a promise's failure is caught."""
    above: Node | None = node
    for _ in range(_DEEPEST):
        above = above.parent if above is not None else None
        if above is None:
            return False
        if above.type == "try_statement" or above.is_error:
            return True
        if above.type == "call_expression":
            called = above.child_by_field_name("function")
            if called is not None and (called.text or b"").endswith((b".catch", b"mock")):
                return True
    return True


def _target(path: str, specifier: str) -> str | None:
    """The path from the root; None where it leads out of the repository."""
    target = normpath(join(dirname(path), specifier))
    if target == ".." or target.startswith(("../", "/")):
        return None
    return "" if target == "." else target


def _stem(target: str) -> str:
    """The path without the ending of a script."""
    stem, ending = splitext(target)
    return stem if ending in _SCRIPTS else target


def _resolves(target: str, candidate: FilesAfter) -> bool:
    """Return True if a bundler could find something at the path, or if that cannot be told."""
    kind = find_kind(candidate, target)
    if kind is EntryKind.FOLDER:
        names = candidate.names(target)
        return (
            not names
            or any(name == "package.json" or name.startswith("index.") for name in names)
            or _has_file(target, candidate)
        )
    return kind is not None or _has_file(target, candidate)


def _has_file(target: str, candidate: FilesAfter) -> bool:
    folder = dirname(target)
    if find_kind(candidate, folder) is EntryKind.UNKNOWN:
        return True
    stem, ending = splitext(basename(target))
    starts = [basename(target) + "."]
    if ending in _SCRIPTS or ending in _STYLES:
        starts.append(stem + ".")
    return any(
        name.startswith(start) and not _BESIDE.match(name[len(start) :])
        for name in candidate.names(folder)
        for start in starts
    )


def _near(path: str, target: str, candidate: FilesAfter) -> str:
    """The specifier of what is nearest to the missing file: of the same name further up or down, or of a like one."""
    folder, name = dirname(target), basename(target)
    source_folder = dirname(path)
    for other_folder in dict.fromkeys(
        (source_folder, dirname(source_folder), dirname(folder), dirname(dirname(source_folder)))
    ):
        if other_folder != folder and _resolves(join(other_folder, name), candidate):
            return _written(source_folder, join(other_folder, name))
    ending = splitext(name)[1] if splitext(name)[1] in _SCRIPTS else ""
    near = did_you_mean(name.removesuffix(ending), _modules(candidate.names(folder)))
    return _written(source_folder, join(folder, near) + ending) if near else ""


def _modules(names: Mapping[str, EntryKind]) -> set[str]:
    """Return what may be imported from a folder, as it is written."""
    scripts = {name: splitext(name) for name, kind in names.items() if kind is EntryKind.FILE}
    files = {stem if ending in _SCRIPTS else name for name, (stem, ending) in scripts.items()}
    importable = {name for name in files if not _BESIDE.match(name.rsplit(".", 1)[-1])}
    return importable | {name for name, kind in names.items() if kind is EntryKind.FOLDER}


def _written(folder: str, target: str) -> str:
    """The path of a target from a folder, as an import has it."""
    start, end = folder.split("/") if folder else [], target.split("/")
    same = 0
    while same < min(len(start), len(end) - 1) and start[same] == end[same]:
        same += 1
    ups = "../" * (len(start) - same)
    return (ups or "./") + "/".join(end[same:])
