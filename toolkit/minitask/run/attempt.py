"""One task's life: routed, proven red, worked, scoped, proven green, recorded, landed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from minitask.edits.model import Change
from minitask.errors import BudgetError, EditError, MachineError, RefusedError
from minitask.executors.model import ExecutorFailure, Order, Work
from minitask.executors.registry import make_executor
from minitask.executors.script import has_script
from minitask.gates.ruling import Ruling
from minitask.gates.scope import check_paths, check_scope
from minitask.ledger.record import Attempt, TaskResult, Verdict
from minitask.policy.route import Demand, choose
from minitask.repo import refs
from minitask.repo.history import introduced_by, latest_landing
from minitask.repo.merging import tree_changes
from minitask.run import building, paid, preflight
from minitask.run.anchors import Anchor
from minitask.run.budget import check_affordable
from minitask.run.costs import baseline_cost, estimate_usage, work_cost
from minitask.run.draft import Draft
from minitask.run.engine import Engine, Progress
from minitask.run.landing import Candidate, land
from minitask.run.orders import make_order
from minitask.run.proof import check_fails_before, prove
from minitask.run.resume import take_proven
from minitask.run.sealing import move_branch, record_landing, seal
from minitask.run.tasks import Task
from minitask.values import dataclass


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a task is to be run: where it is to go, whether it lands, whether it runs though it is proven or landed.

    `limit_usd` is what it may cost, None where there is no limit; a spec's own limit can only be lower.
    """

    demand: Demand
    merge: bool = True
    again: bool = False
    limit_usd: Decimal | None = None

    @property
    def takes_what_is_there(self) -> bool:
        """Whether an earlier attempt will do."""
        return not self.again and self.demand == Demand()


def run_task(engine: Engine, task: Task, wishes: Wishes) -> TaskResult:
    """Run one task to its verdict; only bad usage, spec or config is raised."""
    started = engine.clock()
    try:
        done = None if wishes.again else landed_result(engine, task)
        if done is None and wishes.takes_what_is_there:
            done = take_proven(engine, task, lands=wishes.merge)
        result = done or _run(engine, task, wishes, started)
    except (RefusedError, EditError) as error:
        result = _stopped(task, Verdict.REFUSED, str(error))
    except BudgetError as error:
        result = replace(_stopped(task, Verdict.SKIPPED, str(error)), over_budget=True)
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
    check_affordable(engine, order, draft.route, limit_usd=wishes.limit_usd)
    changes = _work(engine, draft, order)
    if changes is not None:
        _judge_safely(engine, draft, order, changes)
    try:
        return _finish(engine, draft, wishes)
    except (MachineError, OSError) as error:
        draft.fail(Verdict.ERROR, "record", str(error))
        return _result(draft, draft.attempt(engine), None)


def _prepare(engine: Engine, task: Task, wishes: Wishes, started: float) -> Draft:
    """Everything that can refuse the task before a command is run or a cent spent."""
    preflight.check_files(task, engine.objects, protected=_protected(engine, task))
    preflight.check_edits(task)
    heads = task_heads(engine, task)
    preflight.check_branch(task, engine.objects, heads)
    engine.signature  # noqa: B018 - who commits must be known before anything is spent
    route = choose(task.spec, engine.settings, demand=wishes.demand, scripted=has_script(task.spec))
    engine.emit(Progress(task.name, "route", f"tier {route.tier.value}: {route.reason}"))
    anchor = Anchor(engine.repository.git, engine.objects, task)
    number = _next_number(engine, task, heads)
    return Draft(task, route, number, started, heads, anchor, model=route.model)


def task_heads(engine: Engine, task: Task) -> dict[str, str]:
    """The task's branch, attempts and merges, and the ledger, by ref."""
    folders = (f"{refs.ATTEMPTS}/{task.name}", f"{refs.LANDING}/{task.name}")
    return refs.snapshot(engine.repository.git, refs.branch(task.name), *folders, refs.LEDGER)


def _work(engine: Engine, draft: Draft, order: Order) -> tuple[Change, ...] | None:
    """The executor's change, if one came of it; what was spent is on the draft either way."""
    engine.emit(Progress(draft.task.name, "implement", draft.route.model or "edit script"))
    executor = make_executor(draft.route.executor, engine.settings, engine.environ)
    setting = engine.settings.executors.get(draft.route.executor)
    base_url = setting.base_url if setting else ""
    try:
        work = paid.answer(engine, draft.task, draft.route, lambda: executor.work(order))
    except ExecutorFailure as failure:
        spent = Work((), failure.usage, draft.route.model, failure.reply, None)
        draft.usage, draft.cost_usd = failure.usage, work_cost(engine, spent, base_url)
        draft.verdict = Verdict.ERROR if failure.exit_code == 3 else Verdict.FAILED
        draft.ruling = Ruling("implement", passed=False, reason=f"{failure.kind}: {failure}")
        return None
    draft.usage, draft.cost_usd = work.usage, work_cost(engine, work, base_url)
    return work.changes


def _judge_safely(engine: Engine, draft: Draft, order: Order, changes: tuple[Change, ...]) -> None:
    """Judge the change; whatever breaks on the way is on the draft, so that what was spent is recorded."""
    try:
        _judge(engine, draft, order, changes)
    except EditError as error:
        draft.fail(Verdict.REFUSED, "scope", str(error))
    except (MachineError, OSError) as error:
        draft.fail(Verdict.ERROR, "validate", str(error))


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
    record = seal(engine, draft, attempt, lands=lands)
    paid.settle(engine, task, draft.route)
    candidate = record.candidate
    note = move_branch(engine, task, candidate, old=draft.heads.get(refs.branch(task.name)))
    result = _result(draft, record.attempt, candidate)
    if not draft.verdict.is_good or candidate is None or draft.tree is None:
        return result
    if not lands:
        review = "a person must review it first"
        why = review if wants_review else "proven, and not merged, as asked"
        return replace(result, reason=why, next_step=f"minitask merge {task.name}")
    engine.emit(Progress(task.name, "land", task.target.removeprefix("refs/heads/")))
    landed = land(engine, task, Candidate(candidate, draft.tree, attempt, record.merge))
    record_landing(engine, record, landed)
    commands = landed.proof.commands if landed.proof else attempt.commands
    return replace(
        result,
        verdict=landed.verdict,
        reason=landed.reason or note,
        merge=landed.merge,
        next_step=landed.next_step,
        attempts=(replace(attempt, verdict=landed.verdict, commands=commands),),
    )


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
    """One more than any attempt that the ledger or a ref knows, be it the merge of one that was killed."""
    below = tuple(f"{folder}/{task.name}/" for folder in (refs.ATTEMPTS, refs.LANDING))
    ends = [name.rpartition("/")[2].partition(".")[0] for name in heads if name.startswith(below)]
    numbers = [int(end) for end in ends if end.isdecimal()]
    ledger = heads.get(refs.LEDGER)
    entry = engine.objects.entry(ledger, task.name) if ledger else None
    if entry is not None:
        numbers += [int(name.split("-")[0]) for name in engine.objects.entries(entry.oid)]
    return 1 + max(numbers, default=0)
