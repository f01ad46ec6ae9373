"""Find sentences and other parts of a model's answer at the edges of a rewritten file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile
from posixpath import basename, splitext

from minitask.edits.reply.markers import is_balanced
from minitask.edits.reply.samples import SUFFIXES
from minitask.gates.broken.structure import code_of
from minitask.gates.changes.prose_loss import is_prose
from minitask.gates.requested_removals import (
    asks_to_add,
    text_about,
)
from minitask.gates.result import FileChange, LintError, filled_lines, quoted
from minitask.gates.source.elisions import comment_text, rows_in_strings
from minitask.gates.source.grammars import CLOSED, STATEMENTS
from minitask.gates.source.syntax import find_syntax_fault
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

_THING = (
    r"(?:\S+ ){0,5}?(?:files?|code|versions?|contents?|documents?|text|scripts?|modules?|pages?|style ?sheets?|read-?me"
    r"|implementation|changes?|edits?|answer|result|solution|config\w*)\b"
)
_DID = (
    r"(?:changed|updated|added|made|fixed|modified|replaced|edited|set|removed|kept|left|rewrote|rewritten|created|applied"
    r"|adjusted|corrected|done|implemented|renamed|moved|only|did)\b"
)
_OPENS = lazy_pattern(
    rf"(?i)(?:sure|certainly|of course|absolutely|got it|no problem|understood|alright)[!,.:].*"
    rf"|(?:ok(?:ay)?|great|done)[!,.:].*|(?:here(?:['’]s| is| are)|below is) {_THING}.*"
    rf"|(?:this is|these are) {_THING}.*:"
    r"|(?:this is|these are) (?:the |your )?(?:updated|complete|full|modified|corrected|revised|new|final)\b.*"
    rf"|(?:the )?(?:updated|complete|full|modified|corrected|revised|new|final) {_THING}[^.!?]*:"
    rf"|i(?:['’]ve| have|['’]ll| will)? (?:now |just |also )?{_DID}.*|as (?:you )?(?:asked|requested|instructed)\b.*"
    r"|(?:voici|hier ist|hier sind|aquí (?:está|tienes)|aqui está|ecco|oto|вот) .*"
    r"|(?:以下|这是|更新后|以下は|다음은).*"
)
_CLOSES = lazy_pattern(
    rf"(?i)(?:please )?let me know\b.*|(?:i )?hope (?:this|that|it) helps.*|feel free to .*|is there anything else.*"
    rf"|i(?:['’]ve| have)? (?:now |just |also |not )?{_DID}.*|as (?:you )?(?:asked|requested|instructed)\b.*"
    r"|(?:all|everything) (?:else|other \w+) (?:is|are|was|were|stays|remains?|has been|have been) .*"
    r"|(?:the|this) (?:change|edit|update|value|file|rest)\b.* (?:is|are|has been|have been|was|were) .*"
    r"|(?:this|that) (?:change|edit|update|file|version|code) .*|(?:explanation|summary|changes(?: made)?|notes?)\s*:.*"
    r"|.*\b(?:as you (?:asked|requested)|let me know if)\b.*"
)
_SENTENCE = lazy_pattern(
    r"[A-Z][a-z'’]*[!,]?(?: +[\w'’`\"/-][\w'’`\"./-]*[,;:!.]?){2,}(?<=[.:!?])|[^\W\d_a-zA-Z][^={};<>]*[。：！？.:!?]"
)
_BLOCK_COMMENT = lazy_pattern(r"(?s)/\*.*?\*/|<!--.*?-->|\"\"\".*?\"\"\"|'''.*?'''")
_PARSED = word_set(".py .pyi .js .mjs .cjs .jsx .go .rs .java .json .toml .yaml .yml")
"""Endings of files that a parser or compiler checks, where a bare sentence is nearly always a syntax error."""
_KEYED = word_set(".json .toml .yaml .yml .ini .cfg .conf .properties")
_WITH_SENTENCES = word_set("""
.hbs .handlebars .mustache .erb .ejs .eta .j2 .jinja .jinja2 .liquid .tmpl .tpl .njk .twig .haml .slim .pug .feature
.properties .po .pot .strings
""")
"""Endings of templates and texts, in which a line may be a sentence."""
_MARKUP = frozenset({".html", ".htm", ".vue", ".svelte", ".xml", ".svg", ".astro"})
_REMEDY = "leave the answer's sentences out of the file"
_WIDEST = 2_000  # characters of a line that may be a sentence


def find_answer_text(proposal: FileChange, *, spec: Spec) -> Iterator[LintError]:
    """Yield the first line at an edge of the file that is new, not in the spec, and part of the answer."""
    spec_text = text_about(spec, proposal.path)
    rows = proposal.content.split("\n")
    may_nest = proposal.path.lower().endswith((".yml", ".yaml"))
    for number, line, at_end in (row for row in _edges(proposal) if len(row[1]) <= _WIDEST):
        if may_nest and rows[number - 1][:1].isspace():
            continue  # a key of a mapping, as `path:`
        spec_lines = spec_text.split("\n") if _is_frame(line, proposal.path) else spec_text
        if line not in spec_lines and _is_foreign(proposal, line, spec, at_end=at_end):
            message = f"{quoted(line)} is part of the answer, not of the file"
            yield LintError(proposal.path, number, message, _REMEDY)
            return
    fault = _new_fault(proposal, spec_text) if proposal.base is None else ""
    if fault:
        yield LintError(proposal.path, 1, fault, "reply with the file's own text")
    for number, line in _inside(proposal):
        message = f"{quoted(line)} is part of the answer, not of the file"
        yield LintError(proposal.path, number, message, _REMEDY)
        return


_RAW = lazy_pattern(r"'''|[@$]\"|R\"|<<[-~]?[A-Z]")
"""What may open a string of several lines that is not read as one here."""


def _inside(proposal: FileChange) -> Iterator[tuple[int, str]]:
    """Yield the first line of code that is a fence without an end or a sentence, and is not in the base."""
    kind, text, base = splitext(proposal.path)[1].lower(), proposal.content, proposal.base or ""
    is_code = kind in STATEMENTS or kind in {".vue", ".svelte"}
    if is_code and kind not in _SHELLS and not _open_fence(base):
        yield from _open_fence(text)
    if kind not in CLOSED or _RAW.search(text):
        return
    had = frozenset(map(str.strip, base.split("\n")))
    fresh = [
        (number, row)
        for number, row in enumerate(map(str.strip, text.split("\n")), 1)
        if row[-1:] in _ENDS and row not in had and _SENTENCE.fullmatch(row[:_WIDEST])
    ]
    code = code_of(proposal.path, text).split("\n") if fresh else []
    yield from ((number, row) for number, row in fresh if code[number - 1].strip() == row)


_ENDS = frozenset(".:!?。：！？")


def _open_fence(text: str) -> list[tuple[int, str]]:
    """Return the lines that open or close fences outside of strings, if one is never closed."""
    rows = [(n, row) for n, row in enumerate(text.split("\n"), 1) if row.startswith("```")]
    inside = rows_in_strings(text) if rows else frozenset()
    bars = [(number, row) for number, row in rows if number not in inside]
    return [] if is_balanced(row for _, row in bars) else bars


_NOTHING = frozenset({"None", "null", "undefined", "nil", "NaN", "[object Object]"})
_TWICE = lazy_pattern(r"(?i)\b(?:twice|duplicat\w*|cop(?:y|ies|ied)|repeat\w*|again|times|same)\b")


def _new_fault(proposal: FileChange, spec_text: str) -> str:
    """Return what shows that a new file holds more or less than its text: marks, an envelope, a value, a copy."""
    rows = _texts(proposal.content)
    if "".join(rows) in _NOTHING and rows[0] not in spec_text:
        return f"it holds {quoted(rows[0])} alone"
    if len(rows) == 1 and rows[0] not in spec_text and _is_answer(rows[0], proposal.path):
        return f"{quoted(rows[0])} is an answer, not a file"
    is_shell = proposal.path.endswith(_SHELLS)
    is_added = len(rows) > 2 - is_shell and all(row[0] == "+" for row in rows)
    if is_added and any(row[1:2].strip() for row in rows):
        return "each of its lines begins with the `+` of a diff"
    if is_shell and rows and all(row.startswith("$ ") for row in rows):
        return "each of its lines begins with the `$` of a prompt"
    if _is_envelope(proposal):
        return "it holds an answer in JSON, not the file"
    size = len(rows) // 2
    is_twice = size > 2 and rows[:size] == rows[size:] and not _TWICE.search(spec_text)
    if is_twice and sum(map(str.isalnum, "".join(rows[:size]))) >= _TELLING:
        return "it holds its lines twice"
    return ""


_DECLINES = lazy_pattern(
    r"(?i)(?:i(?:['’]m| am)\s+)?(?:sorry|unable|unfortunately)\b.*"
    r"|i (?:can|could|do|will|would)(?:not| not|n?['’]t)\b.*|i won['’]t\b.*"
    r"|.*\?|[<\[({][a-z][a-z ,'-]+[>\])}]"
)
"""A refusal, a question, or a place to be filled in."""


def _is_answer(row: str, path: str) -> bool:
    """Return True if the only line of a new text is about the file, or declines to write it."""
    name = basename(path)
    is_about = "." in name and name in row and row not in {name, path}
    return is_prose(path) and (is_about or _DECLINES.fullmatch(row) is not None)


_SHELLS = (".sh", ".bash", ".zsh")
_TELLING = 20
"""Fewest letters and digits of lines that do not occur twice by chance."""


def _is_envelope(proposal: FileChange) -> bool:
    """Return True if the file is a JSON string of lines, or an object with a file's text (and its path, or no more)."""
    if not proposal.content.lstrip().startswith(("{", '"')):
        return False
    try:
        fields = json.loads(proposal.content)
    except (ValueError, RecursionError):
        return False
    if isinstance(fields, str):
        return "\n" in fields and not proposal.path.lower().endswith("json")
    texts = [fields.get(name) for name in ("content", "contents", "code", "text", "file_text")]
    is_text = any(isinstance(text, str) for text in texts)
    is_named = proposal.path in fields.values()
    is_alone = len(fields) == 1 and not proposal.path.lower().endswith("json")
    return is_text and (is_named or is_alone)


def _edges(proposal: FileChange) -> Iterator[tuple[int, str, bool]]:
    """Yield the new lines above the first and below the last old line; of a new file, only its first and last line."""
    blanked = _BLOCK_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), proposal.content)
    rows = filled_lines(blanked)
    had = frozenset(map(str.strip, (proposal.base or "").split("\n")))
    for at_end, ordered in ((False, rows), (True, rows[::-1])):
        fresh = list(takewhile(lambda row: row[1] not in had, ordered))
        if proposal.base is None:
            fresh = ordered[:1]
        elif len(fresh) == len(rows):
            return
        yield from ((number, row, at_end) for number, row in fresh)


# Tags and keys in which replies wrap a file's content.
_ENVELOPE = lazy_pattern(
    r"(?i)</?[\w:-]*(?:file|content|path|tool|function|parameter|invoke|answer|output|response|result|artifact|argument)[\w:-]*"
    r"(?:\s[^<>]*)?>.*|(?:path|file|file_?name|file_?path)\s*(?::(?!:)|=)\s*[^\s,;(){}\[\]]+|(?:content|code|text|body)\s*:\s*[|>][-+]?"
)
# End-of-turn tokens of models, which some servers leave in the text.
_TOKEN = lazy_pattern(
    r"(?i)<[|｜][\w▁ -]{2,40}[|｜]>|\[/?INST\]|<(?:end|start)_of_turn>(?:model|user)?|<eos>|</s>"
    r"|%%(?:write)?file\s+\S+|\*{3} ?end of (?:file|patch)|</?(?:think|thinking|reasoning|antthinking)>"
)
_FRAME = lazy_pattern(
    r"(?i)EOF|[$%]|\$ \w+ file|copy code|<!\[CDATA\[|\]\]>"
    r"|[\[(<]\s*(?:end|begin(?:ning)?|start)(?: of)?(?: file)?\s*[\])>]"
    r"|(?:[-=#*/<]{2,}\s*)?(?:end|begin(?:ning)?|start)(?: of)?(?: file)?(?: ?: ?\S+)?\s*[-=#*/>]{2,}"
    r"|[-=#*/<]{2,}\s*(?:end|begin(?:ning)?|start)(?: of)?(?: file)?(?: ?: ?\S+)?"
    r"|</?(?:code|pre)(?:\s[^<>]*)?>|text|markdown|plaintext|python|javascript|typescript|yaml|toml|json|ini|csv|sql|html|css"
    r"|bash|shell|dockerfile|makefile|rust"
)
"""Lines that open or close a listing of a file, or name its language."""


def _is_frame(line: str, path: str) -> bool:
    """Return True if the line only marks where a file begins or ends, or gives its name."""
    if _FRAME.fullmatch(line.replace(basename(path), "file")) or (
        _HEREDOC.match(line) and basename(path) in line
    ):
        return True
    if path.lower().endswith(SUFFIXES.get(line.lower(), ())):
        return True  # the language of a fence
    bare = _AROUND.sub("", line).removeprefix("File:").removeprefix("file:").strip()
    return bare in {path, basename(path)} or (
        bare.endswith(path) and bare.removesuffix(path) in {"./", "a/", "b/", "/"}
    )


_HEREDOC = lazy_pattern(r"(?:\$ )?(?:cat|tee)\b.*<<")
_AROUND = lazy_pattern(r"^[\s#*/`=<!;:-]+|[\s#*/`=>:-]+$")


def _is_foreign(proposal: FileChange, line: str, spec: Spec, *, at_end: bool) -> bool:
    ending = splitext(proposal.path)[1].lower()
    is_framed = _is_frame(line, proposal.path) and not (at_end and "<<" in proposal.content)
    is_text = is_prose(proposal.path) or not ending or comment_text(line) is not None
    if _TOKEN.fullmatch(line) or (is_framed and (proposal.base or not is_text)):
        return True
    if proposal.base and ending not in _MARKUP and _ENVELOPE.fullmatch(line):
        return not proposal.explicit and not asks_to_add(spec, proposal.path)
    plain = line.strip("*_> ")
    form = _CLOSES if at_end else _OPENS
    if is_prose(proposal.path) or ending in _MARKUP:
        return not proposal.explicit and _is_said(proposal, plain, spec, at_end=at_end)
    if comment_text(line) is not None:
        return False
    is_said = form.fullmatch(plain) is not None and not (ending in _KEYED and plain[0].islower())
    if ending in _PARSED:
        return is_said and find_syntax_fault(proposal) is None
    return is_said or _is_sentence(proposal, plain)


def _is_sentence(proposal: FileChange, plain: str) -> bool:
    """Return True if a line is a sentence, in a file whose syntax has no place for one."""
    name = basename(proposal.path).lower()
    kind = splitext(name)[1] or name
    may_hold = kind in _WITH_SENTENCES or (proposal.base is None and kind not in STATEMENTS)
    may_hold = may_hold or _DATA_SECTION.search(proposal.content) is not None
    return not may_hold and _SENTENCE.fullmatch(plain) is not None


_DATA_SECTION = lazy_pattern(r"(?m)^__(?:END|DATA)__$")
"""What ends the code of a file of Perl or Ruby, and begins its text."""


def _is_said(proposal: FileChange, plain: str, spec: Spec, *, at_end: bool) -> bool:
    """Return True if a line of prose or markup is a sentence to the reader of the answer."""
    if proposal.base is None:
        return not at_end and _OPENS.fullmatch(plain) is not None and plain.endswith(":")
    adds = asks_to_add(spec, proposal.path)
    form = _CLOSES if at_end else _OPENS
    if form.fullmatch(plain) is not None and not (adds and at_end and not _OWN.match(plain)):
        return True
    is_markup = splitext(proposal.path)[1].lower() in _MARKUP
    if adds or is_markup or not _SENTENCE.fullmatch(plain):
        return False
    old, new = (_texts(text) for text in (proposal.base, proposal.content))
    if any(row.startswith("#") for row in set(new).difference(old)):
        return False  # it belongs to a new section
    # the base's outermost line is still there, so that the sentence was added beside it
    return bool(old) and old[-1 if at_end else 0] in new


def _texts(text: str) -> list[str]:
    return [line for _, line in filled_lines(text)]


_OWN = lazy_pattern(
    r"(?i)(?:please )?let me know\b|i(?:['’]ve| have)? |(?:i )?hope |.*\bas you (?:asked|requested)\b"
)
