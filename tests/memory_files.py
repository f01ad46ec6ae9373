"""A repository of files that are held in memory, as the gates read one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minitask.gates.result import EntryKind


class Files:
    """Texts by their paths."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def names(self, folder: str) -> dict[str, EntryKind]:
        """Return what a folder has."""
        start = f"{folder}/" if folder else ""
        below = [path.removeprefix(start) for path in self._texts if path.startswith(start)]
        return {
            path.partition("/")[0]: EntryKind.FOLDER if "/" in path else EntryKind.FILE
            for path in below
        }

    def read(self, path: str) -> str | None:
        """Return a file's text, or None."""
        return self._texts.get(path)

    def holding(self, word: str, endings: Sequence[str]) -> list[str]:
        """Return the files that have the word."""
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        texts = ((p, text) for p, text in self._texts.items() if p.endswith(tuple(endings)))
        return [path for path, text in texts if pattern.search(text)]
