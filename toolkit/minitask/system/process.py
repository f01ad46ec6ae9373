"""The only module that runs programs: argument tuples, a time limit, capped output, no survivors.

Every program runs in its own session. When the call ends, for whatever reason, its process group is killed before the
leader is reaped, so that no reused group id can be hit. Programs are found by the `PATH` of their given environment.
"""

from __future__ import annotations

import contextlib
import errno
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.errors import MachineError, StoppedError, machine_text
from minitask.system.pipes import MIB, Child, PipeExchange, end_group, patience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType


START_SECONDS = 2.0
"""Longest wait for a program to start before it is ended."""


class _Stops(Struct):
    """The programs that may no longer start: optional ones, and those of all threads but one (0: no restriction)."""

    optional: bool = False
    last_thread: int = 0


class Finished(Struct, frozen=True):
    """The result of a program; `exit_code` is negative if a signal ended it (`-9` is SIGKILL).

    `truncated`: part of a stream was dropped.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float
    timed_out: bool = False
    truncated: bool = False

    @property
    def ok(self) -> bool:
        """Return True if the program exited with 0 in time, and all of its output was kept."""
        return self.exit_code == 0 and not self.timed_out and not self.truncated

    @property
    def error_lines(self) -> list[str]:
        """Return the lines of the error output."""
        return self.stderr.decode("utf-8", "replace").strip().splitlines()

    def last_error(self, otherwise: str) -> str:
        """Return the last line of the error output."""
        return self.error_lines[-1] if self.error_lines else otherwise


def run(  # noqa: PLR0913 - the options of a program
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    input: bytes = b"",  # noqa: A002 - as everywhere
    timeout_seconds: float = 120,
    max_output_bytes: int = 64 * MIB,
    pass_fds: Sequence[int] = (),
    keep_end: bool = False,
    optional: bool = False,
    patience: Callable[[bytes], float] | None = None,
) -> Finished:
    """Run a program to its end; raise `MachineError` if it cannot be started.

    Of each stream the first `max_output_bytes` are kept (the last with `keep_end`), the rest is read and dropped. An
    `optional` program ends when `end_optional` is called. `patience` returns the remaining time in seconds for each
    chunk of output. The caller judges the exit status.
    """
    started = time.monotonic()
    timed_out = False
    with spawn(
        argv, cwd=cwd, env=env, capture_errors=True, pass_fds=pass_fds, optional=optional
    ) as child:
        keeper = _KeptEnd if keep_end else _StreamStart
        keepers = [keeper(s.fileno(), max_output_bytes) for s in (child.stdout, child.stderr) if s]
        by_fd = {stream.fd: stream for stream in keepers}
        try:
            latest = started + timeout_seconds
            exchange = PipeExchange(child, deadline=latest, input=input)
            for fd, data in exchange.chunks():
                by_fd[fd].add(data)
                if patience is not None:
                    exchange.deadline = min(latest, time.monotonic() + patience(data))
        except TimeoutError:
            timed_out = True
    return Finished(
        argv=tuple(argv),
        exit_code=child.returncode,
        stdout=b"".join(keepers[0].chunks),
        stderr=b"".join(keepers[1].chunks),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
        truncated=any(stream.cut for stream in keepers),
    )


@contextlib.contextmanager
def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    merge_errors: bool = False,
    capture_errors: bool = False,
    pass_fds: Sequence[int] = (),
    optional: bool = False,
) -> Iterator[Child]:
    """Yield a running program with pipes; leaving the block kills its group and reaps it.

    Its stderr is dropped, unless merged into its output or captured in a separate pipe. Raise `StoppedError` after
    `end_all`, and for an `optional` program after `end_optional`.
    """
    stderr = subprocess.STDOUT if merge_errors else subprocess.PIPE if capture_errors else None
    child: Child | None = None
    try:
        with _deferred_signals(), _starting(argv, optional=optional):
            child = subprocess.Popen(
                tuple(argv),
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL if stderr is None else stderr,
                start_new_session=True,
                pass_fds=pass_fds,
            )
            _running[child.pid] = child
            _starters[child.pid] = threading.get_ident()
            if optional:
                _optional.add(child.pid)
        yield child
    except (OSError, ValueError) as error:
        if child is not None:
            raise
        raise _cannot_start(argv, cwd, error) from error
    finally:
        if child is not None:
            del _running[child.pid], _starters[child.pid]
            _optional.discard(child.pid)
            _end(child)


_running: dict[int, Child] = {}
"""The running programs of all threads, by process id."""
_starters: dict[int, int] = {}
"""The thread that started each program."""
_optional: set[int] = set()
"""Programs whose work may be abandoned."""


_starts: set[int] = set()
"""The threads that are starting a program."""
_stops = _Stops()


def end_optional() -> None:
    """Kill optional programs, and start none until `allow_optional`."""
    _stops.optional = True
    _wait_for_starts()
    for pid, child in list(_running.items()):
        if pid in _optional:
            end_group(child)


def allow_optional() -> None:
    """Allow optional programs to start again."""
    _stops.optional = False


def end_started_by(thread: int) -> None:
    """Kill the programs that a thread (by its `get_ident`) has started, or is starting."""
    _wait_for_starts()
    for pid, child in list(_running.items()):
        if _starters.get(pid) == thread:
            end_group(child)


def end_all() -> None:
    """Kill all programs of all threads, before this process ends; from now on only this thread starts any."""
    _stops.last_thread = threading.get_ident()
    _wait_for_starts()
    for child in list(_running.values()):
        end_group(child)


def _wait_for_starts() -> None:
    """Wait for starts by other threads, whose programs are not registered yet."""
    deadline = time.monotonic() + START_SECONDS
    while _starts - {threading.get_ident()} and time.monotonic() < deadline:
        time.sleep(0.001)


@contextlib.contextmanager
def _starting(argv: Sequence[str], *, optional: bool) -> Iterator[None]:
    """Mark this thread as starting a program; raise `StoppedError` if it may not."""
    thread = threading.get_ident()
    _starts.add(thread)
    try:
        if (optional and _stops.optional) or _stops.last_thread not in (0, thread):
            raise StoppedError(f"{argv[0]} is not started: the run was stopped")
        yield
    finally:
        _starts.discard(thread)


def children_of(pid: int) -> tuple[int, ...]:
    """Return the process ids of a process's direct children; empty if unknown."""
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_bytes().split()))
    except OSError:
        return ()


def wait_until_gone(watches: Sequence[int], *, timeout_seconds: float) -> bool:
    """Wait until the processes of these `exit_watch` descriptors have exited; return True if all have."""
    deadline = time.monotonic() + timeout_seconds
    for watch in watches:
        poller = select.poll()
        poller.register(watch, select.POLLIN)
        if not poller.poll(patience(deadline, ticking=False)):
            return False
    return True


class _StreamStart:
    """The start of a stream."""

    __slots__ = ("chunks", "cut", "fd", "left")

    def __init__(self, fd: int, limit: int) -> None:
        self.fd = fd
        self.left = limit
        self.chunks: list[bytes] = []
        self.cut = False

    def add(self, data: bytes) -> None:
        """Keep what still fits."""
        if len(data) > self.left:
            self.cut = True
            data = data[: self.left]
        if data:
            self.left -= len(data)
            self.chunks.append(data)


class _KeptEnd(_StreamStart):
    """The end of a stream: the limit plus at most one chunk."""

    __slots__ = ()

    def add(self, data: bytes) -> None:
        """Keep the data, and drop the oldest chunks."""
        self.chunks.append(data)
        self.left -= len(data)
        while self.left + len(self.chunks[0]) <= 0:
            self.left += len(self.chunks.pop(0))
            self.cut = True


def _end(child: Child) -> None:
    """Kill and reap the program, and close its pipes; buffered input is dropped."""
    end_group(child)
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _cannot_start(argv: Sequence[str], cwd: Path, error: OSError | ValueError) -> MachineError:
    """Return an error that names the cause: program, directory or arguments."""
    program = argv[0] if argv else ""
    number = getattr(error, "errno", None)
    if not cwd.is_dir():
        return MachineError(
            f"cannot run {program}: {cwd} is not a directory",
            hint="it was removed meanwhile; run the same command again",
        )
    if number == errno.ENOENT:
        return MachineError(
            f"cannot run {program}: no such program",
            hint=f"install {program}, or put its directory on PATH",
        )
    if number == errno.E2BIG:
        return MachineError(
            f"cannot run {program}: its arguments are too long", hint="pass fewer paths at once"
        )
    if number in {errno.EMFILE, errno.ENFILE}:
        return MachineError(f"cannot run {program}: {machine_text(error)}")
    return MachineError(
        f"cannot run {program}: {error}", hint="check that it is an executable program"
    )


_HANDLED: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def _deferred_signals() -> Iterator[None]:
    """Defer the signals that Python handles until the block ends, then handle them.

    A `KeyboardInterrupt` between a program's start and its registration would leave it running. Only the main thread
    runs signal handlers, so other threads need no deferral.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    replaced = {number: handler for number, handler in handlers.items() if callable(handler)}
    pending: list[tuple[int, FrameType | None]] = []
    for number in replaced:
        signal.signal(number, lambda number, frame: pending.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
        for number, frame in pending:
            replaced[number](number, frame)
