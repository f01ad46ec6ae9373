"""Records: the evidence of one attempt, with its route, usage and cost.

Money is `Decimal` US dollars. Unknown amounts and counts are None, never 0, and make sums unknown. Times are UTC, ISO
8601. A record names the merge by which a task landed; the target's history shows whether it still contains that merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import astuple

from minitask.words import counted


class Usage(Struct, frozen=True):
    """Requests sent and tokens billed; `None` is unknown.

    `cached_input_tokens` (read from the provider's cache), `cache_write_tokens` (stored there for five minutes) and
    `cache_write_1h_tokens` are parts of `input_tokens`; `reasoning_tokens` are part of `output_tokens`.
    """

    requests: int | None = None
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None


USAGE = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")
"""The counts in reports and records; the others are parts of them."""
NO_USAGE = Usage(0, 0, 0, 0, 0, 0, 0)
"""No requests, no tokens: the neutral element of `plus`."""


class TokenClasses(Struct, frozen=True):
    """The tokens of a usage, each counted once; `None` is unknown."""

    fresh_input: int | None
    cache_read: int | None
    cache_write_5m: int | None
    cache_write_1h: int | None
    output: int | None
    reasoning: int | None


def classes(usage: Usage) -> TokenClasses:
    """Return the tokens in disjoint classes, as they are priced.

    `output` excludes `reasoning`; if reasoning was not counted, `output` includes it.
    """
    return TokenClasses(
        fresh_input=_less(
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.cache_write_tokens,
            usage.cache_write_1h_tokens,
        ),
        cache_read=usage.cached_input_tokens,
        cache_write_5m=usage.cache_write_tokens,
        cache_write_1h=usage.cache_write_1h_tokens,
        output=_less(usage.output_tokens, usage.reasoning_tokens or 0),
        reasoning=usage.reasoning_tokens,
    )


def plus(usage: Usage, more: Usage) -> Usage:
    """Return the sum, field by field; a count that is unknown on one side is unknown in the sum."""
    pairs = zip(astuple(usage), astuple(more), strict=True)
    return Usage(*(None if a is None or b is None else a + b for a, b in pairs))


def _less(whole: int | None, *parts: int | None) -> int | None:
    """Return a count minus its parts, or None if one of them is unknown, or they exceed it."""
    known_parts = [part for part in parts if part is not None]
    if whole is None or len(known_parts) < len(parts):
        return None
    remaining = whole - sum(known_parts)
    return remaining if remaining >= 0 else None


FORMAT = 1
ATTEMPT, LANDING, LOST = "attempt", "landing", "lost"
PLAN, CLASSIFY, REVIEW, MESSAGE = "plan", "classify", "review", "message"
SUBSCRIPTION = "subscription"
"""Source of a price if a subscription pays for the model, and each call costs 0."""
GOAL = "goal: "
"""Prefix of the note with the goal in a plan's record."""
PERSON = "person"
"""Executor of records in which a person approved or rejected an attempt."""
CALLS = (PLAN, CLASSIFY, REVIEW, MESSAGE)
"""Kinds of calls that are not attempts at a change: their costs count, their answers prove nothing."""


FIRST, REPAIR, CLIMB, CORRECT, APPLY = "first", "repair", "climb", "correct", "apply"
RESUME = "resume"
"""Why an attempt is made: the first of a run; the same tier again; the next tier; a reviewer's own edits; a model that
applies them; a change on record without a review."""


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


class SuiteCounts(Struct, frozen=True):
    """Counts of the tests that a runner collected, and their results."""

    collected: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0


class Missed(Struct, frozen=True):
    """A planted fault that no command noticed."""

    path: str
    line: int
    mutant: str


class Grade(Struct, frozen=True):
    """The planted faults that the validation of a change noticed; `note` says why there are none or few."""

    planted: int
    noticed: int
    missed: tuple[Missed, ...] = ()
    note: str = ""

    @property
    def percent(self) -> float:
        """Return the noticed share in percent; 100 without planted faults."""
        return 100 * self.noticed / self.planted if self.planted else 100.0

    def __str__(self) -> str:
        """Return one line."""
        if not self.planted:
            return f"not graded: {self.note}"
        return f"its checks notice {self.noticed} of {counted(self.planted, 'fault')} planted in it"


NOTHING_PLANTED = Grade(
    0, 0, note="documents, tests, and lines that were moved or copied get no faults"
)


class WeighedFact(Struct, frozen=True):
    """A tier of the ladder: whether to try it, and why."""

    tier: str
    use: bool
    reason: str


class RecordedDecision(Struct, frozen=True):
    """The route of an attempt; `step` is why it was made.

    `task_class` is the class of tasks for statistics. Tokens and cost (US dollars, None: unpriced) are the estimate of
    one call; `stated_cost_usd` is the spec's own **Estimated Cost**. `after_failure`: another tier had failed at the
    same spec. `settles`: the result counts in the tier's statistics, which a change that is sent back for a repair and
    a provider's failure do not.
    """

    reason: str
    task_class: str = ""
    review: str = ""
    review_reason: str = ""
    ladder: tuple[WeighedFact, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    after_failure: bool = False
    settles: bool = False
    step: str = FIRST
    stated_cost_usd: Decimal | None = None


class CommandRecord(Struct, frozen=True):
    """The result of a command: its `line` in the spec (0: of the config), and the tracked files that it `changed`.

    `refused_hosts` are hosts that a failed command tried to reach but `network` does not list.
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
    """A changed file: git's status letter (A, M, D), and the lines added and removed (None: not text)."""

    path: str
    status: str
    added: int | None
    removed: int | None


class Pricing(Struct, frozen=True):
    """The source of a price, and its rates in US dollars per million tokens (empty if unknown)."""

    source: str
    rates: Mapping[str, Decimal]


class Attempt(Struct, frozen=True):
    """One executor's try at a task.

    `served` is the model that answered, `version` that of the agent program, `malformed` the number of replies that
    could not be applied, `reply_format` the requested format, `pricing` the rates of the cost, `decision` the reason
    for this tier. `doubts` say why a person must review a proven change before it lands; `unknown_imports` are imports
    that no package provides.
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


class Record(Struct, frozen=True, kw_only=True):
    """An attempt with its spec, base and candidate: the unit of the ledger.

    `kind` is `attempt`, `landing` (the merge, or why it was refused), `lost` (killed during a call), or a call that is
    not an attempt: `plan`, `classify`, `review` or `message`. A call for several tasks has no spec.
    """

    task: str
    spec_path: str
    spec_blob: str
    target: str
    base: str
    anchor: str | None = None
    candidate: str | None = None
    merge: str | None = None
    tree: str | None = None
    started_at: str
    baseline_cost_usd: Decimal | None = None
    attempt: Attempt
    notes: tuple[str, ...] = ()
    kind: str = ATTEMPT

    @property
    def is_merged(self) -> bool:
        """Return True if the record names an attempt's merge."""
        return self.kind == LANDING and self.attempt.verdict is Verdict.MERGED

    @property
    def is_call(self) -> bool:
        """Return True for a model call apart from attempts; a person's answer is not a call."""
        return self.kind in CALLS and self.attempt.executor != PERSON


class TaskResult(Struct, frozen=True):
    """The result of a task for `exec` and `run`; `estimate` is one call of a chat model for the same change.

    `stops_run`: the key is refused, so all further calls would fail. `limited` names the executor whose limit is
    reached. `is_broken`: it merged, but its commands fail with later merges. `calls` are those apart from attempts,
    with their phase; cost and usage include them. `pull_request` is the URL of the pull request opened or updated.
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
    """Return the sum of amounts, or None if one of them is unknown."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
