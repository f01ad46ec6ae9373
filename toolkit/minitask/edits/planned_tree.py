"""A tree as it will be once some tasks are done: what their edit scripts make, and what only models can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minitask.spec.model import FileAction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from minitask.edits.script_model import Change
    from minitask.spec.file_tree import Files, Kind
    from minitask.spec.model import Spec


RENAMED = 0.5
"""The share of a file that must remain for git, too, to call it renamed."""


class Overlay:
    """The files of a base with the changes of some specs; a file that a model writes is there, its text unknown."""

    def __init__(self, base: Files) -> None:
        self._base = base
        self._texts: dict[str, str | None] = {}
        self._unknown: dict[str, Spec] = {}
        self._authors: dict[str, Spec] = {}

    def copy(self) -> Overlay:
        """Return an overlay that can be changed without changing this one."""
        twin = Overlay(self._base)
        twin._texts = dict(self._texts)
        twin._unknown = dict(self._unknown)
        twin._authors = dict(self._authors)
        return twin

    def apply(self, changes: Iterable[Change], spec: Spec) -> None:
        """Take over what a spec's edit script made."""
        for change in changes:
            self._texts[change.path] = change.content
            self._unknown.pop(change.path, None)
            self._authors[change.path] = spec

    def assume(self, spec: Spec) -> None:
        """Take over what a spec says that it writes, where only a model knows what."""
        makes = (FileAction.CREATE, FileAction.WRITE)
        for ref in spec.writes():
            if ref.action not in makes and self.kind(ref.path) != "file":
                continue
            self._authors[ref.path] = spec
            if ref.action is FileAction.DELETE:
                self._texts[ref.path] = None
                self._unknown.pop(ref.path, None)
            else:
                self._unknown[ref.path] = spec

    def author(self, path: str) -> Spec | None:
        """Return the last spec that changed a path, if any did."""
        return self._authors.get(path)

    def old_name(self, path: str) -> str | None:
        """Return the old name of a file that is not in the base: that of a removed file which was much like it."""
        text = self._texts.get(path)
        if text is None or self._base.text(path) is not None:
            return None
        gone = [name for name, content in self._texts.items() if content is None]
        alike = {name: _likeness(self._base.text(name) or "", text) for name in gone}
        best = max(alike, key=alike.__getitem__, default=None)
        return best if best is not None and alike[best] >= RENAMED else None

    def is_known(self, path: str) -> bool:
        """Return False if only a model knows what the file will hold."""
        return path not in self._unknown

    def kind(self, path: str) -> Kind | None:
        """Return what stands at a path."""
        if path in self._unknown or self._texts.get(path) is not None:
            return "file"
        inside = f"{path}/"
        created = (name for name, text in self._texts.items() if text is not None)
        if any(name.startswith(inside) for name in (*created, *self._unknown)):
            return "dir"
        return None if path in self._texts else self._base.kind(path)

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has; None if that is unknown."""
        if path in self._unknown:
            return None
        text = self._texts.get(path)
        if path not in self._texts:
            return self._base.line_count(path)
        return None if text is None else text.count("\n") + bool(text and not text.endswith("\n"))

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in a folder."""
        start = f"{folder}/" if folder else ""
        created = [path for path, text in self._texts.items() if text is not None]
        inside = (path for path in (*created, *self._unknown) if path.startswith(start))
        new = {path[len(start) :].partition("/")[0] for path in inside}
        gone = {path for path, text in self._texts.items() if text is None}
        return new | {name for name in self._base.names(folder) if start + name not in gone}

    def text(self, path: str) -> str | None:
        """Return a file's content; None if there is none."""
        return self._texts[path] if path in self._texts else self._base.text(path)

    def is_touched(self, path: str) -> bool:
        """Return True if a spec made the text."""
        return path in self._texts

    @property
    def base(self) -> Files:
        """Return the files before any of the specs."""
        return self._base


def _likeness(old: str, new: str) -> float:
    """Return the share of lines that two texts have in common."""
    if old == new:
        return 1.0
    from difflib import SequenceMatcher

    return SequenceMatcher(None, old.split("\n"), new.split("\n"), autojunk=False).ratio()
