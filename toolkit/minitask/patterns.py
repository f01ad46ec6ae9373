"""Regular expressions that are compiled at first use: a command uses only a third of those that it imports."""

from __future__ import annotations

import re
from typing import cast

METHODS = ("match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer", "pattern")


class Lazy:
    """A pattern that is compiled at first use."""

    def __init__(self, text: str, flags: int | re.RegexFlag = 0) -> None:
        self._given = (text, flags)

    def __getattr__(self, name: str) -> object:
        """Compile the pattern and copy its methods to this object."""
        if name not in METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._given)
        vars(self).update({method: getattr(compiled, method) for method in METHODS})
        return getattr(compiled, name)


def lazy_pattern(text: str, flags: int | re.RegexFlag = 0) -> re.Pattern[str]:
    """Return a pattern like `re.compile`, but compile it at first use."""
    return cast("re.Pattern[str]", Lazy(text, flags))
