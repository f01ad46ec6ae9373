"""Task names: `PROJECT/ID`, in characters that every git ref and file system takes."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from minitask.patterns import lazy_pattern
from minitask.spec.paths import SPECS_FOLDER, fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from minitask.spec.model import Spec

MAX_COMPONENT = 80
MAX_SLUG = 48

_FOREIGN = lazy_pattern(r"[^A-Za-z0-9._-]")


def project_of(spec: Spec, *, siblings: int = 1) -> str:
    """Return the project of a spec; `siblings` is how many specs its file holds, where that is known."""
    return _component(_raw_project(spec, shared=_is_shared(spec, siblings)))


def id_of(spec: Spec, *, siblings: int = 1) -> str:
    """Return the spec's id in its project: that of its front matter, else made of its path or title."""
    if spec.options.id:
        return _component(spec.options.id)
    parts = _path_parts(spec)
    if _is_shared(spec, siblings) or not parts:
        return _component(_numbered_slug(spec))
    return _component("-".join(parts))


def task_name(spec: Spec, *, siblings: int = 1) -> str:
    """Return `PROJECT/ID`, the name that the task's branch, record and report use."""
    return f"{project_of(spec, siblings=siblings)}/{id_of(spec, siblings=siblings)}"


def task_names(specs: Sequence[Spec]) -> tuple[str, ...]:
    """Return the names of the specs, in order; specs of one path are taken to share a file."""
    shared = Counter(spec.path for spec in specs)
    return tuple(task_name(spec, siblings=shared[spec.path]) for spec in specs)


def normal_number(number: str) -> str:
    """Return a task's number as it is compared: `02` is `2`, `1A` is `1a`."""
    return number.strip().lower().lstrip("0") or "0"


def _is_shared(spec: Spec, siblings: int) -> bool:
    return max(siblings, spec.siblings) > 1 or spec.index > 0


def _raw_project(spec: Spec, *, shared: bool) -> str:
    path = PurePosixPath(spec.path)
    in_folder = path.parts[0] == SPECS_FOLDER if len(path.parts) > 1 else False
    if shared or (in_folder and len(path.parts) == 2):
        return path.stem
    if in_folder:
        return path.parts[1]
    return path.parent.name or "tasks"


def _path_parts(spec: Spec) -> tuple[str, ...]:
    """Return the path below the project's folder, without `.md`; none for a file that is the project."""
    path = PurePosixPath(spec.path)
    if len(path.parts) > 1 and path.parts[0] == SPECS_FOLDER:
        inner = path.parts[2:-1]
        return (*inner, path.stem) if len(path.parts) > 2 else ()
    return (path.stem,)


def _numbered_slug(spec: Spec) -> str:
    number = (spec.number or str(spec.index + 1)).strip().lower().zfill(2)
    title_slug = slug(spec.title)
    return f"{number}-{title_slug}" if title_slug else number


def slug(title: str) -> str:
    """Return a title in lower-case ASCII words joined by dashes, cut at a word; may be empty."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    dashed = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(dashed) <= MAX_SLUG:
        return dashed
    return dashed[: MAX_SLUG + 1].rpartition("-")[0] or dashed[:MAX_SLUG]


def _component(text: str) -> str:
    """Return the text where it is fit for a ref; else what is left of it, and a hash to tell it apart."""
    clean = _FOREIGN.sub("-", text)
    clean = re.sub(r"\.\.+", ".", clean).lstrip(".-")[:MAX_COMPONENT].rstrip(".")
    if clean == text and not clean.lower().endswith(".lock"):
        return clean
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{clean}-{digest}" if clean else f"task-{digest}"


_JOINERS = "\u200c\u200d"
"""Invisible characters that some scripts and emoji need between two letters."""


def find_hidden(path: str) -> str:
    """Return an invisible character of a path as `U+200B, ZERO WIDTH SPACE`; "" where there is none."""
    hidden = next((char for at, char in enumerate(path) if _is_hidden(path, at)), "")
    return f"U+{ord(hidden):04X}, {unicodedata.name(hidden, 'no name')}" if hidden else ""


def find_twin(
    path: str, *, names: Callable[[str], Iterable[str]], is_there: Callable[[str], bool]
) -> tuple[str, str] | None:
    """Return the part of a new path that is not there yet, and the path that some file systems take for the same.

    `names` gives what a folder holds, "" being the root.
    """
    folder = ""
    for part in path.split("/"):
        current = f"{folder}/{part}" if folder else part
        twin = "" if is_there(current) else _twin(part, names(folder))
        if twin:
            return current, f"{folder}/{twin}" if folder else twin
        folder = current
    return None


def find_nested(paths: Iterable[str]) -> tuple[str, str] | None:
    """Return a path, and another one that needs a folder of that name; None where there are no two."""
    unique_paths = set(paths)
    for path in sorted(unique_paths):
        folder = next((folder for folder in _folders(path) if folder in unique_paths), "")
        if folder:
            return folder, path
    return None


def _twin(part: str, names: Iterable[str]) -> str:
    folded = fold(part)
    return next((name for name in names if name != part and fold(name) == folded), "")


def _is_hidden(path: str, at: int) -> bool:
    char = path[at]
    if char.isascii() or unicodedata.category(char) != "Cf":
        return False
    around = path[at - 1 : at] + path[at + 1 : at + 2]
    return (
        char not in _JOINERS
        or len(around) < 2
        or not all(neighbour > "\u02ff" for neighbour in around)
    )


def _folders(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))
