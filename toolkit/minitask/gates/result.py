"""What a gate says."""

from __future__ import annotations

from msgspec import Struct

from minitask.ledger.record import CommandRecord


class GateResult(Struct, frozen=True):
    """Whether the gate lets the attempt pass, why not, and what it ran to find out."""

    gate: str
    passed: bool
    reason: str = ""
    refused: bool = False
    commands: tuple[CommandRecord, ...] = ()
    sandbox: str = ""
