"""Find definitions that a task moves to another file and that a change also leaves in place.

A case is certain if the task cites the lines to edit and both files hold them unchanged, if a sentence moves the
definition by name, or if the file now imports another definition of that name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from posixpath import splitext

from minitask.edits.script_model import Locate
from minitask.errors import EditError
from minitask.gates.exports import declared_names, named_imports
from minitask.gates.grammars import SCRIPTS
from minitask.gates.parts import parts_of_both
from minitask.gates.parts_text import NamedPart
from minitask.gates.python_source import parsed_python
from minitask.gates.requested_removals import has_name, task_sentences
from minitask.gates.result import FileChange, LintError, printable
from minitask.gates.shrinkage import gained_parts
from minitask.patterns import lazy_pattern
from minitask.spec.model import LineRange, Spec

_MOVES = lazy_pattern(r"\b(?:mov(?:e[sd]?|ing)|extract(?:s|ed|ing)?|relocat(?:e[sd]?|ing))\b", 2)
_STAYS = lazy_pattern(
    r"\b(?:cop(?:y|ies|ied|ying)|duplicat\w*|keep\w*|kept|stays?|remains?|leav\w+|left|also|both|again)\b",
    2,
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
        texts = (
            _rows(proposal.base or "", part),
            _rows(proposal.content, still),
            _rows(receiver.content, copy),
        )
        if texts[0] == texts[1] == texts[2] and _is_to_move(part, proposal.path, spec, locate):
            name = printable(part.shown)
            message = (
                f"{name} is still here, and in {printable(receiver.path)}, where it is to be moved"
            )
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
        line = next(
            number
            for number, row in enumerate(proposal.content.split("\n"), 1)
            if has_name(row, name)
        )
        message = f"it imports {printable(name)}, and defines it, too"
        return LintError(proposal.path, line, message, "keep one of them")
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
