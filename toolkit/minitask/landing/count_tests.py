"""Counts the tests that a session's commands ran, from what their test runners print."""

from __future__ import annotations

from collections.abc import Sequence

from minitask.gates.prefilter import may_run_tests
from minitask.ledger.evidence import SuiteCounts
from minitask.spec.model import Command


class TestReader:
    """Reads the summaries of test runners as commands end; `found` has the counts by the command's place."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.found: dict[int, SuiteCounts] = {}
        self._texts = {
            place: command.text
            for place, command in enumerate(commands)
            if may_run_tests(command.text)
        }

    def read(self, place: int, output: bytes) -> None:
        """Take all that a command printed."""
        if place not in self._texts:
            return
        from minitask.gates.test_reports import read_counts
        from minitask.gates.test_runners import find_suites

        suites = find_suites(self._texts[place])
        counts = read_counts(suites, output) if suites else None
        if counts is not None:
            self.found[place] = counts
