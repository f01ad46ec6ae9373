"""Settings: where they come from, which wins, and what needs trust."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from minitask import config
from minitask.config import environment_layer, parse_layer
from minitask.errors import MachineError, UsageError
from minitask.settings import FILE, SettingsLayer, resolve


def layer(text: str, name: str = FILE) -> SettingsLayer:
    """One parsed file."""
    return parse_layer(text, name=name)


def test_later_sources_win_and_are_named() -> None:
    found = resolve(
        [
            layer("target: one\nbudget: {max_cost_usd: 1.5}\n", "user"),
            layer("target: two\n"),
            environment_layer({"MINITASK_TARGET": "three"}),
        ],
        trusted=True,
    )
    assert (found.target, found.max_cost_usd) == ("three", Decimal("1.5"))
    assert found.sources["target"] == "environment"
    assert found.sources["budget.max_cost_usd"] == "user"
    assert found.sources["sandbox"] == "default"


def test_mappings_merge_by_key_and_lists_are_replaced() -> None:
    found = resolve(
        [layer("checks: [a, b]\nlimits: {seconds: 5}\n", "user"), layer("checks: [c]\n")],
        trusted=True,
    )
    assert found.checks == ("c",)
    assert found.limits["seconds"] == 5
    assert found.limits["processes"] == 400


def test_the_defaults_are_never_changed() -> None:
    resolve([layer("limits: {seconds: 5}\n")], trusted=True)
    assert resolve([], trusted=True).limits["seconds"] == 300


@pytest.mark.parametrize(
    "key",
    [
        "executors: {a: {type: openai, base_url: 'http://x/v1'}}",
        "sandbox: none",
        "network: true",
        "network: [a.org]",
    ],
)
def test_guarded_keys_of_a_repository_count_only_once_trusted(key: str) -> None:
    name = key.split(":", maxsplit=1)[0]
    ignored = resolve([layer(key)], trusted=False)
    assert ignored.values[name] == resolve([], trusted=True).values[name]
    assert "minitask trust" in ignored.notes[0]
    assert resolve([layer(key)], trusted=True).values[name] != ignored.values[name]
    assert resolve([layer(key, "user")], trusted=False).values[name] != ignored.values[name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chekcs: []", "did you mean checks"),
        ("limits: {second: 3}", "did you mean seconds"),
        ("sandbox: maybe", "sandbox"),
        ("- a\n- b", "mapping"),
        ("a: [", "YAML"),
        ("limits: {seconds: 0}", "limits.seconds must be at least 1, not 0"),
        ("checks: pytest -q", "checks must be a list, not 'pytest -q'|write `checks: [\"pytest -q\"]`"),
        ("sandbox: yes", "sandbox must be one of auto, required, none, not true"),
        ("tiers: {cheep: {}}", "a key of tiers must be one of free, cheap, |did you mean cheap?"),
        ("tiers: {cheap: {executor: x}}", "tiers.cheap lacks 'model'|add `model`: The model's name"),
        ("budget: 5", "budget must be a mapping, not 5|its keys: max_cost_usd, unpriced"),
        ("prices: {m: 3}", "prices.m must be a mapping or text, not 3|its keys: input, "),
        ("routing: {escalation: [big]}", "routing.escalation.0 must be one of |choose one of them"),
        ("gates: [validate]", "scope is missing"),
        # an unknown key explains what is missing
        ("executors: {x: {kind: openai}}", "unknown key `executors.x.kind`|did you mean type?"),
        ("executors: {x: {typ: openai}}", "unknown key `executors.x.typ`|did you mean type?"),
        ("executors: {x: {provider: ollama, model: m}}", "`executors.x.provider`|did you mean type?"),
        ("executors: {x: {base_url: 'http://x'}}", "executors.x lacks 'type'|add `type`"),
        ("executors: {x: {command: [x]}}", "executors.x lacks 'type'"),
        ("executors: {x: {}}", "executors.x is empty|add `type`"),
        # a key of another section
        ("max_escalations: 3", "unknown key `max_escalations`|did you mean routing.max_escalations?"),
        ("jobs: 4", "did you mean concurrency.jobs?"),
        ("share: [x]", "did you mean workspace.share?"),
        ("cheap: {executor: x, model: m}", "did you mean tiers.cheap or baseline.cheap?"),
        ("model: m", "did you mean models?"),
        ("tiers: {routing: {}}", "a key of tiers must be one of free, cheap, "),
        # a key that is there twice: YAML would take the last one
        ("sandbox: required", "`sandbox` is there twice, first in line 1|keep one of them"),
        ("limits: {seconds: 3, memory_mb: 9, seconds: 4}", "`seconds` is there twice, first in line 2"),
        # YAML that is none
        ("\tlimits: {}", "a tab stands where YAML allows spaces only|write spaces"),
        ("target: 'main\n\n", "unexpected end of stream|correct that line"),
        ("a: " + "[" * 3000, "nested too deep"),
        # values
        ("sandbox:", "sandbox is empty|write one of auto, required, none, or remove the key"),
        ("budget: {max_cost_usd: '5'}", "must be a number, not '5'|write it without quotes: 5"),
        ("concurrency: {jobs: '2'}", "write it without quotes: 2"),
        ("routing: {escalation: [cheap, cheap]}", "routing.escalation names cheap twice"),
        ("executors: {x: {type: command, command: claude -p}}", 'write `command: ["claude", "-p"]`'),
        ("executors: {x: {type: command, command: []}}", "executors.x.command is empty"),
        ("network: ['https://a.org/x']", "network.0 has an invalid value|`network`: What validations"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_key_its_line_and_the_way_out(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        layer(f"{'sandbox: auto' if 'in line 1' in words else ''}\n{text}")
    assert caught.value.hint
    assert all(part in f"{caught.value}\n{caught.value.hint}" for part in words.split("|"))
    line = "" if words in ("mapping", "nested too deep") else ":2"
    assert caught.value.where == f"{FILE}{line}"


def test_a_value_that_may_be_a_key_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        layer("executors: {x: {type: openai, api_key_env: sk-live-0123}}")
    assert "must be the name of an environment variable" in str(caught.value)
    assert "0123" not in f"{caught.value}{caught.value.hint}"


def test_a_section_whose_keys_are_all_comments_has_none() -> None:
    found = resolve(
        [layer("executors:\n  # a: {type: ollama}\nworkspace:\ntarget: one\n")], trusted=True
    )
    assert (found.target, found.executors, found.share) == ("one", {}, ())


def test_paths_to_share_may_be_written_as_in_gitignore() -> None:
    found = resolve(
        [layer("workspace: {share: [./node_modules/, a/b/], copy: [.env]}\n")], trusted=True
    )
    assert (found.share, found.copy) == (("node_modules", "a/b"), (".env",))


def test_an_anchor_may_be_merged_and_its_keys_replaced() -> None:
    text = "executors:\n  a: &a {type: ollama, env: [A]}\n  b: {<<: *a, env: [B]}\n  c: {<<: *a}\n"
    assert layer(text).values["executors"]["b"] == {"type": "ollama", "env": ["B"]}


def test_a_variable_with_an_unusable_value_is_said() -> None:
    with pytest.raises(UsageError, match="MINITASK_SANDBOX: sandbox must be one of auto"):
        environment_layer({"MINITASK_SANDBOX": "perhaps"})


def test_trust_pins_the_content_for_one_repository(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    config.trust(environ, repository=Path("/a"), text="x: 1")
    assert config.is_trusted(environ, repository=Path("/a"), text="x: 1")
    assert not config.is_trusted(environ, repository=Path("/a"), text="x: 2")
    assert not config.is_trusted(environ, repository=Path("/b"), text="x: 1")


def test_an_empty_home_makes_no_file_of_the_repository_the_users_own() -> None:
    assert config.user_file({"HOME": ""}).is_absolute()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without an entry")
def test_a_user_without_a_home_has_no_configuration() -> None:
    """As in a container that is started with the number of a user."""
    ask = "from minitask import config; print(config.user_file({}))"
    without_home = {name: value for name, value in os.environ.items() if name != "HOME"}
    folder = str(Path(config.__file__).parents[1])
    try:
        done = subprocess.run(
            (sys.executable, "-c", ask),
            user=54321,
            env=without_home | {"PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    except PermissionError:
        pytest.skip("another user cannot start this Python")
    if "Permission denied" in done.stderr or "No module named" in done.stderr:
        pytest.skip("another user cannot read this clone")
    assert done.stdout == "/nonexistent/.config/minitask/config.yaml\n", done.stderr


def test_trust_that_cannot_be_kept_says_where_to_keep_it(tmp_path: Path) -> None:
    (tmp_path / "minitask").touch()
    with pytest.raises(MachineError, match="XDG_CONFIG_HOME"):
        config.trust({"XDG_CONFIG_HOME": str(tmp_path)}, repository=Path("/a"), text="x")


def test_a_damaged_trust_file_trusts_nothing(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    config.trust(environ, repository=Path("/a"), text="x")
    config.trust_file(environ).write_text("[")
    assert not config.is_trusted(environ, repository=Path("/a"), text="x")
