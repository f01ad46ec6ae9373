"""The code blocks of a plan: which file each is for, and which is all of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from minitask.gates.elisions import is_elision
from minitask.patterns import lazy_pattern
from minitask.planning.importers.code_names import fits_language
from minitask.planning.importers.foreign_plan import PlanCode, PlanFile, PlanStep
from minitask.spec.model import Fence, FileAction

_PART = lazy_pattern(
    r"\b(?:append|add(?:\s+\w+){0,3}\s+to|insert|replace|existing|after\s+the|update)\b",
    re.IGNORECASE,
)
_COMMENT = lazy_pattern(r"\s*(?://|#|--|/\*|<!--|;)\s*(?P<path>\S+)\s*(?:\*/|-->)?\s*")


def code_of(
    fence: Fence, title: str, before: Sequence[str | PlanCode], files: Sequence[PlanFile]
) -> PlanCode:
    """Return a block with the file that it is for: the one named in it, next to it, or the only one that fits."""
    written = [file for file in files if file.action not in (FileAction.READ, FileAction.DELETE)]
    head = _COMMENT.fullmatch(fence.content.partition("\n")[0])
    texts = [head["path"]] if head else []
    texts += [part for part in reversed(before) if isinstance(part, str)] + [title]
    for text in texts:
        matches = _named(text, files)
        if len(matches) == 1:
            return PlanCode(matches[0] if matches[0] in {w.path for w in written} else "", fence)
    fitting = [file for file in written if fits_language(file.path, fence.info)]
    about_tests = "test" in title.lower()
    alike = [file for file in fitting if _is_test(file.path) == about_tests]
    return PlanCode(alike[0].path if len(alike) == 1 else "", fence)


def _named(text: str, files: Sequence[PlanFile]) -> list[str]:
    whole = [file.path for file in files if file.path in text]
    longest = [
        path for path in whole if not any(path != other and path in other for other in whole)
    ]
    return longest or [
        file.path
        for file in files
        if re.search(rf"(?<![\w/]){re.escape(file.path.rpartition('/')[2])}\b", text)
    ]


def _is_test(path: str) -> bool:
    return re.search(r"(?:^|[/_.-])(?:tests?|specs?|__tests__)(?:[/_.-]|$)", path) is not None


def with_wholes(steps: list[PlanStep], files: Sequence[PlanFile]) -> list[PlanStep]:
    """Return the steps, a block marked as whole if it is the only one of a file to create and leaves nothing out."""
    paths = [code.path for step in steps for code in step.body if isinstance(code, PlanCode)]
    new = {file.path for file in files if file.action in (FileAction.CREATE, FileAction.WRITE)}
    new -= {path for path in paths if paths.count(path) > 1}
    return [
        PlanStep(step.title, tuple(_marked(part, step, new) for part in step.body))
        for step in steps
    ]


def _marked(part: str | PlanCode, step: PlanStep, new: set[str]) -> str | PlanCode:
    if not isinstance(part, PlanCode) or part.path not in new:
        return part
    prose = " ".join([step.title, *(file for file in step.body if isinstance(file, str))])
    left_out = is_cut(part.fence) or any(
        is_elision(line) for line in part.fence.content.split("\n")
    )
    return (
        part if left_out or _PART.search(prose) else PlanCode(part.path, part.fence, is_whole=True)
    )


def is_cut(fence: Fence) -> bool:
    """Return True if a block ends at a fence that was meant to be inside it."""
    rows = [row.lstrip() for row in fence.content.split("\n")]
    return sum(row.startswith(("```", "~~~")) for row in rows) % 2 == 1
