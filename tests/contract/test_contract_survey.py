"""`init` suggests settings by a repository's files, and `doctor` tries one of its checks in a workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from world import World

IGNORE = {".gitignore": "node_modules\n.venv\n"}
PACKAGE = json.dumps({"scripts": {"test": "vitest run"}})
PLACEHOLDER = json.dumps({"scripts": {"test": 'echo "Error: no test specified" && exit 1'}})
MONOREPO = {
    "package.json": json.dumps({"workspaces": ["packages/*"]}),
    "packages/a/package.json": "{}",
}


@pytest.mark.parametrize(
    ("files", "ignored", "suggested"),
    [
        ({}, [], {}),
        ({"package.json": PACKAGE}, [], {"checks": ["npm test"]}),
        ({"package.json": PACKAGE, "pnpm-lock.yaml": ""}, [], {"checks": ["pnpm test"]}),
        ({"package.json": PACKAGE, "yarn.lock": ""}, [], {"checks": ["yarn test"]}),
        ({"package.json": PLACEHOLDER}, [], {}),
        ({"package.json": "not json"}, [], {}),
        ({"package.json": "[]"}, ["node_modules/x"], {"share": ["node_modules"]}),
        (
            MONOREPO,
            ["node_modules/x", "packages/a/node_modules/y"],
            {"share": ["node_modules", "packages/a/node_modules"]},
        ),
        (
            {
                "pnpm-workspace.yaml": "packages: ['apps/*', '!apps/no']\n",
                "apps/b/package.json": "{}",
            },
            ["apps/b/node_modules/y"],
            {"share": ["apps/b/node_modules"]},
        ),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\n[tool.ruff]\n"},
            [".venv/bin/python", ".venv/bin/ruff"],
            {
                "share": [".venv"],
                "checks": [".venv/bin/python -m pytest -q"],
                "lint": [".venv/bin/ruff check ."],
            },
        ),
        ({"tests/test_a.py": ""}, [], {"checks": ["python3 -m unittest -q"]}),
        ({"pyproject.toml": "[broken"}, [], {}),
        ({"Cargo.toml": ""}, [], {"checks": ["cargo test --quiet --offline"]}),
        ({"Makefile": "all: app\ntest: app\n\t./app\n"}, [], {"checks": ["make test"]}),
        ({"Makefile": "test := 1\ntests: x\n"}, [], {}),
        ({"Makefile": "test:\n\tcargo test\n", "Cargo.toml": ""}, [], {"checks": ["cargo test --quiet --offline"]}),
        ({"go.mod": "module x\n"}, [], {"checks": ["go test ./..."]}),
        ({"eslint.config.mjs": ""}, [], {"lint": ["npx --no-install eslint ."]}),
    ],
)  # fmt: skip
def test_init_suggests(
    world: World, files: dict[str, str], ignored: list[str], suggested: dict[str, list[str]]
) -> None:
    world.commit(IGNORE | files)
    world.write(dict.fromkeys(ignored, ""))
    outcome = world.minitask("init", "--preset", "ollama")
    assert outcome.code == 0, outcome.text
    text = (world.root / "minitask.yaml").read_text()
    share = yaml.safe_load(text).get("workspace", {}).get("share", [])
    assert share == suggested.get("share", [])
    head = text.partition("# The configuration of minitask")[0]
    for key in ("checks", "lint"):
        line = next((line for line in head.splitlines() if line.startswith(f"# {key}: ")), "")
        assert yaml.safe_load(line.removeprefix("# ") or "null") == (
            {key: suggested[key]} if key in suggested else None
        )
        assert all(f"{key}: {value}" in outcome.stdout for value in suggested.get(key, []))
    assert ("not on yet: remove the `# `" in outcome.stdout) == ("suggest  " in outcome.stdout)


TESTED = {
    "a.py": "def one():\n    return 1\n",
    "test_a.py": (
        "import unittest\nfrom a import one\n\n\nclass T(unittest.TestCase):\n"
        "    def test_one(self):\n        self.assertEqual(one(), 1)\n"
    ),
}
CHECK = "python3 -m unittest -q"


def test_init_sets_a_check_that_passes_on_head(world: World) -> None:
    world.commit(TESTED)
    outcome = world.minitask("init")
    assert f"set      checks: {CHECK}" in outcome.stdout
    assert "passes on HEAD" in outcome.stdout
    assert yaml.safe_load((world.root / "minitask.yaml").read_text()) == {"checks": [CHECK]}
    whole = {"a.py": "def one():\n    return 2\n"}
    world.task("p/01-a", whole=whole, validation="grep -q 2 a.py")
    result = world.minitask("exec", "p/01-a")
    assert result.code == 1, result.text
    assert f"FAILED {CHECK}" in result.stdout


@pytest.mark.parametrize(
    ("test", "env", "why"),
    [
        ("import unittest\nraise SystemExit(3)\n", {}, "fails on HEAD"),
        ("", {}, "on HEAD"),
        (TESTED["test_a.py"], {"MINITASK_SANDBOX": "none"}, "was not tried: there is no sandbox"),
    ],
)
def test_init_only_suggests_a_check_that_does_not_pass(
    world: World, test: str, env: dict[str, str], why: str
) -> None:
    world.commit(TESTED | {"test_a.py": test})
    outcome = world.minitask("init", env=env)
    line = next(line for line in outcome.stdout.splitlines() if CHECK in line)
    assert line.startswith("suggest  checks: ")
    assert why in line
    assert yaml.safe_load((world.root / "minitask.yaml").read_text()) is None


def test_init_replaces_its_file_with_a_check_once_it_finds_a_model(world: World) -> None:
    world.commit(TESTED)
    world.minitask("init")
    outcome = world.minitask("init", "--preset", "ollama")
    assert "updated  minitask.yaml, trusted" in outcome.stdout
    written = yaml.safe_load((world.root / "minitask.yaml").read_text())
    assert written == {"preset": "ollama", "checks": [CHECK]}


def test_init_leaves_the_checks_of_the_users_own_settings_in_force(
    world: World, tmp_path: Path
) -> None:
    world.commit(TESTED)
    own = tmp_path / "minitask/config.yaml"
    own.parent.mkdir()
    own.write_text("checks: [make own]\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    outcome = world.minitask("init", env=env)
    assert f"suggest  checks: {CHECK}" in outcome.stdout
    shown = world.minitask("config", "show", "--json", env=env)
    assert "make own" in shown.stdout
    assert CHECK not in shown.stdout


def test_init_names_what_the_checkout_lacks(world: World) -> None:
    modules = '[submodule "v"]\n\tpath = vendor/v\n\turl = ../v\n'
    world.commit({".gitmodules": modules, "package.json": '{"dependencies": {"x": "1"}}'})
    outcome = world.minitask("init", "--preset", "ollama")
    assert "npm install" in outcome.stdout
    assert "git submodule update --init vendor/v" in outcome.stdout


def test_doctor_runs_nothing_of_a_repository_without_a_sandbox(
    world: World, tmp_path: Path
) -> None:
    world.configure(checks=[f"touch {tmp_path}/ran"])
    outcome = world.minitask("doctor", env={"MINITASK_SANDBOX": "none"})
    assert "was not tried: there is no sandbox" in outcome.stdout
    assert not (tmp_path / "ran").exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("check", "mark", "words"),
    [
        ("python3 -m unittest -q", "✓", "passes on HEAD"),
        ("python3 -m no_such_module", "·", "needs the module no_such_module"),
        ("no-such-program", "·", "no-such-program"),
        ("echo last words; exit 3", "·", "last words"),
    ],
)
def test_doctor_tries_a_check_on_head(world: World, check: str, mark: str, words: str) -> None:
    test = "import unittest\nclass T(unittest.TestCase):\n    def test(self): open('made', 'w')\n"
    world.commit({"test_a.py": test})
    world.configure(checks=[check])
    before = world.git("status", "--porcelain")
    outcome = world.minitask("doctor")
    line = next(line for line in outcome.stdout.splitlines() if " check  " in line)
    assert line.startswith(mark)
    assert words in outcome.stdout
    assert world.git("status", "--porcelain") == before
