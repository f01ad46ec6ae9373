"""Work that goes on beside the main line: git runs on another core while specs are parsed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class BackgroundCall(Generic[Result]):
    """A call that was begun in a thread of its own; whatever it raises is raised where the result is asked for."""

    def __init__(self, call: Callable[[], Result]) -> None:
        self._call = call
        self._done: list[Result] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def result(self) -> Result:
        """Wait for the call's result."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._done[0]

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the call is over, whatever resulted, or so long at most; whether it is over."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def thread(self) -> int:
        """Return the thread that the call is made in, as `threading.get_ident` gives it."""
        return self._thread.ident or 0

    @property
    def succeeded(self) -> bool:
        """Return True if the call is over and gave a result."""
        return bool(self._done)

    def _run(self) -> None:
        try:
            self._done.append(self._call())
        except BaseException as error:  # noqa: BLE001 - the worker's edge: raised again in `result`
            self._error = error
