r"""Find text that stands in a file as JSON or HTML writes it: `\n`, `\"`, `\u00e9`, `&lt;`."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import splitext

from minitask.edits.reply.markers import bar_of
from minitask.gates.result import FileChange, LintError, quoted
from minitask.gates.source.elisions import comment_text, rows_in_strings
from minitask.gates.source.grammars import CLOSED, DOCUMENTS, STATEMENTS
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec


def find_escaped_text(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the escapes of JSON and HTML that a change writes in place of characters, but for those of the spec."""
    yield from _entities(proposal, spec)
    path = proposal.path.lower()
    suffix = splitext(path)[1] or path.rpartition("/")[2]
    if suffix not in _UNQUOTED or "\\" not in proposal.content:
        return
    spec_text = f"{spec.title}\n{spec.task}\n{spec.snippets_text}"
    had = frozenset((proposal.base or "").split("\n"))
    rows = [(number, row) for number, row in _bare_rows(proposal.content, suffix) if row not in had]
    is_one_line = "\n" not in proposal.content.strip()
    inside = rows_in_strings(proposal.content)
    for number, row in rows:
        escape = _escape_in(row, suffix, is_one_line=is_one_line)
        is_bare = suffix in CLOSED and number not in inside and _BARE_QUOTE.match(row) is not None
        is_new = escape and escape not in spec_text and escape not in (proposal.base or "")
        if is_new or is_bare:
            escape = '\\"' if is_bare else escape
            message = (
                f"it holds `{escape}` in {quoted(row.strip())}: its text is escaped as in JSON"
            )
            yield LintError(proposal.path, number, message, "write the characters themselves")
            return


_MARKUP = frozenset({".html", ".htm", ".vue", ".svelte"})
_UNQUOTED = (DOCUMENTS - {".tex"}) | _MARKUP | STATEMENTS | {".yml", ".yaml"}
"""Files in which a backslash outside of quotes is no error of their syntax."""
_QUOTED = lazy_pattern(
    r"\"(?:\\.|[^\"\\])*(?:\"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$)|`[^`]*`|/(?:\\.|[^/\\])+(?:/|\\?$)"
)
_SPANS = lazy_pattern(r'`[^`]*`|<code>.*?(?:</code>|$)|(?<!\\)"(?:\\.|[^"\\])*(?:"|\\?$)')
"""Quoted text, to the end of the line where its quote is not closed, so that a line is read once."""
_LINE_ENDS = lazy_pattern(
    r"(?<=[^\s\\])(?:(?:\\r)?\\n){2,}(?=\S)|(?<=[\];{}>])(?:\\r)?\\n(?=[^\s\\])|\\n(?=[A-Z]{2,} )"
    r"|(?<=[^\s\\])(?:(?:\\r)?\\n)+(?=$|\\t|  |[-#*>|{}<\[@])"
)
"""Escaped line ends with text before them, and after them an empty line, an indentation or a mark."""
_LINE_END = lazy_pattern(r"(?<=[^\s\\])\\n")
_QUOTES = lazy_pattern(r'(?<!\\)\\"[^"\\]*[^"\\\s]\\"')
_BARE_QUOTE = lazy_pattern(r"[^\"'`/]*[=(\[{,:+ ]\\\"")
_YAML_QUOTES = lazy_pattern(r'\s*[-\w. ]+: +\\"[^"\\]*\\"')
_LETTER = lazy_pattern(r"(?<!\\)\\u(?:20[0-9a-f]{2}|00[a-f][0-9a-f])(?![0-9a-f])", 2)


def _bare_rows(text: str, suffix: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are no code of a document and no comment of code, with their numbers."""
    bar = None
    for number, row in enumerate(text.split("\n"), 1):
        if suffix in DOCUMENTS:
            is_bar = bar_of(row) is not None
            bar = (None if bar else row) if is_bar else bar
            if bar is None and not is_bar and not row.startswith(("  ", "\t")):
                yield number, row
        elif comment_text(row) is None or row.startswith("#!") or "\n" not in text.strip():
            yield number, row


def _escape_in(row: str, suffix: str, *, is_one_line: bool) -> str:
    """Return the escape that stands for a character in a line; empty if there is none."""
    if "\\" not in row:
        return ""
    is_prose, is_yaml = suffix in DOCUMENTS, suffix in {".yml", ".yaml"}
    if is_yaml:
        return '\\"' if _YAML_QUOTES.fullmatch(row.rstrip()) else ""
    is_remark = not is_prose and comment_text(row) is not None
    bare = row if is_remark else (_SPANS if is_prose else _QUOTED).sub(" ", row)
    is_open = not is_prose and (row.count("`") % 2 == 1 or any(mark in bare for mark in '"`%'))
    ends = len(_LINE_ENDS.findall(bare))
    if is_one_line and (ends or len(_LINE_END.findall(bare)) > 1):
        return "\\n"
    if ends > 1 and not is_open:
        return "\\n"
    if suffix in {"makefile", ".mk"} and row.startswith("\\t"):
        return "\\t"
    letter = _LETTER.search(bare) if is_prose else None
    if letter:
        return letter[0]
    return '\\"' if is_prose and not row.startswith("|") and _QUOTES.search(bare) else ""


_CODE_SUFFIXES = """
.c .h .cc .cpp .hpp .cs .java .go .rs .rb .lua .sql .sh .bash .css .scss .less .py .kt .swift .scala .dart .ts .js .mjs
.pl .r .ex .exs .ps1 .tf .proto .zig .hs .ml .mli .fs .fsx .erl .hrl .jl .nim .sol .gd .f90 .clj .cljs .kts .groovy
"""
_SETTINGS_SUFFIXES = ".yml .yaml .toml .ini .cfg .conf .mk dockerfile makefile justfile"
_ENTITY = lazy_pattern(r"&(?:lt|gt|amp|quot|apos|#39|#x27);")
_ESCAPED = {
    **dict.fromkeys(_CODE_SUFFIXES.split(), _ENTITY),
    **dict.fromkeys(_SETTINGS_SUFFIXES.split(), lazy_pattern(r"&amp;&amp;|\s&[lg]t;(?=\s|&)")),
}
_STRING = lazy_pattern(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`]*`|%[qQ]?\([^()\n]*\)|/(?:\\.|[^/\\\n])+/"
)


def _entities(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the first operator of code that is written as in HTML, unless the file holds HTML or the spec has it."""
    path = proposal.path.lower()
    form = _ESCAPED.get(splitext(path)[1]) or _ESCAPED.get(path.rpartition("/")[2])
    if (
        form is None
        or "&" not in proposal.content
        or "</" in proposal.content
        or _ENTITY.search(proposal.base or "")
    ):
        return
    lines = proposal.content.split("\n")
    spec_text = spec.task + spec.snippets_text
    for match in form.finditer(_STRING.sub(lambda text: " " * len(text[0]), proposal.content)):
        line = proposal.content.count("\n", 0, match.start()) + 1
        if match[0].strip() not in spec_text and comment_text(lines[line - 1]) is None:
            message = f"it holds `{match[0].strip()}`, a character as HTML writes it"
            yield LintError(proposal.path, line, message, "write the character itself")
            return
