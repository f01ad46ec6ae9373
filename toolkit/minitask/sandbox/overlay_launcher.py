"""A launcher that mounts private layers over folders, in namespaces of its own, then becomes the sandbox.

It runs as a script in Python's isolated mode, so it imports nothing of this package. Its arguments are, for each
layer, `SOURCE UPPER WORK TARGET`, then `--` and the command. Exit code 125 says that this was not possible.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

CANNOT = 125
NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
PRIVATE_AND_BELOW = 0x40000 | 0x4000
ARGUMENTS = 4
SPECIAL = "\\:,"


def mount_layers(layers: list[str]) -> None:
    """Mount them where only this process and what it starts see them; raise `OSError` if the kernel does not let us."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int) -> None:
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    user, group = os.getuid(), os.getgid()
    call(libc.unshare(NEW_USER | NEW_MOUNTS))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as stream:  # noqa: PTH123 - fast to start
            stream.write(text)
    call(libc.mount(None, b"/", None, PRIVATE_AND_BELOW, None))
    for at in range(0, len(layers), ARGUMENTS):
        source, upper, work, target = layers[at : at + ARGUMENTS]
        folders = (f"{key}={_escaped(path)}" for key, path in _named(source, upper, work))
        options = ",".join((*folders, "userxattr"))
        call(libc.mount(b"overlay", os.fsencode(target), b"overlay", 0, os.fsencode(options)))


def _named(source: str, upper: str, work: str) -> tuple[tuple[str, str], ...]:
    return (("lowerdir", source), ("upperdir", upper), ("workdir", work))


def _escaped(path: str) -> str:
    return "".join(f"\\{sign}" if sign in SPECIAL else sign for sign in path)


def main(args: list[str]) -> NoReturn:
    """Mount, then become the command."""
    end = args.index("--")
    try:
        mount_layers(args[:end])
        os.execvp(args[end + 1], args[end + 1 :])  # noqa: S606 - it becomes the command
    except OSError as error:
        os.write(2, f"minitask: overlay: {error}\n".encode("utf-8", "replace"))
        sys.exit(CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
