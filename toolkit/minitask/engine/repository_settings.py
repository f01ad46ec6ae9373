"""Load the settings for a repository, and check specs against them and against git filters."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from minitask import config, settings
from minitask.errors import RefusedError, UsageError
from minitask.git.filters import filtered_paths
from minitask.git.objects import Objects
from minitask.git.repository import Repository
from minitask.policy.route import SCRIPT, RouteOverrides
from minitask.settings import Settings, SettingsLayer
from minitask.spec.model import Diagnostic, FileAction, Problem, Spec, Tier
from minitask.spec.paths import check_path
from minitask.system.files import Cache

APIS = frozenset({"openai", "anthropic", "ollama"})
"""Types of executors behind an HTTP API."""
_ASKED = ("executor", "model", "tier")
"""Options by which a spec requests a route."""


def check_route(spec: Spec, settings: Settings) -> tuple[Diagnostic, ...]:
    """Return E218 if the settings lack the executor, model or tier that a spec requests, E220 if they forbid it.

    If no executors are configured, that is not the spec's fault, unless it names one.
    """
    options = spec.options
    asks = options.executor or options.model or options.tier
    if options.tier is Tier.NONE or not (asks or spec.model) or not _are_known(spec, settings):
        return ()
    from minitask.executors.registry import has_script
    from minitask.policy.choice import choose
    from minitask.policy.tier_rules import header_request

    if not asks and header_request(spec, settings).is_empty:
        return ()
    try:
        choose(spec, settings, demand=RouteOverrides(), scripted=has_script(spec))
    except (UsageError, RefusedError) as error:
        code = "E218" if isinstance(error, UsageError) else "E220"
        named = next((name for name in _ASKED if getattr(options, name) is not None), "")
        line = error.line or spec.line_of(f"options.{named}" if named else "model")
        return (Problem(line, code, error.message, error.hint).at(spec.path),)
    return ()


def check_filters(
    specs: Sequence[Spec], repository: Repository, objects: Objects, commit: str
) -> Iterator[Diagnostic]:
    """Yield E219 for each file to write that has a git filter."""
    writes = [
        (spec, ref)
        for spec in specs
        for ref in spec.writes()
        if ref.action is not FileAction.DELETE
    ]
    paths = list(dict.fromkeys(ref.path for _, ref in writes if not check_path(ref.path)))
    filters = filtered_paths(repository, objects, commit, paths) if paths else {}
    for spec, ref in writes:
        if ref.path in filters:
            message = (
                f"{ref.path} goes through the git filter {filters[ref.path]}, which no task runs"
            )
            hint = "change it by hand, in a commit of your own"
            yield Problem(ref.line or spec.line_of("files"), "E219", message, hint).at(spec.path)


def _are_known(spec: Spec, settings: Settings) -> bool:
    """Return True if something missing in the settings is the spec's fault: they have executors, or are trusted."""
    if spec.options.executor == SCRIPT or settings.executors:
        return True
    return spec.options.executor is not None and not settings.notes


def load_settings(repository: Repository | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings from all sources; raise `UsageError` if one is unreadable or has an unknown key."""
    memo = Cache(repository.home / "cache").document if repository else None
    layers: list[SettingsLayer] = []
    path = config.user_file(environ)
    text = read_text(path)
    if text is not None:
        layers.append(config.parse_layer(text, name=str(path), memo=memo))
    trusted = False
    local = config_text(repository)
    if repository is not None and local is not None:
        layers.append(config.parse_layer(local, name=settings.FILE, memo=memo))
        trusted = config.is_trusted(environ, repository=repository.common_dir, text=local)
    layers.append(config.environment_layer(environ, memo=memo))
    resolved = settings.resolve(layers, trusted=trusted)
    return _addressed(_placed(resolved, repository, environ), environ)


def _placed(
    resolved: Settings, repository: Repository | None, environ: Mapping[str, str]
) -> Settings:
    """Return the settings with executors' folders and programs made absolute: below the root, or `~/` the home."""
    paths = [
        path for entry in resolved.executors.values() for path in (entry.folder, *entry.command[:1])
    ]
    if repository is None or not any(paths):
        return resolved
    root = repository.top or repository.git_dir

    def program(name: str) -> str:
        if name.startswith("~/") and environ.get("HOME"):
            return f"{environ['HOME']}{name[1:]}"
        return str(root / name) if "/" in name else name

    executors = {
        name: replace(
            entry,
            folder=str(root / entry.folder) if entry.folder else "",
            command=(*map(program, entry.command[:1]), *entry.command[1:]),
        )
        for name, entry in resolved.executors.items()
    }
    return replace(resolved, executors=executors)


def _addressed(resolved: Settings, environ: Mapping[str, str]) -> Settings:
    """Return the settings with an address for each API without one: the environment's, or else the default."""
    missing = [
        entry for entry in resolved.executors.values() if entry.type in APIS and not entry.base_url
    ]
    if not missing:
        return resolved
    from minitask.executors.address import DEFAULTS, find_base_url

    executors, values = dict(resolved.executors), dict(resolved.values["executors"])
    sources = dict(resolved.sources)
    for entry in missing:
        url, variable = find_base_url(entry.type, environ)
        url = url or DEFAULTS[entry.type]
        executors[entry.name] = replace(entry, base_url=url)
        values[entry.name] = {**values[entry.name], "base_url": url}
        sources[f"executors.{entry.name}.base_url"] = variable or "default"
    every = {**resolved.values, "executors": values}
    return replace(resolved, executors=executors, values=every, sources=sources)


def config_text(repository: Repository | None) -> str | None:
    """Return the text of the checkout's `minitask.yaml`, or None.

    Raises `UsageError` for a file of a similar name, whose settings would be ignored.
    """
    if repository is None or repository.top is None:
        return None
    text = read_text(repository.top / settings.FILE)
    if text is None:
        for name in settings.MISNAMED:
            if (repository.top / name).exists():
                raise UsageError(
                    f"{name} is ignored: settings belong in {settings.FILE}",
                    hint=f"rename it: mv {name} {settings.FILE}",
                )
    return text


def read_text(path: Path) -> str | None:
    """Return a file's text, or None if it does not exist; raise `UsageError` if it is unreadable."""
    try:
        return path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        kind = "UTF-16" if error.object.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "not UTF-8"
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"the file is {kind}", where=f"{path}:{line}", hint="save it as UTF-8"
        ) from None
    except OSError as error:
        hint = "check the file and its permissions"
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=hint) from None
