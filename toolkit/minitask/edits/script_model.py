"""The values of an edit script, and of the change that comes of it.

File content is `str`, decoded from UTF-8 with `surrogateescape`, so that every byte survives. Line numbers are 1-based;
`line` is where the edit stands in its Markdown, for messages, and takes no part in equality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

from msgspec import Struct

from minitask.errors import EditError
from minitask.spec.model import LineRange
from minitask.values import Located

if TYPE_CHECKING:
    from collections.abc import Iterator


class Verb(StrEnum):
    """The verb of an operation line."""

    COPY = "copy"
    MOVE = "move"
    DELETE = "delete"
    RENAME = "rename"


class Source(Struct, frozen=True):
    """Lines of a file, in the numbering of the author's view of it; no range is the whole file."""

    path: str
    range: LineRange | None = None


class WholeFile(Located, frozen=True):
    """A file's entire new content."""

    path: str
    content: str
    line: int = 0


class SearchReplace(Located, frozen=True):
    """One replacement: `search` must stand exactly once in the file; both end in a newline unless empty."""

    path: str
    search: str
    replace: str
    line: int = 0


class Operation(Located, frozen=True):
    """One line of an `edits` fence.

    `indent` is added to each line that is not blank (negative: taken away; `dedent` with no number is `None` with
    `dedent=True`, the common indentation). `after` inserts below that line of the target; `None` appends.
    """

    verb: Verb
    sources: tuple[Source, ...]
    target: str | None = None
    after: int | None = None
    indent: int = 0
    dedent: bool = False
    line: int = 0


class UnifiedDiff(Located, frozen=True):
    """A unified diff, applied exactly; it may touch several files."""

    text: str
    line: int = 0


Edit = WholeFile | SearchReplace | Operation | UnifiedDiff


class EditScript(Struct, frozen=True):
    """Edits in the order written."""

    edits: tuple[Edit, ...] = ()


class Change(Located, frozen=True):
    """The change of one path: its new content, or `None` where it is deleted.

    `mode_from` names the path whose file mode it takes over (a rename); `None` keeps its own, or is a plain file.
    `executable`: it gets the mode 755, whatever it had.
    `explicit`: only edits that name the lines they replace made it, no whole file.
    """

    UNCOMPARED: ClassVar[tuple[str, ...]] = ("explicit",)

    path: str
    content: str | None
    mode_from: str | None = None
    explicit: bool = False
    executable: bool = False


class Locate(Protocol):
    """Carries cited lines of a path to where they are in the content being edited.

    Raises `EditError` naming what changed where a cited line changed or is gone.
    """

    def __call__(self, path: str, cited: LineRange) -> LineRange:
        """Return the lines' present place."""
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
    """Give any `EditError` that passes through its place, unless it has one."""
    try:
        yield
    except EditError as error:
        if error.where is None:
            error.where = place_of(line, source=source)
        raise
