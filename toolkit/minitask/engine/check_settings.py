"""What specs ask for, against the settings and git's attributes: for `validate` as for what runs tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minitask.errors import RefusedError, UsageError
from minitask.executors.edit_script import has_script
from minitask.git.filters import filtered_paths
from minitask.git.objects import Objects
from minitask.git.repository import Repository
from minitask.policy.route import SCRIPT, RouteOverrides
from minitask.settings import Settings
from minitask.spec.model import Diagnostic, FileAction, Spec, Tier
from minitask.spec.rules import diagnose


def check_route(spec: Spec, settings: Settings) -> tuple[Diagnostic, ...]:
    """Return E218 or E220 where the settings have nobody for what a spec asks for, or do not let it ask.

    Settings without any executor are no fault of a spec, unless that names one.
    """
    options = spec.options
    asks = options.executor or options.model or options.tier
    if options.tier is Tier.NONE or not (asks or spec.model) or not _are_known(spec, settings):
        return ()
    from minitask.policy.choice import choose
    from minitask.policy.named_tiers import Wish, header_wish

    if not asks and header_wish(spec, settings) == Wish():
        return ()
    try:
        choose(spec, settings, demand=RouteOverrides(), scripted=has_script(spec))
    except UsageError as error:
        return (_said(spec, "E218", error),)
    except RefusedError as error:
        return (_said(spec, "E220", error),)
    return ()


def check_filters(
    specs: Sequence[Spec], repository: Repository, objects: Objects, commit: str
) -> Iterator[Diagnostic]:
    """Return E219 for each file to write whose content git would put through a filter."""
    writes = [
        (spec, ref)
        for spec in specs
        for ref in spec.writes()
        if ref.action is not FileAction.DELETE
    ]
    paths = list(dict.fromkeys(ref.path for _, ref in writes))
    found = filtered_paths(repository, objects, commit, paths) if paths else {}
    for spec, ref in writes:
        if ref.path in found:
            yield diagnose(
                spec.path,
                ref.line or spec.line_of("files"),
                code="E219",
                message=f"{ref.path} goes through the git filter {found[ref.path]}, which no task runs",
                hint="change it by hand, in a commit of your own",
            )


def _are_known(spec: Spec, settings: Settings) -> bool:
    """Return True if what the settings lack is the spec's fault, not that there are none or they are not trusted."""
    if spec.options.executor == SCRIPT or settings.executors:
        return True
    return spec.options.executor is not None and not settings.notes


def _said(spec: Spec, code: str, error: UsageError | RefusedError) -> Diagnostic:
    names = ("executor", "model", "tier")
    field = next((name for name in names if getattr(spec.options, name) is not None), "")
    where = (error.where or "").rpartition(":")[2]
    line = (
        int(where) if where.isdecimal() else spec.line_of(f"options.{field}" if field else "model")
    )
    return diagnose(spec.path, line, code=code, message=error.message, hint=error.hint)
