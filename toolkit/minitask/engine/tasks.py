"""A task: a spec at one committed version, on the commit that it starts from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from minitask.engine.context import Context
from minitask.errors import UsageError
from minitask.git import history, refs
from minitask.git.objects import FILE_MODES
from minitask.spec.dependency_graph import task_names
from minitask.spec.model import Spec, SpecFile
from minitask.system.cache import Cache

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


def load_file(engine: Context, path: str, base: Base) -> LoadedFile:
    """Return the tasks of a file, as committed at the base or, with `worktree_spec`, as it is in the checkout."""
    if base.worktree_spec:
        present = checkout_bytes(engine, path)
        if present is not None:
            blob = engine.objects.write_blob(present)
            return _loaded(engine, path, blob, present, base)
    entry = engine.objects.entry(base.base, path)
    if entry is None or entry.mode not in FILE_MODES:
        raise UsageError(f"no spec {path} at {base}", hint="check the path, or commit the file")
    return _loaded(engine, path, entry.oid, engine.objects.blob(entry.oid), base)


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


def _loaded(engine: Context, path: str, blob: str, content: bytes, base: Base) -> LoadedFile:
    parsed = parse(engine, content.decode("utf-8", "surrogateescape"), path)
    tasks = tuple(
        Task(name, spec, path, blob, base.base, base.target, base.worktree_spec)
        for name, spec in zip(task_names(parsed.specs), parsed.specs, strict=True)
    )
    return LoadedFile(parsed, tasks)


class RefSnapshot(Struct, frozen=True):
    """Names of tasks that landed or were reverted on a target, and all refs of the toolkit's, as a run began."""

    landed: frozenset[str]
    heads: Mapping[str, Mapping[str, str]]

    def refs_of(self, task: str) -> dict[str, str]:
        """Return a task's branch, attempts and merges, by ref."""
        return dict(self.heads.get(task, {}))


def snapshot_refs(engine: Context, tip: str, tasks: Iterable[str]) -> RefSnapshot:
    """Return what is known of some tasks at a target's tip."""
    git = engine.repository.git
    names = frozenset(tasks)
    heads: dict[str, dict[str, str]] = {}
    for folder in (refs.BRANCHES, refs.ATTEMPTS, refs.LANDING):
        for ref, oid in refs.snapshot(git, folder).items():
            for name in _tasks_of(ref.removeprefix(f"{folder}/"), names):
                heads.setdefault(name, {})[ref] = oid
    return RefSnapshot(frozenset(history.landings(git, tip)), heads)


def _tasks_of(path: str, names: frozenset[str]) -> list[str]:
    """Return the tasks whose ref, or a ref below it, has this name: `PROJECT/ID` or `PROJECT/ID/…`."""
    name = "/".join(path.split("/")[:2])
    return [name] if name in names else []


_KIND = "spec 6"
"""The version of cached parsed specs; raise it whenever the parser reads more than before."""


def parse_once(text: str, *, path: str, cache: Cache | None) -> SpecFile:
    """Return the specs of a file and what is wrong with it, as remembered where the same text was parsed before."""

    def read() -> SpecFile:
        from minitask.spec.parse import parse_file

        return parse_file(text, path=path)

    parsed = cache.values(f"{_KIND}\0{path}\0{text}", read) if cache else read()
    assert isinstance(parsed, SpecFile)  # noqa: S101
    return parsed
