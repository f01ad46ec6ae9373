"""The limit on open files: raised as far as a user may, and checked before a command begins."""

from __future__ import annotations

import resource
from contextlib import suppress

from minitask.errors import MachineError

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
