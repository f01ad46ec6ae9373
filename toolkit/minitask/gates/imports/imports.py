"""Find imports added by a change that do not resolve: missing modules, and names that a module lacks.

Old imports do not count, nor do imports that came with code from another file of the base, unless the change touches
the imported module. An import that the spec itself contains or names is right, even if another task has yet to create
its target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from posixpath import basename, dirname, normpath, splitext
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.edits.script_model import Change, Reader
from minitask.gates.imports.exports import used_names
from minitask.gates.imports.python_attributes import find_missing_attributes, used_attributes
from minitask.gates.imports.python_imports import find_missing_python, module_paths, python_wants
from minitask.gates.imports.script_names import BESIDE, find_missing_names, without_script_ending
from minitask.gates.imports.unresolved import (
    RequestedModule,
    UnresolvedImport,
    did_you_mean,
    is_sample,
    may_be_made,
)
from minitask.gates.requested_removals import says_name
from minitask.gates.result import (
    EntryKind,
    FileChange,
    FilesAfter,
    LintError,
    find_kind,
    join,
    printable,
)
from minitask.gates.source.grammars import GRAMMARS, SCRIPTS, parsed
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

if TYPE_CHECKING:
    from tree_sitter import Node

Find = Callable[[str, str, FilesAfter], Iterator[UnresolvedImport]]
Want = Callable[[str, str], RequestedModule]

_REMEDY = "import what is there, or create it in this change"
# Comments that tell other tools that an import is not found.
_KNOWN = lazy_pattern(
    r"(?:#|//).*(?:type: ?ignore|pyright: ?ignore|import-error|no-name-in-module|E0401|E0611|@ts-)"
)


def find_unresolved_imports(
    proposal: FileChange,
    *,
    changes: Sequence[Change],
    read: Reader,
    spec: Spec,
    candidate: FilesAfter,
) -> Iterator[LintError]:
    """Yield the proposal's new imports that certainly do not resolve in the candidate.

    `changes` are all changes of the candidate; `read` returns a file of the base.
    """
    language = _language(proposal.path)
    if language is None or is_sample(proposal.path):
        return
    find, want = language
    excused: list[RequestedModule] = []
    for missing in find(proposal.path, proposal.content, candidate):
        if is_excused_line(proposal.content, missing.line) or is_in_spec(missing, spec):
            continue
        if not excused:
            excused.append(_before(proposal, changes, read=read, want=want))
            excused.append(_around(proposal, changes, read=read, spec=spec))
        before, around = excused
        if before.has(missing) or (around.has(missing) and not _is_touched(missing, changes)):
            continue
        message = printable(f'"{missing.written}" finds nothing: {missing.message}')
        yield LintError(proposal.path, missing.line, message, _REMEDY)


def _language(path: str) -> tuple[Find, Want] | None:
    ending = splitext(path)[1].lower()
    if ending == ".py":
        return find_all_python, _all_python_wants
    return (_find_all_javascript, javascript_wants) if ending in SCRIPTS else None


def is_excused_line(text: str, line: int) -> bool:
    """Return True if a comment at the import, or on the line above, says that it is not found."""
    lines = text.split("\n")
    return any(_KNOWN.search(row) for row in lines[max(line - 2, 0) : line])


def _before(
    proposal: FileChange, changes: Sequence[Change], *, read: Reader, want: Want
) -> RequestedModule:
    """Return the imports of the file itself in the base, at its path before a move."""
    moved = {change.path: change.mode_from for change in changes}
    path = moved.get(proposal.path) if read(proposal.path) is None else None
    return want(path or proposal.path, proposal.base or "")


def _around(
    proposal: FileChange, changes: Sequence[Change], *, read: Reader, spec: Spec
) -> RequestedModule:
    """Return what the other files of the change and of the spec import in the base."""
    paths = {*(change.path for change in changes), *(ref.path for ref in spec.files)}
    modules: set[str] = set()
    names: set[tuple[str, str]] = set()
    for path in paths - {proposal.path}:
        language = _language(path)
        text = read(path) if language is not None else None
        if language is not None and text is not None:
            file_imports = language[1](path, text)
            modules |= file_imports.modules
            names |= file_imports.names
    return RequestedModule(frozenset(modules), frozenset(names))


def _is_touched(missing: UnresolvedImport, changes: Sequence[Change]) -> bool:
    """Return True if the change edits, creates or deletes the imported module."""
    paths = (change.path for change in changes)
    starts = (missing.target + ".", missing.target + "/")
    return any(path == missing.target or path.startswith(starts) for path in paths)


def is_in_spec(missing: UnresolvedImport, spec: Spec) -> bool:
    """Return True if the spec contains the import, or names the missing file as another task's."""
    text = _text(spec)
    if missing.name:
        module = re.escape(missing.written.split()[1])
        name = re.escape(missing.name)
        pattern = rf"from\s+{module}\s+import\s+(?:\([^)]*|[^\n]*)\b{name}\b"
        in_script = rf"\b{name}\b[^\n;]{{0,200}}[\"'`]{module}[\"'`]"
        return re.search(f"{pattern}|{in_script}", text) is not None
    prefixes = tuple(missing.target + ending for ending in (".", "/__init__.", "/index."))
    if any(ref.path.startswith(prefixes) for ref in spec.writes()):
        return False
    module = missing.written.rsplit(" import ", 1)[0]
    dotted = missing.target.removeprefix("src/").replace("/", ".")
    spellings = (module, dotted, missing.target.removeprefix("src/"))
    return any(says_name(text, word) for word in spellings)


def _text(spec: Spec) -> str:
    parts = [spec.title, spec.task, spec.context, spec.snippets_text, spec.on_failure]
    parts += [spec.next_task, *(fence.content for fence in spec.snippets)]
    parts += [criterion.text for criterion in spec.criteria]
    parts += [f"{ref.path} {ref.note}" for ref in spec.files]
    parts += [command.text for command in spec.commands]
    return "\n".join(parts)


_SPECIFIER = lazy_pattern(r"""(["'`])(\.{1,2}(?:/[^"'`\\\n]*)?)\1""")
_PACKAGE = lazy_pattern(r"""(["'`])((?:@[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*(?:/[\w./-]*)?)\1""")
BUILT_IN = word_set("""
assert async_hooks buffer child_process cluster console constants crypto dgram diagnostics_channel
dns domain electron events fs http http2 https inspector module net os path perf_hooks process
punycode querystring readline repl stream string_decoder sys timers tls trace_events tty url util v8
vm vscode wasi worker_threads zlib
""")
"""Modules built into a runtime."""
# Characters of bundler specifiers that are not plain paths: `?raw`, `!loader`, `*`, `${…}`, route aliases.
_TOLD = lazy_pattern(r"[?!*${}#|%<>]")
_STYLES = frozenset({".css", ".scss", ".sass", ".less", ".styl"})
_STATEMENTS = frozenset({"import_statement", "export_statement", "import_require_clause"})
_DEEPEST = 200


class Specifier(Struct, frozen=True):
    """A path or package that a file imports, with its line (from 1); `guarded` if the file handles a failure."""

    line: int
    text: str
    guarded: bool


def find_missing_javascript(
    path: str, text: str, candidate: FilesAfter
) -> Iterator[UnresolvedImport]:
    """Yield the relative imports of a file that certainly do not resolve."""
    for specifier in _specifiers(path, text):
        target = _target(path, specifier.text)
        if specifier.guarded or target is None or _TOLD.search(specifier.text):
            continue
        if _resolves(target, candidate) or may_be_made(without_script_ending(target), candidate):
            continue
        near = _near(path, target, candidate)
        message = f"there is no {target}" + (f'; did you mean "{near}"?' if near else "")
        yield UnresolvedImport(
            specifier.line, f"import '{specifier.text}'", message, without_script_ending(target)
        )


def find_all_python(path: str, text: str, candidate: FilesAfter) -> Iterator[UnresolvedImport]:
    """Yield the imports of a file that certainly do not resolve, and the attributes that its modules lack."""
    yield from find_missing_python(path, text, candidate)
    yield from find_missing_attributes(path, text, candidate)


def _all_python_wants(path: str, text: str) -> RequestedModule:
    wants = python_wants(path, text)
    uses = used_attributes(text)
    names = ((stem, use.name) for use in uses for stem in module_paths(path, use.module, use.level))
    return RequestedModule(wants.modules, wants.names | frozenset(names))


def _find_all_javascript(path: str, text: str, candidate: FilesAfter) -> Iterator[UnresolvedImport]:
    yield from find_missing_javascript(path, text, candidate)
    yield from find_missing_names(path, text, candidate)


def javascript_wants(path: str, text: str) -> RequestedModule:
    """Return all relative imports of a file, and the names that it takes from them."""
    targets = (_target(path, specifier.text) for specifier in _specifiers(path, text))
    used = ((_target(path, name.source), name.name) for name in used_names(path, text))
    return RequestedModule(
        frozenset(without_script_ending(target) for target in targets if target is not None),
        frozenset((without_script_ending(target), name) for target, name in used if target),
    )


def find_packages(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each package that a file certainly imports (`@scope/name` or `name`)."""
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
    """Return True if the quote opens the path of an import, not a part of another string, comment or template."""
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
    imports = called is not None and called.text in {b"require", b"import"}
    return imports and holder.named_children[:1] == [literal]


def _is_guarded(node: Node) -> bool:
    """Return True if the file handles a failure of the import: within `try`, or with `.catch` or a mock."""
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
    """Return the path from the root, or None if it is outside the repository."""
    target = normpath(join(dirname(path), specifier))
    if target == ".." or target.startswith(("../", "/")):
        return None
    return "" if target == "." else target


def _resolves(target: str, candidate: FilesAfter) -> bool:
    """Return True if a bundler could resolve the path, or if that is unknown."""
    kind = find_kind(candidate, target)
    names = candidate.names(target) if kind is EntryKind.FOLDER else ()
    if kind is not None and not names:
        return True
    is_package = any(name == "package.json" or name.startswith("index.") for name in names)
    return is_package or _has_file(target, candidate)


def _has_file(target: str, candidate: FilesAfter) -> bool:
    folder = dirname(target)
    if find_kind(candidate, folder) is EntryKind.UNKNOWN:
        return True
    stem, ending = splitext(basename(target))
    starts = {basename(target) + ".", *([stem + "."] if ending in SCRIPTS | _STYLES else [])}
    return any(
        name.startswith(start) and not BESIDE.match(name[len(start) :])
        for name in candidate.names(folder)
        for start in starts
    )


def _near(path: str, target: str, candidate: FilesAfter) -> str:
    """Return the specifier of the nearest match: the same name in a nearby folder, or a similar name."""
    folder, name = dirname(target), basename(target)
    source_folder = dirname(path)
    for other_folder in dict.fromkeys(
        (source_folder, dirname(source_folder), dirname(folder), dirname(dirname(source_folder)))
    ):
        if other_folder != folder and _resolves(join(other_folder, name), candidate):
            return _written(source_folder, join(other_folder, name))
    ending = splitext(name)[1] if splitext(name)[1] in SCRIPTS else ""
    near = did_you_mean(name.removesuffix(ending), _modules(candidate.names(folder)))
    return _written(source_folder, join(folder, near) + ending) if near else ""


def _modules(names: Mapping[str, EntryKind]) -> set[str]:
    """Return the names that can be imported from a folder, as an import spells them."""
    scripts = {name: splitext(name) for name, kind in names.items() if kind is EntryKind.FILE}
    files = {stem if ending in SCRIPTS else name for name, (stem, ending) in scripts.items()}
    importable = {name for name in files if not BESIDE.match(name.rsplit(".", 1)[-1])}
    return importable | {name for name, kind in names.items() if kind is EntryKind.FOLDER}


def _written(folder: str, target: str) -> str:
    """Return the target's relative path from a folder, as an import spells it."""
    start, end = folder.split("/") if folder else [], target.split("/")
    same = 0
    while same < min(len(start), len(end) - 1) and start[same] == end[same]:
        same += 1
    ups = "../" * (len(start) - same)
    return (ups or "./") + "/".join(end[same:])
