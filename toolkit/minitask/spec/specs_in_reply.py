"""Specs in an answer: those that a model, a chat or an agent wrote in one text, taken apart into files.

Each is best put into a fence of its own, four backticks or more, with `path=NAME.md` in its info string; a text that
holds the specs one below the other is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.markdown import find_fences
from minitask.spec.model import Fence, Spec
from minitask.spec.parse import parse_file
from minitask.spec.task_names import slug

SUFFIX = ".md"
RULE = "---"
LONGEST_SLUG = 60
FRONT_LINES = 30
"""The most lines between a heading and the beginning of its front matter."""
_PATH = lazy_pattern(r"(?:^|\s)path=\"?([^\"\s]+)")
_NAME = lazy_pattern(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.md$")


class DraftedSpec(Struct, frozen=True):
    """A spec that is no file yet: the name that it is to have, and its text."""

    name: str
    text: str


def specs_of(text: str, *, first: int = 1) -> tuple[DraftedSpec, ...]:
    """Return the specs in an answer, in order; `first` numbers those that have no name. `EditError` where there
    are none.
    """
    plain = text.replace("\r\n", "\n")
    fenced = [fence for fence in find_fences(plain) if _is_spec(fence)]
    drafts = (
        [_fenced_spec(fence, number) for number, fence in enumerate(fenced, first)]
        if fenced
        else list(_below_each_other(plain, first))
    )
    if not drafts:
        raise EditError(
            "the answer holds no mini-task",
            hint="put each spec into a fence of four backticks with `path=01-name.md` in its info string",
        )
    _check_names(drafts)
    return tuple(drafts)


def _path_in(info: str) -> str:
    match = _PATH.search(info)
    return match[1] if match else ""


def _is_spec(fence: Fence) -> bool:
    language = fence.info.split(" ")[0].lower()
    path = _path_in(fence.info)
    looks = language in ("markdown", "md") or path.endswith(SUFFIX)
    return looks and bool(parse_file(fence.content, path="answer.md").specs)


def _fenced_spec(fence: Fence, number: int) -> DraftedSpec:
    path = _path_in(fence.info)
    name = path.rsplit("/", 1)[-1]
    if not _NAME.match(name):
        lead = fence.lead.strip().strip("`*: ").rsplit("/", 1)[-1]
        name = (
            lead if _NAME.match(lead) else _name(parse_file(fence.content, path="").specs, number)
        )
    return DraftedSpec(name, fence.content.strip("\n") + "\n")


def _below_each_other(text: str, first: int) -> Iterator[DraftedSpec]:
    """Yield the specs of a text that holds nothing else, each from its heading, or its front matter, to the next."""
    specs = parse_file(text, path="answer.md").specs
    lines = text.split("\n")
    starts = [_start(lines, spec.line_of("title")) for spec in specs]
    for number, (spec, start) in enumerate(zip(specs, starts, strict=True)):
        end = starts[number + 1] if number + 1 < len(starts) else len(lines)
        body = "\n".join(lines[start:end]).strip("\n")
        yield DraftedSpec(_name([spec], first + number), f"{body}\n")


def _start(lines: Sequence[str], heading: int) -> int:
    """Return the index of the line that a spec begins at; `heading` is its heading's line, from 1."""
    above = heading - 2
    while above >= 0 and not lines[above].strip():
        above -= 1
    if above < 0 or lines[above].strip() != RULE:
        return heading - 1
    for index in range(above - 1, max(-1, above - FRONT_LINES), -1):
        if lines[index].strip() == RULE:
            inside = [line for line in lines[index + 1 : above] if line.strip()]
            is_front = bool(inside) and all(":" in line or line[0] in " -" for line in inside)
            return index if is_front else heading - 1
    return heading - 1


def _name(specs: Sequence[Spec], number: int) -> str:
    title = specs[0].title if specs else ""
    label = specs[0].number if specs else ""
    stated = f"{int(label):02}" if re.fullmatch(r"[0-9]{1,4}", label) else f"{number:02}"
    return f"{stated}-{slug(title)[:LONGEST_SLUG]}".rstrip("-") + SUFFIX


def _check_names(drafts: Sequence[DraftedSpec]) -> None:
    names: set[str] = set()
    for draft in drafts:
        if draft.name.lower() in names:
            raise EditError(
                f"two specs are named {draft.name}", hint="give each a unique name in `path=`"
            )
        names.add(draft.name.lower())
