"""Write the little repository that the split-todoist project works on.

    python generate.py OUTDIR     write the tree
    python generate.py --check    check the tree and the line numbers that the specs cite

The tree holds one module that has grown too long, `core/agents/todoist.py`, of exactly 2,897 lines. Writing it out
would bury what matters, so its methods stand in compact tables under `parts/`; this program gives each of them its
signature, its docstring and its checks. The same tables give the same bytes, always.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from textwrap import indent, wrap

HERE = Path(__file__).resolve().parent
PARTS = HERE / "parts"
MONOLITH = "core/agents/todoist.py"
PACKAGE = "core/agents/todoist_agent"
LINES = 2897
WIDTH = 88

HEADER = '''\
"""The Todoist agent: every tool in one module.

It has grown with every feature and is too long to read at once. Its sections, in order:
base, task tools, GTD tools, reminder tools, knowledge tools, wizard integration, and
the agent itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from core.agents.store import Item, Store

'''

README = """\
# A task agent

`core/agents/todoist.py` is an agent for a task service, with its tools for tasks, for getting things done, for
reminders, for knowledge and for wizards. `core/agents/store.py` stands in for the service, in memory.

    python3 -m unittest -q
"""

SECTIONS = {
    "task_tools": "# Task tools: create, change, complete, find and count.",
    "gtd_tools": "# GTD tools: capture, clarify, organise, review, engage.",
    "reminder_tools": "# Reminder tools: reminders, routines and quiet hours.",
    "knowledge_tools": "# Knowledge tools: notes, lessons and answers.",
    "wizard_integration": "# Wizard integration: inbox, review and planning, step by step.",
}

# Name: (type, what the docstring says of it).
ARGUMENTS = {
    "area": ("str", "the area of responsibility, such as `home` or `work`."),
    "answer": ("str", "what was answered."),
    "choice": ("str", "`do`, `next`, `someday` or `delete`."),
    "clock": ("str", "a time of day such as `09:30`."),
    "context": ("str", "the place or the tool, such as `home` or `phone`."),
    "days": ("int", "how many days, at least one."),
    "due": ("str", "a day such as `tomorrow`, `friday` or `2025-03-14`."),
    "end": ("str", "the time of day at which it ends."),
    "energy": ("str", "`low`, `medium` or `high`."),
    "items": ("list[str]", "what to go through, in order."),
    "kind": ("str", "the kind of item."),
    "known_project": ("str", "the project's name, in any case of letters."),
    "label": ("str", "the label's name."),
    "labels": ("list[str]", "the labels to put on it."),
    "lesson_id": ("str", "the lesson's identifier."),
    "limit": ("int", "how many to list at most."),
    "minutes": ("int", "a length of time in minutes, at least one."),
    "name": ("str", "the name."),
    "note": ("str", "a few words to keep with it."),
    "note_id": ("str", "the note's identifier."),
    "outcome": ("str", "what will be true then."),
    "pattern": ("str", "`daily`, `weekdays`, `weekly`, `monthly` or a weekday."),
    "person": ("str", "the person's name."),
    "priority": ("int", "from 1 (normal) to 4 (urgent)."),
    "project": ("str", "the project's name."),
    "reminder_id": ("str", "the reminder's identifier."),
    "routine": ("Item", "the routine."),
    "routine_id": ("str", "the routine's identifier."),
    "session": ("Item", "the wizard's session."),
    "session_id": ("str", "the identifier of the wizard's session."),
    "start": ("str", "the time of day at which it starts."),
    "status": ("str", "the label of the status."),
    "steps": ("list[str]", "the titles of the steps, in order."),
    "task": ("Item", "the task."),
    "task_id": ("str", "the task's identifier."),
    "task_ids": ("list[str]", "the tasks' identifiers."),
    "text": ("str", "the words."),
    "title": ("str", "the title."),
    "topic": ("str", "the topic's name, in any case of letters."),
    "wizard": ("str", "`inbox`, `review` or `planning`."),
    "words": ("set[str]", "the words to look for."),
}

# Key of a response: what the docstring says of it.
RESULTS = {
    "areas": "the projects by area",
    "batches": "the titles by context",
    "choices": "what may be chosen",
    "comments": "the comments with their days",
    "count": "how many there were",
    "counts": "the figures by name",
    "days": "the number of days",
    "end": "the end",
    "failed": "the identifiers that failed",
    "labels": "the labels",
    "lesson": "the lesson",
    "lessons": "the lessons",
    "lines": "the lines of text",
    "messages": "what to ask",
    "name": "the name",
    "note": "the note as it is now",
    "notes": "the notes",
    "percent": "how much is done, of a hundred",
    "project": "the project as it is now",
    "projects": "the names of the projects",
    "question": "the question",
    "questions": "the questions",
    "reminder": "the reminder as it is now",
    "reminders": "the reminders",
    "routine": "the routine as it is now",
    "routines": "the routines",
    "session": "the session as it is now",
    "sessions": "the sessions",
    "start": "the start",
    "task": "the task as it is now",
    "tasks": "the tasks",
    "text": "the text",
}

# Type that a private method returns: what its docstring says of it.
RETURNS = {
    "Item": "The item as it is now.",
    "bool": "Whether it is so.",
    "list[Item]": "The items.",
    "str": "The day as an ISO date.",
    "str | None": "The item's text, or None where there is nothing more.",
}

# Arguments that are checked first: what to look up, when to refuse, and the words to refuse it with.
CHECKS = {
    "clock": ("minute = parse_clock(clock)", "minute is None", 'f"cannot read {clock!r} as a time of day"'),
    "days": ("", "days < 1", '"at least one day is needed"'),
    "due": ("day = self._parse_day(due)", "day is None", 'f"cannot read {due!r} as a day"'),
    "energy": ("", "energy not in ENERGY_LEVELS", 'f"{energy!r} is not low, medium or high"'),
    "known_project": (
        "owner = self._find_project_by_name(project)",
        "owner is None",
        'f"no project called {project!r}"',
    ),
    "limit": ("", "limit < 1", '"the limit must be 1 or more"'),
    "minutes": ("", "minutes < 1", '"at least one minute is needed"'),
    "name": ("", "not name.strip()", '"a name is needed"'),
    "priority": ("", "priority not in PRIORITY_NAMES", '"the priority goes from 1 to 4"'),
    "task_id": ("task = self._find_task(task_id)", "task is None", 'f"no task {task_id!r}"'),
    "text": ("", "not text.strip()", '"there are no words to work with"'),
    "title": ("", "not title.strip()", '"a title is needed"'),
}
for _kind in ("lesson", "note", "reminder", "routine", "session"):
    _id = f"{_kind}_id"
    CHECKS[_id] = (f'{_kind} = self._find("{_kind}", {_id})', f"{_kind} is None", f'f"no {_kind} {{{_id}!r}}"')

WIZARD_CONSTANTS = """\
REVIEW_QUESTIONS = (
    "What was finished this week?",
    "What is in the inbox still?",
    "Which projects lack a next action?",
    "Who owes you something?",
    "What in the calendar of last week asks for a follow-up?",
    "What in the calendar of next week asks for preparation?",
    "Which task of some day has its day now?",
    "What did you learn?",
)


"""


@dataclass(frozen=True)
class Argument:
    """One argument of a method; `default` is its text, empty where there is none."""

    name: str
    default: str

    @property
    def shown(self) -> str:
        """The name in the signature."""
        return "project" if self.name == "known_project" else self.name

    @property
    def declared(self) -> str:
        """Name, type and default as a signature has them."""
        kind = ARGUMENTS[self.name][0] + (" | None" if self.default == "None" else "")
        return f"{self.shown}: {kind}" + (f" = {self.default}" if self.default else "")


@dataclass(frozen=True)
class Method:
    """A row of a table: its arguments, one sentence, its body and what it answers."""

    name: str
    arguments: tuple[Argument, ...]
    returns: str
    summary: str
    body: str
    answer: str


def parse_method(row: str) -> Method:
    """Read a row: signature, sentence, body, and the answer after `=>`."""
    signature, summary, *rest = row.strip("\n").split("\n")
    match = re.fullmatch(r"(\w+)\((.*)\)(?: -> (.+))?", signature)
    if match is None:
        raise SystemExit(f"not a signature: {signature}")
    parts = [part.partition("=") for part in match[2].split(", ") if part]
    answer = rest.pop().removeprefix("=> ") if rest and rest[-1].startswith("=> ") else ""
    arguments = tuple(Argument(name, default) for name, _, default in parts)
    return Method(match[1], arguments, match[3] or "", summary, "\n".join(rest), answer)


def fit(head: str, parts: list[str], tail: str, margin: int) -> str:
    """Write a call or a signature on one line where it fits, else one part a line."""
    line = f"{head}{', '.join(parts)}{tail}"
    if len(line) + margin <= WIDTH:
        return line
    inner = "".join(f"    {part},\n" for part in parts)
    return f"{head}\n{inner}{tail}"


def render_signature(method: Method) -> str:
    """Write the `def` line or lines."""
    parts = ["self", *(argument.declared for argument in method.arguments)]
    return fit(f"def {method.name}(", parts, f") -> {method.returns or 'Response'}:", 4)


def render_returns(method: Method) -> str:
    """Say what comes back."""
    if method.returns:
        return RETURNS[method.returns]
    if not method.answer:
        return "The response of the tool that did the work."
    values = method.answer.partition(" | ")[2]
    keys = [value.partition("=")[0] for value in split_values(values)]
    return f"A response with {' and '.join(f'`{key}`, {RESULTS[key]}' for key in keys)}."


def render_docstring(method: Method) -> str:
    """Write the docstring, in one paragraph and its lists."""
    first, *more = wrap(f'"""{method.summary}', WIDTH - 8)
    lines = [first, *more, ""]
    if method.arguments:
        lines.append("Args:")
        for argument in method.arguments:
            lines += wrapped(f"{argument.shown}: {ARGUMENTS[argument.name][1]}")
        lines.append("")
    return "\n".join([*lines, "Returns:", *wrapped(render_returns(method)), '"""'])


def wrapped(text: str) -> list[str]:
    """Indent a sentence of a docstring's list, over more lines where it is long."""
    return wrap(text, WIDTH - 8, initial_indent="    ", subsequent_indent="        ", break_long_words=False)


def render_checks(method: Method) -> str:
    """Write the checks of the arguments that need one."""
    if method.name.startswith("_"):
        return ""
    needed = [argument for argument in method.arguments if argument.default != "None"]
    return "\n".join(render_check(*CHECKS[one.name]) for one in needed if one.name in CHECKS)


def render_check(lookup: str, condition: str, message: str) -> str:
    """Write one check: a look-up where it needs one, and the refusal."""
    refusal = f"if {condition}:\n    return self._error({message})"
    return f"{lookup}\n{refusal}" if lookup else refusal


def render_answer(method: Method) -> str:
    """Write the `return` of a response."""
    if not method.answer:
        return ""
    message, _, values = method.answer.partition(" | ")
    quoted = f'{"f" if "{" in message else ""}"{message}"'
    return fit("return self._success(", [quoted, *split_values(values)], ")", 8)


def split_values(values: str) -> list[str]:
    """Divide `a=f(b, c), d=e` at the commas that no bracket encloses."""
    return [value for value in re.split(r", (?=\w+=)", values) if value]


def render_method(row: str) -> str:
    """Write a row of a table as a method of a class."""
    method = parse_method(row)
    blocks = [render_checks(method), method.body, render_answer(method)]
    body = "\n".join(block for block in blocks if block)
    text = f"{render_signature(method)}\n{indent(render_docstring(method), '    ')}\n{indent(body, '    ')}\n"
    return indent(text, "    ")


def render_section(name: str) -> str:
    """Write a table as a class, with the constants before it."""
    head, *rows = re.split(r"\n\n(?=_?[a-z_]+\()", (PARTS / f"{name}.txt").read_text("utf-8").rstrip("\n"))
    match = re.fullmatch(r"class (\w+): (.+)", head)
    if match is None:
        raise SystemExit(f"parts/{name}.txt does not start with its class")
    constants = WIZARD_CONSTANTS if name == "wizard_integration" else ""
    title = f'class {match[1]}(TodoistBase):\n    """{match[2]}"""\n\n'
    return constants + title + "\n".join(render_method(row) for row in rows)


def render_monolith() -> str:
    """Write `core/agents/todoist.py`: header, base, sections, agent."""
    blocks = [(PARTS / "base.py").read_text("utf-8")]
    blocks += [f"{comment}\n{render_section(name)}" for name, comment in SECTIONS.items()]
    blocks.append((PARTS / "agent.py").read_text("utf-8"))
    return HEADER + "\n\n".join(blocks)


def tree() -> dict[str, str]:
    """The whole repository: content by path."""
    return {
        ".gitignore": "__pycache__/\n",
        "README.md": README,
        "core/__init__.py": '"""The core of the assistant."""\n',
        "core/agents/__init__.py": '"""Its agents, one module each."""\n',
        "core/agents/store.py": (PARTS / "store.py").read_text("utf-8"),
        MONOLITH: render_monolith(),
        "tests/__init__.py": "",
        "tests/test_todoist_agent.py": (PARTS / "test_todoist_agent.py").read_text("utf-8"),
    }


def write(folder: Path) -> None:
    """Write the tree below a folder, which is created if need be."""
    for path, content in tree().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode("utf-8"))


def ranges() -> dict[str, tuple[int, int]]:
    """The first and the last line of every section, without the comment line above it."""
    lines = render_monolith().splitlines()
    comments = ["# Base: ", *SECTIONS.values(), "# The agent: "]
    starts = [next(n for n, line in enumerate(lines, 1) if line.startswith(text)) for text in comments]
    pairs = zip(["base", *SECTIONS], pairwise(starts), strict=True)
    return {name: (start + 1, after - 3) for name, (start, after) in pairs}


def operations() -> dict[str, list[str]]:
    """What each spec's `edits` fence has to say, by the spec's id; 06 leaves the last method out, on purpose."""
    places = ranges()
    lines = render_monolith().splitlines()
    last_method = max(n for n in range(*places["knowledge_tools"]) if lines[n - 1].startswith("    def "))
    moved = {"02-extract-base": [f"move {MONOLITH}:{places['base'][0]}-{places['base'][1]} -> {PACKAGE}/base.py"]}
    for number, name in enumerate(SECTIONS, 3):
        first, last = places[name]
        last = last_method - 2 if name == "knowledge_tools" else last
        spec = f"{number:02}-extract-{name.replace('_', '-')}"
        moved[spec] = [f"copy {MONOLITH}:{first}-{last} -> {PACKAGE}/{name}.py"]
    gone = [places[name] for name in SECTIONS if name != "knowledge_tools"]
    moved["08-export-public-api"] = [f"delete {MONOLITH}:{first - 1}-{last + 2}" for first, last in gone]
    return moved


def problems() -> list[str]:
    """What is wrong with the tree or with the lines that the specs cite; empty where all is well."""
    total = len(render_monolith().splitlines())
    found = [] if total == LINES else [f"{MONOLITH} has {total} lines, not {LINES}"]
    for spec, wanted in operations().items():
        text = (HERE / f"{spec}.md").read_text("utf-8")
        cited = re.findall(r"^(?:copy|move|delete|rename) .*$", text, re.MULTILINE)
        if cited != wanted:
            found.append(f"{spec}.md: the operations should be {wanted}, not {cited}")
    return found


def main(arguments: list[str]) -> int:
    """Write the tree, check it, or both."""
    folders = [argument for argument in arguments if argument != "--check"]
    if len(folders) > 1 or not arguments:
        print((__doc__ or "").strip(), file=sys.stderr)
        return 2
    if folders:
        write(Path(folders[0]))
    found = problems() if "--check" in arguments else []
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
