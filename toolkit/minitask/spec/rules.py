"""The registry of every rule that a diagnostic can cite, and the words that explain one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from minitask.errors import UsageError
from minitask.spec.model import Diagnostic, Severity
from minitask.spec.rulebook.batches import BATCHES
from minitask.spec.rulebook.form import FORM
from minitask.spec.rulebook.project import PROJECT
from minitask.spec.rulebook.quality import QUALITY
from minitask.spec.rulebook.repository import REPOSITORY
from minitask.spec.rulebook.rule import RuleText
from minitask.spec.rulebook.script import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "RuleText", "diagnose", "explain", "render_index", "render_page"]

_ALL = sorted(
    (*FORM, *REPOSITORY, *PROJECT, *SCRIPT, *QUALITY, *BATCHES), key=lambda rule: rule.code[1:]
)
LETTERS = {Severity.ERROR: "E", Severity.WARNING: "W", Severity.NOTE: "N"}
"""The letter that a rule's code begins with says how much it matters."""
RULES: Mapping[str, RuleText] = MappingProxyType({rule.code: rule for rule in _ALL})


def diagnose(path: str, line: int, *, code: str, message: str, hint: str = "") -> Diagnostic:
    """Return a diagnostic of a rule, with the severity that the registry gives it."""
    return Diagnostic(path, line, code, RULES[code].severity, message, hint)


def find_rule(code: str) -> RuleText | None:
    """Return the rule of a code; a code of an older version, with another letter, finds it by its number."""
    wanted = code.strip().upper()
    if wanted in RULES or wanted[:1] not in LETTERS.values():
        return RULES.get(wanted)
    return next((rule for rule in _ALL if rule.code[1:] == wanted[1:]), None)


def explain(code: str) -> str:
    """Return a rule in plain text, for a terminal; an unknown code is a `UsageError`."""
    rule = find_rule(code)
    if rule is None:
        known = ", ".join(RULES)
        raise UsageError(f"there is no rule {code!r}", hint=f"the rules are {known}")
    parts = (
        f"{rule.code}: {rule.title} ({rule.severity})",
        rule.summary,
        f"Why: {rule.why}",
        f"How to fix: {rule.mend}",
        f"Wrong:\n\n{_indented(rule.bad)}",
        f"Right:\n\n{_indented(rule.good)}",
    )
    return "\n\n".join(parts) + "\n"


def render_page(rule: RuleText) -> str:
    """Return the rule's page, in Markdown."""
    return "\n\n".join(
        (
            f"# {rule.code}: {rule.title}",
            f"Severity: {rule.severity}",
            rule.summary,
            "## Why",
            rule.why,
            "## How to fix",
            rule.mend,
            "## Wrong",
            _fenced(rule.bad),
            "## Right",
            _fenced(rule.good) + "\n",
        )
    )


def render_index() -> str:
    """Return the page that lists all rules, in Markdown."""
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.severity} | {rule.title} |"
        for rule in RULES.values()
    ]
    head = (
        "# Rules\n\n"
        "Diagnostics of `minitask validate`. "
        "`minitask validate --explain CODE` shows a page in the terminal.\n\n"
        "The letter says how much it matters: `E` is an error, and `exec`, `run` and `plan` refuse the spec; "
        "`W` is a warning and `N` a note, which block nothing.\n\n"
        "| rule | severity | finds |\n| --- | --- | --- |\n"
    )
    return head + "\n".join(rows) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def _fenced(text: str) -> str:
    return f"~~~~markdown\n{text.rstrip()}\n~~~~"
