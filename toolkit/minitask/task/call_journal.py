"""Calls that cost money, on disk until a record holds them: what was asked, before the answer came, and the answer.

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
    """One order to one executor, with all that a record of it needs. `history` tells its rounds apart.

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
        told = () if self.phase == IMPLEMENT else (self.phase, self.subject)
        rest = _digest(self.base, self.executor, self.model, str(self.history), *told)
        return f"{_spec_digest(self.task, self.spec_blob)}-{rest}"


class Answered(Struct, frozen=True):
    """Work that was paid for, its cost in US dollars (None: unknown), and by which rates."""

    work: ExecutorResult
    cost_usd: Decimal | None
    pricing: Pricing | None = None


class InterruptedCall(Struct, frozen=True):
    """A call that was under way when its process ended, or one whose answer came and was never recorded."""

    errand: CallKey
    reading: MeterReading
    path: Path
    answered: Answered | None = None


def answer(home: Path, errand: CallKey, ask: Callable[[], Answered]) -> Answered:
    """Return the work that was paid for and never recorded, if there is some for this very order; else what `ask`
    gives.
    """
    path = home / FOLDER / f"{errand.name}{ANSWER}"
    kept = _read_answer(path)
    if kept is not None:
        return kept
    done = ask()
    if done.work.usage.requests != 0:
        with suppress(OSError):  # it is in hand, and about to be recorded
            write_json(path, _document(errand, done))
    return done


def note(home: Path, errand: CallKey, reading: MeterReading) -> None:
    """Write down that a call is about to be made, and what was spent on the order before it."""
    held = {
        "errand": to_builtins(errand),
        "spent": to_builtins(reading.usage),
        "spent_usd": money(reading.spent_usd),
        "under_way": to_builtins(reading.under_way),
    }
    write_json(home / FOLDER / f"{errand.name}{NOTE}", held)


def announce(home: Path, errand: CallKey, record: str) -> None:
    """Write down which file of the ledger is about to hold the result of an order that money was spent on."""
    folder = home / FOLDER
    if any((folder / f"{errand.name}{end}").exists() for end in (NOTE, ANSWER)):
        (folder / f"{errand.name}{RECORD}").write_text(record, "utf-8")


def settle(home: Path, errand: CallKey) -> None:
    """Forget the order: a record holds its result."""
    _settle(home, errand.name)


def settle_recorded(home: Path, is_recorded: Callable[[str], bool]) -> None:
    """Forget the orders whose process was killed when their record was written, and not all of their files removed."""
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
    """Yield the answers that were kept; each is lost if its order is never given again."""
    for path in _files(home, end=ANSWER):
        if path.name.endswith(NOTE):
            continue
        answered, errand = _read_answer(path), _read_errand(path)
        if answered is not None and errand is not None:
            usage = answered.work.usage
            yield InterruptedCall(errand, MeterReading(usage, answered.cost_usd), path, answered)


def base_of(home: Path, task: str, blob: str) -> str | None:
    """Return the base that a kept answer to a task's first order was given for; None if none is kept."""
    for path in _files(home, start=f"{_spec_digest(task, blob)}-", end=ANSWER):
        errand = None if path.name.endswith(NOTE) else _read_errand(path)
        if errand is not None and errand.history == 0 and errand.phase == IMPLEMENT:
            return errand.base
    return None


def lost(home: Path) -> Iterator[InterruptedCall]:
    """Yield the calls that were under way when a process ended; one whose answer was kept is not lost."""
    for path in _files(home, end=NOTE):
        if path.with_name(path.name.removesuffix(NOTE) + ANSWER).exists():
            path.unlink(missing_ok=True)
            continue
        found = _read_note(path)
        if found is None:
            path.unlink(missing_ok=True)
        else:
            yield found


def _files(home: Path, *, start: str = "", end: str) -> list[Path]:
    """Return what is kept under names with this start and end, in order."""
    folder = home / FOLDER
    try:
        names = os.listdir(folder)  # noqa: PTH208 - for every task
    except FileNotFoundError:
        return []
    found = sorted(name for name in names if name.startswith(start) and name.endswith(end))
    return [folder / name for name in found]


def _read_note(path: Path) -> InterruptedCall | None:
    try:
        held = json.loads(path.read_text("utf-8", "surrogateescape"))
        reading = MeterReading(
            Usage(**held["spent"]), parse_money(held["spent_usd"]), Usage(**held["under_way"])
        )
        return InterruptedCall(CallKey(**held["errand"]), reading, path)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _read_answer(path: Path) -> Answered | None:
    try:
        held = json.loads(path.read_text("utf-8", "surrogateescape"))
        json.dumps(held, ensure_ascii=False).encode(
            "utf-8", "surrogateescape"
        )  # raises for half a character
        work = ExecutorResult(
            changes=tuple(Change(**item) for item in held["changes"]),
            usage=Usage(**held["usage"]),
            model=held["model"],
            reply=held["reply"],
            cost_usd=parse_money(held["cost_usd"]),
            served=held["served"],
            version=held["version"],
            malformed=held["malformed"],
            outage=held.get("outage", ""),
        )
        return Answered(work, parse_money(held["paid_usd"]), parse_pricing(held["pricing"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _document(errand: CallKey, done: Answered) -> dict[str, Any]:
    held: dict[str, Any] = to_builtins(done.work) | {"cost_usd": money(done.work.cost_usd)}
    return held | {
        "paid_usd": money(done.cost_usd),
        "pricing": pricing_document(done.pricing),
        "errand": to_builtins(errand),
    }


def _read_errand(path: Path) -> CallKey | None:
    try:
        return CallKey(**json.loads(path.read_text("utf-8", "surrogateescape"))["errand"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _spec_digest(task: str, blob: str) -> str:
    """Return what the names of all files of a task's orders begin with: those of one version of its spec."""
    return _digest(task, blob)


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()[:24]
