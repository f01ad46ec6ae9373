"""The request that a reply answers: the files that the task lists, what is to happen to each, and what the prompt
showed of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from minitask.spec.model import FileAction, LineRange

if TYPE_CHECKING:
    from minitask.edits.script_model import Reader

SOURCE = "reply"
"""The name of the Markdown in errors."""


class Citation(Struct, frozen=True):
    """Lines that the spec cites, in its own numbering, and where they are in the base."""

    written: LineRange
    now: LineRange


class ListedFile(Struct, frozen=True):
    """A file that the task lists.

    `shown` are the base's lines that the prompt held, `whole` says that these are all of them, and
    `numbered` that numbers stood before them. Of `ends`, it held the first and last ones.
    """

    path: str
    action: FileAction
    optional: bool = False
    shown: tuple[LineRange, ...] = ()
    whole: bool = False
    numbered: bool = False
    cited: tuple[Citation, ...] = ()
    ends: tuple[LineRange, ...] = ()

    @property
    def is_written(self) -> bool:
        """Return True if the task may change the file."""
        return self.action is not FileAction.READ


class ReplyContext(Struct, frozen=True):
    """The context for reading a reply.

    `read` gives a file of the base. `root` is the repository's folder, for absolute paths. `task_text` is the spec's
    own text, and `snippet_files` the whole files that its snippets hold, as (path, content). `extra_text` is what else
    the model saw: a plan, the errors of its earlier replies.
    """

    files: tuple[ListedFile, ...]
    read: Reader
    root: str = ""
    task_text: str = ""
    snippet_files: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    extra_text: str = ""

    def find(self, path: str) -> ListedFile | None:
        """Return the listed file of exactly this path; one to be written comes before one to be read."""
        matches = [file for file in self.files if file.path == path]
        return next((file for file in matches if file.is_written), matches[0] if matches else None)

    def written(self) -> tuple[ListedFile, ...]:
        """Return the files that the task may change."""
        return tuple(file for file in self.files if file.is_written)

    def only(self) -> ListedFile | None:
        """Return the file of a task that writes just one, and does not delete it."""
        files = self.written()
        alone = len(files) == 1 and files[0].action is not FileAction.DELETE
        return files[0] if alone else None

    def listing(self) -> str:
        """Return the files to be written, for a message."""
        return ", ".join(f"{file.action.value} {file.path}" for file in self.written()) or "none"
