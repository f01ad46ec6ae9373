"""The files that specs are checked against: a commit, with their anchors' line numbers, or the files of a checkout."""

from __future__ import annotations

from msgspec import Struct, field

from minitask.edits.citations import Earlier, versions_of
from minitask.edits.line_mapping import map_lines
from minitask.engine.anchors import Anchor
from minitask.engine.parse_cache import parse_once
from minitask.engine.spec_trees import CheckoutFiles, CommittedFiles
from minitask.engine.tasks import PROJECTS, Task
from minitask.git.command import Git
from minitask.git.objects import Objects
from minitask.git.versions import Versions
from minitask.spec.model import LineRange, Spec


class CommitGround(Struct):
    """A base commit; lines are carried to it from each spec's anchor. `uncommitted` specs have their lines from it."""

    git: Git
    objects: Objects
    base: str
    files: CommittedFiles
    uncommitted: frozenset[str] = frozenset()
    _anchors: dict[int, Anchor | None] = field(default_factory=dict)
    _trees: dict[str, CommittedFiles] = field(default_factory=dict)
    _histories: dict[bool, Versions] = field(default_factory=dict)

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
        """What a file that is not in the base was renamed to since the spec was written."""
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
        found = next((each for each in specs if each.index == spec.index), None)
        if found is None:
            return None
        at = self.objects.commit(found.options.anchor) if found.options.anchor else commit
        return Earlier(found, at, self._tree(at)) if at else None

    def anchor_commit(self, spec: Spec) -> str | None:
        """Return the commit that a committed spec's line numbers are those of."""
        anchor = self._anchor(spec)
        return anchor.commit() if anchor else None

    def _anchor(self, spec: Spec) -> Anchor | None:
        """Return the anchor; None if the one that the spec names is not found, which a rule of its own says."""
        if id(spec) not in self._anchors:
            self._anchors[id(spec)] = self._found(spec)
        return self._anchors[id(spec)]

    def _found(self, spec: Spec) -> Anchor | None:
        named = spec.options.anchor
        if named and self.objects.commit(named) is None:
            return None
        uncommitted = spec.path in self.uncommitted
        task = Task("", spec, spec.path, "", self.base, "", uncommitted)
        shared = spec.path.startswith(f"{PROJECTS}/")
        anchor = Anchor(self.git, self.objects, task)
        if shared and not named and not uncommitted:
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
        named = spec.options.anchor
        commit = self.objects.commit(named) if self.objects and named else None
        return CommittedFiles(self.objects, commit) if self.objects and commit else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Return where lines that a spec cites are in the checkout."""
        anchor = self.anchor_of(spec)
        before = anchor.text(path) if anchor else None
        after = self.files.text(path)
        if before is None or after is None or before == after:
            return cited
        return map_lines(cited, versions_of(path, before, after))
