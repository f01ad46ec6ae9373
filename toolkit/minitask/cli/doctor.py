"""`minitask doctor`: check the machine, the repository and the settings."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import click
from msgspec.structs import replace

from minitask.cli.check_trial import try_checks
from minitask.cli.session import Session, environment, json_option, print_json, start_folder
from minitask.cli.terminal import show
from minitask.engine.health_checks import (
    InstalledAgent,
    agents_installed,
    ollama_servers,
    try_sandbox,
)
from minitask.engine.repository_settings import load_settings
from minitask.errors import MinitaskError
from minitask.executors.agents.programs import OLDEST_RUN, PROGRAMS
from minitask.git.repository import OLDEST_GIT, Repository, committer, discover, git_version
from minitask.planning.survey import CHECKS, missing, survey
from minitask.policy.tier_rules import how_to_add
from minitask.presets import AUTO
from minitask.reports.diagnostics import CheckResult, Health, health_document, render_health
from minitask.sandbox.choose_sandbox import choose_sandbox, how_to_strengthen
from minitask.sandbox.policy import granted
from minitask.sandbox.sandbox import Strength
from minitask.settings import ExecutorSetting, Settings

CHECK_SECONDS = 120


@click.command("doctor")
@json_option
def command(*, as_json: bool) -> int:
    """Say what was found here, and what to do about what is missing. Exits with 3 where something needed is.

    \b
    Example:
      minitask doctor
    """
    folder = start_folder()
    environ = environment()
    repository, findings = _repository(folder, environ)
    try:
        settings: Settings | None = load_settings(repository, environ)
    except MinitaskError as error:
        settings = None
        findings.append(CheckResult("settings", "bad", str(error)))
    agents = {agent.type: agent for agent in agents_installed(environ, folder)}
    findings = [
        *_machine(folder, environ),
        *findings,
        *_sandbox(settings, environ),
        *_executors(settings, environ, agents),
        *_servers(settings, environ),
        *_agents(agents.values()),
    ]
    if repository is not None and settings is not None:
        findings += _repository_checks(folder, repository, settings, environ)
    values = dict(settings.values) if settings else {}
    sources = dict(settings.sources) if settings else {}
    health = Health(tuple(findings), values, sources)
    if as_json:
        print_json(health_document(health))
    else:
        show(render_health(health))
    return 0 if health.is_good else 3


def _machine(folder: Path, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    system = f"{platform.system()} {platform.release()}"
    yield CheckResult("python", "ok", f"{platform.python_version()}, {system}")
    version = git_version(environ, folder)
    text = ".".join(map(str, version)) or "unknown"
    if version < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        yield CheckResult("git", "bad", f"version {text}", f"install git {oldest} or later")
    else:
        yield CheckResult("git", "ok", f"version {text}")


def _repository(
    folder: Path, environ: Mapping[str, str]
) -> tuple[Repository | None, list[CheckResult]]:
    try:
        repository = discover(folder, environ)
    except MinitaskError as error:
        return None, [CheckResult("repository", "note", error.message, error.hint)]
    kind = "bare" if repository.top is None else str(repository.top)
    shallow = ", shallow" if repository.shallow else ""
    results = [CheckResult("repository", "ok", f"{kind} ({repository.object_format}{shallow})")]
    try:
        who = committer(repository)
        results.append(CheckResult("identity", "ok", f"{who.name} <{who.email}>"))
    except MinitaskError as error:
        results.append(CheckResult("identity", "bad", error.message, error.hint))
    return repository, results


def _sandbox(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    try:
        sandbox = choose_sandbox(settings.sandbox if settings else "auto", environ=environ)
    except MinitaskError as error:
        yield CheckResult("sandbox", "bad", error.message, error.hint)
        return
    strong = sandbox.strength is Strength.STRONG
    hint = "" if strong else how_to_strengthen()
    state = "ok" if strong else "note"
    yield CheckResult("sandbox", state, f"{sandbox.strength}: {sandbox.describe()}", hint)
    network = granted(None, settings.network if settings else False)
    if unheld := sandbox.cannot_list(network):
        yield CheckResult("network", "note", unheld, how_to_strengthen())
    elif not isinstance(network, bool):
        yield CheckResult("network", "ok", network.describe())
    for line in sandbox.tried if not strong else ():
        yield CheckResult("", "note", line)
    for trial in try_sandbox(sandbox, environ):
        outcome = "stopped" if trial.stopped else "NOT stopped"
        control = "works without a sandbox"
        if not trial.works_outside:
            control = "inconclusive: it also fails without a sandbox"
        state = "ok" if trial.stopped else "note"
        yield CheckResult("", state, f"{trial.attack}: {outcome} ({control})")


def _executors(
    settings: Settings | None, environ: Mapping[str, str], agents: Mapping[str, InstalledAgent]
) -> Iterator[CheckResult]:
    if settings is None:
        return
    for note in settings.notes:
        yield CheckResult("trust", "note", note)
    for entry in settings.executors.values():
        result = _executor(entry, environ, agents)
        is_used = any(tier.executor == entry.name for tier in settings.tiers.values())
        yield result if is_used or result.state != "bad" else replace(result, state="note")
    for tier, rung in settings.tiers.items():
        if rung.executor not in settings.executors:
            hint = "name one of `executors`"
            yield CheckResult("tier", "bad", f"{tier}: no executor named {rung.executor}", hint)
    if not settings.executors and not settings.notes:
        hint = f"fine for specs with an edit script; else {how_to_add(settings)}"
        yield CheckResult("executor", "note", "none configured", hint)


def _executor(
    entry: ExecutorSetting, environ: Mapping[str, str], agents: Mapping[str, InstalledAgent]
) -> CheckResult:
    key = entry.api_key_env
    address = entry.base_url or " ".join(entry.command) or entry.folder
    text = f"{entry.name}: {entry.type}" + (f", {address}" if address else "")
    if key and not environ.get(key):
        return CheckResult("executor", "note", f"{text}, key {key} not set", f"export {key}=…")
    agent = agents.get(entry.type)
    if entry.type in PROGRAMS and agent is None:
        return CheckResult("executor", "bad", f"{text}: not on PATH", f"install {entry.type}")
    if entry.command and shutil.which(entry.command[0], path=environ.get("PATH", "")) is None:
        hint = f"install {entry.command[0]}, or correct `command`"
        return CheckResult("executor", "bad", f"{text}: not on PATH", hint)
    if agent is not None and agent.problem:
        hint = f"{agent.path} must run"
        return CheckResult("executor", "bad", f"{text} does not start: {agent.problem}", hint)
    if agent is not None and not (agent.has_login or key or entry.base_url):
        return CheckResult("executor", "note", f"{text}, no login or key found", _log_in(agent))
    return CheckResult("executor", "ok", text + (f", key {key} set" if key else ""))


def _servers(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[CheckResult]:
    """Yield the local model servers, and the models of tiers that no server has."""
    for served in ollama_servers(settings, environ):
        if served.models is None:
            yield CheckResult("ollama", "note", served.problem, "start it: ollama serve")
            continue
        models = ", ".join(served.models) or "no model yet"
        hint = "" if served.models else "pull one, such as: ollama pull qwen2.5-coder"
        if not served.executor:
            hint = hint or "`preset: local` in minitask.yaml uses it"
        state = "ok" if served.models else "note"
        yield CheckResult("ollama", state, f"{served.url} serves {models}", hint)
        for tier, rung in settings.tiers.items() if settings else ():
            if rung.executor == served.executor and rung.model not in (AUTO, *served.models):
                text = f"{tier}: {served.url} does not serve {rung.model}"
                yield CheckResult("tier", "note", text, f"ollama pull {rung.model}")


def _repository_checks(
    folder: Path, repository: Repository, settings: Settings, environ: Mapping[str, str]
) -> Iterator[CheckResult]:
    """Yield what the checkout lacks, and the result of one of the repository's checks on HEAD."""
    for problem, command in missing(repository):
        yield CheckResult("missing", "note", problem, command)
    suggested = [each.value for each in survey(repository) if each.key == CHECKS]
    text = next(iter((*settings.checks, *suggested)), "")
    if not text:
        return
    session = Session(folder, environ, repository, settings)
    for tried in try_checks(session, [text], seconds=CHECK_SECONDS):
        state = "ok" if tried.passes else "note"
        yield CheckResult("check", state, f"`{text}` {tried.outcome}", tried.hint)


def _log_in(agent: InstalledAgent) -> str:
    return f"start {agent.type} once to log in, or export its key"


def _agents(agents: Collection[InstalledAgent]) -> Iterator[CheckResult]:
    for agent in agents:
        text = f"{agent.type}: {agent.version or 'version unknown'}, {agent.path}"
        oldest = OLDEST_RUN.get(agent.type)
        if agent.problem:
            text = f"{agent.type} does not start: {agent.problem}"
            yield CheckResult("agent", "note", text, f"{agent.path} must run")
        elif not agent.has_login:
            yield CheckResult("agent", "note", f"{text}, no login or key found", _log_in(agent))
        elif oldest is None:
            yield CheckResult("agent", "note", f"{text}, untested: written to its documentation")
        elif agent.is_old:
            text += f", older than {oldest}, the oldest version that was tried"
            yield CheckResult("agent", "note", text, f"update {agent.type}")
        else:
            yield CheckResult("agent", "ok", text)
    if not agents:
        yield CheckResult("agent", "note", "no coding agent on PATH")
