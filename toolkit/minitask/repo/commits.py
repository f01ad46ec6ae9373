"""Writing commits without a checkout: one `git fast-import` stream, a few milliseconds whatever the repository's size.

A commit's tree is given by its base and the changes to it, or as the id of a tree that exists. Each commit is written
under a ref of its own, so that nothing is ever unreachable. The stream's format is that of git-fast-import(1).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from minitask.errors import MachineError
from minitask.repo.git import Git, failure
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class FileWrite:
    """New content of a path, with its git mode; content None deletes the path."""

    path: str
    content: bytes | None
    mode: str = "100644"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who, and when: `stamp` is `SECONDS TIMEZONE`, as git writes it."""

    name: str
    email: str
    stamp: str

    def __str__(self) -> str:
        """The form of a commit header."""
        return f"{self.name} <{self.email}> {self.stamp}"


@dataclass(frozen=True, slots=True)
class NewCommit:
    """A commit to write. `parents` are ids, or `:N` for the Nth commit of the same stream (from 1).

    With `tree` the whole tree is that one; `writes` then apply on top of it.
    """

    ref: str
    message: str
    author: Signature
    committer: Signature
    parents: tuple[str, ...]
    writes: tuple[FileWrite, ...] = ()
    tree: str | None = None


def write_commits(
    git: Git, commits: Sequence[NewCommit], *, force: bool = False
) -> tuple[str, ...]:
    """Write the commits, move their refs forward, and give their ids in order.

    A ref that is no ancestor of its new commit does not move, and the call fails: for a ref that only grows this is a
    compare-and-swap. `force` moves it all the same.
    """
    stream = b"".join(_encode(commit, mark) for mark, commit in enumerate(commits, 1)) + b"done\n"
    args = (
        "fast-import",
        "--quiet",
        "--done",
        "--date-format=raw",
        *(["--force"] if force else []),
    )
    done = git.run(*args, stdin=stream)
    oids = tuple(done.stdout.decode().split())
    if done.exit_code != 0 or len(oids) != len(commits):
        _remove_crash_report(done.stderr)
        raise failure(args, done)
    return oids


def _remove_crash_report(said: bytes) -> None:
    """Remove the report that fast-import leaves in the user's repository."""
    marker = b"dumping crash report to "
    for line in said.splitlines():
        if marker in line:
            Path(os.fsdecode(line.partition(marker)[2])).unlink(missing_ok=True)


def remove_stale_keeps(objects_dir: Path) -> None:
    """Remove the marks of a killed fast-import on its packs, which gc would not touch; call it under the lock."""
    for mark in (objects_dir / "pack").glob("pack-*.keep"):
        if mark.read_bytes() == b"fast-import":
            mark.unlink(missing_ok=True)


def signature(ident: str) -> Signature:
    """Parse `Name <email> SECONDS ZONE`."""
    name, _, rest = ident.rpartition(" <")
    email, _, stamp = rest.partition("> ")
    if not stamp:
        raise MachineError(f"git gave an identity that cannot be read: {ident!r}")
    return Signature(_header(name), _header(email), stamp)


def _header(text: str) -> str:
    return "".join(char for char in text if char not in "<>\n\0").strip()


def _encode(commit: NewCommit, mark: int) -> bytes:
    message = commit.message.encode("utf-8", "surrogateescape")
    parts = [
        f"commit {commit.ref}\nmark :{mark}\nauthor {commit.author}\ncommitter {commit.committer}\n"
        f"data {len(message)}\n".encode("utf-8", "surrogateescape"),
        message,
        b"\n",
    ]
    for word, parent in zip(
        ("from", *["merge"] * len(commit.parents)), commit.parents, strict=False
    ):
        parts.append(f"{word} {parent}\n".encode())
    if commit.tree is not None:
        parts.append(f'M 040000 {commit.tree} ""\n'.encode())
    parts += [_encode_write(write) for write in commit.writes]
    parts.append(f"\nget-mark :{mark}\n".encode())
    return b"".join(parts)


def _encode_write(write: FileWrite) -> bytes:
    path = write.path.encode("utf-8", "surrogateescape")
    quoted = b'"' + path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    if write.content is None:
        return b"D " + quoted + b"\n"
    header = f"M {write.mode} inline ".encode() + quoted
    return b"%s\ndata %d\n%s\n" % (header, len(write.content), write.content)
