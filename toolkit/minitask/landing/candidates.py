"""A candidate for the target, and the result of merging it."""

from __future__ import annotations

from msgspec import Struct

from minitask.landing.proof import Proof
from minitask.ledger.record import Attempt, Verdict


class Candidate(Struct, frozen=True):
    """A proven candidate: its commit and tree, the attempt that made it, and the merge if one is written.

    `base` is the commit that its change starts from; None for the candidate's first parent.
    """

    commit: str
    tree: str
    attempt: Attempt
    merge: str | None = None
    base: str | None = None


class Landed(Struct, frozen=True):
    """The result of the landing. `proof` is that of the merge, where it had to be run."""

    verdict: Verdict
    merge: str | None = None
    reason: str = ""
    proof: Proof | None = None
    next_step: str = ""
