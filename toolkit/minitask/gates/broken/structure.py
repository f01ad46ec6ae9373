"""Find what lines alone show to be broken: brackets, tags, fences and `end` that do not match, lines that come twice.

An edit must keep what was closed so. A new file is judged by fewer signs, because its own text may be odd.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, takewhile
from posixpath import basename, splitext

from minitask.edits.lines import indent_of
from minitask.edits.reply.markers import is_balanced
from minitask.gates.broken.unreached import find_unreached
from minitask.gates.result import SEND_WHOLE, FileChange, LintError, quoted
from minitask.gates.source.parts import STYLES, parts_of_both
from minitask.gates.source.parts_text import NamedPart
from minitask.gates.source.syntax import LARGEST, has_many_escapes
from minitask.patterns import lazy_pattern
from minitask.words import word_set

_C_STYLE = (
    r"(?m:^[ \t]*#[ \t]*(?:else|elif)\b(?:(?!^[ \t]*#[ \t]*endif\b).)*)"
    r"|(?m:^[ \t]*#[ \t]*(?:(?:end)?region|pragma|error|warning)\b[^\n]*)|/\*.*?\*/|(?<!:)//[^\n]*"
)
_HASHES = r"(?<![$&\\\w{(])#(?![{[(])[^\n]*"
_LITERALS = r"\"\"\".*?\"\"\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`[^`\n]*`"
_FAMILIES = {
    ".c .h .cc .cpp .hpp .cs .kt .kts .swift .dart .scala .proto .zig .sol .groovy .gradle .m .mm": _C_STYLE,
    "jenkinsfile": _C_STYLE,
    ".php .tf .hcl": rf"{_C_STYLE}|{_HASHES}",
    ".graphql .gql .nix .pl .pm .r nginx.conf .cmake cmakelists.txt": rf"/\*.*?\*/|{_HASHES}",
    ".ps1 .psm1": rf"`.|<#.*?#>|{_HASHES}",
    ".sh .bash": r"\\.|\$#|" + _HASHES,
    ".sql": r"/\*.*?\*/|--[^\n]*",
    ".clj .cljs .edn .el .lisp .scm": r"\\.|;[^\n]*|['`]|\"(?:\\.|[^\"\\])*\"",
    " ".join(STYLES): rf"{_C_STYLE}|url\([^)\n]*\)",
}
"""What is no code, by the endings or names of a family of languages."""
_NOT_CODE = {
    name: lazy_pattern(f"(?s){pattern}|{_LITERALS}")
    for names, pattern in _FAMILIES.items()
    for name in names.split()
}
_BRACKETS = {"braces": "{}", "parentheses": "()", "brackets": "[]"}
_IN_PARENTHESES = word_set(".sql .clj .cljs .edn .el .lisp .scm .cmake cmakelists.txt")
_SHELL = (".sh", ".bash")
_MARKUP = (".html", ".htm", ".vue", ".svelte", ".astro")
_CONTAINERS = (
    "div span ul ol table section article aside main nav header footer form select button fieldset figure"
    " details template script style title textarea label h1 h2 h3 h4 a em strong code pre"
)
_TAG = lazy_pattern(
    rf"(?i)<(/?)({'|'.join(_CONTAINERS.split())})(?=[\s>/])((?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)>"
)
_NO_MARKUP = lazy_pattern(r"(?s)<!--.*?-->|(<(script|style)\b[^<>]*>).*?(?=</\2>)")
_TEMPLATE = lazy_pattern(r"\{%|\{\{#|<%|<\?")
_TEMPLATES = (".html", ".htm", ".j2", ".jinja", ".jinja2", ".njk", ".twig", ".liquid")
_STATEMENT = lazy_pattern(r"\{%[-+]?\s*(end)?(for|if|block|macro|unless)\b")
_SVELTE = lazy_pattern(r"\{([#/])(each|if|await|key|snippet)\b")
_TEX = lazy_pattern(r"\\(begin|end)\{(\w+\*?)\}")
_TEX_ASIDE = lazy_pattern(r"(?<!\\)%.*|\\(?:def|(?:re)?new(?:command|environment))\b.*")
"""Comments and definitions, which may open an environment without closing it."""
_ERB = lazy_pattern(r"(?s)<%(?!#|%)[-=]*(.*?)-?%>")
_RUBY = lazy_pattern(
    r"(?m)(?:^|;|\w\()[ \t]*(?:(?:private|public|protected|module_function|private_class_method)[ \t]+)?"
    r"(def|class|module|if|unless|while|until|for|case|begin)\b(?!:)(?![^\n]*\bdo\b[ \t|\w,]*$)"
    r"|(?:[=(,]|<<|\|\||&&)[ \t]*(if|unless|case|begin|while)\b|\b(do)\b(?![:?])|(?<![.:\w])(end)\b(?![:?\w])"
)
_ENDLESS = lazy_pattern(
    r"\bdef[ \t]+[\w.?!]+(?:\([^()\n]*\))?[ \t]+=[ \t]|\bdef[ \t]+[\w.?!]+\([^()\n]*\)[ \t]*=[ \t]"
)
_OPAQUE = lazy_pattern(r"(?m)<<[-~]?[\"'A-Z]|^__END__|%[wWiIqQ]?[({\[<|]")
"""What may hold any text in Ruby and its like: then ends are not counted."""
_LUA = lazy_pattern(r"\b(function|if|do|repeat)\b|\b(end|until)\b")
_ELIXIR = lazy_pattern(r"\b(do|fn)\b(?!:)|(?<![.:])\b(end)\b(?!:)")
_NO_RUBY = lazy_pattern(
    r"(?ms)^=begin.*?^=end|(?<![\w$?\\])#(?!\{)[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|:\w+"
)
_NO_ELIXIR = lazy_pattern(
    r"(?s)\"\"\".*?\"\"\"|#[^\n]*|\?\S|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
)
_NO_LUA = lazy_pattern(
    r"(?s)--\[\[.*?\]\]|--[^\n]*|\[\[.*?\]\]|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
)
_END_LANGUAGES = {
    ".rb": (_NO_RUBY, _RUBY), ".rake": (_NO_RUBY, _RUBY), ".lua": (_NO_LUA, _LUA),
    ".ex": (_NO_ELIXIR, _ELIXIR), ".exs": (_NO_ELIXIR, _ELIXIR),
}  # fmt: skip

Counts = Counter[str]
"""How often something is opened more than closed, by its name."""
_PAIRS = (
    *("/* */", "<# #>", "<!-- -->", "<script </script", "<style </style", "<% %>"),
    *("[[ ]]", "=begin =end"),
)
_MOST_UNCLOSED = 100


def _is_hard(text: str) -> bool:
    """Return True if so much is opened and not closed that each search for an end would read all of the text."""
    pairs = (pair.split() for pair in _PAIRS)
    return has_many_escapes(text) or any(
        text.count(start) > text.count(end) + _MOST_UNCLOSED for start, end in pairs
    )


def find_unclosed(proposal: FileChange) -> LintError | None:
    """Return the fault of what a change opens and does not close, or closes and does not open."""
    if _is_hard(proposal.content) or _is_hard(proposal.base or ""):
        return None
    for count in (_brackets, _tags, _blocks, _ends):
        now = count(proposal.path, proposal.content)
        odd = {name for name, times in now.items() if times}
        if proposal.base:
            was = count(proposal.path, proposal.base) if odd else Counter()
            odd = {name for name in odd if not was[name]}
        elif odd and not _is_certain(count, proposal.path, proposal.content, now):
            odd = set()
        if odd:
            line = proposal.content.rstrip("\n").count("\n") + 1
            return LintError(proposal.path, line, f"its {min(odd)} do not close", SEND_WHOLE)
    return None


def _is_certain(count: Callable[[str, str], Counts], path: str, text: str, now: Counts) -> bool:
    """Return True if a new file must have been cut or damaged."""
    if count is _brackets:
        return _ending(path) in STYLES and bool(now["braces"])
    if count is _tags:
        return re.search(r"<(?:!doctype|html)\b", text, re.IGNORECASE) is not None
    return count is not _ends or _is_indented_last(text)


def _ending(path: str) -> str:
    name = basename(path).lower()
    return name if name in _NOT_CODE else splitext(name)[1]


def _brackets(path: str, text: str) -> Counts:
    ending = _ending(path)
    if ending not in _NOT_CODE:
        return Counter()
    plain = _NOT_CODE[ending].sub("", text)
    pairs = {"braces": "{}"} if ending in _SHELL else _BRACKETS
    return Counter({name: plain.count(at[0]) - plain.count(at[1]) for name, at in pairs.items()})


def _tags(path: str, text: str) -> Counts:
    counts: Counts = Counter()
    if path.lower().endswith(_MARKUP) and not _TEMPLATE.search(text):
        text = _NO_MARKUP.sub(lambda match: match[1] or "", text)
        for match in _TAG.finditer(text):
            if not match[3].endswith("/") or text.startswith(f"</{match[2]}>", match.end()):
                counts[f"<{match[2].lower()}> tags"] += -1 if match[1] else 1
    return counts


def _blocks(path: str, text: str) -> Counts:
    """Count Markdown's fences, statements of templates, and environments of LaTeX."""
    lower = path.lower()
    counts: Counts = Counter()
    if lower.endswith((".md", ".markdown")):
        return Counter({"fences": int(not is_balanced(text.split("\n")))})
    if lower.endswith(_TEMPLATES):
        for match in _STATEMENT.finditer(text):
            counts[f"`{match[2]}` blocks"] += -1 if match[1] else 1
    elif lower.endswith(".svelte"):
        for match in _SVELTE.finditer(text):
            counts[f"`{match[2]}` blocks"] += -1 if match[1] == "/" else 1
    elif lower.endswith(".tex"):
        for match in _TEX.finditer(_TEX_ASIDE.sub("", text)):
            counts[f"`{match[2]}` environments"] += -1 if match[1] == "end" else 1
    return counts


def _ends(path: str, text: str) -> Counts:
    """Count the blocks of languages that close them with `end`."""
    ending = splitext(path)[1].lower()
    if ending == ".erb":
        text, ending = "\n".join(_ERB.findall(text)), ".rb"
    if ending not in _END_LANGUAGES or _OPAQUE.search(text):
        return Counter()
    not_code, words = _END_LANGUAGES[ending]
    plain = _ENDLESS.sub("", not_code.sub('""', text))
    signs = (match[0].strip() in {"end", "until"} for match in words.finditer(plain))
    return Counter({"blocks": sum(-1 if closes else 1 for closes in signs)})


def _is_indented_last(text: str) -> bool:
    return text.rstrip().rpartition("\n")[2][:1] in {" ", "\t"}


def find_cut_off(path: str, text: str) -> Iterator[tuple[str, int]]:
    """Yield a text that ends inside a block: a bracket is unclosed, and the last line is indented or goes on."""
    if _is_hard(text):
        return
    kind = "parentheses" if _ending(path) in _IN_PARENTHESES else "braces"
    opening, closing = tuple(_BRACKETS[kind])
    last = text.rstrip().rpartition("\n")[2]
    goes_on = last.endswith((",", "\\")) or last.count(opening) > last.count(closing)
    if (goes_on or _is_indented_last(text)) and _brackets(path, text)[kind] > 0:
        yield f"it ends before its `{opening}` is closed", text.rstrip().count("\n") + 1


def code_of(path: str, text: str) -> str:
    """Return a text without comments and strings, on the same lines; no line for one that takes long to read."""
    if _is_hard(text):
        return "\n" * text.count("\n")
    return _NOT_CODE[_ending(path)].sub(lambda match: "\n" * match[0].count("\n"), text)


_MARKS_SCOPES = word_set("""
.c .h .cc .cpp .hpp .cs .java .kt .swift .php .rb .lua .ts .sh .bash .dart .scala .proto
""")
"""Endings of languages whose files indent what is in a scope."""


_DOCUMENTS = frozenset({".md", ".markdown", ".mdx", ".rst", ".adoc", ".txt", ".tex"})
"""Endings of documents, in which a backslash at a line's end only breaks the line."""


def find_line_faults(proposal: FileChange) -> Iterator[LintError]:
    """Yield what a change has twice in one scope, what follows a `return`, lost backslashes, and rows of odd width."""
    ending, base = splitext(proposal.path)[1].lower(), proposal.base or ""
    interpreter, rows = base.partition("\n")[0].rstrip(), proposal.content[:2_000].split("\n")[:6]
    below = [row.rstrip() for row in rows[1:]]
    is_interpreter = interpreter.startswith("#!") and not interpreter.startswith("#![")
    if is_interpreter and not rows[0].startswith("#!") and interpreter in below:
        message = f"{quoted(interpreter)} counts only as the first line"
        yield LintError(proposal.path, below.index(interpreter) + 2, message, "put it there")
    if len(proposal.content) > LARGEST or ending in {".py", ".pyi"}:
        return
    if ending in _MARKS_SCOPES:
        before, after = parts_of_both(proposal.path, base, proposal.content)
        had = {head for _, head in _twice(before, base, ending)}
        for line, head in _twice(after, proposal.content, ending):
            if head not in had:
                message = f"it has {quoted(head)} twice"
                yield LintError(proposal.path, line, message, "keep one of them")
    yield from find_unreached(proposal)
    if base and ending not in _DOCUMENTS:
        yield from _lost_continuations(proposal)
    if ending in {".csv", ".tsv"} and base:
        head = base.partition("\n")[0]
        delimiter = "\t" if ending == ".tsv" else ";" if head.count(";") > head.count(",") else ","
        yield from _open_quotes(proposal, delimiter)
        yield from _odd_rows(proposal, delimiter)


_HEAD = lazy_pattern(
    r"\s*(?:(?:[\w:<>,~*&?\[\]]+[\s*&]+)+[\w~]+\s*\([^;={}]*\)[^;={}]*\{?|(?!if|for|while|switch|catch|else|with)\w+\s*\([^;={}]*\)[^;={}]*\{"
    r"|(?:[\w]+\s+)*(?:def|fn|func|fun|function|class|struct|interface|enum|trait|type|message)\s+[\w.:]+)"
)
"""The first line of a definition: with a type before its name, with a body behind it, or with a keyword."""


def _twice(parts: Sequence[NamedPart], text: str, ending: str) -> Iterator[tuple[int, str]]:
    """Yield the second of two definitions with the same first line and indentation, and no line of less between."""
    rows = text.split("\n")
    last: dict[str, int] = {}
    for first_row in sorted({part.start for part in parts if part.kind == "code" and part.start}):
        marks = takewhile(lambda row: row.lstrip().startswith("@"), rows[first_row - 1 : -1])
        start = first_row + len(list(marks))
        row, head = rows[start - 1].rstrip(), _whole_head(rows, start, ending)
        if head.endswith((";", ",")) or not _HEAD.match(row):
            continue
        first, last[head] = last.get(head), start
        if first is not None:
            between = [line for line in rows[first : start - 1] if line.strip()]
            is_one_scope = all(len(indent_of(line)) >= len(indent_of(row)) for line in between)
            if is_one_scope and not any(line.lstrip().startswith("#") for line in between):
                yield start, row.strip()


def _whole_head(rows: Sequence[str], start: int, ending: str) -> str:
    """Return the line that begins a definition, with those below it to the end of its parameters, or to its `{`."""
    head = rows[start - 1].rstrip()
    for row in rows[start : start + _LONGEST_HEAD]:
        is_open = head.count("(") > head.count(")") or head.endswith(("*", "&", ">", "<", ","))
        is_open = is_open or (ending in _C and not {"{", ";", "="} & {*head, row.strip()[:1]})
        if not is_open:
            break
        head = f"{head} {row.strip()}"
    return head


_C = word_set(".c .h .cc .cpp .hpp")
"""Endings of languages in which a head may have macros and the type above its name."""
_LONGEST_HEAD = 40
"""Most lines of a definition's parameters."""
_CONTINUES = lazy_pattern(r"(?<!\\)\\$")


def _lost_continuations(proposal: FileChange) -> Iterator[LintError]:
    """Yield the first line that lost the backslash by which the line below, which stays, goes on with it."""
    old = [row.strip() for row in (proposal.base or "").split("\n")]
    new = [row.strip() for row in proposal.content.split("\n")]
    followed = {row[:-1].rstrip(): below for row, below in pairwise(old) if _CONTINUES.search(row)}
    had = set(pairwise(old)) if followed else set()
    for number, (row, below) in enumerate(pairwise(new), 1):
        if row and followed.get(row) == below != "" and (row, below) not in had:
            message = f"{quoted(row)} has lost the backslash before {quoted(below)}"
            yield LintError(proposal.path, number, message, "keep the backslash at its end")
            return


def _open_quotes(proposal: FileChange, delimiter: str) -> Iterator[LintError]:
    """Yield the field whose quote is never closed, and takes all rows below it, if the base has none."""
    starts = [_open_quote(text, delimiter) for text in (proposal.base or "", proposal.content)]
    if starts[1] and not starts[0]:
        yield LintError(proposal.path, starts[1], "a quote of the row is never closed", "close it")


def _open_quote(text: str, delimiter: str) -> int:
    """Return the line of the row with such a field, or 0."""
    reader, line = csv.reader(text.split("\n"), delimiter=delimiter, strict=True), 1
    try:
        for _ in reader:
            line = reader.line_num + 1
    except csv.Error as error:
        return line if "end of data" in str(error) else 0
    return 0


def _odd_rows(proposal: FileChange, delimiter: str) -> Iterator[LintError]:
    """Yield the first row whose width no row of the base has, if all of these have one."""
    try:
        widths = set(_widths(proposal.base or "", delimiter).values())
        fresh = _widths(proposal.content, delimiter)
    except csv.Error:  # a field of more than 131,072 characters
        return
    if len(widths) != 1 or max(widths) < 2:
        return
    odd = next((line for line, width in fresh.items() if width not in widths), None)
    if odd is not None and len(set(fresh.values())) > 1:
        message = f"the row has {fresh[odd]} fields, and the others have {max(widths)}"
        yield LintError(proposal.path, odd, message, "give it as many fields")


def _widths(text: str, delimiter: str) -> dict[int, int]:
    """Return the number of fields of each row that is not empty, by the row's last line."""
    reader = csv.reader(text.split("\n"), delimiter=delimiter)
    return {line: len(row) for row in reader if row and (line := reader.line_num)}
