"""The partial sandbox: a launcher that restricts itself by Landlock, then executes the command.

It runs as a script in Python's isolated mode, so it imports little, and of this package only `namespaces.py` if it
mounts something. Arguments: `r=PATH` (read and execute), `w=PATH` (write too), `net=off`, then `--` and the command;
without a command it restricts itself and prints the kernel's Landlock version. Four `layer=` (source, upper, work,
target) mount a private layer. With `private`, in its own namespaces, each `hide=FOLDER` is empty except for readable or
writable paths, the network is a loopback only, and links at `checkout=FOLDER` lead to the working directory. Sockets
that listen at each `listen=HOST:PORT` are sent through the socket `channel=NUMBER`. Exit status 125: the sandbox is not
possible.
"""

# Pathlib would double the launcher's start-up time.
# ruff: noqa: PTH100, PTH112

from __future__ import annotations

import os
import struct
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import ctypes

CANNOT = 125
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
VERSION_FLAG, PATH_BENEATH = 1, 1
SET_PARENT_DEATH_SIGNAL, DROP_FROM_BOUNDING_SET, SET_NO_NEW_PRIVILEGES = 1, 24, 38
KILL_SIGNAL, CAPABILITIES_MAX = 9, 64
IGNORED_BY_PYTHON = (13, 25)
"""SIGPIPE and SIGXFSZ: a program would inherit that they are ignored."""

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHARACTER_DEVICE, MAKE_BLOCK_DEVICE = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEVICE = 1 << 14, 1 << 15
READ = EXECUTE | READ_FILE | READ_DIR
FILE_ONLY = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEVICE
TCP_BIND_AND_CONNECT = 0b11
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def file_rights(version: int) -> int:
    """Return all file rights of a Landlock version: more bits in versions 2, 3 and 5."""
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return (1 << bits) - 1


def ruleset(version: int, *, network: bool) -> bytes:
    """Return the kernel structure of rights that are denied by default; it grew in versions 4 and 6."""
    tcp = 0 if network else TCP_BIND_AND_CONNECT
    fields = [file_rights(version)]
    if version >= 4:
        fields.append(tcp)
    if version >= 6:
        fields.append(ABSTRACT_SOCKETS_AND_SIGNALS)
    return struct.pack(f"={len(fields)}Q", *fields)


def rights_on(version: int, *, write: bool, folder: bool) -> int:
    """Return the rights that a rule may grant; never making devices, which would bypass all paths."""
    every = file_rights(version) & ~(MAKE_CHARACTER_DEVICE | MAKE_BLOCK_DEVICE)
    allowed = every if write else READ
    return allowed if folder else allowed & FILE_ONLY


def restrict(readable: list[str], writable: list[str], *, network: bool) -> int:
    """Restrict this process and its children; return the Landlock version. Raise `OSError` if it is not possible."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    version = _call(libc, CREATE_RULESET, None, 0, VERSION_FLAG)
    attributes = ruleset(version, network=network)
    rules = _call(libc, CREATE_RULESET, attributes, len(attributes), 0)
    for paths, write in ((readable, False), (writable, True)):
        for path in paths:
            _allow(libc, rules, path, rights=(version, write))
    for number in IGNORED_BY_PYTHON:
        libc.signal(number, None)
    libc.prctl(SET_PARENT_DEATH_SIGNAL, KILL_SIGNAL, 0, 0, 0)
    for capability in range(CAPABILITIES_MAX):
        libc.prctl(DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
    if libc.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot give up new privileges")
    _call(libc, RESTRICT_SELF, rules, 0)
    os.close(rules)
    return version


def _allow(libc: ctypes.CDLL, rules: int, path: str, *, rights: tuple[int, bool]) -> None:
    """Allow a path; a missing one needs no rule."""
    version, write = rights
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        folder = os.path.isdir(path)
        allowed = rights_on(version, write=write, folder=folder)
        _call(libc, ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", allowed, fd), 0)
    finally:
        os.close(fd)


def _call(libc: ctypes.CDLL, number: int, *args: int | bytes | None) -> int:
    import ctypes

    arguments = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def isolate(words: list[str]) -> None:
    """Set up the mounts and the network given by the arguments, in new namespaces."""
    sys.path.append(str(os.path.abspath(f"{__file__}/../../..")))
    from minitask.sandbox import namespaces

    is_private = "private" in words
    namespaces.enter(network=not is_private or "net=off" not in words)
    send_listeners(words)  # while Python's library is readable
    namespaces.mount_layers(_values(words, "layer"))
    if is_private:
        kept = dict.fromkeys(_values(words, "r"), False)
        kept |= dict.fromkeys(_values(words, "w"), True)
        checkout = next(iter(_values(words, "checkout")), "")
        namespaces.hide(_values(words, "hide"), kept=kept, checkout=checkout)
        namespaces.private_terminals()


def send_listeners(words: list[str]) -> None:
    """Listen in this process's network and send the sockets to the process that accepts; the command gets none."""
    channels = _values(words, "channel")
    if not channels:
        return
    import socket

    listeners = []
    for address in _values(words, "listen"):
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listeners.append(socket.create_server((host.strip("[]"), int(port)), family=family))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen at {address}: {error}") from error
    with socket.socket(fileno=int(channels[0])) as peer:
        socket.send_fds(peer, [b"x"], [listener.fileno() for listener in listeners])


def _values(words: list[str], key: str) -> list[str]:
    return [word[len(key) + 1 :] for word in words if word.startswith(f"{key}=")]


def main(args: list[str]) -> NoReturn:
    """Restrict this process, then execute the command."""
    end = args.index("--")
    words, argv = args[:end], args[end + 1 :]
    readable, writable = _values(words, "r"), _values(words, "w")
    version = 0
    try:
        if "private" in words or _values(words, "layer"):
            isolate(words)
        else:
            send_listeners(words)
        if readable or writable:
            shut = "net=off" in words and "private" not in words
            version = restrict(readable, writable, network=not shut)
        if not argv:
            os.write(1, b"%d\n" % version)
            sys.exit(0)
        os.execvp(argv[0], argv)  # noqa: S606 - replaces this process
    except OSError as error:
        os.write(2, f"minitask: landlock: {error}\n".encode("utf-8", "replace"))
        sys.exit(CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
