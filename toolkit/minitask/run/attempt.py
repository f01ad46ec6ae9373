"""One task's life: routed, proven red, worked, scoped, proven green, recorded, landed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal

from minitask.edits.model import Change
from minitask.errors import EditError, MachineError, RefusedError
from minitask.executors.model import ExecutorFailure, Order, Work
from minitask.executors.registry import make_executor
from minitask.executors.script import has_script
from minitask.gates.ruling import Ruling
from minitask.gates.scope import check_paths, check_scope
from minitask.ledger.record import Attempt, CommandRecord, FileRecord, Record, TaskResult, Verdict
from minitask.ledger.store import append_commit
from minitask.ledger.usage import NO_USAGE, Usage
from minitask.policy.route import Demand, Route, choose
from minitask.repo import refs
from minitask.repo.advance import checkout_of
from minitask.repo.commits import NewCommit, write_commits
from minitask.repo.history import introduced_by, latest_landing
from minitask.repo.merging import tree_changes
from minitask.run import building, preflight
from minitask.run.anchors import Anchor
from minitask.run.costs import baseline_cost, estimate_usage, work_cost
from minitask.run.engine import Engine, Progress
from minitask.run.landing import Candidate, land
from minitask.run.orders import make_order
from minitask.run.proof import check_fails_before, prove
from minitask.run.tasks import Task


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a task is to be run: where it is to go, whether it lands, whether it runs though it landed."""

    demand: Demand
    merge: bool = True
    again: bool = False


@dataclass(slots=True)
class Draft:
    """An attempt in the making; it becomes a record when it is sealed."""

    task: Task
    route: Route
    n: int
    started: float
    heads: dict[str, str]
    anchor: Anchor
    before: tuple[CommandRecord, ...] = ()
    usage: Usage = NO_USAGE
    cost_usd: Decimal | None = Decimal(0)
    estimate: Usage | None = None
    baseline_usd: Decimal | None = None
    model: str = ""
    tree: str | None = None
    files: tuple[FileRecord, ...] = ()
    ruling: Ruling = field(default_factory=lambda: Ruling("", passed=False))
    verdict: Verdict = Verdict.FAILED

    def attempt(self, engine: Engine) -> Attempt:
        """The attempt as it stands."""
        return Attempt(
            n=self.n,
            tier=self.route.tier.value,
            executor=self.route.executor,
            model=self.model,
            verdict=self.verdict,
            gate="" if self.ruling.passed else self.ruling.gate,
            reason=self.ruling.reason,
            usage=self.usage,
            cost_usd=self.cost_usd,
            seconds=engine.clock() - self.started,
            sandbox=self.ruling.sandbox or engine.sandbox.strength.value,
            commands=self.ruling.commands,
            before=self.before,
            files=self.files,
        )


def run_task(engine: Engine, task: Task, wishes: Wishes) -> TaskResult:
    """Run one task to its verdict; only bad usage, spec or config is raised."""
    started = engine.clock()
    try:
        done = None if wishes.again else landed_result(engine, task)
        result = done or _run(engine, task, wishes, started)
    except (RefusedError, EditError) as error:
        result = _stopped(task, Verdict.REFUSED, str(error))
    except ExecutorFailure as error:
        result = _stopped(task, Verdict.ERROR, str(error))
    except (MachineError, OSError) as error:
        result = _stopped(task, Verdict.ERROR, str(error))
    return replace(result, seconds=engine.clock() - started)


def landed_result(engine: Engine, task: Task) -> TaskResult | None:
    """The result of a task that has landed at this very blob, read from the target's ancestry."""
    git = engine.repository.git
    since = introduced_by(git, task.base, task.path)
    landing = latest_landing(git, task.base, task=task.name, since=since)
    if landing is None or landing.undone or landing.spec != f"{task.path}@{task.blob}":
        return None
    candidate = engine.objects.commit(f"{landing.commit}^2")
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=Verdict.MERGED,
        reason=f"landed already, as {landing.commit[:12]}; nothing was run (--again runs it anew)",
        branch=refs.branch(task.name).removeprefix("refs/heads/"),
        base=task.base,
        commit=candidate,
        merge=landing.commit,
    )


def _run(engine: Engine, task: Task, wishes: Wishes, started: float) -> TaskResult:
    draft = _prepare(engine, task, wishes, started)
    engine.emit(Progress(task.name, "before", "the validation must fail on the base"))
    draft.before = check_fails_before(engine, task)
    order = make_order(engine, task, draft.anchor, model=draft.route.model)
    changes = _work(engine, draft, order)
    if changes is not None:
        _judge(engine, draft, order, changes)
    return _finish(engine, draft, wishes)


def _prepare(engine: Engine, task: Task, wishes: Wishes, started: float) -> Draft:
    """Everything that can refuse the task before a command is run or a cent spent."""
    preflight.check_files(task, engine.objects, protected=_protected(engine, task))
    preflight.check_edits(task)
    preflight.check_commands(task)
    preflight.check_branch(task, engine.objects)
    route = choose(task.spec, engine.settings, demand=wishes.demand, scripted=has_script(task.spec))
    engine.emit(Progress(task.name, "route", f"tier {route.tier.value}: {route.reason}"))
    heads = refs.snapshot(
        engine.repository.git,
        refs.branch(task.name),
        f"{refs.ATTEMPTS}/{task.name}",
        refs.LEDGER,
    )
    anchor = Anchor(engine.repository.git, engine.objects, task)
    number = _next_number(engine, task, heads)
    return Draft(task, route, number, started, heads, anchor, model=route.model)


def _work(engine: Engine, draft: Draft, order: Order) -> tuple[Change, ...] | None:
    """The executor's change, if one came of it; what was spent is on the draft either way."""
    engine.emit(Progress(draft.task.name, "implement", draft.route.model or "edit script"))
    executor = make_executor(draft.route.executor, engine.settings, engine.environ)
    setting = engine.settings.executors.get(draft.route.executor)
    base_url = setting.base_url if setting else ""
    try:
        work = executor.work(order)
    except ExecutorFailure as failure:
        spent = Work((), failure.usage, draft.route.model, failure.reply, None)
        draft.usage, draft.cost_usd = failure.usage, work_cost(engine, spent, base_url)
        draft.verdict = Verdict.ERROR if failure.exit_code == 3 else Verdict.FAILED
        draft.ruling = Ruling("implement", passed=False, reason=f"{failure.kind}: {failure}")
        return None
    draft.usage, draft.cost_usd = work.usage, work_cost(engine, work, base_url)
    return work.changes


def _judge(engine: Engine, draft: Draft, order: Order, changes: tuple[Change, ...]) -> None:
    """Build the candidate's tree and put it before the gates."""
    task, protected = draft.task, _protected(engine, draft.task)
    draft.ruling = check_paths(task.spec, changes, protected=protected)
    if not draft.ruling.passed:
        draft.verdict = Verdict.REFUSED
        return
    draft.estimate = estimate_usage(order, changes)
    draft.baseline_usd = baseline_cost(engine, draft.estimate, kind="frontier")
    git = engine.repository.git
    commit = building.write_draft(
        engine, task, building.file_writes(changes, engine.objects, task.base)
    )
    found = tree_changes(git, task.base, commit)
    draft.ruling = check_scope(task.spec, found, protected=protected)
    if not draft.ruling.passed:
        draft.verdict = Verdict.REFUSED if draft.ruling.refused else Verdict.FAILED
        return
    draft.tree = engine.objects.tree_of(commit)
    draft.files = building.file_records(found)
    engine.emit(Progress(task.name, "validate", f"{len(task.spec.commands)} commands"))
    proof = prove(engine, task, commit)
    draft.ruling = Ruling(
        "validate", proof.passed, proof.reason, commands=proof.commands, sandbox=proof.sandbox
    )
    draft.verdict = Verdict.READY if proof.passed else Verdict.FAILED


def _finish(engine: Engine, draft: Draft, wishes: Wishes) -> TaskResult:
    """Record the attempt, move the task's branch to its candidate, and land it where it may."""
    task = draft.task
    attempt = draft.attempt(engine)
    wants_review = task.spec.options.review == "required"
    lands = draft.verdict.is_good and wishes.merge and not wants_review
    candidate, merge = _seal(engine, draft, attempt, lands=lands)
    note = _move_branch(engine, draft, candidate) if candidate else ""
    result = _result(draft, attempt, candidate)
    if not draft.verdict.is_good:
        return result
    if not lands or candidate is None or draft.tree is None:
        why = (
            "a person must review it first" if wants_review else "proven, and not merged, as asked"
        )
        return replace(result, reason=why, next_step=f"minitask merge {task.name}")
    engine.emit(Progress(task.name, "land", task.target.removeprefix("refs/heads/")))
    landed = land(engine, task, Candidate(candidate, draft.tree, attempt, merge))
    if landed.proof is not None:
        attempt = replace(attempt, commands=landed.proof.commands)
    return replace(
        result,
        verdict=landed.verdict,
        reason=landed.reason or note,
        merge=landed.merge,
        next_step=landed.next_step,
        attempts=(replace(attempt, verdict=landed.verdict),),
    )


def _seal(
    engine: Engine, draft: Draft, attempt: Attempt, *, lands: bool
) -> tuple[str | None, str | None]:
    """Write candidate, record and, where it is to land at once, the merge: one stream, in which the record is sure."""
    task, commits = draft.task, list[NewCommit]()
    candidate = merge = None
    if draft.tree is not None:
        commit = building.candidate_commit(engine, task, attempt, draft.tree)
        candidate = building.commit_id(commit, engine.repository.object_format)
        commits.append(commit)
        if lands:
            onto = building.merge_commit(
                engine, task, attempt, tip=task.base, candidate=candidate, tree=draft.tree
            )
            merge = building.commit_id(onto, engine.repository.object_format)
            commits.append(replace(onto, parents=(task.base, ":1")))
    record = _record(draft, attempt, candidate=candidate, merge=merge)
    commits.append(
        append_commit([record], head=draft.heads.get(refs.LEDGER), signature=engine.signature)
    )
    written = write_commits(engine.repository.git, commits)
    if candidate is not None and written[0] != candidate:
        raise MachineError("git gave the candidate another id than its content has")
    return candidate, merge


def _record(draft: Draft, attempt: Attempt, *, candidate: str | None, merge: str | None) -> Record:
    notes = []
    if draft.task.uncommitted:
        notes.append("the spec was run as it stood in the checkout, not committed")
    if draft.task.spec.options.proof == "none":
        notes.append("proof waived: the validation was not run on the base")
    return Record(
        task=draft.task.name,
        spec_path=draft.task.path,
        spec_blob=draft.task.blob,
        target=draft.task.target,
        base=draft.task.base,
        anchor=draft.anchor.known,
        candidate=candidate,
        merge=merge,
        tree=draft.tree,
        started_at=datetime.fromtimestamp(draft.started, UTC).isoformat(timespec="milliseconds"),
        baseline_cost_usd=draft.baseline_usd,
        attempt=attempt,
        notes=tuple(notes),
    )


def _move_branch(engine: Engine, draft: Draft, candidate: str) -> str:
    """Move the task's branch, unless somebody has it checked out; gives a note where it stayed."""
    name = refs.branch(draft.task.name)
    old = draft.heads.get(name)
    if old is not None and checkout_of(engine.repository, name) is not None:
        return f"{name.removeprefix('refs/heads/')} is checked out, so it stays where it was"
    absent = refs.zeros(engine.repository.object_format)
    refs.move(engine.repository.git, [refs.Move(name, candidate, old or absent)])
    return ""


def _result(draft: Draft, attempt: Attempt, candidate: str | None) -> TaskResult:
    task = draft.task
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=draft.verdict,
        reason=draft.ruling.reason,
        branch=refs.branch(task.name).removeprefix("refs/heads/") if candidate else None,
        base=task.base,
        commit=candidate,
        cost_usd=draft.cost_usd,
        baseline_cost_usd=draft.baseline_usd,
        estimate=draft.estimate,
        usage=draft.usage,
        attempts=(attempt,),
        next_step="" if draft.verdict.is_good else f"minitask show {task.name}",
    )


def _stopped(task: Task, verdict: Verdict, reason: str) -> TaskResult:
    return TaskResult(
        task=task.name,
        spec_path=task.path,
        spec_blob=task.blob,
        verdict=verdict,
        reason=reason,
        base=task.base,
    )


def _protected(engine: Engine, task: Task) -> tuple[str, ...]:
    return (*engine.settings.protected, *task.spec.options.protected)


def _next_number(engine: Engine, task: Task, heads: dict[str, str]) -> int:
    """One more than any attempt that a ref or the ledger knows."""
    below = f"{refs.ATTEMPTS}/{task.name}/"
    numbers = [int(name.removeprefix(below)) for name in heads if name.startswith(below)]
    ledger = heads.get(refs.LEDGER)
    entry = engine.objects.entry(ledger, task.name) if ledger else None
    if entry is not None:
        numbers += [int(name.split("-")[0]) for name in engine.objects.entries(entry.oid)]
    return 1 + max(numbers, default=0)
