"""Convert records to JSON documents (`schemas/record.schema.json`), and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import to_builtins

from minitask.ledger.record import (
    FIRST,
    FORMAT,
    USAGE,
    Attempt,
    CommandRecord,
    FileRecord,
    Grade,
    Missed,
    Pricing,
    Record,
    RecordedDecision,
    SuiteCounts,
    TaskResult,
    Usage,
    Verdict,
    WeighedFact,
    classes,
    money,
)


def render_document(document: Mapping[str, Any]) -> bytes:
    """Return a document in the ledger's format: ASCII, one value per line, indented by one space per level."""
    compact = json.dumps(document)  # fast only without indents
    try:
        return msgspec.json.format(compact.encode("ascii"), indent=1) + b"\n"
    except msgspec.DecodeError:  # a name that is not UTF-8
        return json.dumps(document, indent=1).encode("ascii") + b"\n"


def usage_document(usage: Usage) -> dict[str, int | None]:
    """Return token counts as JSON."""
    return {name: getattr(usage, name) for name in USAGE}


def pricing_document(pricing: Pricing | None) -> dict[str, Any] | None:
    """Return rates and their source as JSON."""
    if pricing is None:
        return None
    rates = {name: money(rate) for name, rate in pricing.rates.items()}
    return {"source": pricing.source, "usd_per_million_tokens": rates}


def command_document(command: CommandRecord) -> dict[str, Any]:
    """Return a command as JSON; optional fields only if they are not empty."""
    document: dict[str, Any] = to_builtins(command) | {"seconds": round(command.seconds, 4)}
    for name in ("tests", "changed", "refused_hosts"):
        value = document.pop(name)
        if value:
            document[name] = list(value) if isinstance(value, tuple) else value
    return document


def parse_command(document: Mapping[str, Any]) -> CommandRecord:
    """Return the command that `command_document` wrote."""
    tests = document.get("tests")
    optional = {
        "tests": SuiteCounts(**tests) if tests else None,
        "changed": tuple(document.get("changed", ())),
        "refused_hosts": tuple(document.get("refused_hosts", ())),
    }
    return CommandRecord(**{**document, **optional})


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
        "tokens": to_builtins(classes(attempt.usage)),
        "cost_usd": money(attempt.cost_usd),
        "pricing": pricing_document(attempt.pricing),
        "served": attempt.served or None,
        "version": attempt.version or None,
        "reply_format": attempt.reply_format or None,
        "malformed": attempt.malformed,
        "route": _decision_document(attempt.decision),
        "seconds": round(attempt.seconds, 4),
        "sandbox": attempt.sandbox,
        "commands": [command_document(command) for command in attempt.commands],
        "before": [command_document(command) for command in attempt.before],
        "files": list(map(to_builtins, attempt.files)),
        **({"doubts": list(attempt.doubts)} if attempt.doubts else {}),
        **({"unknown_imports": list(attempt.unknown_imports)} if attempt.unknown_imports else {}),
        **({"grade": _grade_document(attempt.grade)} if attempt.grade else {}),
    }


def _grade_document(grade: Grade) -> dict[str, Any]:
    missed = list(map(to_builtins, grade.missed))
    document = {"planted": grade.planted, "noticed": grade.noticed, "missed": missed}
    return document | ({"note": grade.note} if grade.note else {})


def _decision_document(decision: RecordedDecision | None) -> dict[str, Any] | None:
    if decision is None:
        return None
    stated = decision.stated_cost_usd
    return {
        "reason": decision.reason,
        "class": decision.task_class or None,
        "review": decision.review or None,
        "review_reason": decision.review_reason or None,
        "ladder": list(map(to_builtins, decision.ladder)),
        "estimate": {
            "input_tokens": decision.input_tokens,
            "output_tokens": decision.output_tokens,
            "cost_usd": None if decision.cost_usd is None else format(decision.cost_usd, "f"),
            **({} if stated is None else {"stated_cost_usd": format(stated, "f")}),
        },
        "after_failure": decision.after_failure,
        "settles": decision.settles,
        "step": decision.step,
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
    """Return a task's result as JSON, as `exec --json` prints it.

    Only some results have `calls`, `pull_request`, and a `next_step` that is not a command of minitask.
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
    """Return a call apart from attempts as JSON."""
    names = ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd", "seconds")
    document = attempt_document(call)
    return {name: document[name] for name in names}


def parse_record(document: dict[str, Any]) -> Record:
    """Return the record in a document; raise `ValueError`, `KeyError` or `TypeError` if it is invalid."""
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
        decision=_parse_decision(document.get("route")),
        doubts=tuple(document.get("doubts") or ()),
        grade=_parse_grade(document.get("grade")),
        unknown_imports=tuple(document.get("unknown_imports") or ()),
    )


def _parse_usage(usage: dict[str, Any], tokens: dict[str, Any]) -> Usage:
    """Return the usage from its totals, and from the classes that are parts of them."""
    return Usage(
        **usage,
        cache_write_tokens=tokens.get("cache_write_5m"),
        cache_write_1h_tokens=tokens.get("cache_write_1h"),
        reasoning_tokens=tokens.get("reasoning"),
    )


def _parse_grade(document: Mapping[str, Any] | None) -> Grade | None:
    if not document:
        return None
    missed = tuple(Missed(**mutant) for mutant in document["missed"])
    return Grade(document["planted"], document["noticed"], missed, document.get("note", ""))


def _parse_decision(document: Mapping[str, Any] | None) -> RecordedDecision | None:
    if document is None:  # the oldest records have none
        return None
    estimate = document["estimate"]
    return RecordedDecision(
        reason=document["reason"],
        task_class=document["class"] or "",
        review=document["review"] or "",
        review_reason=document["review_reason"] or "",
        ladder=tuple(
            WeighedFact(fact["tier"], fact["use"], fact["reason"]) for fact in document["ladder"]
        ),
        input_tokens=estimate["input_tokens"],
        output_tokens=estimate["output_tokens"],
        cost_usd=parse_money(estimate["cost_usd"]),
        after_failure=bool(document["after_failure"]),
        settles=bool(document["settles"]),
        step=document.get("step") or FIRST,
        stated_cost_usd=parse_money(estimate.get("stated_cost_usd")),
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
