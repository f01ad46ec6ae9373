"""The output of the demo."""

from __future__ import annotations

from collections.abc import Mapping

from minitask.ledger.record import Verdict
from minitask.project.demo import PROJECT, DemoResult
from minitask.reports.results import RunSummary, dollars, render_run


def render_demo(shown: DemoResult) -> str:
    """Return the tasks, what became of the module, the branches and merges, the costs, and where to look."""
    failed = next((result for result in shown.results if result.verdict is Verdict.FAILED), None)
    lines = [
        render_run(RunSummary(PROJECT, "main", shown.results, shown.seconds)),
        "",
        "the module, in lines",
        *_sizes(shown.lines_before, shown.lines_after),
        "",
        "branches, one per task, passed or not",
        *(f"  {entry.commit}  {entry.text}" for entry in shown.branches),
        "",
        "merges on main, each tree validated before main moved",
        *(f"  {entry.commit}  {entry.text}" for entry in shown.merges),
        "",
        "cost",
        "  this run                 $0: every spec carries its own edit script",
        *(
            f"  {shown.models[kind]:24} about {dollars(amount)} for the same edits, one call per task (estimated)"
            for kind, amount in shown.estimates_usd.items()
        ),
        "",
        "look around",
        f"  cd {shown.folder}",
        "  git log --graph --oneline main",
        "  minitask status",
    ]
    if failed is not None:
        lines.append(f"  minitask show {failed.task}    # fails on purpose; it did not merge")
    return "\n".join(lines)


def _sizes(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    names = sorted({*before, *after})
    changed = [name for name in names if before.get(name) != after.get(name)]
    width = max((len(name) for name in changed), default=0)
    return [
        f"  {name:{width}}  {before.get(name, 0):5} -> {after.get(name, 0):5}" for name in changed
    ]
