"""A task: a spec at one version, with its base commit; its file, its refs and its landings."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.errors import MinitaskError, RefusedError, UsageError
from minitask.git import history, refs
from minitask.git.history import Landing
from minitask.git.objects import FILE_MODES, SUBMODULE, SYMLINK, Entry, blob_id
from minitask.git.trees import TreeChange, is_ancestor
from minitask.spec.dependency_graph import task_names
from minitask.spec.model import Diagnostic, Spec, SpecFile
from minitask.spec.paths import prefixes
from minitask.system.files import Cache

PROJECTS = "mini-projects"
REFUSED = frozenset({"E213", "E215", "E219", "E220"})
"""Rules about changes since the spec was written, and about limits of this repository: they refuse the task.
Other errors are bad usage.
"""
_KIND = "spec 7"
"""Version of cached parsed specs; increase it whenever the parser reads more."""


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
    """The commit to find specs at, the branch whose tip it is, and the user's folder.

    With `worktree_spec`, specs are taken from the checkout.
    """

    base: str
    target: str
    folder: Path
    worktree_spec: bool = False

    def __str__(self) -> str:
        """Return the branch and the abbreviated commit, for messages."""
        return f"{self.target.removeprefix('refs/heads/')} ({self.base[:12]})"


def named_project(text: str) -> str:
    """Return the project of a name or a path below mini-projects/."""
    return text.strip("/").removeprefix(f"{PROJECTS}/")


class LoadedFile(Struct, frozen=True):
    """A spec file at one version, parsed, and its tasks."""

    parsed: SpecFile
    tasks: tuple[Task, ...]


def load_file(engine: Context, path: str, base: Base) -> LoadedFile:
    """Return the tasks of a file, as committed at the base or, with `worktree_spec`, as in the checkout."""
    if base.worktree_spec:
        present = checkout_bytes(engine, path)
        if present is not None:
            blob = engine.objects.write_blob(present)
            return _loaded(engine, path, blob, present, base)
    entry = engine.objects.entry(base.base, path)
    if entry is None or entry.mode not in FILE_MODES:
        raise UsageError(f"no spec {path} at {base}", hint="check the path, or commit the file")
    return _loaded(engine, path, entry.oid, engine.objects.blob(entry.oid), base)


def _loaded(engine: Context, path: str, blob: str, content: bytes, base: Base) -> LoadedFile:
    text = content.decode("utf-8", "surrogateescape")
    parsed = parse_once(text, path=path, cache=engine.cache)
    tasks = tuple(
        Task(name, spec, path, blob, base.base, base.target, base.worktree_spec)
        for name, spec in zip(task_names(parsed.specs), parsed.specs, strict=True)
    )
    return LoadedFile(parsed, tasks)


def parse_once(text: str, *, path: str, cache: Cache | None) -> SpecFile:
    """Parse a spec file; return the cached result if the same text was parsed before."""

    def read() -> SpecFile:
        from minitask.spec.parse import parse_file

        return parse_file(text, path=path)

    parsed = cache.values(f"{_KIND}\0{path}\0{text}", read) if cache else read()
    assert isinstance(parsed, SpecFile)  # noqa: S101
    return parsed


def refusal(path: str, diagnostics: Sequence[Diagnostic]) -> MinitaskError:
    """Return the error that stops the tasks of a spec file with these diagnostics."""
    first, others = diagnostics[0], len(diagnostics) - 1
    more = f" (and {others} more: run `minitask validate {path}`)" if others else ""
    make = RefusedError if first.code in REFUSED else UsageError
    where = f"{first.path}:{first.line}"
    return make(f"{first.code} {first.message}{more}", where=where, hint=first.hint)


def checkout_bytes(engine: Context, path: str) -> bytes | None:
    """Return a file's content in the checkout, or None."""
    top = engine.repository.top
    try:
        return (top / path).read_bytes() if top else None
    except OSError:
        return None


def check_committed(engine: Context, path: str, base: Base) -> None:
    """Refuse a spec whose file in the checkout differs from the committed one."""
    present = None if base.worktree_spec else checkout_bytes(engine, path)
    if present is None:
        return
    head = engine.objects.commit("HEAD")
    entry = engine.objects.entry(head, path) if head else None
    if entry is None:
        if engine.objects.entry(base.base, path) is not None:
            return
        reason = f"is not committed at {base}"
    elif _is_same(engine, path, present, entry):
        return
    else:
        reason = "was edited since it was committed"
    name = path.removeprefix(f"{PROJECTS}/").removesuffix(".md")
    raise RefusedError(
        f"the spec {path} {reason}: only committed specs run",
        hint=commit_command(engine, path, base, name),
    )


def _is_same(engine: Context, path: str, present: bytes, entry: Entry) -> bool:
    """Return True if the content equals the blob, as it is or with line ends converted as git would on a commit."""
    if blob_id(present, like=entry.oid) == entry.oid:
        return True
    git = engine.repository.git.with_user_config(engine.repository.top)
    oid = git.output("hash-object", f"--path={path}", "--stdin", stdin=present).decode().strip()
    return oid == entry.oid


def commit_command(engine: Context, path: str, base: Base, name: str) -> str:
    """Return the command that commits a spec, relative to the user's folder; else why git cannot commit it there."""
    top = engine.repository.top
    for folder in prefixes(path)[:-1]:
        entry = engine.objects.entry(base.base, folder)
        if entry is not None and entry.mode == SYMLINK:
            return f"{folder} is a symbolic link: name the spec by the path to which it leads"
        if entry is not None and entry.mode == SUBMODULE:
            return (
                f"{folder} is a submodule: run minitask there, or keep the spec in this repository"
            )
    shown = shlex.quote(os.path.relpath(top / path, base.folder) if top else path)
    return f"git add -- {shown} && git commit -m {shlex.quote(f'spec: {name}')} -- {shown}"


class RefSnapshot(Struct, frozen=True):
    """The tasks that landed or were reverted on a target, and all refs of the toolkit, at the start of a run."""

    landed: frozenset[str]
    heads: Mapping[str, Mapping[str, str]]

    def refs_of(self, task: str) -> dict[str, str]:
        """Return a task's branch, attempts and merges, by ref."""
        return dict(self.heads.get(task, {}))


def snapshot_refs(engine: Context, tip: str, tasks: Iterable[str]) -> RefSnapshot:
    """Return the refs of tasks, and the landings at a target's tip."""
    git, names = engine.repository.git, frozenset(tasks)
    heads: dict[str, dict[str, str]] = {}
    for folder in (refs.BRANCHES, refs.ATTEMPTS, refs.LANDING):
        for ref, oid in refs.snapshot(git, folder).items():
            name = "/".join(ref.removeprefix(f"{folder}/").split("/")[:2])
            if name in names:
                heads.setdefault(name, {})[ref] = oid
    return RefSnapshot(frozenset(history.landings(git, tip)), heads)


def task_refs(engine: Context, task: str) -> dict[str, str]:
    """Return the task's branch, attempts and merges, by ref."""
    folders = (f"{refs.ATTEMPTS}/{task}", f"{refs.LANDING}/{task}")
    return refs.snapshot(engine.repository.git, refs.branch(task), *folders)


def next_number(engine: Context, task: str, heads: Mapping[str, str] | None = None) -> int:
    """Return the next attempt's number, above all in the ledger and in refs, even those of a killed process."""
    ref_names = task_refs(engine, task) if heads is None else heads
    below = tuple(f"{folder}/{task}/" for folder in (refs.ATTEMPTS, refs.LANDING))
    ends = [
        name.rpartition("/")[2].partition(".")[0] for name in ref_names if name.startswith(below)
    ]
    numbers = [int(end) for end in ends if end.isdecimal()]
    ledger = engine.ledger_head()
    entry = engine.objects.entry(ledger, task) if ledger else None
    if entry is not None:
        numbers += [int(name.split("-")[0]) for name in engine.objects.entries(entry.oid)]
    return 1 + max(numbers, default=0)


def check_branch(engine: Context, task: Task, heads: Mapping[str, str]) -> None:
    """Refuse a task whose branch cannot be created or moved; `heads` are the task's refs.

    The name may conflict with another branch, or the branch may hold commits that are nowhere else.
    """
    branch = refs.branch(task.name)
    short = branch.removeprefix("refs/heads/")
    above = prefixes(branch)[2:-1]
    below = [name for name in heads if name.startswith(f"{branch}/")]
    conflicting = next((name for name in (*above, *below) if engine.objects.commit(name)), None)
    if conflicting is not None:
        name = conflicting.removeprefix("refs/heads/")
        raise RefusedError(
            f"the branch {name} conflicts with {short}",
            hint=f"rename it: git branch -m {name} OTHER",
        )
    attempts = {oid for name, oid in heads.items() if name.startswith(refs.ATTEMPTS)}
    tip = heads.get(branch)
    if tip is None or tip in attempts:
        return
    if not is_ancestor(engine.repository.git, ancestor=tip, of=task.base):
        raise RefusedError(
            f"{short} has commits that minitask did not make; a new attempt would drop them",
            hint=f"merge them: minitask merge {task.name}; or keep them aside: git branch -m {short} OTHER",
        )


ABSENT = ("", "")


def latest_landing(engine: Context, tip: str, task: str) -> Landing | None:
    """Return a task's newest landing or undo at a tip, by the toolkit or by hand."""
    landing = history.latest_landing(engine.repository.git, tip, task=task)
    return as_it_stands(engine, landing, tip=tip) if landing else landed_by_hand(engine, tip, task)


def landings_at(engine: Context, tip: str, tasks: Collection[str]) -> dict[str, Landing]:
    """Return the newest landing or undo of each of these tasks at a tip, by the toolkit or by hand."""
    landed = history.all_landings(engine.repository.git, engine.objects, tip, tasks)
    return {task: as_it_stands(engine, landing, tip=tip) for task, landing in landed.items()}


def landed_by_hand(engine: Context, tip: str, task: str) -> Landing | None:
    """Return the landing of a task's branch by hand at a tip, undone or not, or None."""
    candidate = engine.objects.commit(refs.branch(task))
    if candidate is None:
        return None
    landing = history.brought_by_hand(engine.repository.git, engine.objects, tip, task, candidate)
    return as_it_stands(engine, landing, tip=tip) if landing else None


def as_it_stands(engine: Context, landing: Landing, *, tip: str) -> Landing:
    """Return the landing, marked as undone if a person reverted it or removed its content."""
    if landing.undone or not landing.whole or not _is_reverted(engine, landing, tip):
        return landing
    return replace(landing, undone=True)


def _is_reverted(engine: Context, landing: Landing, tip: str) -> bool:
    before = None if landing.commit == tip else engine.objects.commit(f"{landing.commit}^1")
    if before is None:
        return False
    trees = engine.objects.tree_of
    changes = engine.database.diffs.changes(trees(before), trees(landing.commit))
    present = [_side_at(engine, tip, change) for change in changes]
    if present == [_side(change, new=True) for change in changes]:
        return False
    git = engine.repository.git
    if present == [_side(change, new=False) for change in changes]:
        paths = [change.path for change in changes]
        return not history.was_changed_by_task(git, landing.commit, tip, paths)
    candidate = engine.objects.commit(f"{landing.commit}^2")
    reverted = history.reverted_since(git, landing.commit, tip)
    return landing.commit in reverted or candidate in reverted


def _side_at(engine: Context, commit: str, change: TreeChange) -> tuple[str, str]:
    entry = engine.objects.entry(commit, change.path)
    return (entry.mode, entry.oid) if entry else ABSENT


def _side(change: TreeChange, *, new: bool) -> tuple[str, str]:
    """Return the mode and id of a file on one side of a change."""
    if change.status == ("D" if new else "A"):
        return ABSENT
    return (change.new_mode, change.new_oid) if new else (change.old_mode, change.old_oid)
