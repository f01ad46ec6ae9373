"""`minitask init`: find executors, and set up a repository for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from minitask import config
from minitask.cli.check_trial import TriedCheck, try_checks
from minitask.cli.session import Session, environment, start_folder
from minitask.cli.terminal import say
from minitask.engine.repository_settings import load_settings
from minitask.errors import UsageError
from minitask.git.repository import Repository, discover
from minitask.planning.agent_guides import AGENTS, PlannedFile, agent_changes
from minitask.planning.scaffold import init_files, is_unset, passing, with_survey
from minitask.planning.survey import CHECKS, SHARE, Suggestion, missing, survey
from minitask.presets import PRESETS
from minitask.settings import FILE

if TYPE_CHECKING:
    from minitask.planning.survey import Discovery

NOTHING_CHOSEN = "chose    nothing: specs with an edit script run all the same"
NOTHING = "no Ollama, no agent that is logged in, no API key"
ANEW = f"rm {FILE} && minitask init"
KEPT = "kept"
CHECK_SECONDS = 60
"""Time limit of a check that is tried; one that takes longer would slow down every merge."""
NOTHING_WRITTEN = "dry run  nothing was written"
SETTING_KEYS = ("preset", "executors", "tiers")
"""Settings of the user that make a search unnecessary."""


@click.command("init")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="NAME",
    help=f"Teach a coding agent to write specs: {', '.join(AGENTS)}. Repeatable.",
)
@click.option(
    "--preset",
    type=click.Choice([name for name in PRESETS if name != "default"]),
    help="Use these executors and tiers; look for no others.",
)
@click.option("--templates", is_flag=True, help="Copy the spec templates, to change them.")
@click.option(
    "--remove", is_flag=True, help="Remove what was written for these agents (default: for all)."
)
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
def command(
    agents: tuple[str, ...], preset: str | None, *, templates: bool, remove: bool, dry_run: bool
) -> int:
    """Find models, agents and keys, and write minitask.yaml for them. Nothing is overwritten.

    What an agent reads is written between two marks; the rest of its files stays as it is.

    \b
    Example:
      minitask init
      minitask init --preset claude --agent claude
    """
    environ = environment()
    repository = discover(start_folder(), environ)
    top = repository.top
    if top is None:
        raise UsageError("a bare repository has no files to set up", hint="run it in a checkout")
    if remove:
        return _remove(agent_changes(top, agents or AGENTS, remove=True), dry_run=dry_run)
    for_agents = agent_changes(top, agents)
    suggestions = survey(repository)
    is_new = is_unset(top, suggestions)
    settings: Mapping[str, Any] = {"preset": preset} if preset else {}
    lines: list[str] = []
    if not preset and is_new:
        settings, lines = _found(environ, dry_run=dry_run)
    checks = _try_checks(repository, environ, suggestions) if is_new and not dry_run else {}
    suggestions = passing(suggestions, [check for check, tried in checks.items() if tried.passes])
    settings = with_survey(settings, suggestions)
    own_files = init_files(top, settings, suggestions=suggestions, templates=templates)
    changes = (*own_files, *for_agents)
    _write(changes, dry_run=dry_run)
    if is_new and not dry_run:
        text = (top / FILE).read_text("utf-8")
        config.trust(environ, repository=repository.common_dir, text=text)
    lines += _surveyed(repository, suggestions if is_new else (), checks)
    lines += _written(changes, trusted=is_new and bool(settings), dry_run=dry_run)
    click.echo("\n".join(lines))
    command = 'new PROJECT "TITLE"' if NOTHING_CHOSEN in lines else 'do "WHAT TO CHANGE"'
    click.echo(NOTHING_WRITTEN if dry_run else _next(preset, command, is_new=is_new))
    return 0


def _next(preset: str | None, command: str, *, is_new: bool) -> str:
    """Return the lines with the next steps."""
    how = f"set `preset: {preset}` in it" if preset else "edit it"
    change = f"change   {how}, then: minitask trust; or to begin anew: {ANEW}\n"
    return f"{'' if is_new else change}next     minitask {command}"


def _write(changes: Sequence[PlannedFile], *, dry_run: bool) -> None:
    for change in () if dry_run else changes:
        change.write()


def _written(changes: Sequence[PlannedFile], *, trusted: bool, dry_run: bool) -> Iterator[str]:
    """Yield a line for each file; a new configuration with settings is trusted."""
    for change in changes:
        would_be = "would be " if dry_run and change.what != KEPT else ""
        end = ", trusted" if trusted and change.path == FILE else ""
        yield f"{would_be}{change.what:8} {change.path}{end}"


def _remove(changes: Sequence[PlannedFile], *, dry_run: bool) -> int:
    """Remove the files and sections for agents, and list them."""
    _write(changes, dry_run=dry_run)
    files = [change for change in changes if change.what != KEPT]
    lines = _written(files, trusted=False, dry_run=dry_run)
    click.echo("\n".join(lines) or "nothing to remove")
    if dry_run:
        click.echo(NOTHING_WRITTEN)
    return 0


def _try_checks(
    repository: Repository, environ: Mapping[str, str], suggestions: Sequence[Suggestion]
) -> dict[str, TriedCheck]:
    """Return the outcomes of the suggested checks on HEAD, with the suggested folders shared, by command.

    None is tried if the user's own settings have checks: those in the repository's file would replace them.
    """
    commands = [each.value for each in suggestions if each.key == CHECKS]
    own = load_settings(repository, environ)
    has_own = bool(own.checks) and own.sources.get("checks") != FILE
    if not commands or repository.top is None or has_own:
        return {}
    say(f"trying `{'`, `'.join(commands)}` on HEAD, for {CHECK_SECONDS} s at most")
    shared = tuple(each.value for each in suggestions if each.key == SHARE)
    session = Session(repository.top, environ, repository, replace(own, share=shared))
    return {tried.command: tried for tried in try_checks(session, commands, seconds=CHECK_SECONDS)}


def _surveyed(
    repository: Repository, suggestions: Sequence[Suggestion], checks: Mapping[str, TriedCheck]
) -> Iterator[str]:
    """Yield what was set and suggested by the repository's files, and what the checkout lacks."""
    for each in suggestions:
        word = "suggest" if not each.is_on else "share" if each.key == SHARE else "set"
        what = each.value if each.key == SHARE else f"{each.key}: {each.value}"
        tried = checks.get(each.value)
        yield f"{word:8} {what}  ({each.reason}{f'; {tried.outcome}' if tried else ''})"
        if word == "set":
            yield "         runs on every tree before it is merged"
    if not all(each.is_on for each in suggestions):
        yield f"         not on yet: remove the `# ` before it in {FILE}, then: minitask trust"
    for problem, command in missing(repository):
        yield f"missing  {problem}: {command}"


def _found(environ: Mapping[str, str], *, dry_run: bool) -> tuple[dict[str, Any], list[str]]:
    """Return the settings for this machine's executors, and lines that describe them and how to change them."""
    own = config.user_file(environ)
    if environ.get("MINITASK_PRESET") or _sets_executors(own):
        source = "MINITASK_PRESET" if environ.get("MINITASK_PRESET") else str(own)
        return {}, [f"found    {source} sets executors already; they stay in force"]
    from minitask.planning.survey import discover as discover_executors

    found = discover_executors(environ)
    settings = found.settings()
    if not settings:
        keys = "ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL"
        change = f"change   start Ollama, or export {keys}, then: minitask init"
        chosen = NOTHING_CHOSEN
    else:
        change = f"change   edit {FILE}, then: minitask trust"
        chosen = f"chose    {_choice(settings['tiers'])}"
    names = "; ".join(_names(found)) or NOTHING
    if found.logged_out:
        names += f"; not logged in: {', '.join(found.logged_out)}"
    lines = [f"found    {names}", chosen]
    return settings, lines if dry_run else [*lines, change]


def _sets_executors(path: Path) -> bool:
    from minitask.engine.repository_settings import read_text

    text = read_text(path)
    layer = config.parse_layer(text, name=str(path)) if text else None
    return layer is not None and any(key in layer.values for key in SETTING_KEYS)


def _names(found: Discovery) -> list[str]:
    """Return the servers, agents and keys of a discovery as text."""
    names = []
    for server in found.servers:
        shown = ", ".join(server.models[:3])
        more = f" and {len(server.models) - 3} more" if len(server.models) > 3 else ""
        none = "no model yet: ollama pull qwen2.5-coder" if server.kind == "ollama" else "no model"
        names.append(f"{server.kind} at {server.url} ({shown + more or none})")
    return [*names, *(f"{name} (logged in)" for name in found.agents), *found.keys]


def _choice(tiers: Mapping[str, Any]) -> str:
    """Return the tiers as `TIER: MODEL, … (EXECUTOR); …`."""
    by_executor: dict[str, list[str]] = {}
    for tier, entry in tiers.items():
        by_executor.setdefault(entry["executor"], []).append(f"{tier}: {entry['model']}")
    chosen = (f"{', '.join(models)} ({name})" for name, models in by_executor.items())
    return "; ".join(chosen) or "no tier: name an executor's model under `tiers`"
