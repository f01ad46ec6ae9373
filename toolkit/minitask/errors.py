"""Exceptions, worded so that a person can act on them.

Every error that a user can see is a `MinitaskError`: a lower-case message that names the subject and the location, and
a hint with the fix. Its class decides the exit code. A gate that rejects a change returns a result instead.
"""

from __future__ import annotations

import errno

FIX = "\n  fix: "
"""Start of the line with the fix."""
UNUSABLE = "the model's reply cannot be used"
"""Start of the message of a reply that cannot be applied; its fix is for the model."""


class MinitaskError(Exception):
    """An error that the user can fix; `hint` says how, `where` is `PATH[:LINE]`."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", where: str | None = None) -> None:
        """Store the parts separately, so that a reporter can lay them out."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    @property
    def line(self) -> int:
        """Return the line number at the end of `where`; 0 if there is none."""
        line = (self.where or "").rpartition(":")[2]
        return int(line) if line.isdecimal() else 0

    def __str__(self) -> str:
        """Return one or two lines: `WHERE: MESSAGE` and the hint."""
        first = f"{self.where}: {self.message}" if self.where else self.message
        return f"{first}{FIX}{self.hint}" if self.hint else first


class UsageError(MinitaskError):
    """Invalid usage, spec or configuration: nothing ran."""

    exit_code = 2


class NoBranchError(UsageError):
    """The target branch does not exist, perhaps because it was renamed or deleted meanwhile."""


class MachineError(MinitaskError):
    """A failure of the provider, git or the machine, not of the task."""

    exit_code = 3


class MissingObjectError(MachineError):
    """A git object that a ref should point to is missing."""


class BudgetError(MinitaskError):
    """The budget is spent, or too small for the next call."""

    exit_code = 4


class StoppedError(MinitaskError):
    """The run was stopped before this began: nothing was spent."""


class RefusedError(MinitaskError):
    """A rule forbids the task: nothing was written or spent."""


class EditError(MinitaskError):
    """An edit script that cannot be applied exactly; the error can be sent back to its author."""


class UnlistedError(EditError):
    """An edit of a file that the task does not list."""


class Ended(KeyboardInterrupt):
    """The system or a closing terminal terminates the program: no time to finish anything."""


_MORE_FILES = "raise the limit on open files, as by `ulimit -n 4096`, or lower --jobs"
_SPACE = "check the path, its permissions and the disk's free space"


def machine_text(error: Exception) -> str:
    """Return the text of an error; one of the operating system gets its path and a fix."""
    if not isinstance(error, OSError):
        return str(error)
    hint = _MORE_FILES if error.errno in {errno.EMFILE, errno.ENFILE} else _SPACE
    subject = f": {error.filename}" if error.filename else ""
    return f"{error.strerror or error}{subject}{FIX}{hint}"
