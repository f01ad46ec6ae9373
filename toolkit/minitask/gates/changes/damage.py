"""Find text that no editor leaves: conflict markers, control characters, cut UTF-16, secrets, a model's own tokens."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from posixpath import splitext

from minitask.edits.lines import LOST_CHARACTER
from minitask.edits.reply.markers import without_fences
from minitask.edits.script_model import Change, Reader
from minitask.gates.changes.escaped_text import find_escaped_text
from minitask.gates.requested_removals import text_about
from minitask.gates.result import FileChange, GateResult, LintError, quoted
from minitask.gates.source.grammars import STATEMENTS
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec
from minitask.words import word_set

_MARKER = lazy_pattern(r"(?m)^(<{7}|>{7}|\|{7})(?!\1)(?: .*)?\r?$")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BINARY = word_set("""
.png .jpg .jpeg .gif .ico .webp .bmp .tiff .pdf .zip .gz .tgz .xz .bz2 .7z .tar .zst .jar .class .pyc .so .dll .dylib
.exe .bin .dat .wasm .o .a .ttf .otf .woff .woff2 .eot .mp3 .mp4 .wav .ogg .webm .db .sqlite .sqlite3 .npy .npz
.parquet .pkl .onnx .docx .xlsx .pptx .odt .mo .bson
""")
_REMEDY = "reply with the file's own text"


def find_damage(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the damage in a file that its base does not have."""
    yield from _markers(proposal, spec)
    yield from _hidden(proposal, spec)
    yield from find_escaped_text(proposal, spec)
    base, content = _bytes(proposal.base or ""), _bytes(proposal.content)
    if base.startswith(_UTF16):
        if _strays(content) > _strays(base):
            message = "its UTF-16 characters are cut in the middle"
            yield LintError(proposal.path, 1, message, _REMEDY)
    elif b"\0" in content and not content.startswith(_UTF16) and b"\0" not in base:
        if splitext(proposal.path)[1].lower() not in _BINARY:
            line = content[: content.index(b"\0")].count(b"\n") + 1
            yield LintError(proposal.path, line, "it holds a NUL byte", _REMEDY)
    elif content.startswith(_UTF16) and _strays(content):
        yield LintError(proposal.path, 1, "its UTF-16 characters are cut in the middle", _REMEDY)


def _markers(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    matches = list(_MARKER.finditer(proposal.content))
    if not matches or _only_shown(proposal):
        return
    had, spec_text = frozenset((proposal.base or "").split("\n")), _shown_in(spec)
    for match in matches:
        if match[0] not in had and match[1] not in spec_text:
            line = proposal.content.count("\n", 0, match.start()) + 1
            message = "it holds a conflict marker"
            yield LintError(proposal.path, line, message, "resolve the conflict")
            return


def _only_shown(proposal: FileChange) -> bool:
    """Return True if a Markdown document has conflict markers only in its fences, as examples."""
    is_markdown = proposal.path.lower().endswith((".md", ".markdown", ".mdx"))
    return is_markdown and _MARKER.search(without_fences(proposal.content)) is None


def _shown_in(spec: Spec) -> str:
    fences = (fence.content for fence in spec.snippets)
    return "\n".join((spec.task, spec.snippets_text, *fences))


# Bidirectional controls, tags, replacement and annotation characters, and zero-width characters inside a word.
_SPACED = r"\u0900-\u109f\u1780-\u17ff"
"""Scripts of South Asia, some of which separate words by zero-width spaces."""
_HIDDEN = lazy_pattern(
    r"[\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]|"
    rf"{LOST_CHARACTER}"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]"
    r"|(?<=[\x21-\x7e])[\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e](?=[\x21-\x7e])"
    rf"|(?<![{_SPACED}])[\u200b\u2060\ufeff](?=\w)(?![{_SPACED}])(?<!^.)"
)
# A form feed alone on a line separates pages.
_CONTROL = lazy_pattern(r"[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f]|\x0c(?=[^\s\x0c])|\r(?=.)")
_ESCAPES = {"\a": r"\a", "\b": r"\b", "\v": r"\v", "\f": r"\f", "\r": r"\r", "\x1b": r"\x1b"}
"""Control characters that JSON and strings have escapes for: a model that forgot a backslash wrote the character."""
_RIGHT_TO_LEFT = lazy_pattern(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")


def _hidden(proposal: FileChange, spec: Spec) -> Iterator[LintError]:
    """Yield the first added line with an invisible or control character that changes its meaning."""
    had = frozenset((proposal.base or "").removeprefix("\ufeff").split("\n"))
    is_binary = "\0" in proposal.content or splitext(proposal.path)[1].lower() in _BINARY
    known = _shown_in(spec) + "".join(_CONTROL.findall(proposal.base or ""))
    for number, line in enumerate(proposal.content.removeprefix("\ufeff").split("\n"), 1):
        control = None if is_binary else _CONTROL.search(line)
        match = control or _HIDDEN.search(line)
        if match is None or line in had or match[0] in known:
            continue
        if "\u202a" <= match[0] <= "\u2069" and _RIGHT_TO_LEFT.search(line):
            continue
        what = "control" if control else "hidden"
        message = f"it holds the {what} character U+{ord(match[0]):04X}"
        escape = _ESCAPES.get(match[0], "")
        remedy = f"write it as `{escape}`, with the backslash" if escape else _REMEDY
        yield LintError(proposal.path, number, message, remedy)
        return


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _strays(content: bytes) -> int:
    """Count signs of broken UTF-16: ASCII shifted by a byte, invalid or half characters, no byte order mark."""
    big = content.startswith(codecs.BOM_UTF16_BE)
    whole = content[: len(content) // 2 * 2]
    text = whole.decode("utf-16-be" if big else "utf-16-le", "replace")
    shifted = sum(1 for char in text if ord(char) & 0xFF == 0 and 9 <= ord(char) >> 8 < 0x7F)
    return shifted + len(content) % 2 + text.count("\ufffd") + (not content.startswith(_UTF16))


SHORTEST = 8
"""Fewest characters of a value that counts as a secret; a shorter one could occur anywhere."""
_PRIVATE_KEY = lazy_pattern(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|\s)*(?:[A-Za-z-]+: [^\n]*\s+)*"
    r"[\"' +]*([A-Za-z0-9+/=]{40,})"
)


def find_secret(
    changes: Sequence[Change], *, read: Reader, spec: Spec, secrets: Mapping[str, str]
) -> GateResult:
    """Refuse a change that adds a secret's value or a private key; the reason never contains it."""
    for change in changes:
        reason = _reason(change, read(change.path) or "", spec=spec, secrets=secrets)
        if reason:
            return GateResult("scope", passed=False, reason=reason, refused=True)
    return GateResult("scope", passed=True)


def redacted(text: str, secrets: Mapping[str, str]) -> str:
    """Return the text with each secret's value replaced by its name, and each private key by a label."""
    for name, value in sorted(secrets.items(), key=lambda pair: -len(pair[1])):
        if len(value) >= SHORTEST:
            text = text.replace(value, f"[{name}]")
    return _PRIVATE_KEY.sub("[private key]", text)


def _reason(change: Change, base: str, *, spec: Spec, secrets: Mapping[str, str]) -> str:
    content = change.content or ""
    for name, value in secrets.items():
        if len(value) >= SHORTEST and value in content and value not in base:
            return f"{change.path} would hold the value of {name}"
    for match in _PRIVATE_KEY.finditer(content):
        if match[1] not in base and not any(match[1] in fence.content for fence in spec.snippets):
            line = content.count("\n", 0, match.start()) + 1
            return f"{change.path}:{line} would hold a private key"
    return ""


_END = lazy_pattern(
    r"<\|(?:im_end|endoftext|eot_id|eom_id|end_of_text|end|return)\|>|<｜end[▁_ ]of[▁_ ]sentence｜>|<end_of_turn>"
)
_TOKEN = lazy_pattern(r"<[|｜][^<>|｜]{1,40}[|｜]>|<(?:start|end)_of_turn>")
_QUOTES = "\"'`"
_CALL_TAG = lazy_pattern(
    r"(?i)</(parameter|invoke|(?:antml:)?function_calls|tool_call|tool_use|file_text|(?:new|old)_str(?:ing)?|write_to_file"
    r"|replace_in_file|apply_diff|arg_value|write_file|create_file|edit_file|content|diff|replace)>"
)
_NOTICE = lazy_pattern(
    r"(?i)[(\[<]+\s*(?:showing lines? \d+(?:\s?[-–]\s?\d+)? of \d+\b.*"
    r"|(?:\.{3}|…)?\s*\d+ (?:more )?(?:characters?|chars|lines|bytes) (?:truncated|omitted|clipped|not shown)\b.*"
    r"|(?:response|output|file|content|text) (?:was )?(?:clipped|truncated)\b.*|(?:(?:\.{3}|…)\s*)?truncated)\s*[)\]>]+"
    r"|(?:\.{3}|…)\s*[\[(]\s*truncated\s*[\])]"
)
_CITATION = lazy_pattern(
    r"\ue200cite\ue202[^\ue201]{0,200}\ue201?|【\d{1,4}(?::\d{1,4})?†[^】\n]{0,80}】|:?contentReference\[oaicite:\d+\](?:\{[^}\n]{0,40}\})?"
    r"|\[oaicite:\d+\]|citeturn\d+(?:search|view|news|image)\d+|\[cite_start\]"
    r"|\[cite: ?\d[\d, ]{0,40}\]|</?grok:render\b"
)
"""References to what a model's search found, which only its provider's page can show."""
_CHANGE_MARK = lazy_pattern(
    r"(?i)\s(?:<-+|←+|⟵|<<)\s*(?:this (?:line )?|line )?(?:is |was )?"
    r"(?:changed|modified|updated|edited|replaced|fixed)(?: (?:here|this|line))?[.!]?\s*$"
)
"""What points at the line that a reply changes."""
_LONGEST = 160
"""Characters above which a line is no notice."""
_DOTS = lazy_pattern(r"\s*(?:\.{3}|…)\s*")
_HAS_DOTS = frozenset(
    {".py", ".pyi", ".yml", ".yaml", ".md", ".markdown", ".mdx", ".rst", ".txt", ".nix"}
)
"""Endings of files in which a line of dots may have a meaning."""
_LEAVE_OUT = "leave it out, and keep the file's own lines"


def find_stray(proposal: FileChange, *, spec: Spec) -> Iterator[LintError]:
    """Yield the first added line that holds a token, a tag or a notice that is not the file's, nor in the spec."""
    base = proposal.base or ""
    had, spec_text = frozenset(base.split("\n")), text_about(spec, proposal.path)
    tokens = {match[0] for text in (base, proposal.content) for match in _TOKEN.finditer(text)}
    marks = [_END] if len(tokens) == 1 else []  # a file with several tokens is about such tokens
    marks += [mark for mark in (_CITATION, _CHANGE_MARK) if not mark.search(base)]
    for number, line in enumerate(proposal.content.split("\n"), 1):
        if line in had:
            continue
        stray = _marked(line, marks) or _stray(line.strip(), proposal, base)
        stray = stray or (line if line[1:] in had and _of_diff(line, proposal.path) else "")
        if stray and stray not in spec_text:
            message = f"{quoted(stray)} is no text of the file"
            yield LintError(proposal.path, number, message, _LEAVE_OUT)
            return


def _of_diff(line: str, path: str) -> bool:
    """Return True for an indented line of code behind a mark of a diff, if the rest of it is the base's."""
    is_code = splitext(path)[1].lower() in STATEMENTS
    return (
        is_code and line[0] in "+-" and line[1:].startswith(("  ", "\t")) and bool(line[1:].strip())
    )


def _marked(line: str, marks: Iterable[re.Pattern[str]]) -> str:
    """Return the first mark in a line that is not in quotes, or ""."""
    for mark in marks:
        match = mark.search(line)
        if match is not None and not any(quote in line[: match.start()] for quote in _QUOTES):
            return match[0]
    return ""


def _stray(row: str, proposal: FileChange, base: str) -> str:
    """Return a line that only ends a call, tells of a reader, or leaves lines out; else ""."""
    tag = _CALL_TAG.fullmatch(row)
    openings = [f"<{tag[1]}{after}" for after in " >\n"] if tag else []
    if tag and f"</{tag[1]}>" not in base and not any(o in proposal.content for o in openings):
        return row
    if len(row) <= _LONGEST and _NOTICE.fullmatch(row):
        return row
    is_only = proposal.content.strip() == row
    is_left_out = is_only or (base and splitext(proposal.path)[1].lower() not in _HAS_DOTS)
    return row if is_left_out and _DOTS.fullmatch(row) else ""
