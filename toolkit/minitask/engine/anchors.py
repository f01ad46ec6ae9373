"""Anchors: the commit whose line numbers a spec cites; diffs map the lines from there to the base.

`CommitGround` and `WorkGround` provide the files that specs are checked against, with the anchors of the specs.
"""

from __future__ import annotations

from msgspec import Struct, field

from minitask.edits.check_script import Earlier, versions_of
from minitask.edits.lines import LineHunk, Versions, map_lines, spread
from minitask.engine.spec_files import CheckoutFiles, CommittedFiles
from minitask.engine.tasks import PROJECTS, Task, parse_once
from minitask.errors import EditError, RefusedError
from minitask.git.history import hunks
from minitask.git.objects import Objects
from minitask.git.run_git import Git
from minitask.git.versions import Renames, SpecVersions, is_squash, load_versions
from minitask.spec.model import LineRange, Spec


class Anchor(Struct):
    """A task's anchor, which maps lines from there to the base; the commit is found at the first use."""

    git: Git
    objects: Objects
    task: Task
    _commit: str | None = None
    _history: SpecVersions | None = None
    _versions: dict[str, Versions | None] = field(default_factory=dict)
    _renames: Renames | None = None

    def commit(self) -> str:
        """Return the commit whose line numbers the spec cites."""
        if self._commit is None:
            self._commit = self._find()
        return self._commit

    @property
    def known(self) -> str | None:
        """Return the anchor's commit if it was found already."""
        return self._commit

    def locate(self, path: str, cited: LineRange) -> LineRange:
        """Return the range of cited lines in the base; raise `EditError` if one changed or is gone."""
        self._check_version(path, cited)
        versions = self._versions_of(path)
        return cited if versions is None else map_lines(cited, versions)

    def nearest(self, path: str, cited: LineRange, count: int) -> LineRange | None:
        """Return the range that cited lines became, changed or not, or None if none of them is left.

        In a file that is not at the anchor, it is the cited range, up to the `count` lines of the file.
        """
        try:
            versions = self._versions_of(path)
        except EditError:
            versions = None
        if versions is not None:
            return spread(cited, versions)
        return LineRange(cited.start, min(cited.end, count)) if cited.start <= count else None

    @property
    def renames(self) -> Renames:
        """Return the names that files had at the anchor."""
        if self._renames is None:
            self._renames = Renames(self.git, self.commit(), self.task.base)
        return self._renames

    def new_name(self, path: str) -> str | None:
        """Return the new name of a file that was renamed since the anchor, or None."""
        if self.objects.entry(self.commit(), path) is None:
            return None
        now = self.renames.after(path)
        return now if now != path and self.objects.entry(self.task.base, now) is not None else None

    def history(self) -> SpecVersions:
        """Return the versions of the spec's file and of its neighbours."""
        if self._history is None:
            path = self.task.path
            folder = PROJECTS if path.startswith(f"{PROJECTS}/") else path
            self._history = load_versions(self.git, self.task.base, [folder])
        return self._history

    def _find(self) -> str:
        """Return the commit that the spec names, or else the first with the spec in its present version."""
        revision = self.task.spec.options.anchor
        if revision:
            commit = self.objects.commit(revision)
            if commit is None:
                raise RefusedError(
                    f"the anchor {revision} is not a commit of this repository",
                    where=f"{self.task.path}:{self.task.spec.line_of('anchor')}",
                    hint="name an existing commit, or remove `anchor:`",
                )
            return commit
        path, base = self.task.path, self.task.base
        entry = None if self.task.uncommitted else self.objects.entry(base, path)
        return (self.history().first(path, entry.oid) if entry else None) or base

    def _check_version(self, path: str, cited: LineRange) -> None:
        """Refuse lines of an unknown version: the clone lacks its history, or a squash hides it."""
        commit = self.commit()
        if self.task.spec.options.anchor or self.task.uncommitted:
            return
        if commit in self.history().edge:
            raise EditError(
                f"lines {cited} of {path} cannot be mapped: this clone's history ends at {commit[:12]}, and the spec is"
                " older",
                hint="fetch the rest (git fetch --unshallow), or name in `anchor:` the commit they were taken from",
            )
        if self._changed_with_spec(path, cited) and is_squash(self.git, commit):
            raise EditError(
                f"lines {cited} of {path} are ambiguous: {commit[:12]}, a squash of several commits, brought the spec"
                " in and changed that file",
                hint=f"commit the spec with `anchor: {commit[:12]}` for the file as it was then,"
                f" `anchor: {(self.objects.parent_of(commit) or '')[:12]}` for the one before",
            )

    def _changed_with_spec(self, path: str, cited: LineRange) -> bool:
        """Return True if the commit that added the spec changed the cited lines."""
        parent = self.objects.parent_of(self.commit())
        old = self.objects.entry(parent, path) if parent else None
        new = self.objects.entry(self.commit(), path)
        if old is None or new is None or old.oid == new.oid:
            return False
        span = slice(cited.start - 1, cited.end)
        return self._lines(old.oid)[span] != self._lines(new.oid)[span]

    def _versions_of(self, path: str) -> Versions | None:
        if path not in self._versions:
            self._versions[path] = self._load(path)
        return self._versions[path]

    def _load(self, path: str) -> Versions | None:
        """Return both versions of a file, or None if they are the same."""
        anchor, base = self.commit(), self.task.base
        old = self.objects.entry(anchor, path)
        new = self.objects.entry(base, path)
        if old is None and new is not None:
            old = self.objects.entry(anchor, self.renames.before(path))
        if old is None:
            raise EditError(
                f"{path} does not exist at the spec's anchor {anchor[:12]}, so no line of it can be cited",
                hint="commit the spec again, now that the file exists",
            )
        if new is None:
            raise self._gone(path, anchor)
        if old.oid == new.oid:
            return None
        line_hunks = tuple(_hunk(raw) for raw in hunks(self.git, old.oid, new.oid))
        return Versions(path, self._lines(old.oid), self._lines(new.oid), line_hunks)

    def _gone(self, path: str, anchor: str) -> EditError:
        """Return the error for a file that the base lacks, with its new name if it was renamed."""
        now = self.new_name(path)
        if now is None:
            return EditError(f"{path} is gone since the spec was written (at {anchor[:12]})")
        return EditError(
            f"{path} is called {now} since the spec was written (at {anchor[:12]})",
            hint=f"list {now} in its place; the lines of {path} are carried to it",
        )

    def _lines(self, oid: str) -> list[str]:
        text = self.objects.blob(oid).decode("utf-8", "surrogateescape")
        lines = [f"{line}\n" for line in text.split("\n")]
        return lines[:-1] if text.endswith("\n") or not text else lines


def _hunk(raw: tuple[int, int, int, int]) -> LineHunk:
    """Return `@@ -a,b +c,d @@` as half-open, 0-based ranges; git names the line before an empty side."""
    old, old_count, new, new_count = raw
    old_start = old - 1 if old_count else old
    new_start = new - 1 if new_count else new
    return LineHunk(old_start, old_start + old_count, new_start, new_start + new_count)


class CommitGround(Struct):
    """A base commit, with each spec's anchor; `uncommitted` specs cite lines of the base itself."""

    git: Git
    objects: Objects
    base: str
    uncommitted: frozenset[str] = frozenset()
    _anchors: dict[int, Anchor | None] = field(default_factory=dict)
    _trees: dict[str, CommittedFiles] = field(default_factory=dict)
    _history: SpecVersions | None = None

    @property
    def files(self) -> CommittedFiles:
        """Return the files of the base."""
        return self._tree(self.base)

    def anchor_of(self, spec: Spec) -> CommittedFiles | None:
        """Return the anchor's tree for a spec that cites lines, or None."""
        commit = self.anchor_commit(spec) if any(ref.ranges for ref in spec.files) else None
        return self._tree(commit) if commit else None

    def anchor_commit(self, spec: Spec) -> str | None:
        """Return the commit of a spec's anchor."""
        anchor = self._anchor(spec)
        return anchor.commit() if anchor else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return the range in the base of lines that a spec cites."""
        anchor = self._anchor(spec)
        return anchor.locate(path, cited) if anchor else cited

    def new_name(self, spec: Spec, path: str) -> str | None:
        """Return the new name of a file that was renamed since the spec was written, or None."""
        anchor = self._anchor(spec)
        return anchor.new_name(path) if anchor else None

    def earlier(self, spec: Spec) -> Earlier | None:
        """Return the previous version of a committed spec, with its anchor."""
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
        """Return the spec at the same index in another text of its file; `commit` is its anchor unless it names one."""
        specs = parse_once(text, path=spec.path, cache=None).specs
        earlier = next((candidate for candidate in specs if candidate.index == spec.index), None)
        if earlier is None:
            return None
        at = self.objects.commit(earlier.options.anchor) if earlier.options.anchor else commit
        return Earlier(earlier, at, self._tree(at)) if at else None

    def _tree(self, commit: str) -> CommittedFiles:
        if commit not in self._trees:
            self._trees[commit] = CommittedFiles(self.objects, commit)
        return self._trees[commit]

    def _anchor(self, spec: Spec) -> Anchor | None:
        """Return the anchor, or None if the spec names a commit that does not exist, which `check_anchor` reports."""
        if id(spec) not in self._anchors:
            self._anchors[id(spec)] = self._make_anchor(spec)
        return self._anchors[id(spec)]

    def _make_anchor(self, spec: Spec) -> Anchor | None:
        revision, uncommitted = spec.options.anchor, spec.path in self.uncommitted
        if revision and self.objects.commit(revision) is None:
            return None
        task = Task("", spec, spec.path, "", self.base, "", uncommitted)
        is_shared = spec.path.startswith(f"{PROJECTS}/") and not revision and not uncommitted
        history = self._history if is_shared else None
        anchor = Anchor(self.git, self.objects, task, _history=history)
        if is_shared:
            self._history = anchor.history()
        return anchor


class WorkGround(Struct):
    """The files of the checkout, for uncommitted specs, which cite lines of these files."""

    files: CheckoutFiles
    committed: CommitGround | None = None

    def new_name(self, spec: Spec, path: str) -> str | None:  # noqa: ARG002 - no old names
        """Return None, because an uncommitted spec uses the present names."""
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
        """Return the tree of the anchor that a spec names, or None if it names none, or does not exist."""
        head, revision = self.committed, spec.options.anchor
        commit = head.objects.commit(revision) if head and revision else None
        return CommittedFiles(head.objects, commit) if head and commit else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return the range in the checkout of lines that a spec cites."""
        anchor = self.anchor_of(spec)
        before = anchor.text(path) if anchor else None
        after = self.files.text(path)
        if before is None or after is None or before == after:
            return cited
        return map_lines(cited, versions_of(path, before, after))
