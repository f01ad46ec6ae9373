"""What specs are checked against: a commit, with their anchors' line numbers, or the files of a checkout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from minitask.edits.carry import carry
from minitask.edits.citations import versions_of
from minitask.repo.git import Git
from minitask.repo.objects import Objects
from minitask.run.anchors import Anchor
from minitask.run.tasks import Task
from minitask.run.trees import CommitTree, WorkTree
from minitask.spec.model import LineRange, Spec
from minitask.values import dataclass


@dataclass(slots=True)
class CommitGround:
    """A base commit; lines are carried to it from each spec's anchor.

    `introduced` finds the commits that brought the specs in, by path.
    """

    git: Git
    objects: Objects
    base: str
    introduced: Callable[[], dict[str, str]]
    files: CommitTree
    _anchors: dict[int, Anchor | None] = field(default_factory=dict)
    _found: dict[str, str] | None = None

    def anchor_of(self, spec: Spec) -> CommitTree | None:
        """The tree of the commit that a spec's line numbers are those of."""
        anchor = self._anchor(spec) if any(ref.ranges for ref in spec.files) else None
        return CommitTree(self.objects, anchor.commit()) if anchor else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Where lines that a spec cites are in the base."""
        anchor = self._anchor(spec)
        return anchor.locate(path, cited) if anchor else cited

    def _anchor(self, spec: Spec) -> Anchor | None:
        """The anchor; None where the one that the spec names is not found, which a rule of its own says."""
        if id(spec) not in self._anchors:
            task = Task("", spec, spec.path, "", self.base, "")
            if spec.options.anchor is None:
                if self._found is None:
                    self._found = self.introduced()
                commit = self._found.get(spec.path, self.base)
            else:
                commit = self.objects.commit(spec.options.anchor) or ""
            self._anchors[id(spec)] = (
                Anchor(self.git, self.objects, task, commit) if commit else None
            )
        return self._anchors[id(spec)]


@dataclass(slots=True)
class WorkGround:
    """The files of the checkout, for specs that are not committed: their lines are those that stand there now."""

    files: WorkTree
    objects: Objects | None = None

    def anchor_of(self, spec: Spec) -> CommitTree | None:
        """The tree of the anchor that a spec names; None where it names none that is there."""
        named = spec.options.anchor
        commit = self.objects.commit(named) if self.objects and named else None
        return CommitTree(self.objects, commit) if self.objects and commit else None

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        """Where lines that a spec cites are in the checkout."""
        anchor = self.anchor_of(spec)
        before = anchor.text(path) if anchor else None
        after = self.files.text(path)
        if before is None or after is None or before == after:
            return cited
        return carry(cited, versions_of(path, before, after))
