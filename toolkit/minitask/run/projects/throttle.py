"""How many calls one provider is asked at once: fewer after it said that it is too many, one more after each answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHRINK = 0.5


class Throttle:
    """Lets at most `width` callers in at once, or fewer while the provider is busy; at least one."""

    def __init__(self, width: int) -> None:
        self._most = width
        self._allowed = float(width)
        self._inside = 0
        self._news = threading.Condition()

    @property
    def allowed(self) -> int:
        """How many may be inside now."""
        return max(1, int(self._allowed))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait for a place, and keep it for as long as the block lasts."""
        with self._news:
            self._news.wait_for(lambda: self._inside < self.allowed)
            self._inside += 1
        try:
            yield
        finally:
            with self._news:
                self._inside -= 1
                self._news.notify_all()

    def note(self, *, throttled: bool) -> None:
        """Learn from how a call went: half as many after a rate limit, a share of one more after any other."""
        with self._news:
            if throttled:
                self._allowed = max(1.0, min(self._allowed, self._inside) * SHRINK)
            else:
                self._allowed = min(float(self._most), self._allowed + 1 / self.allowed)
            self._news.notify_all()
