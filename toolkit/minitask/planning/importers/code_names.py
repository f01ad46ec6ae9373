"""The public names that a block of code defines, each as the text that is to be found in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from minitask.patterns import lazy_pattern
from minitask.spec.model import Fence
from minitask.spec.shell_fence import shell_language

MOST_NAMES = 6
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


def language_of(info: str) -> str:
    """Return the language that a fence names, by its usual name; empty for none."""
    name = shell_language(info)
    return _ALIASES.get(name, name)


def fits_language(path: str, info: str) -> bool:
    """Return True if a block with this info string may be for a file of this name."""
    endings = SUFFIXES.get(language_of(info))
    return endings is None or path.lower().endswith(endings)


def new_names(fence: Fence, present: str) -> tuple[str, ...]:
    """Return the names that a block defines and that a file's text does not hold yet, the first few of them."""
    pattern = _PATTERNS.get(language_of(fence.info))
    if pattern is None:
        return ()
    names = dict.fromkeys(match[1].strip() for match in pattern.finditer(fence.content))
    return tuple(name for name in names if name not in present)[:MOST_NAMES]
