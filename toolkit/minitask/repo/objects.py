"""Reading blobs and trees of a repository through one `git cat-file --batch`, a fraction of a millisecond each."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import IO, cast

from minitask.errors import MachineError
from minitask.repo import process
from minitask.repo.git import Git
from minitask.values import dataclass

FILE_MODES = ("100644", "100755")
SYMLINK, SUBMODULE, TREE = "120000", "160000", "40000"


def blob_id(content: bytes, *, like: str) -> str:
    """The id of a blob with this content, by the hash that the id `like` is made with."""
    digest = hashlib.new("sha1" if len(like) == 40 else "sha256", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree: its git mode (`100644`, `100755`, `120000`, `160000`, `40000`) and object id."""

    mode: str
    oid: str


@dataclass(slots=True)
class Objects:
    """Open pipes to `git cat-file --batch`; trees that were read are kept. Safe to share between threads."""

    _stdin: IO[bytes]
    _stdout: IO[bytes]
    _trees: dict[str, dict[str, Entry]] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, name: str) -> tuple[str, str, bytes] | None:
        """The id, type and content of the object that `name` (no newline in it) resolves to, if any."""
        with self._lock:
            return self._read(name)

    def _read(self, name: str) -> tuple[str, str, bytes] | None:
        self._stdin.write(name.encode("utf-8", "surrogateescape") + b"\n")
        self._stdin.flush()
        header = self._stdout.readline()
        if not header:
            raise MachineError("git cat-file ended early", hint="run `minitask doctor`")
        words = header.split()
        if len(words) != 3 or not words[2].isdigit():
            return None
        content = self._stdout.read(int(words[2]))
        self._stdout.read(1)
        return words[0].decode(), words[1].decode(), content

    def commit(self, revision: str) -> str | None:
        """The id of the commit that a revision names, if it names one."""
        found = self.read(f"{revision}^{{commit}}") if "\n" not in revision else None
        return found[0] if found else None

    def tree_of(self, commit: str) -> str:
        """The id of a commit's root tree; `commit` is an id, which never comes to mean another."""
        if commit not in self._roots:
            found = self.read(f"{commit}^{{tree}}")
            if found is None:
                raise MachineError(f"{commit[:12]} is not a commit of this repository")
            self._roots[commit] = found[0]
        return self._roots[commit]

    def entries(self, tree: str) -> dict[str, Entry]:
        """The names in a tree."""
        if tree not in self._trees:
            found = self.read(tree)
            self._trees[tree] = _parse_tree(found[2], len(tree) // 2) if found else {}
        return self._trees[tree]

    def entry(self, commit: str, path: str) -> Entry | None:
        """What stands at a path of a commit, if anything."""
        entry = Entry(TREE, self.tree_of(commit))
        for part in path.split("/"):
            if entry.mode != TREE:
                return None
            below = self.entries(entry.oid).get(part)
            if below is None:
                return None
            entry = below
        return entry

    def blob(self, oid: str) -> bytes:
        """A blob's content; `MachineError` where the object is missing (a partial clone, say)."""
        found = self.read(oid)
        if found is None:
            raise MachineError(
                f"object {oid[:12]} is missing",
                hint="fetch it, or use a full clone of the repository",
            )
        return found[2]

    def file(self, commit: str, path: str) -> str | None:
        """A regular file's content at a commit, every byte kept; None where there is no such file."""
        entry = self.entry(commit, path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        return self.blob(entry.oid).decode("utf-8", "surrogateescape")


@contextmanager
def open_objects(git: Git) -> Iterator[Objects]:
    """A reader that ends with the `with` block."""
    argv = git.argv("cat-file", "--batch")
    with process.spawn(argv, cwd=git.git_dir, env=git.env()) as child:
        yield Objects(cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout))


def _parse_tree(content: bytes, id_bytes: int) -> dict[str, Entry]:
    names: dict[str, Entry] = {}
    at = 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        oid = content[end + 1 : end + 1 + id_bytes].hex()
        name = content[space + 1 : end].decode("utf-8", "surrogateescape")
        names[name] = Entry(content[at:space].decode(), oid)
        at = end + 1 + id_bytes
    return names
