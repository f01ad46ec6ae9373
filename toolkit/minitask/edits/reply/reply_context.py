"""The request that a reply answers: the files listed by the task, and the file that a fence names.

Any spelling of a path is accepted if it can mean only one listed file: in a fence's info string, above the fence, or in
its first comment.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct, field

from minitask.edits.fences import path_above
from minitask.edits.script_model import Reader
from minitask.errors import UnlistedError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence, FileAction, LineRange
from minitask.words import word_set

SOURCE = "reply"
"""The name of the reply in errors."""


class Citation(Struct, frozen=True):
    """Lines that the spec cites, in its own numbering and in the base's."""

    written: LineRange
    now: LineRange


class ListedFile(Struct, frozen=True):
    """A file that the task lists.

    `shown` are the base's lines in the prompt, and `whole` says that these are all lines. `ends` are those of which the
    prompt had the first and last ones.
    """

    path: str
    action: FileAction
    optional: bool = False
    shown: tuple[LineRange, ...] = ()
    whole: bool = False
    cited: tuple[Citation, ...] = ()
    ends: tuple[LineRange, ...] = ()

    @property
    def is_written(self) -> bool:
        """True if the task may change the file."""
        return self.action is not FileAction.READ


class ReplyContext(Struct, frozen=True):
    """The context for reading a reply.

    `read` returns a file of the base. `root` is the repository's folder, for absolute paths; `other_root` is where the
    reply takes it to be. `task_text` is the spec's text, and `snippet_files` the whole files in its snippets, as
    (path, content). `extra_text` is anything else that the model saw: a plan, the errors of its earlier replies.
    """

    files: tuple[ListedFile, ...]
    read: Reader
    root: str = ""
    task_text: str = ""
    snippet_files: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    extra_text: str = ""
    other_root: str = ""

    def find(self, path: str) -> ListedFile | None:
        """Return the listed file with exactly this path; one to be written takes precedence over one to be read."""
        matches = [file for file in self.files if file.path == path]
        return next((file for file in matches if file.is_written), matches[0] if matches else None)

    def written(self) -> tuple[ListedFile, ...]:
        """Return the files that the task may change."""
        return tuple(file for file in self.files if file.is_written)

    def only(self) -> ListedFile | None:
        """Return the only file that a task writes, or None if it writes several or deletes that one."""
        files = self.written()
        alone = len(files) == 1 and files[0].action is not FileAction.DELETE
        return files[0] if alone else None

    def listing(self) -> str:
        """Return the files to be written, for a message."""
        return ", ".join(f"{file.action.value} {file.path}" for file in self.written()) or "none"


_KEY = lazy_pattern(
    r"(?is)(?:^|[\s{,(])(?:path|file|file_?name|file_?path|title|name)\s*[=:]\s*"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'[^']*'|`[^`]*`|[^\s}]+)(?P<rest>.*)"
)
_LANGUAGE_PATH = lazy_pattern(r"[A-Za-z0-9_+#.-]*[:;|=](?P<path>\S.*)")
_LABEL = lazy_pattern(
    r"(?i)(?:step\s*\d+\s*[:.)-]\s*)?(?:\d+[.)]\s*|[-*+•]\s+)?"
    r"(?:(?:the\s+)?(?:new |updated |modified |edited |full |complete )*"
    r"(?:file(?:\s?name|\s?path)?|path|create|update|edit|modify|updated|created|modified|文件(?:名|路径)?|路径|檔案|ファイル名?|파일"
    r"|файл|datei|pfad|fichier|chemin|archivo|ruta|arquivo|percorso|bestand|plik)(?:\s*\d+\s*(?=:))?\s*(?:[:=]|\s)\s*)?"
)
_REMARK = lazy_pattern(
    r"(?:\s*[(\[]|\s+[\u2014\u2013-]\s+)(?:[\w ]*\b)?"
    r"(?:new|created?|updated?|edit(?:ed)?|modified|whole|full|complete)\b[\w ]*[)\]]?$"
)
_SIGNS = lazy_pattern(
    r"^(?:\d\ufe0f?\u20e3|/(?:/+!?|\*+)(?=\s)|[^\w./\\~\u274c\u2716-\u2718\u26d4\U0001f6ab])+|(?:\s*\*+/|[^\w/)\]]+)\s*$"
)
"""Signs around a path that stands alone: an emoji, an arrow, a rule, marks of a comment; none that strikes it out."""
_RANGE = lazy_pattern(r"(?P<path>.*[^:\d]):L?\d+(?:-L?\d+)?(?:,\d+(?:-\d+)?)*")
_COMMENT = lazy_pattern(
    r"(?i)\s*(?:#+|//+!?|--|;+|%+|/\*+|<!--|\"\"\"|'''|\{-|\(\*)\s*(?:file(?:\s?name|\s?path)?\s*[:=]\s*|path\s*[:=]\s*)?"
    r"(?P<path>[^\s*]+)\s*(?:\*+/|-->|\"\"\"|'''|-\}|\*\))?\s*"
)
_DRIVE = lazy_pattern(r"[A-Za-z]:(?=/)")
_PATHLIKE = lazy_pattern(r"(?:[\w.@+-]+/)*[\w.@+-]*\.[A-Za-z]\w{0,9}|(?:[\w.@+-]+/)+[\w.@+-]+")
_WORD = lazy_pattern(r"[^\s`*\"'()\[\]<>]+")
_NEUTRAL = word_set("""
a also and as at be becomes been below call called changed changes code complete component config configuration
content contents create created entire file files final finally first following for full have here i in is it its
lastly let like look modified module new next now of on page path reads replace replacing rewritten rewrote save
script second should so source step stylesheet test tests the then third this to update updated version whole will
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
_EDGES = " \t`'\"<>*_"
_TRAILING = ",;:"


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


def required(written: str, request: ReplyContext) -> str:
    """Return the listed path that a spelling means; raise `UnlistedError`, which names the listed files, otherwise."""
    path = resolve(written, request)
    if path is None:
        raise unlisted(written, request)
    return path


def unlisted(written: str, request: ReplyContext) -> UnlistedError:
    """Return the error for a path that is not listed."""
    path = tidied(written)
    name = posixpath.basename(path).casefold()
    alike = [f.path for f in request.files if posixpath.basename(f.path).casefold() == name]
    if len(alike) == 1:
        message = f"the task lists no file {path}; it lists {alike[0]}"
        return UnlistedError(message, hint=f"write path={alike[0]}")
    message = f"the task lists no file {path}, so it may not be changed"
    return UnlistedError(message, hint=f"change these files only: {request.listing()}")


def forbidden(path: str, request: ReplyContext) -> UnlistedError:
    """Return the error for a path that may not be written."""
    if request.find(path) is None:
        return unlisted(path, request)
    message = f"{path} is listed to be read, and may not be changed"
    return UnlistedError(message, hint=f"change these files only: {request.listing()}")


def resolve(written: str, request: ReplyContext) -> str | None:
    """Return the only listed path that a spelling can mean, or None; `**_a/b**` loses its `_` with the marks."""
    paths = {file.path for file in request.files}
    if written in paths:
        return written
    for candidate in _spellings(written, request):
        if candidate in paths:
            return candidate
    composed = {unicodedata.normalize("NFC", path): path for path in paths}
    bare = unicodedata.normalize("NFC", tidied(written))
    alike = [path for spelling, path in composed.items() if tidied(spelling) == bare]
    is_another = request.read(bare) is not None and bare not in composed
    return alike[0] if len(alike) == 1 and not is_another else None


def _spellings(written: str, request: ReplyContext) -> Iterator[str]:
    """Yield the paths that a spelling may stand for, the most literal first."""
    path = tidied(written)
    yield path
    if path.startswith("/"):
        yield from _below_root(path, request)
    elif path.startswith(("a/", "b/")) and request.read(path) is None:
        yield path[2:]


def tidied(written: str) -> str:
    """Return the path without quotes, other systems' separators and `..` detours."""
    path = written.strip().strip(_EDGES).rstrip(_TRAILING).strip(_EDGES)
    path = _DRIVE.sub("", path.replace("\\", "/"))
    return posixpath.normpath(path) if path else path


def _below_root(path: str, request: ReplyContext) -> Iterator[str]:
    """Yield the path in the repository for an absolute path, in this clone or another."""
    for written in (request.root, request.other_root):
        root = written.replace("\\", "/").rstrip("/")
        if root and path.startswith(f"{root}/"):
            yield path[len(root) + 1 :]
            return
    parts = path.lstrip("/").split("/")
    tails = ["/".join(parts[at:]) for at in range(len(parts))]
    existing = [tail for tail in tails if request.find(tail) or request.read(tail) is not None]
    if len(existing) == 1 and ("/" in existing[0] or len(parts) <= 2):
        yield existing[0]


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
    return _from_sentence(lead, request)


def _undressed(lead: str) -> str:
    """Return the line above a fence without labels, marks and remarks around the path."""
    text = lead.strip().lstrip("#").strip().rstrip(":").strip()
    text = _REMARK.sub("", text).strip().strip(_EDGES).rstrip(":").strip(_EDGES)
    label = _LABEL.match(text)
    bare = text[label.end() :] if label else text
    return bare.strip().strip(_EDGES).strip() or text


def _from_sentence(lead: str, request: ReplyContext) -> Name | None:
    """Return the file of a line such as "Here is the new `src/a.py`:", if the line says nothing else."""
    tokens = [word.strip(".,:;!") for word in _WORD.findall(_CONTRACTED.sub("", lead))]
    ends_with_path = bool(tokens) and resolve(tokens[-1], request) is not None
    if not lead.rstrip(" *_").endswith(":") and not ends_with_path:
        return None
    meant = {path for word in tokens if word and (path := resolve(word, request))}
    others = [word.lower() for word in tokens if word and not resolve(word, request)]
    if len(meant) != 1 or not _NEUTRAL.issuperset(others):
        return None
    return Name(meant.pop(), weak=True)


def is_written(path: str, request: ReplyContext) -> bool:
    """Return True if a spelling means a file that the task writes."""
    listed = request.find(resolve(path, request) or "")
    return listed is not None and listed.is_written


def mentions(text: str, request: ReplyContext) -> set[str]:
    """Return the files to be written that a text names."""
    tokens = (word.strip(".,:;!") for word in _WORD.findall(text))
    paths = {path for word in tokens if word and (path := resolve(word, request))}
    return paths & {file.path for file in request.written()}


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
