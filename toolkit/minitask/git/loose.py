"""Write loose objects without a git process, a fraction of a millisecond each.

The format is that of gitformat-loose(5) and gitrepository-layout(5): the header `KIND SIZE NUL` and the content,
deflated, in a file named by the hash of both. Like git, a file is written under a temporary name and renamed, so it is
always complete; a killed process leaves `tmp_obj_…`, which git ignores and its gc removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from minitask.errors import MachineError

DRAFT = "tmp_obj_"
SPEED = 1
"""Compression level of git itself for loose objects."""

TRIES = 5
"""Attempts to create an object while maintenance removes its folder or draft."""


def object_id(kind: str, content: bytes, object_format: str) -> str:
    """Return the object id of a `blob`, `tree` or `commit` with this content."""
    digest = hashlib.new(object_format, usedforsecurity=False)
    digest.update(b"%s %d\0" % (kind.encode(), len(content)))
    digest.update(content)
    return digest.hexdigest()


class LooseStore(Struct, frozen=True):
    """An object store's folder, and its hash algorithm (`sha1` or `sha256`).

    If `spare` is set, objects are also linked there: see `commits.KeptObjects`.
    """

    folder: Path
    object_format: str
    spare: Path | None = None

    def write(self, kind: str, content: bytes) -> str:
        """Write an object; return its id. Raise `MachineError` if the disk refuses it."""
        oid = object_id(kind, content, self.object_format)
        path = path_of(self.folder, oid)
        spare = path_of(self.spare, oid) if self.spare else path
        try:
            if not _is_there(spare) and not (self.spare and self._took(path, spare)):
                header = b"%s %d\0" % (kind.encode(), len(content))
                self._create_again(spare, zlib.compress(header + content, SPEED))
            if self.spare:
                self.link(spare, path)
        except OSError as error:
            raise MachineError(
                f"cannot write to {self.folder}: {error.strerror or error}",
                hint="check the disk's space and the folder's permissions",
            ) from error
        return oid

    def _create_again(self, path: str, packed: bytes) -> None:
        """Create an object; retry if a prune removes its draft or empty folder meanwhile."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(FileNotFoundError):
                self._create(path, packed)
                return
        self._create(path, packed)

    def link(self, source: str, path: str) -> None:
        """Hard-link an object's file to a path of the store, or copy it if a link is impossible."""
        for tries in range(TRIES):
            try:
                os.link(source, path)
            except FileExistsError:
                return
            except FileNotFoundError:
                if tries == TRIES - 1 or not os.path.exists(source):  # noqa: PTH110
                    raise
                self._make_folder(path)
            except OSError:  # another file system, or another user's file
                self._create_again(path, Path(source).read_bytes())
                return
            else:
                return

    def _took(self, path: str, spare: str) -> bool:
        """Return True if the object exists already, after linking it into the spare folder."""
        if not _is_there(path):
            return False
        try:
            self.link(path, spare)
        except FileNotFoundError:  # pruned meanwhile
            return False
        return _is_there(spare)

    def _create(self, path: str, packed: bytes) -> None:
        draft = f"{path.rpartition('/')[0]}/{DRAFT}{os.urandom(6).hex()}"
        try:
            with os.fdopen(self._open(draft), "wb") as stream:
                shared = _shared_rights(self.folder)
                if shared:
                    os.fchmod(stream.fileno(), shared)
                stream.write(packed)
            os.rename(draft, path)  # noqa: PTH104 - called thousands of times in a run
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(draft)  # noqa: PTH108
            raise

    def _open(self, draft: str) -> int:
        """Create a read-only file and return its descriptor; make its folder if it is missing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(draft, flags, 0o444)
        except FileNotFoundError:
            self._make_folder(draft)
            return os.open(draft, flags, 0o444)

    def _make_folder(self, path: str) -> None:
        """Make the folder of a file, with the mode of the store."""
        folder = Path(path).parent
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError, FileNotFoundError):
            folder.chmod(self.folder.stat().st_mode & 0o7777)


def path_of(folder: Path, oid: str) -> str:
    """Return the path of an object's file in a store."""
    return f"{folder}/{oid[:2]}/{oid[2:]}"


@lru_cache(maxsize=8)
def _shared_rights(folder: Path) -> int:
    """Return the file mode of a group-writable store, whatever the umask; 0 if only the owner may write."""
    rights = folder.stat().st_mode
    return 0o444 & rights if rights & stat.S_IWGRP else 0


def _is_there(path: str) -> bool:
    """Return True if the object exists, and renew its time stamp, which protects it from a prune."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's file: it exists
        return True
    return True


def object_files(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the id and file of each loose object of a store; none if the folder was removed."""
    for below in os.scandir(folder) if folder.is_dir() else ():
        if len(below.name) == 2 and below.is_dir():
            for entry in os.scandir(below):
                if not entry.name.startswith(DRAFT):
                    yield below.name + entry.name, entry
