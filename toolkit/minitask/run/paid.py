"""Calls that cost money, on disk until a record holds them: what was asked, before the answer came, and the answer.

A process that is killed while a call is under way leaves a note of it; the next one puts the lost attempt on record.
One that is killed behind the answer leaves the answer; the same order takes it instead of asking again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from minitask.edits.model import Change
from minitask.executors.model import Work
from minitask.ledger.record import Pricing
from minitask.ledger.usage import Usage
from minitask.run.meter import Reading
from minitask.values import dataclass

FOLDER = "paid"
NOTE, ANSWER, RECORD = ".sent.json", ".json", ".record"


@dataclass(frozen=True, slots=True)
class Errand:
    """One order to one executor, with all that a record of it needs. `history` tells its rounds apart."""

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

    @property
    def name(self) -> str:
        """The name of its files."""
        key = [self.task, self.spec_blob, self.base, self.executor, self.model]
        if self.history:
            key.append(str(self.history))
        text = "\0".join(key).encode("utf-8", "surrogateescape")
        return hashlib.sha256(text).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Answered:
    """Work that was paid for, its cost in US dollars (None: unknown), and by which rates."""

    work: Work
    cost_usd: Decimal | None
    pricing: Pricing | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A call that was under way when its process ended, or one whose answer came and was never recorded."""

    errand: Errand
    reading: Reading
    path: Path
    answered: Answered | None = None


def answer(home: Path, errand: Errand, ask: Callable[[], Answered]) -> Answered:
    """The work that was paid for and never recorded, if there is some for this very order; else what `ask` gives."""
    path = home / FOLDER / f"{errand.name}{ANSWER}"
    kept = _read_answer(path)
    if kept is not None:
        return kept
    done = ask()
    if done.work.usage.requests != 0:
        _write(path, _document(errand, done))
    return done


def note(home: Path, errand: Errand, reading: Reading) -> None:
    """Write down that a call is about to be made, and what was spent on the order before it."""
    held = {
        "errand": asdict(errand),
        "spent": asdict(reading.usage),
        "spent_usd": _text(reading.spent_usd),
        "under_way": asdict(reading.under_way),
    }
    _write(home / FOLDER / f"{errand.name}{NOTE}", held)


def announce(home: Path, errand: Errand, record: str) -> None:
    """Write down which file of the ledger is about to hold what came of an order that money was spent on."""
    folder = home / FOLDER
    if any((folder / f"{errand.name}{end}").exists() for end in (NOTE, ANSWER)):
        (folder / f"{errand.name}{RECORD}").write_text(record, "utf-8")


def settle(home: Path, errand: Errand) -> None:
    """Forget the order: a record holds what came of it."""
    _settle(home, errand.name)


def settle_recorded(home: Path, is_recorded: Callable[[str], bool]) -> None:
    """Forget the orders whose process was killed when their record was written, and not all of their files removed."""
    for path in sorted((home / FOLDER).glob(f"*{RECORD}")):
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


def unused(home: Path) -> Iterator[Lost]:
    """The answers that were kept; each is lost if its order is never given again."""
    for path in sorted((home / FOLDER).glob(f"*{ANSWER}")):
        if path.name.endswith(NOTE):
            continue
        answered, errand = _read_answer(path), _read_errand(path)
        if answered is not None and errand is not None:
            usage = answered.work.usage
            yield Lost(errand, Reading(usage, answered.cost_usd), path, answered)


def base_of(home: Path, task: str, blob: str) -> str | None:
    """The base that a kept answer to a task's first order was given for; None where none is kept."""
    for found in unused(home):
        errand = found.errand
        if (errand.task, errand.spec_blob, errand.history) == (task, blob, 0):
            return errand.base
    return None


def lost(home: Path) -> Iterator[Lost]:
    """The calls that were under way when a process ended; one whose answer was kept is not lost."""
    for path in sorted((home / FOLDER).glob(f"*{NOTE}")):
        if path.with_name(path.name.removesuffix(NOTE) + ANSWER).exists():
            path.unlink(missing_ok=True)
            continue
        found = _read_note(path)
        if found is None:
            path.unlink(missing_ok=True)
        else:
            yield found


def _read_note(path: Path) -> Lost | None:
    try:
        held = json.loads(path.read_text("utf-8", "surrogateescape"))
        reading = Reading(
            Usage(**held["spent"]), _amount(held["spent_usd"]), Usage(**held["under_way"])
        )
        return Lost(Errand(**held["errand"]), reading, path)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _read_answer(path: Path) -> Answered | None:
    try:
        held = json.loads(path.read_text("utf-8", "surrogateescape"))
        work = Work(
            changes=tuple(Change(**item) for item in held["changes"]),
            usage=Usage(**held["usage"]),
            model=held["model"],
            reply=held["reply"],
            cost_usd=_amount(held["cost_usd"]),
            served=held["served"],
            version=held["version"],
            malformed=held["malformed"],
        )
        return Answered(work, _amount(held["paid_usd"]), _pricing(held["pricing"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _document(errand: Errand, done: Answered) -> dict[str, Any]:
    held: dict[str, Any] = asdict(done.work) | {"cost_usd": _text(done.work.cost_usd)}
    rates = done.pricing and {name: str(rate) for name, rate in done.pricing.rates.items()}
    pricing = done.pricing and {"source": done.pricing.source, "rates": rates}
    return held | {
        "paid_usd": _text(done.cost_usd),
        "pricing": pricing,
        "errand": asdict(errand),
    }


def _pricing(held: dict[str, Any] | None) -> Pricing | None:
    if held is None:
        return None
    return Pricing(held["source"], {name: Decimal(rate) for name, rate in held["rates"].items()})


def _read_errand(path: Path) -> Errand | None:
    try:
        return Errand(**json.loads(path.read_text("utf-8", "surrogateescape"))["errand"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _write(path: Path, held: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        json.dump(held, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
