"""Find unfinished work in a change: TODO comments, empty bodies, calls that only raise, comments alone.

Only additions count, and nothing that the spec itself mentions or shows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from posixpath import basename, splitext

from msgspec import Struct

from minitask.gates.result import BaseLines, FileChange, LintError, quoted
from minitask.gates.source.elisions import comment_text, is_example, rows_in_strings
from minitask.gates.source.grammars import DOCUMENTS, GRAMMARS, leaves, parsed, sound_tree
from minitask.gates.source.python_source import find_unfinished_python, python_comments, python_tree
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text
from minitask.spec.model import Spec
from minitask.words import word_set

_MARK = lazy_pattern(
    r"(?<!\.)\b(?:TODO|FIXME)\b(?!\(\))|^\W*(?:XXX|PLACEHOLDER|TBD)\b|\b(?:XXX|PLACEHOLDER):|^\W*(?:todo|fixme|placeholder)\s*[:(]"
)
_PHRASE = lazy_pattern(
    r"(?i)\b(?:your|rest of (?:the|your)) (?:own )?(?:code|logic|implementation)(?: goes| comes)? here\b"
    r"|\b(?:the|actual|real|more) (?:own )?(?:code|logic|implementation)(?: goes| comes)? here\W*(?:\(.*)?$"
    r"|\b(?:code|logic|implementation)s? (?:goes|comes) here\b|\badd your \w+(?: \w+)? here\b"
    r"|^\W*(?:please )?implement (?:me|this|it|here|later)\b(?: \w+){0,3}\W*$|\bimplement (?:me|later)\b"
    r"|\bnot yet (?:implemented|done|written|filled in)\b"
    r"|(?:^|\b(?:still|yet|rest|remain\w*|left|logic|code|function|method|body|details?)\b(?: \w+){0,3}) ?"
    r"to be (?:implemented|done|written|filled in)(?: later| soon| yet)?\W*$"
    r"|\bnot implemented yet\b|\bplaceholder (?:for|implementation|logic|code|value|until)\b"
    r"|^\W*(?:please )?fill (?:(?:this|me|it) in|in (?:the )?(?:rest|details?|blanks?|here|later|code|logic|body))\b"
    r"|\bfill (?:this|me) in\b(?! by| from| with)|^\W*(?:implement|placeholder|stub|omitted)\W*$"
    r"|\bin a real (?:app\w*|implementation|world)\b"
    r"|^\W*(?:add |and |put )?(?:more|other|further|remaining) \w+(?: \w+)? (?:goes? |comes? )?here\W*$"
)
_PROSE_MARK = lazy_pattern(
    r"^[\s>*#-]*(?:TODO|FIXME|TBD|XXX)\s*(?::|$)|^[\s>*-]*(?:TODO|FIXME|XXX)[ ,-]+[a-z]\w* "
    r"|[\[<(]\s*(?:TODO|FIXME|(?<!\d \()TBD|PLACEHOLDER)\b(?! (?:comment|item|list|marker|note)s?\b)[^\])>]*[\])>]"
    r"|<!--\s*(?:TODO|FIXME|XXX|TBD|PLACEHOLDER)"
    r"|\[(?i:(?:insert|add|describe|enter|your)\b[^\]\n]{0,60}\bhere)\]"
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
    ".kt": lazy_pattern(r"\bTODO\(|\bthrow\s+NotImplementedError\(\)"),
    ".scala": lazy_pattern(
        r"(?<![=<>!])=\s*\?\?\?\s*$|^\s*\?\?\?\s*$|\bthrow\s+new\s+NotImplementedError\b"
    ),
    ".dart": lazy_pattern(r"\bthrow\s+(?:new\s+|const\s+)?UnimplementedError\(\)"),
    ".fs": lazy_pattern(r"\b(?:raise|failwith)\b.*\bNotImplementedException\s*(?:\(\s*\)|\"\")"),
    ".ps1": lazy_pattern(r"\bthrow\b.*\bNotImplementedException\]?(?:::new)?\("),
    ".erl": lazy_pattern(r"\b(?:error|throw|exit)\(\s*(?:not_implemented|unimplemented|todo)\s*\)"),
    ".cs": lazy_pattern(r"\bthrow\s+new\s+NotImplementedException\b"),
    ".rb": lazy_pattern(r"\braise\s+NotImplementedError\b"),
    ".php": lazy_pattern(
        r"\bthrow\s+new\s+\\?\w+\(\s*[\"'](?i:.{0,40}(?:not (?:yet )?implemented|todo))"
    ),
    ".swift": lazy_pattern(r"\bfatalError\(\s*\"(?i:.{0,40}(?:not (?:yet )?implemented|todo))"),
}
_MESSAGE = (
    r"[\"'`](?i:to-?do\b[^\"'\n]{0,40}|(?:[\w.:#<>()]{1,40} )?(?:is |are )?"
    r"(?:not (?:yet )?implemented|unimplemented|implement me)(?: yet)?[.! ]{0,3})[\"'`]"
)
_FAILS = lazy_pattern(
    r"\b(?:throw|raise|error|fail(?:with)?|panic|die|croak|confess|stop|revert|fatalError|preconditionFailure|assert\w*"
    r"|newException|quit|ex-info|push_error|abort|BUG|\w*(?:Exception|Error)\.?)(?![\w-])[^\"'`\n]{0,60}"
    + _MESSAGE
)
"""A statement of any language that fails, with a message that says no more than that something is not written."""
_SCRIPTS = frozenset({".jsx", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".vue", ".svelte"})
_ALLOWED = lazy_pattern(
    r"(?i)\b(?:TODOs?|FIXME|XXX|PLACEHOLDERs?|placeholders?|stub(?:s|bed)?|skeletons?|scaffold\w*"
    r"|not[ -](?:yet[ -])?implemented|NotImplemented\w*|unimplemented|no-?ops?|does nothing|do nothing"
    r"|empty (?:body|function|method|class|implementation))\b"
)
_FORBIDS = lazy_pattern(
    r"(?i)\b(?:no|not|n't|without|never|avoid|free of|any|replac\w+|remov\w+|implement|instead of"
    r"|resolve)\b[^.;\n]{0,40}$"
)
"""Words before a word of `_ALLOWED` that forbid such work instead of allowing it."""
_REMEDY = "write the code that it stands for"


class Unfinished(Struct, frozen=True):
    """A place of unfinished work: its line (from 1), a message, and a name by which the base's places are compared."""

    line: int
    message: str
    name: str


def find_unfinished(
    proposal: FileChange, *, spec: Spec, base_lines: BaseLines
) -> Iterator[LintError]:
    """Yield the places where a proposal leaves work undone and its base does not."""
    if _may_be_unfinished(spec):
        return
    gaps = _places(proposal.path, proposal.content)
    if not gaps:
        return
    had = {gap.name for gap in _places(proposal.path, proposal.base or "")} | base_lines()
    shown = {line.strip() for fence in spec.snippets for line in fence.content.split("\n")}
    for gap in gaps:
        if gap.name not in had and gap.name not in shown:
            yield LintError(proposal.path, gap.line, gap.message, _REMEDY)


def _may_be_unfinished(spec: Spec) -> bool:
    """Return True if the spec itself mentions stubs, placeholders or the like, unless it forbids them."""
    criteria = (criterion.text for criterion in spec.criteria)
    texts = (spec.title, spec.task, *criteria, *(ref.note for ref in spec.files))
    return any(
        not _FORBIDS.search(text[: match.start()])
        for text in texts
        for match in _ALLOWED.finditer(text)
    )


def _places(path: str, text: str) -> list[Unfinished]:
    ending = splitext(basename(path).lower())[1]
    if not text or len(text) > LARGEST:
        return []
    lines = text.split("\n")
    if ending in _DATA:
        rows = ((n, line) for n, line in enumerate(lines, 1) if _DATA_MARK.search(line))
        return [_told(number, line) for number, line in rows]
    if not ending or ending in DOCUMENTS:
        return [
            _told(number, line) for number, line in enumerate(lines, 1) if _PROSE_MARK.search(line)
        ]
    gaps = [
        _told(number, lines[number - 1])
        for number, comment in _comments(ending, text, lines)
        if not is_example(lines[number - 1])
        and (_MARK.search(comment) or _PHRASE.search(comment) or _is_body(comment, lines, number))
    ]
    if ending == ".py":
        python = find_unfinished_python(text)
        gaps += [
            Unfinished(line, message, name)
            for line, message, name in python
            if not _is_in_test(path, name)
        ]
    form = _STATEMENTS.get(".js" if ending in _SCRIPTS else ending, _FAILS)
    if ending != ".py" and not _is_test_path(path) and "mock" not in path.lower():
        quoted_rows = rows_in_strings(text)
        gaps += [
            _told(number, line)
            for number, line in enumerate(lines, 1)
            if (form.search(line) or _FAILS.search(line))
            and comment_text(line) is None
            and number not in quoted_rows
        ]
    return sorted(gaps, key=lambda gap: gap.line)


def _is_in_test(path: str, name: str) -> bool:
    """Return True for a definition within a test or a test double: `test_a.cli: `pass``, `FakeFile.seek: `pass``."""
    around = name.partition(":")[0].split(".")[:-1]
    is_double = (part.startswith("test_") or not part.startswith("Test") for part in around)
    return any(is_double) and _is_test_path(path)


def _is_test_path(path: str) -> bool:
    from minitask.gates.validation.test_files import is_test_path

    return is_test_path(path)


_IMPLEMENTATION = lazy_pattern(r"(?i)\W*implementation\W*")
_CLOSES_BODY = lazy_pattern(
    r"[})\]]|(?:end|pass|return(?: null| None| undefined)?|\.\.\.);?\s*$|throw\b|raise\b"
)


def _is_body(comment: str, lines: Sequence[str], number: int) -> bool:
    """Return True if the comment "implementation" is all that a body has."""
    if not _IMPLEMENTATION.fullmatch(comment):
        return False
    below = next((row.strip() for row in lines[number:] if row.strip()), "}")
    return _CLOSES_BODY.match(below) is not None


def _told(number: int, line: str) -> Unfinished:
    return Unfinished(number, f"{quoted(line)} stands for work that is left out", line.strip())


def _comments(ending: str, text: str, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the comments by line, read with a parser if the language has one here."""
    if ending in {".py", ".pyi"}:
        yield from python_comments(text)
        return
    root = parsed(text, GRAMMARS[ending]) if ending in GRAMMARS else None
    if root is None:
        quoted_rows = rows_in_strings(text)
        yield from (pair for pair in _line_comments(lines) if pair[0] not in quoted_rows)
        return
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if "comment" in node.type:
            content = node_text(node).split("\n")
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


_REMARKS = lazy_pattern(
    r"(?i)comment|doc|\btypos?\b|spell|header|licen[cs]e|copyright|spdx|todo|fixme|\bnotes?\b|expla|annotat|noqa|ignore|lint|disabl|supp?ress"
    r"|pragma|directive|shebang|region|deprecat|mention|wording|phras|descri|sentence|remark|refer|link|url|attribut|format|style|space"
    r"|indent|blank|#|//|/\*|--|tag\b"
)
"""Words of a task that may concern comments alone."""


def find_only_comments(files: Sequence[FileChange], spec: Spec) -> tuple[str, ...]:
    """Return a doubt if a change affects only comments and the spec may not be about comments."""
    criteria = (criterion.text for criterion in spec.criteria)
    spec_text = "\n".join((spec.title, spec.task, *criteria, *(ref.note for ref in spec.files)))
    if not files or _REMARKS.search(spec_text) or not all(map(_is_same_code, files)):
        return ()
    return (f"only comments of {files[0].path} change, and the spec asks for none",)


def _is_same_code(file: FileChange) -> bool:
    base, now = file.base, file.content
    if base is None or base == now or max(len(base), len(now)) > LARGEST:
        return False
    if file.suffix in _PYTHON:
        trees = filter(None, map(python_tree, (base, now)))
        return len({ast.dump(tree) for tree in trees}) == 1 and python_tree(now) is not None
    codes = [_code(text, file.suffix) for text in (base, now)]
    return codes[0] is not None and codes[0] == codes[1]


_BY_HASH = word_set(".yaml .yml .toml .ini .cfg .sh .bash .rb .tf .hcl")
_REMARK = lazy_pattern(r"(?:^|\s)#[^\"']*$")


def _code(text: str, suffix: str) -> list[bytes] | None:
    """Return a text's tokens without comments, or None if it does not parse."""
    if suffix in _BY_HASH:
        rows = (_REMARK.sub("", line).rstrip() for line in text.split("\n"))
        return [row.encode("utf-8", "surrogateescape") for row in rows if row]
    root = sound_tree(text, suffix)
    if root is None:
        return None
    return [node.text or b"" for node in leaves(root) if "comment" not in node.type]


_PYTHON = frozenset({".py", ".pyi"})
