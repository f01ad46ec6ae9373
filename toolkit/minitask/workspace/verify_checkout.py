"""Verify that a folder holds exactly what an index says: every file as git wrote it, every folder plain.

Git's own `status` and `clean` pass over much that a validation could see: pipes, the rights of folders, repositories
in folders of the commit, what lies in the place of a submodule. Here each path is looked at once, by lstat(2). A file
is as it was when its inode, size and times are: nothing sets the time back at which an inode was changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from minitask.git.index import STAT, WORD, Index

POINTER = b".git"
SECOND = 10**9


class ExpectedFiles(Struct, frozen=True):
    """The contents that a folder may have besides the files of its index.

    `folders` are those that the index implies, and those that something is mounted on; `others` are paths that are not
    looked at. The pointer `.git` may be in the root.
    """

    folders: frozenset[bytes]
    others: frozenset[bytes]


def expected_files(
    index: Index, *, folders: Collection[bytes] = (), others: Collection[bytes] = ()
) -> ExpectedFiles:
    """Return what is to be expected where an index and what is brought besides say all."""
    parents: set[bytes] = {*index.gitlinks, *folders}
    last = b""
    for name in [*index.names, *folders, *others]:
        above = name.rpartition(b"/")[0]
        if above == last:
            continue
        last = above
        while above and above not in parents:
            parents.add(above)
            above = above.rpartition(b"/")[0]
    return ExpectedFiles(frozenset(parents), frozenset(others))


def find_deviation(
    top: bytes, index: Index, expected: ExpectedFiles, *, like: Path, thorough: bool = True
) -> bytes | None:
    """Return the first path below a folder that is not what it should be, or is missing; None if all is right.

    Every folder is to have the owner and the rights of the folder `like`, where no command has been. Where it is not
    `thorough`, no file is looked at that is there: git has compared them when it checked them out.
    """
    rights = _rights(like.lstat())
    if _rights(os.lstat(top)) != rights:
        return top
    special = dict.fromkeys(index.links, True) | dict.fromkeys(index.gitlinks, False)
    count, has = len(index.gitlinks), index.has
    waiting = [b""]
    while waiting:
        above = waiting.pop()
        with os.scandir(top + b"/" + above) as entries:
            for entry in entries:
                path = above + entry.name
                if path in expected.others:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    if path not in expected.folders or _rights(status) != rights:
                        return path
                    waiting.append(path + b"/")
                elif not has(path):
                    if path != POINTER or not entry.is_file(follow_symlinks=False):
                        return path
                elif entry.is_symlink() is not special.get(path, False) or (
                    thorough and not is_unchanged(entry.stat(follow_symlinks=False), index, path)
                ):
                    return path
                else:
                    count += 1
    return None if count == len(index.names) else b"a file of the commit"


def is_unchanged(status: os.stat_result, index: Index, path: bytes) -> bool:
    """Return True if a file is the one that the index was told of, reached by no other name."""
    changed, changed_ns, modified, modified_ns, _, inode, _, _, _, size = STAT.unpack_from(
        index.entry(path)
    )
    return (
        (status.st_nlink == 1 or stat.S_ISLNK(status.st_mode))
        and status.st_ino & WORD == inode
        and status.st_size & WORD == size
        and _is_at(status.st_ctime_ns, changed, changed_ns)
        and _is_at(status.st_mtime_ns, modified, modified_ns)
    )


def _is_at(found_ns: int, seconds: int, nanoseconds: int) -> bool:
    """Return True if a time is that of an index; a git that was built without them notes no nanoseconds."""
    if not nanoseconds:
        return found_ns // SECOND == seconds
    return found_ns == seconds * SECOND + nanoseconds


def _rights(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid
