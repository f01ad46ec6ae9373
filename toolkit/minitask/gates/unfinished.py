"""Work that a change leaves to others: TODO and its kin in comments, bodies that do nothing, calls that only raise.

Only what the change adds counts, and nothing that the spec itself says or shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from posixpath import basename, splitext

from msgspec import Struct

from minitask.gates.elisions import comment_text
from minitask.gates.grammars import GRAMMARS, parsed
from minitask.gates.lint_error import FileChange, LintError, quoted
from minitask.gates.syntax import LARGEST
from minitask.gates.unfinished_python import find_unfinished_python, python_comments
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

Known = Callable[[], frozenset[str]]

_PROSE = frozenset(
    {".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org", ".txt", ".tex", ""}
)
_MARK = lazy_pattern(
    r"\b(?:TODO|FIXME)\b|^\W*(?:XXX|PLACEHOLDER|TBD)\b|\b(?:XXX|PLACEHOLDER):|^\W*(?:todo|fixme|placeholder)\s*[:(]"
)
_PHRASE = lazy_pattern(
    r"\b(?:your|the|actual|real|more|rest of (?:the|your)) (?:own )?(?:code|logic|implementation)"
    r"(?: goes| comes)? here\b"
    r"|\b(?:code|logic|implementation)s? (?:goes|comes) here\b|\badd your \w+(?: \w+)? here\b"
    r"|\bimplement (?:me|this|it|here|later)\b|\b(?:to be|not yet) (?:implemented|done|written|filled in)\b"
    r"|\bnot implemented yet\b|\bplaceholder (?:for|implementation|logic|code|value|until)\b"
    r"|^\W*(?:implement|implementation|placeholder|stub|omitted)\W*$|\bfill (?:this |me )?in\b(?! by| from| with)"
    r"|\bin a real (?:app\w*|implementation|world)\b",
    re.IGNORECASE,
)
_PROSE_MARK = lazy_pattern(
    r"^[\s>*#-]*(?:TODO|FIXME|TBD|XXX)\s*(?::|$)|^[\s>*-]*(?:TODO|FIXME|XXX)[ ,-]+[a-z]\w* "
    r"|[\[<(]\s*(?:TODO|FIXME|TBD|PLACEHOLDER)\b[^\])>]*[\])>]|<!--\s*(?:TODO|FIXME|XXX|TBD|PLACEHOLDER)"
)
_DATA = frozenset({".json", ".jsonc", ".csv", ".tsv"})
_DATA_MARK = lazy_pattern(
    r"[\"'](?:TODO|FIXME|XXX|TBD)\b|(?://|#)\s*(?:TODO|FIXME|XXX)\b|(?:^|,)\s*(?:TODO|FIXME|XXX)\b"
)
_TRAILING = lazy_pattern(r"(?:^|\s)(?:#|//|/\*|--|<!--|;|%)\s?(.*)$")
_STATEMENTS = {
    ".rs": lazy_pattern(r"\b(?:todo|unimplemented)!\s*[(\[{]"),
    ".go": lazy_pattern(
        r"\bpanic\(\s*[\"`](?i:.{0,40}(?:not (?:yet )?implemented|todo|implement me|unimplemented))"
    ),
    ".java": lazy_pattern(
        r"\bthrow\s+new\s+\w+\(\s*\"(?i:.{0,40}(?:not (?:yet )?implemented|todo))"
    ),
    ".js": lazy_pattern(
        r"\bthrow\s+(?:new\s+)?\w+\(\s*[\"'`]"
        r"(?i:.{0,40}(?:not (?:yet )?implemented|todo\b|unimplemented))"
    ),
    ".kt": lazy_pattern(r"\bTODO\("),
    ".cs": lazy_pattern(r"\bthrow\s+new\s+NotImplementedException\b"),
    ".rb": lazy_pattern(r"\braise\s+NotImplementedError\b"),
    ".php": lazy_pattern(
        r"\bthrow\s+new\s+\\?\w+\(\s*[\"'](?i:.{0,40}(?:not (?:yet )?implemented|todo))"
    ),
    ".swift": lazy_pattern(r"\bfatalError\(\s*\"(?i:.{0,40}(?:not (?:yet )?implemented|todo))"),
}
_SCRIPTS = frozenset({".jsx", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte"})
_ALLOWED = lazy_pattern(
    r"\b(?:TODOs?|FIXME|XXX|PLACEHOLDERs?|placeholders?|stub(?:s|bed)?|skeletons?|scaffold\w*"
    r"|not[ -](?:yet[ -])?implemented|NotImplemented\w*|unimplemented|no-?ops?|does nothing|do nothing"
    r"|empty (?:body|function|method|class|implementation))\b",
    re.IGNORECASE,
)
_FORBIDS = lazy_pattern(
    r"\b(?:no|not|n't|without|never|avoid|free of|any|replac\w+|remov\w+|implement|instead of|resolve)\b[^.;\n]{0,40}$",
    re.IGNORECASE,
)
"""What stands before such a word where it is not to be there."""
_REMEDY = "write the code that it stands for"


class Unfinished(Struct, frozen=True):
    """A place where work is left out: its line, from 1, what stands there, and a name that is the same in the base."""

    line: int
    message: str
    name: str


def find_unfinished(proposal: FileChange, *, spec: Spec, known: Known) -> Iterator[LintError]:
    """Yield the places where a proposal leaves work to others, and the base does not."""
    if _may_be_unfinished(spec):
        return
    found = _places(proposal.path, proposal.content)
    if not found:
        return
    had = {place.name for place in _places(proposal.path, proposal.base or "")} | known()
    shown = {line.strip() for fence in spec.snippets for line in fence.content.split("\n")}
    for place in found:
        if place.name not in had and place.name not in shown:
            yield LintError(proposal.path, place.line, place.message, _REMEDY)


def _may_be_unfinished(spec: Spec) -> bool:
    """Return True if the spec speaks of stubs, placeholders or the like itself."""
    criteria = (criterion.text for criterion in spec.criteria)
    told = (spec.title, spec.task, *criteria, *(ref.note for ref in spec.files))
    return any(
        not _FORBIDS.search(text[: found.start()])
        for text in told
        for found in _ALLOWED.finditer(text)
    )


def _places(path: str, text: str) -> list[Unfinished]:
    ending = splitext(basename(path).lower())[1]
    if not text or len(text) > LARGEST:
        return []
    lines = text.split("\n")
    if ending in _DATA:
        rows = ((n, line) for n, line in enumerate(lines, 1) if _DATA_MARK.search(line))
        return [_told(number, line) for number, line in rows]
    if ending in _PROSE:
        return [
            _told(number, line) for number, line in enumerate(lines, 1) if _PROSE_MARK.search(line)
        ]
    found = [
        _told(number, lines[number - 1])
        for number, comment in _comments(ending, text, lines)
        if _MARK.search(comment) or _PHRASE.search(comment)
    ]
    if ending == ".py":
        python = find_unfinished_python(text)
        found += [Unfinished(line, said, name) for line, said, name in python]
    form = _STATEMENTS.get(".js" if ending in _SCRIPTS else ending)
    if form is not None:
        found += [_told(number, line) for number, line in enumerate(lines, 1) if form.search(line)]
    return sorted(found, key=lambda place: place.line)


def _told(number: int, line: str) -> Unfinished:
    return Unfinished(number, f"{quoted(line)} stands for work that is left out", line.strip())


def _comments(ending: str, text: str, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the lines' comments, by syntax where there is a grammar."""
    if ending in {".py", ".pyi"}:
        yield from python_comments(text)
        return
    root = parsed(text, GRAMMARS[ending]) if ending in GRAMMARS else None
    if root is None:
        yield from _line_comments(lines)
        return
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if "comment" in node.type:
            content = (node.text or b"").decode("utf-8", "replace").split("\n")
            yield from enumerate(content, node.start_point.row + 1)
        elif node.type not in {"jsx_text", "string", "template_string"}:
            waiting += node.children


def _line_comments(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        whole = comment_text(line)
        trailing = None if whole is not None else _TRAILING.search(line)
        if whole is not None:
            yield number, whole
        elif trailing:
            yield number, trailing[1]
