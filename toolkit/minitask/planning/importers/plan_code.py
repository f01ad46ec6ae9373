"""The code blocks of a plan: which file each is for, which is all of a file, and the public names that it defines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minitask.gates.elisions import is_elision
from minitask.patterns import lazy_pattern
from minitask.planning.importers.foreign_plan import PlanCode, PlanFile, PlanStep
from minitask.spec.model import Fence, FileAction
from minitask.spec.validation_commands import shell_language

SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "bash": (".sh", ".bash"),
    "c": (".c", ".h"),
    "cpp": (".cpp", ".cc", ".hpp", ".h"),
    "csharp": (".cs",),
    "css": (".css",),
    "go": (".go",),
    "html": (".html",),
    "java": (".java",),
    "javascript": (".js", ".jsx", ".mjs", ".cjs"),
    "json": (".json",),
    "kotlin": (".kt",),
    "markdown": (".md",),
    "php": (".php",),
    "python": (".py",),
    "ruby": (".rb",),
    "rust": (".rs",),
    "sql": (".sql",),
    "swift": (".swift",),
    "toml": (".toml",),
    "typescript": (".ts", ".tsx"),
    "yaml": (".yaml", ".yml"),
}
"""The endings of the files that a block in a language may be for."""
_ALIASES = {
    "cs": "csharp",
    "golang": "go",
    "js": "javascript",
    "jsonc": "json",
    "jsx": "javascript",
    "md": "markdown",
    "py": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "bash",
    "shell": "bash",
    "ts": "typescript",
    "tsx": "typescript",
    "yml": "yaml",
    "zsh": "bash",
}
_SCRIPT = lazy_pattern(
    r"^(?:export\s+(?:default\s+)?(?=\w))?((?:async\s+)?(?:function\*?|class|interface|type|enum)\s+[A-Za-z$]\w*"
    r"|(?<=export )const\s+[A-Za-z$]\w*)",
    re.MULTILINE,
)
_PATTERNS: Mapping[str, re.Pattern[str]] = {
    "bash": lazy_pattern(r"^(?:function\s+)?([A-Za-z]\w*\(\)|[A-Z][A-Z0-9_]{2,}=)", re.M),
    "csharp": lazy_pattern(r"\bpublic\s+(?:\w+\s+)*?((?:class|interface|record|enum)\s+\w+)"),
    "go": lazy_pattern(r"^((?:func|type)\s+(?:\([^)]*\)\s*)?[A-Z]\w*)", re.M),
    "java": lazy_pattern(r"\bpublic\s+(?:\w+\s+)*?((?:class|interface|record|enum)\s+\w+)"),
    "javascript": _SCRIPT,
    "json": lazy_pattern(
        r'^[ \t]*("[^"\\\n]+"(?:: (?:"[^"\\\n]{0,40}"|[\w.-]{1,20})(?=,?\s*$))?)', re.M
    ),
    "php": lazy_pattern(
        r"^\s*(?:public\s+)?((?:static\s+)?(?:function|class|interface)\s+[A-Za-z]\w*)", re.M
    ),
    "python": lazy_pattern(r"^[ ]{0,4}((?:async\s+def|def|class)\s+[A-Za-z]\w*)", re.M),
    "ruby": lazy_pattern(r"^\s*((?:def|class|module)\s+[A-Za-z]\w*)", re.M),
    "rust": lazy_pattern(
        r"^\s*(pub\s+(?:async\s+)?(?:fn|struct|enum|trait|mod|const)\s+\w+)", re.M
    ),
    "typescript": _SCRIPT,
    "yaml": lazy_pattern(r"^[ \t]*([A-Za-z][\w-]*:)(?=\s|$)", re.M),
}
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


def language_of(info: str) -> str:
    """Return the language that a fence names, by its usual name; empty for none."""
    name = shell_language(info)
    return _ALIASES.get(name, name)


def fits_language(path: str, info: str) -> bool:
    """Return True if a block with this info string may be for a file of this name."""
    endings = SUFFIXES.get(language_of(info))
    return endings is None or path.lower().endswith(endings)


def new_names(fence: Fence, present: str) -> tuple[str, ...]:
    """Return the names that a block defines and that a file's text does not hold yet."""
    pattern = _PATTERNS.get(language_of(fence.info))
    if pattern is None:
        return ()
    names = dict.fromkeys(match[1].strip() for match in pattern.finditer(fence.content))
    return tuple(name for name in names if name not in present)
