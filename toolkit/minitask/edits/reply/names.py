"""The file that a fence names: in its info string, in the line above it, or in its first comment; and its root."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from minitask.edits.fences import path_above
from minitask.edits.reply.reply_context import (
    EDGES,
    WORD,
    ReplyContext,
    mentions,
    required,
    resolve,
    tidied,
)
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence
from minitask.words import word_set

_KEY = lazy_pattern(
    r"(?is)(?:^|[\s{,(])(?:path|file|file_?name|file_?path|title|name)\s*[=:]\s*"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|`[^`]*`|[^\s}]+)(?P<rest>.*)"
)
_LANGUAGE_PATH = lazy_pattern(r"[A-Za-z0-9_+#.-]*[:;|=](?P<path>\S.*)")
_LABEL = lazy_pattern(
    r"(?i)(?:step\s*\d+\s*[:.)\u2013\u2014-]\s*)?(?:\(?\d+(?:/\d+)?[.)]\s*|[-*+•]\s+)?"
    r"(?:(?:the\s+)?(?:new |updated |modified |edited |full |complete )*"
    r"(?:file(?:\s?name|\s?path)?|path|create|update|edit|modify|updated|created|modified|文件(?:名|路径)?|路径|檔案|ファイル名?|파일"
    r"|файл|datei|pfad|fichier|chemin|archivo|ruta|arquivo|percorso|bestand|plik)(?:\s*\d+\s*(?=:))?\s*(?:[:=]|\s)\s*)?"
)
_REMARK = lazy_pattern(
    r"(?:\s*[(\[]|\s+[\u2014\u2013-]\s+)(?:[\w ]*\b)?"
    r"(?:new|created?|updated?|edit(?:ed)?|modified|whole|full|complete)\b[\w ]*[)\]]?$"
)
_REMARKED = lazy_pattern(r"(?P<path>[^\s:]+)(?::|\s[\u2014\u2013-]+)\s(?P<remark>\S.*)")
REFERS = lazy_pattern(
    r"(?i)\b(?:un(?:changed|modified|touched)|not?|nothing|see|like|as|same|similar|than|before|existing|original|current\w*|old"
    r"|usage|example|outputs?|prints|context|reference|us(?:e[sd]?|ing)|imports?|calls?|from|runs?|shows?)\b"
)
"""A remark with such a word may tell of other lines than the file's new ones."""
_SIGNS = lazy_pattern(
    r"^(?:\d\ufe0f?\u20e3|/(?:/+!?|\*+)(?=\s)|[^\w./\\~\u274c\u2716-\u2718\u26d4\U0001f6ab])+|(?:\s*\*+/|[^\w/)\]]+)\s*$"
)
"""Signs around a path that stands alone: an emoji, an arrow, a rule, marks of a comment; none that strikes it out."""
_RANGE = lazy_pattern(r"(?P<path>.*[^:\d]):L?\d+(?:-L?\d+)?(?:,\d+(?:-\d+)?)*")
_COMMENT = lazy_pattern(
    r"(?i)\s*(?:#+|//+!?|--|;+|%+|/\*+|<!--|\"\"\"|'''|\{-|\(\*)\s*(?:file(?:\s?name|\s?path)?\s*[:=]\s*|path\s*[:=]\s*)?"
    r"(?P<path>[^\s*]+)\s*(?:\*+/|-->|\"\"\"|'''|-\}|\*\))?\s*"
)
_PATHLIKE = lazy_pattern(r"(?:[\w.@+-]+/)*[\w.@+-]*\.[A-Za-z]\w{0,9}|(?:[\w.@+-]+/)+[\w.@+-]+")
_NEUTRAL = word_set("""
a also and as at be becomes been below call called changed changes code complete component config configuration
content contents create created entire file files final finally first following for full have here i in is it its
lastly let like look modified module new next now of on overwrite page path put reads replace replacing
rewritten rewrote save script
second should so source step stylesheet test tests the then third this to up update updated version whole will
with write your
das datei der die es folgt hier inhalt ist neue neuer und vollständige
aquí archivo completo contenido de el está es este la nuevo y
ci-dessous complet contenu du et fichier le nouveau voici
a aqui arquivo completo conteúdo e está o novo
ecco il completo contenuto file nuovo
以下是 这是 的内容 的完整内容 完整内容 内容 文件 新文件 和
""")
"""Words around a path that only say that it is the file below, in the languages of specs."""
_CONTRACTED = lazy_pattern(r"(?<=[A-Za-z])['\u2019](?:s|ll|ve|m|re)\b")


class Name(Struct, frozen=True):
    """The path that a fence names; `literal`: its content is the file's, whatever it looks like.

    `ranged`: lines followed the path. `comment`: the path is in the first line of the content. `weak`: a sentence or
    comment names the file, so that the content may be a part of it.
    """

    path: str
    literal: bool = False
    ranged: bool = False
    comment: bool = False
    weak: bool = False


def name_of(fence: Fence, request: ReplyContext) -> Name | None:
    """Return the listed file that a fence names, or None if it names none.

    Raise `UnlistedError` if it names a file that is not listed.
    """
    info = _from_info(fence.info, request)
    if info is not None:
        return info
    lead = _from_lead(fence.lead, request)
    comment = _from_comment(fence.content, request)
    if lead is not None:
        return lead
    return Name(comment, comment=True, weak=True) if comment else None


def _from_info(info: str, request: ReplyContext) -> Name | None:
    keyed = _KEY.search(info)
    if keyed:
        return _keyed(keyed, request)
    lone = _LANGUAGE_PATH.fullmatch(info)
    words_of_info = info.split()
    likely = [word.strip("()[]<>") for word in words_of_info if "." in word or "/" in word]
    candidates = [lone["path"]] if lone else [*likely, *words_of_info[1:]]
    listed = next((word for word in candidates if resolve(word, request)), "")
    pathlike = next((word for word in candidates if _is_pathlike(word)), "")
    return _name_for(listed or pathlike, request) if listed or pathlike else None


def _is_pathlike(text: str) -> bool:
    """Return True if the text almost certainly is a path."""
    return bool(_PATHLIKE.fullmatch(text)) and ("/" in text or text.count(".") == 1)


def _keyed(keyed: re.Match[str], request: ReplyContext) -> Name | None:
    value, remainder = keyed["value"], keyed["rest"]
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'`"
    plain = value[1:-1] if is_quoted else value
    if value.startswith('"'):
        plain = re.sub(r'\\(["\\])', r"\1", plain)
    spaced = f"{value}{remainder}".strip()
    if not resolve(plain, request) and resolve(spaced, request):
        plain = spaced
    says_path = "path" in keyed[0].partition(value)[0].lower()
    if not says_path and not resolve(plain, request) and not _is_pathlike(plain):
        return None
    return _name_for(plain, request, literal="whole" in remainder.split())


def _name_for(written: str, request: ReplyContext, *, literal: bool = False) -> Name:
    """Return the name for a path, optionally with lines after it; raise if it is not listed."""
    ranged = _RANGE.fullmatch(written.strip())
    if ranged and not resolve(written, request):
        return Name(required(ranged["path"], request), literal, ranged=True)
    return Name(required(written, request), literal)


def path_alone(line: str, request: ReplyContext) -> str | None:
    """Return the listed file of a line that is its path alone, in any Markdown, with or without a label."""
    meant = (
        resolve(text, request) for text in (_undressed(line), _undressed(_SIGNS.sub("", line)))
    )
    return next(filter(None, meant), None)


def _from_lead(lead: str, request: ReplyContext) -> Name | None:
    lead = lead.replace("\uff1a", ": ").strip()
    bare = _undressed(lead)
    if not bare:
        return None
    for spelling in (bare, _undressed(_SIGNS.sub("", lead))):
        if resolve(spelling, request):
            return Name(required(spelling, request))
    ranged = _RANGE.fullmatch(bare)
    if ranged and resolve(ranged["path"], request):
        return _name_for(bare, request)
    if path_above(lead) or (_PATHLIKE.fullmatch(bare) and "/" in bare):
        return _name_for(path_above(lead) or bare, request)
    remarked = _REMARKED.fullmatch(bare)
    if remarked and resolve(remarked["path"], request):
        is_other = mentions(remarked["remark"], request) or REFERS.search(remarked["remark"])
        return None if is_other else Name(required(remarked["path"], request), weak=True)
    return _from_sentence(lead, request)


def _undressed(lead: str) -> str:
    """Return the line above a fence without labels, marks and remarks around the path."""
    text = lead.strip().lstrip("#").strip().rstrip(":").strip()
    text = _REMARK.sub("", text).strip().strip(EDGES).rstrip(":").strip(EDGES)
    label = _LABEL.match(text)
    bare = text[label.end() :] if label else text
    return bare.strip().strip(EDGES).strip() or text


def _from_sentence(lead: str, request: ReplyContext) -> Name | None:
    """Return the file of a line such as "Here is the new `src/a.py`:", if the line says nothing else."""
    tokens = [word.strip(".,:;!") for word in WORD.findall(_CONTRACTED.sub("", lead))]
    ends_with_path = bool(tokens) and resolve(tokens[-1], request) is not None
    if not lead.rstrip(" *_").endswith(":") and not ends_with_path:
        return None
    meant = {path for word in tokens if word and (path := resolve(word, request))}
    others = [word.lower() for word in tokens if word and not resolve(word, request)]
    if len(meant) != 1 or not _NEUTRAL.issuperset(others):
        return None
    return Name(meant.pop(), weak=True)


def _from_comment(content: str, request: ReplyContext) -> str | None:
    first, _, rest = content.partition("\n")
    match = _COMMENT.fullmatch(first)
    second = rest.strip().partition("\n")[0]
    is_heading = (
        second and not second.startswith(("<<<<", "```", "~~~")) and not resolve(second, request)
    )
    bare = first.strip() if is_heading else ""
    path = resolve(match["path"] if match else bare, request) if match or bare else None
    listed = request.find(path) if path else None
    return path if listed and listed.is_written else None


def other_root(answer: str, request: ReplyContext) -> str:
    """Return the folder above the listed files in the answer's absolute paths, or "" if that is not certain.

    Only a file in a folder of the repository shows where that begins; `/x/a.py` may be any `a.py`.
    """
    roots = set(_roots(answer, request))
    return roots.pop() if len(roots) == 1 else ""


def _roots(answer: str, request: ReplyContext) -> Iterator[str]:
    below = [f"/{file.path}" for file in request.files if "/" in file.path]
    for word in set(_PATH_WORD.findall(answer)) if below else ():
        if not word.startswith("/") and word[1:3] not in (":/", ":\\"):
            continue
        path = tidied(word.rstrip(".:;!"))
        yield from (path.removesuffix(end) for end in below if path.endswith(end) and path != end)


_PATH_WORD = lazy_pattern(r"[^\s`*\"'()\[\]<>={},]+")
