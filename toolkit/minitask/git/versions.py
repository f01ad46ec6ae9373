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
"""Texts that GitHub, GitLab and git itself write into a squashed commit."""


class Version(Struct, frozen=True):
    """A blob at a path, as a commit brought it in."""

    commit: str
    path: str
    blob: str


class SpecVersions(Struct, frozen=True):
    """All versions of some files, oldest first, in a commit's history and that of all branches.

    `edge` holds the commits at which a shallow clone's history ends.
    """

    found: tuple[Version, ...]
    edge: frozenset[str] = frozenset()

    def first(self, path: str, blob: str) -> str | None:
        """Return the oldest commit that brought in a blob: at a path, else wherever it was before it was moved."""
        commits = [item.commit for item in self.found if item.blob == blob and item.path == path]
        moved = (item.commit for item in self.found if item.blob == blob)
        return commits[0] if commits else next(moved, None)

    def before(self, path: str, blob: str) -> Version | None:
        """Return the version of a file before it had this blob; None if it was new with it."""
        latest: Version | None = None
        for item in self.found:
            if item.path == path:
                if item.blob == blob:
                    return latest
                latest = item
        return None


def load_versions(git: Git, commit: str, folders: Sequence[str]) -> SpecVersions:
    """Return the versions of all files below some folders, or of some files; those that attempts made do not
    count.
    """
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
    """Return the commits at which a shallow clone's history ends; none in a whole one."""
    if git.line("rev-parse", "--is-shallow-repository") != "true":
        return frozenset()
    path = git.line("rev-parse", "--path-format=absolute", "--git-path", "shallow")
    try:
        return frozenset(Path(path).read_text("ascii").split())
    except OSError:
        return frozenset()


def is_squash(git: Git, commit: str) -> bool:
    """Return True if a commit's message says that it stands for several."""
    message = git.output("log", "-1", "--format=%B", commit).decode("utf-8", "replace")
    return SQUASHED.search(message) is not None


_LIMIT = "-l2000"
"""Most files of one commit that git compares with each other."""


class Renames(Struct):
    """The renames on the way from one commit to a later one; git is asked when the first name is."""

    git: Git
    old: str
    new: str
    _steps: Sequence[tuple[str, str]] | None = field(default=None)

    def before(self, path: str) -> str:
        """Return what a file of the later commit was called in the earlier one; its own name where nothing is known."""
        for old, new in reversed(self._pairs()):
            path = old if new == path else path
        return path

    def after(self, path: str) -> str:
        """Return what a file of the earlier commit is called in the later one."""
        for old, new in self._pairs():
            path = new if old == path else path
        return path

    def _pairs(self) -> Sequence[tuple[str, str]]:
        """Return the renames as `(old, new)`, the oldest first."""
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
    """Return the pairs of each `R100`: the old name and the new one."""
    names = [name.removeprefix("\n") for name in fields if name.strip("\n")]
    return list(zip(names[1::3], names[2::3], strict=False))
