"""The sentinel: check whether the test run behind a green validation can be trusted.

It runs the commands of the validation again where they must fail: with every test made to fail, and with the
candidate's tests on the base's sources. A test run that passes there is rigged, or tests nothing.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.gates.changes.unfinished import find_only_comments
from minitask.gates.requested_removals import text_about, words_of
from minitask.gates.result import FileChange
from minitask.gates.validation.mutants import is_code, new_lines
from minitask.gates.validation.named_files import may_run, reads_one
from minitask.gates.validation.removed_subjects import removed_subjects
from minitask.gates.validation.rigged import find_rigged
from minitask.gates.validation.sentinel import (
    Findings,
    allows_losses,
    compare_runs,
    find_idle_tests,
    find_lost_tests,
    find_targets,
    may_judge,
    still_passing,
)
from minitask.gates.validation.test_files import (
    find_tests,
    is_prose,
    is_test_path,
    may_hold_tests,
    with_failing_tests,
)
from minitask.gates.validation.weakened_checks import RECIPES, steps_of
from minitask.git.commits import FileWrite
from minitask.git.objects import FILE_MODES, TREE
from minitask.landing.candidate_commits import write_draft
from minitask.landing.grading import base_lines, text_write
from minitask.landing.run_commands import Proof, run_on
from minitask.ledger.record import CommandRecord, FileRecord
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command
from minitask.words import counted

MOST_ENTRIES, MOST_FILES = 20_000, 300
"""Limits of a tree's names that are searched for tests, and of files in which tests are made to fail."""
TIMES, LEAST_SECONDS = 3, 10.0
"""Time limit of the runs: a multiple of the validation's time, and the minimum in seconds."""
_FOREIGN = frozenset({"node_modules", "vendor", "third_party", "target", "dist", ".venv", "venv"})
_TOPS = ("", "src/", "lib/")
"""Folders from which modules are imported."""
_JUDGES = lazy_pattern(
    r"(?:^|[/._-])(?:check|verif|valid|assert|smoke|expect|lint|test)", re.IGNORECASE
)
"""Names of programs that check others."""


class Watched(Struct, frozen=True):
    """A candidate whose validation passed.

    It holds the records before and after, the files that it changes, and a deadline of the monotonic clock.
    """

    task: Task
    commit: str
    before: tuple[CommandRecord, ...]
    after: tuple[CommandRecord, ...]
    files: tuple[FileRecord, ...]
    until: float = math.inf

    @property
    def commands(self) -> tuple[Command, ...]:
        """Return the spec's commands up to the last that starts a test runner."""
        commands = self.task.spec.commands
        last = max((n for n, command in enumerate(commands) if may_judge(command)), default=-1)
        return commands[: last + 1]


def find_weak_tests(engine: Context, watched: Watched) -> Findings:
    """Return the tests that the change takes away or that check nothing, as their text shows."""
    paths = [file.path for file in watched.files if may_hold_tests(file.path)]
    base, candidate = (
        {path: engine.objects.file(commit, path) for path in paths}
        for commit in (watched.task.base, watched.commit)
    )
    spec = watched.task.spec
    lost = find_lost_tests(base, candidate, spec=spec)
    if lost.doubts:
        changed = [file.path for file in watched.files]
        texts = (
            {path: engine.objects.file(commit, path) for path in changed}
            for commit in (watched.task.base, watched.commit)
        )
        removed = removed_subjects(*texts, spec=spec)
        lost = find_lost_tests(base, candidate, spec=spec, removed=removed)
    return lost.plus(find_idle_tests(base, candidate, spec=spec))


def watch(engine: Context, watched: Watched) -> Findings:
    """Return the findings against the test run; without a known test runner, those of the tests' text."""
    weak = find_weak_tests(engine, watched)
    if not watched.commands:
        return Findings(doubts=weak.doubts)
    may_lose = weak.losses > 0 or allows_losses(watched.task.spec)
    findings = weak.plus(
        compare_runs(watched.before, watched.after, commands=watched.commands, may_lose=may_lose)
    )
    budget = max(LEAST_SECONDS, TIMES * sum(record.seconds for record in watched.after))
    limited = replace(watched, until=time.monotonic() + budget)
    for check in (_with_failing_tests, _with_base_sources, _with_base_tests):
        if findings.certain:
            break
        findings = findings.plus(check(engine, limited))
        if time.monotonic() >= limited.until:
            text = (
                f"checking that its tests can fail was stopped after {budget:.0f} s: it proves less"
            )
            engine.emit(Progress(watched.task.name, "note", text))
            break
    return findings


def find_rigged_lines(engine: Context, watched: Watched) -> tuple[str, ...]:
    """Return the added lines that may let the validation pass although the change is wrong."""
    objects, task = engine.objects, watched.task

    def is_own(module: str, name: str) -> bool:
        path = module.replace(".", "/")
        candidates = [f"{top}{path}{end}" for top in _TOPS for end in (".py", "/__init__.py")]
        texts = (objects.file(watched.commit, candidate) for candidate in candidates)
        word = re.compile(rf"(?:\b(?:def|class)\s+|import\b.*){re.escape(name)}\b")
        return any(text is not None and (not name or word.search(text)) for text in texts)

    texts = (
        (file.path, objects.file(task.base, file.path), objects.file(watched.commit, file.path))
        for file in watched.files
    )
    files = [FileChange(path, now, base) for path, base, now in texts if now is not None]
    rigged = find_rigged(files, spec=task.spec, is_own=is_own)
    return rigged or find_only_comments(files, task.spec)


def find_changed_judges(engine: Context, watched: Watched) -> tuple[str, ...]:
    """Return why a person should review a change that passes only with the checks that it adds or changes.

    The validation runs once more, with each check that it names as it was on the base (unless the spec has all words
    added to the check), and on the base with the checks that the change creates.
    """
    task = watched.task
    judges = [file for file in watched.files if _JUDGES.search(file.path)]
    texts = _texts_run(engine, task) if judges else ()
    named = [file for file in judges if any(may_run(text, file.path) for text in texts)]
    modified = [file.path for file in named if file.status == "M"]
    changed = [path for path in modified if not _is_shown(engine, watched, path)]
    created = [file.path for file in named if file.status == "A"]
    doubts = []
    if changed and len(changed) < len(watched.files):
        writes = [_write_of(engine, task.base, path) for path in changed]
        commands = [c for c in task.spec.commands if not reads_one(c.text, changed)]
        proof = _run(engine, watched, base=watched.commit, writes=writes, commands=commands)
        if not proof.passed:
            names = ", ".join(changed[:3])
            doubts.append(f"it passes only because it changed {names}: as it was, {proof.reason}")
    if created and len(created) < len(watched.files):
        writes = [_write_of(engine, watched.commit, path) for path in created]
        proof = _run(engine, watched, base=task.base, writes=writes, commands=task.spec.commands)
        if proof.passed:
            names = ", ".join(created[:3])
            doubts.append(
                f"{names}, which it creates, passes without the rest of it: it does not test it"
            )
    return tuple(doubts)


def _texts_run(engine: Context, task: Task) -> tuple[str, ...]:
    """Return the commands, and the steps of the base's recipes and scripts that they run."""
    commands = [command.text for command in task.spec.commands]
    steps = [
        step.text
        for path in RECIPES
        for step in steps_of(path, engine.objects.file(task.base, path) or "", commands)
    ]
    return (*commands, *steps)


def _is_shown(engine: Context, watched: Watched, path: str) -> bool:
    """Return True if the spec has each word added to a file."""
    base, now = (engine.objects.file(oid, path) for oid in (watched.task.base, watched.commit))
    added = FileChange(path, now or "", base).added
    fresh = set(words_of("\n".join(added))) - {*words_of(base or ""), *words_of(path)}
    return bool(fresh) and fresh <= set(words_of(text_about(watched.task.spec, path)))


def _with_failing_tests(engine: Context, watched: Watched) -> Findings:
    """Run the candidate with failing tests, in files with new tests or in all: no test runner may pass."""
    if all(is_prose(file.path) for file in watched.files):
        return Findings()
    paths = list(islice(_paths(engine, watched.commit), MOST_FILES + 1))
    targets = find_targets(watched.commands, paths)
    writes, planted = [], set()
    run = dict.fromkeys(path for target in targets for path in target.files)
    changed = {file.path for file in watched.files}
    new = [path for path in run if path in changed and _gains_tests(engine, watched, path)]
    for path in (new or list(run))[:MOST_FILES]:
        text = engine.objects.file(watched.commit, path)
        failing = with_failing_tests(path, text) if text is not None else None
        if failing is not None:
            writes.append(text_write(engine, watched.commit, path, failing))
            planted.add(path)
    if not planted:
        return Findings()
    proof = _run(engine, watched, base=watched.commit, writes=writes)
    return still_passing(
        targets,
        planted=planted,
        is_complete=len(paths) <= MOST_FILES,
        is_certain=len(new or run) == len(run),
        passed=watched.after,
        failing=proof.commands,
    )


def _gains_tests(engine: Context, watched: Watched, path: str) -> bool:
    had, has = (engine.objects.file(oid, path) for oid in (watched.task.base, watched.commit))
    return bool(find_tests(path, has or "").keys() - find_tests(path, had or "").keys())


def _with_base_sources(engine: Context, watched: Watched) -> Findings:
    """Run the candidate's tests on the base's sources: they must fail, or they do not test the change."""
    tests, sources = _sides(watched.files)
    sources = _with_new_code(engine, watched, sources)
    if not tests or not sources or watched.task.spec.options.proof == "none":
        return Findings()
    writes = [_write_of(engine, watched.commit, file.path) for file in tests]
    if not _run(engine, watched, base=watched.task.base, writes=writes, only_first=True).passed:
        return Findings()
    names = ", ".join(file.path for file in sources[:3])
    more = f" and {counted(len(sources) - 3, 'more file')}" if sources[3:] else ""
    message = f"its tests pass without its change to {names}{more}: they do not test it"
    return Findings(doubts=(message,))


def _with_base_tests(engine: Context, watched: Watched) -> Findings:
    """Run the base's tests on the candidate: not all that failed on the base may still fail."""
    tests, sources = _sides(watched.files)
    changed = [file for file in tests if file.status == "M"]
    had = _failed(watched.before)
    if not changed or not sources or not had:
        return Findings()
    writes = [_write_of(engine, watched.task.base, file.path) for file in changed]
    failing = _failed(_run(engine, watched, base=watched.commit, writes=writes).commands)
    if failing < had:
        return Findings()
    names = ", ".join(file.path for file in changed[:3])
    message = f"it passes only because it changed {names}: with the old tests, {counted(failing, 'test')} still fail"
    return Findings(doubts=(message,))


def _failed(records: Iterable[CommandRecord]) -> int:
    return sum(record.tests.failed for record in records if record.tests)


def _sides(files: Iterable[FileRecord]) -> tuple[list[FileRecord], list[FileRecord]]:
    """Return the changed test files, if any of them holds tests, and the changed source files."""
    code_files = [file for file in files if not is_prose(file.path)]
    tests = [file for file in code_files if is_test_path(file.path)]
    if not any(may_hold_tests(file.path) for file in tests):
        tests = []
    return tests, [file for file in code_files if not is_test_path(file.path)]


def _with_new_code(
    engine: Context, watched: Watched, files: Sequence[FileRecord]
) -> list[FileRecord]:
    """Return the files with code that the base's files lack: tests need not notice moved code, or settings."""
    old_lines = base_lines(engine, watched.task, watched.files)
    texts = ((file, engine.objects.file(watched.commit, file.path) or "") for file in files)
    return [file for file, text in texts if is_code(file.path) and new_lines(text, old_lines)]


def _paths(engine: Context, commit: str) -> Iterator[str]:
    """Yield the files of a commit that may hold tests, except for third-party code."""
    pending = [("", engine.objects.tree_of(commit))]
    remaining = MOST_ENTRIES
    while pending and remaining > 0:
        above, tree = pending.pop(0)
        entries = engine.objects.entries(tree)
        remaining -= len(entries)
        for name, entry in entries.items():
            if entry.mode == TREE and name not in _FOREIGN:
                pending.append((f"{above}{name}/", entry.oid))
            elif entry.mode in FILE_MODES and may_hold_tests(f"{above}{name}"):
                yield f"{above}{name}"


def _write_of(engine: Context, commit: str, path: str) -> FileWrite:
    """Return the write that restores a path to its content in a commit."""
    entry = engine.objects.entry(commit, path)
    if entry is None:
        return FileWrite(path, None)
    return FileWrite(path, engine.objects.blob(entry.oid), entry.mode)


def _run(
    engine: Context,
    watched: Watched,
    *,
    base: str,
    writes: Sequence[FileWrite],
    commands: Sequence[Command] | None = None,
    only_first: bool = False,
) -> Proof:
    """Run the commands up to the last test runner, or the given ones, on a commit with some files changed."""
    commit = write_draft(engine, watched.task, writes, parents=(base,), has_ref=False)
    task = _within(watched.task, watched.until - time.monotonic())
    chosen = watched.commands if commands is None else tuple(commands)
    return run_on(engine, task, commit, chosen, only_first=only_first)


def _within(task: Task, seconds: float) -> Task:
    """Return the task with its commands' time limit reduced to at most `seconds`."""
    if math.isinf(seconds):
        return task
    options = task.spec.options
    most = max(1, math.ceil(seconds))
    limited = replace(options, timeout_seconds=min(options.timeout_seconds or most, most))
    return replace(task, spec=replace(task.spec, options=limited))
