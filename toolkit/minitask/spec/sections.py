"""Read the tasks of a Markdown document: their header fields, and the blocks of each section.

A heading or bold label that names a section of the template opens it. A deeper heading belongs to the open section; any
other heading below the task's is part of its instructions, so that no requirement is lost. An unknown heading at the
task's own level ends the task.
"""

from __future__ import annotations

from itertools import zip_longest

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.spec.filelists import (
    VAGUE,
    bare_label,
    begins_with_paths,
    bullets,
    find_label_verb,
    is_table,
    labelled_lists,
    lists_files,
    nested_bullets,
)
from minitask.spec.filerefs import find_action
from minitask.spec.header import Piece, RawField, RawTask, is_header_key, names_dependencies
from minitask.spec.markdown import Document, MarkdownBlock, blocks, find_label, split_labels
from minitask.spec.template import (
    Section,
    TaskHeading,
    find_container_title,
    find_section,
    find_task_heading,
    is_canonical,
    key_of,
)

_LABEL_LEVEL = 7
_FIELD = "field"
_BARE_FIELD = lazy_pattern(
    r"(?im)^[ \t]*(?:__|[*_])?((?:target )?files?(?: to [a-z/ ]{3,24})?|new files?|depends on)"
    r"(?:__|[*_])?[ \t]*:(?:__|[*_])?(?=[ \t]|$)"
)
_LABEL_INSIDE = lazy_pattern(r"\s+(?=\*\*[^*]+(?:\*\*\s*:|:\s*\*\*))")


def read_tasks(document: Document) -> list[RawTask]:
    """Return the tasks of a document in order.

    Without a Mini-Task heading, the first top heading is the task, if the template's sections follow.
    """
    top_blocks = blocks(document)
    headings = [block for block in top_blocks if block.kind == "heading"]
    lone = None
    if not any(find_task_heading(block.text) for block in headings):
        lone = _lone_task(top_blocks, headings)
        if lone is None:
            return []
    reader = _Reader(document, lone)
    for block, following in zip_longest(top_blocks, top_blocks[1:]):
        reader.read(block, following=following)
    return reader.tasks


def _lone_task(
    top_blocks: list[MarkdownBlock], headings: list[MarkdownBlock]
) -> MarkdownBlock | None:
    """Return the heading of a file that holds one task and does not call it a mini-task, or None."""
    top = next((b for b in headings if b.level == 1 or find_container_title(b.text)), None)
    if any(is_canonical(block.text) for block in headings):
        return top
    paragraphs = (block.text for block in top_blocks if block.kind == "paragraph")
    lines = (line for text in paragraphs for line in text.split("\n"))
    labels = {label[0] for line in lines if (label := find_label(line))}
    return top if len(set(map(key_of, filter(is_canonical, labels)))) > 1 else None


class _Reader(Struct):
    """A walk over the blocks; `holder` is the task or container to which the next block belongs."""

    document: Document
    lone: MarkdownBlock | None
    tasks: list[RawTask] = field(default_factory=list)
    container: RawTask | None = None
    holder: RawTask | None = None
    section: str = ""
    level: int = _LABEL_LEVEL
    piece: Piece | None = None
    piece_section: str = ""
    takes_list: bool = False
    list_end: int = -1

    def read(self, block: MarkdownBlock, *, following: MarkdownBlock | None) -> None:
        """Add the next top-level block; `following` is the block after it."""
        if block.kind == "heading":
            self._heading(block, following)
        elif self.holder is None:
            return
        elif block.kind == "paragraph":
            self._paragraph(block, following=following.kind if following else "")
        elif block.kind.endswith("_list") and not self.section and self._label_list(block):
            self.takes_list = False
        elif block.kind.endswith("_list") and (
            self.takes_list or self.section == _FIELD or self._goes_on(block)
        ):
            self._field_list(block)
        elif block.kind == "hr":
            self.takes_list = False
        else:
            self._content(block)

    def _label_list(self, block: MarkdownBlock) -> bool:
        """Add the header fields in a list's items; return False for any other list."""
        labelled = labelled_lists(self.document, block)
        for key, value, line, nested in labelled:
            self._fields.append(RawField(key, value, line, tuple(nested_bullets(nested))))
        return bool(labelled)

    def _heading(self, block: MarkdownBlock, following: MarkdownBlock | None) -> None:
        self.takes_list = False
        if block is self.lone:
            title = find_container_title(block.text)
            self._open_task(TaskHeading("", block.text if title is None else title), block)
            return
        task = find_task_heading(block.text)
        if task is not None:
            self._open_task(task, block)
        elif find_container_title(block.text) is not None and self.lone is None:
            self.container = RawTask(TaskHeading("", ""), block.start + 1, block.level)
            self._hold(self.container)
        elif self.holder is not None:
            self._heading_in_task(block, self.holder, following)

    def _open_task(self, heading: TaskHeading, block: MarkdownBlock) -> None:
        task = RawTask(heading, block.start + 1, block.level, container=self.container)
        self.tasks.append(task)
        self._hold(task)

    def _hold(self, holder: RawTask | None) -> None:
        self.holder, self.section, self.piece = holder, "", None

    def _heading_in_task(
        self, block: MarkdownBlock, holder: RawTask, following: MarkdownBlock | None
    ) -> None:
        if holder is self.container:
            self._hold(None)
            return
        section = find_section(block.text)
        if section:
            self._open_section(section[0], section[1], block=block, level=block.level)
        elif lists_files(block.text) or (
            key_of(block.text.rstrip(": ")) in VAGUE and begins_with_paths(self.document, following)
        ):
            key = block.text.rstrip(": ")
            holder.fields.append(RawField(key, "", block.start + 1))
            self.section, self.piece, self.level = _FIELD, None, block.level
        elif self.section == _FIELD and find_label_verb(block.text) and block.level > self.level:
            key = f"Files to {find_label_verb(block.text)}"
            holder.fields.append(RawField(key, "", block.start + 1))
        elif block.level <= holder.level:
            self._hold(None)
        elif names_dependencies(block.text) and following and following.kind.endswith("_list"):
            holder.fields.append(RawField(block.text.rstrip(": "), "", block.start + 1))
            self.section, self.piece, self.level = _FIELD, None, block.level
        else:
            self._other_heading(block)

    def _other_heading(self, block: MarkdownBlock) -> None:
        if self.section in {"", _FIELD} or block.level <= self.level:
            self.section, self.level, self.piece = Section.TASK, block.level, None
        self._content(block)

    def _open_section(
        self, name: str, first: str, *, block: MarkdownBlock, level: int, row: int = -1
    ) -> None:
        """Begin a section at a heading, or at line `row` of a paragraph; `first` is the text after its name."""
        holder = self._current_task()
        self.section, self.level = name, level
        row = block.end - 1 if row < 0 else row
        line = (block.start if level < _LABEL_LEVEL else row) + 1
        holder.lines.setdefault(name, line)
        first_token = block.first if first or level == _LABEL_LEVEL else block.last
        self.piece = Piece(first, row + 1, row + 1, first_token, block.last)
        self.piece.labelled = level == _LABEL_LEVEL
        self.piece_section = name
        holder.sections.setdefault(name, []).append(self.piece)

    def _current_task(self) -> RawTask:
        if self.holder is None:
            raise AssertionError("a block outside every task")
        return self.holder

    @property
    def _fields(self) -> list[RawField]:
        return self._current_task().fields

    def _content(self, block: MarkdownBlock) -> None:
        """Add a block to the open section, or to the context before the first section."""
        if self.section == _FIELD:
            return
        if not self.section and block.kind == "html_block":
            return
        self.takes_list = False
        self._extend(block, start=block.start, end=block.end)

    def _extend(self, block: MarkdownBlock, *, start: int, end: int) -> None:
        name = self.section or Section.CONTEXT
        holder = self._current_task()
        if self.piece is None or self.piece_section != name:
            holder.lines.setdefault(name, start + 1)
            self.piece = Piece("", start, end, block.first, block.last)
            self.piece_section = name
            holder.sections.setdefault(name, []).append(self.piece)
        elif not self.piece.blocks and self.piece.end <= start and not self.piece.first:
            self.piece.start = start
        self.piece.end, self.piece.last_token = end, block.last
        self.piece.blocks.append(block)

    def _paragraph(self, block: MarkdownBlock, *, following: str) -> None:
        if self.section == _FIELD or (self.takes_list and is_table(block.text)):
            for row, line in enumerate(block.text.split("\n"), start=block.start):
                self._field_line(line.strip(), row + 1)
            return
        text = block.text if self.section else _BARE_FIELD.sub(r"**\1**:", block.text)
        if "**" not in text:
            self._content(block)
            return
        self.takes_list = False
        plain_from = block.start
        in_field = False
        lines = text.split("\n")
        for row, line in enumerate(lines, start=block.start):
            last = row == block.start + len(lines) - 1
            kind = self._label(
                line,
                block=block,
                row=row,
                before_fence=last and following == "fence",
                plain_from=plain_from,
            )
            if kind:
                plain_from, in_field = row + 1, kind == _FIELD
            elif in_field:
                self._continue_field(line, row)
                plain_from = row + 1
        if plain_from < block.end:
            self._extend(block, start=plain_from, end=block.end)

    def _field_line(self, line: str, number: int) -> None:
        """Add a line below a file-list heading: a file, a row of a table, or a label such as `**Modify:**`."""
        label = find_label(line)
        verb = find_label_verb(f"{label[0]}:") if label else ""
        if label and (verb or is_header_key(label[0])):
            key = f"Files to {verb}" if verb else label[0]
            self._fields.append(RawField(key, label[1], number))
        else:
            self._add_bullets(((line, number),))

    def _label(
        self, line: str, *, block: MarkdownBlock, row: int, before_fence: bool, plain_from: int
    ) -> str:
        """Handle a line that begins with a label; return `section`, `field`, or an empty string for plain text."""
        parts = split_labels(line)
        labels = [label for label in map(find_label, parts) if label] or bare_label(line)
        if not labels:
            return ""
        key, value = labels[0]
        section = find_section(key)
        is_field = not section and self._is_field(key, before_fence=before_fence)
        if not section and not is_field:
            return ""
        if plain_from < row:
            self._extend(block, start=plain_from, end=row)
        if section and self.holder is not self.container:
            first = " | ".join([value, *(part.strip() for part in parts[1:])])
            self._open_section(section[0], first, block=block, level=_LABEL_LEVEL, row=row)
            return "section"
        for label in labels:
            self._fields.append(RawField(label[0], label[1], row + 1))
        self.piece = None
        self.takes_list = find_action(labels[-1][0]) is not None or not labels[-1][1]
        return _FIELD

    def _is_field(self, key: str, *, before_fence: bool) -> bool:
        """Return True for any label before the first section, and later for the template's header fields only."""
        if not self.section:
            return True
        if self.section in {Section.SNIPPETS, Section.VALIDATION} or before_fence:
            return False
        if self.level == _LABEL_LEVEL:
            return is_header_key(key)
        return self.section is not Section.ON_FAILURE and lists_files(key)

    def _continue_field(self, line: str, row: int) -> None:
        fields = self._fields
        if find_action(fields[-1].key) is not None:
            self._add_bullets(((line.strip(), row + 1),))
        else:
            value, *more = split_labels(f"{fields[-1].value} {line.strip()}".strip())
            fields[-1] = replace(fields[-1], value=value)
            more_labels = [label for label in map(find_label, more) if label]
            fields.extend(RawField(key, text, row + 1) for key, text in more_labels)
            self.takes_list = False

    def _add_bullets(self, bullets: tuple[tuple[str, int], ...]) -> None:
        fields = self._fields
        fields[-1] = replace(fields[-1], bullets=(*fields[-1].bullets, *bullets))

    def _goes_on(self, block: MarkdownBlock) -> bool:
        """Return True if a list with other bullets directly follows a field's list, without a blank line."""
        return block.start == self.list_end and bool(self.document.lines[block.start - 1].strip())

    def _field_list(self, block: MarkdownBlock) -> None:
        """Add a list below a field; a list with other bullets that directly follows continues it."""
        fields = self._fields
        self.list_end = block.end
        if find_action(fields[-1].key) is not None:
            for text, line in bullets(self.document, block):
                self._add_bullet(text, line)
        else:
            written = self.document.text(block.start, block.end)
            fields[-1] = replace(fields[-1], markdown=written)
        self.takes_list = False

    def _add_bullet(self, text: str, line: int) -> None:
        """Add a file; a header field on the next line is part of its bullet in Markdown, and is split off."""
        bullet, *parts = _LABEL_INSIDE.split(text)
        labels = [find_label(part) for part in parts]
        if not all(label and is_header_key(label[0]) for label in labels):
            bullet, labels = text, []
        if bullet:
            self._add_bullets(((bullet, line),))
        for label in filter(None, labels):
            self._fields.append(RawField(label[0], label[1], line))
