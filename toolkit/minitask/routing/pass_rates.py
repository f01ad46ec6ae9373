"""Pass rates and usage of attempts from the ledger, cached and updated by new records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from minitask.engine.context import Context
from minitask.ledger.record import ATTEMPT, Verdict
from minitask.ledger.store import UNREADABLE, read_documents
from minitask.policy.estimates import UNCOUNTED_REQUESTS, Evidence, ReplyFormat

KEY = "what the ledger has learned, sizes included"
TABLES = ("models", "cells", "sizes")
LATEST = 25
"""Number of attempts per executor and model whose sizes are stored."""
Counts = dict[str, list[int]]
"""By name: the number of successes (or faults), and of tries."""
Sizes = dict[str, list[list[int]]]
"""By executor and model: the requests, input, cached and output tokens of the latest attempts."""


def evidence(engine: Context, model: str) -> Evidence:
    """Return the number of a model's replies with edits, and of malformed ones."""
    malformed, replies = lessons(engine)["models"].get(model, (0, 0))
    return Evidence(replies, malformed)


def odds(engine: Context, task_class: str, tier: str, after: bool) -> tuple[int, int]:
    """Return the passes and tries of a task class at a tier, as the first tier or `after` another one failed."""
    passed, tried = lessons(engine)["cells"].get(_cell(task_class, tier, after), (0, 0))
    return passed, tried


def attempt_tokens(engine: Context, executor: str, model: str) -> Sequence[Sequence[int]]:
    """Return the requests, input, cached and output tokens of the latest attempts of an executor with a model."""
    sizes: Sequence[Sequence[int]]
    sizes = lessons(engine).get("sizes", {}).get(f"{executor}|{model}", ())
    return sizes


def lessons(engine: Context) -> Mapping[str, Any]:
    """Return all statistics as plain values; a process without the ledger gets them with its job."""
    if engine.lessons is not None:
        return engine.lessons
    head = engine.ledger_head()
    empty: dict[str, Any] = {name: {} for name in TABLES}
    if head is None:
        return empty
    cached = engine.cache.peek(KEY)
    learned = cached if isinstance(cached, dict) else {"head": None, **empty}
    if learned["head"] != head:
        learned = _updated(engine, learned, head)
        engine.cache.keep(KEY, learned)
    return learned


def _updated(engine: Context, learned: dict[str, Any], head: str) -> dict[str, Any]:
    """Return the counts updated by new records, or from all records if the old head is gone."""
    old = learned["head"] if learned["head"] and engine.objects.commit(learned["head"]) else None
    models, cells, sizes = (
        {name: list(counts) for name, counts in learned[table].items()} if old else {}
        for table in TABLES
    )
    for document in read_documents(engine.objects, head, since=old):
        with suppress(*UNREADABLE):
            if document["kind"] == ATTEMPT:
                _learn(document["attempt"], models, cells)
                _learn_size(document["attempt"], sizes)
    return {"head": head, "models": models, "cells": cells, "sizes": sizes}


def _learn(attempt: dict[str, Any], models: Counts, cells: Counts) -> None:
    """Count an attempt for its model, and for its class of tasks."""
    _count(models, attempt["model"], *_replies(attempt))
    route = attempt.get("route")
    if route and route["settles"]:
        cell = _cell(route["class"] or "", attempt["tier"], bool(route["after_failure"]))
        _count(cells, cell, int(Verdict(attempt["verdict"]).is_good), 1)


def _learn_size(attempt: dict[str, Any], sizes: Sizes) -> None:
    """Store the usage of an attempt, if it is known."""
    usage = attempt["usage"]
    if not usage["input_tokens"] or usage["output_tokens"] is None:
        return
    counts = [
        usage["requests"] or UNCOUNTED_REQUESTS,
        usage["input_tokens"],
        usage["cached_input_tokens"] or 0,
        usage["output_tokens"],
    ]
    latest = sizes.setdefault(f"{attempt['executor']}|{attempt['model']}", [])
    latest[:] = [*latest, counts][-LATEST:]


def _count(table: Counts, name: str, happened: int, tried: int) -> None:
    if tried:
        counts = table.setdefault(name, [0, 0])
        counts[0] += happened
        counts[1] += tried


def _cell(task_class: str, tier: str, after: bool) -> str:
    return f"{task_class}|{tier}|{'after' if after else 'first'}"


def _replies(attempt: dict[str, Any]) -> tuple[int, int]:
    """Return the number of malformed replies with edits, and of all replies with edits."""
    if attempt.get("reply_format") != ReplyFormat.EDITS.value:
        return 0, 0
    malformed = int(attempt.get("malformed") or 0)
    applied = 0 if attempt["gate"] == "implement" else 1
    return malformed, malformed + applied
