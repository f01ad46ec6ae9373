"""Render a task of a foreign plan as a spec, with lists of what was imported and what a person must fill in."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanCode, PlanFile, PlanStep, PlanTask
from minitask.planning.importers.plan_files import new_names
from minitask.spec.findings import render_fence
from minitask.spec.markdown import code_span
from minitask.spec.model import Fence, FileAction
from minitask.spec.parse import is_edit_fence
from minitask.spec.quality import DRAFTED, MAX_CONTEXT_WORDS
from minitask.words import counted, one_line

ReadFile = Callable[[str], str | None]
"""Function that returns the text of a repository's file, or None if it does not exist."""
_FIELDS = {
    FileAction.READ: "Files to Read",
    FileAction.CREATE: "Files to Create",
    FileAction.EDIT: "Files to Edit",
    FileAction.WRITE: "Files to Create/Edit",
    FileAction.DELETE: "Files to Delete",
}
MOST_DRAFTED = 6
_FENCE = lazy_pattern(r"(?m)^([ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ \t]*)*)(?=```|~~~)")
EXPLAINING = ("Architecture:", "Tech Stack:")


class SpecText(Struct, frozen=True):
    """The text of a spec; `carried` lists what was imported, `missing` what a person must fill in."""

    text: str
    carried: tuple[str, ...]
    missing: tuple[str, ...]


def render_task(
    task: PlanTask,
    number: int,
    *,
    depends_on: Sequence[str],
    context: Sequence[str],
    read: ReadFile,
) -> SpecText:
    """Return the spec of a task; `context` is the context of all tasks, `read` reads files of the base."""
    script = [code for code in task.codes if _is_script(code, read)]
    drafted = list(_drafted(task, script, read))
    criteria = [f"- [ ] {_safe(one_line(text))}" for text in task.criteria]
    parts = [
        _front_matter(depends_on, task.tier),
        f"# Mini-Task {number}: {_heading(task.title)}",
        *_files(task, script),
        _section("Context", "\n".join(_within_limit([*context, *task.context]))),
        _section("Task", "\n".join(_steps(task.steps, script)).rstrip()),
        _section("Code Snippets", "\n\n".join(map(_script_fence, script))),
        _section("Acceptance Criteria", "\n".join(criteria)),
        _section("Validation", _validation(task, drafted)),
        "## On Failure\n\nStop and report.",
    ]
    carried, missing = _carried(task, script, drafted), _missing(task, drafted, read)
    return SpecText("\n\n".join(filter(None, parts)) + "\n", tuple(carried), tuple(missing))


def _heading(title: str) -> str:
    """Return a title whose end is not parsed as the closing marks of a heading."""
    text = one_line(title, longest=120) or "Untitled"
    return f"{text}." if text.endswith("#") else text


def _front_matter(depends_on: Sequence[str], tier: str) -> str:
    rows = [f"depends_on: {json.dumps(list(depends_on))}"] if depends_on else []
    rows += [f"tier: {tier}"] if tier else []
    return "\n".join(["---", *rows, "---"]) if rows else ""


def _section(name: str, text: str) -> str:
    return f"## {name}\n\n{text}" if text.strip() else ""


def _files(task: PlanTask, script: Sequence[PlanCode]) -> Iterator[str]:
    """Yield the lists of files; files of an edit script are among those to create."""
    scripted = {code.path for code in script}
    rows: dict[FileAction, list[str]] = {}
    for file in task.files:
        action = FileAction.CREATE if file.path in scripted else file.action
        rows.setdefault(action, []).append(f"- {code_span(file.path)}{_note(file)}")
    for action, name in _FIELDS.items():
        if action in rows:
            yield "\n".join([f"**{name}**:", *rows[action]])


def _note(file: PlanFile) -> str:
    if file.lines:
        verb = "edit " if file.action in (FileAction.EDIT, FileAction.WRITE) else ""
        return f" ({verb}lines {file.lines.lstrip('~')})"
    return " (if needed)" if file.optional else ""


def _within_limit(entries: Sequence[str]) -> list[str]:
    """Return the entries, without explanations of the plan if all together exceed the limit of a context."""
    long = sum(len(entry.split()) for entry in entries) > MAX_CONTEXT_WORDS
    return [_entry(entry) for entry in entries if not (long and entry.startswith(EXPLAINING))]


def _entry(text: str) -> str:
    """Return a text as one list item; lines that are items stay below it."""
    first, *remainder = text.split("\n")
    items = [f"  - {_safe(row[2:])}" for row in remainder if row.startswith("- ")]
    others = [first, *(row for row in remainder if not row.startswith("- "))]
    return "\n".join([f"- {_safe(one_line(' '.join(others)))}", *items])


def _safe(line: str) -> str:
    """Return a line, escaped so that it does not start a block."""
    return f"\\{line}" if line.startswith(("`" * 3, "~~~", "#", "<", "---", "===")) else line


def _steps(steps: Sequence[PlanStep], script: Sequence[PlanCode]) -> Iterator[str]:
    """Yield the lines of a numbered list, each step's body inside its item."""
    for number, step in enumerate(steps, 1):
        parts = [text for part in step.body if (text := _part(part, script))]
        titles = [f"**{step.title}**"] if step.title else []
        body = "\n\n".join([*titles, *_joined(parts)]).lstrip()
        mark = f"{number}. "
        first, *remainder = body.split("\n")
        yield f"{mark}{first}"
        yield from (f"{' ' * len(mark)}{line}" if line else "" for line in remainder)
        yield ""


def _joined(parts: Sequence[str]) -> list[str]:
    """Return the paragraphs, with consecutive list items joined."""
    joined: list[str] = []
    for part in parts:
        if joined and part.lstrip().startswith("- ") and joined[-1].lstrip().startswith("- "):
            joined[-1] += f"\n{part}"
        else:
            joined.append(part)
    return joined


def _part(part: str | PlanCode, script: Sequence[PlanCode]) -> str:
    if isinstance(part, str):  # its lines are no longer indented, so a fence must be escaped
        return _FENCE.sub(r"\1\\", part)
    if part in script:
        name = code_span(part.path) if part.path else "the files"
        return f"The edit script in Code Snippets holds {name}."
    info = "text" if is_edit_fence(part.fence) else part.fence.info  # not an edit script
    return render_fence(Fence(info, part.fence.content))


def _is_script(code: PlanCode, read: ReadFile) -> bool:
    """Return True for the complete content of a file that does not exist yet."""
    return code.is_whole and (not code.path or read(code.path) is None)


def _script_fence(code: PlanCode) -> str:
    if not code.path:
        return render_fence(code.fence)
    language = code.fence.info.split(maxsplit=1)[:1]
    info = " ".join([*language, f"path={json.dumps(code.path, ensure_ascii=False)}"])
    return render_fence(Fence(info, code.fence.content))


def _drafted(task: PlanTask, script: Sequence[PlanCode], read: ReadFile) -> Iterator[str]:
    """Yield a search for each new name in the code, unless a command is known to fail before the change."""
    if any(command.fails_before for command in task.commands):
        return
    searches = (
        f"grep -qF -e {shlex.quote(name)} -- {shlex.quote(code.path)}  {DRAFTED}"
        for code in task.codes
        if code.path
        for name in new_names(code.fence, "" if code in script else read(code.path) or "")
    )
    yield from islice(searches, MOST_DRAFTED)


def _validation(task: PlanTask, drafted: Sequence[str]) -> str:
    rows = list(drafted)
    for command in task.commands:
        if command.fails_before:
            rows.append("# expect: fails before")
        rows.append(command.text.rstrip())
    return render_fence(Fence("bash", "".join(f"{row}\n" for row in rows))) if rows else ""


def _carried(task: PlanTask, script: Sequence[PlanCode], drafted: Sequence[str]) -> Iterator[str]:
    yield counted(len(task.files), "file")
    if task.steps:
        yield counted(len(task.steps), "step")
    if script:
        yield f"{counted(len(script), 'whole file')} as an edit script"
    if task.commands:
        red_count = sum(command.fails_before for command in task.commands)
        yield counted(len(task.commands), "command") + (
            f", {red_count} must fail before" if red_count else ""
        )
    if drafted:
        yield counted(len(drafted), "drafted check")


def _missing(task: PlanTask, drafted: Sequence[str], read: ReadFile) -> Iterator[str]:
    """Yield what a person must fill in, starting with what `validate` refuses."""
    written = [file for file in task.files if file.action is not FileAction.READ]
    if not written:
        yield "the files to create or edit"
    yield from task.missing
    if not task.commands and not drafted:
        yield "a validation command"
    elif drafted:
        yield "a command that proves the behaviour, in place of the drafted searches"
    elif not _may_fail_before(task, read):
        yield "a command that fails before the change"


def _may_fail_before(task: PlanTask, read: ReadFile) -> bool:
    """Return True if a command must fail before the change, or names a file that the task creates."""
    new = [file.path for file in task.files if read(file.path) is None]
    return any(
        command.fails_before or any(path in command.text for path in new)
        for command in task.commands
    )
