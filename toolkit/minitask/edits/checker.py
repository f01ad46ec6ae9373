"""Check specs in the same way for all commands: `exec`, `run` and `plan` refuse the errors that `validate` reports.

Each spec is checked on the tree from which its task will start: the base with the results of earlier tasks. Edit
scripts of those are applied; of a model's work, only the paths are known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial

from msgspec import Struct, field

from minitask.edits.check_script import (
    CitationError,
    Ground,
    Numbering,
    Trial,
    check_citations,
    check_renumbered,
    check_script,
    try_script,
)
from minitask.edits.grammar import covers, script_of
from minitask.edits.lines import is_binary
from minitask.edits.related_specs import Order, Overlay, order_of
from minitask.edits.script_model import EditScript
from minitask.spec.checks import check_against_tree
from minitask.spec.model import Diagnostic, FileAction, Problem, Spec, Tier
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality

PRESENCE = frozenset({"E201", "E203", "E204"})
"""Rules about the existence of a listed file."""


SHOWN = frozenset({FileAction.READ, FileAction.EDIT, FileAction.WRITE})
"""Actions on files whose content is shown to a model."""
LARGE = 100_000
"""Characters above which a file should be cited in part: at four a token, 25,000 tokens for each call."""


class CheckedSpec(Struct, frozen=True):
    """The diagnostics of a spec, and the specs whose results it needs without declaring it."""

    diagnostics: tuple[Diagnostic, ...]
    waits_for: tuple[Spec, ...] = ()

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that stop the task."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.is_error)


def check_specs(
    specs: Sequence[Spec],
    *,
    ground: Ground,
    judged: Collection[Spec] | None = None,
    landed: Sequence[Spec] = (),
    protected: Sequence[str] = (),
) -> list[CheckedSpec]:
    """Return the verdict of each judged spec, in the order of `specs`.

    `specs` are all specs: dependencies, and the creators of files, are looked up among them. Those of `landed` are
    done, and the ground already has their results.
    """
    judged_ids = set(map(id, specs if judged is None else judged))
    chosen = [spec for spec in specs if id(spec) in judged_ids]
    others = [spec for spec in specs if id(spec) not in judged_ids]
    between = _by_spec(check_project(chosen, existing=others, landed=landed), chosen)
    landed_ids = {id(spec) for spec in landed}
    remaining = [spec for spec in specs if id(spec) not in landed_ids]
    together = frozenset(index for index, spec in enumerate(remaining) if id(spec) in judged_ids)
    checker = Checker(remaining, ground, together)
    verdicts = []
    for spec in chosen:
        is_done = id(spec) in landed_ids
        checked = CheckedSpec(()) if is_done else checker.judge(spec)
        moved = () if is_done else check_renumbered(spec, ground)
        diagnostics = (
            *between.get((spec.path, spec.line_of("title")), ()),
            *checked.diagnostics,
            *moved,
            *check_script(spec),
            *check_quality(spec, protected),
        )
        verdicts.append(CheckedSpec(_once_each(diagnostics), checked.waits_for))
    return verdicts


def check_one(spec: Spec, *, ground: Ground, protected: Sequence[str] = ()) -> CheckedSpec:
    """Return the verdict of a spec on the base as it is, without other tasks."""
    checked = Checker([spec], ground).judge(spec)
    diagnostics = (*checked.diagnostics, *check_script(spec), *check_quality(spec, protected))
    return CheckedSpec(_once_each(diagnostics))


def _once_each(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the diagnostics without repeats; for a protected file, without those about its existence."""
    lines = {diagnostic.line for diagnostic in diagnostics if diagnostic.code == "E410"}
    unique = dict.fromkeys(diagnostics)
    return tuple(d for d in unique if d.code not in PRESENCE or d.line not in lines)


def _by_spec(
    diagnostics: Sequence[Diagnostic], specs: Sequence[Spec]
) -> dict[tuple[str, int], list[Diagnostic]]:
    starts: dict[str, list[int]] = {}
    for spec in specs:
        starts.setdefault(spec.path, []).append(spec.line_of("title"))
    owned: dict[tuple[str, int], list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        lines = starts.get(diagnostic.path, ())
        above = (line for line in lines if line <= diagnostic.line)
        owner = max(above, default=min(lines, default=0))
        owned.setdefault((diagnostic.path, owner), []).append(diagnostic)
    return owned


class Checker(Struct, dict=True):
    """A checker of specs before a run, each on the tree from which it will start.

    `together` are the indices of the specs in the same run.
    """

    specs: list[Spec]
    ground: Ground
    together: frozenset[int] = frozenset()
    _states: dict[tuple[int, ...], Overlay] = field(default_factory=dict)

    def judge(self, spec: Spec) -> CheckedSpec:
        """Return the verdict on a spec's files, cited lines and edit script."""
        order = self._order
        index = next(at for at, candidate in enumerate(self.specs) if candidate is spec)
        needed, earlier = order.needed(index), order.earlier(index)
        checked = self._judge_on(spec, needed)
        if needed == earlier:
            return checked
        later = self._judge_on(spec, earlier)
        if checked.errors and not later.errors:
            return self._with_wait_warning(spec, checked, later, set(earlier) - set(needed))
        if later.errors and not checked.errors:
            between = [index for index in earlier if index not in needed]
            unfit = self._unfit_diagnostic(spec, later, between, needed)
            return CheckedSpec((*checked.diagnostics, unfit))
        return checked

    @cached_property
    def _order(self) -> Order:
        files = self.ground.files
        return order_of(self.specs, is_there=lambda path: files.kind(path) == "file")

    def _judge_on(self, spec: Spec, before: tuple[int, ...]) -> CheckedSpec:
        state = self._state(before)
        anchor, new_name = self.ground.anchor_of(spec), partial(self.ground.new_name, spec)
        files = check_against_tree(spec, state, anchor=anchor, new_name=new_name)
        numbering = Numbering(spec, self.ground, state)
        if any(diagnostic.is_error for diagnostic in files):
            return CheckedSpec(files)
        cited = check_citations(spec, numbering, state)
        if any(diagnostic.is_error for diagnostic in cited):
            return CheckedSpec((*files, *cited))
        shown = _check_shown(spec, state)
        return CheckedSpec((*files, *cited, *shown, *_check_trial(spec, numbering, state)))

    def _state(self, indices: tuple[int, ...]) -> Overlay:
        """Return the tree after the specs at these indices, in order."""
        cached = next((n for n in range(len(indices), 0, -1) if indices[:n] in self._states), 0)
        state = self._states[indices[:cached]] if cached else Overlay(self.ground.files)
        for count in range(cached + 1, len(indices) + 1):
            state = state.copy()
            _advance(state, self.specs[indices[count - 1]], self.ground)
            self._states[indices[:count]] = state
        return state

    def _with_wait_warning(
        self, spec: Spec, checked: CheckedSpec, later: CheckedSpec, between: set[int]
    ) -> CheckedSpec:
        """Return the verdict with W307 in place of the errors that other tasks' results remove."""
        makers = [self.specs[index] for index in sorted(between)]
        names = self._names(sorted(between))
        first = checked.errors[0]
        message = f"this applies only after {names} has merged: {first.message}"
        warning = Problem(first.line, "W307", message, f"add `depends_on: [{names}]`").at(spec.path)
        return CheckedSpec((*later.diagnostics, warning), tuple(makers))

    def _unfit_diagnostic(
        self, spec: Spec, later: CheckedSpec, between: Sequence[int], needed: tuple[int, ...]
    ) -> Diagnostic:
        """Return E309 or W308 for a spec that no longer fits after tasks that a run does before it.

        It is an error if they belong to the same run, which would have to refuse the spec later.
        """
        same_run = [index for index in between if index in self.together]
        before = tuple(sorted((*needed, *same_run), key=self._order.ranks.__getitem__))
        after = self._judge_on(spec, before) if same_run else CheckedSpec(())
        is_sure = bool(after.errors)
        names = self._names(same_run if is_sure else between)
        first = (after if is_sure else later).errors[0]
        message = f"this no longer applies after {names}, which a run merges first: {first.message}"
        hint = f"depend on {names} and write the spec for its result, or remove one of them"
        return Problem(first.line, "E309" if is_sure else "W308", message, hint).at(first.path)

    def _names(self, indices: Iterable[int]) -> str:
        graph = self._order.graph
        return ", ".join(graph.names[index].partition("/")[2] for index in indices)


def _advance(state: Overlay, spec: Spec, ground: Ground) -> None:
    """Apply a spec to a state: its edit script if that does the whole task, otherwise its list of written files."""
    script = script_of(spec)
    if not _is_free(spec, script):
        state.assume(spec)
        return
    trial = _try(spec, script, Numbering(spec, ground, state), state)
    if trial.problems or trial.unknown:
        state.assume(spec)
    if not trial.problems:
        state.apply(trial.changes, spec)


def _is_free(spec: Spec, script: EditScript) -> bool:
    """Return True if the spec's own script does the task, as it is routed without a user's choice."""
    needed = [ref.path for ref in spec.writes() if not ref.optional]
    options = spec.options
    asks = options.tier not in (None, Tier.NONE) or options.executor or options.model
    return covers(script, needed) and not asks


def _try(spec: Spec, script: EditScript, numbering: Numbering, state: Overlay) -> Trial:
    return try_script(
        script, read=state.text, locate=numbering, source=spec.path, is_known=state.is_known
    )


def _check_shown(spec: Spec, state: Overlay) -> Iterator[Diagnostic]:
    """Yield W221 for a binary file and W222 for a large one that a model would be shown whole."""
    if _is_free(spec, script_of(spec)):
        return
    for ref in spec.files:
        is_whole = ref.action in SHOWN and not ref.ranges and state.kind(ref.path) == "file"
        text = (state.text(ref.path) or "") if is_whole else ""
        line = ref.line or spec.line_of("files")
        if is_binary(text):
            message = f"{ref.path} is a binary file, so a chat model is not shown what it holds"
            hint = "leave it out, give it as text in UTF-8, or have an agent do the task"
            yield Problem(line, "W221", message, hint).at(spec.path)
        elif len(text) > LARGE:
            message = f"{ref.path} is sent whole: {len(text):,} characters, about {len(text) // 4:,} tokens"
            hint = f"cite the lines that matter: `{ref.path}` (lines A-B)"
            yield Problem(line, "W222", message, hint).at(spec.path)


def _check_trial(spec: Spec, numbering: Numbering, state: Overlay) -> Iterator[Diagnostic]:
    """Yield E304 for each edit that does not fit, or W306 if a model does the task and the script is only a sample."""
    script = script_of(spec)
    free = _is_free(spec, script)
    if spec.options.tier is Tier.NONE and not free:
        message = "tier none needs an edit script that covers every file of the spec"
        hint = "add the missing edits to Code Snippets, or remove `tier: none`"
        yield Problem(spec.line_of("options.tier"), "E305", message, hint).at(spec.path)
        return
    for problem in _try(spec, script, numbering, state).problems:
        code = ("E215" if isinstance(problem, CitationError) else "E304") if free else "W306"
        line = problem.line or spec.line_of("snippets")
        yield Problem(line, code, problem.message, problem.hint).at(spec.path)
