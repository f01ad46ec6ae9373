"""Choose the reply format of a model: whole files or edits, by its settings and what the ledger has learned.

Weak models answer well with whole files and badly with edits; strong ones edit well, and whole files cost them tokens.
aider's public tables (whole 98 %, search/replace 92 %; Qwen2.5-Coder-32B 99.6 % and 71.6 %) are where this starts.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from minitask.spec.model import Tier

ENOUGH_REPLIES = 8
MALFORMED_SHARE = 0.25
"""From this share of malformed edits on, a model is asked for whole files."""
MOST_LINES = 400
"""Files with more lines in all are not asked for whole: a long answer costs more than a second try."""


class ReplyFormat(StrEnum):
    """The reply format: whole files, or edits, ranges and whole files as it sees fit."""

    WHOLE = "whole"
    EDITS = "edits"


class Evidence(Struct, frozen=True):
    """A model's replies in the form of edits so far, and how many of them could not be applied."""

    replies: int = 0
    malformed: int = 0


def choose_format(
    wanted: str | None, *, tier: Tier, evidence: Evidence, shown_whole: int | None
) -> ReplyFormat:
    """Return the form to ask for. `shown_whole` is how many lines the files to edit have, None if some are not
    shown.

    `wanted` is the config's word, which wins where the files are shown whole: nobody can repeat what he has not seen.
    """
    if shown_whole is None:
        return ReplyFormat.EDITS
    if wanted is not None:
        return ReplyFormat(wanted)
    if shown_whole > MOST_LINES:
        return ReplyFormat.EDITS
    if evidence.replies >= ENOUGH_REPLIES:
        weak = evidence.malformed >= MALFORMED_SHARE * evidence.replies
    else:
        weak = tier is Tier.FREE
    return ReplyFormat.WHOLE if weak else ReplyFormat.EDITS
