"""What tests of processes ask: which run on this machine, and whether something becomes true in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def running(words: str) -> list[int]:
    """Ids of the processes whose command line is exactly these words."""
    return running_where((words.replace(" ", "\0") + "\0").encode().__eq__)


def running_where(is_meant: Callable[[bytes], bool]) -> list[int]:
    """Ids of the processes whose command line is meant."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if is_meant((entry / "cmdline").read_bytes()):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], object], seconds: float = 5) -> bool:
    """Whether a callable becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
