"""Records as JSON documents, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from minitask.ledger.evidence import (
    decision_document,
    extras_document,
    grade_document,
    parse_decision,
    parse_extras,
    parse_grade,
)
from minitask.ledger.record import (
    FORMAT,
    Attempt,
    CommandRecord,
    FileRecord,
    Pricing,
    Record,
    TaskResult,
    Verdict,
    money,
)
from minitask.ledger.usage import Usage, classes


def render_document(document: Mapping[str, Any]) -> bytes:
    """Return a document as the ledger keeps it: ASCII, a line a value, each level indented by a space."""
    compact = json.dumps(document)  # fast without indents only
    try:
        return msgspec.json.format(compact.encode("ascii"), indent=1) + b"\n"
    except msgspec.DecodeError:  # a name that is not UTF-8
        return json.dumps(document, indent=1).encode("ascii") + b"\n"


def usage_document(usage: Usage) -> dict[str, int | None]:
    """Token counts as JSON."""
    return {
        "requests": usage.requests,
        "input_tokens": usage.input_tokens,
        "cached_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }


def classes_document(usage: Usage) -> dict[str, int | None]:
    """Return the tokens in disjoint classes, each counted once, as JSON."""
    by_class = classes(usage)
    return {
        "fresh_input": by_class.fresh_input,
        "cache_read": by_class.cache_read,
        "cache_write_5m": by_class.cache_write_5m,
        "cache_write_1h": by_class.cache_write_1h,
        "output": by_class.output,
        "reasoning": by_class.reasoning,
    }


def pricing_document(pricing: Pricing | None) -> dict[str, Any] | None:
    """Unit rates and their source as JSON."""
    if pricing is None:
        return None
    rates = {name: money(rate) for name, rate in pricing.rates.items()}
    return {"source": pricing.source, "usd_per_million_tokens": rates}


def command_document(command: CommandRecord) -> dict[str, Any]:
    """Return a command as JSON."""
    return {
        "line": command.line,
        "command": command.command,
        "exit_code": command.exit_code,
        "passed": command.passed,
        "seconds": round(command.seconds, 4),
        "output_tail": command.output_tail,
        "reason": command.reason,
        **extras_document(command.tests, command.changed, command.refused_hosts),
    }


def parse_command(document: Mapping[str, Any]) -> CommandRecord:
    """Return the command that `command_document` wrote."""
    return CommandRecord(**{**document, **parse_extras(document)})


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as JSON."""
    return {
        "n": attempt.n,
        "tier": attempt.tier,
        "executor": attempt.executor,
        "model": attempt.model,
        "verdict": attempt.verdict.value,
        "gate": attempt.gate or None,
        "reason": attempt.reason,
        "usage": usage_document(attempt.usage),
        "tokens": classes_document(attempt.usage),
        "cost_usd": money(attempt.cost_usd),
        "pricing": pricing_document(attempt.pricing),
        "served": attempt.served or None,
        "version": attempt.version or None,
        "reply_format": attempt.reply_format or None,
        "malformed": attempt.malformed,
        "route": decision_document(attempt.decision),
        "seconds": round(attempt.seconds, 4),
        "sandbox": attempt.sandbox,
        "commands": [command_document(command) for command in attempt.commands],
        "before": [command_document(command) for command in attempt.before],
        "files": [
            {"path": file.path, "status": file.status, "added": file.added, "removed": file.removed}
            for file in attempt.files
        ],
        **({"doubts": list(attempt.doubts)} if attempt.doubts else {}),
        **({"unknown_imports": list(attempt.unknown_imports)} if attempt.unknown_imports else {}),
        **({"grade": grade_document(attempt.grade)} if attempt.grade else {}),
    }


def record_document(record: Record) -> dict[str, Any]:
    """Return a record as JSON."""
    return {
        "format": FORMAT,
        "kind": record.kind,
        "task": record.task,
        "spec": {
            "path": record.spec_path,
            "blob": record.spec_blob or None,
            "anchor": record.anchor,
        },
        "target": record.target,
        "base": record.base,
        "candidate": record.candidate,
        "merge": record.merge,
        "tree": record.tree,
        "started_at": record.started_at,
        "baseline_cost_usd": money(record.baseline_cost_usd),
        "notes": list(record.notes),
        "attempt": attempt_document(record.attempt),
    }


def result_document(result: TaskResult) -> dict[str, Any]:
    """Return a task's result as JSON, the form that `exec --json` prints.

    `calls` is there where there were any, `next_step` where what is next is no command of minitask, `pull_request`
    where one was opened or updated.
    """
    step = result.next_step
    calls = [{"phase": phase, **call_document(call)} for phase, call in result.calls]
    return {
        "task": result.task,
        "spec": {"path": result.spec_path, "blob": result.spec_blob},
        "verdict": result.verdict.value,
        "reason": result.reason,
        "branch": result.branch,
        "base": result.base,
        "commit": result.commit,
        "merge": result.merge,
        "cost_usd": money(result.cost_usd),
        "baseline_cost_usd": money(result.baseline_cost_usd),
        "usage": usage_document(result.usage),
        "seconds": round(result.seconds, 4),
        "attempts": [attempt_document(attempt) for attempt in result.attempts],
        **({"calls": calls} if calls else {}),
        **({"next_step": step} if step and not step.startswith("minitask ") else {}),
        **({"pull_request": result.pull_request} if result.pull_request else {}),
    }


def call_document(call: Attempt) -> dict[str, Any]:
    """Return a call beside the attempts as JSON."""
    names = ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd", "seconds")
    document = attempt_document(call)
    return {name: document[name] for name in names}


def parse_record(document: dict[str, Any]) -> Record:
    """Return a record from its JSON; raise `ValueError`, `KeyError` or `TypeError` if damaged or of a later format."""
    if document["format"] != FORMAT:
        message = f"record format {document['format']}"
        raise ValueError(message)
    return Record(
        task=document["task"],
        spec_path=document["spec"]["path"],
        spec_blob=document["spec"]["blob"] or "",
        target=document["target"],
        base=document["base"],
        anchor=document["spec"]["anchor"],
        candidate=document["candidate"],
        merge=document["merge"],
        tree=document["tree"],
        started_at=document["started_at"],
        baseline_cost_usd=parse_money(document["baseline_cost_usd"]),
        attempt=_parse_attempt(document["attempt"]),
        notes=tuple(document["notes"]),
        kind=document["kind"],
    )


def _parse_attempt(document: dict[str, Any]) -> Attempt:
    return Attempt(
        n=document["n"],
        tier=document["tier"],
        executor=document["executor"],
        model=document["model"],
        verdict=Verdict(document["verdict"]),
        gate=document["gate"] or "",
        reason=document["reason"],
        usage=_parse_usage(document["usage"], document.get("tokens") or {}),
        cost_usd=parse_money(document["cost_usd"]),
        seconds=float(document["seconds"]),
        sandbox=document["sandbox"],
        commands=tuple(map(parse_command, document["commands"])),
        before=tuple(map(parse_command, document["before"])),
        files=tuple(FileRecord(**file) for file in document["files"]),
        served=document.get("served") or "",
        version=document.get("version") or "",
        malformed=document.get("malformed") or 0,
        reply_format=document.get("reply_format") or "",
        pricing=parse_pricing(document.get("pricing")),
        decision=parse_decision(document.get("route")),
        doubts=tuple(document.get("doubts") or ()),
        grade=parse_grade(document.get("grade")),
        unknown_imports=tuple(document.get("unknown_imports") or ()),
    )


def _parse_usage(usage: dict[str, Any], tokens: dict[str, Any]) -> Usage:
    """Usage from its totals, and from those classes that are parts of them."""
    return Usage(
        **usage,
        cache_write_tokens=tokens.get("cache_write_5m"),
        cache_write_1h_tokens=tokens.get("cache_write_1h"),
        reasoning_tokens=tokens.get("reasoning"),
    )


def parse_pricing(document: dict[str, Any] | None) -> Pricing | None:
    """Return the rates that `pricing_document` wrote."""
    if document is None:
        return None
    rates = {name: Decimal(rate) for name, rate in document["usd_per_million_tokens"].items()}
    return Pricing(document["source"], rates)


def parse_money(text: str | None) -> Decimal | None:
    """Return the amount that `money` wrote."""
    return None if text is None else Decimal(text)
