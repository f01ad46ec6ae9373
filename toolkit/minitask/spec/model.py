"""The parsed spec: frozen values, every field with its line in the source.

Line numbers are 1-based, count from the top of the Markdown file, and are ignored by equality: a spec that is rendered
and parsed again is the same value. Money is `Decimal` US dollars; unknown is `None`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from msgspec import Struct

from minitask.values import Located


class Tier(StrEnum):
    """A tier of the price ladder, cheapest first."""

    NONE = "none"
    FREE = "free"
    CHEAP = "cheap"
    BALANCED = "balanced"
    FRONTIER = "frontier"


class FileAction(StrEnum):
    """The action of a spec on a file; `WRITE` is "create or edit, whichever fits"."""

    READ = "read"
    CREATE = "create"
    EDIT = "edit"
    WRITE = "write"
    DELETE = "delete"


class LineRange(Struct, frozen=True, order=True):
    """Lines `start` to `end`, 1-based, both included; `1 <= start <= end`."""

    start: int
    end: int

    def __str__(self) -> str:
        """Return `A-B`, or `A` for a single line."""
        return str(self.start) if self.start == self.end else f"{self.start}-{self.end}"


class FileRef(Located, frozen=True):
    """A path that a spec names, as written, with the data of its note.

    `ranges` are the lines cited in the note, in the anchor's numbering; empty means the whole file.
    """

    path: str
    action: FileAction
    ranges: tuple[LineRange, ...] = ()
    note: str = ""
    optional: bool = False
    line: int = 0


class Fence(Located, frozen=True):
    """A fenced block: info string, content (each line ends in a newline) and position.

    `lead` is the last line of text before the fence, stripped of Markdown; `line` is the opening fence's.
    """

    info: str
    content: str
    lead: str = ""
    line: int = 0


class ExpectationKind(StrEnum):
    """The forms of an `# expect:` comment."""

    EXIT = "exit"
    NUMBER = "number"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    CONTAINS = "contains"
    NO_OUTPUT = "no output"
    FAILS = "fails"
    FAILS_BEFORE = "fails before"


class Expectation(Struct, frozen=True):
    """The expectation of an `# expect:` comment, or of a remark such as `# Should be ~600 lines`.

    `number` is the exit code (EXIT), the expected number (NUMBER, within `tolerance`) or its bound (AT_LEAST, AT_MOST);
    `text` must be part of the output (CONTAINS).
    """

    kind: ExpectationKind
    number: int = 0
    tolerance: int = 0
    text: str = ""


class Command(Located, frozen=True):
    """A top-level shell command of the Validation section, checked by itself."""

    text: str
    expectations: tuple[Expectation, ...] = ()
    line: int = 0


class Criterion(Located, frozen=True):
    """An acceptance criterion; `done` is True if its box is ticked."""

    text: str
    done: bool = False
    line: int = 0


class Estimate(Struct, frozen=True):
    """The header's estimate of the task: tokens and US dollars."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None

    @property
    def tokens(self) -> int | None:
        """Input and output tokens together; None if the header does not state both."""
        if self.input_tokens is None or self.output_tokens is None:
            return None
        return self.input_tokens + self.output_tokens


class Options(Struct, frozen=True):
    """The YAML front matter: options for machines. `None` means that the spec does not set the option."""

    id: str | None = None
    depends_on: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    complexity: str | None = None
    tier: Tier | None = None
    executor: str | None = None
    model: str | None = None
    timeout_seconds: int | None = None
    max_cost_usd: Decimal | None = None
    review: str | None = None
    grade: str | int | None = None
    network: bool | tuple[str, ...] | None = None
    protected: tuple[str, ...] = ()
    anchor: str | None = None
    proof: str | None = None


class Spec(Located, frozen=True):
    """A mini-task. `number` is its label as written (`2`, `1A`, `0`), `index` its position in the file from 0.

    `task`, `context`, `on_failure` and `next_task` are Markdown without their headings. `snippets` are the fences of
    the Code Snippets section and the edit-script fences of the Task section. `extra` holds header fields outside the
    template, as `(key, value)`. `lines` maps a field's name to its line. `siblings` is the number of specs in the file;
    `rows` has the file's line of each row of a section's text.
    """

    UNCOMPARED: ClassVar[tuple[str, ...]] = ("lines", "siblings", "rows")

    path: str
    number: str
    title: str
    index: int = 0
    options: Options = Options()
    model: str = ""
    estimate: Estimate = Estimate()
    files: tuple[FileRef, ...] = ()
    context: str = ""
    task: str = ""
    snippets: tuple[Fence, ...] = ()
    snippets_text: str = ""
    criteria: tuple[Criterion, ...] = ()
    validation: tuple[Fence, ...] = ()
    commands: tuple[Command, ...] = ()
    on_failure: str = ""
    next_task: str = ""
    extra: tuple[tuple[str, str], ...] = ()
    lines: tuple[tuple[str, int], ...] = ()
    siblings: int = 1
    rows: tuple[tuple[str, tuple[int, ...]], ...] = ()

    def line_of(self, name: str) -> int:
        """Return the line of a field, or of the title if the field is absent."""
        table = dict(self.lines)
        return table.get(name) or table.get("title", 1)

    def line_in(self, name: str, row: int) -> int:
        """Return the line in the file of a row (from 0) of a section's text."""
        rows = dict(self.rows).get(name, ())
        return rows[row] if row < len(rows) else self.line_of(name)

    def reads(self) -> tuple[FileRef, ...]:
        """Return the files to read."""
        return tuple(ref for ref in self.files if ref.action is FileAction.READ)

    def writes(self) -> tuple[FileRef, ...]:
        """Return the files that the task may create, edit or delete."""
        return tuple(ref for ref in self.files if ref.action is not FileAction.READ)


class Severity(StrEnum):
    """The severity of a diagnostic; only an error stops a task."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


SEVERITIES = {"E": Severity.ERROR, "W": Severity.WARNING, "N": Severity.NOTE}
"""Severities by the first letter of a rule's code."""


class Diagnostic(Struct, frozen=True):
    """A mistake: file, line (1-based; 0 is the whole file), rule, message, and a hint to fix it."""

    path: str
    line: int
    code: str
    severity: Severity
    message: str
    hint: str = ""

    @property
    def is_error(self) -> bool:
        """True if it stops a task."""
        return self.severity is Severity.ERROR


class Problem(Struct, frozen=True):
    """A mistake in a file; `line` is 1-based."""

    line: int
    code: str
    message: str
    hint: str = ""

    def at(self, path: str) -> Diagnostic:
        """Return the problem as a diagnostic of the file."""
        severity = SEVERITIES[self.code[0]]
        return Diagnostic(path, self.line, self.code, severity, self.message, self.hint)


class SpecFile(Struct, frozen=True):
    """A parsed file: its specs in order, and the diagnostics of parsing."""

    path: str
    specs: tuple[Spec, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


Kind = Literal["file", "symlink", "dir", "submodule"]


class Tree(Protocol):
    """The files of a commit."""

    def kind(self, path: str) -> Kind | None:
        """Return the kind of a canonical path, or `None` if it does not exist."""
        ...

    def line_count(self, path: str) -> int | None:
        """Return the number of a file's lines, or `None` if it has no countable lines, such as a binary file."""
        ...

    def names(self, folder: str) -> Iterable[str]:
        """Return the names in a folder ("" is the root); none if it does not exist."""
        ...


class Files(Tree, Protocol):
    """A tree whose files can be read."""

    def text(self, path: str) -> str | None:
        """Return a file's content, decoded without loss, or `None` if there is no such file."""
        ...
