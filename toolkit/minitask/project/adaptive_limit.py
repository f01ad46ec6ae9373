"""A limit on parallel calls to one provider: lower after a rate limit, one more after each answer."""

from __future__ import annotations

from minitask.concurrency import PrioritySemaphore

SHRINK = 0.5


class AdaptiveLimit(PrioritySemaphore):
    """Lets at most `width` callers in at once, or fewer while the provider is busy; at least one."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self._allowed = float(width)

    @property
    def allowed(self) -> int:
        """Return how many may be inside now."""
        return max(1, int(self._allowed))

    def note(self, *, throttled: bool) -> None:
        """Learn from how a call went: half as many after a rate limit, a share of one more after any other."""
        with self._lock:
            if throttled:
                self._allowed = max(1.0, min(self._allowed, self._inside) * SHRINK)
            else:
                self._allowed = min(float(self._width), self._allowed + 1 / self.allowed)
            self._admit()
