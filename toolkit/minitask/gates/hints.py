"""What a file must have for a check to be worth its while: most have nothing of it, and need no closer look."""

from __future__ import annotations

import re

JUDGED = frozenset(
    {
        *(".json", ".py", ".pyi", ".toml", ".yaml", ".yml", ".go", ".rs", ".java"),
        *(".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"),
    }
)
"""The endings of files whose syntax can be told."""
# A word or mark that every phrase has which stands for code that is left out.
_ELISION = re.compile(
    r"\.\.\.|…|\. \. \.|rest\b|remain|other|existing|previous|original|current|same|unchanged|untouched|unmodified|"
    r"omitted|elided|snipped|not shown|intact|identical|as before|as it was|changes",
    re.IGNORECASE,
)


def may_elide(text: str) -> bool:
    """Whether a text could say that code is left out."""
    return _ELISION.search(text) is not None
