"""Imports that a change adds and that find nothing: modules that are not there, names that a module does not have.

Only what is new counts: an import that the file had before is none of the change's doing, nor one that came with code
from another file of the base, as long as the change leaves alone what it imports. What the spec itself writes or names
is right, even where another task is yet to make it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from posixpath import splitext

from minitask.edits.script_model import Change, Reader
from minitask.gates.candidate import FilesAfter
from minitask.gates.exemptions import is_sample
from minitask.gates.grammars import GRAMMARS
from minitask.gates.javascript_imports import find_missing_javascript, javascript_wants
from minitask.gates.python_imports import find_missing_python, python_wants
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.unresolved import RequestedModule, UnresolvedImport
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

Find = Callable[[str, str, FilesAfter], Iterator[UnresolvedImport]]
Want = Callable[[str, str], RequestedModule]

_REMEDY = "import what is there, or create it in this change"
# Comments that say that a tool does not find an import either.
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
    """The imports of a proposal that are new and certainly find nothing in the candidate.

    `changes` are all that the candidate is made of, `read` gives the base's files.
    """
    language = _language(proposal.path)
    if language is None or is_sample(proposal.path):
        return
    find, want = language
    excused: list[RequestedModule] = []
    lines = proposal.content.split("\n")
    for missing in find(proposal.path, proposal.content, candidate):
        if _is_known(lines, missing.line) or _is_named(missing, spec):
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
        return find_missing_python, python_wants
    grammar = GRAMMARS.get(ending)
    if grammar is not None and grammar.name in {"JavaScript", "TypeScript"}:
        return find_missing_javascript, javascript_wants
    return None


def _is_known(lines: Sequence[str], line: int) -> bool:
    """Return True if a comment at an import, or above it, says that it is not found."""
    return any(_KNOWN.search(text) for text in lines[max(line - 2, 0) : line])


def _before(
    proposal: FileChange, changes: Sequence[Change], *, read: Reader, want: Want
) -> RequestedModule:
    """Return what the file itself imported in the base, from where it was then."""
    moved = {change.path: change.mode_from for change in changes}
    path = moved.get(proposal.path) if read(proposal.path) is None else None
    return want(path or proposal.path, proposal.base or "")


def _around(
    proposal: FileChange, changes: Sequence[Change], *, read: Reader, spec: Spec
) -> RequestedModule:
    """Return what the other files of the change and of the spec import in the base."""
    paths = {*(change.path for change in changes), *(ref.path for ref in spec.files)}
    all_imports = []
    for path in sorted(paths - {proposal.path}):
        language = _language(path)
        text = read(path) if language is not None else None
        if language is not None and text is not None:
            all_imports.append(language[1](path, text))
    return RequestedModule(
        frozenset().union(*(file_imports.modules for file_imports in all_imports)),
        frozenset().union(*(file_imports.names for file_imports in all_imports)),
    )


def _is_touched(missing: UnresolvedImport, changes: Sequence[Change]) -> bool:
    """Return True if the change itself edits, creates or deletes what the import looks for."""
    starts = (missing.target + ".", missing.target + "/")
    return any(
        change.path == missing.target or change.path.startswith(starts) for change in changes
    )


def _is_named(missing: UnresolvedImport, spec: Spec) -> bool:
    """Return True if the spec has the import, or names the missing file as another task's."""
    text = _text(spec)
    if missing.name:
        module = re.escape(missing.written.split()[1])
        pattern = rf"from\s+{module}\s+import\s+(?:\([^)]*|[^\n]*)\b{re.escape(missing.name)}\b"
        return re.search(pattern, text) is not None
    prefixes = tuple(missing.target + ending for ending in (".", "/__init__.", "/index."))
    if any(ref.path.startswith(prefixes) for ref in spec.writes()):
        return False
    module = missing.written.rsplit(" import ", 1)[0]
    dotted = missing.target.removeprefix("src/").replace("/", ".")
    spellings = (module, dotted, missing.target.removeprefix("src/"))
    return any(re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", text) for word in spellings)


def _text(spec: Spec) -> str:
    """All that a spec says."""
    parts = [
        spec.title,
        spec.task,
        spec.context,
        spec.snippets_text,
        spec.on_failure,
        spec.next_task,
    ]
    parts += [fence.content for fence in spec.snippets]
    parts += [criterion.text for criterion in spec.criteria]
    parts += [f"{ref.path} {ref.note}" for ref in spec.files]
    parts += [command.text for command in spec.commands]
    return "\n".join(parts)
