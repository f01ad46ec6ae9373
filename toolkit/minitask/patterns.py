"""Regular expressions that are compiled when they are first used: of all that a command imports, it uses a third."""

from __future__ import annotations

import re
from typing import cast

METHODS = ("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer", "pattern")


class Lazy:
    """A pattern that is compiled at the first use of it."""

    def __init__(self, text: str, flags: int | re.RegexFlag = 0) -> None:
        self._given = (text, flags)

    def __getattr__(self, name: str) -> object:
        """Compile it, and have its methods for one's own from now on."""
        if name not in METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._given)
        vars(self).update({method: getattr(compiled, method) for method in METHODS})
        return getattr(compiled, name)


def lazy_pattern(text: str, flags: int | re.RegexFlag = 0) -> re.Pattern[str]:
    """Return what `re.compile` gives, sooner."""
    return cast("re.Pattern[str]", Lazy(text, flags))
