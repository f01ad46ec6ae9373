"""Files that survive a crash, locks that end with their process, forced removal; and a cache that may be lost.

The cache holds results that depend only on their key, in the repository's folder. A damaged entry counts as missing.
Keys are hashed with the toolkit's version.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import pickle
import resource
import shutil
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from minitask import __version__
from minitask.errors import EditError, MachineError


def real_path(path: Path) -> Path:
    """Return the absolute path without links; of one that leads to itself, the link.

    `Path.resolve` raises `RuntimeError` for the latter before Python 3.13.
    """
    return Path(os.path.realpath(path))


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Replace a file by a JSON document, synced to disk; raise `OSError` on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(document, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file's content atomically."""
    draft = path.with_name(f"{path.name}.minitask")
    with _nothing_left(draft):
        draft.write_bytes(content)
    draft.replace(path)


def rewrite_file(path: Path, content: bytes) -> None:
    """Replace a user's file atomically; keep its mode, and a symbolic link to it."""
    target = real_path(path)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    replace_file(target, content)
    if mode is not None:
        target.chmod(mode)


def create_file(path: Path, text: str) -> None:
    """Write a new file, with missing parent folders; raise `FileExistsError` if it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(exist_ok=False)
    with _nothing_left(path):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))


@contextmanager
def _nothing_left(path: Path) -> Iterator[None]:
    """Remove the file if it cannot be written, as on a full disk."""
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise


def force_remove(folder: Path) -> None:
    """Remove a folder, whatever its permissions, a file or a link; raise `OSError` on failure."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            _open_folders(folder)
            shutil.rmtree(folder)


def _open_folders(folder: Path) -> None:
    """Give the owner all permissions on a folder and those below it, top-down, without following links."""
    folder.chmod(0o700)
    for above, names, _ in os.walk(folder):
        for inner in (Path(above, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)


def read_regular_file(folder: Path, name: str, *, limit: int) -> bytes | None:
    """Return the content of the regular file `name` below `folder`; None if there is none.

    `folder` is trusted, its content is not. Raise `EditError` for a link in any component, for another type of file,
    and for more than `limit` bytes.
    """
    parts = name.split("/")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for depth, part in enumerate(parts[:-1], 1):
            deeper = _enter(descriptor, part, "/".join(parts[:depth]))
            if deeper is None:
                return None
            os.close(descriptor)
            descriptor = deeper
        return _content(descriptor, parts[-1], name, limit=limit)
    finally:
        os.close(descriptor)


def _enter(folder: int, part: str, name: str) -> int | None:
    """Open a subfolder of an open folder; return None if there is none."""
    try:
        return os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if _is_link(folder, part):
            raise _changed(name, "a link") from error
        if isinstance(error, NotADirectoryError):
            return None
        raise EditError(f"{name} cannot be read ({error.strerror})") from error


def _content(folder: int, part: str, name: str, *, limit: int) -> bytes | None:
    try:
        descriptor = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if _is_link(folder, part):
            raise _changed(name, "a link") from error
        raise EditError(f"{name} cannot be read ({error.strerror})") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _changed(name, "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device")
    with os.fdopen(descriptor, "rb") as stream:
        content = stream.read(limit + 1) if status.st_size <= limit else b""
    if max(status.st_size, len(content)) > limit:
        raise EditError(f"{name} has {status.st_size} bytes, more than a change may hold")
    return content


def _is_link(folder: int, part: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _changed(name: str, kind: str) -> EditError:
    return EditError(f"{name} is {kind} now", hint="change regular files only")


class Held(Struct, frozen=True):
    """A lock in use: its descriptor, which children inherit; `abandoned`: its last holder was killed."""

    fd: int
    abandoned: bool

    def claim(self, purpose: str) -> None:
        """Name this process as the holder, after repairing what the last one left."""
        name = f"{os.getpid()} {purpose}\n".encode()
        os.pwrite(self.fd, name, 0)
        os.ftruncate(self.fd, len(name))


@contextmanager
def hold(path: Path, *, on_wait: Callable[[str], None]) -> Iterator[Held]:
    """Hold the lock in the block; wait for it if necessary.

    A child that inherits it holds it while it lives, so that no other process repairs what the child still writes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _acquire(fd, on_wait)
        lock = Held(fd, abandoned=os.fstat(fd).st_size > 0)
        try:
            yield lock
        finally:
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def _acquire(fd: int, on_wait: Callable[[str], None]) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        on_wait(os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another process")
        fcntl.flock(fd, fcntl.LOCK_EX)


PLAIN_MODULES = ("minitask.spec.model",)


class Cache(Struct, frozen=True):
    """A folder of small files."""

    folder: Path

    def document(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the JSON value of a key, or compute it with `make` and store it."""
        path = self._path(key, "json")
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError):
            value = make()
            self._write(path, json.dumps(value).encode())
            return value

    def peek(self, key: str) -> Any:
        """Return the JSON value of a key, or None."""
        try:
            return json.loads(self._path(key, "json").read_bytes())
        except (OSError, ValueError):
            return None

    def keep(self, key: str, value: Any) -> None:
        """Store a JSON value."""
        self._write(self._path(key, "json"), json.dumps(value).encode())

    def values(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the spec values of a key, or compute and store them; only spec values are ever loaded."""
        path = self._path(key, "pickle")
        try:
            return _SpecUnpickler(io.BytesIO(path.read_bytes())).load()
        except (OSError, ValueError, EOFError, AttributeError, TypeError, pickle.UnpicklingError):
            value = make()
            self._write(path, pickle.dumps(value, protocol=5))
            return value

    def _path(self, key: str, kind: str) -> Path:
        digest = hashlib.sha256(
            f"{__version__}\0{key}".encode("utf-8", "surrogateescape")
        ).hexdigest()
        return Path(f"{self.folder}/{digest[:2]}/{digest[2:]}.{kind}")

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)


class _SpecUnpickler(pickle.Unpickler):
    """A loader of frozen spec values and decimals, which rejects all other classes."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class if it is an allowed one."""
        if module in PLAIN_MODULES or (module, name) == ("decimal", "Decimal"):
            return super().find_class(module, name)
        message = f"{module}.{name} is not a spec value"
        raise pickle.UnpicklingError(message)


LEAST = 256
"""Shell sessions use descriptors up to 250."""
_USUAL = 1024


def ensure_open_files() -> None:
    """Raise this process's limit to the usual one; raise `MachineError` if it stays too low for any task."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _USUAL:
        return
    allowed = _USUAL if hard == resource.RLIM_INFINITY else min(_USUAL, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft < LEAST:
        raise MachineError(
            f"at most {soft} files may be open here (`ulimit -n`), and a task needs {LEAST}",
            hint=f"run `ulimit -n {_USUAL}` before, in a new shell where this one may not raise it",
        )
