"""The request to an executor: the spec, exactly the lines that it lists, and a way to read the base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import EditError, RefusedError
from minitask.executors.request import Excerpt, ExecutorRequest
from minitask.policy.agent_usage import expected_usage, is_agent, median_usage
from minitask.policy.route import SCRIPT, Route
from minitask.policy.task_features import ReplyFormat, choose_format, features_of
from minitask.policy.tokens import DEFAULT_OUTPUT_TOKENS, estimate_tokens, token_scale
from minitask.routing.pass_rates import attempt_tokens, evidence
from minitask.spec.model import FileAction, FileRef, LineRange, Spec
from minitask.spec.moved_lines import is_only_moved
from minitask.spec.paths import check_path

EXECUTOR_SECONDS = 600.0
LEAST_OUTPUT_TOKENS = 2_048
ReadLines = tuple[str, tuple[LineRange, ...]]
"""A path and the lines of it that a spec reads; none for all."""
OUTPUT_MARGIN = 3
"""The first limit of an answer, as a multiple of the spec's own estimate of its output."""


def make_order(
    engine: Context,
    task: Task,
    anchor: Anchor,
    *,
    route: Route,
    shared_reads: Collection[ReadLines] = (),
) -> ExecutorRequest:
    """Return the order for one task on its base; cited lines are carried there, or the task is refused.

    `shared_reads` is what several tasks of the run read.
    """
    seconds = task.spec.options.timeout_seconds

    def read(path: str) -> str | None:
        return engine.objects.file(task.base, path)

    order = ExecutorRequest(
        spec=task.spec,
        excerpts=tuple(_excerpts(task, anchor, engine, shared_reads)),
        read=read,
        locate=anchor.locate,
        model=route.model,
        timeout_seconds=min(EXECUTOR_SECONDS, float(seconds)) if seconds else EXECUTOR_SECONDS,
        root=str(engine.repository.top or ""),
    )
    if route.executor == SCRIPT:
        return order
    setting = engine.settings.executors.get(route.executor)
    if setting is not None and is_agent(setting.type):
        return _for_agent(engine, task, order, route, kind=setting.type)
    return _for_model(engine, task, order, route)


def likely_order(engine: Context, task: Task, route: Route) -> ExecutorRequest:
    """Return the order for an estimate: where cited lines cannot be carried to the base, they are taken as they
    are cited.
    """
    try:
        return make_order(
            engine, task, Anchor(engine.repository.git, engine.objects, task), route=route
        )
    except (EditError, RefusedError):
        return make_order(
            engine, task, _AsCited(engine.repository.git, engine.objects, task), route=route
        )


class _AsCited(Anchor):
    """An anchor by which every line is where the spec cites it."""

    def locate(self, path: str, cited: LineRange) -> LineRange:  # noqa: ARG002
        """Return the lines as they are cited."""
        return cited


def prompt_tokens(order: ExecutorRequest) -> int:
    """Return an estimate of what the first prompt takes, as the model counts."""
    from minitask.executors.prompt import system_prompt, user_prompt

    text = f"{system_prompt(order.reply_format, shared=order.shared)}\n{user_prompt(order)}"
    return estimate_tokens(text, scale=order.token_scale)


def likely_output_tokens(spec: Spec) -> int | None:
    """Return how long the answer is by the spec's own estimate; None if it makes none."""
    return spec.estimate.output_tokens


def _for_model(
    engine: Context, task: Task, order: ExecutorRequest, route: Route
) -> ExecutorRequest:
    """Return the order with what depends on the model: the form of its replies, and its sizes."""
    model_setting = engine.settings.models.get(route.model)
    form = choose_format(
        model_setting.reply if model_setting else None,
        tier=route.tier,
        evidence=evidence(engine, route.model),
        shown_whole=_shows_files_whole(task.spec, order.excerpts),
    )
    moved = order.excerpts if form is ReplyFormat.EDITS else _in_full(order.excerpts)
    scale = token_scale(route.model)
    most = model_setting.max_output_tokens if model_setting else None
    return replace(
        order,
        excerpts=moved,
        reply_format=form,
        shared=shared_context(engine, task.base),
        checks=engine.settings.checks,
        max_output_tokens=most or _answer_limit(task.spec, moved, form=form, scale=scale),
        context_tokens=model_setting.context_tokens if model_setting else None,
        token_scale=scale,
    )


def _for_agent(
    engine: Context, task: Task, order: ExecutorRequest, route: Route, *, kind: str
) -> ExecutorRequest:
    """Return the order with what a program is told beside the spec, and an estimate of what it takes."""
    from minitask.executors.prompt import agent_prompt

    scale = token_scale(route.model)
    request = replace(
        order,
        shared=shared_context(engine, task.base),
        checks=engine.settings.checks,
        token_scale=scale,
    )
    median = median_usage(attempt_tokens(engine, route.executor, route.model))
    read = "".join(excerpt.text for excerpt in order.excerpts)
    usage = median or expected_usage(
        kind,
        prompt_tokens=estimate_tokens(agent_prompt(request), scale=scale),
        read_tokens=estimate_tokens(read, scale=scale),
        output_tokens=features_of(task.spec).output_tokens,
        scale=scale,
    )
    return replace(request, expected=usage)


def shared_context(engine: Context, base: str) -> str:
    """Return the files that the config puts before every prompt, as they are at the base."""
    parts = []
    for path in engine.settings.context:
        reason = check_path(path)
        text = None if reason else engine.objects.file(base, path)
        if text is None:
            raise RefusedError(
                f"context: {path!r} {reason or 'is not a file of the base'}",
                hint="name committed files under `context` in minitask.yaml",
            )
        parts.append(f"{path}:\n{text.strip()}")
    return "\n\n".join(parts)


def _answer_limit(
    spec: Spec, excerpts: Sequence[Excerpt], *, form: ReplyFormat, scale: float
) -> int:
    """Return how long an answer may be at first: by the spec's estimate, and long enough for the files that it
    repeats.
    """
    stated = likely_output_tokens(spec)
    limit = max(stated * OUTPUT_MARGIN, LEAST_OUTPUT_TOKENS) if stated else DEFAULT_OUTPUT_TOKENS
    if form is ReplyFormat.WHOLE:
        written = {ref.path for ref in spec.writes()}
        text = "".join(excerpt.text for excerpt in excerpts if excerpt.path in written)
        limit = max(limit, 2 * estimate_tokens(text, scale=scale))
    return limit


def _shows_files_whole(spec: Spec, excerpts: Sequence[Excerpt]) -> int | None:
    """Return how many lines the files to edit have in all; None if one is shown in part, and cannot be
    repeated.
    """
    edited = {ref.path for ref in spec.writes()}
    shown = [excerpt for excerpt in excerpts if excerpt.path in edited]
    if not all(excerpt.whole for excerpt in shown):
        return None
    return sum(excerpt.text.count("\n") for excerpt in shown)


def _in_full(excerpts: Sequence[Excerpt]) -> tuple[Excerpt, ...]:
    return tuple(replace(excerpt, ends_only=False) for excerpt in excerpts)


def find_shared_reads(specs: Iterable[Spec]) -> frozenset[ReadLines]:
    """Return the files, with the cited lines, that at least two specs read."""
    counts = Counter(read for spec in specs for read in {_read_lines(ref) for ref in spec.reads()})
    return frozenset(read for read, count in counts.items() if count > 1)


def _read_lines(ref: FileRef) -> ReadLines:
    return ref.path, ref.ranges


def _excerpts(
    task: Task, anchor: Anchor, engine: Context, shared_reads: Collection[ReadLines]
) -> list[Excerpt]:
    """Return the listed lines of the files to read, then those of the files to edit that are not listed to be
    read.
    """
    excerpts: list[Excerpt] = []
    read = {ref.path for ref in task.spec.reads()}
    edited = [
        ref
        for ref in task.spec.writes()
        if ref.path not in read and ref.action is not FileAction.CREATE
    ]
    for ref in (*task.spec.reads(), *edited):
        text = engine.objects.file(task.base, ref.path)
        if text is not None:
            shared = ref.action is FileAction.READ and _read_lines(ref) in shared_reads
            excerpts += [
                replace(excerpt, shared=shared)
                for excerpt in _of_file(task.spec, ref, text, anchor)
            ]
    return excerpts


def _of_file(spec: Spec, ref: FileRef, text: str, anchor: Anchor) -> list[Excerpt]:
    if not ref.ranges:
        return [Excerpt(ref.path, 1, text, whole=True)]
    lines = text.split("\n")
    excerpts = []
    for cited in ref.ranges:
        span = _shown(anchor, ref, cited, len(lines))
        if span is None:
            continue
        shown = "\n".join(lines[span.start - 1 : span.end]) + "\n"
        moved = is_only_moved(spec, ref, cited)
        excerpts.append(Excerpt(ref.path, span.start, shown, ends_only=moved))
    return excerpts or [Excerpt(ref.path, 1, text, whole=True)]


def _shown(anchor: Anchor, ref: FileRef, cited: LineRange, count: int) -> LineRange | None:
    """Return the lines to show for a cited range: reading claims nothing, so what changed is shown as it is now."""
    try:
        return anchor.locate(ref.path, cited)
    except EditError:
        if ref.action is not FileAction.READ:
            raise
    return anchor.nearest(ref.path, cited, count)
