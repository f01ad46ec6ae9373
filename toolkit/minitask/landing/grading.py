"""Grade a proof: count how many faults, planted in the lines that a change added, its own validation notices.

Grading follows the proof, takes at most as long as the validation did (three times that if a percentage is required),
and fails no task: its own errors become a note.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from minitask.concurrency import BackgroundCall
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import MinitaskError
from minitask.gates.validation.mutants import Mutant, find_mutants, is_graded
from minitask.git.commits import FileWrite
from minitask.git.objects import FILE_MODES
from minitask.landing.candidate_commits import write_draft
from minitask.landing.run_commands import run_on
from minitask.ledger.record import NOTHING_PLANTED, CommandRecord, FileRecord, Grade, Missed
from minitask.settings import OFF, stricter_grade
from minitask.words import counted

LEAST_SECONDS, MOST_SECONDS = 0.4, 10.0
"""Limits of the time for planting; in less time, not even a command of some milliseconds can be repeated."""
TIMES, STRICT_LEAST_SECONDS = 3, 5.0
"""For a required percentage: the multiple of the validation's time, and the minimum in seconds."""
LOOP_SECONDS = 2.0
"""A mutant that runs longer than this, and three times as long as the proof, counts as endless, so as noticed."""


class Graded(Struct, frozen=True):
    """A proven candidate, the records of its validation, and the files that it changes.

    `may_share`: a second core is probably free.
    """

    task: Task
    commit: str
    commands: tuple[CommandRecord, ...]
    files: tuple[FileRecord, ...]
    may_share: bool = True

    @property
    def seconds(self) -> float:
        """Return the time of the validation."""
        return sum(command.seconds for command in self.commands)


def _required_grade(engine: Context, task: Task) -> str | int:
    """Return the grade that a task requires: the stricter one of the settings and the spec."""
    return stricter_grade(engine.settings.grade, task.spec.options.grade)


def grade(engine: Context, graded: Graded, *, required: str | int | None = None) -> Grade | None:
    """Return how many planted faults the validation notices, or None if no grade is required.

    `required` replaces the grade that the settings and the spec require.
    """
    required = required or _required_grade(engine, graded.task)
    if required == OFF or not graded.task.spec.commands or not graded.files:
        return None
    try:
        mutants = _plant(engine, graded)
        if not mutants:
            return NOTHING_PLANTED
        return _Trial(engine, graded, budget=_budget(graded, required)).run(mutants)
    except (MinitaskError, OSError, RuntimeError) as error:
        return Grade(0, 0, note=f"planting faults failed: {error}")


def shortfall(engine: Context, task: Task, score: Grade | None) -> str:
    """Return why a grade keeps a task from landing, or "" if it does not."""
    required = _required_grade(engine, task)
    if (
        not isinstance(required, int)
        or score is None
        or not score.planted
        or score.percent >= required
    ):
        return ""
    where = ", ".join(
        f"{missed.path}:{missed.line} ({missed.mutant})" for missed in score.missed[:4]
    )
    return f"{score}, and {required} % is required; missed: {where}"


def _plant(engine: Context, graded: Graded) -> tuple[Mutant, ...]:
    """Return the faults to plant in the new lines of a candidate."""
    paths = [file.path for file in graded.files if file.status != "D" and is_graded(file.path)]
    texts = ((path, engine.objects.file(graded.commit, path)) for path in paths)
    present = {path: text for path, text in texts if text is not None}
    if not present:
        return ()
    return find_mutants(present, base_lines(engine, graded.task, graded.files))


def base_lines(engine: Context, task: Task, files: Iterable[FileRecord]) -> frozenset[str]:
    """Return the stripped lines of the base's files that a change touches or its spec lists."""
    paths = [*(file.path for file in files), *(ref.path for ref in task.spec.files)]
    texts = (engine.objects.file(task.base, path) or "" for path in dict.fromkeys(paths))
    return frozenset(line.strip() for text in texts for line in text.split("\n"))


def _budget(graded: Graded, required: str | int) -> float:
    if isinstance(required, int):
        return max(STRICT_LEAST_SECONDS, TIMES * graded.seconds)
    return min(max(LEAST_SECONDS, graded.seconds), MOST_SECONDS)


class _Trial:
    """Runs the validation on one mutant after another, on two cores if available, until time is up."""

    def __init__(self, engine: Context, graded: Graded, *, budget: float) -> None:
        self._engine = engine
        self._graded = graded
        self._end = time.monotonic() + budget
        self._noticed: list[Mutant] = []
        self._missed: list[Mutant] = []
        self._lock = threading.Lock()

    def run(self, mutants: Sequence[Mutant]) -> Grade:
        """Return the grade by all mutants that can be tried in time."""
        remaining = iter(mutants)

        def work() -> None:
            while time.monotonic() < self._end:
                with self._lock:
                    mutant = next(remaining, None)
                if mutant is None:
                    return
                self._try(mutant)

        is_shared = self._graded.may_share and (os.cpu_count() or 1) > 1 and len(mutants) > 1
        helper = BackgroundCall(work) if is_shared else None
        try:
            work()
        finally:
            if helper:
                helper.wait()
        if helper:
            helper.result()
        tried = len(self._noticed) + len(self._missed)
        note = f"time ran out after {tried} of {counted(len(mutants), 'fault')}"
        missed = sorted(self._missed, key=lambda mutant: (mutant.path, mutant.line))
        return Grade(
            tried,
            len(self._noticed),
            tuple(Missed(mutant.path, mutant.line, mutant.fault) for mutant in missed),
            note if tried < len(mutants) else "",
        )

    def _try(self, mutant: Mutant) -> None:
        engine, graded = self._engine, self._graded
        loops = max(LOOP_SECONDS, 3 * graded.seconds)
        seconds = min(max(self._end - time.monotonic(), 0.05), loops)
        options = replace(graded.task.spec.options, timeout_seconds=math.ceil(seconds))
        task = replace(graded.task, spec=replace(graded.task.spec, options=options))
        write = text_write(engine, graded.commit, mutant.path, mutant.text)
        commit = write_draft(engine, task, [write], parents=(graded.commit,), has_ref=False)
        started = time.monotonic()
        proof = run_on(engine, task, commit, task.spec.commands, only_first=True)
        cut_off = any("timed out" in command.reason for command in proof.commands)
        if cut_off and time.monotonic() - started < loops:
            return  # stopped by the budget, which proves nothing
        with self._lock:
            (self._missed if proof.passed else self._noticed).append(mutant)


def text_write(engine: Context, commit: str, path: str, text: str) -> FileWrite:
    """Return the write of a text to a path, with the file's mode in a commit."""
    entry = engine.objects.entry(commit, path)
    mode = entry.mode if entry else FILE_MODES[0]
    return FileWrite(path, text.encode("utf-8", "surrogateescape"), mode)
