"""What hostile, odd or unlucky surroundings must not bring about."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

import pytest
import yaml

from world import World, spec_path, spec_text

B = {"b.txt": "b\n"}
CHECK = "grep -qx b b.txt"
REPLY = "```text path=b.txt\nb\n```\n"


@pytest.mark.variant
def test_a_branch_made_from_an_older_base_takes_nothing_back(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b", "--no-merge")
    world.commit({"precious.txt": "kept\n"})
    world.exec("p/01-b", "--no-merge", "--again")
    world.git("branch", "-f", "minitask/p/01-b", "refs/minitask/attempts/p/01-b/1")
    assert world.minitask("merge", "p/01-b").code == 0
    assert world.show("precious.txt") == "kept\n"
    assert world.show("b.txt") == "b\n"


def test_a_checkout_with_its_git_folder_elsewhere_is_still_a_checkout(
    world: World, tmp_path: Path
) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.git("worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    world.git("init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"))
    world.git("worktree", "repair")
    assert world.exec("p/01-b").json["verdict"] == "merged"
    assert world.git("status", "--porcelain") == ""
    assert (world.root / "b.txt").read_text() == "b\n"


def test_commits_that_a_person_added_to_a_tasks_branch_are_not_left_behind(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b", "--no-merge")
    world.git("checkout", "-q", "minitask/p/01-b")
    fixed = world.commit({"b.txt": "b\nfixed\n"})
    world.git("checkout", "-q", "main")
    outcome = world.exec("p/01-b", "--again")
    assert outcome.json["verdict"] == "refused"
    assert "minitask merge p/01-b" in outcome.json["reason"]
    assert world.tip("minitask/p/01-b") == fixed
    assert world.minitask("merge", "p/01-b").code == 0
    assert world.show("b.txt") == "b\nfixed\n"


def test_checks_that_came_into_force_since_the_attempt_count_when_it_lands(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b", "--no-merge")
    world.commit({"minitask.yaml": "checks: ['test ! -e b.txt']\n"})
    tip = world.tip()
    assert world.minitask("merge", "p/01-b").code == 1
    assert world.exec("p/01-b").json["verdict"] == "failed"
    assert world.tip() == tip


def test_taking_back_what_a_check_needs_is_refused(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b")
    world.commit({"minitask.yaml": "checks: ['test -e b.txt']\n"})
    tip = world.tip()
    assert world.minitask("undo", "p/01-b").code == 1
    assert world.tip() == tip


@pytest.mark.parametrize("link", ["AGENTS.md", ".cursor", ".claude/skills/minitask/SKILL.md"])
def test_teaching_an_agent_does_not_write_through_a_link(
    world: World, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine\n")
    path = world.root / link
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(outside / "file" if link.endswith(".md") else outside)
    agents = ("--agent", "codex", "--agent", "cursor", "--agent", "claude")
    assert world.minitask("init", *agents).code == 2
    assert world.minitask("init", "--remove").code == 2
    assert [each.name for each in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "mine\n"
    assert not (world.root / "minitask.yaml").exists()


def test_a_template_that_is_a_link_is_none(world: World, home: Path) -> None:
    (home / "secret").write_text("SECRET")
    folder = world.root / "mini-projects" / "templates"
    folder.mkdir(parents=True)
    (folder / "leak.md.j2").symlink_to(home / "secret")
    assert world.minitask("new", "q", "x", "--template", "leak").code == 2


@pytest.mark.parametrize("key", ["share", "copy"])
@pytest.mark.parametrize("path", ["../secret", "/etc", "link", ".git/config"])
def test_a_repository_cannot_bring_files_from_outside_into_its_workspace(
    world: World, key: str, path: str
) -> None:
    (world.root.parent / "secret").write_text("SECRET")
    (world.root / "link").symlink_to(world.root.parent)
    world.commit({"minitask.yaml": yaml.safe_dump({"workspace": {key: [path]}})})
    world.task("p/01-b", whole=B, validation="cat ../secret link/secret; " + CHECK)
    outcome = world.minitask("exec", "p/01-b", "--json")
    assert outcome.code == 2
    assert "SECRET" not in outcome.text


def test_an_untrusted_repository_cannot_lift_the_users_limit(world: World) -> None:
    with world.serve([REPLY], budget={"max_cost_usd": 0.0001}) as server:
        ours = {"prices": {"tiny": {"input": 0, "output": 0}}, "budget": {"max_cost_usd": 1000}}
        world.commit({"minitask.yaml": yaml.safe_dump(ours)})
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        assert world.minitask("exec", "p/01-b").code == 4
        assert server.requests == []


def test_an_untrusted_repository_may_lower_it(world: World) -> None:
    with world.serve([REPLY], budget={"max_cost_usd": 10}) as server:
        world.commit({"minitask.yaml": "budget: {max_cost_usd: 0.0001}\n"})
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        assert world.minitask("exec", "p/01-b").code == 4
        assert server.requests == []


def test_a_commit_cannot_bring_its_own_proof(world: World) -> None:
    text = spec_text(whole={"evil.txt": "x\n"}, validation="true")
    blob = world.git("hash-object", "-w", "--stdin-paths", check=False)
    (world.root.parent / "spec").write_text(text)
    blob = world.git("hash-object", "-w", str(world.root.parent / "spec"))
    trailers = f"Minitask: p/01-b\nMinitask-Spec: {spec_path('p/01-b')}@{blob}"
    world.commit({"evil.txt": "x\n"}, message=f"evil\n\n{trailers}")
    assert world.minitask("verify", "HEAD").code == 1


def test_a_commit_out_of_its_specs_scope_does_not_verify(world: World) -> None:
    path = world.task("p/01-b", whole=B, validation=CHECK)
    blob = world.git("rev-parse", f"HEAD:{path}")
    trailers = f"Minitask: p/01-b\nMinitask-Spec: {path}@{blob}"
    world.commit({"b.txt": "b\n", "evil.txt": "x\n"}, message=f"evil\n\n{trailers}")
    assert world.minitask("verify", "HEAD").code == 1


def test_status_and_show_speak_of_a_conflict(world: World) -> None:
    world.task("p/01-a", whole={"a.txt": "two\n"}, validation="grep -qx two a.txt")
    world.exec("p/01-a", "--no-merge")
    world.commit({"a.txt": "three\n"})
    assert world.minitask("merge", "p/01-a").code == 1
    assert world.minitask("status").code == 0
    assert "conflict" in world.minitask("show", "p/01-a").stdout


@pytest.mark.variant
def test_a_models_odd_name_is_recorded_with_what_it_cost(world: World) -> None:
    with world.serve([REPLY]):
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        outcome = world.exec("p/01-b", "--model", "a<b>\n\tc")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.records("p/01-b")[0]["attempt"]["usage"]["requests"] == 1


@pytest.mark.parametrize("branch", ["minitask", "minitask/p", "minitask/p/01-b/below"])
def test_a_branch_in_the_way_is_said_before_anything_is_spent(world: World, branch: str) -> None:
    world.git("branch", branch)
    with world.serve([REPLY]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        outcome = world.exec("p/01-b")
        assert server.requests == []
    assert outcome.json["verdict"] == "refused"
    assert branch in outcome.json["reason"]


def test_an_unknown_committer_is_said_before_anything_is_spent(world: World) -> None:
    with world.serve([REPLY]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        world.git("config", "user.useConfigOnly", "true")
        outcome = world.minitask("exec", "p/01-b", env={"GIT_CONFIG_GLOBAL": "/dev/null"})
        assert server.requests == []
    assert outcome.code == 2
    assert "user.name" in outcome.text


def test_bytes_that_are_no_text_leave_a_readable_record(world: World) -> None:
    path = spec_path("p/01-b")
    text = spec_text(whole=B, validation=f"echo caf\xe9\n{CHECK}").encode("latin-1")
    world.commit({path: text})
    assert world.exec("p/01-b").json["verdict"] == "merged"
    assert len(world.records("p/01-b")) == 1


@pytest.mark.variant
def test_what_is_proven_and_not_to_be_merged_is_not_paid_for_twice(world: World) -> None:
    with world.serve([REPLY]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=CHECK)
        for _ in range(2):
            assert world.exec("p/01-b", "--no-merge").json["verdict"] == "ready"
        assert len(server.requests) == 1
    assert world.exec("p/01-b").json["verdict"] == "merged"


def test_two_specs_of_one_name_are_bad_usage(world: World) -> None:
    world.task("p/a-b", whole=B, validation=CHECK)
    world.task("p/a/b", whole={"c.txt": "c\n"}, validation="test -f c.txt")
    assert world.minitask("run", "p").code == 2


def test_a_run_goes_on_past_a_spec_that_was_edited(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    path = world.task("p/02-c", whole={"c.txt": "c\n"}, validation="test -f c.txt")
    world.write({path: "edited"})
    outcome = world.minitask("run", "p", "--json")
    assert outcome.code == 1
    assert outcome.verdicts == {"p/01-b": "merged", "p/02-c": "refused"}


@pytest.mark.parametrize("name", ["inf", "1e99999999", "7"])
def test_a_target_may_look_like_a_number(world: World, name: str) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    outcome = world.minitask("exec", "p/01-b", env={"MINITASK_TARGET": name})
    assert outcome.code == 2
    assert f"no branch {name}" in outcome.text


@pytest.mark.variant
def test_landings_are_found_whatever_grep_the_user_likes(world: World) -> None:
    world.git("config", "grep.patternType", "extended")
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b")
    assert "skipped" in world.exec("p/01-b").json["reason"]
    assert world.minitask("undo", "p/01-b").code == 0


def test_looking_does_not_wait_for_a_task_that_runs(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    world.exec("p/01-b")
    with (world.root / ".git" / "minitask" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert world.minitask("status").code == 0
        assert json.loads(world.minitask("show", "p/01-b", "--json").stdout)["state"] == "merged"


def test_a_missing_sandbox_is_said(world: World) -> None:
    world.task("p/01-b", whole=B, validation=CHECK)
    outcome = world.minitask("exec", "p/01-b", env={**os.environ, "MINITASK_SANDBOX": "none"})
    assert "the sandbox was none" in outcome.stdout
