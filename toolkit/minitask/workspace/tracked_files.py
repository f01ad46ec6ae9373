"""Tracked files of a workspace: which ones a command changed, and their restoration.

The commit is judged, not a command's changes to it. Only content and file type count: changed times or permissions are
ignored, so `chmod +x` in one command may serve the next.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError
from minitask.git.objects import Entry, Objects, blob_id, missing_object
from minitask.git.run_git import Git
from minitask.system.files import force_remove
from minitask.workspace.checkout import Workspace
from minitask.workspace.index import STAT, WORD, Index, create_file

POINTER = b".git"
SECOND = 10**9


class ExpectedFiles(Struct, frozen=True):
    """The allowed content of a folder besides the files of its index.

    `folders` are implied by the index, or are mount points; `others` are paths that are not checked. The root may have
    a `.git` file.
    """

    folders: frozenset[bytes]
    others: frozenset[bytes]


def expected_files(
    index: Index, *, folders: Collection[bytes] = (), others: Collection[bytes] = ()
) -> ExpectedFiles:
    """Return the expected content for an index, with additional folders and paths."""
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
    """Return the first path below a folder that deviates or is missing; None if all match.

    Every folder must have the owner and permissions of `like`, which no command has touched. Unless `thorough`,
    existing files are not examined: git compared them at checkout.
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
    """Return True if a file matches the stat data in the index, and has no other hard link."""
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
    """Return True if a time equals the index's; some builds of git store no nanoseconds."""
    if not nanoseconds:
        return found_ns // SECOND == seconds
    return found_ns == seconds * SECOND + nanoseconds


def _rights(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid


MODE_AT = 6
"""Position of the mode in the stat data of an index entry."""
PATHS_AT_ONCE = 500
LENIENT = ("-c", "core.fileMode=false", "--literal-pathspecs")


class Tracked(Struct, frozen=True):
    """The files of an index, in a workspace that was at `commit`.

    `is_plain`: no attribute converts files, so a file equals its object.
    """

    slot: Workspace
    objects: Objects
    commit: str
    index: Index
    is_plain: bool

    def changed(self, paths: Iterable[bytes], *, absent: Collection[bytes] = ()) -> list[bytes]:
        """Return the `paths` that differ from the index, and the `absent` ones that exist."""
        created = [path for path in absent if not self.index.has(path) and self._stat(path)]
        links: dict[bytes, bool] = {b"": False}
        differing = [
            path for path in paths if self._is_behind_link(path, links) or self._differs(path)
        ]
        return sorted(
            {*created, *(differing if self.is_plain else self._differ_for_git(differing))}
        )

    def put_back(self, paths: Collection[bytes]) -> None:
        """Restore the commit's content at the paths, or remove them; raise `MachineError` if that fails."""
        for path in paths:
            self._clear(path)
        committed = [path for path in paths if self.index.has(path)]
        if self.is_plain:
            self._write(committed)
        else:
            for few in _chunks(committed):
                self.slot.git.output(*LENIENT, "checkout", "-q", "-f", self.commit, "--", *few)
        for path in committed:
            self._note(path)
        failed = self.changed(committed, absent=paths)
        if failed:
            raise MachineError(f"cannot put {_text(failed[0])} back after a command changed it")

    def freshen(self) -> None:
        """Set the time of each file to now, and update the index."""
        now = time.time_ns()
        gitlinks = set(self.index.gitlinks)
        for name in (name for name in self.index.names if name not in gitlinks):
            os.utime(self._place(name), ns=(now, now), follow_symlinks=False)
            self._note(name)

    def _differs(self, path: bytes) -> bool:
        """Return True if the path's file type or content differs from the index."""
        status = self._stat(path)
        if status is not None and is_unchanged(status, self.index, path):
            return False
        mode, oid = self._entry(path)
        if stat.S_ISLNK(mode):
            is_same = status is not None and stat.S_ISLNK(status.st_mode)
            content = os.readlink(self._place(path)) if is_same else b""  # noqa: PTH115
        elif stat.S_ISREG(mode):
            is_same = status is not None and stat.S_ISREG(status.st_mode)
            content = Path(os.fsdecode(self._place(path))).read_bytes() if is_same else b""
        else:
            return False  # a submodule
        if not is_same or blob_id(content, like=oid) != oid:
            return True
        self._note(path)
        return False

    def _differ_for_git(self, paths: list[bytes]) -> list[bytes]:
        """Return the paths that differ after git's conversions by attributes."""
        flags = ("--no-ext-diff", "--no-renames", "--ignore-submodules=all", "--name-only", "-z")
        differing: list[bytes] = []
        for few in _chunks(paths):
            output = self.slot.git.output(*LENIENT, "diff", *flags, self.commit, "--", *few)
            differing += [name for name in output.split(b"\0") if name]
        return differing

    def _write(self, paths: list[bytes]) -> None:
        entries = [self._entry(path) for path in paths]
        contents = self.objects.read_many([oid for _, oid in entries])
        for path, (mode, oid), content in zip(paths, entries, contents, strict=True):
            if content is None:
                raise missing_object(oid)
            full_path = self._place(path)
            os.makedirs(os.path.dirname(full_path), exist_ok=True)  # noqa: PTH103, PTH120
            create_file(full_path, Entry(f"{mode:o}", oid), content)

    def _clear(self, path: bytes) -> None:
        """Remove anything at the path, and a file or link in place of a folder above it."""
        parts = path.split(b"/")
        for count in range(1, len(parts)):
            parent = self._place(b"/".join(parts[:count]))
            if os.path.lexists(parent) and not stat.S_ISDIR(os.lstat(parent).st_mode):
                os.unlink(parent)  # noqa: PTH108
        if os.path.lexists(self._place(path)):
            force_remove(Path(os.fsdecode(self._place(path))))

    def _is_behind_link(self, path: bytes, links: dict[bytes, bool]) -> bool:
        """Return True if a folder above the path is a link; `links` caches the results."""
        above = path.rpartition(b"/")[0]
        if above not in links:
            is_link = os.path.islink(self._place(above))  # noqa: PTH114
            links[above] = is_link or self._is_behind_link(above, links)
        return links[above]

    def _note(self, path: bytes) -> None:
        """Update the file's stat data in the index."""
        status = self._stat(path)
        if status is not None:
            mode, oid = self._entry(path)
            self.index.put(path, mode=f"{mode:o}", oid=oid, file_stat=status)

    def _entry(self, path: bytes) -> tuple[int, str]:
        entry = self.index.entry(path)
        size = 20 if self.index.object_format == "sha1" else 32
        return STAT.unpack_from(entry)[MODE_AT], entry[STAT.size : STAT.size + size].hex()

    def _stat(self, path: bytes) -> os.stat_result | None:
        try:
            return os.lstat(self._place(path))
        except OSError:
            return None

    def _place(self, path: bytes) -> bytes:
        return os.fsencode(self.slot.tree) + b"/" + path


def _chunks(paths: list[bytes]) -> Iterable[list[str]]:
    names = [_text(path) for path in paths]
    return (names[at : at + PATHS_AT_ONCE] for at in range(0, len(names), PATHS_AT_ONCE))


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


ATTRIBUTES = ("text", "eol", "crlf", "ident", "working-tree-encoding")
"""Attributes by which a commit's content differs from the file. A `filter` is not applied here."""


def as_committed(slot: Workspace, contents: Mapping[str, str | None]) -> dict[str, str]:
    """Return the contents that differ in a commit, for files in the slot with these contents."""
    names = [name for name, content in contents.items() if content is not None]
    marked = _marked(slot.git, names) if names else []
    if not marked:
        return {}
    copy = slot.git_dir / f"index.{os.urandom(4).hex()}"
    try:
        shutil.copyfile(slot.git_dir / "index", copy)
        git = replace(slot.git, index_file=copy)
        git.output("update-index", "--add", "--replace", "-z", "--stdin", stdin=_lines(marked))
        return _staged(git, marked)
    finally:
        force_remove(copy)


def _marked(git: Git, names: Iterable[str]) -> list[str]:
    """Return the names with such an attribute."""
    fields = git.fields("check-attr", "-z", "--stdin", *ATTRIBUTES, stdin=_lines(names))
    triples = zip(fields[::3], fields[2::3], strict=True)
    return list(
        dict.fromkeys(name for name, value in triples if value not in {"unspecified", "unset"})
    )


def _staged(git: Git, names: Iterable[str]) -> dict[str, str]:
    selected = set(names)
    contents = {}
    for row in git.fields("ls-files", "-s", "-z"):
        meta, _, name = row.partition("\t")
        if name in selected:
            content = git.output("cat-file", "blob", meta.split()[1])
            contents[name] = content.decode("utf-8", "surrogateescape")
    return contents


def _lines(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
