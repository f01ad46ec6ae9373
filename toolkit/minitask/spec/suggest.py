"""Paths and commands below a name that is not the template's, such as `Scope` or `Verify`: named, not guessed at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.filelists import bullets, is_table
from minitask.spec.filerefs import looks_like_path, parse_refs
from minitask.spec.inline import CODE, find_label
from minitask.spec.markdown import Document, MarkdownBlock, blocks, normalise, parse_document
from minitask.spec.model import FileAction
from minitask.spec.shell_programs import looks_like_command

if TYPE_CHECKING:
    from minitask.spec.model import Spec

_NAME = lazy_pattern(
    r"(?!.*\b(?:reference|read|context|not|never|forbidden|off[- ]limits|out[- ]of|unchanged)\b)"
    r".*\b(?:files?|paths?|scope|targets?|touch\w*|deliverables?|modif\w+|creat\w+|edit\w*|chang\w+|affected)\b",
    re.IGNORECASE | re.DOTALL,
)
_CHECKS = lazy_pattern(
    r"\b(?:how to )?(?:verify|tests?|testing|test plan|checks?|validate)(?: it| commands?| steps?)?\b",
    re.IGNORECASE,
)
_TITLE = lazy_pattern(r"^(?: {0,3}#.*|.*\*\*.*|.*:[ \t]*)\r?$", re.MULTILINE)
_UNDERLINE = lazy_pattern(r"^[ \t]*(?:=+|-+)[ \t]*\r?$", re.MULTILINE)


class UnreadList(Struct, frozen=True):
    """A list of paths whose name is no field: the name as written, and its line."""

    name: str
    line: int


def find_unread_lists(spec: Spec) -> Iterator[UnreadList]:
    """Return the lists of paths that the parser took for prose."""
    for key, value in spec.extra:
        if _NAME.match(key) and _lists_paths(value):
            yield UnreadList(key, spec.line_of(f"extra.{key}"))
    for section, text in (("context", spec.context), ("task", spec.task)):
        for name, row in _named_lists(text):
            yield UnreadList(name, spec.line_in(section, row))


def _lists_paths(markdown: str) -> bool:
    """Return True if a field's value names paths."""
    document = parse_document(normalise(markdown))
    top_blocks = blocks(document)
    if len(top_blocks) == 1 and top_blocks[0].kind == "paragraph":
        return _all_paths([markdown])
    return bool(top_blocks) and _is_path_list(document, top_blocks[0])


def _named_lists(text: str) -> Iterator[tuple[str, int]]:
    """Yield the names that a list of paths follows, and their rows."""
    if "\n" not in text or not _may_have_name(text, _NAME.match):
        return
    document = parse_document(normalise(text))
    top_blocks = blocks(document)
    for block, following in pairwise(top_blocks):
        name = _name(block)
        if name and _NAME.match(name) and _is_path_list(document, following):
            yield name, block.end - 1


def _may_have_name(text: str, find: Callable[[str], object]) -> bool:
    """Return False if no heading, label or line that ends in a colon can be a name that is looked for."""
    return any(map(find, _TITLE.findall(text))) or _UNDERLINE.search(text) is not None


def _name(block: MarkdownBlock) -> str:
    """Return what a heading, or a paragraph that leads to a list, calls it."""
    last = block.text.rsplit("\n", 1)[-1].strip()
    if block.kind == "heading":
        return last.rstrip(": ")
    label = find_label(last)
    if label and not label[1]:
        return label[0]
    short = block.kind == "paragraph" and last.endswith(":") and len(last.split()) <= _MOST_WORDS
    return last.rstrip(": ") if short else ""


_MOST_WORDS = 5


def _is_path_list(document: Document, block: MarkdownBlock) -> bool:
    if block.kind == "paragraph":
        return is_table(block.text) and "`" in block.text
    if not block.kind.endswith("_list"):
        return False
    return _all_paths([text.split("\n")[0] for text, _ in bullets(document, block)])


def _all_paths(texts: list[str]) -> bool:
    """Return True if every text begins with a path, beyond doubt: a code span or a word with a dot or a slash in
    it.
    """
    refs = [parse_refs(text, action=FileAction.WRITE, line=0).refs for text in texts]
    return bool(refs) and all(
        item_refs and looks_like_path(item_refs[0].path.strip("`")) for item_refs in refs
    )


def find_unread_commands(spec: Spec) -> Iterator[UnreadList]:
    """Return the headings and labels such as `Verify` and `Tests` below which commands stand that are not run."""
    for section, text in (("context", spec.context), ("task", spec.task)):
        if _may_have_name(text, _CHECKS.search):
            yield from (
                UnreadList(name, spec.line_in(section, row)) for name, row in _named_checks(text)
            )


def _named_checks(text: str) -> Iterator[tuple[str, int]]:
    document = parse_document(normalise(text))
    name, row = "", 0
    for block in blocks(document):
        last = block.text.rsplit("\n", 1)[-1].strip()
        label = find_label(last) if block.kind == "paragraph" else None
        if block.kind == "heading" or label:
            name = label[0] if label else last.rstrip(": ")
            name, row = (name, block.end - 1) if _CHECKS.fullmatch(name) else ("", 0)
        inline = label is not None and any(
            looks_like_command(span[2].strip()) for span in CODE.finditer(label[1])
        )
        if name and (inline or _is_script(document, block)):
            yield name, row
            name = ""


def _is_script(document: Document, block: MarkdownBlock) -> bool:
    """Return True if a block is a fence that is marked as the shell's."""
    info = document.tokens[block.first].info.split() if block.kind == "fence" else []
    return bool(info) and info[0].casefold() in {"bash", "sh", "shell", "console", "zsh"}
