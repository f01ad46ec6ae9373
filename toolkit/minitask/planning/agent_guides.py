"""Guides for coding agents: a section between two marks, in the files that each agent reads in a repository.

Nothing outside the marks changes, and removing a section restores the bytes before it was added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from minitask import resources
from minitask.errors import UsageError
from minitask.system.files import real_path, rewrite_file
from minitask.words import did_you_mean

BEGIN, END = b"<!-- minitask:begin -->", b"<!-- minitask:end -->"
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
GUIDE, COMMAND = "agent-guide.md", "agent-command.md"
SKILL_HEAD = """\
---
name: minitask
description: >-
  Delegates code changes to cheap models with minitask: writes small specs, validates them, runs them on git branches
  and reads what failed. Use it for a change that can be cut into small, exact steps, and for specs in mini-projects/.
---

"""
COMMAND_HEAD = """\
---
description: Check and run the minitask specs of a project, and report what merged and what failed
argument-hint: PROJECT
---

"""
RULE_HEAD = """\
---
description: Delegating code changes with minitask, and the specs in mini-projects/
alwaysApply: false
---

"""


class AgentFile(Struct, frozen=True):
    """A file that an agent reads: its path, the template of its section, and the head of a new file."""

    path: str
    template: str = GUIDE
    head: str = ""

    @property
    def text(self) -> str:
        """Return the text between the marks."""
        return resources.path("templates", self.template).read_text("utf-8").strip()


AGENTS_MD = (AgentFile("AGENTS.md"),)
AGENTS = {
    "aider": (AgentFile("CONVENTIONS.md"),),
    "claude": (
        AgentFile(".claude/skills/minitask/SKILL.md", head=SKILL_HEAD),
        AgentFile(".claude/commands/minitask-run.md", COMMAND, COMMAND_HEAD),
    ),
    "codex": AGENTS_MD,
    "copilot": AGENTS_MD,
    "cursor": (AgentFile(".cursor/rules/minitask.mdc", head=RULE_HEAD),),
    "gemini": (AgentFile("GEMINI.md"),),
    "generic": AGENTS_MD,
    "goose": (AgentFile(".goosehints"),),
    "opencode": AGENTS_MD,
    "qwen": (AgentFile("QWEN.md"),),
}
"""Files that each agent reads in a repository."""


class PlannedFile(Struct, frozen=True):
    """The change of a file: `created`, `extended`, `updated`, `kept`, `removed` (only its section) or `deleted`.

    `path` is relative to the repository's root; `content` is None if there is nothing to write.
    """

    path: str
    what: str
    target: Path
    content: bytes | None = None

    def write(self) -> None:
        """Make the change; folders are created and removed with the file."""
        if self.what == "deleted":
            self.target.unlink()
            for folder in self.target.parents[: len(Path(self.path).parts) - 1]:
                if any(folder.iterdir()):
                    break
                folder.rmdir()
        elif self.content is not None:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            rewrite_file(self.target, self.content)


def agent_changes(
    top: Path, names: Iterable[str], *, remove: bool = False
) -> tuple[PlannedFile, ...]:
    """Return the changes that add the sections of these agents, or remove them; each file is listed once.

    Raises `UsageError` for an unknown agent, a damaged section, or a link that leads out of the repository.
    """
    by_target: dict[Path, PlannedFile] = {}
    for name in names:
        if name not in AGENTS:
            raise UsageError(f"unknown agent {name}", hint=did_you_mean(name, AGENTS))
        for file in AGENTS[name]:
            target = _target(top, file.path)
            by_target[target] = _without(file, target) if remove else _with(file, target)
    return tuple(by_target.values())


def add_section(content: bytes, text: str, *, name: str) -> bytes:
    """Return a file's content with this text as its section: in place of an earlier section, or at the end."""
    newline = _newline(content)
    section = newline.join((BEGIN, *text.encode().split(b"\n"), END))
    bounds = find_section(content, name=name)
    if bounds:
        begin, end = bounds
        ending = b"" if content[:end].endswith(END) else newline
        return content[:begin] + section + ending + content[end:]
    if content and not content.endswith(newline):
        return content + newline * 2 + section
    return content + newline + section + newline


def remove_section(content: bytes, *, name: str) -> bytes:
    """Return a file's content without its section, as it was before `add_section`."""
    bounds = find_section(content, name=name)
    if not bounds:
        return content
    begin, end = bounds
    newline, before = _newline(content), content[:begin]
    if content[:end].endswith(END):
        return before.removesuffix(newline).removesuffix(newline)
    if before == newline or before.endswith(newline * 2):
        before = before.removesuffix(newline)
    return before + content[end:]


def find_section(content: bytes, *, name: str) -> tuple[int, int] | None:
    """Return the offsets of the section's start and of the end of its last line, or None.

    A mark is a whole line. Raises `UsageError` for a mark without the other, and for a second section.
    """
    if content.startswith(UTF_16):
        raise UsageError("the file is UTF-16", where=name, hint=f"save {name} as UTF-8")
    marks = list(_marks(content))
    if marks and [mark for *_, mark in marks[:2]] != [BEGIN, END]:
        line, *_, mark = marks[0]
        missing = (END if mark == BEGIN else BEGIN).decode()
        hint = f"delete line {line}, or add the line {missing}"
        message = f"{mark.decode()} without {missing}"
        raise UsageError(message, where=f"{name}:{line}", hint=hint)
    if len(marks) > 2:
        raise UsageError(
            "the file has a second minitask section",
            where=f"{name}:{marks[2][0]}",
            hint="delete one of the sections, with both its marks",
        )
    return (marks[0][1], marks[1][2]) if marks else None


def _marks(content: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield each mark with its 1-based line and the offsets of the line's start and end."""
    offset = len(BOM) if content.startswith(BOM) else 0
    for number, line in enumerate(content[offset:].splitlines(keepends=True), 1):
        if line.strip() in (BEGIN, END):
            yield number, offset, offset + len(line), line.strip()
        offset += len(line)


def _newline(content: bytes) -> bytes:
    """Return the line end of the first line."""
    return b"\r\n" if content.partition(b"\n")[0].endswith(b"\r") else b"\n"


def _with(file: AgentFile, target: Path) -> PlannedFile:
    """Return the change that adds or updates a file's section."""
    if not target.exists():
        section = b"%s\n%s\n%s\n" % (BEGIN, file.text.encode(), END)
        return PlannedFile(file.path, "created", target, file.head.encode() + section)
    content = target.read_bytes()
    taught = add_section(content, file.text, name=file.path)
    if taught == content:
        return PlannedFile(file.path, "kept", target)
    what = "updated" if find_section(content, name=file.path) else "extended"
    return PlannedFile(file.path, what, target, taught)


def _without(file: AgentFile, target: Path) -> PlannedFile:
    """Return the change that removes a file's section, or the file if it holds nothing else."""
    content = target.read_bytes() if target.exists() else b""
    bounds = find_section(content, name=file.path)
    if not bounds:
        return PlannedFile(file.path, "kept", target)
    before = content[: bounds[0]].removeprefix(BOM).replace(b"\r\n", b"\n")
    if before in (b"", file.head.encode()) and not content[bounds[1] :]:
        return PlannedFile(file.path, "deleted", target)
    return PlannedFile(file.path, "removed", target, remove_section(content, name=file.path))


def _target(top: Path, name: str) -> Path:
    """Return the file at a path; raise `UsageError` if links lead out of the repository."""
    root, hint = real_path(top), f"make {name} a file of this repository"
    target = real_path(top / name)
    if target.is_symlink():
        raise UsageError(f"{name} is a link that leads to itself", hint=hint)
    if not target.is_relative_to(root) or ".git" in target.relative_to(root).parts:
        raise UsageError(f"{name} is a link that leads out of the repository", hint=hint)
    if target.exists() and not target.is_file():
        raise UsageError(f"{name} is no file", hint=hint)
    return target
