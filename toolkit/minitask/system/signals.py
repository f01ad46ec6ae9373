"""Hold back signals while something must not be interrupted halfway."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

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
