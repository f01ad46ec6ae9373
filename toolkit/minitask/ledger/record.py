"""Records: the evidence of one attempt, as values and as JSON (`schemas/record.schema.json`).

Money is `Decimal` US dollars, written as a decimal string; unknown is null, never 0. Times are UTC, ISO 8601. A record
names the merge by which a task landed; whether it is on the target still is read from the target's ancestry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct

from minitask.ledger.decision import RecordedDecision, decision_document, parse_decision
from minitask.ledger.evidence import (
    Grade,
    SuiteCounts,
    extras_document,
    grade_document,
    parse_extras,
    parse_grade,
)
from minitask.ledger.usage import NO_USAGE, Usage, classes

FORMAT = 1
ATTEMPT, LANDING, LOST = "attempt", "landing", "lost"
PLAN, CLASSIFY, REVIEW, MESSAGE = "plan", "classify", "review", "message"
PERSON = "person"
"""As an executor: somebody who approved or rejected an attempt."""
CALLS = (PLAN, CLASSIFY, REVIEW, MESSAGE)
"""The kinds of records of calls that are no attempt at a change: what they cost counts, what they say is not proof."""


class Verdict(StrEnum):
    """The result of a task."""

    MERGED = "merged"
    READY = "ready"
    FAILED = "failed"
    REFUSED = "refused"
    CONFLICT = "conflict"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_good(self) -> bool:
        """Return True if the task is proven."""
        return self in (Verdict.MERGED, Verdict.READY)


class CommandRecord(Struct, frozen=True):
    """One command's result: `line` in the spec (0: of the config), and tracked files that it `changed`."""

    line: int
    command: str
    exit_code: int | None
    passed: bool
    seconds: float
    output_tail: str
    reason: str = ""
    tests: SuiteCounts | None = None
    changed: tuple[str, ...] = ()


class FileRecord(Struct, frozen=True):
    """One changed file: git's status letter (A, M, D) and lines added and removed (None: not text)."""

    path: str
    status: str
    added: int | None
    removed: int | None


class Pricing(Struct, frozen=True):
    """The source of a price, and its rates in US dollars per million tokens (empty: none are known)."""

    source: str
    rates: Mapping[str, Decimal]


class Attempt(Struct, frozen=True):
    """One executor's try at a task, whatever resulted.

    `served` is the model that answered, `version` that of the agent program, `malformed` how many replies could not be
    applied, `reply_format` the form that was asked for, `pricing` the rates that the cost was worked out by, `decision`
    why it was made on this tier. `doubts` are why a person is to look at it before it lands, though it is proven.
    """

    n: int
    tier: str
    executor: str
    model: str
    verdict: Verdict
    gate: str
    reason: str
    usage: Usage
    cost_usd: Decimal | None
    seconds: float
    sandbox: str
    commands: tuple[CommandRecord, ...] = ()
    before: tuple[CommandRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()
    served: str = ""
    version: str = ""
    malformed: int = 0
    reply_format: str = ""
    pricing: Pricing | None = None
    decision: RecordedDecision | None = None
    doubts: tuple[str, ...] = ()
    grade: Grade | None = None


class Record(Struct, frozen=True):
    """An attempt with what it was made on: the unit of the ledger.

    `kind` is `attempt`, `landing` (the merge that it landed by, or why none was allowed), `lost` (killed while a call
    was under way), or a call that is no attempt: `plan`, `classify`, `review` or `message`. Where such a call belongs
    to no one task, its spec is empty.
    """

    task: str
    spec_path: str
    spec_blob: str
    target: str
    base: str
    anchor: str | None
    candidate: str | None
    merge: str | None
    tree: str | None
    started_at: str
    baseline_cost_usd: Decimal | None
    attempt: Attempt
    notes: tuple[str, ...] = ()
    kind: str = ATTEMPT

    @property
    def is_merged(self) -> bool:
        """Return True if it names the merge by which an attempt landed."""
        return self.kind == LANDING and self.attempt.verdict is Verdict.MERGED

    @property
    def is_call(self) -> bool:
        """Return True if it is of a call beside the attempts; what a person says of one is none."""
        return self.kind in CALLS and self.attempt.executor != PERSON


class TaskResult(Struct, frozen=True):
    """The result of a task for `exec` and `run`; `estimate` is what one call of a chat model would have taken.

    `stops_run`: every further call would fail alike, for the key or the account is at fault. `is_broken`: it merged,
    but its commands are red with what merged after it. `calls` are those beside the attempts, with their phase; cost
    and usage count them too.
    """

    task: str
    spec_path: str
    spec_blob: str | None
    verdict: Verdict
    reason: str
    branch: str | None = None
    base: str | None = None
    commit: str | None = None
    merge: str | None = None
    cost_usd: Decimal | None = Decimal(0)
    baseline_cost_usd: Decimal | None = None
    usage: Usage = NO_USAGE
    seconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    calls: tuple[tuple[str, Attempt], ...] = ()
    next_step: str = ""
    estimate: Usage | None = None
    over_budget: bool = False
    stops_run: bool = False
    is_broken: bool = False


def money(amount: Decimal | None) -> str | None:
    """Return an amount as a plain decimal string."""
    if amount is None:
        return None
    return format(amount.normalize(), "f") if amount else "0"


def whole(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return a sum in which one unknown amount makes all of it unknown."""
    given = list(amounts)
    known = [amount for amount in given if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(given) else None


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
    found = classes(usage)
    return {
        "fresh_input": found.fresh_input,
        "cache_read": found.cache_read,
        "cache_write_5m": found.cache_write_5m,
        "cache_write_1h": found.cache_write_1h,
        "output": found.output,
        "reasoning": found.reasoning,
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
        **extras_document(command.tests, command.changed),
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
    """Return a task's result as JSON, the form that `exec --json` prints; `calls` is there where there were any."""
    calls = [_call_document(phase, call) for phase, call in result.calls]
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
    }


def _call_document(phase: str, call: Attempt) -> dict[str, Any]:
    names = ("tier", "executor", "model", "verdict", "reason", "usage", "cost_usd", "seconds")
    whole = attempt_document(call)
    return {"phase": phase, **{name: whole[name] for name in names}}


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
