"""Judge a change by the gates: paths, tree and scope, form, validation."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap

from msgspec import Struct
from msgspec.structs import replace

from minitask.edits.script_model import Change, Locate, Reader
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import EditError, MachineError, machine_text
from minitask.executors.request import ExecutorRequest
from minitask.gates.changes.damage import find_secret
from minitask.gates.lint import check_lint
from minitask.gates.result import CommitFiles, GateResult
from minitask.gates.scope import Work, check_complete, check_names, check_paths, check_scope
from minitask.gates.source.prefilters import (
    may_be_graded,
    may_import_package,
    may_judge,
    may_run_tests,
)
from minitask.gates.validation.printed_verdict import find_denials
from minitask.landing import candidate_commits
from minitask.landing.land import Landings
from minitask.landing.missing_on_base import fails_unlisted, names_in
from minitask.landing.proof import prove, prove_only
from minitask.landing.run_commands import Proof, first_line
from minitask.ledger.record import APPLY, CORRECT, NOTHING_PLANTED, FileRecord, Verdict
from minitask.policy.route import SAME_WAY, SCRIPT, UNLISTED
from minitask.routing.requests import baseline_cost, estimate_usage
from minitask.settings import FAIL, OFF, stricter_grade
from minitask.spec.model import Command
from minitask.task.feedback import fails_without_change
from minitask.task.state import AttemptState
from minitask.words import counted


class GateInput(Struct, frozen=True):
    """Input of a gate: the task, the proposed change, its commit and its files.

    `read` reads the base's files, `locate` finds lines that the spec cites in them. `scripted`: the change is the
    spec's edit script. `answer` is the executor's reply to the report of an earlier fault, `earlier` the change that it
    corrects if validation rejected that.
    """

    task: Task
    changes: tuple[Change, ...]
    read: Reader
    locate: Locate | None
    commit: str
    files: tuple[FileRecord, ...]
    scripted: bool = False
    answer: str = ""
    earlier: tuple[Change, ...] = ()


def judge(
    engine: Context, draft: AttemptState, order: ExecutorRequest, *, lander: Landings | None
) -> AttemptState:
    """Judge the change; an error becomes part of the result, so that the cost is still recorded.

    `lander` is notified of a candidate that it must land if proven.
    """
    judged = draft
    try:
        judged = _candidate(engine, draft, order)
        if judged.ruling.passed:
            judged = _check_imports(engine, judged, order)
        if judged.ruling.passed:
            judged = _through_gates(engine, judged, order, lander=lander)
    except EditError as error:
        judged = judged.failed(Verdict.REFUSED, "scope", str(error))
    except (MachineError, OSError) as error:
        judged = judged.failed(Verdict.ERROR, VALIDATE, machine_text(error))
    finally:
        if lander is not None and (judged.doubts or not judged.verdict.is_good):
            lander.forget(draft.task.name)
    return judged


def protected(engine: Context, task: Task) -> tuple[str, ...]:
    """Return the patterns of paths that the task may not change."""
    return (*engine.settings.protected, *task.spec.options.protected)


def _candidate(engine: Context, draft: AttemptState, order: ExecutorRequest) -> AttemptState:
    """Return the attempt with its candidate's tree, or rejected for its paths or scope."""
    task, changes = draft.task, draft.changes
    paths = check_paths(task.spec, changes, protected=protected(engine, task))
    if not paths.passed:
        return _ruled(draft, paths)
    secrets = engine.settings.secrets(engine.environ)
    secret = find_secret(changes, read=order.read, spec=task.spec, secrets=secrets)
    if not secret.passed:
        return _ruled(draft, secret)
    estimate = estimate_usage(order, changes)
    baseline = baseline_cost(engine, estimate, kind="frontier")
    built = replace(draft, estimate=estimate, baseline_usd=baseline)
    writes = candidate_commits.file_writes(changes, engine.objects, task)
    commit = candidate_commits.write_draft(engine, task, writes)
    tree = engine.objects.tree_of(commit)
    changed_files = engine.database.diffs.changes(engine.objects.tree_of(task.base), tree)
    scope = check_scope(task.spec, changed_files, protected=protected(engine, task))
    git = engine.repository.git
    base, candidate = (CommitFiles(engine.objects, git, oid) for oid in (task.base, commit))
    if scope.passed:
        scope = check_names(changed_files, base=base, candidate=candidate)
    if not scope.passed:
        return _ruled(built, scope)
    files = candidate_commits.file_records(changed_files)
    work = Work(changes, order.read, _said(draft, order), scripted=draft.route.executor == SCRIPT)
    complete = check_complete(task.spec, work, candidate=candidate)
    return _ruled(replace(built, commit=commit, tree=tree, files=files), complete)


def _said(draft: AttemptState, order: ExecutorRequest) -> str | None:
    """Return the executor's replies of all rounds; None if the change corrects another executor's."""
    if draft.work is None or draft.step in (CORRECT, APPLY):
        return None
    return "\n".join((*(past.reply for past in order.history), draft.work.reply))


def _through_gates(
    engine: Context, draft: AttemptState, order: ExecutorRequest, *, lander: Landings | None
) -> AttemptState:
    """Run the gates in order until one rejects the candidate."""
    assert draft.commit is not None  # noqa: S101 - built
    task = draft.task
    case = GateInput(
        task,
        draft.changes,
        order.read,
        order.locate,
        draft.commit,
        draft.files,
        scripted=draft.route.executor == SCRIPT,
        answer=draft.work.reply if draft.work and order.history else "",
        earlier=next((p.changes for p in order.history[-1:] if p.gate == VALIDATE), ()),
    )
    rulings = {}
    for name in (gate for gate in engine.settings.gates if gate in GATES):
        if name == VALIDATE and lander is not None:
            lander.expect(task, draft.commit)
        rulings[name] = GATES[name](engine, case)
        if not rulings[name].passed:
            return _ruled(draft, _blamed(engine, draft, rulings[name], case))
    ruling = rulings[VALIDATE]
    proven = replace(draft, ruling=ruling, verdict=Verdict.READY, doubts=(), grade=None)
    watched = _watch_tests(engine, proven, case)
    grading = stricter_grade(engine.settings.grade, task.spec.options.grade)
    if not watched.verdict.is_good or grading == OFF or not task.spec.commands:
        return watched
    return _graded(engine, watched, case, may_share=lander is None)


def _check_imports(engine: Context, draft: AttemptState, order: ExecutorRequest) -> AttemptState:
    """Return the attempt with notes on imports that no package provides, or failed by them."""
    texts = ((change.path, change.content or "") for change in draft.changes)
    if engine.settings.imports == OFF or not any(starmap(may_import_package, texts)):
        return draft
    from minitask.landing.unknown_packages import find_unknown_packages

    assert draft.commit is not None  # noqa: S101 - built
    packages = find_unknown_packages(
        engine, draft.task, draft.commit, changes=draft.changes, read=order.read
    )
    unknown = tuple(map(str, packages))
    noted = replace(draft, unknown_imports=unknown)
    if unknown and engine.settings.imports == FAIL:
        return _ruled(noted, GateResult(LINT, passed=False, reason="\n".join(unknown)))
    return noted


def _blamed(
    engine: Context, draft: AttemptState, ruling: GateResult, case: GateInput
) -> GateResult:
    """Return the ruling; its reason says if a command fails the same way without the change."""
    if ruling.gate == VALIDATE and _is_unlisted(ruling, case):
        return replace(ruling, reason=f"{ruling.reason}; {UNLISTED}")
    spec = draft.task.spec
    written = [ref.path for ref in spec.writes()]
    spec_text = "\n".join((spec.title, spec.task, *(criterion.text for criterion in spec.criteria)))
    red = next((command for command in ruling.commands if not command.passed), None)
    before = draft.before
    if red is not None and not red.line:  # of the settings, so it has not run on the base
        ran = [Command(record.command) for record in ruling.commands if not record.line]
        if red.command.split()[0] not in spec_text:  # else the task may be about it
            before = (*before, *prove_only(engine, draft.task, draft.task.base, ran).commands)
    command = fails_without_change(
        before,
        ruling.commands,
        written=written,
        spec_text=spec_text,
        is_progress=ruling.gate == LINT and red is not None and bool(red.output_tail.strip()),
    )
    if command is None:
        return ruling
    whose = (
        ""
        if command.line
        else f" of the config's `{ruling.gate if ruling.gate == LINT else 'checks'}`"
    )
    reason = f"`{first_line(command.command)}`{whose} {SAME_WAY}: {command.reason}"
    return replace(ruling, reason=reason)


def _is_unlisted(ruling: GateResult, case: GateInput) -> bool:
    """Return True if a command failed because of hosts that it may not reach, none of them added by the change."""
    red = next((command for command in ruling.commands if not command.passed), None)
    if red is None or not fails_unlisted(red.refused_hosts, f"{red.command}\n{red.output_tail}"):
        return False
    names = names_in(red.refused_hosts)
    added = (
        name in (change.content or "") and name not in (case.read(change.path) or "")
        for change in case.changes
        for name in names
    )
    return not any(added)


def _graded(
    engine: Context, draft: AttemptState, case: GateInput, *, may_share: bool
) -> AttemptState:
    """Record how many faults planted in the change are detected by its validation; too few are a doubt."""
    if not any(may_be_graded(file.path) for file in case.files):
        return replace(draft, grade=NOTHING_PLANTED)
    from minitask.landing.grading import Graded, grade, shortfall

    commands = tuple(command for command in draft.ruling.commands if command.line)
    score = grade(engine, Graded(case.task, case.commit, commands, case.files, may_share))
    short = shortfall(engine, case.task, score)
    return replace(draft, grade=score, doubts=(*draft.doubts, *([short] if short else ())))


def _watch_tests(engine: Context, draft: AttemptState, case: GateInput) -> AttemptState:
    """Fail an attempt whose test run is certainly rigged; add a doubt if it may be."""
    commands = case.task.spec.commands
    denials = find_denials(draft.before, draft.ruling.commands, commands)
    draft = replace(draft, doubts=(*draft.doubts, *denials, *_weakened(case)))
    may_rig = not case.scripted and any(may_judge(file.path, commands) for file in case.files)
    runs_tests = any(may_run_tests(command.text) for command in commands)
    if not commands or not (may_rig or runs_tests):
        return draft
    from minitask.landing.rerun_tests import (
        Watched,
        find_changed_judges,
        find_rigged_lines,
        find_weak_tests,
        watch,
    )

    after = draft.ruling.commands
    test_run = Watched(case.task, case.commit, draft.before, after, case.files)
    rigged = find_rigged_lines(engine, test_run) if may_rig else ()
    rigged = rigged or (find_changed_judges(engine, test_run) if may_rig else ())
    if not runs_tests:
        weak = find_weak_tests(engine, test_run).doubts
        return replace(draft, doubts=(*draft.doubts, *rigged, *weak))
    engine.emit(Progress(draft.task.name, VALIDATE, "checking that its tests can fail"))
    findings = watch(engine, test_run)
    watched = replace(draft, doubts=(*draft.doubts, *rigged, *findings.doubts))
    if findings.certain:
        reason = f"the test run is rigged: {findings.certain}"
        return watched.failed(Verdict.FAILED, VALIDATE, reason)
    return watched


def _weakened(case: GateInput) -> tuple[str, ...]:
    if not case.earlier:
        return ()
    from minitask.gates.validation.corrected_tests import find_weakened_tests

    return find_weakened_tests(case.earlier, case.changes, spec=case.task.spec)


def _lint(engine: Context, case: GateInput) -> GateResult:
    """Check the text of the files, then run the config's lint commands."""
    candidate = CommitFiles(engine.objects, engine.repository.git, case.commit)
    result = check_lint(
        case.changes,
        read=case.read,
        spec=case.task.spec,
        candidate=candidate,
        locate=case.locate,
        scripted=case.scripted,
        explanation=case.answer,
    )
    commands = lint_commands(engine.settings.lint, case.files) if result.passed else ()
    if not commands:
        return result
    engine.emit(Progress(case.task.name, LINT, counted(len(commands), "command")))
    proof = prove_only(engine, case.task, case.commit, commands)
    return _ruling(LINT, replace(proof, setting=LINT))


def _validate(engine: Context, case: GateInput) -> GateResult:
    """Run the spec's validation commands and the config's checks."""
    engine.emit(
        Progress(case.task.name, VALIDATE, counted(len(case.task.spec.commands), "command"))
    )
    return _ruling(VALIDATE, prove(engine, case.task, case.commit))


LINT, VALIDATE = "lint", "validate"
GATES: Mapping[str, Callable[[Context, GateInput], GateResult]] = {
    LINT: _lint,
    VALIDATE: _validate,
}
"""The gates of a candidate by name. Its scope is always judged first."""


def lint_commands(texts: Sequence[str], files: Sequence[FileRecord]) -> tuple[Command, ...]:
    """Return the config's lint commands with `{files}` replaced; without changed files, such commands are omitted."""
    paths = " ".join(shlex.quote(file.path) for file in files if file.status != "D")
    needed = [text for text in texts if paths or "{files}" not in text]
    return tuple(Command(text.replace("{files}", paths)) for text in needed)


def _ruling(gate: str, proof: Proof) -> GateResult:
    return GateResult(
        gate, proof.passed, proof.reason, commands=proof.commands, sandbox=proof.sandbox
    )


def _ruled(draft: AttemptState, ruling: GateResult) -> AttemptState:
    """Return the attempt with a gate's ruling."""
    if ruling.passed:
        return replace(draft, ruling=ruling)
    verdict = Verdict.REFUSED if ruling.refused else Verdict.FAILED
    return replace(draft, ruling=ruling, verdict=verdict)
