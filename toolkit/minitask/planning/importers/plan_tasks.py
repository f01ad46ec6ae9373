"""Parse one task of a superpowers plan: its files, steps, code and validation commands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import (
    DONE_ALREADY,
    DONE_MARKS,
    DONE_SIGNS,
    FENCE,
    HEADING,
    ITEM,
    MarkdownNode,
    PlanCode,
    PlanFile,
    PlanStep,
    PlanTask,
)
from minitask.planning.importers.plan_commands import (
    RunLine,
    is_commit,
    is_shell_fence,
    only_runs,
    read_runs,
    with_criteria,
    work_of,
)
from minitask.planning.importers.plan_files import (
    code_of,
    is_cut,
    read_bullet,
    split_action,
    with_wholes,
)
from minitask.spec.markdown import CODE, code_span, code_text, find_label, strip_marks
from minitask.spec.model import Fence, FileAction
from minitask.spec.validation_commands import SHELLS, looks_like_command, shell_language
from minitask.words import one_line

_STEP = lazy_pattern(
    r"(?:\\?\[(?P<box>[ xX])\\?\]\s*)?(?P<bold>\*{0,2})Step\s+\d+[a-z]?(?:\.\d+)?\s*[:.—–-]?\s*(?P<title>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BOX = lazy_pattern(r"\\?\[(?P<box>[ xX])\\?\]\s+(?P<title>.*)", re.DOTALL)
_SECTION = lazy_pattern(
    r"\*\*(?P<name>Files?|Interfaces|Dependencies|Depends on|Requires|Acceptance Criteria|Context|Commit)[^*]{0,40}?"
    r"(?::\s*\*\*|\*\*\s*:?)\s*(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
_RUN = lazy_pattern(
    r"(?:[-*+]\s+)?[*_]*(?:Then\s+)?(?:Run|Execute|Command|(?P<may>Verify|Validate|Validation|Verification))(?:\s+(?:the\s+)?[\w-]+){0,3}[*_]*\s*:[*_]*\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_EXPECTED = lazy_pattern(
    r"(?:[-*+]\s+)?[*_]*Expect(?:ed|ation)?(?:\s+(?:output|results?))?(?:\s*\([^)]*\))?[*_]*\s*:[*_]*\s*(?P<rest>.*)",
    re.IGNORECASE,
)
_TASK_NUMBER = lazy_pattern(
    r"\b(?:Tasks?\s+)?[#T]?(?P<first>\d+(?:\.\d+)*[a-z]?)\b(?:\s*[-–—]\s*(?:Tasks?\s+)?[#T]?(?P<last>\d{1,3})\b)?",
    re.IGNORECASE,
)
_NOTHING = lazy_pattern(r"\b(?:none|nothing|n/a|independent)\b", re.IGNORECASE)


class _Task(Struct):
    """The parts of a task parsed so far."""

    files: list[PlanFile] = field(default_factory=list)
    steps: list[tuple[str, list[str | Fence]]] = field(default_factory=list)
    runs: list[RunLine] = field(default_factory=list)
    context: list[str] = field(default_factory=list)
    criteria: list[str] = field(default_factory=list)
    needs: list[str] | None = None
    dropped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    renames: list[tuple[str, str]] = field(default_factory=list)
    section: str = ""
    label: str = ""
    pending: list[str] = field(default_factory=list)
    awaits: str = ""
    ticks: list[bool] = field(default_factory=list)

    def read(self, node: MarkdownNode) -> None:
        if self._starts_step(node) or self._starts_section(node):
            return
        if self.section and (node.kind in (ITEM, FENCE) or node.level):
            if node.fence is not None:
                self._entry(node.fence.content.rstrip("\n"))
            else:
                self._entry(node.text, depth=node.level)
            return
        self.section = ""
        if node.fence is not None:
            self._fence(node.fence)
        else:
            self._text(node)

    def _starts_step(self, node: MarkdownNode) -> bool:
        match = None if node.kind == FENCE else _STEP.fullmatch(node.text)
        box = _BOX.fullmatch(node.text) if node.kind == ITEM and match is None else None
        if match is None and (box is None or self.section == "acceptance criteria"):
            return False
        if match is not None and not (node.kind in (HEADING, ITEM) or match["bold"]):
            return False
        found = match or box
        text, mark = (found["title"], found["box"]) if found else ("", None)
        title, _, rest = text.partition("\n")
        self.finish()
        self.section = ""
        self.ticks += [mark in DONE_MARKS] if mark else []
        self.steps.append((_title(title) + (DONE_ALREADY if mark in DONE_MARKS else ""), []))
        for line in rest.split("\n") if rest else ():
            self._line(line)
        return True

    def _starts_section(self, node: MarkdownNode) -> bool:
        if node.kind == HEADING:
            name = node.text.strip("*: ").lower()
            self.finish()
            self.section = name if name in ("files", "interfaces", "acceptance criteria") else ""
            if not self.section:
                self.steps.append((_title(node.text), []))
            return True
        match = _SECTION.match(node.text) if node.kind != FENCE else None
        if match is None:
            return False
        name = match["name"].lower()
        self.section, self.label = "files" if name == "file" else name, ""
        for line in match["rest"].split("\n"):
            if find_label(line) and split_action(line) is None:
                self._body().append(line)
            elif line.strip():
                self._entry(line)
        self.section = "" if name == "file" else self.section
        return True

    def _entry(self, text: str, *, depth: int = 1) -> None:
        """Parse an entry of a section: a file, an interface, a dependency or a criterion."""
        box = _BOX.fullmatch(text)
        plain = box["title"] if box else text
        if self.section == "files":
            self._file(plain, depth)
        elif self.section in ("dependencies", "depends on", "requires"):
            self.needs = [*(self.needs or ()), *_numbers(plain)]
            if not _TASK_NUMBER.search(plain) and not _NOTHING.search(plain):
                self.context.append(f"Depends on: {one_line(plain)}")
        elif self.section == "acceptance criteria":
            self.criteria.append(one_line(plain))
        elif self.section != "commit":
            self.context.append(plain)

    def _file(self, text: str, depth: int) -> None:
        labelled = split_action(text)
        label, rest = labelled or (self.label or "modify", text)
        bullet = read_bullet(label, rest or "none")
        codes = (code_text(span[2]).strip() for span in CODE.finditer(rest))
        if not bullet.files and (commands := [*filter(looks_like_command, codes)]):
            self.runs += [RunLine(command, title="Check") for command in commands]
            return
        if labelled is None and (depth > 1 or not self.label) and not bullet.files:
            self.context.append(one_line(text))
            return
        self.label = label
        self.files += bullet.files
        self.renames += bullet.renames
        self.missing += bullet.unclear

    def _text(self, node: MarkdownNode) -> None:
        if node.text.startswith("<!--") or not node.text.strip("-*_ \n"):
            return
        mark = f"{'  ' * (node.level - 1)}- " if node.kind == ITEM else ""
        lines = node.text.split("\n")
        if not any(_RUN.fullmatch(line) or _EXPECTED.fullmatch(line) for line in lines):
            self._body().append(f"{mark}{node.text}")
            return
        for line in lines:
            self._line(line, mark=mark)

    def _line(self, line: str, *, mark: str = "") -> None:
        expected = _EXPECTED.fullmatch(line.strip())
        run = None if expected else _RUN.fullmatch(line.strip())
        if expected:
            self._expect(strip_marks(expected["rest"]))
        elif run and (spans := _commands(run)):
            self.finish()
            self.pending = spans[:1]
            tail = strip_marks(CODE.sub("", run["rest"], count=1)).strip(" .,;—–->→()")
            if tail:
                self._expect(tail)
        elif run and not run["rest"].strip():
            self.finish()
            self.awaits = "verify" if run["may"] else "run"
        else:
            self._body().append(f"{mark}{line}")

    def _expect(self, text: str) -> None:
        if not text:
            self.awaits = "expected"
            return
        self.finish(text)

    def _fence(self, fence: Fence) -> None:
        title = self.steps[-1][0] if self.steps else ""
        awaited, self.awaits = self.awaits, ""
        if awaited == "expected":
            self._expect(one_line(fence.content) or "no output")
        elif is_commit(fence.content):
            self._body().extend(work_of(fence.content))
            self.dropped.append("the commit: minitask commits each task itself")
        elif (awaited in ("run", "verify") and shell_language(fence.info) in SHELLS) or (
            is_shell_fence(fence) and not self._is_code(fence, title)
        ):
            self._body().extend(work_of(fence.content))
            self.finish()
            self.pending = [fence.content]
        else:
            if awaited == "run":
                language = code_span(shell_language(fence.info))
                self.missing.append(f"the {language} commands in line {fence.line}, as bash")
            self._body().append(fence)

    def _is_code(self, fence: Fence, title: str) -> bool:
        """Return True if a shell block is the content of a file, not commands to run."""
        near = " ".join([title, *(part for part in self._body()[-1:] if isinstance(part, str))])
        paths = [file.path for file in self.files]
        is_named = any(path.rpartition("/")[2] in near for path in paths)
        has_script = any(path.endswith((".sh", ".bash")) for path in paths)
        return fence.content.startswith("#!") or is_named or (has_script and near.endswith(":"))

    def finish(self, expected: str = "") -> None:
        """Store the pending commands; `expected` is "" if their result is not stated."""
        title = self.steps[-1][0] if self.steps else ""
        self.runs += [RunLine(command, expected, title) for command in self.pending]
        self.pending, self.awaits = [], ""

    def _body(self) -> list[str | Fence]:
        if not self.steps:
            self.steps.append(("", []))
        return self.steps[-1][1]


def _numbers(text: str) -> Iterator[str]:
    """Yield the task numbers in a text such as `Tasks 1–3 and 5b`."""
    for match in _TASK_NUMBER.finditer(text):
        first, last = match["first"], int(match["last"] or 0)
        is_range = first.isdecimal() and int(first[:9]) < last
        width = len(first)
        yield from (
            (f"{n:0{width}}" for n in range(int(first[:9]), last + 1)) if is_range else [first]
        )


def _commands(run: re.Match[str]) -> list[str]:
    """Return the code of a `Run:` line; that of a `Verify:` line only if it is a command."""
    codes = [code_text(span[2]).strip() for span in CODE.finditer(run["rest"])]
    return codes if not run["may"] or looks_like_command(codes[0] if codes else "") else []


def read_tasks(parts: Iterable[tuple[str, str, Sequence[MarkdownNode]]]) -> tuple[PlanTask, ...]:
    """Return the tasks of a plan from the label, title and nodes of each heading.

    `needs` are task numbers as written, `?` if the task states none.
    """
    tasks = [(label, title, _read(nodes)) for label, title, nodes in parts]
    paths = [file.path.split("/")[:-1] for _, _, task in tasks for file in task.files]
    folders = {"/".join(names[:end]) for names in paths for end in range(1, len(names) + 1)}
    return tuple(_plan_task(label, title, task, folders) for label, title, task in tasks)


def _read(nodes: Sequence[MarkdownNode]) -> _Task:
    task = _Task()
    for node in nodes:
        task.read(node)
    task.finish()
    return task


def _plan_task(label: str, title: str, task: _Task, folders: Collection[str]) -> PlanTask:
    commands, left_out = read_runs(task.runs, folders)
    files = _unique(task.files)
    steps = tuple(_steps(task, files))
    codes = [code for step in steps for code in step.body if isinstance(code, PlanCode)]
    coded = {code.path for code in codes}
    files = tuple(_optional(file, coded) for file in files)
    cuts = [
        f"the code in line {code.fence.line}: a fence inside it ends it; use four backticks"
        for code in codes
        if is_cut(code.fence)
    ]
    if task.renames:
        rows = "".join(f'rename "{old}" -> "{new}"\n' for old, new in task.renames)
        script = PlanCode("", Fence("edits", rows), is_whole=True)
        steps = (*steps, PlanStep("Rename the files", (script,)))
    return PlanTask(
        label,
        title,
        files=files,
        steps=steps,
        commands=commands,
        criteria=(*task.criteria, *with_criteria(commands)),
        context=(*task.context, *(f"`{file.path}`: {file.note}" for file in files if file.note)),
        needs=("?",) if task.needs is None else tuple(task.needs),
        is_done=all(task.ticks) if task.ticks else title.rstrip("\ufe0f").endswith(DONE_SIGNS),
        dropped=tuple(dict.fromkeys((*task.dropped, *left_out))),
        missing=tuple(dict.fromkeys((*task.missing, *cuts))),
    )


def _optional(file: PlanFile, coded: set[str]) -> PlanFile:
    """Return a file; it is optional if it may be created or edited, and of the plan's code none is for it."""
    is_optional = file.action is FileAction.WRITE and bool(coded) and file.path not in coded
    return replace(file, optional=is_optional)


def _title(text: str) -> str:
    return one_line(text.strip().strip("*").strip(), longest=200)


def _unique(files: Sequence[PlanFile]) -> tuple[PlanFile, ...]:
    """Return each file once, with its first action and all its lines."""
    merged: dict[str, PlanFile] = {}
    for file in files:
        first = merged.get(file.path)
        if first is None:
            merged[file.path] = file
        elif file.lines and file.lines != first.lines:
            lines = ", ".join(filter(None, (first.lines, file.lines)))
            merged[file.path] = replace(first, lines=lines)
    return tuple(merged.values())


def _steps(task: _Task, files: Sequence[PlanFile]) -> list[PlanStep]:
    """Return the steps that hold more than commands and commits, with the file of each code block."""
    steps = []
    ran = {run.title for run in task.runs}
    for title, body in task.steps:
        parts: list[str | PlanCode] = []
        for part in body:
            parts.append(code_of(part, title, parts, files) if isinstance(part, Fence) else part)
        if parts or not (only_runs(title) or title in ran):
            steps.append(PlanStep(title, tuple(parts)))
    return with_wholes(steps, files)
