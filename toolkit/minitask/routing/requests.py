"""The request to an executor: the spec, the lines that it lists, and access to the base."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from msgspec.structs import replace

from minitask.edits.lines import is_binary
from minitask.engine.anchors import Anchor
from minitask.engine.context import Context
from minitask.engine.tasks import Task
from minitask.errors import EditError, RefusedError
from minitask.executors.request import Excerpt, ExecutorRequest
from minitask.policy.estimates import (
    DEFAULT_OUTPUT_TOKENS,
    ReplyFormat,
    choose_format,
    estimate_tokens,
    expected_usage,
    features_of,
    is_agent,
    median_usage,
    token_scale,
)
from minitask.policy.route import SCRIPT, Route
from minitask.routing.pass_rates import attempt_tokens, evidence
from minitask.spec.model import FileAction, FileRef, LineRange, Spec
from minitask.spec.moved_lines import is_only_moved
from minitask.spec.paths import check_path

EXECUTOR_SECONDS = 600.0
LEAST_OUTPUT_TOKENS = 2_048
ReadLines = tuple[str, tuple[LineRange, ...]]
"""A path and the lines of it that a spec reads; none for all."""
OUTPUT_MARGIN = 3
"""The first limit of an answer, as a multiple of the spec's estimate of its output."""


def make_order(
    engine: Context,
    task: Task,
    anchor: Anchor,
    *,
    route: Route,
    shared_reads: Collection[ReadLines] = (),
) -> ExecutorRequest:
    """Return the request for a task on its base; cited lines are moved there, or the task is refused.

    `shared_reads` are the reads of several tasks of the run.
    """
    seconds = task.spec.options.timeout_seconds
    order = ExecutorRequest(
        spec=task.spec,
        excerpts=tuple(_excerpts(task, anchor, engine, shared_reads)),
        read=partial(engine.objects.file, task.base),
        locate=anchor.locate,
        model=route.model,
        timeout_seconds=min(EXECUTOR_SECONDS, float(seconds)) if seconds else EXECUTOR_SECONDS,
        root=str(engine.repository.top or ""),
    )
    if route.executor == SCRIPT:
        return order
    order = replace(
        order,
        shared=shared_context(engine, task.base),
        checks=engine.settings.checks,
        token_scale=token_scale(route.model),
    )
    setting = engine.settings.executors.get(route.executor)
    if setting is not None and is_agent(setting.type):
        return _for_agent(engine, task, order, route, kind=setting.type)
    return _for_model(engine, task, order, route)


def likely_order(engine: Context, task: Task, route: Route) -> ExecutorRequest:
    """Return the request for an estimate: cited lines that cannot be moved to the base stay as they are cited."""
    git, objects = engine.repository.git, engine.objects
    try:
        return make_order(engine, task, Anchor(git, objects, task), route=route)
    except (EditError, RefusedError):
        return make_order(engine, task, _AsCited(git, objects, task), route=route)


class _AsCited(Anchor):
    """An anchor that leaves every line where the spec cites it."""

    def locate(self, path: str, cited: LineRange) -> LineRange:  # noqa: ARG002
        """Return the lines as they are cited."""
        return cited


def prompt_tokens(order: ExecutorRequest) -> int:
    """Return the estimated tokens of the first prompt, as the model counts."""
    from minitask.executors.prompt import system_prompt, user_prompt

    text = f"{system_prompt(order.reply_format, shared=order.shared)}\n{user_prompt(order)}"
    return estimate_tokens(text, scale=order.token_scale)


def _for_model(
    engine: Context, task: Task, order: ExecutorRequest, route: Route
) -> ExecutorRequest:
    """Return the request with the parts that depend on the model: the form of its replies, and its limits."""
    model_setting = engine.settings.models.get(route.model)
    form = choose_format(
        model_setting.reply if model_setting else None,
        tier=route.tier,
        evidence=evidence(engine, route.model),
        shown_whole=_shows_files_whole(task.spec, order.excerpts),
    )
    excerpts = order.excerpts
    if form is not ReplyFormat.EDITS:
        excerpts = tuple(replace(excerpt, ends_only=False) for excerpt in excerpts)
    order = replace(order, excerpts=excerpts, reply_format=form)
    most = model_setting.max_output_tokens if model_setting else None
    return replace(
        order,
        max_output_tokens=most or _answer_limit(order),
        context_tokens=model_setting.context_tokens if model_setting else None,
    )


def _for_agent(
    engine: Context, task: Task, order: ExecutorRequest, route: Route, *, kind: str
) -> ExecutorRequest:
    """Return the request with the estimated usage of an agent program."""
    from minitask.executors.prompt import agent_prompt

    scale = order.token_scale
    median = median_usage(attempt_tokens(engine, route.executor, route.model))
    read = "".join(excerpt.text for excerpt in order.excerpts)
    usage = median or expected_usage(
        kind,
        prompt_tokens=estimate_tokens(agent_prompt(order), scale=scale),
        read_tokens=estimate_tokens(read, scale=scale),
        output_tokens=features_of(task.spec).output_tokens,
        scale=scale,
    )
    return replace(order, expected=usage)


def shared_context(engine: Context, base: str) -> str:
    """Return the files at the base that the config puts before every prompt."""
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


def _answer_limit(order: ExecutorRequest) -> int:
    """Return the first limit of an answer: by the spec's estimate, and enough for the files that it repeats."""
    stated = order.spec.estimate.output_tokens
    limit = max(stated * OUTPUT_MARGIN, LEAST_OUTPUT_TOKENS) if stated else DEFAULT_OUTPUT_TOKENS
    if order.reply_format is ReplyFormat.WHOLE:
        written = {ref.path for ref in order.spec.writes()}
        text = "".join(excerpt.text for excerpt in order.excerpts if excerpt.path in written)
        limit = max(limit, 2 * estimate_tokens(text, scale=order.token_scale))
    return limit


def _shows_files_whole(spec: Spec, excerpts: Sequence[Excerpt]) -> int | None:
    """Return the number of lines of the files to edit; None if one is shown only in part."""
    edited = {ref.path for ref in spec.writes()}
    shown = [excerpt for excerpt in excerpts if excerpt.path in edited]
    if not all(excerpt.whole for excerpt in shown):
        return None
    return sum(excerpt.text.count("\n") for excerpt in shown)


def find_shared_reads(specs: Iterable[Spec]) -> frozenset[ReadLines]:
    """Return the files, with the cited lines, that at least two specs read."""
    counts = Counter(
        read for spec in specs for read in {(ref.path, ref.ranges) for ref in spec.reads()}
    )
    return frozenset(read for read, count in counts.items() if count > 1)


def _excerpts(
    task: Task, anchor: Anchor, engine: Context, shared_reads: Collection[ReadLines]
) -> list[Excerpt]:
    """Return the listed lines of the files to read, then those of the other files to edit."""
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
            shared = ref.action is FileAction.READ and (ref.path, ref.ranges) in shared_reads
            excerpts += [
                replace(excerpt, shared=shared)
                for excerpt in _of_file(task.spec, ref, text, anchor)
            ]
    return excerpts


def _of_file(spec: Spec, ref: FileRef, text: str, anchor: Anchor) -> list[Excerpt]:
    if is_binary(text):
        return []
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
    """Return the lines to show for a cited range; lines to read may have changed since."""
    try:
        return anchor.locate(ref.path, cited)
    except EditError:
        if ref.action is not FileAction.READ:
            raise
    return anchor.nearest(ref.path, cited, count)
