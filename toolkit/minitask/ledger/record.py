"""Records: the evidence of one attempt, as values and as JSON (`schemas/record.schema.json`).

Money is `Decimal` US dollars, written as a decimal string; unknown is null, never 0. Times are UTC, ISO 8601. A record
names the merge by which a task landed; whether it is on the target still is read from the target's ancestry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from minitask.ledger.evidence import (
    Grade,
    RecordedDecision,
    SuiteCounts,
)
from minitask.ledger.usage import NO_USAGE, Usage

FORMAT = 1
ATTEMPT, LANDING, LOST = "attempt", "landing", "lost"
PLAN, CLASSIFY, REVIEW, MESSAGE = "plan", "classify", "review", "message"
SUBSCRIPTION = "subscription"
"""As the source of a price: a plan pays for the model, and each call costs 0."""
GOAL = "goal: "
"""The beginning of the note in a plan's record that holds its goal."""
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
    """One command's result: `line` in the spec (0: of the config), and tracked files that it `changed`.

    `refused_hosts` is what it tried to reach and `network` does not list, where it failed.
    """

    line: int
    command: str
    exit_code: int | None
    passed: bool
    seconds: float
    output_tail: str
    reason: str = ""
    tests: SuiteCounts | None = None
    changed: tuple[str, ...] = ()
    refused_hosts: tuple[str, ...] = ()


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
    why it was made on this tier. `doubts` are why a person is to look at it before it lands, though it is proven;
    `unknown_imports` are those that no package provides.
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
    unknown_imports: tuple[str, ...] = ()


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

    `stops_run`: every further call would fail alike, for the key is at fault. `limited` names the executor
    whose limit is reached. `is_broken`: it merged,
    but its commands are red with what merged after it. `calls` are those beside the attempts, with their phase; cost
    and usage count them too. `pull_request` is the web address of the one that was opened or updated.
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
    limited: str = ""
    is_broken: bool = False
    pull_request: str = ""


def money(amount: Decimal | None) -> str | None:
    """Return an amount as a plain decimal string."""
    if amount is None:
        return None
    return format(amount.normalize(), "f") if amount else "0"


def whole(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """Return a sum in which one unknown amount makes all of it unknown."""
    all_amounts = list(amounts)
    known_amounts = [amount for amount in all_amounts if amount is not None]
    return sum(known_amounts, Decimal(0)) if len(known_amounts) == len(all_amounts) else None
