"""An import that finds nothing: what it wants, and what is near to that."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class UnresolvedImport(Struct, frozen=True):
    """An import of something that the repository does not hold.

    `written` is the import as the file has it, `target` the path of the module without its ending, `name` what of it is
    imported where the module itself is there.
    """

    line: int
    written: str
    message: str
    target: str
    name: str = ""


class RequestedModule(Struct, frozen=True):
    """A file's imports: paths of modules without their endings, and pairs of such a path and a name."""

    modules: frozenset[str] = frozenset()
    names: frozenset[tuple[str, str]] = frozenset()

    def has(self, missing: UnresolvedImport) -> bool:
        """Return True if the file imports the same."""
        if missing.name:
            return (missing.target, missing.name) in self.names
        below = missing.target + "/"
        return any(path == missing.target or path.startswith(below) for path in self.modules)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The known name that is nearest to one, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(name, sorted(names), n=1, cutoff=0.7)
    return near[0] if near else ""
