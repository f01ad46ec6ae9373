"""What other tools run in CI: the hook for pre-commit, the GitHub action, the GitLab template."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from world import Outcome, World, run

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / ".github/actions/minitask/action.yml").read_text())
GITLAB = yaml.safe_load((ROOT / ".gitlab/minitask.yml").read_text())
[HOOK] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def in_shell(world: World, script: str, **env: str) -> Outcome:
    """Run a step as a runner does, with the program of this environment on its PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run(("bash", "-e", "-c", script), cwd=world.root, env={"PATH": path, **env}, check=False)


def proven(world: World) -> None:
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    world.git("switch", "-q", "minitask/p/01-b")


@pytest.mark.parametrize(
    ("path", "is_checked"),
    [
        ("mini-projects/api/01-a.md", True),
        ("mini-projects/api.md", True),
        ("mini-projects/api/README.md", False),
        ("mini-projects/api/base/a.md", False),
        ("docs/a.md", False),
    ],
)
def test_the_hook_gets_specs_alone(path: str, *, is_checked: bool) -> None:
    is_fitting = re.search(HOOK["files"], path) and not re.search(HOOK["exclude"], path)
    assert bool(is_fitting) == is_checked


def test_the_hook_fails_on_a_bad_spec(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation="test -f b.txt")
    assert in_shell(world, f"{HOOK['entry']} {path}").code == 0
    world.write({path: "# Mini-Task 1: Nothing\n"})
    assert in_shell(world, f"{HOOK['entry']} {path}").code == 2


@pytest.mark.parametrize(
    ("ref", "verify", "is_good", "result"),
    [
        ("minitask/p/01-b", "auto", True, "proven=true\n"),
        ("minitask/p/01-b", "auto", False, "proven=false\n"),
        ("feature", "auto", True, ""),
        ("feature", "true", True, "proven=true\n"),
        ("minitask/p/01-b", "false", True, ""),
    ],
)
def test_the_action_proves_a_task_branch(
    world: World, tmp_path: Path, ref: str, verify: str, *, is_good: bool, result: str
) -> None:
    proven(world)
    if not is_good:
        world.git("rm", "-q", "b.txt")
        world.git("commit", "-q", "--amend", "--no-edit", "--allow-empty")
    step = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "verify")
    output, summary = tmp_path / "output", tmp_path / "summary"
    env = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
    env |= {"RUNNER_TEMP": str(tmp_path), "GITHUB_REF_NAME": ref, "VERIFY": verify}
    outcome = in_shell(world, step["run"], **env)
    assert (outcome.code == 0) == is_good, outcome.text
    assert (output.read_text() if output.exists() else "") == result
    if result:
        text = summary.read_text()
        assert "proven" in text if is_good else "out of scope: the change is empty" in text, text


def test_what_a_command_prints_is_no_markup_of_the_summary(world: World, tmp_path: Path) -> None:
    printed = "printf '```\\n<img src=x>&amp;\\n</pre>\\n'"
    world.proven("p/01-b", whole={"b.txt": "b\n"}, validation=f"{printed}; grep -qx b b.txt")
    world.git("switch", "-q", "minitask/p/01-b")
    world.write({"b.txt": "c\n"})
    world.git("commit", "-q", "--amend", "--no-edit", "--all")
    step = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "verify")
    summary = tmp_path / "summary"
    env = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(summary)}
    env |= {"RUNNER_TEMP": str(tmp_path), "GITHUB_REF_NAME": "minitask/<b>", "VERIFY": "true"}
    outcome = in_shell(world, step["run"], **env)
    assert outcome.code == 1, outcome.text
    text = summary.read_text()
    assert "&lt;img src=x>&amp;amp;" in text
    assert re.findall("<[^>]*>", text) == ["<pre>", "</pre>"], text


def test_the_action_annotates_a_bad_spec(world: World) -> None:
    world.write({"mini-projects/p/01-b.md": "# Mini-Task 1: Nothing\n"})
    step = next(step for step in ACTION["runs"]["steps"] if "validate" in step["run"])
    outcome = in_shell(world, step["run"], SPECS="")
    assert outcome.code == 2
    assert "::error file=mini-projects/p/01-b.md" in outcome.stdout


@pytest.mark.parametrize(
    ("job", "is_good"),
    [("minitask-validate", True), ("minitask-validate", False), ("minitask-verify", True)],
)
def test_gitlabs_jobs_run(world: World, job: str, *, is_good: bool) -> None:
    proven(world)
    if not is_good:
        world.write({"mini-projects/p/02-c.md": "# Mini-Task 2: Nothing\n"})
    install = GITLAB[".minitask"]["before_script"][-1]
    refused = in_shell(world, install)
    assert (refused.code != 0, "set it to the git URL" in refused.stderr) == (True, True)
    outcome = in_shell(world, "\n".join(GITLAB[job]["script"]))
    assert (outcome.code == 0) == is_good, outcome.text
