"""Sentences of an answer that a rewritten file has at its edges: "Here is the updated file:"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from posixpath import basename, splitext

from minitask.gates.elisions import comment_text
from minitask.gates.prose_loss import is_prose
from minitask.gates.requested_removals import asks_to_add, text_about
from minitask.gates.result import FileChange, LintError, quoted
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

_THING = (
    r"(?:\S+ ){0,5}?(?:files?|code|versions?|contents?|documents?|text|scripts?|modules?|pages?|style ?sheets?|read-?me"
    r"|implementation|changes?|edits?|answer|result|solution|config\w*)\b"
)
_DID = (
    r"(?:changed|updated|added|made|fixed|modified|replaced|edited|set|removed|kept|left|rewrote|rewritten|created|applied"
    r"|adjusted|corrected|done|implemented|renamed|moved|only|did)\b"
)
_OPENS = lazy_pattern(
    rf"(?:sure|certainly|of course|absolutely|got it|no problem|understood|alright)[!,.:].*"
    rf"|(?:ok(?:ay)?|great|done)[!,.:].*|(?:here(?:['’]s| is| are)|below is|this is|these are) {_THING}.*"
    rf"|(?:the )?(?:updated|complete|full|modified|corrected|revised|new|final) {_THING}[^.!?]*:"
    rf"|i(?:['’]ve| have|['’]ll| will)? (?:now |just |also )?{_DID}.*|as (?:you )?(?:asked|requested|instructed)\b.*"
    r"|(?:voici|hier ist|hier sind|aquí (?:está|tienes)|aqui está|ecco|oto|вот) .*"
    r"|(?:以下|这是|更新后|以下は|다음은).*",
    2,
)
_CLOSES = lazy_pattern(
    rf"(?:please )?let me know\b.*|(?:i )?hope (?:this|that|it) helps.*|feel free to .*|is there anything else.*"
    rf"|i(?:['’]ve| have)? (?:now |just |also |not )?{_DID}.*|as (?:you )?(?:asked|requested|instructed)\b.*"
    r"|(?:all|everything) (?:else|other \w+) (?:is|are|was|were|stays|remains?|has been|have been) .*"
    r"|(?:the|this) (?:change|edit|update|value|file|rest)\b.* (?:is|are|has been|have been|was|were) .*"
    r"|(?:this|that) (?:change|edit|update|file|version|code) .*|(?:explanation|summary|changes(?: made)?|notes?)\s*:.*"
    r"|.*\b(?:as you (?:asked|requested)|let me know if)\b.*",
    2,
)
_SENTENCE = lazy_pattern(
    r"[A-Z][\w'’]*[!,]?(?: +[\w'’`\"./-]+[,;:!.]?){2,}[.:!?]?|[^\W\d_a-zA-Z][^={};<>]*[。：！？.:!?]"
)
_BLOCK_COMMENT = lazy_pattern(r"/\*.*?\*/|<!--.*?-->|\"\"\".*?\"\"\"|'''.*?'''", 16)
_PARSED = frozenset(
    {".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".go", ".rs", ".java", ".json", ".toml"}
)
"""Files whose syntax is judged, so that a bare sentence is a flaw anyway."""
_MARKUP = frozenset({".html", ".htm", ".vue", ".svelte", ".xml", ".svg", ".astro"})
_REMEDY = "leave the answer's sentences out of the file"


def find_answer_text(proposal: FileChange, *, spec: Spec) -> Iterator[LintError]:
    """Yield a sentence at the edge of a file that the base does not have and that the spec does not ask for."""
    spec_text = text_about(spec, proposal.path)
    for number, line, at_end in _edges(proposal):
        known = spec_text.split("\n") if _is_frame(line, proposal.path) else spec_text
        if line not in known and _is_foreign(proposal, line, spec, at_end=at_end):
            message = f"{quoted(line)} is part of the answer, not of the file"
            yield LintError(proposal.path, number, message, _REMEDY)
            return


def _edges(proposal: FileChange) -> Iterator[tuple[int, str, bool]]:
    """Yield the new lines before the first that the base has, and behind the last; the outermost of a new file."""
    blanked = _BLOCK_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), proposal.content)
    rows = [(n, row.strip()) for n, row in enumerate(blanked.split("\n"), 1) if row.strip()]
    had = frozenset(map(str.strip, (proposal.base or "").split("\n")))
    for at_end, ordered in ((False, rows), (True, rows[::-1])):
        fresh = ordered[:1] if proposal.base is None else _until_known(ordered, had)
        yield from ((number, row, at_end) for number, row in fresh)


def _until_known(rows: Sequence[tuple[int, str]], had: frozenset[str]) -> Sequence[tuple[int, str]]:
    fresh = list(takewhile(lambda row: row[1] not in had, rows))
    return fresh if len(fresh) < len(rows) else []


# The tags and keys that replies put around a file's content.
_ENVELOPE = lazy_pattern(
    r"</?[\w:-]*(?:file|content|path|tool|function|parameter|invoke|answer|output|response|result|artifact|argument)[\w:-]*"
    r"(?:\s[^<>]*)?>.*|(?:path|file|file_?name|file_?path)\s*[:=]\s*\S+|(?:content|code|text|body)\s*:\s*[|>][-+]?",
    2,
)


# What ends a turn in a model's own alphabet, which some servers leave in its text.
_TOKEN = lazy_pattern(
    r"<[|｜][\w▁ -]{2,40}[|｜]>|\[/?INST\]|<(?:end|start)_of_turn>(?:model|user)?|<eos>|</s>"
    r"|\*{3} ?end of (?:file|patch)",
    2,
)
_FRAME = lazy_pattern(
    r"EOF|(?:[-=#*/<]{2,}\s*)?(?:end|begin(?:ning)?|start)(?: of)?(?: file)?(?: ?: ?\S+)?\s*[-=#*/>]{2,}"
    r"|[-=#*/<]{2,}\s*(?:end|begin(?:ning)?|start)(?: of)?(?: file)?(?: ?: ?\S+)?"
    r"|</?(?:code|pre)(?:\s[^<>]*)?>|text|markdown|plaintext|python|javascript|typescript|yaml|toml|json|ini|csv|sql|html|css"
    r"|bash|shell|dockerfile|makefile|rust",
    2,
)
"""Lines that stand before and behind a file where it is shown, or name its language."""


def _is_frame(line: str, path: str) -> bool:
    """Return True if a line says no more than where a file begins or ends, or what its name is."""
    if _FRAME.fullmatch(line):
        return True
    bare = _AROUND.sub("", line).removeprefix("File:").removeprefix("file:").strip()
    return bare in {path, basename(path)} or (
        bare.endswith(path) and bare.removesuffix(path) in {"./", "a/", "b/", "/"}
    )


_AROUND = lazy_pattern(r"^[\s#*/`=<!;:-]+|[\s#*/`=>:-]+$")


def _is_foreign(proposal: FileChange, line: str, spec: Spec, *, at_end: bool) -> bool:
    ending = splitext(proposal.path)[1].lower()
    if _TOKEN.fullmatch(line) or (proposal.base and _is_frame(line, proposal.path)):
        return True
    plain = line.strip("*_> ")
    form = _CLOSES if at_end else _OPENS
    if proposal.base and ending not in _MARKUP and _ENVELOPE.fullmatch(line):
        return not asks_to_add(spec, proposal.path)
    if is_prose(proposal.path) or ending in _MARKUP:
        if proposal.base is None:
            return not at_end and _OPENS.fullmatch(plain) is not None and plain.endswith(":")
        adds = asks_to_add(spec, proposal.path)
        if form.fullmatch(plain) is not None and not (adds and at_end and _is_plain(plain)):
            return True
        sentence = not adds and ending not in _MARKUP and _SENTENCE.fullmatch(plain) is not None
        return sentence and _is_beside(proposal, at_end=at_end)
    if comment_text(line) is not None or ending in _PARSED:
        return False
    return form.fullmatch(plain) is not None or _SENTENCE.fullmatch(plain) is not None


def _is_beside(proposal: FileChange, *, at_end: bool) -> bool:
    """Return True if the base's outermost line is still there, so that the sentence came on top of it."""
    old, new = (
        [row.strip() for row in text.split("\n") if row.strip()]
        for text in (proposal.base or "", proposal.content)
    )
    return bool(old) and old[-1 if at_end else 0] in new


def _is_plain(line: str) -> bool:
    """Return True if a closing line could be a document's own."""
    return not _OWN.match(line)


_OWN = lazy_pattern(
    r"(?:please )?let me know\b|i(?:['’]ve| have)? |(?:i )?hope |.*\bas you (?:asked|requested)\b",
    2,
)
