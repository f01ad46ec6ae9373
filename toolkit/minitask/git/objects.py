"""Git objects: read through one `git cat-file --batch` process, written as loose files."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, cast

from msgspec import Struct, field

from minitask.errors import MachineError
from minitask.git.loose import LooseStore, object_id
from minitask.git.run_git import DAMAGE, Git
from minitask.system import process

FILE_MODES = ("100644", "100755")
SYMLINK, SUBMODULE, TREE = "120000", "160000", "40000"
CHUNK_BYTES = 2048
"""Request bytes sent at once. Two chunks may be unread, and fit in the smallest pipe (one page): no write blocks."""

KEPT_ENTRIES = 500_000
"""Limit on cached tree entries; each takes some 200 bytes."""

BUFFER_BYTES = 1 << 16
"""Most bytes read from git at once."""


def blob_id(content: bytes, *, like: str) -> str:
    """Return the id of a blob with this content, by the hash algorithm of the id `like`."""
    return object_id("blob", content, "sha1" if len(like) == 40 else "sha256")


class Entry(Struct, frozen=True):
    """A tree entry: git mode (`100644`, `100755`, `120000`, `160000`, `40000`) and object id."""

    mode: str
    oid: str


class Pipeline(Struct):
    """A `read_many` in progress: the number of outstanding replies, and those read early to admit other requests."""

    owed: int = 0
    landed: deque[bytes | None] = field(default_factory=deque)


class Objects(Struct):
    """Pipes to `git cat-file --batch`, a store for writes, and a cache of trees. Thread-safe."""

    _stdin: IO[bytes]
    _stdout: IO[bytes]
    _start: Callable[[], tuple[IO[bytes], IO[bytes]]]
    _store: LooseStore | None = None
    _trees: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=dict)
    _parents: dict[str, str | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _flight: Pipeline = field(default_factory=Pipeline)
    _kept: int = 0

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """Return id, type and content of the object that `name` (without newline) resolves to, if any."""
        with self._exchange():
            self._land()
            self._send(_line(name))
            answer = self._answer()
        return (answer[0].decode(), answer[1].decode(), answer[2]) if answer else None

    def read_many(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """Yield each object's content (None: missing) in the order of the names; git reads ahead.

        Other reads may come between two replies, and the iteration may stop early.
        """
        flight = Pipeline()
        ahead = 0
        for lines in _chunks(names):
            with self._exchange():
                if self._flight is not flight or len(lines) == 1:
                    self._land()
                    self._flight = flight
                self._send(b"".join(lines))
                flight.owed += len(lines)
            yield from self._answers(flight, ahead)
            ahead = len(lines)
        yield from self._answers(flight, ahead)

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Lock the pipes for one exchange; if it is interrupted, replace the process for the next."""
        with self._lock:
            try:
                yield
            except MachineError:
                raise
            except BaseException:
                self._flight.owed = 0
                self._stdin, self._stdout = self._start()
                raise

    def _answers(self, flight: Pipeline, count: int) -> list[bytes | None]:
        """Return the next replies of a `read_many`."""
        with self._exchange():
            buffered = min(count, len(flight.landed))
            answers = [flight.landed.popleft() for _ in range(buffered)]
            return answers + [self._owed(flight) for _ in range(count - buffered)]

    def _land(self) -> None:
        """Read all outstanding replies, so that the next reply answers the next request."""
        flight = self._flight
        while flight.owed:
            flight.landed.append(self._owed(flight))

    def _owed(self, flight: Pipeline) -> bytes | None:
        if not flight.owed:
            raise _ended()
        flight.owed -= 1
        answer = self._answer()
        return answer[2] if answer else None

    def _send(self, lines: bytes) -> None:
        try:
            self._stdin.write(lines)
            self._stdin.flush()
        except BrokenPipeError:
            raise _ended() from None

    def _answer(self) -> tuple[bytes, bytes, bytes] | None:
        header = self._stdout.readline()
        if not header:
            raise _ended()
        fields = header.split()
        if len(fields) != 3 or not fields[2].isdigit():
            return None
        size = int(fields[2])
        content = self._stdout.read(size + 1)
        if len(content) <= size:
            raise _ended()
        return fields[0], fields[1], content[:-1]

    def commit(self, revision: str) -> str | None:
        """Return the id of the commit that a revision names, if any."""
        answer = self.read(f"{revision}^{{commit}}") if "\n" not in revision else None
        return answer[0] if answer else None

    def parent_of(self, commit: str) -> str | None:
        """Return the first parent of the commit id; None if it has none."""
        if commit not in self._parents:
            self._parents[commit] = self.commit(f"{commit}^1")
        return self._parents[commit]

    def tree_of(self, commit: str) -> str:
        """Return the id of a commit's root tree; `commit` must be an id, since the result is cached."""
        if commit not in self._roots:
            answer = self.read(f"{commit}^{{tree}}")
            if answer is None:
                raise missing_object(commit, "commit")
            self._roots[commit] = answer[0]
        return self._roots[commit]

    def entries(self, tree: str) -> dict[str, Entry]:
        """Return the entries of a tree, by name."""
        cached = self._trees.get(tree)
        if cached is not None:
            return cached
        answer = self.read(tree)
        if answer is None:
            raise missing_object(tree)
        return self._keep(tree, _parse_tree(answer[2], len(tree) // 2))

    def entries_of(self, trees: Sequence[str]) -> list[dict[str, Entry]]:
        """Return the entries of each tree, read in one batch."""
        entries = {tree: self._trees.get(tree) for tree in trees}
        unread = [tree for tree, cached in entries.items() if cached is None]
        for tree, content in zip(unread, self.read_many(unread), strict=True):
            if content is None:
                raise missing_object(tree)
            entries[tree] = self._keep(tree, _parse_tree(content, len(tree) // 2))
        return [entries[tree] or {} for tree in trees]

    def entry(self, commit: str, path: str) -> Entry | None:
        """Return the entry at a path of a commit, if any."""
        return self.entry_below(self.tree_of(commit), path)

    def entry_below(self, tree: str, path: str) -> Entry | None:
        """Return the entry at a path below a tree, if any."""
        entry = Entry(TREE, tree)
        for part in path.split("/"):
            if entry.mode != TREE:
                return None
            below = self.entries(entry.oid).get(part)
            if below is None:
                return None
            entry = below
        return entry

    def blob(self, oid: str) -> bytes:
        """Return a blob's content; raise `MachineError` if the object is missing, as in a partial clone."""
        answer = self.read(oid)
        if answer is None:
            raise missing_object(oid)
        return answer[2]

    def file(self, commit: str, path: str) -> str | None:
        """Return the text of a regular file at a commit, lossless by surrogates; None if there is no such file."""
        entry = self.entry(commit, path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        return self.blob(entry.oid).decode("utf-8", "surrogateescape")

    def write_blob(self, content: bytes) -> str:
        """Write a blob; return its id."""
        return self._writable().write("blob", content)

    def write_tree(self, entries: dict[str, Entry]) -> str:
        """Write a tree with these entries; return its id."""
        tree = self._writable().write("tree", _render_tree(entries))
        self._keep(tree, entries)
        return tree

    def write_commit(self, content: bytes, *, tree: str) -> str:
        """Write a commit with the root tree `tree`; return its id."""
        commit = self._writable().write("commit", content)
        self._roots[commit] = tree
        return commit

    def _writable(self) -> LooseStore:
        assert self._store is not None  # noqa: S101 - opened read-only
        return self._store

    def _keep(self, tree: str, entries: dict[str, Entry]) -> dict[str, Entry]:
        """Cache a tree's entries; clear the cache when it is full."""
        self._kept += len(entries)
        if self._kept > KEPT_ENTRIES:
            self._trees.clear()
            self._kept = len(entries)
        self._trees[tree] = entries
        return entries


@contextmanager
def open_objects(git: Git, *, store: LooseStore | None = None) -> Iterator[Objects]:
    """Yield a reader of objects that ends with the `with` block and writes to the store, if given."""
    argv = git.argv("cat-file", "--batch")
    with ExitStack() as stack:

        def start() -> tuple[IO[bytes], IO[bytes]]:
            child = stack.enter_context(process.spawn(argv, cwd=git.git_dir, env=git.env()))
            stdin, stdout = cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout)
            return stdin, open(stdout.fileno(), "rb", BUFFER_BYTES, closefd=False)

        yield Objects(*start(), start, store)


def _line(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\n"


def _chunks(names: Iterable[str]) -> Iterator[list[bytes]]:
    """Yield the names as lines, in lists of at most `CHUNK_BYTES`; a longer name is alone in its list."""
    chunk: list[bytes] = []
    size = 0
    for line in map(_line, names):
        if chunk and size + len(line) > CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(line)
        size += len(line)
    if chunk:
        yield chunk


def _ended() -> MachineError:
    hint = f"{DAMAGE}; if it lists nothing, run `minitask doctor`"
    message = (
        "git cat-file ended early, as on a damaged object, or in a partial clone without its remote"
    )
    return MachineError(message, hint=hint)


def missing_object(oid: str, kind: str = "object") -> MachineError:
    """Return the error of an object that cannot be read."""
    return MachineError(f"{kind} {oid[:12]} is missing or damaged", hint=DAMAGE)


def _parse_tree(content: bytes, id_bytes: int) -> dict[str, Entry]:
    names: dict[str, Entry] = {}
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        oid = content[end + 1 : end + 1 + id_bytes].hex()
        name = content[space + 1 : end].decode("utf-8", "surrogateescape")
        mode = content[at:space].decode().lstrip("0")  # some old writers padded a folder's mode
        names[name] = Entry(mode, oid)
        at = end + 1 + id_bytes
    return names


def _render_tree(entries: dict[str, Entry]) -> bytes:
    """Return a tree's content; git sorts a folder as if its name ended in a slash."""
    rows = []
    for name, entry in entries.items():
        raw = name.encode("utf-8", "surrogateescape")
        key = raw + b"/" if entry.mode == TREE else raw
        rows.append((key, b"%s %s\0%s" % (entry.mode.encode(), raw, bytes.fromhex(entry.oid))))
    rows.sort()
    return b"".join([row for _, row in rows])
