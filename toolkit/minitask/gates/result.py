"""What a gate says."""

from __future__ import annotations

from minitask.ledger.record import CommandRecord
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class GateResult:
    """Whether the gate lets the attempt pass, why not, and what it ran to find out."""

    gate: str
    passed: bool
    reason: str = ""
    refused: bool = False
    commands: tuple[CommandRecord, ...] = ()
    sandbox: str = ""
