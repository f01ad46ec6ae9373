"""Whether a folder holds what an index says and nothing else: every file as git wrote it, every folder plain.

Git's own `status` and `clean` pass over much that a validation could see: pipes, the rights of folders, repositories
in folders of the commit, what lies in the place of a submodule. Here each path is looked at once, by lstat(2). A file
is as it was when its inode, size and times are: nothing sets the time back at which an inode was changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping

from minitask.repo.index import STAT, WORD, Index
from minitask.repo.objects import SUBMODULE, SYMLINK
from minitask.values import dataclass

POINTER = b".git"
LINK_MODE, GITLINK_MODE = int(SYMLINK, 8), int(SUBMODULE, 8)
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Expected:
    """What may be in a folder besides the files of its index.

    `folders` and `gitlinks` are those that the index implies; `links` are symbolic links with what they lead to,
    `others` paths that are not looked at. The pointer `.git` may be in the root.
    """

    folders: frozenset[bytes]
    gitlinks: frozenset[bytes]
    links: Mapping[bytes, bytes]
    others: frozenset[bytes]


def expect(
    index: Index, *, links: Mapping[bytes, bytes], others: Collection[bytes] = ()
) -> Expected:
    """What is to be expected where an index and what is brought besides say all."""
    gitlinks = frozenset(name for name in index.names if index.mode(name) == GITLINK_MODE)
    folders = _folders([*index.names, *links, *others])
    return Expected(folders, gitlinks, links, frozenset(others))


def find_deviation(top: bytes, index: Index, expected: Expected) -> bytes | None:
    """The first path below a folder that is not what it should be, or is missing; None where all is right."""
    rights = os.lstat(top).st_mode
    seen = 0
    waiting = [b""]
    while waiting:
        above = waiting.pop()
        with os.scandir(top + b"/" + above) as entries:
            for entry in entries:
                path = above + entry.name
                found = entry.stat(follow_symlinks=False)
                if path in expected.folders or path in expected.gitlinks:
                    if found.st_mode != rights:
                        return path
                    seen += path in expected.gitlinks
                    waiting.append(path + b"/")
                elif index.has(path):
                    if not is_unchanged(found, index, path):
                        return path
                    seen += 1
                elif path not in expected.others and not _may_be_there(
                    entry.path, path, found, expected.links
                ):
                    return path
    return None if seen == len(index.names) else b"a file of the commit"


def _folders(names: list[bytes]) -> frozenset[bytes]:
    """Every folder that a path lies in."""
    found: set[bytes] = set()
    for name in names:
        above = name.rpartition(b"/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition(b"/")[0]
    return frozenset(found)


def is_unchanged(found: os.stat_result, index: Index, path: bytes) -> bool:
    """Whether a file is the one that the index was told of, reached by no other name."""
    changed, changed_ns, modified, modified_ns, _, inode, mode, _, _, size = STAT.unpack_from(
        index.entry(path)
    )
    is_file = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    return (
        (stat.S_ISLNK(found.st_mode) if mode == LINK_MODE else is_file)
        and found.st_ino & WORD == inode
        and found.st_size & WORD == size
        and _is_at(found.st_ctime_ns, changed, changed_ns)
        and _is_at(found.st_mtime_ns, modified, modified_ns)
    )


def _is_at(found_ns: int, seconds: int, nanoseconds: int) -> bool:
    """Whether a time is that of an index; a git that was built without them notes no nanoseconds."""
    if not nanoseconds:
        return found_ns // SECOND == seconds
    return found_ns == seconds * SECOND + nanoseconds


def _may_be_there(
    place: bytes, path: bytes, found: os.stat_result, links: Mapping[bytes, bytes]
) -> bool:
    if path == POINTER:
        return stat.S_ISREG(found.st_mode)
    is_link = path in links and stat.S_ISLNK(found.st_mode)
    return is_link and os.readlink(place) == links[path]  # noqa: PTH115 - paths are bytes
