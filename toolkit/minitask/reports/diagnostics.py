"""Diagnostics as text, JSON, SARIF and GitHub annotations: a function a format, in a table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

from minitask import __version__
from minitask.errors import UsageError
from minitask.spec.model import Diagnostic, Severity
from minitask.words import counted

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

Renderer = Callable[[Sequence[Diagnostic], int], str]

_GITHUB_LEVELS = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def render_diagnostics(diagnostics: Sequence[Diagnostic], *, form: str, spec_count: int) -> str:
    """Return the diagnostics in the named format, with a newline at the end where there is text at all.

    `spec_count` is how many specs were judged; an unknown format is a `UsageError`.
    """
    renderer = FORMATS.get(form)
    if renderer is None:
        raise UsageError(
            f"unknown diagnostics format {form!r}", hint=f"choose from {', '.join(FORMATS)}"
        )
    return renderer(diagnostics, spec_count)


def render_text(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return `PATH:LINE: CODE MESSAGE` with the hint below it for each diagnostic, and a line that counts."""
    lines: list[str] = []
    for diagnostic in diagnostics:
        location = f"{diagnostic.path}:{diagnostic.line}" if diagnostic.line else diagnostic.path
        lines.append(_visible(f"{location}: {diagnostic.code} {diagnostic.message}"))
        if diagnostic.hint:
            lines.append(_visible(f"  fix: {diagnostic.hint}"))
    return "\n".join([*lines, summarize(diagnostics, spec_count)]) + "\n"


def render_json(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return a JSON list with an object a diagnostic."""
    del spec_count
    rows = [
        {
            "path": diagnostic.path,
            "line": diagnostic.line,
            "code": diagnostic.code,
            "severity": diagnostic.severity.value,
            "message": diagnostic.message,
            "hint": diagnostic.hint,
        }
        for diagnostic in diagnostics
    ]
    return json.dumps(rows, indent=2) + "\n"


def render_sarif(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return a SARIF 2.1.0 log with one run, and the rules that its results cite."""
    del spec_count
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    indices = {code: index for index, code in enumerate(codes)}
    driver = {
        "name": "minitask",
        "semanticVersion": __version__,
        "rules": [_sarif_rule(code) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [
            _sarif_result(diagnostic, rule_index=indices[diagnostic.code])
            for diagnostic in diagnostics
        ],
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def render_github(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return GitHub Actions workflow commands, which annotate the lines of a pull request."""
    del spec_count
    return "".join(f"{_github_command(diagnostic)}\n" for diagnostic in diagnostics)


FORMATS: Mapping[str, Renderer] = MappingProxyType(
    {
        "text": render_text,
        "json": render_json,
        "sarif": render_sarif,
        "github": render_github,
    }
)


def summarize(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return `2 errors, 1 warning in 9 specs`; severities that do not occur are left out."""
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    parts = [counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    return f"{', '.join(parts) or 'no errors'} in {counted(spec_count, 'spec')}"


def _visible(text: str) -> str:
    """Return the text on one line, with what could steer a terminal written out."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _sarif_rule(code: str) -> dict[str, object]:
    from minitask.spec.rules import explain, find_rule

    rule = find_rule(code)
    if rule is None:
        return {"id": code}
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in rule.title.replace("-", " ").split()),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.summary},
        "help": {"text": explain(code), "markdown": rule.page},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _sarif_result(diagnostic: Diagnostic, *, rule_index: int) -> dict[str, object]:
    physical: dict[str, object] = {
        "artifactLocation": {"uri": _uri(diagnostic.path), "uriBaseId": "%SRCROOT%"}
    }
    if diagnostic.line:
        physical["region"] = {"startLine": diagnostic.line}
    text = (
        f"{diagnostic.message}\nfix: {diagnostic.hint}" if diagnostic.hint else diagnostic.message
    )
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule_index,
        "level": diagnostic.severity.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical}],
    }


def _uri(path: str) -> str:
    """Return the path as a relative URI reference; a colon in its first part would read as a scheme."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")


def _github_command(diagnostic: Diagnostic) -> str:
    line = {"line": str(diagnostic.line)} if diagnostic.line else {}
    properties = {"file": diagnostic.path, **line, "title": diagnostic.code}
    joined = ",".join(f"{key}={_github_property(value)}" for key, value in properties.items())
    text = (
        f"{diagnostic.message}\nfix: {diagnostic.hint}" if diagnostic.hint else diagnostic.message
    )
    return f"::{_GITHUB_LEVELS[diagnostic.severity]} {joined}::{_github_data(text)}"


def _github_data(text: str) -> str:
    return _visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")
