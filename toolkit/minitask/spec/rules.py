"""The rules that diagnostics cite; each has a page, `docs/rules/CODE.md`, which ships with the toolkit."""

from __future__ import annotations

import re

from msgspec import Struct

from minitask import resources
from minitask.errors import UsageError
from minitask.spec.model import SEVERITIES, Severity

_CODE = r"[EWN]\d{3}"
_HEADING = r"(?m)^## (Why|How to fix|Wrong|Right)\n"
_FENCE = "~~~~"


class Rule(Struct, frozen=True):
    """A rule and its `page` in Markdown: title, severity, summary, reason, fix, and two examples."""

    code: str
    page: str

    @property
    def severity(self) -> Severity:
        """The rule's severity."""
        return SEVERITIES[self.code[0]]

    @property
    def title(self) -> str:
        """The rule's title: its finding in a few words."""
        return self.page.partition("\n")[0].removeprefix(f"# {self.code}: ")

    @property
    def summary(self) -> str:
        """The rule's finding in a sentence or two."""
        return self.page.split("\n\n")[2]


def codes() -> list[str]:
    """Return the codes of all rules, ordered by number."""
    names = (page.stem for page in resources.path("rules").iterdir())
    return sorted((name for name in names if re.fullmatch(_CODE, name)), key=lambda code: code[1:])


def find_rule(code: str) -> Rule | None:
    """Return the rule of a code, or None; a code of an older version, with another letter, matches by its number."""
    normalised = code.strip().upper()
    if not re.fullmatch(r"[A-Z]\d{3}", normalised) or normalised[0] not in SEVERITIES:
        return None
    current = next((candidate for candidate in codes() if candidate[1:] == normalised[1:]), None)
    if current is None:
        return None
    return Rule(current, resources.path("rules", f"{current}.md").read_text("utf-8"))


def explain(code: str) -> str:
    """Return a rule as plain text for a terminal; raise `UsageError` for an unknown code."""
    rule = find_rule(code)
    if rule is None:
        raise UsageError(f"there is no rule {code!r}", hint=f"the rules are {', '.join(codes())}")
    parts = [f"{rule.code}: {rule.title} ({rule.severity})", rule.summary]
    sections = re.split(_HEADING, rule.page)[1:]
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"{heading}:{_plain(text.strip())}")
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Return a section's text after its heading: prose on the same line, an example indented below."""
    if not text.startswith(_FENCE):
        return f" {text}"
    lines = text.splitlines()[1:-1]
    return "\n\n" + "\n".join(f"    {line}".rstrip() for line in lines)
