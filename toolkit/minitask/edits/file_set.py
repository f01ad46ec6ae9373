"""The files that a script starts from, and those that it makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.edits.lines import Text, parse_text
from minitask.edits.script_model import Change, Locate, Reader
from minitask.errors import EditError
from minitask.words import counted

if TYPE_CHECKING:
    from minitask.spec.model import LineRange


class BaseFiles:
    """The files as they are before the script; each is read and split once."""

    def __init__(self, read: Reader, locate: Locate | None = None) -> None:
        self._read = read
        self._locate = locate
        self._contents: dict[str, str | None] = {}
        self._texts: dict[str, Text] = {}

    def content(self, path: str) -> str | None:
        """Return the content, or `None` where there is no such file."""
        if path not in self._contents:
            self._contents[path] = self._read(path)
        return self._contents[path]

    def text(self, path: str) -> Text | None:
        """Return the lines, or `None` where there is no such file."""
        content = self.content(path)
        if content is None:
            return None
        if path not in self._texts:
            self._texts[path] = parse_text(content)
        return self._texts[path]

    def require(self, path: str) -> Text:
        """Return the lines of a file that must exist."""
        text = self.text(path)
        if text is None:
            raise EditError(
                f"{path} does not exist",
                hint="check the path; operations read the files as they were",
            )
        return text

    def lines_at(self, path: str, cited: LineRange) -> LineRange:
        """Return where the cited lines of a file that must exist are now."""
        size = len(self.require(path).lines)
        current = self._locate(path, cited) if self._locate else cited
        if current.end > size:
            message = f"{path} has {counted(size, 'line')}; {current} is beyond its end"
            raise EditError(message, hint="cite lines that the file has")
        return current


class EditedFiles:
    """The files as the script leaves them so far, over those of the base."""

    def __init__(self, base: BaseFiles) -> None:
        self._base = base
        self._edited: dict[str, Text | None] = {}
        self._modes: dict[str, str] = {}

    def text(self, path: str) -> Text | None:
        """Return the present lines, or `None` where there is no such file."""
        return self._edited[path] if path in self._edited else self._base.text(path)

    def put(self, path: str, text: Text, *, mode_from: str | None = None) -> None:
        """Give a path its content, and the mode of another path where one is named."""
        self._edited[path] = text
        if mode_from is not None:
            self._modes[path] = mode_from

    def drop(self, path: str) -> None:
        """Remove a path."""
        self._edited[path] = None
        self._modes.pop(path, None)

    def carry(self, old: str, new: str, *, keep: bool = False) -> None:
        """Give `new` the content and mode of `old`, which goes unless it is kept."""
        self._edited[new] = self.text(old)
        self._modes[new] = self._modes.get(old, old)
        if not keep:
            self.drop(old)

    def changes(self) -> tuple[Change, ...]:
        """Return what differs from the base, sorted by path."""
        candidates = (self._change(path) for path in sorted(self._edited))
        return tuple(change for change in candidates if change)

    def _change(self, path: str) -> Change | None:
        text, before = self._edited[path], self._base.content(path)
        mode_from = self._modes.get(path)
        if mode_from == path:
            mode_from = None
        after = None if text is None else text.content
        if after == before and mode_from is None:
            return None
        return Change(path, after, mode_from)
