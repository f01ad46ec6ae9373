"""A task as its Markdown has it: header fields and pieces of text by section, not yet understood."""

from __future__ import annotations

from msgspec import Struct, field

from minitask.spec.header import RawField
from minitask.spec.headings import (
    TaskHeading,
)
from minitask.spec.markdown import Document, MarkdownBlock


class Piece(Struct):
    """Consecutive lines of a section, from 0; `first` stood on the line of its heading or label."""

    first: str
    start: int
    end: int
    first_token: int
    last_token: int
    blocks: list[MarkdownBlock] = field(default_factory=list)
    labelled: bool = False

    def text(self, document: Document) -> str:
        """Return the piece as written."""
        body = document.text(self.start, self.end)
        if not self.first:
            return body
        joint = "\n" if self.labelled and document.lines[self.start].strip() else "\n\n"
        return f"{_harmless(self.first)}{joint}{body}".rstrip()

    def rows(self, document: Document) -> list[int]:
        """Return the line in the file, from 1, of each line of `text`."""
        count = self.text(document).count("\n") + 1
        start = self.start
        while start < self.end and not document.lines[start].strip():
            start += 1
        if not self.first:
            return [start + 1 + index for index in range(count)]
        joint = 1 if self.labelled and document.lines[self.start].strip() else 2
        head = [self.start] * min(joint, count)
        return head + [start + 1 + index for index in range(count - len(head))]


class RawTask(Struct):
    """A task, or a container of tasks, as found; `line` is its heading's, from 1."""

    heading: TaskHeading
    line: int
    level: int
    fields: list[RawField] = field(default_factory=list)
    sections: dict[str, list[Piece]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    container: RawTask | None = None


def _harmless(first: str) -> str:
    """Return text moved to the start of a line, kept from opening a block there."""
    opens = first.startswith(("#", "```", "~~~", ">", "<"))
    return f"\\{first}" if opens else first
