"""Find unfinished work in a change: TODO comments, elisions, empty bodies, calls that only raise, comments alone.

Only additions count, and nothing that the spec itself mentions or shows.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import PurePosixPath
from posixpath import basename, splitext

from msgspec import Struct

from minitask.gates.result import BaseLines, FileChange, LintError, quoted
from minitask.gates.source.elisions import comment_text, is_elision, is_note, may_replace_code
from minitask.gates.source.grammars import GRAMMARS, leaves, parsed, sound_tree
from minitask.gates.source.python_source import find_unfinished_python, python_comments, python_tree
from minitask.gates.source.syntax import LARGEST
from minitask.patterns import lazy_pattern
from minitask.spec.bash import node_text
from minitask.spec.model import Spec
from minitask.words import word_set

_PROSE = frozenset(
    {".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org", ".txt", ".tex", ""}
)
_MARK = lazy_pattern(
    r"\b(?:TODO|FIXME)\b|^\W*(?:XXX|PLACEHOLDER|TBD)\b|\b(?:XXX|PLACEHOLDER):|^\W*(?:todo|fixme|placeholder)\s*[:(]"
)
_PHRASE = lazy_pattern(
    r"(?i)\b(?:your|the|actual|real|more|rest of (?:the|your)) (?:own )?(?:code|logic|implementation)"
    r"(?: goes| comes)? here\b"
    r"|\b(?:code|logic|implementation)s? (?:goes|comes) here\b|\badd your \w+(?: \w+)? here\b"
    r"|\bimplement (?:me|this|it|here|later)\b|\b(?:to be|not yet) (?:implemented|done|written|filled in)\b"
    r"|\bnot implemented yet\b|\bplaceholder (?:for|implementation|logic|code|value|until)\b"
    r"|^\W*(?:implement|implementation|placeholder|stub|omitted)\W*$|\bfill (?:this |me )?in\b(?! by| from| with)"
    r"|\bin a real (?:app\w*|implementation|world)\b"
    r"|^\W*(?:add |and |put )?(?:more|other|further|remaining) \w+(?: \w+)? (?:goes? |comes? )?here\W*$"
)
_PROSE_MARK = lazy_pattern(
    r"^[\s>*#-]*(?:TODO|FIXME|TBD|XXX)\s*(?::|$)|^[\s>*-]*(?:TODO|FIXME|XXX)[ ,-]+[a-z]\w* "
    r"|[\[<(]\s*(?:TODO|FIXME|TBD|PLACEHOLDER)\b[^\])>]*[\])>]|<!--\s*(?:TODO|FIXME|XXX|TBD|PLACEHOLDER)"
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
    if ending in _PROSE:
        return [
            _told(number, line) for number, line in enumerate(lines, 1) if _PROSE_MARK.search(line)
        ]
    gaps = [
        _told(number, lines[number - 1])
        for number, comment in _comments(ending, text, lines)
        if _MARK.search(comment) or _PHRASE.search(comment)
    ]
    if ending == ".py":
        python = find_unfinished_python(text)
        gaps += [Unfinished(line, message, name) for line, message, name in python]
    form = _STATEMENTS.get(".js" if ending in _SCRIPTS else ending)
    if form is not None:
        gaps += [_told(number, line) for number, line in enumerate(lines, 1) if form.search(line)]
    return sorted(gaps, key=lambda gap: gap.line)


def _told(number: int, line: str) -> Unfinished:
    return Unfinished(number, f"{quoted(line)} stands for work that is left out", line.strip())


def _comments(ending: str, text: str, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the comments by line, read with a parser if the language has one here."""
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
_LITERAL = ("string", "template", "text_block")
"""Parts of the grammars' names for literals."""
_WRITE_IT_OUT = (
    "write out the code that it stands for, or reply with edits of the lines that change"
)


def find_placeholders(proposal: FileChange, *, base_lines: BaseLines) -> Iterator[LintError]:
    """Yield the lines that stand for code, are new, and are not inside a string."""
    lines = proposal.content.split("\n")
    elisions = sorted({*_candidates(proposal.path, lines), *_in_place_of_code(proposal, lines)})
    if not elisions:
        return
    old_lines = frozenset(map(str.strip, (proposal.base or "").split("\n")))
    had = old_lines | base_lines()
    for number, line in elisions:
        if line.strip() in had or _is_in_string(proposal, number, line):
            continue
        message = f"{quoted(line)} stands for code that is left out"
        yield LintError(proposal.path, number, message, _WRITE_IT_OUT)


def _candidates(path: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbers (from 1) and texts of the lines that look like elisions."""
    ends = _ends(lines)
    if PurePosixPath(path).suffix.lower() in _PROSE - {""}:
        yield from ((number, lines[number - 1]) for number in ends if is_elision(lines[number - 1]))
        return
    for number, line in enumerate(lines, 1):
        if is_elision(line) or (number in ends and is_note(line)):
            yield number, line


def _in_place_of_code(proposal: FileChange, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield the new comments at hunks with more code removed than added, for which they may stand."""
    rows = (proposal.base or "").split("\n")
    had = frozenset(map(str.strip, rows))
    fresh = [
        n for n, line in enumerate(lines) if line.strip() not in had and may_replace_code(line)
    ]
    if not fresh or not proposal.base:
        return
    matcher = SequenceMatcher(None, rows, lines, autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        went, came = (
            sum(comment_text(row) is None and any(map(str.isalnum, row)) for row in part)
            for part in (rows[start:end], lines[first:last])
        )
        if went > came:
            yield from ((n + 1, lines[n]) for n in fresh if first <= n < last)


def _ends(lines: list[str]) -> tuple[int, ...]:
    """Return the numbers of the first and the last line that are not blank."""
    full = [number for number, line in enumerate(lines, 1) if line.strip()]
    return tuple(dict.fromkeys((full[0], full[-1]))) if full else ()


def _is_in_string(proposal: FileChange, number: int, line: str) -> bool:
    suffix = PurePosixPath(proposal.path).suffix.lower()
    if len(proposal.content) > LARGEST:
        return False
    if suffix in _PYTHON:
        return number in _python_strings(proposal.content)
    return suffix in GRAMMARS and _is_literal(suffix, proposal.content, number, line)


@lru_cache(maxsize=1)
def _python_strings(text: str) -> frozenset[int]:
    """Return the lines on which a multi-line string continues, up to the first tokenizer error."""
    import io
    import tokenize

    rows: set[int] = set()
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="\n").readline):
            name = tokenize.tok_name[token.type]
            if name == "STRING":
                rows.update(range(token.start[0] + 1, token.end[0] + 1))
            elif name.endswith("STRING_START"):
                opened.append(token.start[0])
            elif name.endswith("STRING_END") and opened:
                rows.update(range(opened.pop() + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return frozenset(rows)


def _is_literal(suffix: str, text: str, number: int, line: str) -> bool:
    root = parsed(text, GRAMMARS[suffix])
    if root is None:
        return False
    start = len(line[: len(line) - len(line.lstrip())].encode("utf-8", "surrogateescape"))
    node = root.descendant_for_point_range((number - 1, start), (number - 1, start + 1))
    while node is not None and node.parent is not None:
        if any(part in node.type for part in _LITERAL) and node.start_point.row < number - 1:
            return True
        node = node.parent
    return False
