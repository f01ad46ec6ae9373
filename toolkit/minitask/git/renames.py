"""What files were called before, and are called now: renames between two commits, followed commit by commit."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from minitask.git.command import Git

_LIMIT = "-l2000"
"""How many files of one commit git compares with each other, at most."""


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
        """The renames as `(old, new)`, the oldest first."""
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
    """The pairs of `R100`, the old name and the new one, in a row."""
    names = [name.removeprefix("\n") for name in fields if name.strip("\n")]
    return list(zip(names[1::3], names[2::3], strict=False))
