"""Write and sign commits without a checkout; unsigned ones without a git process, in milliseconds.

A commit's tree is given as a base and changes, or as a tree id. Each commit gets its own ref, so it stays reachable.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError, MissingObjectError
from minitask.git.loose import LooseStore, object_files, path_of
from minitask.git.objects import Entry, Objects, open_objects
from minitask.git.refs import Move, RefUpdates, zeros
from minitask.git.repository import Repository, Signature
from minitask.git.run_git import Git
from minitask.git.trees import TreeDiffs, changed_tree

WAITS = (0.01, 0.05, 0.2, 0.5)
"""Seconds to wait before each retry of a ref update."""


class FileWrite(Struct, frozen=True):
    """New content and git mode of a path; content None deletes the path."""

    path: str
    content: bytes | None
    mode: str = "100644"


class NewCommit(Struct, frozen=True):
    """A commit to write. `parents` are ids.

    `tree` is its tree, by default the first parent's; `writes` are applied to it. `signature` is the signature header,
    made by `Signer`.
    """

    ref: str
    message: str
    author: Signature
    committer: Signature
    parents: tuple[str, ...]
    writes: tuple[FileWrite, ...] = ()
    tree: str | None = None
    signature: str = ""

    def content(self, tree: str) -> bytes:
        """Return the commit object's content, for the id of its root tree."""
        parents = "".join(f"parent {parent}\n" for parent in self.parents)
        people = f"author {self.author}\ncommitter {self.committer}"
        text = f"tree {tree}\n{parents}{people}{self.signature}\n\n{self.message}"
        return text.encode("utf-8", "surrogateescape")


def write_commits(
    database: Database, commits: Sequence[NewCommit], *, force: bool = False
) -> tuple[str, ...]:
    """Write the commits, update their refs, all or none, and return the commit ids in order.

    Compare-and-swap: a ref must be missing, or at a parent of its new commit, else the call fails; `force` moves it
    anyway. Conflicts with `git gc` and `git pack-refs` are retried.
    """
    for seconds in (*WAITS, None):
        moves = [_written(database, commit, force=force) for commit in commits]
        try:
            if not moves or database.refs.move(moves):
                if database.new_objects is not None:
                    database.new_objects.look()
                return tuple(move.new for move in moves)
        except MissingObjectError:  # pruned before a ref held it
            if seconds is None:
                raise
        if seconds is not None:
            time.sleep(seconds)
    raise _overtaken(commits[0].ref)


def _written(database: Database, commit: NewCommit, *, force: bool) -> Move:
    """Write the commit; return the update of its ref."""
    oid = write_commit(database.objects, commit)
    if force:
        return Move(commit.ref, oid)
    current = database.objects.commit(commit.ref)
    if current not in (None, oid, *commit.parents):
        raise _overtaken(commit.ref)
    return Move(commit.ref, oid, current or zeros(database.object_format))


def write_commit(objects: Objects, commit: NewCommit) -> str:
    """Write the commit and its objects, without a ref; return its id."""
    tree = write_tree(objects, commit)
    return objects.write_commit(commit.content(tree), tree=tree)


def write_tree(objects: Objects, commit: NewCommit) -> str:
    """Write the commit's files; return the id of its root tree."""
    tree = commit.tree
    if tree is None:
        tree = objects.tree_of(commit.parents[0]) if commit.parents else ""
    if commit.writes or not tree:
        written = {write.path: _entry(objects, write) for write in commit.writes}
        tree = changed_tree(objects, tree, written)
    return tree


def _entry(objects: Objects, write: FileWrite) -> Entry | None:
    if write.content is None:
        return None
    return Entry(write.mode, objects.write_blob(write.content))


def _overtaken(ref: str) -> MachineError:
    return MachineError(
        f"{ref} was moved by another process meanwhile", hint="run the same command again"
    )


WAIT_SECONDS = 20.0
ASKING = ("DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY", "SSH_ASKPASS")
"""Variables through which a program can prompt a person."""
SETTINGS = ("-c", "i18n.commitEncoding=UTF-8")


class Signer:
    """A signer of commits until the key first fails; `tell` receives the reason. Thread-safe."""

    def __init__(self, repository: Repository, tell: Callable[[str], None]) -> None:
        asking = dict.fromkeys(ASKING)
        environ = {key: text for key, text in repository.git.environ.items() if key not in asking}
        environ["SSH_ASKPASS_REQUIRE"] = "never"
        self._git = replace(repository.git.with_user_config(), environ=environ, signs=True)
        self._tell = tell
        self._lock = threading.Lock()
        self._works: bool | None = None

    def find_out(self) -> bool:
        """Return True if git is configured to sign, and the key has not failed."""
        with self._lock:
            if self._works is None:
                asked = self._git.run("config", "--type=bool", "--get", "commit.gpgSign")
                self._works = asked.stdout.strip() == b"true"
            return self._works

    def signed(self, commit: NewCommit) -> NewCommit:
        """Return the commit, signed if git signs and the key works. Its tree must be given, and exist."""
        with self._lock:
            return self._sign(replace(commit, signature="")) if self._works else commit

    def _sign(self, commit: NewCommit) -> NewCommit:
        assert commit.tree is not None  # noqa: S101 - required
        parents = [option for parent in commit.parents for option in ("-p", parent)]
        made = self._as(commit).run(
            *(*SETTINGS, "commit-tree", "-S", commit.tree, *parents),
            stdin=commit.message.encode("utf-8", "surrogateescape"),
            timeout_seconds=WAIT_SECONDS,
        )
        if made.exit_code or made.timed_out:
            return self._unsigned(commit, made.last_error("it waits for a passphrase"))
        raw = self._git.output("cat-file", "commit", made.stdout.decode().strip())
        head, _, text = raw.decode("utf-8", "surrogateescape").partition("\n\n")
        start = head.find("\ngpgsig")
        if start < 0:
            return self._unsigned(commit, "git made no signature")
        signature = head[start:]
        if f"{head[:start]}\n\n{text}".encode("utf-8", "surrogateescape") != commit.content(
            commit.tree
        ):
            return self._unsigned(commit, "git changes the names or the message")
        return replace(commit, signature=signature)

    def _as(self, commit: NewCommit) -> Git:
        """Return a git whose author and committer are those of the commit."""
        people = {"AUTHOR": commit.author, "COMMITTER": commit.committer}
        environ = dict(self._git.environ)
        for role, person in people.items():
            environ[f"GIT_{role}_NAME"] = person.name
            environ[f"GIT_{role}_EMAIL"] = person.email
            environ[f"GIT_{role}_DATE"] = f"@{person.stamp}"
        return replace(self._git, environ=environ)

    def _unsigned(self, commit: NewCommit, reason: str) -> NewCommit:
        self._works = False
        self._tell(f"commits are not signed: {reason}")
        return commit


class Database(Struct, frozen=True):
    """Objects, refs and tree diffs. Thread-safe."""

    objects: Objects
    refs: RefUpdates
    diffs: TreeDiffs
    object_format: str
    new_objects: KeptObjects | None = None


@contextmanager
def open_database(repository: Repository) -> Iterator[Database]:
    """Yield the repository's database; its processes end with the `with` block."""
    git, form = repository.git, repository.object_format
    store = git.store or LooseStore(repository.objects_dir, form)
    with ExitStack() as stack:
        new_objects = None
        if store.spare is not None:
            store.spare.mkdir(exist_ok=True)
            new_objects = KeptObjects(git, store, store.spare)
            new_objects.restore()
            stack.callback(new_objects.restore)
        objects = stack.enter_context(open_objects(git, store=store))
        refs, diffs = RefUpdates(git, repository.common_dir), TreeDiffs(git)
        stack.callback(refs.close)
        stack.callback(diffs.close)
        yield Database(objects, refs, diffs, form, new_objects)


KEPT_SECONDS = 600.0
PAUSE = 40
"""Interval between checks: at least `PAUSE` times the duration of one, and at least `PAUSE_SECONDS`."""
PAUSE_SECONDS = 0.1
LAST_LOOKS = 5


class KeptObjects:
    """The recently written objects, with a second hard link to each that protects it from `git prune` and `git gc`.

    They remove objects that were unreachable when they began, even if a ref now points to them. So each new object is
    also linked in a folder of the toolkit, which its git processes read as well. An object that the repository has lost
    is linked again: at intervals while refs move, at the end of a command, and at the start of the next. After ten
    minutes, when any earlier prune has ended, the second link of a safe object is removed. Thread-safe.
    """

    def __init__(self, git: Git, store: LooseStore, folder: Path) -> None:
        """`git` reads the repository; `folder` holds the second links."""
        self._git = replace(git, store=None)
        self._store = store
        self._folder = folder
        self._packed: set[str] = set()
        self._is_pruned = False
        self._lock = threading.Lock()
        self._next = 0.0

    def look(self) -> None:
        """Check for lost objects, unless a check is running or was done recently."""
        if time.monotonic() > self._next and self._lock.acquire(blocking=False):
            try:
                self._restore()
            finally:
                self._lock.release()

    def restore(self) -> None:
        """Link lost objects again, with further checks after a loss, and remove the old links of safe objects."""
        with self._lock:
            for _ in range(LAST_LOOKS):
                self._restore()
                if not self._is_pruned:
                    return
                self._is_pruned = False
                time.sleep(PAUSE_SECONDS)

    def _restore(self) -> None:
        began = time.monotonic()
        alone, old = self._found()
        lost = self._missing(alone) if alone else set()
        for oid in lost:
            self._store.link(path_of(self._folder, oid), path_of(self._store.folder, oid))
        self._is_pruned = self._is_pruned or bool(lost)
        for oid in old:
            if oid not in lost:
                with suppress(OSError):
                    os.unlink(path_of(self._folder, oid))  # noqa: PTH108 - called thousands of times
                    os.rmdir(f"{self._folder}/{oid[:2]}")  # noqa: PTH106 - once it is empty
        now = time.monotonic()
        self._next = now + max(PAUSE_SECONDS, PAUSE * (now - began))

    def _found(self) -> tuple[list[str], list[str]]:
        """Return the objects whose file in the store is gone, and those older than `KEPT_SECONDS`."""
        alone, old = [], []
        before = time.time() - KEPT_SECONDS
        for oid, entry in object_files(self._folder):
            status = entry.stat(follow_symlinks=False)
            if status.st_mtime < before:
                old.append(oid)
            if status.st_nlink == 1 and oid not in self._packed:
                is_copied = os.path.exists(path_of(self._store.folder, oid))  # noqa: PTH110
                alone += [] if is_copied else [oid]
        return alone, old

    def _missing(self, oids: list[str]) -> set[str]:
        """Return the objects that no pack has either; in a partial clone all of them, since git would fetch them."""
        config = self._store.folder.parent / "config"
        if "promisor" in config.read_text("utf-8", "replace"):
            return set(oids)
        request = "".join(f"{oid}\n" for oid in oids).encode("ascii")
        answer = self._git.output("cat-file", "--batch-check", stdin=request).decode("ascii")
        rows = (line.split() for line in answer.splitlines())
        missing = {row[0] for row in rows if row[1:] == ["missing"]}
        self._packed.update(set(oids) - missing)
        return missing
