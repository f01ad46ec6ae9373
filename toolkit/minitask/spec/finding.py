"""A linter's finding, and where in the repository it is."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from minitask.spec.paths import check_path


class Finding(Struct, frozen=True):
    """One finding: what a rule says of a place.

    `line` and `column` count from 1; 0 is the whole file, or the whole line. `fixable` says that the linter itself can
    fix it without a change of what the code does.
    """

    path: str
    line: int
    column: int
    rule: str
    message: str
    fixable: bool = False


def relative_path(path: str, roots: Sequence[str]) -> str | None:
    """Return the canonical path in the repository, whose checkouts are at `roots`; None for one that is not in it.

    A relative path is taken to start at the repository's root.
    """
    inside: str | None = path
    if path.startswith("/"):
        inside = path_below(path, roots)
    if inside is None:
        return None
    plain = "/".join(part for part in inside.split("/") if part not in {"", "."})
    return None if check_path(plain) else plain


def path_below(path: str, roots: Sequence[str]) -> str | None:
    """Return the rest of an absolute path below one of some folders, the innermost; None below none of them."""
    for root in sorted(roots, key=len, reverse=True):
        folder = root.rstrip("/")
        if path == folder or path.startswith(f"{folder}/"):
            return path[len(folder) + 1 :]
    return None
