"""Files in ten languages, and one small change of each: what a task of the sweep asks for.

A task changes one value in a file that the prompt shows whole (`Kind.WHOLE`) or in part (`Kind.EXCERPT`), or creates a
file and its companion (`Kind.CREATE`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

OLD, NEW = 1000, 9000
"""The value of block I is `OLD + I` before the change, and `NEW + I` in the one block that it changes."""


@dataclass(frozen=True, slots=True)
class Language:
    """How a file of one language is written: `block` gives the text of block I with a value."""

    suffix: str
    fence: str
    block: Callable[[int, int], str]
    head: str = ""
    tail: str = ""
    comment: tuple[str, str] = ("# ", "")
    prose: bool = False


class Kind(StrEnum):
    """What a task asks for, and what its prompt shows."""

    WHOLE = "whole"
    EXCERPT = "excerpt"
    CREATE = "create"


@dataclass(frozen=True, slots=True)
class Case:
    """One task: the file before and after, and the lines that differ."""

    kind: Kind

    language: Language
    path: str
    blocks: tuple[str, ...]
    changed: int
    target: str

    @property
    def before(self) -> str:
        """Return the file's content at the base."""
        return self.assembled(self.blocks)

    @property
    def after(self) -> str:
        """Return the only content that does what the spec asks for."""
        return self.assembled(self.blocks_after)

    @property
    def blocks_after(self) -> tuple[str, ...]:
        """Return the blocks with the change made."""
        old, new = str(OLD + self.changed), str(NEW + self.changed)
        return tuple(
            block.replace(old, new) if number == self.changed else block
            for number, block in enumerate(self.blocks)
        )

    @property
    def marker(self) -> str:
        """Return the text that only the changed file holds; the weak validation looks for it."""
        return str(NEW + self.changed)

    @property
    def companion(self) -> str:
        """Return the path of the second file that a task to create files asks for."""
        return self.path.rpartition("/")[0] + "/second.txt"

    @property
    def base(self) -> Mapping[str, str]:
        """Return the files of the base."""
        return {} if self.kind is Kind.CREATE else {self.path: self.before}

    @property
    def expected(self) -> Mapping[str, str]:
        """Return the files as the task asks for them."""
        second = {self.companion: "second\n"} if self.kind is Kind.CREATE else {}
        return {self.path: self.after, **second}

    @property
    def cited(self) -> tuple[int, int]:
        """Return the first and the last line that the prompt of an excerpt shows."""
        return max(1, self.line_number - 8), self.line_number + 4

    @property
    def excerpt(self) -> str:
        """Return the cited lines with the change made."""
        first, last = self.cited
        return "".join(self.after.splitlines(keepends=True)[first - 1 : last])

    @property
    def old_line(self) -> str:
        """Return the line that the change replaces, with its end."""
        value = str(OLD + self.changed)
        return next(line for line in self.before.splitlines(keepends=True) if value in line)

    @property
    def new_line(self) -> str:
        """Return the line that replaces it."""
        return self.old_line.replace(str(OLD + self.changed), self.marker)

    @property
    def line_number(self) -> int:
        """Return the number of the line that the change replaces, from 1."""
        return 1 + self.before[: self.before.index(self.old_line)].count("\n")

    def assembled(self, blocks: tuple[str, ...]) -> str:
        """Return a file of these blocks."""
        if self.language.suffix == "json":
            return _json(blocks)
        return self.language.head + "".join(blocks) + self.language.tail

    def note(self, text: str) -> str:
        """Return a line that says something in the language's form of a comment."""
        opening, closing = self.language.comment
        return f"{opening}{text}{closing}\n"


def make_case(rng: random.Random, language: Language, *, folder: str, kind: Kind) -> Case:
    """Return a task on a file of 4 to 30 blocks."""
    count = rng.randint(8 if kind is Kind.EXCERPT else 4, 30)
    changed = rng.randrange(1, count - 1)
    blocks = tuple(language.block(number, OLD + number) for number in range(count))
    path = f"{folder}/sample.{language.suffix}"
    return Case(kind, language, path, blocks, changed, f"block {changed}")


def _json(blocks: tuple[str, ...]) -> str:
    inner = ",\n".join(block.rstrip("\n") for block in blocks)
    return "{\n" + inner + "\n}\n"


def _python(i: int, value: int) -> str:
    return f"def block_{i}(x: int) -> int:\n    total = x + {i}\n    return total * {value}\n\n\n"


def _javascript(i: int, value: int) -> str:
    return f"export function block{i}(x) {{\n  const total = x + {i};\n  return total * {value};\n}}\n\n"


def _typescript(i: int, value: int) -> str:
    return (
        f"export function block{i}(x: number): number {{\n"
        f"  const total: number = x + {i};\n  return total * {value};\n}}\n\n"
    )


def _css(i: int, value: int) -> str:
    return f".block-{i} {{\n  margin: {i}px;\n  width: {value}px;\n}}\n\n"


def _markdown(i: int, value: int) -> str:
    return f"## Block {i}\n\nAbout block {i}.\n\nIts value is {value}.\n\n"


def _toml(i: int, value: int) -> str:
    return f'[block_{i}]\nname = "block {i}"\nvalue = {value}\n\n'


def _yaml(i: int, value: int) -> str:
    return f"block_{i}:\n  name: block {i}\n  value: {value}\n"


def _json_block(i: int, value: int) -> str:
    return (
        f'  {json.dumps(f"block_{i}")}: {{\n    "name": "block {i}",\n    "value": {value}\n  }}\n'
    )


def _text(i: int, value: int) -> str:
    return f"Block {i} of the list.\nIt has the value {value}.\n\n"


def _shell(i: int, value: int) -> str:
    return f"block_{i}() {{\n  local total=$(( $1 + {i} ))\n  echo $(( total * {value} ))\n}}\n\n"


LANGUAGES = (
    Language("py", "python", _python),
    Language("js", "javascript", _javascript, comment=("// ", "")),
    Language("ts", "typescript", _typescript, comment=("// ", "")),
    Language("css", "css", _css, comment=("/* ", " */")),
    Language(
        "md", "markdown", _markdown, head="# Blocks\n\n", comment=("<!-- ", " -->"), prose=True
    ),
    Language("toml", "toml", _toml),
    Language("yaml", "yaml", _yaml),
    Language("json", "json", _json_block, comment=("", "")),
    Language("txt", "text", _text, comment=("", ""), prose=True),
    Language("sh", "bash", _shell, head="#!/usr/bin/env bash\n\n"),
)
