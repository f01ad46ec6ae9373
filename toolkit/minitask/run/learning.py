"""What the ledger has learned of models, kept beside it and brought up to date by what was added since."""

from __future__ import annotations

from typing import Any

from minitask.ledger.record import Record
from minitask.ledger.store import added_records
from minitask.policy.reply_format import Evidence, ReplyFormat
from minitask.repo import refs
from minitask.run.engine import Engine

KEY = "evidence of reply formats"


def evidence(engine: Engine, model: str) -> Evidence:
    """How a model's replies in the form of edits have fared."""
    head = engine.objects.commit(refs.LEDGER)
    if head is None:
        return Evidence()
    kept = engine.cache.peek(KEY)
    known = kept if isinstance(kept, dict) else {"head": None, "models": {}}
    if known["head"] != head:
        known = _brought_up(engine, known, head)
        engine.cache.keep(KEY, known)
    replies, malformed = known["models"].get(model, (0, 0))
    return Evidence(replies, malformed)


def _brought_up(engine: Engine, known: dict[str, Any], head: str) -> dict[str, Any]:
    """The counts with what the ledger has gained; from the start where the old head is gone."""
    old = known["head"] if known["head"] and engine.objects.commit(known["head"]) else None
    models = {name: list(counts) for name, counts in known["models"].items()} if old else {}
    for record in added_records(engine.objects, old, head):
        replies, malformed = _counts(record)
        if replies:
            counts = models.setdefault(record.attempt.model, [0, 0])
            counts[0] += replies
            counts[1] += malformed
    return {"head": head, "models": models}


def _counts(record: Record) -> tuple[int, int]:
    """Replies in the form of edits, and those that could not be applied."""
    attempt = record.attempt
    if record.kind != "attempt" or attempt.reply_format != ReplyFormat.EDITS:
        return 0, 0
    applied = 0 if attempt.gate == "implement" else 1
    return attempt.malformed + applied, attempt.malformed
