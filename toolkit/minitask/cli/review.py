"""`minitask review`: a person judges a task, or a model verifies a whole project."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import click

from minitask.cli.completion import complete_tasks
from minitask.cli.session import (
    Session,
    budget_of,
    exit_code,
    into_option,
    json_option,
    print_json,
    start,
    tell_issues,
)
from minitask.cli.terminal import show
from minitask.engine.context import Context
from minitask.engine.find_tasks import full_name, is_project, list_tasks
from minitask.engine.task_records import all_records_of, latest_record, task_at
from minitask.engine.tasks import Base
from minitask.errors import UsageError
from minitask.git import refs
from minitask.git.trees import patch
from minitask.ledger.record_json import result_document
from minitask.planning.verify_project import verify_project
from minitask.policy.budget import Budget
from minitask.policy.route import MODEL_TIERS
from minitask.reports.plans import render_verified, verified_document
from minitask.reports.results import render_result
from minitask.reports.task_report import Reviewed, render_reviewed, reviewed_document
from minitask.task import human_review
from minitask.task.merge_later import merge_task
from minitask.task.questions import route_to

APPROVE, REJECT, LEAVE = "approve", "reject", "leave"


@click.command("review")
@click.argument(
    "names", nargs=-1, required=True, metavar="TASK...|PROJECT", shell_complete=complete_tasks
)
@click.option("--approve", "approves", is_flag=True, help="Approve and merge.")
@click.option(
    "--reject", "reason", metavar="REASON", help="Reject; the next attempt sees the reason."
)
@click.option(
    "--from-pr",
    "asks",
    is_flag=True,
    help="Reject with what failed and was asked for in the pull request.",
)
@click.option(
    "--tier",
    type=click.Choice(MODEL_TIERS),
    help="The tier that verifies a whole PROJECT (default: frontier).",
)
@click.option("--model", help="The model that verifies a whole PROJECT.")
@click.option("--max-cost", metavar="USD", help="Stop before a call that could cost more.")
@into_option
@json_option
def command(names: tuple[str, ...], **options: Any) -> int:
    """Show TASK's diff, criteria, evidence and cost, to be approved or rejected; or have all of PROJECT verified.

    A PROJECT's combined diff is read once by a model; what it finds is written as new specs.

    \b
    Example:
      minitask review api/02-routes --approve
      minitask review api --tier frontier
    """
    approves, reason, as_json = options["approves"], options["reason"], options["as_json"]
    if approves + (reason is not None) + options["asks"] > 1:
        raise UsageError("--approve, --reject and --from-pr exclude each other", hint="choose one")
    session = start()
    names = _full_names(session, names)
    if any("/" not in name for name in names):
        if len(names) > 1 or approves or reason is not None or options["asks"]:
            hint = "name one project, without --approve, --reject or --from-pr"
            raise UsageError("a project is verified on its own", hint=hint)
        return _verify(session, names[0], options, as_json=as_json)
    if approves:
        return _approve(session, names, options, as_json=as_json)
    if reason is not None or options["asks"]:
        return _reject(session, names, reason, options, as_json=as_json)
    return _show(session, names, options, as_json=as_json)


def _full_names(session: Session, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the full names of tasks; names of projects are not changed."""
    with session.engine("review", quiet=True, looks_only=True) as engine:
        base = session.base(engine)
        return tuple(
            name if is_project(engine, name, base) else full_name(engine, name, base)
            for name in names
        )


def _show(
    session: Session, names: tuple[str, ...], options: dict[str, Any], *, as_json: bool
) -> int:
    with session.engine("review", quiet=True, looks_only=True) as engine:
        shown = [_reviewed(session, engine, name) for name in names]
    if as_json:
        print_json([reviewed_document(item) for item in shown])
        return 0
    for item in shown:
        show(render_reviewed(item))
        if not item.merge and sys.stdin.isatty() and sys.stdout.isatty():
            _ask(session, item.record.task, options)
    return 0


def _ask(session: Session, name: str, options: dict[str, Any]) -> None:
    """Ask the person at the terminal."""
    decision = click.prompt("decision", type=click.Choice([APPROVE, REJECT, LEAVE]), default=LEAVE)
    if decision == APPROVE:
        _approve(session, (name,), options, as_json=False)
    elif decision == REJECT:
        _reject(session, (name,), click.prompt("what is wrong"), options, as_json=False)


def _reviewed(session: Session, engine: Context, name: str) -> Reviewed:
    record = latest_record(engine, name)
    base = session.base(engine)
    branch = refs.branch(name)
    tip = engine.objects.commit(branch) or record.candidate
    diff = patch(engine.repository.git, record.base, tip) if tip else ""
    task = task_at(engine, name, f"{record.spec_path}@{record.spec_blob}", base)
    calls = tuple(
        call
        for call in all_records_of(engine, name)
        if call.is_call and call.spec_blob == record.spec_blob
    )
    merge = human_review.landed(engine, name, base) or ""
    return Reviewed(record, calls, task.spec, diff, branch.removeprefix("refs/heads/"), merge)


def _approve(
    session: Session, names: tuple[str, ...], options: dict[str, Any], *, as_json: bool
) -> int:
    results = []
    with session.engine(f"review {' '.join(names)}", quiet=as_json) as engine:
        for name in names:  # all or none
            human_review.check_approvable(engine, name)
        for name in names:
            base = session.base(engine, options["into"])
            results.append(merge_task(engine, name, base, approves=True))
    if as_json:
        print_json({"tasks": [result_document(result) for result in results]})
    else:
        show("\n".join(render_result(result) for result in results))
    tell_issues(session, results)
    return exit_code(results)


def _reject(
    session: Session,
    names: tuple[str, ...],
    reason: str | None,
    options: dict[str, Any],
    *,
    as_json: bool,
) -> int:
    """Reject tasks for a reason; None: for the objections in their pull requests."""
    if reason is not None and not reason.strip():
        raise UsageError("a rejection needs a reason", hint='state what is wrong: --reject "…"')
    with session.engine(f"review {' '.join(names)}", quiet=as_json) as engine:
        base = session.base(engine, options["into"])
        for name in names:  # all or none
            human_review.check_rejectable(engine, name, base)
        own_reasons = [reason] * len(names) if reason is not None else None
        reasons = own_reasons or _objections(session, engine, names, base)
        records = list(map(partial(human_review.reject, engine), names, reasons))
        scripts = [name for name in names if human_review.is_from_script(engine, name)]
    if as_json:
        pairs = [(record.task, record.attempt.reason) for record in records]
        print_json({"tasks": [{"task": task, "reason": why} for task, why in pairs]})
        return 0
    for record in records:
        show(f"✗ {record.task}: {record.attempt.reason}")
        again = f"minitask exec {record.task}"
        step = f"correct the edit script in {record.spec_path}, commit it, then: {again}"
        click.echo(
            f"  next   {step if record.task in scripts else f'{again}  (it will see your reason)'}"
        )
    return 0


def _objections(session: Session, engine: Context, names: tuple[str, ...], base: Base) -> list[str]:
    """Return the objections in each task's pull request."""
    from minitask.cli.pull_requests import source_of
    from minitask.forge.forge_at import open_for_reading
    from minitask.forge.publish import objections_to

    forge = open_for_reading(source_of(session))
    return [
        objections_to(forge, name, base.target, engine.objects.commit(refs.branch(name)))
        for name in names
    ]


def _verify(session: Session, name: str, options: dict[str, Any], *, as_json: bool) -> int:
    with session.engine(f"review {name}", quiet=as_json) as engine:
        base = session.base(engine, options["into"])
        tasks = list_tasks(engine, [name], base)
        tier = options["tier"] or MODEL_TIERS[-1]
        route = route_to(engine, tier, f"verifying at tier {tier}", model=options["model"] or None)
        budget = Budget(budget_of(options["max_cost"], session.settings))
        verification = verify_project(engine, base, tasks, route, budget=budget)
    if as_json:
        print_json(verified_document(verification))
    else:
        show(render_verified(verification))
    return verification.exit_code
