"""JSON, TOML and YAML, read by their parsers; what a parser cannot cope with is no flaw of the text."""

from __future__ import annotations

from minitask.gates.lint_error import SyntaxFlaw, printable
from minitask.patterns import lazy_pattern

_BOM = "\ufeff"
# Where tomllib says that it stopped; versions before 3.14 say it in words only.
_TOML_PLACE = lazy_pattern(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def find_json_flaw(text: str) -> SyntaxFlaw | None:
    """The first place that is not JSON; a file of JSON lines is taken too."""
    from json import JSONDecodeError

    try:
        _load_json(text.removeprefix(_BOM))
    except JSONDecodeError as error:
        if error.msg == "Extra data" and _is_json_lines(text):
            return None
        return SyntaxFlaw(error.lineno, printable(error.msg))
    except RecursionError:
        return None
    return None


def find_toml_flaw(text: str) -> SyntaxFlaw | None:
    """The first place that is not TOML 1.0."""
    import tomllib

    try:
        tomllib.loads(text.removeprefix(_BOM), parse_float=str)
    except tomllib.TOMLDecodeError as error:
        return _toml_flaw(str(error), text)
    except (ValueError, RecursionError):
        return None
    return None


def find_yaml_flaw(text: str) -> SyntaxFlaw | None:
    """The first place that is not YAML; only its form is read, so tags may be anything."""
    import yaml

    if not _is_encodable(text):
        return None
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for _ in yaml.parse(text.removeprefix(_BOM), Loader=loader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "it cannot be read"
        return SyntaxFlaw(mark.line + 1 if mark else 1, printable(said))
    except yaml.YAMLError:
        return SyntaxFlaw(1, "it holds characters that YAML does not allow")
    except (RecursionError, MemoryError, ValueError):
        return None
    return None


def _load_json(text: str) -> None:
    """Read JSON; numbers stay text, since they may be longer than Python turns into one."""
    import json

    json.loads(text, parse_int=str, parse_float=str)


def _is_json_lines(text: str) -> bool:
    try:
        for line in filter(str.strip, text.split("\n")):
            _load_json(line)
    except (ValueError, RecursionError):
        return False
    return True


def _toml_flaw(said: str, text: str) -> SyntaxFlaw:
    found = _TOML_PLACE.search(said)
    last = text.rstrip("\n").count("\n") + 1
    line = int(found[1]) if found and found[1] else last
    return SyntaxFlaw(line, printable(_TOML_PLACE.sub("", said)))


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
