"""Private mounts and network for a process and its children, without bubblewrap.

The launcher (`landlock.py`) calls this before it restricts itself. Every function raises `OSError` if the kernel does
not allow it.
"""

# Strings and `os` alone: the launcher starts before every session.
# ruff: noqa: PTH103, PTH109, PTH110, PTH112, PTH114, PTH120, PTH121, PTH123, PTH208, PTH211, S108

from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Iterable, Mapping, Sequence

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x20000, 0x10000000, 0x40000000
PRIVATE_AND_BELOW = 0x40000 | 0x4000
BIND_AND_BELOW = 0x1000 | 0x4000
NO_PROGRAMS_NO_SETUID = 0x8 | 0x2
SET_MOUNT_ATTRIBUTES, BELOW, READ_ONLY = 442, 0x8000, 1
LAYER_ARGUMENTS = 4
SPECIAL = "\\:,"
SHARED_MEMORY = "/dev/shm"
SIZES = {SHARED_MEMORY: "64m", "/tmp": "512m", "/var/tmp": "512m"}
"""World-writable folders, and their size limits."""
TERMINALS, TERMINAL_MAKER = "/dev/pts", "/dev/ptmx"
GET_FLAGS, SET_FLAGS, IS_UP = 0x8913, 0x8914, 1
INTERNET, DATAGRAMS = 2, 2


def enter(*, network: bool) -> None:
    """Enter new mount and user namespaces, without `network` also a network one; keep the user id."""
    user, group = os.getuid(), os.getgid()
    kinds = NEW_USER | NEW_MOUNTS | (0 if network else NEW_NETWORK)
    _checked(_libc().unshare(kinds))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as stream:
            stream.write(text)
    _mount("", "/", flags=PRIVATE_AND_BELOW)
    if not network:
        _start_loopback()


def mount_layers(layers: Sequence[str]) -> None:
    """Mount private overlays over folders; each is four arguments, `SOURCE UPPER WORK TARGET`."""
    for at in range(0, len(layers), LAYER_ARGUMENTS):
        source, upper, work, target = layers[at : at + LAYER_ARGUMENTS]
        folders = {"lowerdir": source, "upperdir": upper, "workdir": work}
        options = ",".join(f"{key}={_escaped(path)}" for key, path in folders.items())
        _mount("overlay", target, kind="overlay", options=f"{options},userxattr")


def hide(folders: Iterable[str], *, kept: Mapping[str, bool], checkout: str = "") -> None:
    """Mount an empty folder over each, except for `kept` paths below it (value: writable).

    Everything else is read-only, permissions and times included. The working directory's content also appears at the
    `checkout`, if given.
    """
    here = os.getcwd()
    present = [folder for folder in {*folders, checkout} if folder and os.path.isdir(folder)]
    outer = _outermost(present)
    writable = [path for path, may_write in kept.items() if may_write and path not in outer]
    opened = _opened(path for path in kept if _is_below_any(path, [*outer, *writable]))
    opened |= _opened(path for path in writable if not path.startswith("/dev/"))
    _set_read_only("/", on=True)
    for folder in outer:
        mode, size = ("1777", SIZES[folder]) if folder in SIZES else ("755", "16m")
        _mount("tmpfs", folder, kind="tmpfs", options=f"mode={mode},size={size}")
    bound: dict[str, bool] = {}
    for path in sorted(opened):
        above = max((parent for parent in bound if path.startswith(f"{parent}/")), default="")
        _bind(opened[path], path, is_writable=kept[path], inherits=bound.get(above, False))
        bound[path] = kept[path]
    if checkout in present:
        _stand(checkout, here)
    os.chdir(here)


def private_terminals() -> None:
    """Mount private terminals, without the user's."""
    options = "newinstance,ptmxmode=0666,mode=620"
    _mount("devpts", TERMINALS, kind="devpts", options=options, flags=NO_PROGRAMS_NO_SETUID)
    if not os.path.islink(TERMINAL_MAKER):
        _mount(f"{TERMINALS}/ptmx", TERMINAL_MAKER, flags=BIND_AND_BELOW)


def _outermost(folders: Iterable[str]) -> list[str]:
    """Return the folders that are not inside another one."""
    found: list[str] = []
    for folder in sorted(map(os.path.realpath, folders)):
        if folder != "/" and not _is_below_any(folder, found) and folder not in found:
            found.append(folder)
    return found


def _is_below_any(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(f"{folder}/") for folder in folders)


def _opened(paths: Iterable[str]) -> dict[str, int]:
    """Open a descriptor for each existing path."""
    found = {}
    for path in paths:
        with contextlib.suppress(OSError):
            found[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
    return found


def _bind(descriptor: int, path: str, *, is_writable: bool, inherits: bool) -> None:
    """Mount a descriptor's file at its own path, if that is hidden or has other write access than its parent mount.

    `inherits`: the parent mount is writable.
    """
    source = f"/proc/self/fd/{descriptor}"
    if os.path.exists(path) and os.path.samefile(source, path):
        if is_writable == inherits:
            os.close(descriptor)
            return
    elif os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    _mount(source, path, flags=BIND_AND_BELOW)
    os.close(descriptor)
    if is_writable:
        with contextlib.suppress(PermissionError):  # it was read-only before
            _set_read_only(path, on=False)
    else:
        _set_read_only(path, on=True)


def _set_read_only(path: str, *, on: bool) -> None:
    """Make a mount and all below it read-only, or writable again."""
    attributes = struct.pack("=4Q", READ_ONLY if on else 0, 0 if on else READ_ONLY, 0, 0)
    libc, at_working_directory = _libc(), -100
    _checked(
        libc.syscall(
            SET_MOUNT_ATTRIBUTES, at_working_directory, os.fsencode(path), BELOW, attributes, 32
        )
    )


def _stand(checkout: str, workspace: str) -> None:
    """Link the workspace's entries at the checkout's path, except for paths kept there."""
    os.makedirs(checkout, exist_ok=True)
    for name in os.listdir(workspace):
        if name != ".git" and not os.path.lexists(f"{checkout}/{name}"):
            os.symlink(f"{workspace}/{name}", f"{checkout}/{name}")


def _start_loopback() -> None:
    """Bring up the loopback interface of the private network."""
    libc = _libc()
    number = libc.socket(INTERNET, DATAGRAMS, 0)
    _checked(min(number, 0))
    try:
        request = bytearray(struct.pack("16sH22x", b"lo", 0))
        buffer = _buffer(request)
        _checked(libc.ioctl(number, GET_FLAGS, buffer))
        (flags,) = struct.unpack_from("H", buffer, 16)
        struct.pack_into("H", buffer, 16, flags | IS_UP)
        _checked(libc.ioctl(number, SET_FLAGS, buffer))
    finally:
        os.close(number)


def _mount(source: str, target: str, *, kind: str = "", flags: int = 0, options: str = "") -> None:
    words = [os.fsencode(word) or None for word in (source, target, kind)]
    _checked(_libc().mount(*words, flags, os.fsencode(options) or None))


def _libc() -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _buffer(content: bytearray) -> ctypes.Array[ctypes.c_char]:
    import ctypes

    return (ctypes.c_char * len(content)).from_buffer(content)


def _checked(result: int) -> None:
    import ctypes

    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _escaped(path: str) -> str:
    return "".join(f"\\{sign}" if sign in SPECIAL else sign for sign in path)
