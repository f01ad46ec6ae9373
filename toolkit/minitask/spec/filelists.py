"""Read lists and tables of files: which items name a file, and which are details of the file above them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from minitask.patterns import lazy_pattern
from minitask.spec.filerefs import VERBS, find_action, find_prefix, looks_like_path, parse_refs
from minitask.spec.markdown import Document, Item, MarkdownBlock, find_label, items, strip_marks
from minitask.spec.model import FileAction
from minitask.spec.notes import DETAILS, noted_action
from minitask.spec.template import key_of

_BARE_VERB = lazy_pattern(rf"(?i)[*_]*(?P<verb>{VERBS})(?:\s+files?)?[*_]*\s*:?[*_]*\s*")
_CELL = lazy_pattern(r"((?:`+[^`]*`+|\\\||[^|`])*)(?:\||$)")
_DELIMITER = lazy_pattern(r"\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?")
_PATH_HEADS = {"file", "files", "path", "file path", "filename", "file name", "target"}
_NO = lazy_pattern(r"(?i)no|n|false|[✗✘❌]\ufe0f?")
_ASKS = lazy_pattern(r"(?i)\b(?:edit|modif|chang|writ|touch)")
_ONLY_PATH = lazy_pattern(
    r"(?:`[^`\s]*[./][^`\s]*`|\[[^\[\]]+\]\([^()\s]*[./][^()\s]*\)|[^\s`(]*[\w)\]][./][^\s`(]*)(?:\s*(?:\(|[-–—:]\s).*)?"
)
VAGUE = {"file", "files"}
"""Headings of lists that may list something other than files."""


def lists_files(text: str) -> bool:
    """Return True if a heading or a label in the body certainly lists files."""
    return find_action(text.rstrip(": ")) is not None and key_of(text.rstrip(": ")) not in VAGUE


def bare_label(line: str) -> list[tuple[str, str]]:
    """Return the label of a line that is only `**Files to Edit**`, without a colon."""
    name = line.strip().removeprefix("**").removesuffix("**")
    return [(name, "")] if line.strip() == f"**{name}**" and lists_files(name) else []


def begins_with_paths(document: Document, block: MarkdownBlock | None) -> bool:
    """Return True for a table, or a list whose first item certainly names a file."""
    if block is None or not block.kind.endswith("_list"):
        return block is not None and block.kind == "paragraph" and is_table(block.text)
    first = next(iter(bullets(document, block)), ("", 0))[0]
    refs = parse_refs(first, action=FileAction.WRITE, line=0).refs
    return all(looks_like_path(ref.path) for ref in refs)


def bullets(document: Document, block: MarkdownBlock) -> Iterator[tuple[str, int]]:
    """Yield the files of a list, each with its line: the item's own text, then the details nested below it.

    Items below a label such as `**Modify:**` are files, with that verb before them.
    """
    list_items = items(document, block)
    labels = [("", 0)]
    pending: tuple[Item, str, list[str]] | None = None
    for index, item in enumerate(list_items):
        while 0 < labels[-1][1] >= item.depth:
            labels.pop()
        label, label_depth = labels[-1]
        deeper = index + 1 < len(list_items) and list_items[index + 1].depth > item.depth
        if pending and item.depth > label_depth + 1:
            pending[2].append(item.text)
            continue
        if pending:
            yield _bullet_text(*pending)
            pending = None
        verb = find_label_verb(item.text)
        below = list_items[index + 1].text if deeper else ""
        if deeper and item.depth == label_depth + 1 and (verb or _is_group(item.text, below)):
            labels.append((verb or label, item.depth))
            continue
        pending = (item, label, [])
    if pending:
        yield _bullet_text(*pending)


def _is_group(text: str, below: str) -> bool:
    """Return True if an item names no file, and the one nested below it nothing but a file."""
    names_file = any(looks_like_path(word.strip(":,;()")) for word in text.split())
    return not names_file and "`" not in text and _ONLY_PATH.fullmatch(below) is not None


def labelled_lists(
    document: Document, block: MarkdownBlock
) -> list[tuple[str, str, int, list[Item]]]:
    """Return label, value, line and nested items of each item in a list of header fields; empty for any other list.

    Each item begins with a bold label, and at least one of them lists files.
    """
    fields: list[tuple[str, str, int, list[Item]]] = []
    if "**" not in document.text(block.start, block.end):
        return fields
    for item in items(document, block):
        label = find_label(item.text) if item.depth == 1 else None
        if label:
            fields.append((*label, item.line, []))
        elif item.depth == 1 or not fields:
            return []
        else:
            fields[-1][3].append(item)
    return fields if any(find_action(key) for key, *_ in fields) else []


def nested_bullets(list_items: Sequence[Item]) -> Iterator[tuple[str, int]]:
    """Yield the outermost of nested items, each with its line and the details below it."""
    depth = min((item.depth for item in list_items), default=0)
    heads = [index for index, item in enumerate(list_items) if item.depth == depth]
    for start, end in pairwise((*heads, len(list_items))):
        yield _bullet_text(
            list_items[start], "", [item.text for item in list_items[start + 1 : end]]
        )


def _bullet_text(item: Item, label: str, details: Sequence[str]) -> tuple[str, int]:
    text = f"{label}: {item.text}" if label else item.text
    joined = DETAILS.join(detail for detail in details if detail)
    return (f"{text}\n{joined}" if joined else text), item.line


def find_label_verb(text: str) -> str:
    """Return the verb of a label that names no file, such as `**Modify:**`; empty for any other text."""
    match = _BARE_VERB.fullmatch(text)
    if match:
        return match["verb"].casefold()
    action = find_prefix(text) if text.rstrip().rstrip("*").endswith(":") else None
    return action.value if action else ""


def is_table(text: str) -> bool:
    """Return True if a paragraph is a table: a head, a line of dashes, rows."""
    lines = text.split("\n")
    return len(lines) > 1 and "|" in lines[0] and bool(_DELIMITER.fullmatch(lines[1].strip()))


def with_tables(rows: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield the items of a field, its table rows turned into items: `path (the other cells)`."""
    index = 0
    while index < len(rows):
        text = rows[index][0]
        if index + 1 < len(rows) and is_table(f"{text}\n{rows[index + 1][0]}"):
            end = index + 2
            while end < len(rows) and "|" in rows[end][0]:
                end += 1
            yield from _table(_cells(text), rows[index + 2 : end])
            index = end
        else:
            yield rows[index]
            index += 1


def _table(head: list[str], rows: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    cells = [_cells(text) for text, _ in rows]
    path_head = next((i for i, cell in enumerate(head) if cell.casefold() in _PATH_HEADS), None)
    column = _path_column(cells) if path_head is None else path_head
    for row, (_, line) in zip(cells, rows, strict=True):
        if column is None or column >= len(row) or not row[column]:
            continue
        others = [
            "unchanged" if _NO.fullmatch(cell) and _ASKS.search(name) else cell
            for index, (cell, name) in enumerate(zip_longest(row, head, fillvalue=""))
            if index != column and cell
        ]
        verb = next((verb for cell in others if (verb := find_label_verb(cell))), "")
        kept = "" if verb else next(filter(_is_kept, others), "")
        note = ", ".join(cell for cell in others if cell != kept and not find_label_verb(cell))
        entry = f"{verb}: {row[column]}" if verb else row[column] + (f" ({kept})" if kept else "")
        yield (f"{entry}\n{note}" if note else entry), line


def _is_kept(cell: str) -> bool:
    """Return True if a cell says that its file is not to be changed: `No change`, `Reference only`."""
    return noted_action(cell, FileAction.EDIT) is FileAction.READ


def _path_column(rows: Sequence[list[str]]) -> int | None:
    """Return the index of the first column whose cells all look like paths."""
    width = min((len(row) for row in rows), default=0)
    columns = (i for i in range(width) if all(looks_like_path(row[i]) for row in rows))
    return next(columns, None)


def _cells(row: str) -> list[str]:
    inner = row.strip().removeprefix("|").removesuffix("|")
    return [strip_outer(cell) for cell in _CELL.findall(inner)][: inner.count("|") + 1]


def strip_outer(cell: str) -> str:
    """Return a cell without outer blanks and emphasis, and with escaped bars unescaped."""
    text = cell.strip().replace("\\|", "|")
    return text if "`" in text or "](" in text else strip_marks(text)
