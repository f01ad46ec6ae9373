"""Paid calls: a journal of them on disk until a record contains them.

A process killed during a call leaves a note, from which the next one records the lost attempt. A process killed after
the reply leaves the reply, which the same call reuses.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.executors.request import ExecutorRequest, ExecutorResult
from minitask.ledger.record import Pricing, Usage, money
from minitask.ledger.record_json import parse_money, parse_pricing, pricing_document
from minitask.policy.budget import MeterReading, TaskMeter
from minitask.routing.requests import prompt_tokens
from minitask.system.files import write_json

BATCH_SECONDS = 26 * 3600.0
"""Timeout of a batch, which providers complete within a day."""


def metered(order: ExecutorRequest, meter: TaskMeter, *, waits: bool = False) -> ExecutorRequest:
    """Return the order with its meter, and an output limit that the budget allows; `waits` for room if necessary."""
    if order.max_output_tokens is None:
        return replace(order, meter=meter)
    fitting = meter.fitting(
        input_tokens=prompt_tokens(order), output_tokens=order.max_output_tokens, waits=waits
    )
    return replace(order, meter=meter, max_output_tokens=fitting)


FOLDER = "paid"
IMPLEMENT = "implement"
NOTE, ANSWER, RECORD = ".sent.json", ".json", ".record"


class CallKey(Struct, frozen=True):
    """Identity of a call to an executor, with the data for its record. `history` distinguishes its rounds.

    `phase` is `implement` or a question's phase, and `subject` a digest of the question. A question about no single
    spec has no path and no blob.
    """

    task: str
    spec_path: str
    spec_blob: str
    target: str
    base: str
    tier: str
    executor: str
    model: str
    base_url: str = ""
    history: int = 0
    phase: str = IMPLEMENT
    subject: str = ""

    @property
    def name(self) -> str:
        """Return the stem of its file names."""
        question = () if self.phase == IMPLEMENT else (self.phase, self.subject)
        call_digest = _digest(self.base, self.executor, self.model, str(self.history), *question)
        return f"{_digest(self.task, self.spec_blob)}-{call_digest}"


class Answered(Struct, frozen=True):
    """Paid work, its cost in US dollars (None: unknown), and the rates."""

    work: ExecutorResult
    cost_usd: Decimal | None
    pricing: Pricing | None = None


class InterruptedCall(Struct, frozen=True):
    """A call in progress when its process ended, or one whose reply was never recorded."""

    key: CallKey
    reading: MeterReading
    path: Path
    answered: Answered | None = None


def answer(home: Path, key: CallKey, ask: Callable[[], Answered]) -> Answered:
    """Return the paid but unrecorded reply to this call, if any; else the result of `ask`."""
    path = home / FOLDER / f"{key.name}{ANSWER}"
    if answered := _read_answer(path):
        return answered
    answered = ask()
    if answered.work.usage.requests != 0:
        with suppress(OSError):  # the reply is in memory, and recorded next
            write_json(path, _document(key, answered))
    return answered


def note(home: Path, key: CallKey, reading: MeterReading) -> None:
    """Note that a call is about to be made, and what its task has cost so far."""
    document = {
        "errand": to_builtins(key),
        "spent": to_builtins(reading.usage),
        "spent_usd": money(reading.spent_usd),
        "under_way": to_builtins(reading.under_way),
    }
    write_json(home / FOLDER / f"{key.name}{NOTE}", document)


def noting(home: Path, key: CallKey, *, batched: bool) -> Callable[[MeterReading], None]:
    """Return the function that notes the call; one that does nothing for a batch, which has a journal of its own."""
    return (lambda _reading: None) if batched else partial(note, home, key)


def announce(home: Path, key: CallKey, record: str) -> None:
    """Note which ledger file will contain the result of a paid call."""
    folder = home / FOLDER
    if any((folder / f"{key.name}{end}").exists() for end in (NOTE, ANSWER)):
        (folder / f"{key.name}{RECORD}").write_text(record, "utf-8")


def settle_recorded(home: Path, is_recorded: Callable[[str], bool]) -> None:
    """Remove entries that are already in the ledger: their process was killed before it removed them."""
    for path in _files(home, end=RECORD):
        if is_recorded(path.read_text("utf-8", "replace")):
            settle(home, path.name.removesuffix(RECORD))
        path.unlink(missing_ok=True)


def settle(home: Path, name: str) -> None:
    """Remove the entries of a recorded call, by its key's name."""
    # RECORD last: it shows that the others are settled.
    for end in (NOTE, ANSWER, RECORD):
        (home / FOLDER / f"{name}{end}").unlink(missing_ok=True)


def unused(home: Path) -> Iterator[InterruptedCall]:
    """Yield paid replies that were not used; each is lost if its call is never made again."""
    for path in _files(home, end=ANSWER):
        if path.name.endswith(NOTE):
            continue
        answered, key = _read_answer(path), _read_key(path)
        if answered is not None and key is not None:
            usage = answered.work.usage
            yield InterruptedCall(key, MeterReading(usage, answered.cost_usd), path, answered)


def base_of(home: Path, task: str, blob: str) -> str | None:
    """Return the base of an unused reply to the task's first call; None if there is none."""
    for path in _files(home, start=f"{_digest(task, blob)}-", end=ANSWER):
        key = None if path.name.endswith(NOTE) else _read_key(path)
        if key is not None and key.history == 0 and key.phase == IMPLEMENT:
            return key.base
    return None


def lost(home: Path) -> Iterator[InterruptedCall]:
    """Yield the calls in progress when a process ended; one with a reply is not lost."""
    for path in _files(home, end=NOTE):
        if path.with_name(path.name.removesuffix(NOTE) + ANSWER).exists():
            path.unlink(missing_ok=True)
            continue
        if call := _read_note(path):
            yield call
        else:
            path.unlink(missing_ok=True)


def _files(home: Path, *, start: str = "", end: str) -> list[Path]:
    """Return the journal files whose names start and end so, sorted."""
    folder = home / FOLDER
    try:
        names = os.listdir(folder)  # noqa: PTH208 - for every task
    except FileNotFoundError:
        return []
    matches = sorted(name for name in names if name.startswith(start) and name.endswith(end))
    return [folder / name for name in matches]


def _read_note(path: Path) -> InterruptedCall | None:
    try:
        document = json.loads(path.read_text("utf-8", "surrogateescape"))
        reading = MeterReading(
            Usage(**document["spent"]),
            parse_money(document["spent_usd"]),
            Usage(**document["under_way"]),
        )
        return InterruptedCall(CallKey(**document["errand"]), reading, path)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _read_answer(path: Path) -> Answered | None:
    try:
        document = json.loads(path.read_text("utf-8", "surrogateescape"))
        # Raises for a lone surrogate.
        json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")
        work = ExecutorResult(
            changes=tuple(Change(**item) for item in document["changes"]),
            usage=Usage(**document["usage"]),
            model=document["model"],
            reply=document["reply"],
            cost_usd=parse_money(document["cost_usd"]),
            served=document["served"],
            version=document["version"],
            malformed=document["malformed"],
            outage=document.get("outage", ""),
        )
        return Answered(work, parse_money(document["paid_usd"]), parse_pricing(document["pricing"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _document(key: CallKey, answered: Answered) -> dict[str, Any]:
    work: dict[str, Any] = to_builtins(answered.work) | {"cost_usd": money(answered.work.cost_usd)}
    return work | {
        "paid_usd": money(answered.cost_usd),
        "pricing": pricing_document(answered.pricing),
        "errand": to_builtins(key),
    }


def _read_key(path: Path) -> CallKey | None:
    try:
        return CallKey(**json.loads(path.read_text("utf-8", "surrogateescape"))["errand"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]
