"""The message gate: a commit message in the form of Conventional Commits 1.0, from a model or from a template."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from minitask.errors import EditError
from minitask.ledger.record import FileRecord
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction, Spec
from minitask.words import one_line

TYPES = (
    "feat",
    "fix",
    "docs",
    "style",
    "refactor",
    "perf",
    "test",
    "build",
    "ci",
    "chore",
    "revert",
)
SYSTEM = f"""\
Write the commit message of a change, in the form of Conventional Commits: `type(area): what it does`, at most 72 \
characters, then, only where it helps, an empty line and one short paragraph. The type is one of {", ".join(TYPES)}. \
Reply with the message and nothing else."""
LONGEST_SUBJECT = 100
LONGEST_BODY = 2_000
_SUBJECT = lazy_pattern(rf"^({'|'.join(TYPES)})(\([^()\s][^()]*\))?!?: \S.*$")
_TRAILER = lazy_pattern(r"^[A-Za-z][A-Za-z0-9-]*: ")
_FENCE = lazy_pattern(r"^```\w*\n(.*?)\n?```$", re.DOTALL)
_VERBS = (
    ("fix", ("fix", "repair", "mend", "correct", "bug")),
    ("test", ("test", "tests")),
    ("docs", ("document", "docs", "docstring", "readme")),
    ("refactor", ("extract", "move", "split", "rename", "refactor", "delete", "remove", "inline")),
    ("perf", ("speed", "optimize", "optimise", "cache")),
    ("feat", ("add", "create", "implement", "build", "write", "support", "introduce")),
)


def message_prompt(spec: Spec, files: Sequence[FileRecord]) -> str:
    """What a message is written from: the task's title and text, and the files that changed."""
    listed = "\n".join(
        f"{file.status} {file.path} +{file.added or 0} -{file.removed or 0}" for file in files[:40]
    )
    return f"# {spec.title}\n\n{spec.task.strip()[:2_000]}\n\n## Files\n{listed}"


def parse_message(text: str) -> str:
    """The message in an answer; `EditError`, fit to be sent back, where it is not of the form.

    Trailers that an answer holds are left out: those are the toolkit's to write.
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
    kept = [line for line in lines[1:] if not _TRAILER.match(line)]
    body = "\n".join("".join(filter(str.isprintable, line)) for line in kept).strip()
    return f"{subject}\n\n{body[:LONGEST_BODY].rstrip()}".rstrip()


def template_message(spec: Spec, files: Sequence[FileRecord]) -> str:
    """A message that needs no model: the type by the title's words, the area by the files' folder."""
    title = " ".join(spec.title.split()) or "change"
    shown = title if title[:2].isupper() else title[0].lower() + title[1:]
    area = _area([file.path for file in files])
    head = f"{_type(spec)}({area})" if area else _type(spec)
    return f"{head}: {shown}"


def _type(spec: Spec) -> str:
    if {tag.upper() for tag in spec.options.tags} & {"BUG", "FIX"}:
        return "fix"
    words = re.findall(r"[a-z]+", spec.title.lower())
    for name, verbs in _VERBS:
        if words and words[0] in verbs:
            return name
    actions = {ref.action for ref in spec.writes()}
    return "feat" if actions == {FileAction.CREATE} else "chore"


def _area(paths: Sequence[str]) -> str:
    """The folder that all paths share, else the one file's stem; empty where they share nothing."""
    parents = {PurePosixPath(path).parent.name for path in paths}
    if len(paths) == 1 and parents == {""}:
        return _plain(PurePosixPath(paths[0]).stem)
    return _plain(parents.pop()) if len(parents) == 1 else ""


def _plain(name: str) -> str:
    return "".join(char for char in name if char.isalnum() or char in "._-")
