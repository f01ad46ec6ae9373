"""Versions of spec files: the commit that first added a blob, on any branch, and the version before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct, field

from minitask.git.run_git import Git

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SQUASHED = re.compile(
    r"\A[^\n]*\(#\d+\)\s*$|^Squashed commit of the following:|\A[^\n]*\bsquash", re.MULTILINE
)
"""Texts that GitHub, GitLab and git write into a squashed commit."""


class Version(Struct, frozen=True):
    """A blob at a path, and the commit that introduced it."""

    commit: str
    path: str
    blob: str


class SpecVersions(Struct, frozen=True):
    """All versions of some files, oldest first, in the history of a commit and of all branches.

    `edge`: commits where a shallow clone's history ends.
    """

    found: tuple[Version, ...]
    edge: frozenset[str] = frozenset()

    def first(self, path: str, blob: str) -> str | None:
        """Return the oldest commit that introduced the blob at the path, else at any path (a moved file)."""
        commits = [item.commit for item in self.found if item.blob == blob and item.path == path]
        moved = (item.commit for item in self.found if item.blob == blob)
        return commits[0] if commits else next(moved, None)

    def before(self, path: str, blob: str) -> Version | None:
        """Return the version before the one with this blob; None if there is none."""
        latest: Version | None = None
        for item in self.found:
            if item.path == path:
                if item.blob == blob:
                    return latest
                latest = item
        return None


def load_versions(git: Git, commit: str, folders: Sequence[str]) -> SpecVersions:
    """Return the versions of files, or of all files below folders; the toolkit's branches are excluded."""
    text = git.output(
        "log",
        "--reverse",
        "--date-order",
        "--raw",
        "--no-abbrev",
        "-m",
        "--no-renames",
        "-z",
        "--format=%x00%H",
        "--exclude=minitask/*",
        "--branches",
        commit,
        "--",
        *(f":(literal,top){folder}" for folder in folders),
    ).decode("utf-8", "surrogateescape")
    return SpecVersions(tuple(_parsed(text.split("\0"))), _shallow_commits(git))


def _parsed(fields: Sequence[str]) -> list[Version]:
    versions = []
    current = blob = ""
    for raw in fields:
        field = raw.strip("\n")
        if COMMIT.fullmatch(field):
            current = field
        elif field.startswith(":"):
            blob = field.split(" ")[3]
        elif field and blob:
            if blob.strip("0"):
                versions.append(Version(current, field, blob))
            blob = ""
    return versions


def _shallow_commits(git: Git) -> frozenset[str]:
    """Return the commits where a shallow clone's history ends; none in a full clone."""
    if git.line("rev-parse", "--is-shallow-repository") != "true":
        return frozenset()
    path = git.line("rev-parse", "--path-format=absolute", "--git-path", "shallow")
    try:
        return frozenset(Path(path).read_text("ascii").split())
    except OSError:
        return frozenset()


def is_squash(git: Git, commit: str) -> bool:
    """Return True if the commit's message is that of a squashed merge."""
    message = git.output("log", "-1", "--format=%B", commit).decode("utf-8", "replace")
    return SQUASHED.search(message) is not None


_LIMIT = "-l2000"
"""Limit on the files of a commit for rename detection."""


class Renames(Struct):
    """The renames between a commit and a later one, read from git at first use."""

    git: Git
    old: str
    new: str
    _steps: Sequence[tuple[str, str]] | None = field(default=None)

    def before(self, path: str) -> str:
        """Return the earlier name of a file of the later commit; the same name if no rename is known."""
        for old, new in reversed(self._pairs()):
            path = old if new == path else path
        return path

    def after(self, path: str) -> str:
        """Return the later name of a file of the earlier commit."""
        for old, new in self._pairs():
            path = new if old == path else path
        return path

    def _pairs(self) -> Sequence[tuple[str, str]]:
        """Return the renames as `(old, new)`, oldest first."""
        if self._steps is None:
            shape = (
                "--format=",
                "--name-status",
                "-z",
                "--diff-filter=R",
                "--find-renames",
                _LIMIT,
            )
            span = (f"{self.old}..{self.new}",)
            log = self.git.fields("log", "--reverse", "--topo-order", *shape, *span)
            self._steps = _read(log)
        return self._steps


def _read(fields: Sequence[str]) -> list[tuple[str, str]]:
    """Parse `R…` entries into pairs of old and new name."""
    names = [name.removeprefix("\n") for name in fields if name.strip("\n")]
    return list(zip(names[1::3], names[2::3], strict=False))
