"""Recognise plans of other tools, and name the command that reads them."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from msgspec import Struct

from minitask.patterns import lazy_pattern
from minitask.spec.markdown import normalise, parse_document

SUPERPOWERS, SPEC_KIT, YAML = "superpowers", "spec-kit", "yaml"
READ = (SUPERPOWERS, SPEC_KIT, YAML)
"""The formats that `minitask import` reads."""
_LONGEST = 400_000
_WORKERS = lazy_pattern(r"(?im)^>\s*\*\*For (?:Claude|agentic workers)\b")
_TASK_HEADING = lazy_pattern(r"(?im)^#{2,4}[^\w#\n]*Task\s+\d+")
_PLAN_PARTS = lazy_pattern(r"(?im)^(?:#.*Implementation Plan\s*$|.{0,8}\*\*(?:Files|Step \d+)\b)")
_SPEC_KIT_LINE = lazy_pattern(r"(?m)^\s*[-*+]\s+\[[ xX~-]\]\s+[*_]*T\d{2,4}[a-z]?\b")
_NUMBERED_LINE = lazy_pattern(r"(?m)^\s*[-*+]\s+\[[ xX~-]\]\*?\s+\d+(?:\.\d+)*\.?\s")
_BACKLOG = lazy_pattern(r"(?s)\A---\n(?=.*?^id:)(?=.*?^status:).*?^---$", 8)
_YAML_TASKS = lazy_pattern(
    r"(?m)^\s*(?:-\s+)?(?:model_tier|allowed_paths|depends_on|validation)\s*:"
)
_YAML_LIST = lazy_pattern(r"(?m)^(?:tasks\s*:|-\s+(?:id|title|name)\s*:)")


class PlanFormat(Struct, frozen=True):
    """The format of a plan: its name, and the command that reads a file of it."""

    name: str

    def command(self, path: str) -> str:
        """Return the command, fit for a shell."""
        if self.name in READ:
            return shlex.join(["minitask", "import", path])
        return shlex.join(["minitask", "plan", f"Carry out {path}", "--read", path])

    def hint(self, path: str) -> str:
        """Return the way out for a file of this format."""
        return f"import it: {self.command(path)}"


def find_format(text: str, path: str) -> PlanFormat | None:
    """Return the format of another tool's plan; None for any other text."""
    name = _find_name(text[:_LONGEST], PurePosixPath(path))
    return PlanFormat(name) if name else None


def _find_name(text: str, path: PurePosixPath) -> str | None:
    if path.suffix in (".json", ".jsonl") or text.lstrip()[:1] == "{":
        return _in_json(text)
    normal = normalise(text)
    if path.suffix != ".md" and _YAML_LIST.search(normal) and _YAML_TASKS.search(normal):
        return YAML
    if _BACKLOG.search(normal) and "backlog" in path.parts:
        return "Backlog.md"
    return _in_markdown(_without_fences(normal), path)


def _in_json(text: str) -> str | None:
    if '"issue_type"' in text:
        return "beads"
    return "task-master" if '"tasks"' in text and '"title"' in text else None


def _in_markdown(text: str, path: PurePosixPath) -> str | None:
    if _SPEC_KIT_LINE.search(text):
        return SPEC_KIT
    if _WORKERS.search(text) or (_TASK_HEADING.search(text) and _PLAN_PARTS.search(text)):
        return SUPERPOWERS
    if _NUMBERED_LINE.search(text):
        return "OpenSpec" if "openspec" in path.parts else "Kiro"
    return None


def _without_fences(text: str) -> str:
    """Return the lines of a text that are in no fence."""
    document = parse_document(text)
    fenced = {
        row
        for token in document.tokens
        if token.type in ("fence", "code_block") and token.map
        for row in range(*token.map)
    }
    return "\n".join(line for row, line in enumerate(document.lines) if row not in fenced)
