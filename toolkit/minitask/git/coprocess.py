"""A git process that stays open and answers one request after another: what costs a start each time costs it once."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from contextlib import ExitStack
from typing import IO, cast

from minitask.git.command import Git
from minitask.system import pipes, process

TIMEOUT_SECONDS = 600.0


class GitProcess:
    """`git ARGS`, started at the first request, and again where it ended. Safe to share between threads."""

    def __init__(self, git: Git, *args: str) -> None:
        self._git = git
        self._args = args
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._child: pipes.Child | None = None

    def ask(self, request: bytes, *, end: bytes) -> bytes | None:
        """Return the answer to a request, of which `end` is the end; None if git ended before it."""
        with self._lock:
            child = self._child or self._start()
            try:
                stdin = cast("IO[bytes]", child.stdin)
                stdin.write(request)
                stdin.flush()
                answer = _read(cast("IO[bytes]", child.stdout).fileno(), end)
            except BrokenPipeError:
                answer = None
            except BaseException:  # what is still to come would be taken for the next answer
                self._end()
                raise
            if answer is None:
                self._end()
            return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _start(self) -> pipes.Child:
        git = self._git
        self._child = self._held.enter_context(
            process.spawn(
                git.argv(*self._args), cwd=git.git_dir, env=git.env(), pass_fds=git.lock_fds
            )
        )
        return self._child

    def _end(self) -> None:
        self._child = None
        with contextlib.suppress(BrokenPipeError):  # what it did not read any more
            self._held.close()


def _read(fd: int, end: bytes) -> bytes | None:
    """Return what comes until `end` does; None if the stream ends, or nothing comes for long."""
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    answer = b""
    while not answer.endswith(end):
        if not poller.poll(1000 * TIMEOUT_SECONDS):
            return None
        data = os.read(fd, 1 << 16)
        if not data:
            return None
        answer += data
    return answer
