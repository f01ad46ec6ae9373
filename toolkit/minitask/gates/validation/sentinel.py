"""Compare a validation's test counts and tests with the base, to find test runs that cannot be trusted.

A run is certainly rigged if it exits with 0 without the summary that the same command printed on the base, or although
its own summary counts new failures. Weaker signs are doubts, which a person decides.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

from msgspec import Struct

from minitask.edits.grammar import script_of
from minitask.edits.script_model import Operation, SearchReplace, UnifiedDiff, Verb
from minitask.gates.removal_words import without_conditions
from minitask.gates.requested_removals import rename, requested_renames
from minitask.gates.validation.removed_subjects import is_named_after
from minitask.gates.validation.test_files import (
    KnownTest,
    find_tests,
    holds_no_test,
    is_test_path,
    may_hold_tests,
)
from minitask.gates.validation.test_runners import Runner, find_suites, is_plain, may_mask
from minitask.ledger.record import CommandRecord, SuiteCounts
from minitask.patterns import lazy_pattern
from minitask.spec.model import Command, ExpectationKind, FileAction, Spec
from minitask.words import counted, one_line

_SHOWN = 6
_COMPILES = (Runner.GO, Runner.CARGO)
"""Runners that are also used to check that everything compiles."""
_VERBS = r"(?:remov|delet|drop|skip|renam|merg|replac|rewrit|obsolete|disabl|mov|empt|turn)\w*"
_SENTENCE = lazy_pattern(r"(?<=[.;:])\s+|\n")
_OF_A_NAME = lazy_pattern(rf"(?i)\b{_VERBS}\b")
_OF_ALL = lazy_pattern(rf"(?i)\b{_VERBS}\s+(?:[\w`'./-]+\s+){{0,3}}(?:tests?|specs?)\b(?!/)")
"""Words with which a spec allows tests to be removed: beside a test's name, or for tests in general."""
_ONLY_RUNS = lazy_pattern(
    r"(?i)\bsmoke\b|\bnot (?:raise|throw|crash|fail|panic)\b|\bwithout (?:\w+ )?(?:errors?|exceptions?|raising"
    r"|crash\w*)\b"
    r"|\bno (?:errors?|exceptions?)\b|\bimports? (?:cleanly|works?)\b|\b(?:importable|be imported)\b"
)
"""Words with which a spec asks for tests that only run something."""


class Findings(Struct, frozen=True):
    """The reasons why a run is certainly rigged (`certain`), or may be (`doubts`).

    `losses` counts the tests that the change removes, skips or empties, requested or not.
    """

    certain: str = ""
    doubts: tuple[str, ...] = ()
    losses: int = 0

    def plus(self, findings: Findings) -> Findings:
        """Return both combined."""
        doubts = (*self.doubts, *findings.doubts)
        return Findings(self.certain or findings.certain, doubts, self.losses + findings.losses)


def may_judge(command: Command) -> bool:
    """Return True for a command that starts a test runner and must exit with 0."""
    codes = [e.number for e in command.expectations if e.kind is ExpectationKind.EXIT]
    fails = any(e.kind is ExpectationKind.FAILS for e in command.expectations)
    return not fails and not any(codes) and bool(find_suites(command.text))


def compare_runs(
    before: Sequence[CommandRecord],
    after: Sequence[CommandRecord],
    *,
    commands: Sequence[Command],
    may_lose: bool,
) -> Findings:
    """Compare the test summaries of the base and the candidate.

    `may_lose`: lost tests are reported, or allowed, elsewhere.
    """
    judged = {(command.line, command.text) for command in commands if may_judge(command)}
    earlier = {(record.line, record.command): record for record in before}
    findings = Findings()
    for record in after:
        if (record.line, record.command) in judged and record.exit_code == 0:
            old = earlier.get((record.line, record.command))
            findings = findings.plus(_compare(old, record, may_lose=may_lose))
    return findings


def _compare(old: CommandRecord | None, new: CommandRecord, *, may_lose: bool) -> Findings:
    name = f"`{one_line(new.command, longest=80)}`"
    plain = is_plain(new.command)
    had = old.tests if old else None
    if new.tests is None:
        if plain and had is not None:
            return Findings(
                f"{name} ended with exit code 0 before its tests finished: the summary that it prints on the base "
                "is missing"
            )
        return Findings()
    if new.tests.failed and plain:
        message = f"{name} ended with exit code 0, though {counted(new.tests.failed, 'test')} failed in its summary"
        is_new = old is not None and had is not None and had.failed and old.exit_code
        return Findings(certain=message) if is_new else Findings(doubts=(message,))
    if not new.tests.passed + new.tests.failed:
        return _ran_nothing(name, had, new, new.tests.skipped)
    if had is None or may_lose:
        return Findings()
    return Findings(doubts=tuple(_fewer(name, had, new.tests)))


def _ran_nothing(name: str, had: SuiteCounts | None, new: CommandRecord, skipped: int) -> Findings:
    message = f"{name} ended with exit code 0, but ran no test"
    if skipped:
        message += f": {skipped} skipped or expected to fail"
    elif had is not None and had.collected:
        return Findings(certain=f"{message}; on the base it ran {had.collected}")
    compiles = any(suite.runner in _COMPILES for suite in find_suites(new.command))
    return Findings() if compiles else Findings(doubts=(message,))


def _fewer(name: str, had: SuiteCounts, now: SuiteCounts) -> Iterator[str]:
    if now.collected < had.collected:
        yield f"{name} ran {counted(now.collected, 'test')}, {had.collected - now.collected} fewer than on the base"
    elif now.skipped > had.skipped and now.passed + now.failed < had.passed + had.failed:
        yield f"{name} skipped {now.skipped - had.skipped} more of its tests than on the base"


def find_lost_tests(
    base: Mapping[str, str | None],
    candidate: Mapping[str, str | None],
    *,
    spec: Spec,
    removed: Sequence[str] = (),
) -> Findings:
    """Return the tests that a change deletes, skips, renames or empties without the spec's request.

    Both mappings hold the changed files by path; None for a missing file. Tests of what was `removed` must go.
    """
    had, has = _tests(base), _tests(candidate)
    gained = Counter(
        _last(name)
        for path, tests in has.items()
        for name in tests.keys() - had.get(path, {}).keys()
    )
    allowed = _Allowed(spec)
    renames = {path: requested_renames(spec, path) for path in had}
    gone, losses = [], 0
    known = ((path, *item) for path, tests in had.items() for item in tests.items())
    for path, name, test in known:
        new = _same_test(name, had=had[path], has=has.get(path, {}), renames=renames[path])
        loss = _loss(test, new, is_elsewhere=gained[_last(name)] > 0)
        gained[_last(name)] -= new is None
        losses += bool(loss)
        if new is None and any(is_named_after(_last(name), subject) for subject in removed):
            continue
        if loss and not allowed.loss(path, _last(name)):
            gone.append(f"{path}: {name} {loss}")
    if not gone:
        return Findings(losses=losses)
    shown = "; ".join(gone[:_SHOWN]) + (f"; and {len(gone) - _SHOWN} more" if gone[_SHOWN:] else "")
    doubt = f"it removes tests, which the spec does not ask for: {shown}"
    return Findings(doubts=(doubt,), losses=losses)


def find_idle_tests(
    base: Mapping[str, str | None], candidate: Mapping[str, str | None], *, spec: Spec
) -> Findings:
    """Return the files whose new tests check nothing, and new test files without a test.

    Both mappings hold the changed files by path. A spec may ask for tests that only run something, and its own edit
    script may write anything.
    """
    if script_of(spec).edits or _ONLY_RUNS.search(f"{spec.title}\n{spec.task}"):
        return Findings()
    old_names = {_last(name) for tests in _tests(base).values() for name in tests}
    doubts, is_tested = [], False
    for path, tests in _tests(candidate).items():
        new = {name: test for name, test in tests.items() if _last(name) not in old_names}
        is_tested = is_tested or bool(new)
        if new and not any(test.asserts for test in new.values()):
            doubts.append(f"{path}: its new tests check nothing: {', '.join([*new][:_SHOWN])}")
    doubts += [
        f"{path} holds no test that a runner finds"
        for path, text in candidate.items()
        if text and base.get(path) is None and not is_tested and holds_no_test(path, text)
    ]
    return Findings(doubts=tuple(doubts))


def allows_losses(spec: Spec) -> bool:
    """Return True if the spec allows any tests to be removed."""
    return _Allowed(spec).any


def _loss(test: KnownTest, new: KnownTest | None, *, is_elsewhere: bool) -> str:
    """Return how a test changed (gone, skipped, checks nothing), or an empty string."""
    if new is None:
        return "" if is_elsewhere else "is gone"
    if new.is_skipped and not test.is_skipped:
        return "is skipped"
    return "checks nothing any more" if test.asserts and not new.asserts else ""


def _same_test(
    name: str,
    *,
    had: Mapping[str, KnownTest],
    has: Mapping[str, KnownTest],
    renames: Mapping[str, str],
) -> KnownTest | None:
    """Return the test as it is now, also under the new name of what it tests; None if it is gone."""
    new_name = rename(name, renames)
    return has.get(name) or (has.get(new_name) if new_name not in had else None)


class _Allowed:
    """The tests that a spec allows to be removed."""

    def __init__(self, spec: Spec) -> None:
        texts = (spec.title, spec.task, *(criterion.text for criterion in spec.criteria))
        notes = (f"{ref.path} {ref.note}" for ref in spec.writes())
        text = "\n".join((*texts, *notes))
        sentences = [part for part in _SENTENCE.split(text) if _OF_A_NAME.search(part)]
        self._told = "\n".join((*sentences, *_replaced(spec)))
        deleted = {ref.path for ref in spec.files if ref.action is FileAction.DELETE}
        self._paths = {path for path in (*deleted, *_taken_from(spec)) if is_test_path(path)}
        parts = map(without_conditions, _SENTENCE.split(text))
        self._all = any(_OF_ALL.search(part) for part in parts)
        self.any = self._all or bool(self._paths)

    def loss(self, path: str, name: str) -> bool:
        """Return True if a test of the file may be removed."""
        is_told = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self._told) is not None
        return self._all or path in self._paths or is_told


def _taken_from(spec: Spec) -> Iterator[str]:
    """Yield the files that the spec's own edit script renames or takes lines from."""
    for edit in script_of(spec).edits:
        if isinstance(edit, Operation) and edit.verb is not Verb.COPY:
            yield from (source.path for source in edit.sources)


def _replaced(spec: Spec) -> Iterator[str]:
    """Yield the text that the spec's own edit script replaces."""
    for edit in script_of(spec).edits:
        if isinstance(edit, SearchReplace):
            yield edit.search
        elif isinstance(edit, UnifiedDiff):
            yield from (line for line in edit.text.split("\n") if line.startswith("-"))


def _tests(files: Mapping[str, str | None]) -> dict[str, Mapping[str, KnownTest]]:
    return {
        path: find_tests(path, text)
        for path, text in files.items()
        if text is not None and may_hold_tests(path)
    }


def _last(name: str) -> str:
    return name.rpartition(".")[2]


class Target(Struct, frozen=True):
    """A command that starts a test runner, and the files whose tests it should run.

    `is_named`: the command names exactly these files.
    """

    command: Command
    files: tuple[str, ...]
    is_named: bool


def find_targets(commands: Sequence[Command], paths: Sequence[str]) -> tuple[Target, ...]:
    """Return the test files that each command runs, as far as its arguments show."""
    judging = (c for c in commands if may_judge(c) and not may_mask(c.text))
    return tuple(_target(command, paths) for command in judging)


def _target(command: Command, paths: Sequence[str]) -> Target:
    suites = find_suites(command.text)
    arguments = [word for suite in suites for word in suite.named]
    named_paths = tuple(path for path in paths if any(_is_named(path, word) for word in arguments))
    if named_paths and all(suite.named for suite in suites):
        return Target(command, named_paths, is_named=True)
    below = tuple(path for path in paths if any(_is_below(path, word) for word in arguments))
    return Target(command, named_paths + below or tuple(paths), is_named=False)


def _is_named(path: str, word: str) -> bool:
    dotted = path.removesuffix(".py").replace("/", ".")
    is_module = path.endswith(".py") and f"{word}.".startswith(f"{dotted}.")
    return path == word or (path.endswith(f"/{word}") and "." in word) or is_module


def _is_below(path: str, word: str) -> bool:
    return f"/{path}".startswith(f"/{word}/") or f"/{word}/" in path


def still_passing(
    targets: Sequence[Target],
    *,
    planted: Container[str],
    is_complete: bool,
    is_certain: bool,
    passed: Sequence[CommandRecord],
    failing: Sequence[CommandRecord],
) -> Findings:
    """Return the commands that still pass although every test in the `planted` files was made to fail.

    `passed` are the runs before that, `failing` those after it. `is_complete`: all files that may hold tests were
    searched. `is_certain`: no other file can hold their tests.
    """
    before = {(record.line, record.command): record for record in passed}
    now = {(record.line, record.command): record for record in failing}
    certain, doubt, noticed = "", "", False
    for target in targets:
        key = (target.command.line, target.command.text)
        files = [path for path in target.files if path in planted]
        old, new = before.get(key), now.get(key)
        if not files or new is None or old is None:
            continue
        if new.exit_code != 0:
            noticed = noticed or not target.is_named
            continue
        ran = old.tests is not None and old.tests.passed > 0
        name = one_line(target.command.text, longest=80)
        message = f"`{name}` passes even when every test in {_listed(files)} is made to fail"
        if is_certain and target.is_named and ran and is_plain(target.command.text):
            certain = certain or message
        elif target.is_named or (is_complete and ran):
            doubt = doubt or message
    return Findings(certain, (doubt,) if doubt and not noticed else ())


def _listed(paths: Sequence[str]) -> str:
    more = f" and {counted(len(paths) - 3, 'more file')}" if paths[3:] else ""
    return ", ".join(paths[:3]) + more
