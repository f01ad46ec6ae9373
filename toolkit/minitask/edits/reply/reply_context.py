"""The request that a reply answers: the files listed by the task, and the one that a spelling of a path means.

Any spelling is accepted if it can mean only one listed file.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from msgspec import Struct, field

from minitask.edits.script_model import Reader
from minitask.errors import UnlistedError
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, LineRange

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


_DRIVE = lazy_pattern(r"^[A-Za-z]:(?=/)")
_SIDES = frozenset("abciow")
"""Folders that a diff writes before its paths: `a/` and `b/`, or git's `i/`, `w/`, `c/` and `o/`."""
_AROUND = ({"Ps", "Pe"}, {"Pi", "Pf"}, {"Ps", "Pi"}, {"Ps", "Pf"})
"""Unicode categories of a pair of brackets, or of quotes in one language or another."""
_ESCAPE = lazy_pattern(r"\\(?=[^\w\\./-])")
WORD = lazy_pattern(r"[^\s`*\"'()\[\]<>]+")
EDGES = " \t`'\"<>*_"
_TRAILING = ",;:"


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
    bare = _plain(written)
    alike = [path for path in paths if _plain(path) == bare]
    is_another = request.read(bare) is not None and bare not in alike
    return alike[0] if len(alike) == 1 and not is_another else None


def _plain(written: str) -> str:
    """Return the path composed and decoded, without hidden characters, and without quotes or brackets around it."""
    text = unicodedata.normalize("NFC", unquote(_ESCAPE.sub("", written)))
    path = tidied("".join(char for char in text if unicodedata.category(char) != "Cf")).rstrip(".")
    if len(path) > 2 and {*map(unicodedata.category, path[:: len(path) - 1])} in _AROUND:
        path = tidied(path[1:-1])
    return path


def _spellings(written: str, request: ReplyContext) -> Iterator[str]:
    """Yield the paths that a spelling may stand for, the most literal first."""
    path = tidied(written)
    yield path
    if path.startswith("/"):
        yield from _below_root(path, request)
    elif request.read(path) is None:
        folder, _, below = path.partition("/")
        is_root = folder == posixpath.basename(request.root) and "/" in below
        if is_root or folder in _SIDES:
            yield below


def tidied(written: str) -> str:
    """Return the path without quotes, other systems' separators and `..` detours."""
    path = written.strip().strip(EDGES).rstrip(_TRAILING).strip(EDGES)
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


def is_written(path: str, request: ReplyContext) -> bool:
    """Return True if a spelling means a file that the task writes."""
    listed = request.find(resolve(path, request) or "")
    return listed is not None and listed.is_written


def mentions(text: str, request: ReplyContext) -> set[str]:
    """Return the files to be written that a text names."""
    tokens = (word.strip(".,:;!") for word in WORD.findall(text))
    paths = {path for word in tokens if word and (path := resolve(word, request))}
    return paths & {file.path for file in request.written()}
