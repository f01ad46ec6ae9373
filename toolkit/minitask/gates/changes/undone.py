"""Find steps of the task that a change certainly leaves out: what it asks for in so many words, and no file has.

"Add a function `parse_size`" is as plain as a command, and a validation of another step does not notice that it was
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from itertools import chain, islice, takewhile
from posixpath import basename

from msgspec import Struct

from minitask.edits.script_model import Reader
from minitask.gates.requested_edits import (
    names_replaced,
    places_to_change,
    removals_asked_for,
    renames_asked_for,
)
from minitask.gates.requested_removals import FENCED, has_name, task_sentences
from minitask.gates.requested_work import (
    exact_texts_asked_for,
    files_in,
    folded,
    names_asked_for,
    names_in_files,
    names_not_in_files,
    names_to_test,
    texts_asked_for,
    with_code,
)
from minitask.gates.result import FileChange, FilesAfter, LintError, last_line, printable
from minitask.gates.source.elisions import comment_text
from minitask.gates.source.parts import definition_named, is_code, parts_of_both
from minitask.gates.source.parts_text import NamedPart
from minitask.gates.validation.test_files import is_test_path
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.spec.paths import is_spec_path

_IS_THERE = lazy_pattern(
    r"(?i)\b(?:already|exist\w*|defined|provided|inherit\w*|generated|imported|elsewhere|is in|is at|comes from)\b"
)
_OTHERWISE = lazy_pattern(r"(?i)\b(?:instead|renamed|called|named|spelled|means?|written)\b")
_IS_DONE = lazy_pattern(r"(?i)\b(?:already|needs? no|no change|as it should|is in|has it)\b")
_MARK = lazy_pattern(r"\s*(?://|/\*|\*|#|@|--|\"\"\"|;|%)")
_DEFINES = lazy_pattern(
    r"\s*(?:(?:export|default|async|pub|static|public|private)\s+)*(?:def|function|fn|func|class|const|let|var|import|from|use)\b"
)
_WILDCARD = lazy_pattern(r"\b(?:import|export)\s*\*\s*(?:from|$)|\bimport \*")
_CODE = lazy_pattern(r"`([^`\n]+)`")


class _Excuse(Enum):
    """What an answer may say of a step that is left out."""

    NONE = auto()
    IS_DONE = auto()
    IS_ELSEWHERE = auto()


class _Fault(Struct, frozen=True):
    """A step that is left out: what it is about, the error, and what excuses it."""

    about: str
    error: LintError
    excuse: _Excuse = _Excuse.NONE


class _Answer(Struct, frozen=True):
    """The lines of an answer to an earlier fault, with what its claims can be checked by."""

    lines: tuple[str, ...]
    pool: str
    candidate: FilesAfter | None

    def excuses(self, fault: _Fault) -> bool:
        """Return True if a line says that a step is done: where its name is, or what stands in its place."""
        lines = () if fault.excuse is _Excuse.NONE else self.lines
        return any(self._excuses(line, fault) for line in lines if fault.about in line)

    def _excuses(self, line: str, fault: _Fault) -> bool:
        if fault.excuse is _Excuse.IS_DONE:
            return _IS_DONE.search(line) is not None
        names = (name for name in _CODE.findall(line) if fault.about not in name)
        if _OTHERWISE.search(line) and any(folded(name) in self.pool for name in names):
            return True
        return _IS_THERE.search(line) is not None and self._is_somewhere(fault.about)

    def _is_somewhere(self, name: str) -> bool:
        """Return True if a file of the repository that is no spec has the name, or if that is not known."""
        if self.candidate is None:
            return True
        return not all(map(is_spec_path, self.candidate.holding(name, [""])))


_TOLD = lazy_pattern(
    r"(?i)(?:\b(?:set|change|raise|lower|increase|decrease|reduce|bump|update)\s+(?:the\s+)?(?:[a-z]+\s+){0,2})?"
    r"(?:`([A-Za-z_][\w-]*)`|(?-i:\b([A-Z][A-Z0-9]{2,}))\b)\s+(?:from\s+\S+\s+to|to|becomes|(?:should|must)\s+(?:now\s+)?be)\s+"
    r"`?(-?\d[\d_.]*|\"[^\"`\n]*\"|'[^'`\n]*'|true|false)`?(?=[\s.,;)]|$)"
)
_REPLACED = lazy_pattern(
    r"(?i)\b(?:replace|swap|substitute|change)\s+(?:the\s+|every\s+|each\s+|all\s+)?(?:[a-z]+\s+){0,2}`([^`]+)`"
    r"\s+(?:by|with|to|for|into)\s+(?:the\s+)?(?:[a-z]+\s+){0,2}`([^`]+)`"
)
_LITERAL = lazy_pattern(r"(?i)-?\d[\d_.]*|\"[^\"]+\"|'[^']+'|true|false")
_UNSURE = lazy_pattern(
    r"(?i)\b(?:not|n't|never|if|unless|when|instead|later|optional\w*|example)\b|n't\b"
)


def find_undone(
    proposals: Sequence[FileChange],
    *,
    spec: Spec,
    read: Reader,
    candidate: FilesAfter | None = None,
    explanation: str = "",
) -> Iterator[LintError]:
    """Yield what the task asks for in so many words, and the change does not do.

    `explanation` answers an earlier fault: it may say that a name is elsewhere, which must be so in the `candidate`.
    """
    edited = [file for file in proposals if file.content != file.base]
    if not edited:
        return
    texts = _read_texts(proposals, spec, read)
    answer = _Answer(tuple(FENCED.sub("\n", explanation).split("\n")), texts.folded, candidate)
    for sentence in _sentences(spec, edited):
        paths = files_in(sentence)
        files = [file for file in edited if not paths or any(map(file.path.endswith, paths))]
        faults = chain(
            _missing(sentence, files[0], texts, spec) if files else (),
            _misplaced(sentence, proposals),
            *(_as_before(file, sentence) for file in files),
        )
        yield from islice((fault.error for fault in faults if not answer.excuses(fault)), 1)
    for file in edited:
        others = tuple(proposal for proposal in proposals if proposal is not file)
        yield from _kept_values(file, others, spec)
        yield from _kept_beside(file, spec)


class _Texts(Struct, frozen=True):
    """The text of all files of the change and the spec's list, before and after, with their paths.

    `folded` has its letters and digits. `has_wildcard`: a file imports or exports names that it does not name.
    """

    text: str
    folded: str
    has_wildcard: bool


def _read_texts(proposals: Sequence[FileChange], spec: Spec, read: Reader) -> _Texts:
    unchanged = {ref.path for ref in spec.writes()} - {file.path for file in proposals}
    parts = chain.from_iterable((f.path, f.content, f.base or "") for f in proposals)
    text = "\n".join((*parts, *(read(path) or "" for path in sorted(unchanged))))
    return _Texts(text, folded(text), _WILDCARD.search(text) is not None)


def _sentences(spec: Spec, files: Iterable[FileChange]) -> Iterator[str]:
    about = chain(*(task_sentences(spec, file.path) for file in files))
    return iter(dict.fromkeys(map(with_code, about)))


def _missing(sentence: str, file: FileChange, texts: _Texts, spec: Spec) -> Iterator[_Fault]:
    """Yield the names, texts, versions and addresses that a sentence asks for, and that no file has."""
    paths = {name for ref in spec.files for name in (ref.path, basename(ref.path))}
    names = () if texts.has_wildcard else names_asked_for(sentence)
    for name in chain(names, texts_asked_for(sentence)):
        if folded(name) not in texts.folded and name not in paths:
            yield _lacking(name, file)
    for exact in exact_texts_asked_for(sentence):
        if exact not in texts.text:
            yield _lacking(exact, file)


def _lacking(name: str, file: FileChange) -> _Fault:
    message = f"the task asks for {printable(name)}, and no file of the change has it"
    remedy = f"do that step, too, or say in a line where {printable(name)} is"
    error = LintError(file.path, last_line(file.content), message, remedy)
    return _Fault(name, error, _Excuse.IS_ELSEWHERE)


def _misplaced(sentence: str, proposals: Sequence[FileChange]) -> Iterator[_Fault]:
    """Yield the names that a sentence wants in a file that lacks them, or no longer in one that has them."""
    for name, path in names_in_files(sentence):
        target = _only_file(path, proposals)
        texts = "" if target is None else f"{target.content}\n{target.base or ''}"
        if target is not None and folded(name) not in folded(texts):
            message = f"the task asks for {printable(name)} in this file, and it is not there"
            error = LintError(target.path, 1, message, "do that step, too")
            yield _Fault(name, error)
    for name, path in names_not_in_files(sentence):
        target = _only_file(path, proposals)
        if (
            target is not None
            and has_name(target.content, name)
            and has_name(target.base or "", name)
        ):
            message = f"the task wants this file without {printable(name)}, and it is there"
            yield _Fault(name, LintError(target.path, 1, message, "remove it"))
    tests = [file for file in proposals if is_test_path(file.path)]
    for name in names_to_test(sentence) if tests else ():
        if not any(folded(name) in folded(file.content) for file in tests):
            message = (
                f"the task asks for a test of {printable(name)}, and no test of the change has it"
            )
            error = LintError(tests[0].path, 1, message, "write that test, too")
            yield _Fault(name, error, _Excuse.IS_ELSEWHERE)


def _only_file(path: str, proposals: Sequence[FileChange]) -> FileChange | None:
    files = [file for file in proposals if f"/{file.path}".endswith(f"/{path}")]
    return files[0] if len(files) == 1 else None


def _as_before(file: FileChange, sentence: str) -> Iterator[_Fault]:
    """Yield what a sentence removes, renames, replaces or changes, and the file has as it had it."""
    if not file.base or not is_code(file.path):
        return
    for name in names_replaced(sentence):
        yield from (_Fault(name, error) for error in _remaining(name, file))
    steps = [
        *((name, "removes it") for name in removals_asked_for(sentence)),
        *((name, "renames it") for name in renames_asked_for(sentence)),
        *((name, "changes it") for name in places_to_change(sentence)),
    ]
    if not steps:
        return
    before, after = parts_of_both(file.path, file.base, file.content)
    for name, step in dict(steps).items():
        had, has = (definition_named(name, parts) for parts in (before, after))
        is_same = (
            had and has and _rows_with_marks(had, file.base) == _rows_with_marks(has, file.content)
        )
        if has and (is_same or (had and step == "renames it")):
            message = f"{printable(name)} is as it was, and the task {step}"
            error = LintError(file.path, has.start, message, "do that step, too")
            yield _Fault(name, error, _Excuse.IS_DONE if step == "changes it" else _Excuse.NONE)


def _rows_with_marks(part: NamedPart, text: str) -> list[str]:
    """Return a definition's lines with the comments, decorators and attributes right above it."""
    above = takewhile(_MARK.match, reversed(text.split("\n")[: part.start - 1]))
    return [*above, *part.rows_of(text)]


def _remaining(name: str, file: FileChange) -> Iterator[LintError]:
    """Yield the first line of code that still has a name of which the task replaces every use."""
    for number, row in enumerate(file.content.split("\n"), 1):
        is_use = has_name(row, name) and comment_text(row) is None
        if is_use and not _DEFINES.match(row):
            message = f"{printable(name)} is still here, and the task replaces every use of it"
            yield LintError(file.path, number, message, "do that step, too")
            return


def _kept_values(
    proposal: FileChange, others: Sequence[FileChange], spec: Spec
) -> Iterator[LintError]:
    """Yield each name that the task sets to a value, and that the file assigns once, still with its old value.

    `others` are the change's other files: the value may be meant for one of them.
    """
    base = proposal.base
    for sentence in _sentences(spec, [proposal]) if base else ():
        files = files_in(sentence)
        is_elsewhere = files and not any(proposal.path.endswith(file) for file in files)
        if is_elsewhere or _UNSURE.search(sentence):
            continue
        for quoted, bare, value in _TOLD.findall(sentence):
            name = quoted or bare
            old, new = _assigned(base or "", name), _assigned(proposal.content, name)
            is_kept = len(old) == len(new) == 1 and old[0][0] == new[0][0]
            is_kept = is_kept and _LITERAL.fullmatch(new[0][0]) is not None
            if not is_kept or _same(old[0][0], value) or _is_set(others, name, value):
                continue
            shown = printable(new[0][0])
            message = (
                f"{printable(name)} is still {shown}, and the task sets it to {printable(value)}"
            )
            yield LintError(proposal.path, new[0][1], message, "set it, too")


def _kept_beside(file: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield each text that the task replaces by another, which the file has now, and the old one as often as before."""
    sentences = list(_sentences(spec, [file])) if file.base else []
    pairs = {
        pair for text in sentences if not _UNSURE.search(text) for pair in _REPLACED.findall(text)
    }
    others = [text for text in sentences if not _REPLACED.search(text)]
    for old, new in sorted(pairs):
        if old not in new and new not in old and not any(old in text for text in others):
            had, has = (_counts(text, old, new) for text in (file.base or "", file.content))
            if 0 < had[0] <= has[0] and had[1] < has[1]:
                line = file.content.count("\n", 0, file.content.index(old)) + 1
                message = f"{printable(old)} is still there, and the task replaces it"
                yield LintError(file.path, line, message, "take the old text out")


def _counts(text: str, *parts: str) -> list[int]:
    return [len(re.findall(rf"(?<!\w){re.escape(part)}(?!\w)", text)) for part in parts]


def _same(first: str, second: str) -> bool:
    return _plain(first) == _plain(second)


def _plain(value: str) -> str | float:
    """Return a literal without quotes and the sign of a range of versions; a number by its value."""
    text = value.strip("\"'` ").lstrip("^~=<>v ").rstrip(".").lower()
    try:
        return float(text)
    except ValueError:
        return text


def _is_set(files: Sequence[FileChange], name: str, value: str) -> bool:
    literals = (literal for file in files for literal, _ in _assigned(file.content, name))
    return any(_same(literal, value) for literal in literals)


def _assigned(text: str, name: str) -> list[tuple[str, int]]:
    """Return the literals that a file assigns to a name, each with its line; something else counts as one, too."""
    pattern = re.compile(
        rf"(?<![\w.-]){re.escape(name)}[\"']?(?:\s*:\s*[A-Za-z_&'][\w<>&' ]{{0,40}}=|\s*:?=(?!=)|\s*:)[ \t]*([^\n;,#]*)"
    )
    places = (
        (match[1].strip(), text.count("\n", 0, match.start()) + 1)
        for match in pattern.finditer(text)
    )
    return [(value.rstrip("});"), line) for value, line in places]
