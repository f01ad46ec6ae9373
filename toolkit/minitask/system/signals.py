"""Signals to this process: held back for a moment, or taken as news in place of an exception."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

NUDGES_SECONDS = (0.005, 0.05, 0.5)
"""How long after a signal the main thread is woken up, in case it waits."""


def wake_on_signals() -> None:
    """Have every signal end the main thread's wait.

    Python runs handlers between instructions; one that comes after the last look and before a system call would be
    seen at that call's end. A thread hears of each signal by a pipe and interrupts the call by SIGURG, which does
    nothing else.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.signal(signal.SIGURG, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    main = threading.get_ident()
    threading.Thread(target=_wake, args=(reader, main), daemon=True).start()


def _wake(reader: int, main: int) -> None:
    while numbers := os.read(reader, 100):
        if any(number != signal.SIGURG for number in numbers):
            for seconds in NUDGES_SECONDS:
                time.sleep(seconds)
                signal.pthread_kill(main, signal.SIGURG)


_HANDLED: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def deferred_signals() -> Iterator[None]:
    """Hold back the signals that Python handles until the block ends, then handle them.

    A `KeyboardInterrupt` between the start of a program and its registration would leave the program
    running. Only the main thread runs signal handlers, so other threads need nothing of this.
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


@contextlib.contextmanager
def first_interrupt(tell: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first interrupt (SIGINT) calls `tell`; the next one raises `KeyboardInterrupt`.

    An exception could come between any two steps of the main thread's bookkeeping.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        signal.signal(signal.SIGINT, usual)
        tell()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
