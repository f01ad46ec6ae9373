"""A mistake in a spec before its file is known: the line, the rule, what is wrong, the way out."""

from __future__ import annotations

from msgspec import Struct

from minitask.spec.model import Diagnostic, Severity


class Problem(Struct, frozen=True):
    """One mistake; `line` is 1-based."""

    line: int
    code: str
    message: str
    hint: str
    severity: Severity = Severity.ERROR

    def at(self, path: str) -> Diagnostic:
        """Return the same as a diagnostic of the file."""
        return Diagnostic(path, self.line, self.code, self.severity, self.message, self.hint)
