"""Record the usage of models elsewhere, in a chat or an agent, so that the ledger includes the cost of planning.

The record of a transcript depends only on the transcript: it has no clock time, no commit, and no number that another
record could have. So two clones that record the same transcript write the same file, and a merge of their ledgers holds
it once. A record's notes list the answers that it covers: of a continued or copied session, only new answers are
recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context
from minitask.engine.task_records import ledger_of
from minitask.engine.tasks import PROJECTS, next_number
from minitask.errors import UsageError
from minitask.git import refs
from minitask.git.commits import write_commits
from minitask.git.repository import head_branch
from minitask.ledger.record import (
    CLASSIFY,
    MESSAGE,
    NO_USAGE,
    PLAN,
    REVIEW,
    Attempt,
    Pricing,
    Record,
    RecordedDecision,
    Usage,
    Verdict,
    plus,
)
from minitask.ledger.savings import total
from minitask.ledger.store import append_commit
from minitask.ledger.transcripts import Transcript, TranscriptAnswer, join, parse_transcript
from minitask.patterns import lazy_pattern
from minitask.policy.prices import cost
from minitask.task.record_attempt import moment
from minitask.values import grouped
from minitask.words import counted

DONE: Mapping[str, str] = {
    PLAN: "planned",
    REVIEW: "reviewed",
    CLASSIFY: "classified",
    MESSAGE: "written",
}
ANSWERS = "answers: "
"""Prefix of the note that lists the recorded answers."""
NO_USAGE_COUNTED = replace(NO_USAGE, reasoning_tokens=None)
"""Zero usage of a transcript, which never states reasoning tokens."""
ELSEWHERE = "elsewhere"
FREE = (Decimal(0), Pricing("subscription", {}))
SUBSCRIBED = "a flat subscription, so no extra cost"
DATED = lazy_pattern(r"-\d{8}$")
Price = tuple[Decimal | None, Pricing]


class UsageTerms(Struct, frozen=True):
    """How to record usage: its project and phase, the executor, and whether a subscription paid.

    `tier` None: the config's tier of the model, else frontier. `dry` writes nothing.
    """

    project: str
    phase: str = PLAN
    executor: str = ELSEWHERE
    tier: str | None = None
    note: str = ""
    subscription: bool = False
    dry: bool = False

    @property
    def task(self) -> str:
        """Return the task name of the records."""
        return f"{self.project}/@{self.phase}"


class RecordedUsage(Struct, frozen=True):
    """The records written, and their number of answers; `skipped` were recorded before, `doubled` more than once."""

    project: str
    records: tuple[Record, ...]
    new: int
    skipped: int = 0
    doubled: int = 0

    @property
    def cost_usd(self) -> Decimal | None:
        """Return the total of the known costs, or None if there are none."""
        return total(record.attempt.cost_usd for record in self.records)


def is_known(engine: Context, project: str) -> bool:
    """Return True if a project has specs, committed or not, or records."""
    top = engine.repository.top
    if top is not None and (top / PROJECTS / project).is_dir():
        return True
    paths = {"HEAD": f"{PROJECTS}/{project}", refs.LEDGER: project}
    commits = [(engine.objects.commit(name), path) for name, path in paths.items()]
    return any(commit and engine.objects.entry(commit, path) for commit, path in commits)


def record_figures(
    engine: Context, terms: UsageTerms, *, model: str, usage: Usage, billed_usd: Decimal | None
) -> RecordedUsage:
    """Record usage that the user counted; without a bill it is priced now, as requests of equal size."""
    now = engine.clock()
    price: Price
    if billed_usd is not None:
        price = billed_usd, Pricing("billed", {})
    elif terms.subscription:
        price = FREE
    else:
        price = _price_of(engine, model, usage, datetime.fromtimestamp(now, UTC))
    attached = engine.settings.target or head_branch(engine.repository)
    target = engine.target(None) if attached else ""
    attempt = _attempt(engine, terms, model, usage, price, reason="recorded by hand")
    record = _record(
        terms,
        replace(attempt, n=next_number(engine, terms.task)),
        base=engine.tip(target or "HEAD"),
        target=target,
        started_at=moment(now),
    )
    _append(engine, terms, [record])
    return RecordedUsage(terms.project, (record,), new=1)


def load_transcripts(path: Path) -> Transcript:
    """Return the answers in a transcript, or in all those below a folder; raise `UsageError` if there are none."""
    files = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise UsageError(
            f"--claude-code: no transcript (*.jsonl) is in {path}",
            hint="name a session's file or a folder such as ~/.claude/projects/-my-project",
        )
    transcript = join(parse_transcript(_text(file), session=file.stem) for file in files)
    if not transcript.answers:
        damaged = f" ({transcript.damaged} lines cannot be read)" if transcript.damaged else ""
        raise UsageError(
            f"--claude-code: no model answers in {path}{damaged}",
            hint="name a transcript of Claude Code: one JSON object a line",
        )
    return transcript


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(
            f"--claude-code: {file} cannot be read: {error.strerror or error}",
            hint="name an existing file or folder",
        ) from None


def narrow(
    answers: Sequence[TranscriptAnswer],
    *,
    session: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[TranscriptAnswer, ...]:
    """Return the answers of a session within a time range, ends included; raise `UsageError` for an unknown session."""
    sessions = sorted({answer.session for answer in answers})
    if session is not None and session not in sessions:
        raise UsageError(
            f"--session {session}: no answer of that session is in the transcripts",
            hint=f"they hold {', '.join(sessions[:3])}" + (" and others" if sessions[3:] else ""),
        )
    return tuple(
        answer
        for answer in answers
        if (session is None or answer.session == session)
        and (since is None or answer.at >= since)
        and (until is None or answer.at <= until)
    )


def record_answers(
    engine: Context, terms: UsageTerms, answers: Sequence[TranscriptAnswer]
) -> RecordedUsage:
    """Record the answers that no record of any project covers, as one record per session and model."""
    recorded = _known(engine)
    new = [answer for answer in answers if answer.digest not in recorded]
    groups = grouped(new, lambda answer: (answer.session, answer.model))
    records = [_of_session(engine, terms, group) for _, group in sorted(groups.items())]
    _append(engine, terms, records)
    doubled = sum(recorded[answer.digest] > 1 for answer in answers)
    return RecordedUsage(terms.project, tuple(records), len(new), len(answers) - len(new), doubled)


def _known(engine: Context) -> Counter[str]:
    """Return the number of records for each recorded answer."""
    notes = (note for record in ledger_of(engine).records for note in record.notes)
    return Counter(
        digest
        for note in notes
        if isinstance(note, str) and note.startswith(ANSWERS)
        for digest in set(note.removeprefix(ANSWERS).split())
    )


def _of_session(engine: Context, terms: UsageTerms, answers: Sequence[TranscriptAnswer]) -> Record:
    """Return the record of answers of one session and model, oldest first."""
    first, last = answers[0], answers[-1]
    usage = reduce(plus, (answer.usage for answer in answers), NO_USAGE_COUNTED)
    price = _price_all(engine, terms, answers)
    attempt = _attempt(
        engine, terms, first.model, usage, price, reason="recorded from a transcript"
    )
    aside = sum(answer.is_sidechain for answer in answers)
    count = counted(len(answers), "answer")
    summary = f"claude-code session {first.session}: {count} up to {_stamp(last.at)}"
    return _record(
        terms,
        replace(attempt, seconds=(last.at - first.at).total_seconds()),
        base=refs.zeros(engine.repository.object_format),
        target="",
        started_at=_stamp(first.at),
        notes=[
            summary + (f", {aside} by sub-agents" if aside else ""),
            ANSWERS + " ".join(sorted(answer.digest for answer in answers)),
        ],
    )


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def _record(
    terms: UsageTerms,
    attempt: Attempt,
    *,
    base: str,
    target: str,
    started_at: str,
    notes: Iterable[str] = (),
) -> Record:
    all_notes = [*notes, *([SUBSCRIBED] if terms.subscription else []), terms.note]
    return Record(
        task=terms.task,
        spec_path="",
        spec_blob="",
        target=target,
        base=base,
        started_at=started_at,
        attempt=attempt,
        notes=tuple(filter(None, all_notes)),
        kind=terms.phase,
    )


def _attempt(
    engine: Context, terms: UsageTerms, model: str, usage: Usage, price: Price, *, reason: str
) -> Attempt:
    """Return usage elsewhere as an attempt, always numbered 1, so that two clones write the same."""
    tiers = {entry.model: name for name, entry in reversed(list(engine.settings.tiers.items()))}
    why = f"{reason}: {DONE[terms.phase]} elsewhere"
    return Attempt(
        n=1,
        tier=terms.tier or tiers.get(_listed(model, tiers), "frontier"),
        executor=terms.executor,
        model=model,
        verdict=Verdict.READY,
        gate="",
        reason=why,
        usage=usage,
        cost_usd=price[0],
        seconds=0.0,
        sandbox="none",
        pricing=price[1],
        decision=RecordedDecision(reason=why),
    )


def _append(engine: Context, terms: UsageTerms, records: Sequence[Record]) -> None:
    """Append records to the ledger, all or none."""
    if terms.dry or not records:
        return
    with engine.writing:
        head = engine.ledger_head()
        commit = append_commit(records, head=head, signature=engine.signature)
        write_commits(engine.database, [commit])


def _listed(model: str, names: Iterable[str]) -> str:
    """Return the config's name of a model: transcripts add the release date, configs rarely do."""
    short = DATED.sub("", model)
    configured = set(names)
    return short if model not in configured and short in configured else model


def _price_all(engine: Context, terms: UsageTerms, answers: Sequence[TranscriptAnswer]) -> Price:
    """Return the cost of one model's answers, priced one by one: prices depend on the day, some on prompt size."""
    if terms.subscription:
        return FREE
    prices = [_price_of(engine, answer.model, answer.usage, answer.at) for answer in answers]
    costs = [cost for cost, _ in prices]
    return (None if None in costs else total(costs)), prices[-1][1]


def _price_of(engine: Context, model: str, usage: Usage, at: datetime) -> Price:
    """Return the cost of a model's usage by the config's prices, or the price list's; None if neither has the model."""
    configured = engine.settings.prices
    name = _listed(model, configured)
    requests = usage.requests or 1
    per_request, remainder = _shares(usage, requests)
    last = cost(name, remainder, configured, at=at)
    priced = cost(name, per_request, configured, at=at) if requests > 1 else last
    pricing = last.pricing
    if priced.cost_usd is None or last.cost_usd is None:
        return None, pricing
    return priced.cost_usd * (requests - 1) + last.cost_usd, pricing


def _shares(usage: Usage, requests: int) -> tuple[Usage, Usage]:
    """Split usage into `requests` equal requests; return one of them, and the last, which has the remainder."""
    cached = (
        usage.cached_input_tokens or 0,
        usage.cache_write_tokens or 0,
        usage.cache_write_1h_tokens or 0,
    )
    parts = ((usage.input_tokens or 0) - sum(cached), *cached, usage.output_tokens or 0)
    per_request = [part // requests for part in parts]
    remainder = [part - (requests - 1) * (part // requests) for part in parts]
    one_request, last = (
        Usage(1, sum(share[:4]), share[1], share[4], share[2], share[3])
        for share in (per_request, remainder)
    )
    return one_request, last
