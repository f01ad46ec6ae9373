"""Find keys and targets that come twice in settings and Makefiles.

A loader rejects the second one or drops the first. What may repeat is not judged: templates, branches of a
condition, and keys of INI files whose readers are unknown, unless their values can be no list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from minitask.patterns import lazy_pattern

Names = Iterator[tuple[str, int]]
"""Names with their lines (from 1)."""


def repeated(names: Names, scope: str = "") -> Names:
    """Yield each name that came before, behind its scope and a NUL."""
    visited: set[str] = set()
    for name, line in names:
        if name in visited:
            yield f"{scope}\0{name}", line
        visited.add(name)


_VARIABLE = lazy_pattern(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*=[ \t]*(.*)")
_SHELL_BLOCK = lazy_pattern(r"(?m)^[ \t]*(?:if|case|for|while|function)\b")


def _in_env(text: str) -> Names:
    """Yield repeated variables; one may build on its own former value."""
    return iter(()) if _SHELL_BLOCK.search(text) else repeated(_variables(text))


def _variables(text: str) -> Names:
    quote = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quote:
            quote = "" if quote in line else quote
        elif match := _VARIABLE.match(line):
            name, value = match[1], match[2]
            quote = value[:1] if value[:1] in {'"', "'", "`"} else ""
            quote = "" if quote in value[1:] else quote
            if not re.search(rf"\$\{{?{re.escape(name)}\b", value):
                yield name, number


_KEY = lazy_pattern(r"[ \t]*((?:[^\\\s=:#!]|\\.)(?:[^\\\s=:]|\\.)*)[ \t]*[=:]")


def _in_properties(text: str) -> Names:
    """Yield the repeated keys of a Java properties file; `#---` separates documents."""
    names: list[tuple[str, int]] = []
    goes_on, document = False, 0
    for number, line in enumerate(text.replace("\r", "").split("\n"), 1):
        if not goes_on and line.strip() in {"#---", "!---"}:
            document += 1
        if not goes_on and (match := _KEY.match(line)):
            names.append((f"{document}\0{match[1]}", number))
        is_comment = line.lstrip().startswith(("#", "!")) and not goes_on
        goes_on = not is_comment and (len(line) - len(line.rstrip("\\"))) % 2 == 1
    return repeated(iter(names))


_SECTION = lazy_pattern(r"\[([^\]\n]+)\]")
_OPTION = lazy_pattern(r"([A-Za-z_][\w.-]*)[ \t]*[=:][ \t]*(.*)")
_STRICT = lazy_pattern(
    r"(?m)^\[(?:metadata|tool:\w+|pytest|tox|testenv|flake8|mypy|isort|coverage:\w+|alembic|bumpversion|pycodestyle)\]"
)
"""A section of a file that Python's strict configparser reads."""
_SINGLE = lazy_pattern(r"(?i)(?:true|false|yes|no|on|off|-?\d+(?:\.\d+)?)[ \t]*")
_PORT = lazy_pattern(r"(?i)port|listen|bind|socket")


def _in_ini(text: str) -> Names:
    is_strict = _STRICT.search(text) is not None
    return repeated(_options(text, is_strict))


def _options(text: str, is_strict: bool) -> Names:
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := _SECTION.match(line):
            section = match[1]
            continue
        match = _OPTION.match(line)
        if match and (is_strict or _is_single(match[1], match[2].strip())):
            yield f"{section}\0{match[1]}", number


def _is_single(key: str, value: str) -> bool:
    return _SINGLE.fullmatch(value) is not None and not _PORT.search(key)


_RULE = lazy_pattern(r"([^\s#=:$%&\\(][^#=:$%&\\(]*):(?![:=])(?![^=#;\n]*=)([^\n]*)")
_CONDITION = lazy_pattern(r"[ \t]*(?:ifn?eq|ifn?def)\b")
_OTHER_MAKE = lazy_pattern(r"(?im)^(?:[.!][ \t]*(?:if|for|el|end)|\.RECIPEPREFIX)")


def _in_make(text: str) -> Names:
    return iter(()) if _OTHER_MAKE.search(text) else repeated(_targets(text))


def _targets(text: str) -> Names:
    """Yield the targets outside of conditions that have a recipe."""
    depth, in_define, goes_on = 0, False, False
    rule: list[tuple[str, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        word = line.strip().partition(" ")[0]
        if goes_on:
            goes_on = line.endswith("\\")
            continue
        goes_on = line.endswith("\\")
        if in_define:
            in_define = word != "endef"
        elif word == "define":
            in_define, rule = True, []
        elif line.startswith("\t"):
            yield from rule
            rule = []
        elif _CONDITION.match(line):
            depth, rule = depth + 1, []
        elif word == "endif":
            depth, rule = depth - 1, []
        elif word and not word.startswith("#"):
            match = _RULE.match(line) if not depth else None
            names = match[1].split() if match else []
            rule = [(name, number) for name in names if not name.startswith(".")]
            if match and ";" in match[2]:
                yield from rule


_MESSAGE = lazy_pattern(r"(msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)[ \t]+(\".*\")|(\".*\")")


def _in_catalog(text: str) -> Names:
    """Yield the messages that a catalog of gettext has twice; obsolete ones are comments."""
    messages: list[tuple[str, int]] = []
    context = field = ""
    for number, line in enumerate(text.split("\n"), 1):
        match = _MESSAGE.fullmatch(line.strip())
        if match is None:
            continue
        field = match[1] or field
        if match[1] == "msgctxt":
            context = match[2]
        elif match[1] == "msgid":
            messages.append((f"{context}\0{match[2][1:-1]}", number))
            context = ""
        elif match[3] and field == "msgid":
            messages[-1] = (messages[-1][0] + match[3][1:-1], messages[-1][1])
        elif match[3] and field == "msgctxt":
            context += match[3]
    return repeated(iter(messages))


READERS: Mapping[str, Callable[[str], Names]] = {
    ".env": _in_env,
    ".properties": _in_properties,
    **dict.fromkeys((".ini", ".cfg"), _in_ini),
    ".mk": _in_make,
    **dict.fromkeys((".po", ".pot"), _in_catalog),
}
"""What gives the names that come twice in a text, by the endings of files."""
