"""What a command that is red on the base lacks for sure; what the change itself may bring is never called missing."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from minitask.landing.missing_on_base import Red, Scene, find_lack

NAMES = {"src", "shop", "cart.py", "src/shop/cart.py", "packages", "core", "run.sh", "README.md"}
IGNORED = {
    ".env.test": True,
    "node_modules/.bin/jest": True,
    "draft.txt": False,
    "dist/app.js": True,
}
PYTHON = "Traceback (most recent call last):\nModuleNotFoundError: No module named '{}'\n"
NODE = "Error: Cannot find module '{}'\nRequire stack:\n"


def scene(
    *written: str, network: str = "make it work offline", tools: tuple[str, ...] = ()
) -> Scene:
    def left_out(paths: Iterable[str]) -> dict[str, bool]:
        return {path: IGNORED[path] for path in paths if path in IGNORED}

    return Scene(
        written,
        network,
        lambda: NAMES,
        left_out,
        tools,
        lambda text: ("", "ext/lib" * ("ext/lib" in text)),
    )


LACKS = {
    "program": (Red("shfmt -d .", 127, "bash: line 1: shfmt: command not found\n"), "`shfmt`"),
    "program of a script": (Red("npm test", 127, "sh: 1: jest: not found\n"), "`jest`"),
    "module": (Red("python3 -m pytest", 1, "/usr/bin/python3: No module named pytest\n"), "pytest"),
    "imported module": (Red("python3 t.py", 1, PYTHON.format("yaml")), "yaml"),
    "part of a module": (Red("python3 t.py", 1, PYTHON.format("google.cloud")), "google.cloud"),
    "package": (Red("node t.js", 1, NODE.format("express")), "express"),
    "package with a scope": (Red("node t.js", 1, NODE.format("@x/tool")), "@x/tool"),
    "ignored file": (Red("cat .env.test", 1, "cat: .env.test: No such file or directory"), ".env.test"),
    "ignored file that is looked for": (Red("test -f .env.test", 1, ""), ".env.test"),
    "ignored program": (Red("./node_modules/.bin/jest", 127, "No such file or directory"), "jest"),
    "uncommitted file": (Red("cat draft.txt", 1, "No such file or directory"), "not committed"),
    "network": (Red("curl x.org", 6, "curl: (6) Could not resolve host: x.org"), "the network"),
    "a host that is not listed": (
        Red("./fetch", 1, "cannot fetch https://a.org/x", refused_hosts=("10.0.0.1:443 (a.org)",)),
        "wanted 10.0.0.1:443 (a.org)",
    ),
    "a package index that is not listed": (
        Red("pip install -q x", 1, "No matching distribution", refused_hosts=("pypi.org:443",)),
        "wanted pypi.org:443",
    ),
    "network of node": (Red("npm ci", 1, "npm error code EAI_AGAIN"), "the network"),
    "network of uv": (
        Red("uv run pytest", 1, "cause: Network connectivity is disabled, but the requested"),
        "the network",
    ),
    "network of go": (Red("go test", 1, "x.go:3:8: module lookup disabled by GOPROXY=off"), "the network"),
    "no private /tmp": (Red("echo 1 > /tmp/x", 1, "bash: line 76: /tmp/x: Permission denied"), "/tmp/x"),
    "revision": (Red("git diff origin/main", 128, "fatal: bad revision 'origin/main'"), "origin/main"),
    "tag": (Red("git diff v9.9", 128, "fatal: ambiguous argument 'v9.9': unknown revision or path"), "v9.9"),
    "submodule": (Red("make", 2, "make: ext/lib/lib.mk: No such file"), "submodule ext/lib"),
    "repository": (Red("git tag x", 128, "fatal: /c/slots/0/git/x.lock: Read-only file system"), "only read"),
    "rights": (Red("./run.sh", 126, "bash: ./run.sh: Permission denied"), "not executable"),
}  # fmt: skip
LEFT_ALONE = {
    "part of a module of the change": (Red("python3 t.py", 1, PYTHON.format("zoo.keeper")), ("lib/keeper.py",)),
    "program of the change": (Red("shop-cli", 127, "shop-cli: command not found"), ("bin/shop-cli",)),
    "program after a red build": (Red("shop", 127, "shop: command not found", ("make",), after_checks=False), ()),
    "program that is installed": (Red("jest", 127, "jest: not found", ("npm ci",)), ()),
    "module of the change": (Red("python3 t.py", 1, PYTHON.format("pay")), ("src/pay.py",)),
    "package of the change": (Red("python3 t.py", 1, PYTHON.format("pay.cards")), ("pay/cards.py",)),
    "module of the repository": (Red("python3 t.py", 1, PYTHON.format("shop.pay")), ()),
    "module that a manifest may bring": (Red("node t.js", 1, NODE.format("zod")), ("package.json",)),
    "workspace package": (Red("node t.js", 1, NODE.format("@acme/core")), ()),
    "relative module": (Red("node t.js", 1, NODE.format("./new")), ("new.js",)),
    "module that is installed": (Red("pip install -e . && python t.py", 1, PYTHON.format("q")), ()),
    "build output after a build": (Red("test -f dist/app.js", 1, "", ("npm run build",)), ()),
    "build output after a red build": (Red("cat dist/app.js", 1, "No such file", ("make",), after_checks=False), ()),
    "ignored file of the change": (Red("cat .env.test", 1, "No such file"), (".env.test",)),
    "revision that is a new file": (
        Red("git diff new.py", 128, "fatal: ambiguous argument 'new.py': unknown revision"),
        (),
    ),
    "commit before the first": (Red("git diff HEAD~1", 128, "fatal: bad revision 'HEAD~1'"), ()),
    "assertion": (Red("python3 -c 'assert 0'", 1, "AssertionError"), ()),
    "no output": (Red("grep -q x README.md", 1, ""), ()),
}  # fmt: skip


@pytest.mark.parametrize("case", LACKS.values(), ids=LACKS)
def test_what_no_change_brings_is_named(case: tuple[Red, str]) -> None:
    red, named = case
    lack = find_lack(red, scene("new.txt"))
    assert lack is not None
    assert named in lack.problem
    assert lack.hint


@pytest.mark.parametrize("case", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_the_change_may_bring_is_left_alone(case: tuple[Red, tuple[str, ...]]) -> None:
    red, written = case
    assert find_lack(red, scene(*written, "new.txt")) is None


def test_a_refused_host_that_a_command_does_not_speak_of_is_no_lack() -> None:
    red = Red("pytest -q", 1, "1 failed", refused_hosts=("telemetry.example.org:443",))
    assert find_lack(red, scene("new.txt")) is None


def test_the_network_is_not_missing_where_it_is_allowed() -> None:
    assert find_lack(LACKS["network"][0], scene(network="")) is None


def test_the_hint_names_the_setting_that_brings_it() -> None:
    lack = find_lack(LACKS["program of a script"][0], scene(tools=("node_modules",)))
    assert lack is not None
    assert "workspace: {share: [node_modules]}" in lack.hint
