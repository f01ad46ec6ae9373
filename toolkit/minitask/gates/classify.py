"""The classify gate: what kind of task a spec is, asked of a model where the spec itself does not say.

The answer can make a task go to a better model, and nothing else: it names a complexity, tags that the config's rules
know, and a number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import EditError
from minitask.patterns import lazy_pattern
from minitask.spec.model import Spec

LONGEST = 200
"""Lines of an answer that are looked at."""
LEVELS = ("low", "medium", "high")
_FIELD = lazy_pattern(r"[^A-Za-z]{0,9}(complexity|tags|lines)\W{0,9}[:=](.{0,500})", re.IGNORECASE)
ESTIMATED_LINES = "Estimated Lines"


class TaskKind(Struct, frozen=True):
    """What a task was found to be; `lines` None: nobody can say."""

    complexity: str
    tags: tuple[str, ...]
    lines: int | None


def classify_system(tags: Iterable[str]) -> str:
    """The instructions; `tags` are those that the rules ask for."""
    known = ", ".join(sorted({tag.upper() for tag in tags})) or "none"
    return f"""\
Classify a programming task. Reply with three lines and nothing else:
complexity: low|medium|high
tags: those that apply, of {known}; or none
lines: how many lines of code are written or changed"""


def classify_prompt(spec: Spec) -> str:
    """What there is to go by."""
    files = "\n".join(f"{ref.action}: {ref.path}" for ref in spec.files)
    return f"# {spec.title}\n\n{files}\n\n{spec.context.strip()}\n\n{spec.task.strip()[:6_000]}"


def parse_kind(text: str, *, tags: Iterable[str]) -> TaskKind:
    """The kind in an answer; `EditError` where it names no complexity. Tags that no rule knows are dropped."""
    lines = (_FIELD.match(line) for line in text.split("\n")[:LONGEST])
    found = {match[1].lower(): match[2].strip(" *_`.") for match in lines if match}
    level = found.get("complexity", "").lower()
    if level not in LEVELS:
        raise EditError("the answer names no complexity", hint="write `complexity: low`")
    known = {tag.upper() for tag in tags}
    named = {word.upper() for word in re.findall(r"[\w-]+", found.get("tags", ""))}
    number = re.search(r"\d[\d,]{0,8}", found.get("lines", ""))
    count = int(number[0].replace(",", "")) if number else None
    return TaskKind(level, tuple(sorted(named & known)), count)


def classified(spec: Spec, kind: TaskKind) -> Spec:
    """The spec with what it does not say itself, for routing alone."""
    options = spec.options
    said = replace(
        options,
        complexity=options.complexity or kind.complexity,
        tags=tuple(dict.fromkeys((*options.tags, *kind.tags))),
    )
    extra = spec.extra if kind.lines is None else (*spec.extra, (ESTIMATED_LINES, str(kind.lines)))
    return replace(spec, options=said, extra=extra)
