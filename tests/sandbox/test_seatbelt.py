"""The sandbox of macOS: what its profile decides, read as the system reads it; on a Mac, what it really holds back."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minitask.engine.health_checks import try_sandbox
from minitask.sandbox.choose_sandbox import choose_sandbox, try_seatbelt
from minitask.sandbox.policy import Listeners, SandboxPolicy, Strength
from minitask.sandbox.seatbelt import profile
from world import write_program

HOME = "/Users/una"
WORKSPACE = f"{HOME}/.cache/minitask/ab/0"
PRIVATE = "/private/var/folders/x/minitask-1"
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([()])|([^\s()"]+)')


def rules(text: str) -> Iterator[list[str]]:
    """The rules of a profile, each as its words; a string comes with a quote in front."""
    depth, words = 0, []
    for quoted, bracket, word in TOKEN.findall(text):
        depth += {"(": 1, ")": -1}.get(bracket, 0)
        words.append(word or bracket or '"' + re.sub(r"\\(.)", r"\1", quoted))
        if depth == 0:
            yield words
            words = []


def decides(text: str, operation: str, path: str = "") -> str:
    """`allow` or `deny`: the last rule that fits decides."""
    verdict = "allow"
    for words in rules(text):
        operations = [word for word in words[2:] if word[0] not in '"(' and word != ")"]
        fits = [name for name in operations if re.fullmatch(name.replace("*", ".*"), operation)]
        filters = [
            (words[at], words[at + 1][1:])
            for at in range(len(words) - 1)
            if words[at + 1][0] == '"'
        ]
        matches = not filters or any(
            path == place or (kind == "subpath" and f"{path}/".startswith(f"{place.rstrip('/')}/"))
            for kind, place in filters
        )
        if words[1] in ("allow", "deny") and (operations == ["default"] or (fits and matches)):
            verdict = words[1]
    return verdict


def text(*, network: bool = False, workspace: str = WORKSPACE) -> str:
    room = SandboxPolicy(
        Path(workspace),
        {"HOME": HOME},
        network=network,
        readonly=(Path(f"{HOME}/project/node_modules"),),
    )
    return profile(room, roots=[f"{HOME}/.pyenv"], private=Path(PRIVATE))


@pytest.mark.parametrize(
    ("operation", "path", "verdict"),
    [
        ("file-write-data", f"{WORKSPACE}/src/a.py", "allow"),
        ("file-write-create", f"{PRIVATE}/tmp/x", "allow"),
        ("file-write-data", "/dev/null", "allow"),
        ("file-write-data", f"{WORKSPACE}/.git/config", "deny"),
        ("file-write-data", f"{HOME}/project/a.py", "deny"),
        ("file-write-data", f"{HOME}/project/node_modules/a.js", "deny"),
        ("file-write-data", f"{HOME}/.pyenv/shims/python", "deny"),
        ("file-write-unlink", "/usr/local/bin/x", "deny"),
        ("file-write-data", "/private/tmp/x", "deny"),
        ("file-read-data", f"{WORKSPACE}/.git/HEAD", "allow"),
        ("file-read-data", f"{HOME}/.pyenv/versions/3.12/bin/python", "allow"),
        ("file-read-data", f"{HOME}/project/node_modules/a.js", "allow"),
        ("file-read-data", "/usr/lib/dyld", "allow"),
        ("file-read-data", "/System/Library/Frameworks/x", "allow"),
        ("file-read-data", f"{HOME}/.ssh/id_rsa", "deny"),
        ("file-read-data", f"{HOME}/project/.env", "deny"),
        ("file-read-data", "/private/var/folders/y/other", "deny"),
        ("file-read-data", "/Volumes/Backup/x", "deny"),
        ("file-read-metadata", HOME, "allow"),
        ("network-outbound", "", "deny"),
        ("network-bind", "", "deny"),
        ("appleevent-send", "", "deny"),
    ],
)
def test_the_profile_decides(operation: str, path: str, verdict: str) -> None:
    assert decides(text(), operation, path) == verdict


def test_a_spec_with_network_has_one() -> None:
    assert decides(text(network=True), "network-outbound") == "allow"


def test_of_the_network_only_listed_ports_of_localhost_are_open() -> None:
    listeners = Listeners(("127.0.0.1:3128", "[::1]:5432"), {})
    room = SandboxPolicy(Path(WORKSPACE), {"HOME": HOME}, listeners=listeners)
    written = profile(room, roots=[], private=Path(PRIVATE))
    for place, verdict in (
        ("localhost:3128", "allow"),
        ("localhost:5432", "allow"),
        ("localhost:1", "deny"),
    ):
        assert decides(written, "network-outbound", place) == verdict
    assert decides(written, "network-bind") == "deny"


def test_no_path_can_add_a_rule() -> None:
    evil = '/tmp/x") (allow network*) (allow file-write* (subpath "/'
    written = text(workspace=evil)
    assert decides(written, "network-outbound") == "deny"
    assert decides(written, "file-write-data", "/etc/passwd") == "deny"
    assert decides(written, "file-write-data", f"{evil}/a") == "allow"


@pytest.mark.parametrize(
    ("script", "strength"),
    [
        ('test "$1" = -p && shift 2 && exec "$@"', Strength.PARTIAL),
        ("echo 'sandbox_apply: Operation not permitted' >&2; exit 71", Strength.NONE),
    ],
)
def test_it_is_chosen_where_its_program_runs_a_command(
    tmp_path: Path, script: str, strength: Strength
) -> None:
    program = tmp_path / "sandbox-exec"
    write_program(program, f"#!/bin/bash\n{script}\n")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    sandbox = try_seatbelt(str(program), environ, scratch=tmp_path)
    assert sandbox.strength is strength
    if strength is Strength.NONE:
        assert "Operation not permitted" in sandbox.tried[0]
    else:
        assert "localhost" in sandbox.describe()


@pytest.mark.skipif(sys.platform != "darwin", reason="only macOS has sandbox-exec")
def test_a_mac_holds_back_what_the_profile_denies(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    sandbox = choose_sandbox("auto", environ=environ, scratch=tmp_path)
    assert sandbox.strength is Strength.PARTIAL, sandbox.tried
    for check in try_sandbox(sandbox, environ):
        assert check.stopped, check.attack
        assert check.works_outside, check.attack
