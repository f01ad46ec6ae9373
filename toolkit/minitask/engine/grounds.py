"""The files that specs are checked against: a commit, with their anchors' line numbers, or the files of a checkout."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from minitask.edits.check_script import Earlier, versions_of
from minitask.edits.lines import map_lines
from minitask.engine.anchors import Anchor
from minitask.engine.tasks import PROJECTS, Task, parse_once
from minitask.git.objects import FILE_MODES, SUBMODULE, SYMLINK, TREE, Entry, Objects
from minitask.git.run_git import Git
from minitask.git.versions import SpecVersions
from minitask.spec.model import Kind, LineRange, Spec


class CommitGround(Struct):
    """A base commit; lines are carried to it from each spec's anchor. `uncommitted` specs have their lines from it."""

    git: Git
    objects: Objects
    base: str
    files: CommittedFiles
    uncommitted: frozenset[str] = frozenset()
    _anchors: dict[int, Anchor | None] = field(default_factory=dict)
    _trees: dict[str, CommittedFiles] = field(default_factory=dict)
    _histories: dict[bool, SpecVersions] = field(default_factory=dict)

    def anchor_of(self, spec: Spec) -> CommittedFiles | None:
        """Return the tree of the commit that a spec's line numbers are those of."""
        anchor = self._anchor(spec) if any(ref.ranges for ref in spec.files) else None
        return self._tree(anchor.commit()) if anchor else None

    def _tree(self, commit: str) -> CommittedFiles:
        if commit not in self._trees:
            self._trees[commit] = CommittedFiles(self.objects, commit)
        return self._trees[commit]

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return where lines that a spec cites are in the base."""
        anchor = self._anchor(spec)
        return anchor.locate(path, cited) if anchor else cited

    def new_name(self, spec: Spec, path: str) -> str | None:
        """Return the name that a file missing from the base was renamed to since the spec was written."""
        anchor = self._anchor(spec)
        return anchor.new_name(path) if anchor else None

    def earlier(self, spec: Spec) -> Earlier | None:
        """Return the version of a committed spec before this one, with its anchor."""
        anchor = self._anchor(spec)
        if anchor is None or spec.options.anchor or spec.path in self.uncommitted:
            return None
        history = anchor.history()
        entry = self.files.entry(spec.path)
        version = history.before(spec.path, entry.oid) if entry else None
        if version is None:
            return None
        commit = history.first(spec.path, version.blob) or version.commit
        text = self.objects.blob(version.blob).decode("utf-8", "surrogateescape")
        return self.version(spec, text, commit)

    def version(self, spec: Spec, text: str, commit: str) -> Earlier | None:
        """Return the spec of the same place in another text of its file, at the anchor that it names, or else a
        commit.
        """
        specs = parse_once(text, path=spec.path, cache=None).specs
        earlier = next((candidate for candidate in specs if candidate.index == spec.index), None)
        if earlier is None:
            return None
        at = self.objects.commit(earlier.options.anchor) if earlier.options.anchor else commit
        return Earlier(earlier, at, self._tree(at)) if at else None

    def anchor_commit(self, spec: Spec) -> str | None:
        """Return the commit that a committed spec's line numbers are those of."""
        anchor = self._anchor(spec)
        return anchor.commit() if anchor else None

    def _anchor(self, spec: Spec) -> Anchor | None:
        """Return the anchor; None if the one that the spec names is not found, which a rule of its own says."""
        if id(spec) not in self._anchors:
            self._anchors[id(spec)] = self._make_anchor(spec)
        return self._anchors[id(spec)]

    def _make_anchor(self, spec: Spec) -> Anchor | None:
        revision = spec.options.anchor
        if revision and self.objects.commit(revision) is None:
            return None
        uncommitted = spec.path in self.uncommitted
        task = Task("", spec, spec.path, "", self.base, "", uncommitted)
        shared = spec.path.startswith(f"{PROJECTS}/")
        anchor = Anchor(self.git, self.objects, task)
        if shared and not revision and not uncommitted:
            anchor = Anchor(self.git, self.objects, task, _history=self._histories.get(shared))
            self._histories[shared] = anchor.history()
        return anchor


class WorkGround(Struct):
    """The files of the checkout, for specs that are not committed: their lines are those that stand there now."""

    files: CheckoutFiles
    committed: CommitGround | None = None

    @property
    def objects(self) -> Objects | None:
        """Return the repository's objects, where there is one."""
        return self.committed.objects if self.committed else None

    def new_name(self, spec: Spec, path: str) -> str | None:  # noqa: ARG002 - it is new
        """A spec that is not committed names files as they are called."""
        return None

    def earlier(self, spec: Spec) -> Earlier | None:
        """Return the committed version of an edited spec, with its anchor."""
        head = self.committed
        text = head.files.text(spec.path) if head else None
        if head is None or text is None or spec.options.anchor:
            return None
        commit = head.anchor_commit(spec)
        return head.version(spec, text, commit) if commit else None

    def anchor_of(self, spec: Spec) -> CommittedFiles | None:
        """Return the tree of the anchor that a spec names; None if it names none that is there."""
        revision = spec.options.anchor
        commit = self.objects.commit(revision) if self.objects and revision else None
        return CommittedFiles(self.objects, commit) if self.objects and commit else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return where lines that a spec cites are in the checkout."""
        anchor = self.anchor_of(spec)
        before = anchor.text(path) if anchor else None
        after = self.files.text(path)
        if before is None or after is None or before == after:
            return cited
        return map_lines(cited, versions_of(path, before, after))


class CommittedFiles(Struct):
    """A commit's files; what was looked at is kept, since a commit never changes."""

    objects: Objects
    commit: str
    _counts: dict[str, int | None] = field(default_factory=dict)
    _entries: dict[str, Entry | None] = field(default_factory=dict)
    _tree: str | None = None

    def kind(self, path: str) -> Kind | None:
        """Return what stands at a path."""
        entry = self.entry(path)
        if entry is None:
            return None
        if entry.mode in FILE_MODES:
            return "file"
        return {SYMLINK: "symlink", SUBMODULE: "submodule"}.get(entry.mode, "dir")  # type: ignore[return-value]

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has."""
        if path not in self._counts:
            entry = self.entry(path)
            blob = self.objects.blob(entry.oid) if entry and entry.mode in FILE_MODES else None
            self._counts[path] = None if blob is None else count_lines(blob)
        return self._counts[path]

    def entry(self, path: str) -> Entry | None:
        """Return the mode and object at a path."""
        if path not in self._entries:
            folder, _, name = path.rpartition("/")
            self._entries[path] = self._names(folder).get(name)
        return self._entries[path]

    def text(self, path: str) -> str | None:
        """Return a file's content; None if there is no such file."""
        entry = self.entry(path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        return self.objects.blob(entry.oid).decode("utf-8", "surrogateescape")

    def names(self, folder: str) -> Iterable[str]:
        """Return the entries of a folder."""
        return self._names(folder)

    def _names(self, folder: str) -> dict[str, Entry]:
        """Return the names in a folder; none where it is no folder."""
        if not folder:
            return self.objects.entries(self._root())
        entry = self.entry(folder)
        return self.objects.entries(entry.oid) if entry and entry.mode == TREE else {}

    def _root(self) -> str:
        if self._tree is None:
            self._tree = self.objects.tree_of(self.commit)
        return self._tree


class CheckoutFiles(Struct):
    """The files of a checkout; what was looked at is noted, so that a later look can tell a change."""

    top: Path
    _seen: dict[str, list[Any]] = field(default_factory=dict)

    def kind(self, path: str) -> Kind | None:
        """Return what stands at a path."""
        return self._look(path)[0]  # type: ignore[no-any-return]

    def line_count(self, path: str) -> int | None:
        """Return how many lines a file has."""
        if self._look(path)[0] != "file":
            return None
        try:
            return count_lines((self.top / path).read_bytes())
        except OSError:
            return None

    def text(self, path: str) -> str | None:
        """Return a file's content; None if there is no such file."""
        if self._look(path)[0] != "file":
            return None
        try:
            return (self.top / path).read_bytes().decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def names(self, folder: str) -> Iterable[str]:
        """Return the entries of a folder."""
        if self._look(f"{folder}/")[0] != "names":
            return ()
        return [path.name for path in (self.top / folder).iterdir() if path.name != ".git"]

    def seen(self) -> list[Any]:
        """Every path that was asked about: `[path, kind, size, mtime_ns]`; of a folder's names, with a `/`."""
        return [[path, *facts] for path, facts in self._seen.items()]

    def holds(self, entries: list[Any]) -> bool:
        """Return True if all of that is still so."""
        return all(self._look(path) == facts for path, *facts in entries)

    def _look(self, path: str) -> list[Any]:
        if path not in self._seen:
            self._seen[path] = self._stat(path)
        return self._seen[path]

    def _stat(self, path: str) -> list[Any]:
        try:
            status = (self.top / path.rstrip("/")).lstat()
        except (OSError, ValueError):
            return [None, 0, 0]
        if stat.S_ISLNK(status.st_mode):
            return ["symlink", 0, 0]
        if path.endswith("/"):
            is_folder = stat.S_ISDIR(status.st_mode)
            return ["names", 0, status.st_mtime_ns] if is_folder else [None, 0, 0]
        if stat.S_ISDIR(status.st_mode):
            inside = (self.top / path / ".git").exists()
            return ["submodule" if inside and path else "dir", 0, 0]
        return (
            ["file", status.st_size, status.st_mtime_ns]
            if stat.S_ISREG(status.st_mode)
            else ["dir", 0, 0]
        )


def count_lines(content: bytes) -> int | None:
    """Lines of a text, the last one with or without a newline; None if it is not text."""
    if b"\0" in content[:8000]:
        return None
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
