"""Errors, worded so that a person can act on them.

Every error that a user can meet is a `MinitaskError`: a lower-case message that names the thing and the place, and a
hint that names the way out. Its class decides the exit code. A gate that says no is a result and never one of these.
"""

from __future__ import annotations

FIX = "\n  fix: "
"""The start of the line that says how to fix an error."""


class MinitaskError(Exception):
    """Something is wrong that the user can fix; `hint` says how, `where` is `PATH[:LINE]`."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", where: str | None = None) -> None:
        """Keep the three parts apart, so that a reporter can lay them out."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    @property
    def line(self) -> int:
        """Return the line that `where` ends with; 0 if it names none."""
        line = (self.where or "").rpartition(":")[2]
        return int(line) if line.isdecimal() else 0

    def __str__(self) -> str:
        """One or two lines: `WHERE: MESSAGE` and the hint."""
        first = f"{self.where}: {self.message}" if self.where else self.message
        return f"{first}{FIX}{self.hint}" if self.hint else first


class UsageError(MinitaskError):
    """Bad usage, spec or config: nothing ran."""

    exit_code = 2


class NoBranchError(UsageError):
    """The target branch does not exist, or was renamed or deleted meanwhile."""


class MachineError(MinitaskError):
    """The provider, git or the machine failed, through no fault of the task."""

    exit_code = 3


class MissingObjectError(MachineError):
    """Git lacks an object that a ref is to hold."""


class BudgetError(MinitaskError):
    """The budget is spent, or the next call could not be paid from it."""

    exit_code = 4


class StoppedError(MinitaskError):
    """The run was stopped before this could begin: nothing was spent."""


class RefusedError(MinitaskError):
    """A rule forbids the task: nothing was written and nothing was spent."""


class EditError(MinitaskError):
    """An edit script that cannot be applied exactly; fit to be sent back to its author."""


class UnlistedError(EditError):
    """An edit of a file that the task does not list."""


class Ended(KeyboardInterrupt):
    """The system, or the end of a terminal, asks the program to end: there is no time to finish anything."""
