"""The toolkit's refs: their names, reading many at once, and updates by compare-and-swap."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError, MissingObjectError
from minitask.git.objects import Objects, missing_object
from minitask.git.run_git import Git, GitProcess, failure

LEDGER = "refs/minitask/ledger"
ATTEMPTS = "refs/minitask/attempts"
LANDING = "refs/minitask/landing"
BRANCHES = "refs/heads/minitask"
SHOWN = ("refs/heads", "refs/remotes", "refs/tags")
"""The refs that a validation sees; the toolkit's own branches are excluded."""
REFTABLE = "reftable/tables.list"
ELSEWHERE = (b"but expected", b"reference already exists", b"unable to resolve reference")
"""Messages of git if a ref holds another commit, or none."""
UPDATE = ("update-ref", "--stdin", "-z")


def branch(task: str) -> str:
    """Return the ref of the task's branch, which people review."""
    return f"{BRANCHES}/{task}"


def attempt(task: str, number: int) -> str:
    """Return the ref of an attempt's candidate; it never moves."""
    return f"{ATTEMPTS}/{task}/{number}"


def landing(task: str, number: int) -> str:
    """Return the journal ref of an attempt's pending merge."""
    return f"{LANDING}/{task}/{number}"


def snapshot(git: Git, *patterns: str) -> dict[str, str]:
    """Return every ref at or below the patterns: name → object id."""
    form = "--format=%(objectname) %(refname)"
    lines = git.output("for-each-ref", form, *patterns).decode("utf-8", "surrogateescape")
    pairs = (line.split(" ", 1) for line in lines.splitlines())
    return {name: oid for oid, name in pairs}


def commit_at(git: Git, common_dir: Path, objects: Objects, ref: str) -> str | None:
    """Return the commit of a ref, or None; raise `MachineError` if the ref exists and its commit is missing."""
    commit = objects.commit(ref)
    if commit is not None or not _may_exist(common_dir, ref):
        return commit
    named = git.run("rev-parse", "--verify", "-q", ref)
    oid = named.stdout.decode().strip()
    commit = objects.commit(oid) if oid else None  # another process may have made the ref
    if oid and commit is None:
        raise missing_object(oid, "commit")
    return commit


def _may_exist(common_dir: Path, ref: str) -> bool:
    """Return False if no ref file has the ref: much faster than git."""
    if (common_dir / REFTABLE).exists() or (common_dir / ref).exists():
        return True
    try:
        return f" {ref}\n".encode() in (common_dir / "packed-refs").read_bytes()
    except OSError:
        return False


def shown(git: Git, common_dir: Path) -> bytes:
    """Return a `packed-refs` file with the refs that a validation sees."""
    has_table = (common_dir / REFTABLE).exists()
    found = snapshot(git, *SHOWN) if has_table else {**_packed(common_dir), **_loose(common_dir)}
    lines = (f"{oid} {name}\n" for name, oid in sorted(found.items()) if _is_shown(name))
    return "".join(lines).encode("utf-8", "surrogateescape")


def shown_state(common_dir: Path) -> str:
    """Return a string that changes whenever a ref that a validation sees changes."""
    files = (f"{common_dir}/{name}" for name in ("packed-refs", REFTABLE))
    state = []
    for path in (*files, *_loose_folders(common_dir)):
        try:
            status = os.stat(path)  # noqa: PTH116 - called before every session
        except OSError:
            continue
        state.append((path, status.st_ino, status.st_size, status.st_mtime_ns))
    return repr(state)


def _is_shown(name: str) -> bool:
    return name.startswith(tuple(f"{kind}/" for kind in SHOWN)) and not name.startswith(
        f"{BRANCHES}/"
    )


def _packed(common_dir: Path) -> dict[str, str]:
    try:
        text = (common_dir / "packed-refs").read_text("utf-8", "surrogateescape")
    except OSError:
        return {}
    pairs = (line.split(" ", 1) for line in text.split("\n") if line and line[0] not in "#^")
    return {name: oid for oid, name in pairs}


def _loose(common_dir: Path) -> dict[str, str]:
    """Return the loose refs that are not symbolic: name → object id."""
    found = {}
    for folder in _loose_folders(common_dir):
        for path in Path(folder).iterdir():
            try:
                text = path.read_text("ascii").strip()
            except (OSError, ValueError):
                continue
            if text and not text.startswith("ref:") and path.suffix != ".lock":
                found[path.relative_to(common_dir).as_posix()] = text
    return found


def _loose_folders(common_dir: Path) -> Iterator[str]:
    """Yield the folders of the refs that a validation sees."""
    for kind in SHOWN:
        for folder, names, _ in os.walk(f"{common_dir}/{kind}"):
            if folder == f"{common_dir}/refs/heads" and "minitask" in names:
                names.remove("minitask")
            names.sort()
            yield folder


class Move(Struct, frozen=True):
    """A ref update: set `ref` to `new`; `old` is the required current value (zeros: no ref; None: any)."""

    ref: str
    new: str
    old: str | None = None


def move(git: Git, moves: Sequence[Move]) -> bool:
    """Update all refs or none; return False if one did not have its required value."""
    finished = git.run(*UPDATE, stdin=_lines(moves))
    if finished.exit_code == 0:
        return True
    if any(message in finished.stderr for message in ELSEWHERE):
        return False
    error = failure(UPDATE, finished)
    if b"nonexistent object" in finished.stderr:
        raise MissingObjectError(error.message, hint=error.hint)
    raise error


class RefUpdates:
    """A long-lived git process for ref updates. Thread-safe."""

    def __init__(self, git: Git, common_dir: Path) -> None:
        self._git = git
        self._common_dir = common_dir
        self._dialogue = GitProcess(git, *UPDATE)
        self._lock = threading.Lock()

    def move(self, moves: Sequence[Move]) -> bool:
        """Update all refs or none; return False if one did not have its required value.

        On failure the process ends without a reason, so the update is retried in a new process. If git was killed, its
        stale locks are removed first; if it had finished, the refs show it. The caller holds the repository's lock.
        """
        request = b"start\0" + _lines(moves) + b"commit\0"
        with self._lock:  # until the result is clear: no other update's locks are stale
            if self._dialogue.ask(request, end=b"commit: ok\n") is not None:
                return True
            remove_stale_locks(self._common_dir)
            try:
                return move(self._git, moves) or self._has_moved(moves)
            except MachineError:
                if self._has_moved(moves):
                    return True
                raise

    def close(self) -> None:
        """End the process."""
        self._dialogue.close()

    def _has_moved(self, moves: Sequence[Move]) -> bool:
        current = snapshot(self._git, *(item.ref for item in moves))
        return all(current.get(item.ref) == item.new for item in moves)


def _lines(moves: Sequence[Move]) -> bytes:
    lines = [f"update {item.ref}\0{item.new}\0{item.old or ''}\0" for item in moves]
    return "".join(lines).encode("utf-8", "surrogateescape")


def delete(git: Git, names: Sequence[str]) -> None:
    """Delete refs; never call it while a task runs, since a kill would leave `packed-refs.lock` behind."""
    text = "".join(f"delete {name}\0\0" for name in names)
    git.output("update-ref", "--stdin", "-z", stdin=text.encode("utf-8", "surrogateescape"))


def remove_stale_locks(common_dir: Path) -> None:
    """Remove the locks of a killed process in the toolkit's ref folders; the caller holds the lock."""
    for folder in ("refs/minitask", "refs/heads/minitask"):
        for lock in (common_dir / folder).rglob("*.lock"):
            lock.unlink(missing_ok=True)


def zeros(object_format: str) -> str:
    """Return the null object id."""
    if object_format not in ("sha1", "sha256"):
        raise MachineError(f"unknown object format {object_format}")
    return "0" * (40 if object_format == "sha1" else 64)
