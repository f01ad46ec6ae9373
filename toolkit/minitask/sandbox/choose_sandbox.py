"""Choose the strongest sandbox that works here, by trying each; the result is cached."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import asdict, replace

from minitask.errors import MachineError, UsageError
from minitask.sandbox import bubblewrap, seatbelt
from minitask.sandbox.policy import DEFAULT_PATH, Limits, Strength
from minitask.sandbox.sandbox import (
    PASSING,
    PROBE_SECONDS,
    SEATBELT,
    SWITCHES,
    Sandbox,
    find_program,
    launch,
    private_directory,
    remove_folder,
    scratch_folder,
)
from minitask.system import process

if TYPE_CHECKING:
    from collections.abc import Mapping

BWRAP_PROFILE = (
    "echo 'abi <abi/4.0>, include <tunables/global> profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }'"
    " | sudo tee /etc/apparmor.d/bwrap && sudo apparmor_parser -r /etc/apparmor.d/bwrap"
)
"""Lets bubblewrap create namespaces if `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu 24.04)."""


def choose_sandbox(
    policy: str,
    *,
    environ: Mapping[str, str],
    cache: Path | None = None,
    scratch: Path | None = None,
) -> Sandbox:
    """Return the sandbox for a policy: `auto` the best available, `required` a strong one, `none` none.

    Raise `MachineError` if a strong one is required but not available.
    """
    if policy == "none":
        return Sandbox(
            Strength.NONE, tried=("turned off",), scratch=scratch_folder(environ, scratch)
        )
    if policy not in {"auto", "required"}:
        raise UsageError(f"unknown sandbox policy {policy!r}", hint="use auto, required or none")
    sandbox = probe(environ=environ, cache=cache, scratch=scratch)
    if policy == "required" and sandbox.strength is not Strength.STRONG:
        raise MachineError(
            f"a strong sandbox is required, but not available here: {'; '.join(sandbox.tried)}",
            hint=f"{how_to_strengthen()}; or set `sandbox: auto` to allow a weaker one",
        )
    return sandbox


def probe(
    *, environ: Mapping[str, str], cache: Path | None = None, scratch: Path | None = None
) -> Sandbox:
    """Return the best sandbox that works here; a warm `cache` saves starting a program."""
    folder = scratch_folder(environ, scratch)
    if sys.platform == "darwin":
        return try_seatbelt(seatbelt.PROGRAM, environ, scratch=folder)
    program = find_program("bwrap", environ.get("PATH", DEFAULT_PATH))
    key = _key(program)
    recalled = _recall(cache, key, scratch=folder)
    if recalled is not None:
        return recalled
    sandbox = _try_all(program, environ, scratch=folder)
    if cache is not None:
        _remember(cache, key, sandbox)
    return sandbox


def _try_all(program: str, environ: Mapping[str, str], *, scratch: Path) -> Sandbox:
    """Try the kinds of sandbox, strongest first, until one runs a command."""
    tried: list[str] = []
    for variant in bubblewrap.Variant if program else ():
        candidate = Sandbox(
            Strength.STRONG, program=program, variant=variant.value, scratch=scratch
        )
        reason = _failure_of(candidate, environ)
        if not reason:
            return candidate
        tried.append(f"{program} ({variant.value}) failed: {reason}")
    if not program:
        tried.append("bwrap is not on PATH")
    version, reason = _landlock_version()
    if version:
        tried.append("Landlock works")
        weak = Sandbox(Strength.PARTIAL, landlock=version, tried=tuple(tried), scratch=scratch)
        path = f"{environ.get('PATH', '')}{os.pathsep}{DEFAULT_PATH}"
        reason = _failure_of(replace(weak, namespaces=True), {**environ, "PATH": path})
        if not reason:
            return replace(weak, namespaces=True, tried=(*tried, "namespaces work"))
        return replace(weak, tried=(*tried, f"namespaces failed: {reason}"))
    return Sandbox(Strength.NONE, tried=(*tried, f"Landlock failed: {reason}"), scratch=scratch)


def try_seatbelt(program: str, environ: Mapping[str, str], *, scratch: Path) -> Sandbox:
    """Return the macOS sandbox if its program runs a command, else none."""
    candidate = Sandbox(Strength.PARTIAL, program=program, variant=SEATBELT, scratch=scratch)
    reason = _failure_of(candidate, environ)
    if reason:
        return Sandbox(Strength.NONE, tried=(f"{program} failed: {reason}",), scratch=scratch)
    return replace(candidate, tried=("macOS has no stronger one",))


def how_to_strengthen() -> str:
    """Return the command or advice for getting a strong sandbox on this machine."""
    if sys.platform == "darwin":
        return "run minitask in a Linux virtual machine or container for a strong one"
    if _read_switch(SWITCHES[0]) == "1":
        return f"Ubuntu restricts user namespaces to programs with a profile; bubblewrap gets one by: {BWRAP_PROFILE}"
    return "install bubblewrap (apt, dnf or apk add bubblewrap), and allow user namespaces"


def _failure_of(candidate: Sandbox, environ: Mapping[str, str]) -> str:
    """Return why the sandbox cannot run a command; empty if it can."""
    workspace = private_directory(candidate.scratch)
    try:
        with candidate.wrap(
            ("bash", "-c", "echo inside"),
            workspace=workspace,
            limits=Limits(),
            network=False,
            environ=environ,
        ) as wrapped:
            finished = process.run(
                wrapped.argv, cwd=workspace, env=wrapped.env, timeout_seconds=PROBE_SECONDS
            )
    except MachineError as error:
        return error.message
    finally:
        remove_folder(workspace)
    return "" if finished.ok and finished.stdout == b"inside\n" else _reason(finished)


def _landlock_version() -> tuple[int, str]:
    """Return the Landlock version that the launcher can use, or 0 and the reason."""
    if not sys.platform.startswith("linux"):
        return 0, f"{sys.platform} has no Landlock"
    finished = process.run(
        launch("net=off", "r=/"), cwd=Path("/"), env={}, timeout_seconds=PROBE_SECONDS
    )
    if finished.ok and finished.stdout.strip().isdigit():
        return int(finished.stdout), ""
    return 0, _reason(finished)


def _reason(finished: process.Finished) -> str:
    return finished.last_error(f"exit code {finished.exit_code}")


def _key(program: str) -> list[str]:
    """Return the inputs that determine a probe's result."""
    changed = str(Path(program).stat().st_mtime_ns) if program else ""
    switches = [_read_switch(path) for path in SWITCHES]
    return [program, changed, platform.release(), str(os.geteuid()), sys.executable, *switches]


def _read_switch(path: str) -> str:
    try:
        return Path(path).read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _recall(cache: Path | None, key: list[str], *, scratch: Path) -> Sandbox | None:
    """Return the cached result of a probe with the same key; None if there is none, or the file is invalid."""
    if cache is None:
        return None
    try:
        document = json.loads(cache.read_bytes())
        if document["key"] != key:
            return None
        return Sandbox(
            Strength(document["strength"]),
            program=str(document["program"]),
            variant=str(document["variant"]),
            landlock=int(document["landlock"]),
            namespaces=bool(document["namespaces"]),
            tried=tuple(map(str, document["tried"])),
            scratch=scratch,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(cache: Path, key: list[str], sandbox: Sandbox) -> None:
    """Cache the result; if that fails, the next run probes again."""
    document = {name: value for name, value in asdict(sandbox).items() if name not in PASSING}
    draft = cache.with_name(f"{cache.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"key": key, **document}), "utf-8")
        draft.replace(cache)
