"""The values of an edit script and of the resulting change: files before and after.

File content is `str`, decoded from UTF-8 with `surrogateescape`, which preserves every byte. Line numbers are 1-based;
`line` is the edit's position in its Markdown, for messages, and is ignored by equality.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import ClassVar, Protocol

from msgspec import Struct

from minitask.edits.lines import Text, parse_text
from minitask.errors import EditError
from minitask.spec.model import LineRange
from minitask.values import Located
from minitask.words import counted


class Verb(StrEnum):
    """The verb of an operation line."""

    COPY = "copy"
    MOVE = "move"
    DELETE = "delete"
    RENAME = "rename"


class Source(Struct, frozen=True):
    """Lines of a file, in the numbering of the author's version; without a range, the whole file."""

    path: str
    range: LineRange | None = None


class WholeFile(Located, frozen=True):
    """A file's entire new content."""

    path: str
    content: str
    line: int = 0


class SearchReplace(Located, frozen=True):
    """A replacement: `search` must occur exactly once in the file; both end in a newline unless empty."""

    path: str
    search: str
    replace: str
    line: int = 0


class Operation(Located, frozen=True):
    """One line of an `edits` fence.

    `indent` is the number of spaces added to each line that is not blank (negative: removed); `dedent` removes the
    common indentation. The lines are inserted below line `after` of the target; `None` appends them.
    """

    verb: Verb
    sources: tuple[Source, ...]
    target: str | None = None
    after: int | None = None
    indent: int = 0
    dedent: bool = False
    line: int = 0


class UnifiedDiff(Located, frozen=True):
    """A unified diff, applied exactly; it may affect several files."""

    text: str
    line: int = 0


Edit = WholeFile | SearchReplace | Operation | UnifiedDiff


class EditScript(Struct, frozen=True):
    """Edits in the order written."""

    edits: tuple[Edit, ...] = ()


class Change(Located, frozen=True):
    """The change of one path: its new content, or `None` if it is deleted.

    `mode_from` is the path whose file mode it inherits (a rename); with `None`, the path keeps its own, or is a plain
    file. `executable`: it gets mode 755. `explicit`: it was made only by edits that name the lines they replace, not by
    a whole file.
    """

    UNCOMPARED: ClassVar[tuple[str, ...]] = ("explicit",)

    path: str
    content: str | None
    mode_from: str | None = None
    explicit: bool = False
    executable: bool = False


class Locate(Protocol):
    """A function that maps cited lines of a path to their position in the content being edited.

    Raises `EditError` naming the change if a cited line changed or is gone.
    """

    def __call__(self, path: str, cited: LineRange) -> LineRange:
        """Return the lines' present position."""
        ...


Files = Mapping[str, str]
Reader = Callable[[str], str | None]


def place_of(line: int, *, source: str) -> str | None:
    """Return `SOURCE:LINE`, or the part of it that is known."""
    if not line:
        return source or None
    return f"{source}:{line}" if source else f"line {line}"


@contextmanager
def placed(line: int, *, source: str) -> Iterator[None]:
    """Add the position to any `EditError` without one that passes through."""
    try:
        yield
    except EditError as error:
        if error.where is None:
            error.where = place_of(line, source=source)
        raise


class BaseFiles:
    """The files before the script; each is read and split once."""

    def __init__(self, read: Reader, locate: Locate | None = None) -> None:
        self._read = read
        self._locate = locate
        self._texts: dict[str, Text | None] = {}

    def text(self, path: str) -> Text | None:
        """Return the lines, or `None` if there is no such file."""
        if path not in self._texts:
            content = self._read(path)
            self._texts[path] = None if content is None else parse_text(content)
        return self._texts[path]

    def require(self, path: str) -> Text:
        """Return the lines of a file that must exist."""
        text = self.text(path)
        if text is None:
            hint = "check the path; operations read the files as they were"
            raise EditError(f"{path} does not exist", hint=hint)
        return text

    def lines_at(self, path: str, cited: LineRange) -> LineRange:
        """Return the present position of cited lines of a file that must exist."""
        size = len(self.require(path).lines)
        current = self._locate(path, cited) if self._locate else cited
        if current.end > size:
            message = f"{path} has {counted(size, 'line')}; {current} is beyond its end"
            raise EditError(message, hint="cite lines that the file has")
        return current


class EditedFiles:
    """The files as the script has changed them so far, on top of the base's."""

    def __init__(self, base: BaseFiles) -> None:
        self._base = base
        self._edited: dict[str, Text | None] = {}
        self._modes: dict[str, str] = {}

    def text(self, path: str) -> Text | None:
        """Return the present lines, or `None` if there is no such file."""
        return self._edited[path] if path in self._edited else self._base.text(path)

    def put(self, path: str, text: Text, *, mode_from: str | None = None) -> None:
        """Set a path's content, and its mode to that of `mode_from` if given."""
        self._edited[path] = text
        if mode_from is not None:
            self._modes[path] = mode_from

    def drop(self, path: str) -> None:
        """Remove a path."""
        self._edited[path] = None
        self._modes.pop(path, None)

    def carry(self, old: str, new: str, *, keep: bool = False) -> None:
        """Give `new` the content and mode of `old`, which is removed unless `keep`."""
        self._edited[new] = self.text(old)
        self._modes[new] = self._modes.get(old, old)
        if not keep:
            self.drop(old)

    def changes(self) -> tuple[Change, ...]:
        """Return the differences from the base, sorted by path."""
        return tuple(filter(None, map(self._change, sorted(self._edited))))

    def _change(self, path: str) -> Change | None:
        before, after = (
            None if text is None else text.content
            for text in (self._base.text(path), self._edited[path])
        )
        mode_from = self._modes.get(path)
        mode_from = None if mode_from == path else mode_from
        return None if after == before and mode_from is None else Change(path, after, mode_from)
