"""Build the request to an executor: the spec, the lines that it lists, and its estimated usage and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from functools import cache, partial
from importlib.machinery import PathFinder
from pathlib import Path

from msgspec.structs import astuple, replace

from minitask.edits.lines import is_binary
from minitask.edits.script_model import Change
from minitask.engine.anchors import Anchor
from minitask.engine.context import Context, Progress
from minitask.engine.tasks import Task
from minitask.errors import BudgetError, EditError, RefusedError
from minitask.executors.address import is_loopback
from minitask.executors.request import Excerpt, ExecutorRequest
from minitask.ledger.record import Usage
from minitask.policy import prices
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
from minitask.policy.prices import ModelPricing
from minitask.policy.route import SCRIPT, Route
from minitask.routing.pass_rates import attempt_tokens, evidence
from minitask.spec.model import FileAction, FileRef, LineRange, Spec, Tier
from minitask.spec.notes import is_only_moved
from minitask.spec.paths import check_path

EXECUTOR_SECONDS = 600.0
LEAST_OUTPUT_TOKENS = 2_048
ReadLines = tuple[str, tuple[LineRange, ...]]
"""A path and the lines of it that a spec reads; none for all."""
OUTPUT_MARGIN = 3
"""First output limit, as a multiple of the spec's estimated output."""


def make_order(
    engine: Context,
    task: Task,
    anchor: Anchor,
    *,
    route: Route,
    shared_reads: Collection[ReadLines] = (),
) -> ExecutorRequest:
    """Return the request for a task on its base, with cited lines located there, or refuse the task.

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
    """Return the request for an estimate; cited lines that cannot be located in the base keep their numbers."""
    git, objects = engine.repository.git, engine.objects
    try:
        return make_order(engine, task, Anchor(git, objects, task), route=route)
    except (EditError, RefusedError):
        return make_order(engine, task, _AsCited(git, objects, task), route=route)


class _AsCited(Anchor):
    """An anchor that returns every line range as cited."""

    def locate(self, path: str, cited: LineRange) -> LineRange:  # noqa: ARG002
        """Return the lines as cited."""
        return cited


def prompt_tokens(order: ExecutorRequest) -> int:
    """Return the estimated tokens of the first prompt, as the model counts."""
    from minitask.executors.prompt import system_prompt, user_prompt

    text = f"{system_prompt(order.reply_format, shared=order.shared)}\n{user_prompt(order)}"
    return estimate_tokens(text, scale=order.token_scale)


def _for_model(
    engine: Context, task: Task, order: ExecutorRequest, route: Route
) -> ExecutorRequest:
    """Return the request with the parts that depend on the model: reply format and limits."""
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
    """Return the first output limit, by the spec's estimate, and large enough for files that are repeated."""
    stated = order.spec.estimate.output_tokens
    limit = max(stated * OUTPUT_MARGIN, LEAST_OUTPUT_TOKENS) if stated else DEFAULT_OUTPUT_TOKENS
    if order.reply_format is ReplyFormat.WHOLE:
        written = {ref.path for ref in order.spec.writes()}
        text = "".join(excerpt.text for excerpt in order.excerpts if excerpt.path in written)
        limit = max(limit, 2 * estimate_tokens(text, scale=order.token_scale))
    return limit


def _shows_files_whole(spec: Spec, excerpts: Sequence[Excerpt]) -> int | None:
    """Return the number of lines of the files to edit, or None if one is only partly shown."""
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
    """Return the lines to show for a cited range; lines that are only read may have changed since."""
    try:
        return anchor.locate(ref.path, cited)
    except EditError:
        if ref.action is not FileAction.READ:
            raise
    return anchor.nearest(ref.path, cited, count)


LOCAL_TYPES = frozenset({"ollama", "scripted"})
_FIRST_TIER = 50_000
"""Prompts up to this size cost the first rate of a list price; larger ones may cost more."""


def tariff(engine: Context, route: Route, *, batch: bool = False) -> ModelPricing:
    """Return the prices of calls on a route; a model that Ollama runs on this machine is free."""
    setting = engine.settings.executors.get(route.executor)
    base_url = setting.base_url if setting else ""
    is_here = (not base_url or is_loopback(base_url)) and not route.model.endswith("-cloud")
    is_local = setting is not None and setting.type in LOCAL_TYPES and is_here
    return ModelPricing(route.model, base_url, engine.settings.prices, is_local, batch)


def meet_unpriced(engine: Context, task: str, model: str) -> None:
    """Warn that a limit cannot count a model's calls; raise `BudgetError` unless the config allows them."""
    if not engine.settings.allows_unpriced:
        raise BudgetError(
            f"{model} has no price, so the budget limit cannot cover it: add one under `prices`, "
            "or set `budget: {unpriced: allow}`"
        )
    text = f"{model} has no price, so it is not counted against the limit"
    engine.emit(Progress(task, "budget", text))


def estimate_usage(order: ExecutorRequest, changes: Sequence[Change]) -> Usage:
    """Return the estimated usage of one call of a chat model for the same change, in `o200k_base` tokens.

    The output is the removed and the added lines, which a search-and-replace answer repeats.
    """
    input_tokens = prompt_tokens(replace(order, token_scale=1.0))
    output_tokens = 0
    for change in changes:
        old = Counter((order.read(change.path) or "").split("\n"))
        new = Counter((change.content or "").split("\n"))
        lines = [*(old - new).elements(), *(new - old).elements()]
        output_tokens += estimate_tokens("\n".join(lines))
    return Usage(1, input_tokens, 0, output_tokens)


def baseline_cost(engine: Context, usage: Usage, *, kind: str) -> Decimal | None:
    """Return the cost of a usage with the `cheap` or `frontier` baseline model, or None without a price."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    model = engine.settings.baseline[kind]
    scale = token_scale(model)
    tokens_in, tokens_out = round(scale * usage.input_tokens), round(scale * usage.output_tokens)
    pricing = ModelPricing(model, prices=engine.settings.prices)
    return _likely_cost(engine, pricing, Usage(1, tokens_in, 0, tokens_out, 0, 0))


def price_of(engine: Context, executor: str, model: str, usage: Usage) -> Decimal | None:
    """Return the cost of a usage, or None if the model has no price."""
    return _likely_cost(engine, tariff(engine, Route(Tier.CHEAP, executor, model, "")), usage)


def _likely_cost(engine: Context, pricing: ModelPricing, usage: Usage) -> Decimal | None:
    """Return the cost of a usage, if possible by cached rates, because reading the price list is slow."""
    listed = not pricing.is_local and pricing.model not in engine.settings.prices
    if not listed or (usage.input_tokens or 0) > _FIRST_TIER * (usage.requests or 1):
        return pricing.estimate(usage)
    rates = _cached_rates(engine, pricing)
    return prices.amount(rates, usage) if rates else None


def _cached_rates(engine: Context, pricing: ModelPricing) -> prices.Rates | None:
    """Return a model's list rates, cached while the price list is the same file."""
    key = f"list rates\0{pricing.model}\0{pricing.base_url}\0{_price_list_stamp()}"
    listed = engine.cache.document(key, lambda: _listed(pricing))
    return prices.Rates(*map(Decimal, listed)) if listed else None


def _listed(pricing: ModelPricing) -> list[str] | None:
    rates = prices.cost(pricing.model, Usage(1, 1000, 0, 1000), base_url=pricing.base_url).rates
    return [str(rate) for rate in astuple(rates)] if rates else None


@cache
def _price_list_stamp() -> str:
    package = PathFinder.find_spec("genai_prices")
    if package is None or package.origin is None:
        return ""
    return f"{package.origin}\0{Path(package.origin).stat().st_mtime_ns}"
