"""The partial sandbox of macOS: a profile for the system's `sandbox-exec`.

A profile is written in the language of sandbox(7): rules in brackets, of which the last match decides. Resources of the
system (frameworks, Mach services, preferences) are allowed, so that compilers and interpreters run; denied are writing,
reading the user's files, the network, and other processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from minitask.sandbox.policy import SYSTEM, SandboxPolicy, spellings

PROGRAM = "/usr/bin/sandbox-exec"
DEVICES = ("/dev/null", "/dev/zero", "/dev/tty", "/dev/dtracehelper", "/dev/random", "/dev/urandom")
PEOPLE = ("/Users", "/Volumes", "/private/tmp", "/private/var/tmp", "/private/var/folders")
"""Folders of users' files and temporary files on macOS."""
HEAD = """\
(version 1)
(allow default)
(deny appleevent-send)
(deny process-info* (target others))
(allow process-info* (target same-sandbox))
(deny signal (target others))
(allow signal (target same-sandbox))
(deny mach-lookup (global-name "com.apple.pasteboard.1") (global-name "com.apple.SecurityServer"))
"""


def command(
    program: str, room: SandboxPolicy, *, roots: Sequence[str], private: Path
) -> tuple[str, ...]:
    """Return the command line to put before a command's arguments."""
    return (program, "-p", profile(room, roots=roots, private=private))


def profile(room: SandboxPolicy, *, roots: Sequence[str], private: Path) -> str:
    """Return the profile of a policy: `roots` are readable besides the system, `private` is writable."""
    own = [
        path for folder in (room.workspace, private, *room.writable) for path in spellings(folder)
    ]
    hidden = [*PEOPLE, *(spellings(Path(room.home)) if room.home else ())]
    readable = [
        *SYSTEM,
        *roots,
        *(path for each in room.readonly for path in spellings(each)),
        *own,
    ]
    repository = spellings(room.workspace / ".git")
    listened = room.listeners.addresses if room.listeners else ()
    rules = [
        "" if room.network else "(deny network*)\n",
        *(
            f"(allow network-outbound (remote ip {_quoted(_port(address))}))\n"
            for address in listened
        ),
        f"(deny file-read-data file-write* {_below(hidden)})\n",
        f"(allow file-read-data {_below(readable)})\n",
        f"(deny file-write* {_below(['/'])})\n",
        f"(allow file-write* {_below(own)} {_exactly(DEVICES)})\n",
        f"(deny file-write* {_below(repository)})\n",
    ]
    return HEAD + "".join(rules)


def _port(address: str) -> str:
    """Return a loopback address in the only form of the profile language."""
    return f"localhost:{address.rpartition(':')[2]}"


def _below(paths: Iterable[str]) -> str:
    return " ".join(f"(subpath {_quoted(path)})" for path in dict.fromkeys(paths))


def _exactly(paths: Iterable[str]) -> str:
    return " ".join(f"(literal {_quoted(path)})" for path in paths)


def _quoted(path: str) -> str:
    """Return a path as a string of the profile language."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
