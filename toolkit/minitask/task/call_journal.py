"""The journal of paid calls: each request before it is sent, and its answer, until a record holds them.

A process that is killed while a call is under way leaves a note of it; the next one puts the lost attempt on record.
One that is killed behind the answer leaves the answer; the same order takes it instead of asking again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

from minitask.edits.script_model import Change
from minitask.executors.request import ExecutorResult
from minitask.ledger.record import Pricing, money
from minitask.ledger.record_json import parse_money, parse_pricing, pricing_document
from minitask.ledger.usage import Usage
from minitask.system.files import write_json
from minitask.task.meter import MeterReading

FOLDER = "paid"
IMPLEMENT = "implement"
NOTE, ANSWER, RECORD = ".sent.json", ".json", ".record"


class CallKey(Struct, frozen=True):
    """The identity of a call to an executor, with all that its record needs. `history` tells its rounds apart.

    `phase` is `implement` or that of a question, and `subject` a digest of what was asked then. A question that is
    about no one spec has neither its path nor its blob.
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
        """Return the name of its files."""
        question = () if self.phase == IMPLEMENT else (self.phase, self.subject)
        call_digest = _digest(self.base, self.executor, self.model, str(self.history), *question)
        return f"{_spec_digest(self.task, self.spec_blob)}-{call_digest}"


class Answered(Struct, frozen=True):
    """Work that was paid for, its cost in US dollars (None: unknown), and by which rates."""

    work: ExecutorResult
    cost_usd: Decimal | None
    pricing: Pricing | None = None


class InterruptedCall(Struct, frozen=True):
    """A call that was under way when its process ended, or one whose answer came and was never recorded."""

    key: CallKey
    reading: MeterReading
    path: Path
    answered: Answered | None = None


def answer(home: Path, key: CallKey, ask: Callable[[], Answered]) -> Answered:
    """Return the answer that was paid for and never recorded, if there is one for this very call; else the
    result of `ask`.
    """
    path = home / FOLDER / f"{key.name}{ANSWER}"
    answered = _read_answer(path)
    if answered is not None:
        return answered
    answered = ask()
    if answered.work.usage.requests != 0:
        with suppress(OSError):  # it is in hand, and about to be recorded
            write_json(path, _document(key, answered))
    return answered


def note(home: Path, key: CallKey, reading: MeterReading) -> None:
    """Write down that a call is about to be made, and what its task has cost so far."""
    document = {
        "errand": to_builtins(key),
        "spent": to_builtins(reading.usage),
        "spent_usd": money(reading.spent_usd),
        "under_way": to_builtins(reading.under_way),
    }
    write_json(home / FOLDER / f"{key.name}{NOTE}", document)


def announce(home: Path, key: CallKey, record: str) -> None:
    """Write down which file of the ledger is about to hold the result of a call that was paid for."""
    folder = home / FOLDER
    if any((folder / f"{key.name}{end}").exists() for end in (NOTE, ANSWER)):
        (folder / f"{key.name}{RECORD}").write_text(record, "utf-8")


def settle(home: Path, key: CallKey) -> None:
    """Remove the entries of a call: a record holds its result."""
    _settle(home, key.name)


def settle_recorded(home: Path, is_recorded: Callable[[str], bool]) -> None:
    """Remove journal entries that are in the ledger already: their process was killed before it removed them."""
    for path in _files(home, end=RECORD):
        if is_recorded(path.read_text("utf-8", "replace")):
            _settle(home, path.name.removesuffix(RECORD))
        path.unlink(missing_ok=True)


def _settle(home: Path, name: str) -> None:
    for end in (
        NOTE,
        ANSWER,
        RECORD,
    ):  # the record's name goes last: it says that the others are settled
        (home / FOLDER / f"{name}{end}").unlink(missing_ok=True)


def unused(home: Path) -> Iterator[InterruptedCall]:
    """Yield the answers that were paid for and not used; each is lost if its call is never made again."""
    for path in _files(home, end=ANSWER):
        if path.name.endswith(NOTE):
            continue
        answered, key = _read_answer(path), _read_key(path)
        if answered is not None and key is not None:
            usage = answered.work.usage
            yield InterruptedCall(key, MeterReading(usage, answered.cost_usd), path, answered)


def base_of(home: Path, task: str, blob: str) -> str | None:
    """Return the base that a kept answer to a task's first order was given for; None if none is kept."""
    for path in _files(home, start=f"{_spec_digest(task, blob)}-", end=ANSWER):
        key = None if path.name.endswith(NOTE) else _read_key(path)
        if key is not None and key.history == 0 and key.phase == IMPLEMENT:
            return key.base
    return None


def lost(home: Path) -> Iterator[InterruptedCall]:
    """Yield the calls that were under way when a process ended; one whose answer was kept is not lost."""
    for path in _files(home, end=NOTE):
        if path.with_name(path.name.removesuffix(NOTE) + ANSWER).exists():
            path.unlink(missing_ok=True)
            continue
        call = _read_note(path)
        if call is None:
            path.unlink(missing_ok=True)
        else:
            yield call


def _files(home: Path, *, start: str = "", end: str) -> list[Path]:
    """Return what is kept under names with this start and end, in order."""
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
        json.dumps(document, ensure_ascii=False).encode(
            "utf-8", "surrogateescape"
        )  # raises for half a character
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


def _spec_digest(task: str, blob: str) -> str:
    """Return what the names of all files of a task's orders begin with: those of one version of its spec."""
    return _digest(task, blob)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:24]
