"""Plan the tasks of another tool's plan one by one, with one call each; tasks that already have specs are not planned.

A spec names its task in a comment, with a digest of the task's text. So a later run knows which tasks are planned,
which have changed since, and on which specs the next ones depend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from minitask.engine.context import Context, Progress
from minitask.engine.tasks import PROJECTS, Base
from minitask.errors import MinitaskError, UsageError
from minitask.ledger.record import Usage, whole
from minitask.planning.importers.boxes import MARK, origin_of
from minitask.planning.importers.foreign_plan import PlanGoal, listed
from minitask.planning.importers.goal_source import GoalSource
from minitask.planning.plan import (
    ANSWERS,
    Planned,
    plan,
    plan_topic,
    planning_question,
    write_planned,
)
from minitask.planning.plan_prompt import Goal
from minitask.policy.budget import Budget
from minitask.policy.estimates import estimate_tokens, token_scale
from minitask.policy.route import CallEstimate, Route
from minitask.routing.requests import price_of
from minitask.spec.dependency_graph import Graph
from minitask.spec.frontmatter import MAX_BYTES
from minitask.spec.model import FileAction, Spec
from minitask.spec.parse import parse_file
from minitask.task import paid_calls
from minitask.words import DATA, did_you_mean, fenced_data, one_line

SPEC_TOKENS = 800
"""Estimated tokens of a planned spec."""
SPECS_A_TASK = 2
MOST_SHOWN = 100
PLANNED, PRESENT, OPEN, FAILED, SKIPPED = "planned", "present", "open", "failed", "skipped"


class GoalResult(Struct, frozen=True):
    """The result for a task: planned now, present (planned before), open, failed or skipped, with the reason.

    `specs` are the paths of its specs.
    """

    goal: PlanGoal
    state: str
    reason: str = ""
    specs: tuple[str, ...] = ()
    estimate: CallEstimate | None = None


class PlannedGoals(Struct, frozen=True):
    """The results of all tasks, with everything written and paid for. `route` is the planner's."""

    source: GoalSource
    results: tuple[GoalResult, ...]
    planned: Planned
    route: Route | None = None

    @property
    def estimate_usd(self) -> Decimal | None:
        """Return the estimated cost of the remaining calls, or None if it is unknown."""
        return whole(result.estimate.cost_usd for result in self.results if result.estimate)


class _Present(Struct, frozen=True):
    """A spec file of the project, and the task that it was planned from, if any."""

    name: str
    specs: tuple[Spec, ...]
    origin: tuple[str, str, str] | None
    digest: str


def survey(
    engine: Context, source: GoalSource, template: Goal, only: Collection[str] = ()
) -> tuple[GoalResult, ...]:
    """Return the tasks' states before any call; raise `UsageError` for a task of `only` that the plan does not have."""
    labels = [goal.label for goal in source.plan.goals]
    for label in only:
        if label not in labels:
            raise UsageError(f"the plan has no task {label}", hint=did_you_mean(label, labels))
    present = _present(engine, template.project)
    return tuple(_standing(goal, source, present, only) for goal in source.plan.goals)


def estimated(
    engine: Context,
    base: Base,
    source: GoalSource,
    template: Goal,
    results: Sequence[GoalResult],
    route: Route | None,
) -> PlannedGoals:
    """Return the results with an estimate of tokens and dollars for each open task, without a call."""
    present = _present(engine, template.project)

    def with_estimate(result: GoalResult) -> GoalResult:
        if result.state != OPEN:
            return result
        goal = _goal(result.goal, source, template, present)
        estimate = estimate_call(engine, base, goal, route, specs=result.goal.parts)
        return replace(result, estimate=estimate)

    outcomes = tuple(map(with_estimate, results))
    return PlannedGoals(source, outcomes, Planned(template.project, (), ()), route)


def plan_goals(
    engine: Context,
    base: Base,
    source: GoalSource,
    template: Goal,
    results: Sequence[GoalResult],
    route: Route,
    *,
    budget: Budget,
) -> PlannedGoals:
    """Plan each open task; specs already written stay if later tasks fail.

    A task that depends on a failed one stays open, as do all others once an error would fail every further call.
    """
    outcomes: list[GoalResult] = []
    parts: list[Planned] = []
    stopped: Planned | None = None
    for result in results:
        failed = [outcome.goal.label for outcome in outcomes if outcome.state in (OPEN, FAILED)]
        lacking = [need for need in result.goal.needs if need in failed]
        if result.state != OPEN or stopped or lacking:
            waits = result.state == OPEN and bool(lacking)
            reason = f"waits for task {lacking[0]}" if waits else result.reason
            outcomes.append(replace(result, reason=reason))
            continue
        present = _present(engine, template.project)
        goal = _goal(result.goal, source, template, present)
        engine.emit(Progress(plan_topic(goal), "plan", one_line(goal.title)))
        planned = _planned(engine, base, goal, route, budget)
        parts.append(planned)
        stopped = planned if planned.exit_code > 1 else None
        state = PLANNED if planned.specs else OPEN if stopped else FAILED
        problem = planned.problem
        if planned.kept:
            problem += f"; its answer is kept in {planned.kept}"
        reason = problem or result.reason or _loose(result.goal, source, present)
        outcomes.append(replace(result, state=state, reason=reason, specs=planned.specs))
    return PlannedGoals(source, tuple(outcomes), _together(template.project, parts), route)


def _loose(goal: PlanGoal, source: GoalSource, present: Sequence[_Present]) -> str:
    """Return a note on dependencies without specs, which the specs of a planned task therefore do not depend on."""
    origins = {spec.origin for spec in present}
    needs = [need for need in goal.needs if source.origin(need) not in origins]
    missing = f"it depends on {listed(needs)}, not planned yet: add `depends_on` by hand"
    return missing if needs else ""


def _planned(engine: Context, base: Base, goal: Goal, route: Route, budget: Budget) -> Planned:
    try:
        return _kept(engine, goal) or plan(engine, base, goal, route, budget=budget)
    except MinitaskError as error:  # nothing was written, and every other call would fail, too
        return Planned(goal.project, (), (), problem=str(error), exit_code=max(error.exit_code, 2))


def _kept(engine: Context, goal: Goal) -> Planned | None:
    """Write the specs of a stored answer for this goal, from a killed run or repaired by the user since.

    Returns None if there is none, or if the answer is in the journal, because then the same call returns it.
    """
    topic = plan_topic(goal)
    if any(call.key.task == topic for call in paid_calls.unused(engine.repository.home)):
        return None
    for path in sorted((engine.repository.home / ANSWERS).glob(f"{goal.project}-*.md")):
        text = path.read_text("utf-8", "surrogateescape")
        if text.rstrip().endswith(goal.mark):
            with suppress(UsageError):  # it holds no spec
                planned = write_planned(engine, goal, text)
                path.unlink()
                return planned
    return None


def _together(project: str, parts: Sequence[Planned]) -> Planned:
    return Planned(
        project,
        tuple(path for part in parts for path in part.specs),
        tuple(item for part in parts for item in part.diagnostics),
        tuple(call for part in parts for call in part.calls),
        problem=next((part.problem for part in reversed(parts) if part.problem), ""),
        kept=next((part.kept for part in reversed(parts) if part.kept), ""),
        exit_code=max((part.exit_code for part in parts), default=0),
    )


def _standing(
    goal: PlanGoal, source: GoalSource, present: Sequence[_Present], only: Collection[str]
) -> GoalResult:
    earlier = [spec for spec in present if spec.origin == source.origin(goal.label)]
    paths = tuple(spec.name for spec in earlier)
    if goal.skipped:
        return GoalResult(goal, SKIPPED, goal.skipped, paths)
    if any(spec.digest == goal.digest for spec in earlier):
        return GoalResult(goal, PRESENT, "", paths)
    if only and goal.label not in only:
        return GoalResult(goal, SKIPPED, "not asked for")
    changed = f"its text has changed; {', '.join(paths)} stay: delete what no longer holds"
    return GoalResult(goal, OPEN, changed if earlier else "")


def _goal(goal: PlanGoal, source: GoalSource, template: Goal, present: Sequence[_Present]) -> Goal:
    """Return the planner's goal: the user's words, the task as data, and the existing specs."""
    origin = source.origin(goal.label)
    after = [name for need in goal.needs for name in _last_of(source.origin(need), present)]
    mark = f"{source.form} {quote(source.path)} task {quote(goal.label, safe='')}"
    names = one_line(", ".join(goal.optional))
    optional = f"Optional: {names}. Make each a spec of its own that no other depends on."
    parts = [
        template.text.strip(),
        f"Carry out task {goal.label} of a {source.form} plan, and no other task of it. {DATA}",
        fenced_data(f"{goal.title}\n\n{goal.text}".strip()),
        optional if goal.optional else "",
        _so_far(origin, present),
    ]
    return replace(
        template,
        text="\n\n".join(part for part in parts if part),
        title=f"Task {goal.label}: {goal.title}",
        mark=f"<!-- planned: {mark} sha256:{goal.digest} -->",
        after=tuple(dict.fromkeys(after)),
    )


def _so_far(origin: tuple[str, str, str], present: Sequence[_Present]) -> str:
    """Return one line per spec of the project, with its title and output files; mark earlier specs of this task."""
    lines = []
    for item in present:
        mark = " — for an earlier wording of this task" if item.origin == origin else ""
        name = item.name.rpartition("/")[2]
        for spec in item.specs:
            paths = [ref.path for ref in spec.files if ref.action is not FileAction.READ]
            title = one_line(spec.title, longest=100)
            lines.append(f"- {name}: {title} ({', '.join(paths)}){mark}")
    if not lines:
        return ""
    head = "Specs that are there already. They come first: build on what they make, and do not repeat it."
    return "\n".join((head, *lines[-MOST_SHOWN:]))


def _last_of(origin: tuple[str, str, str], present: Sequence[_Present]) -> Iterator[str]:
    """Yield the specs of a task that none of its other specs depends on."""
    earlier = [item for item in present if item.origin == origin]
    specs = [spec for item in earlier for spec in item.specs]
    needed = {index for needs in Graph(tuple(specs)).needs for index in needs}
    last = {spec.path for index, spec in enumerate(specs) if index not in needed}
    yield from (Path(item.name).stem for item in earlier if item.name in last)


def _present(engine: Context, project: str) -> tuple[_Present, ...]:
    """Return the specs in a project's folder, sorted by name."""
    paths = sorted((engine.repository.checkout() / PROJECTS / project).glob("*.md"))
    return tuple(_read(path, project) for path in paths if path.is_file() and not path.is_symlink())


def _read(path: Path, project: str) -> _Present:
    with path.open("rb") as stream:
        text = stream.read(MAX_BYTES).decode("utf-8", "surrogateescape")
    name = f"{PROJECTS}/{project}/{path.name}"
    match = MARK.search(text)
    digest = match["digest"] if match else ""
    return _Present(name, parse_file(text, path=name).specs, origin_of(text), digest)


def estimate_call(
    engine: Context, base: Base, goal: Goal, route: Route | None, *, specs: int = SPECS_A_TASK
) -> CallEstimate:
    """Return an estimate of the call that plans a goal as `specs` specs."""
    question = planning_question(engine, base, goal)
    scale = token_scale(route.model) if route else 1.0
    input_tokens = round(scale * estimate_tokens(f"{question.system}\n\n{question.text}"))
    output_tokens = round(scale * SPEC_TOKENS * max(SPECS_A_TASK, specs))
    if route is None:
        return CallEstimate(input_tokens, output_tokens, None)
    usage = Usage(1, input_tokens, 0, output_tokens, 0, 0)
    cost = price_of(engine, route.executor, route.model, usage)
    return CallEstimate(input_tokens, output_tokens, cost)
