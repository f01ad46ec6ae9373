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
from minitask.ledger.usage import Usage
from minitask.run.meter import Reading
from minitask.values import dataclass

FOLDER = "paid"
NOTE, ANSWER = ".sent.json", ".json"


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
    """Work that was paid for, and its cost in US dollars (None: unknown)."""

    work: Work
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A call that was under way when its process ended."""

    errand: Errand
    reading: Reading
    path: Path


def answer(home: Path, errand: Errand, ask: Callable[[], Answered]) -> Answered:
    """The work that was paid for and never recorded, if there is some for this very order; else what `ask` gives."""
    path = home / FOLDER / f"{errand.name}{ANSWER}"
    kept = _read_answer(path)
    if kept is not None:
        return kept
    done = ask()
    if done.work.usage.requests != 0:
        held = _plain(asdict(done.work)) | {"paid_usd": _text(done.cost_usd)}
        _write(path, held)
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


def settle(home: Path, errand: Errand) -> None:
    """Forget the order: a record holds what came of it."""
    for end in (NOTE, ANSWER):
        (home / FOLDER / f"{errand.name}{end}").unlink(missing_ok=True)


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
        return Answered(work, _amount(held["paid_usd"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError):
        return None


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    return held | {"cost_usd": _text(held["cost_usd"])}


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
