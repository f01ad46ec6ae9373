"""Map the lines that a spec cites from its anchor commit to the base, by diff."""

from __future__ import annotations

from msgspec import Struct, field

from minitask.edits.lines import LineHunk, Versions, map_lines, spread
from minitask.engine.tasks import PROJECTS, Task
from minitask.errors import EditError, RefusedError
from minitask.git.history import hunks
from minitask.git.objects import Objects
from minitask.git.run_git import Git
from minitask.git.versions import Renames, SpecVersions, is_squash, load_versions
from minitask.spec.model import LineRange


class Anchor(Struct):
    """A task's anchor, and the carrying of lines from there; the commit is looked up when it is first needed."""

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

    def locate(self, path: str, cited: LineRange) -> LineRange:
        """Return where cited lines are in the base; raise `EditError` if one changed or is gone."""
        self._check_known(path, cited)
        versions = self._versions_of(path)
        return cited if versions is None else map_lines(cited, versions)

    def nearest(self, path: str, cited: LineRange, count: int) -> LineRange | None:
        """Return the lines that came of cited ones, changed or not; None if nothing is left of them.

        A file that is not at the anchor has the numbers that the spec gives it, up to the `count` lines it has.
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
        """Return what a file of the anchor is called in the base; None where it is not called otherwise."""
        if self.objects.entry(self.commit(), path) is None:
            return None
        now = self.renames.after(path)
        return now if now != path and self.objects.entry(self.task.base, now) is not None else None

    @property
    def known(self) -> str | None:
        """Return the anchor's commit if it was needed."""
        return self._commit

    def _versions_of(self, path: str) -> Versions | None:
        if path not in self._versions:
            self._versions[path] = self._load(path)
        return self._versions[path]

    def _find(self) -> str:
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
        if self.task.uncommitted:
            return self.task.base
        return self._first() or self.task.base

    def _first(self) -> str | None:
        """Return the commit that first brought in the spec as it is, even if it was removed and added again since."""
        path, base = self.task.path, self.task.base
        entry = self.objects.entry(base, path)
        if entry is None:
            return None
        return self.history().first(path, entry.oid)

    def history(self) -> SpecVersions:
        """Return the versions of the spec's file, and of those beside it."""
        if self._history is None:
            path = self.task.path
            folder = PROJECTS if path.startswith(f"{PROJECTS}/") else path
            self._history = load_versions(self.git, self.task.base, [folder])
        return self._history

    def _check_known(self, path: str, cited: LineRange) -> None:
        """Refuse lines whose version is not known: of history that is not here, or that one commit stands for."""
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
                f"lines {cited} of {path} cannot be told: {commit[:12]} brought the spec in together with changes of"
                " that file, as several commits in one",
                hint=f"say which they are, and commit the spec: `anchor: {commit[:12]}` for the file as it was then,"
                f" `anchor: {(self.objects.parent_of(commit) or '')[:12]}` for the one before",
            )

    def _changed_with_spec(self, path: str, cited: LineRange) -> bool:
        """Return True if the commit that brought the spec in changed what stands at the cited lines."""
        parent = self.objects.parent_of(self.commit())
        old = self.objects.entry(parent, path) if parent else None
        new = self.objects.entry(self.commit(), path)
        if old is None or new is None or old.oid == new.oid:
            return False
        span = slice(cited.start - 1, cited.end)
        return self._lines(old.oid)[span] != self._lines(new.oid)[span]

    def _load(self, path: str) -> Versions | None:
        """Both versions of a file; None if nothing changed, so that every line is where it was."""
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
        """The refusal of a file that is not there any more, with its new name if it has one."""
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
    """`@@ -a,b +c,d @@` as half-open, 0-based; git names the line before where a side is empty."""
    old, old_count, new, new_count = raw
    old_start = old - 1 if old_count else old
    new_start = new - 1 if new_count else new
    return LineHunk(old_start, old_start + old_count, new_start, new_start + new_count)
