"""A task: a spec at one committed version, on the commit that it starts from."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.engine.parse_cache import parse_once
from minitask.errors import UsageError
from minitask.git.objects import FILE_MODES
from minitask.spec.model import Spec, SpecFile
from minitask.spec.names import task_names

PROJECTS = "mini-projects"


class Task(Struct, frozen=True):
    """A spec at one version. `base` is the commit it starts from, `target` the full ref that it lands on."""

    name: str
    spec: Spec
    path: str
    blob: str
    base: str
    target: str
    uncommitted: bool = False


class Base(Struct, frozen=True):
    """The place to look for specs: a commit, the branch that it is the tip of, and where the user stands.

    With `worktree_spec`, specs are taken as they stand in the checkout.
    """

    base: str
    target: str
    folder: Path
    worktree_spec: bool = False

    def __str__(self) -> str:
        """Return the branch and the abbreviated commit, for messages."""
        return f"{self.target.removeprefix('refs/heads/')} ({self.base[:12]})"


class LoadedFile(Struct, frozen=True):
    """A spec file at one version, parsed, and the tasks in it."""

    parsed: SpecFile
    tasks: tuple[Task, ...]


def load_file(engine: Context, path: str, place: Base) -> LoadedFile:
    """Return the tasks of a file, as committed at the place or, if so wished, as it stands in the checkout."""
    if place.worktree_spec:
        present = checkout_bytes(engine, path)
        if present is not None:
            git = engine.repository.git
            blob = git.output("hash-object", "-w", "--stdin", stdin=present).decode().strip()
            return _loaded(engine, path, blob, present, place)
    entry = engine.objects.entry(place.base, path)
    if entry is None or entry.mode not in FILE_MODES:
        raise UsageError(f"no spec {path} at {place}", hint="check the path, or commit the file")
    return _loaded(engine, path, entry.oid, engine.objects.blob(entry.oid), place)


def parse(engine: Context, text: str, path: str) -> SpecFile:
    """Parse a spec file, or remember how it parsed."""
    return parse_once(text, path=path, cache=engine.cache)


def checkout_bytes(engine: Context, path: str) -> bytes | None:
    """Return a file's content in the checkout; None if there is none."""
    top = engine.repository.top
    try:
        return (top / path).read_bytes() if top else None
    except OSError:
        return None


def _loaded(engine: Context, path: str, blob: str, content: bytes, place: Base) -> LoadedFile:
    parsed = parse(engine, content.decode("utf-8", "surrogateescape"), path)
    tasks = tuple(
        Task(name, spec, path, blob, place.base, place.target, place.worktree_spec)
        for name, spec in zip(task_names(parsed.specs), parsed.specs, strict=True)
    )
    return LoadedFile(parsed, tasks)
