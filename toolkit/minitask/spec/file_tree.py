"""The interface to a commit's tree for the checks; the caller supplies it, so that they touch nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

Kind = Literal["file", "symlink", "dir", "submodule"]


class Tree(Protocol):
    """The files of one commit."""

    def kind(self, path: str) -> Kind | None:
        """Return the kind of a canonical path; `None` if nothing is there."""
        ...

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has; `None` where that cannot be said, as for a binary file."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in a folder, "" being the root; none if it does not exist."""
        ...


class Files(Tree, Protocol):
    """A tree whose files can be read."""

    def text(self, path: str) -> str | None:
        """Return a file's content, decoded so that every byte survives; `None` where there is no such file."""
        ...
