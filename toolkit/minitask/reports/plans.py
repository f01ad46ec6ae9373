"""Output of commands that write specs: `plan`, `import`, `scan` and `review PROJECT`, which verifies a project."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from functools import reduce
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from minitask.engine.tasks import PROJECTS
from minitask.ledger.record import NO_USAGE, money, plus, whole
from minitask.ledger.record_json import call_document
from minitask.reports.diagnostics import render_text
from minitask.reports.forecasts import estimate_document
from minitask.reports.results import dollars, tokens_text, without_fix
from minitask.values import grouped
from minitask.words import counted, one_line

if TYPE_CHECKING:
    from minitask.planning.importers.import_plan import ImportedPlan
    from minitask.planning.plan import Planned
    from minitask.planning.plan_from import GoalResult, PlannedGoals
    from minitask.planning.scan import Scan, ScanOptions
    from minitask.planning.verify_project import ProjectVerification
    from minitask.policy.route import CallEstimate, Route


def planned_document(planned: Planned) -> dict[str, Any]:
    """Return a plan as JSON."""
    return {
        "project": planned.project,
        "specs": list(planned.specs),
        "diagnostics": to_builtins(planned.diagnostics),
        "problem": planned.problem or None,
        "kept": planned.kept or None,
        "cost_usd": money(planned.cost_usd),
        "calls": [call_document(call) for call in planned.calls],
    }


def render_planned(planned: Planned) -> str:
    """Return a plan as text."""
    lines = [f"wrote {name}" for name in planned.specs]
    lines += _mistakes(planned)
    if planned.problem:
        lines.append(f"problem: {planned.problem}")
    if planned.kept:
        command = ["minitask", "plan", "--from", planned.kept, "--project", planned.project]
        lines.append(f"the answer is kept in {planned.kept}")
        lines.append(f"next: fix it, then: {shlex.join(command)}")
    for call in planned.calls:
        rounds = f", {counted(call.malformed, 'answer')} rejected" if call.malformed else ""
        tokens = f"{tokens_text(call.usage, 'tokens')}{rounds}"
        cost = dollars(call.cost_usd)
        lines.append(f"planned by {call.model} (tier {call.tier}), {tokens}: {cost}")
    return "\n".join([*lines, *_next_steps(planned)])


def _mistakes(planned: Planned) -> Iterator[str]:
    if planned.diagnostics:
        yield render_text(planned.diagnostics, len(planned.specs)).rstrip("\n")


def _next_steps(planned: Planned) -> Iterator[str]:
    """Yield the next commands, if there are specs."""
    if planned.specs:
        folder = planned.specs[0].rpartition("/")[0]
        first = "read and fix them" if planned.has_errors else "read them"
        yield f"next: {first}, then: {_commit_command(folder, planned.project)}"
        yield f"      minitask run {planned.project}"


def _commit_command(folder: str, project: str) -> str:
    commit = f"git commit -m 'specs: {project}' -- {folder}"  # nothing else that is staged
    return f"minitask validate {folder} && git add {folder} && {commit}"


def goals_document(outcome: PlannedGoals, *, dry_run: bool) -> dict[str, Any]:
    """Return the tasks of a plan with their results as JSON."""
    return {
        "format": outcome.source.form,
        "source": outcome.source.path,
        "dry_run": dry_run,
        "tasks_found": len(outcome.results),
        "goals": [
            {
                "task": result.goal.label,
                "title": result.goal.title,
                "state": result.state,
                "reason": result.reason or None,
                "depends_on": list(result.goal.needs),
                "specs": list(result.specs),
                "estimate": estimate_document(result.estimate) if result.estimate else None,
            }
            for result in outcome.results
        ],
        "notes": list(outcome.source.plan.notes),
        "estimate_usd": money(outcome.estimate_usd) if dry_run else None,
        **planned_document(outcome.planned),
    }


def render_goals(outcome: PlannedGoals, *, dry_run: bool) -> str:
    """Return the tasks of a plan with their results as text."""
    from minitask.planning.importers.foreign_plan import listed
    from minitask.planning.plan_from import FAILED, OPEN, SKIPPED

    planned = outcome.planned
    skipped = [result for result in outcome.results if result.state == SKIPPED]
    others = (result for result in outcome.results if result.state != SKIPPED)
    lines = [line for result in others for line in _goal_lines(result)]
    for reason, group in grouped(skipped, lambda result: result.reason).items():
        labels = listed([result.goal.label for result in group])
        lines.append(f"{SKIPPED:8} {len(group)} {reason}: {labels}")
    lines += [f"note: {one_line(note)}" for note in outcome.source.plan.notes]
    lines += [*_mistakes(planned), _goals_total(outcome, dry_run=dry_run), *_next_steps(planned)]
    if not dry_run and any(result.state in (OPEN, FAILED) for result in outcome.results):
        repaired = ", and takes a kept answer that you have repaired" if planned.kept else ""
        lines.append(f"again: the same command asks only for what is missing{repaired}")
    return "\n".join(lines)


def _goal_lines(result: GoalResult) -> Iterator[str]:
    from minitask.planning.importers.foreign_plan import listed

    goal = result.goal
    after = f"  (after {listed(goal.needs)})" if goal.needs else ""
    cost = f"  {estimate_text(result.estimate)}" if result.estimate else ""
    yield f"{result.state:8} {goal.label}  {goal.title}{after}{cost}"
    if result.specs:
        yield f"         {listed([path.rpartition('/')[2] for path in result.specs])}"
    if result.reason:
        yield f"         {one_line(result.reason)}"


def estimate_text(estimate: CallEstimate) -> str:
    """Return an estimate as text."""
    return f"about {tokens_text(estimate, 'tokens')}: {dollars(estimate.cost_usd)}"


def who_plans(route: Route) -> str:
    """Return the model and tier that plan."""
    return f"{route.model} (tier {route.tier.value})"


def _goals_total(outcome: PlannedGoals, *, dry_run: bool) -> str:
    from minitask.planning.plan_from import FAILED, OPEN, PLANNED, PRESENT, SKIPPED
    from minitask.spec.frontmatter import KIRO, OPENSPEC

    unit = "section" if outcome.source.form in (KIRO, OPENSPEC) else "task"
    total = f"{outcome.source.form}: {counted(len(outcome.results), unit)}"
    count = Counter(result.state for result in outcome.results)
    if dry_run:
        asked_for = f"{total}, {count[OPEN]} to plan, a call each"
        if outcome.route is None:
            return f"{asked_for}; no tier has an executor, so the cost is unknown"
        who, cost = who_plans(outcome.route), dollars(outcome.estimate_usd)
        return f"{asked_for}, by {who}: about {cost}; nothing was sent"
    states = ((PLANNED, "planned"), (PRESENT, "planned before"), (FAILED, "failed"), (OPEN, "left"))
    shown = [f"{count[state]} {label}" for state, label in states if count[state]]
    total = ", ".join([total, *shown, f"{count[SKIPPED]} skipped"])
    calls = outcome.planned.calls
    if not calls:
        return total
    models = ", ".join(dict.fromkeys(call.model for call in calls))
    tokens = tokens_text(reduce(plus, (call.usage for call in calls), NO_USAGE), "tokens")
    paid = dollars(outcome.planned.cost_usd)
    return f"{total}\n{counted(len(calls), 'call')} of {models}, {tokens}: {paid}"


def imported_document(imported: ImportedPlan) -> dict[str, Any]:
    """Return an import as JSON."""
    return {
        "format": imported.form,
        "project": imported.project,
        "tasks_found": imported.tasks_found,
        "specs": to_builtins(imported.specs),
        "notes": list(imported.notes),
    }


def render_imported(imported: ImportedPlan, *, dry_run: bool = False) -> str:
    """Return an import as text."""
    lines: list[str] = []
    for spec in imported.specs:
        lines.append(f"{spec.state:9} {spec.path}{'  (draft)' if spec.draft else ''}")
        if spec.carried:
            lines.append(f"  carried  {', '.join(spec.carried)}")
        lines += [f"  dropped  {one_line(text)}" for text in spec.dropped]
        lines += [f"  fill in  {one_line(text)}" for text in spec.missing]
    lines += [f"note: {one_line(note)}" for note in imported.notes]
    drafts = sum(spec.draft for spec in imported.specs)
    specs = f"{counted(len(imported.specs), 'spec')}, {counted(drafts, 'draft')}"
    lines.append(f"{imported.form}: {counted(imported.tasks_found, 'task')}, {specs}")
    if dry_run:
        lines.append("dry run: nothing was written")
    elif imported.specs:
        folder = imported.specs[0].path.rpartition("/")[0]
        project = folder.rpartition("/")[2]
        first = "complete the drafts" if drafts else "read them"
        lines.append(f"next: {first}, then: {_commit_command(folder, project)}")
    return "\n".join(lines)


def scan_document(scan: Scan) -> dict[str, Any]:
    """Return a scan as JSON."""
    return {
        "findings": scan.findings,
        "fixable": scan.fixable,
        "left_out": scan.left_out,
        "files": [
            {
                "path": file.path,
                "findings": len(file.findings),
                "kind": file.kind,
                "spec": file.spec,
                "reason": file.reason,
            }
            for file in scan.files
        ],
        "specs": list(scan.specs),
        "diagnostics": to_builtins(scan.diagnostics),
    }


def render_scan(scan: Scan, options: ScanOptions, *, fixer: str) -> str:
    """Return a scan as text; `fixer` is the linter's own command for automatic fixes."""
    lines = []
    width = max(map(len, scan.specs), default=0)
    for file in scan.files:
        if file.spec and file.kind:
            draft = ", a draft without a validation" if file.spec in scan.drafts else ""
            summary = f"{counted(len(file.findings), 'finding')}, {file.kind}{draft}"
            lines.append(f"{file.spec:{width}}  {one_line(file.path)}: {summary}")
    if scan.diagnostics:
        lines.append(render_text(scan.diagnostics, len(scan.specs)).rstrip("\n"))
    lines += _scan_counts(scan, options)
    if scan.fixable:
        share = f"{scan.fixable} of {counted(scan.findings, 'finding')}"
        coverage = "the specs cover all" if options.free_too else "the specs cover the rest"
        lines.append(f"{share}: `{fixer}` fixes them at no cost; {coverage}")
    return "\n".join([*lines, *_scan_next(scan, options)])


def _scan_counts(scan: Scan, options: ScanOptions) -> Iterator[str]:
    if not scan.findings:
        yield f"no findings in {scan.base}"
    else:
        outcome = "written" if options.writes else "would be written"
        spec_count = counted(len(scan.specs), "spec")
        yield f"{counted(scan.findings, 'finding')} in {scan.base}: {spec_count} {outcome}"
    without = (file for file in scan.files if file.spec is None)
    for reason, files in grouped(without, lambda file: file.reason).items():
        subject = one_line(files[0].path) if len(files) == 1 else f"{len(files)} files"
        number = sum(len(file.findings) for file in files)
        yield f"no spec for {subject} ({counted(number, 'finding')}): {reason}"
    if scan.left_out:
        yield f"left out: {counted(scan.left_out, 'finding')} outside the committed files of this repository"


def _scan_next(scan: Scan, options: ScanOptions) -> Iterator[str]:
    if not scan.specs:
        return
    folder = f"{PROJECTS}/{options.project}"
    if not options.writes:
        missing = "; --check 'COMMAND {path}' adds a validation" if scan.drafts else ""
        yield f"next  run it without --dry-run to write them{missing}"
        return
    if scan.drafts:
        again = "delete them and scan again with --check 'COMMAND {path}'"
        yield f"next  write the validations of the drafts; or {again}"
    yield f"{'then' if scan.drafts else 'next'}  minitask validate {folder}"
    yield f'      git add {folder} && git commit -m "specs: {options.project}" -- {folder}'
    yield f"      minitask run {options.project}"


def verified_document(verification: ProjectVerification) -> dict[str, Any]:
    """Return the verification of a project as JSON."""
    verdicts = verification.verdicts
    calls = [call_document(call) for call in verification.calls]
    return {
        "project": verification.project,
        "base": verification.base,
        "tip": verification.tip,
        "approved": bool(verdicts) and all(verdict.approved for verdict in verdicts),
        "tasks": to_builtins(verdicts),
        "fixes": planned_document(verification.fixes) if verification.fixes else None,
        "problem": verification.problem or None,
        "cost_usd": money(whole(call.cost_usd for call in verification.calls)),
        "calls": [
            {name: value for name, value in call.items() if name != "seconds"} for call in calls
        ],
    }


def render_verified(verification: ProjectVerification) -> str:
    """Return the verification of a project as text."""
    lines = [f"{verification.project}: {verification.base[:12]}..{verification.tip[:12]}"]
    lines += [
        f"  {'✓' if verdict.approved else '✗'} {verdict.task}  {verdict.why}"
        for verdict in verification.verdicts
    ]
    if verification.problem:
        lines.append(f"  no verdict: {without_fix(verification.problem, '')}")
    for call in verification.calls:
        lines.append(f"  by {call.model} (tier {call.tier}): {dollars(call.cost_usd)}")
    if verification.fixes:
        lines.append(render_planned(verification.fixes))
    return "\n".join(lines)
