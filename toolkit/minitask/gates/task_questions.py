"""Questions about one task to a model: its kind, its steps, its commit message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import EditError
from minitask.ledger.record import FileRecord
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, Spec
from minitask.words import one_line

LONGEST = 200
"""Lines of an answer that are read."""
LEVELS = ("low", "medium", "high")
_FIELD = lazy_pattern(r"(?i)[^A-Za-z]{0,9}(complexity|tags|lines)\W{0,9}[:=](.{0,500})")
ESTIMATED_LINES = "Estimated Lines"


class TaskKind(Struct, frozen=True):
    """A task's classification; `lines` is None if the answer gives no number."""

    complexity: str
    tags: tuple[str, ...]
    lines: int | None


def classify_system(tags: Iterable[str]) -> str:
    """Return the instructions; `tags` are the tags used by the routing rules."""
    tag_list = ", ".join(sorted({tag.upper() for tag in tags})) or "none"
    return f"""\
Classify a programming task. Reply with three lines and nothing else:
complexity: low|medium|high
tags: those that apply, of {tag_list}; or none
lines: how many lines of code are written or changed"""


def classify_prompt(spec: Spec) -> str:
    """Return the prompt to classify a task."""
    files = "\n".join(f"{ref.action}: {ref.path}" for ref in spec.files)
    return f"# {spec.title}\n\n{files}\n\n{spec.context.strip()}\n\n{spec.task.strip()[:6_000]}"


def parse_kind(text: str, *, tags: Iterable[str]) -> TaskKind:
    """Return the kind in an answer, without unknown tags; raise `EditError` if it names no complexity."""
    lines = (_FIELD.match(line) for line in text.split("\n")[:LONGEST])
    fields = {match[1].lower(): match[2].strip(" *_`.") for match in lines if match}
    level = fields.get("complexity", "").lower()
    if level not in LEVELS:
        raise EditError("the answer names no complexity", hint="write `complexity: low`")
    allowed = {tag.upper() for tag in tags}
    mentioned = {word.upper() for word in re.findall(r"[\w-]+", fields.get("tags", ""))}
    number = re.search(r"\d[\d,]{0,8}", fields.get("lines", ""))
    count = int(number[0].replace(",", "")) if number else None
    return TaskKind(level, tuple(sorted(mentioned & allowed)), count)


def classified(spec: Spec, kind: TaskKind) -> Spec:
    """Return the spec with missing options filled in from the classification, for routing alone."""
    options = spec.options
    completed = replace(
        options,
        complexity=options.complexity or kind.complexity,
        tags=tuple(dict.fromkeys((*options.tags, *kind.tags))),
    )
    extra = spec.extra if kind.lines is None else (*spec.extra, (ESTIMATED_LINES, str(kind.lines)))
    return replace(spec, options=completed, extra=extra)


SYSTEM = """\
Plan a programming task for a weaker model that will do it: at most ten numbered steps, each naming the file and what \
to change there, and what is easily overlooked. No code. Nothing beyond the task."""
OUTLINE_CHARACTERS = 4_000


def outline_prompt(spec: Spec) -> str:
    """Return the prompt for an outline: the spec, its criteria and its commands."""
    criteria = "\n".join(f"- {criterion.text}" for criterion in spec.criteria)
    commands = "\n".join(command.text for command in spec.commands)
    return f"{classify_prompt(spec)}\n\n## Done when\n{criteria}\n\n## Validated by\n{commands}"


def parse_outline(text: str) -> str:
    """Return the steps; raise `EditError` if there are none."""
    plain = text.strip()
    if len(plain.split()) < 3:
        raise EditError("the answer holds no steps", hint="write numbered steps")
    return plain[:OUTLINE_CHARACTERS]


_TYPE_NAMES = "feat fix docs style refactor perf test build ci chore revert"
TYPES = tuple(_TYPE_NAMES.split())
MESSAGE_SYSTEM = f"""\
Write the commit message of a change, in the form of Conventional Commits: `type(area): what it does`, at most 72 \
characters, then, only where it helps, an empty line and one short paragraph. The type is one of {", ".join(TYPES)}. \
Reply with the message and nothing else."""
LONGEST_SUBJECT = 100
LONGEST_BODY = 2_000
_SUBJECT = lazy_pattern(rf"^({'|'.join(TYPES)})(\([^()\s][^()]*\))?!?: \S.*$")
_TRAILER = lazy_pattern(r"^[A-Za-z][A-Za-z0-9-]*: ")
_FENCE = lazy_pattern(r"(?s)^```\w*\n(.*?)\n?```$")
_VERBS = (
    ("fix", ("fix", "repair", "mend", "correct", "bug")),
    ("test", ("test", "tests")),
    ("docs", ("document", "docs", "docstring", "readme")),
    ("refactor", ("extract", "move", "split", "rename", "refactor", "delete", "remove", "inline")),
    ("perf", ("speed", "optimize", "optimise", "cache")),
    ("feat", ("add", "create", "implement", "build", "write", "support", "introduce")),
)


def message_prompt(spec: Spec, files: Sequence[FileRecord]) -> str:
    """Return the prompt for a commit message: the task's title and text, and the changed files."""
    listed = "\n".join(
        f"{file.status} {file.path} +{file.added or 0} -{file.removed or 0}" for file in files[:40]
    )
    return f"# {spec.title}\n\n{spec.task.strip()[:2_000]}\n\n## Files\n{listed}"


def parse_message(text: str) -> str:
    """Return the message in an answer; raise `EditError`, worded for the model, if its form is wrong.

    Trailers are dropped: only the toolkit writes them.
    """
    plain = text.strip().replace("\r\n", "\n")
    fenced = _FENCE.match(plain)
    lines = [line.rstrip() for line in (fenced[1] if fenced else plain).strip().split("\n")]
    subject = lines[0] if lines else ""
    if not _SUBJECT.match(subject) or len(subject) > LONGEST_SUBJECT or not subject.isprintable():
        raise EditError(
            f"the first line is {one_line(subject, longest=80)!r}, which is no subject of the form",
            hint=f"write `type(area): what it does`, at most {LONGEST_SUBJECT} characters",
        )
    body_lines = [line for line in lines[1:] if not _TRAILER.match(line)]
    body = "\n".join("".join(filter(str.isprintable, line)) for line in body_lines).strip()
    return f"{subject}\n\n{body[:LONGEST_BODY].rstrip()}".rstrip()


def template_message(spec: Spec, files: Sequence[FileRecord]) -> str:
    """Return a message made without a model: its type from tags, title or files, its area from the files' folder."""
    title = " ".join(spec.title.split()) or "change"
    shown = title if title[:2].isupper() else title[0].lower() + title[1:]
    area = _area([file.path for file in files])
    head = f"{_type(spec)}({area})" if area else _type(spec)
    return f"{head}: {shown}"


def _type(spec: Spec) -> str:
    if {tag.upper() for tag in spec.options.tags} & {"BUG", "FIX"}:
        return "fix"
    title_words = re.findall(r"[a-z]+", spec.title.lower())
    for name, verbs in _VERBS:
        if title_words and title_words[0] in verbs:
            return name
    actions = {ref.action for ref in spec.writes()}
    return "feat" if actions == {FileAction.CREATE} else "chore"


def _area(paths: Sequence[str]) -> str:
    """Return the folder shared by all paths, or the stem of a single file at the root; empty if there is neither."""
    parents = {PurePosixPath(path).parent.name for path in paths}
    if len(paths) == 1 and parents == {""}:
        return _plain(PurePosixPath(paths[0]).stem)
    return _plain(parents.pop()) if len(parents) == 1 else ""


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isalnum() or char in "._-")
