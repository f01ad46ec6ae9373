"""Signals to this process: raised as exceptions even while it waits, or reported by a callback first."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

NUDGES_SECONDS = (0.005, 0.05, 0.5)
"""Delays after a signal at which the main thread is woken up, in case it waits."""
IMPORT_FRAME = "<frozen importlib"


def raise_on_signals(exceptions: Mapping[int, type[BaseException]]) -> None:
    """Raise an exception in the main thread when a signal arrives, even while it waits; call it once, there.

    Python runs handlers between instructions. A signal just before a system call would be handled only after that call:
    so a thread reads each signal from a pipe and interrupts the call by SIGURG, which has no other effect. During an
    import nothing is raised: the exception could be lost in a weak reference's callback and leave the import lock held.
    The signal is sent again a little later.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    postponed: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if _imports(frame):
            postponed.append(number)
            os.write(writer, bytes([number]))
        else:
            raise exceptions[number]

    for number in exceptions:
        signal.signal(number, handle)
    signal.signal(signal.SIGURG, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    waker = threading.Thread(
        target=_wake, args=(reader, threading.get_ident(), postponed), daemon=True
    )
    waker.start()


def _imports(frame: FrameType | None) -> bool:
    """Return True if the frame is inside an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORT_FRAME):
            return True
        frame = frame.f_back
    return False


def _wake(reader: int, main: int, postponed: list[int]) -> None:
    while numbers := os.read(reader, 100):
        if any(number != signal.SIGURG for number in numbers):
            for seconds in NUDGES_SECONDS:
                time.sleep(seconds)
                signal.pthread_kill(main, postponed.pop() if postponed else signal.SIGURG)


@contextlib.contextmanager
def first_interrupt(tell: Callable[[], None]) -> Iterator[None]:
    """Within the block, the first SIGINT calls `tell`; the next one raises `KeyboardInterrupt`.

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
