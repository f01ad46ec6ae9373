"""Child processes: a non-blocking exchange of bytes until one has exited; those that outlived their call are killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from minitask.system.files import real_path

if TYPE_CHECKING:
    from collections.abc import Iterator


Child = subprocess.Popen[bytes]
MIB = 1024 * 1024


CHUNK_BYTES = 256 * 1024


TICK_SECONDS = 0.02


PIPE_BYTES_MAX = MIB


class PipeExchange:
    """A non-blocking exchange of bytes with a program, until the program itself has exited.

    A background process that keeps the pipes open does not delay it.
    """

    def __init__(
        self,
        child: Child,
        *,
        deadline: float,
        input: bytes = b"",  # noqa: A002 - as everywhere
        keep_input: bool = False,
    ) -> None:
        """`input` is written as the program reads it; then its stdin is closed, or kept open.

        `deadline`, of `time.monotonic`, may be changed during the iteration.
        """
        self.deadline = deadline
        self._child = child
        self._pending = memoryview(input)
        self._keep_input = keep_input
        self._poller = select.poll()
        self._readers = {s.fileno() for s in (child.stdout, child.stderr) if s is not None}
        for reader in self._readers:
            self._poller.register(reader, select.POLLIN)
        if child.stdin is not None:
            self._open_input(child.stdin)

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield `(file descriptor, bytes)` as they arrive; raise `TimeoutError` at the deadline."""
        with exit_watch(self._child.pid) as watch:
            if watch is not None:
                self._poller.register(watch, select.POLLIN)
            gone = False
            while not gone:
                ready = {
                    fd
                    for fd, _ in self._poller.poll(patience(self.deadline, ticking=watch is None))
                }
                gone = watch in ready if watch is not None else self._child.poll() is not None
                if not gone and time.monotonic() >= self.deadline:
                    raise TimeoutError
                if gone:
                    end_group(self._child)
                yield from self._exchange(ready)
            yield from self._leftovers()

    def _open_input(self, stdin: IO[bytes]) -> None:
        if self._pending:
            os.set_blocking(stdin.fileno(), False)
            self._poller.register(stdin.fileno(), select.POLLOUT)
        elif not self._keep_input:
            stdin.close()

    def _exchange(self, ready: set[int]) -> Iterator[tuple[int, bytes]]:
        """Read available output, and write input if the program accepts it."""
        for fd in ready & self._readers:
            if data := os.read(fd, CHUNK_BYTES):
                yield fd, data
            else:
                self._poller.unregister(fd)
                self._readers.discard(fd)
        stdin = self._child.stdin
        if self._pending and stdin is not None and stdin.fileno() in ready:
            self._feed(stdin)

    def _feed(self, stdin: IO[bytes]) -> None:
        """Write as much as the pipe accepts; a program that no longer reads is not an error."""
        try:
            self._pending = self._pending[os.write(stdin.fileno(), self._pending[:MIB]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._pending = memoryview(b"")
        if not self._pending:
            self._poller.unregister(stdin.fileno())
            if not self._keep_input:
                stdin.close()

    def _leftovers(self) -> Iterator[tuple[int, bytes]]:
        """Yield what the pipes still contain after the program's exit, at most one pipe's capacity."""
        for fd in self._readers:
            os.set_blocking(fd, False)
            remaining = PIPE_BYTES_MAX
            with contextlib.suppress(BlockingIOError):
                while remaining > 0 and (data := os.read(fd, CHUNK_BYTES)):
                    remaining -= len(data)
                    yield fd, data


def end_group(child: Child) -> None:
    """Kill the rest of the program's process group, unless the program was already reaped."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def exit_watch(pid: int) -> Iterator[int | None]:
    """Yield a descriptor that is readable when the process has exited; None if not supported."""
    try:
        watch = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield watch
    finally:
        os.close(watch)


def patience(deadline: float, *, ticking: bool) -> float:
    """Return the timeout of a poll in milliseconds."""
    remaining = max(0.0, deadline - time.monotonic())
    return 1000 * (min(remaining, TICK_SECONDS) if ticking else remaining)


MOST_PASSES = 20
FEW = 100
"""Up to this number of ids are checked directly, instead of listing all processes."""
COUNTING_SECONDS = 1.0
"""Time in which process ids only increase: too short for them to wrap around."""


class Moment(Struct, frozen=True):
    """A time, of `time.monotonic`, and the last process id assigned by then."""

    last_pid: int
    at: float

    def newer(self) -> range | None:
        """Return the possible ids of processes started since; None if ids may have wrapped around."""
        last = _last_pid()
        if last < self.last_pid or time.monotonic() - self.at > COUNTING_SECONDS:
            return None
        return range(self.last_pid + 1, last + 1)


def now() -> Moment | None:
    """Return this moment; None without `/proc`."""
    last = _last_pid()
    return Moment(last, time.monotonic()) if last else None


def end_marked(mark: bytes, *, since: Moment | None = None) -> None:
    """Kill every process of the user whose initial environment contains `mark`, in any process group.

    `since`: all of them started later. It works only if `/proc` shows environments (Linux). Repeat until a pass finds
    none, because of forks meanwhile.
    """
    for _ in range(MOST_PASSES):
        newer = since.newer() if since else None
        process_ids = newer if newer is not None and len(newer) < FEW else _process_ids()
        if not [pid for pid in process_ids if _kill_if_marked(pid, mark)]:
            return
        time.sleep(0.001)


def works_in(program: str, folder: Path) -> bool:
    """Return True if a process of that name works in or below a folder; False without `/proc`."""
    return any(_works_in(pid, program, real_path(folder)) for pid in _process_ids())


def _works_in(pid: int, program: str, folder: Path) -> bool:
    proc = Path(f"/proc/{pid}")
    try:
        has_name = (proc / "comm").read_text().rstrip("\n") == program
        return has_name and (proc / "cwd").readlink().is_relative_to(folder)
    except (OSError, ValueError):
        return False


def _last_pid() -> int:
    """Return the id last assigned to a process or thread; 0 if unknown."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:  # noqa: PTH123 - before and after every session
            return int((file.read() or b"").split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def _process_ids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def _kill_if_marked(pid: int, mark: bytes) -> bool:
    """Kill the process if its environment contains the mark.

    Check again with a handle on it, since its id may have been reused.
    """
    if pid == os.getpid() or not _is_marked(pid, mark):
        return False
    with exit_watch(pid) as watch:
        if watch is None or not _is_marked(pid, mark):
            return False
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)
    return True


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:  # noqa: PTH123 - hundreds of them
            return mark in (file.read() or b"")
    except OSError:
        return False
