"""Render diagnostics of specs as text, JSON, SARIF and GitHub annotations; and the findings of `doctor`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import Struct, field, to_builtins

from minitask import __version__
from minitask.errors import UsageError
from minitask.spec.model import Diagnostic, Severity
from minitask.words import counted

SARIF_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

QUOTED = "\n      "
"""Begins a quoted line in a message: no indented line looks like a diagnostic."""

Renderer = Callable[[Sequence[Diagnostic], int], str]

_GITHUB_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render_diagnostics(diagnostics: Sequence[Diagnostic], *, form: str, spec_count: int) -> str:
    """Return the diagnostics of `spec_count` specs in the format `form`; raise `UsageError` if it is unknown."""
    renderer = FORMATS.get(form)
    if renderer is None:
        message = f"unknown diagnostics format {form!r}"
        raise UsageError(message, hint=f"choose from {', '.join(FORMATS)}")
    return renderer(diagnostics, spec_count)


def render_text(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return `PATH:LINE: CODE MESSAGE` for each diagnostic, its hint below it, and a line of counts."""
    lines: list[str] = []
    for diagnostic in diagnostics:
        location = f"{diagnostic.path}:{diagnostic.line}" if diagnostic.line else diagnostic.path
        lines.append(_visible(f"{location}: {diagnostic.code} {diagnostic.message}"))
        if diagnostic.hint:
            lines.append(_visible(f"  fix: {diagnostic.hint}"))
    counts = Counter(diagnostic.severity for diagnostic in diagnostics)
    parts = [counted(counts[severity], severity.value) for severity in Severity if counts[severity]]
    lines.append(f"{', '.join(parts) or 'no errors'} in {counted(spec_count, 'spec')}")
    return "\n".join(lines) + "\n"


def render_json(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return a JSON list with one object per diagnostic."""
    del spec_count
    return json.dumps(to_builtins(diagnostics), indent=2) + "\n"


def render_sarif(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return a SARIF 2.1.0 log with one run, and the rules that its results cite."""
    del spec_count
    codes = sorted({diagnostic.code for diagnostic in diagnostics})
    rules = [_sarif_rule(code) for code in codes]
    run = {
        "tool": {"driver": {"name": "minitask", "semanticVersion": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _sarif_result(diagnostic, rule_index=codes.index(diagnostic.code))
            for diagnostic in diagnostics
        ],
    }
    log = {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def render_github(diagnostics: Sequence[Diagnostic], spec_count: int) -> str:
    """Return GitHub Actions workflow commands, which annotate the lines of a pull request."""
    del spec_count
    return "".join(f"{_github_command(diagnostic)}\n" for diagnostic in diagnostics)


FORMATS: Mapping[str, Renderer] = {
    "text": render_text,
    "json": render_json,
    "sarif": render_sarif,
    "github": render_github,
}


def _visible(text: str) -> str:
    """Return the text with control characters written out, except line ends before an indented line."""
    return QUOTED.join(
        "".join(char if char.isprintable() else _escape(char) for char in line)
        for line in text.split(QUOTED)
    )


def _escape(char: str) -> str:
    if char.isascii():
        return f"\\x{ord(char):02x}"
    return char.encode("ascii", "backslashreplace").decode()


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
    uri = quote(diagnostic.path.encode("utf-8", "surrogateescape"))
    physical: dict[str, object] = {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}
    if diagnostic.line:
        physical["region"] = {"startLine": diagnostic.line}
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule_index,
        "level": diagnostic.severity.value,
        "message": {"text": _message(diagnostic)},
        "locations": [{"physicalLocation": physical}],
    }


def _message(diagnostic: Diagnostic) -> str:
    fix = f"\nfix: {diagnostic.hint}" if diagnostic.hint else ""
    return f"{diagnostic.message}{fix}"


def _github_command(diagnostic: Diagnostic) -> str:
    line = {"line": str(diagnostic.line)} if diagnostic.line else {}
    properties = {"file": diagnostic.path, **line, "title": diagnostic.code}
    joined = ",".join(f"{key}={_github_property(value)}" for key, value in properties.items())
    level = _GITHUB_LEVELS[diagnostic.severity]
    return f"::{level} {joined}::{_github_data(_message(diagnostic))}"


def _github_data(text: str) -> str:
    return _visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _github_property(text: str) -> str:
    return _github_data(text).replace(":", "%3A").replace(",", "%2C")


class CheckResult(Struct, frozen=True):
    """The result of a check: its state is `ok`, `note` or `bad`; the hint says how to fix it."""

    area: str
    state: str
    text: str
    hint: str = ""


class Health(Struct, frozen=True):
    """The findings, and the settings with their sources."""

    findings: tuple[CheckResult, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Return True if nothing necessary is missing."""
        return all(finding.state != "bad" for finding in self.findings)


def health_document(health: Health) -> dict[str, Any]:
    """Return the findings as JSON."""
    return {
        "ok": health.is_good,
        "findings": to_builtins(health.findings),
        "settings": health.settings,
        "sources": health.sources,
    }


def render_health(health: Health) -> str:
    """Return one line per finding, then the settings that are not defaults."""
    marks = {"ok": "✓", "note": "·", "bad": "✗"}
    lines = []
    for finding in health.findings:
        lines.append(f"{marks[finding.state]} {finding.area:11} {finding.text}")
        if finding.hint:
            lines.append(f"  {'':11} {finding.hint}")
    changed = {key: source for key, source in health.sources.items() if source != "default"}
    for key, source in sorted(changed.items()):
        lines.append(f"· {'setting':11} {key}, from {source}")
    if not changed:
        lines.append(f"· {'settings':11} all at their defaults; `minitask config show` prints them")
    return "\n".join(lines)
