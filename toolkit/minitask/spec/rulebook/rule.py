"""One rule of the book."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from minitask.spec.model import Severity


class RuleText(Struct, frozen=True):
    """A rule: `summary` says what it finds, `why` what goes wrong otherwise, `mend` the way out.

    `bad` and `good` are fragments of a spec, in Markdown.
    """

    code: str
    title: str
    severity: Severity
    summary: str
    why: str
    mend: str
    bad: str
    good: str
