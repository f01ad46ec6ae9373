"""What a repository may say of executors and of the sandbox counts only once its user trusts it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from executors.model_server import scripted_server
from world import World, bubblewrap_works, model_settings

VALIDATION = "grep -qx b b.txt"
REPLY = "```text path=b.txt\nb\n```\n"

needs_bubblewrap = pytest.mark.skipif(
    not bubblewrap_works(), reason="no bubblewrap that works on this machine"
)


def test_an_executor_from_the_repository_counts_once_trusted_and_until_it_changes(
    world: World,
) -> None:
    with scripted_server(lambda request: REPLY) as server:
        text = yaml.safe_dump(model_settings(server.base_url))
        world.commit({"minitask.yaml": text})
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)

        ignored = world.minitask("exec", "p/01-b", "--no-merge")
        assert ignored.code == 2
        assert server.requests == []
        first, *_, last = ignored.stderr.splitlines()
        assert first.endswith("executors, prices ignored until you run `minitask trust` here")
        assert last == "  fix: minitask trust"

        assert world.minitask("trust").code == 0
        trusted = world.minitask("exec", "p/01-b", "--no-merge")
        assert trusted.code == 0, trusted.text
        assert "minitask trust" not in trusted.stderr
        assert len(server.requests) == 1

        world.commit({"minitask.yaml": text + "# changed\n"})
        again = world.minitask("exec", "p/01-b", "--no-merge", "--again")
        assert again.code == 2
        assert "minitask trust" in again.stderr
        assert len(server.requests) == 1


def test_the_users_own_config_works_without_trust(world: World) -> None:
    with world.serve([REPLY]) as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        outcome = world.exec("p/01-b")
        assert len(server.requests) == 1
    assert outcome.json["verdict"] == "merged"
    assert "trust" not in outcome.stderr


def test_an_untrusted_file_does_not_redirect_the_users_own_executor(world: World) -> None:
    with scripted_server([REPLY]) as mine, scripted_server([REPLY]) as theirs:
        world.configure(**model_settings(mine.base_url))
        theirs_text = yaml.safe_dump(
            {"executors": {"scripted": {"type": "openai", "base_url": theirs.base_url}}}
        )
        world.commit({"minitask.yaml": theirs_text})
        world.landed("p/01-b", writes=["b.txt"], validation=VALIDATION)
        assert (len(mine.requests), len(theirs.requests)) == (1, 0)


def test_trust_of_one_repository_is_none_of_another(world: World, tmp_path: Path) -> None:
    text = "executors: {x: {type: openai, base_url: 'http://127.0.0.1:9/v1'}}\nchecks: []\n"
    world.commit({"minitask.yaml": text})
    assert world.minitask("trust").code == 0
    other = World(tmp_path / "other")
    other.init()
    other.commit({"minitask.yaml": text})
    assert "minitask trust" not in world.minitask("status").stderr
    assert "minitask trust" in other.minitask("config", "show").stderr


def test_a_repository_may_say_of_checks_and_target_what_it_likes(world: World) -> None:
    world.commit({"minitask.yaml": "target: release\nchecks: ['true']\n"})
    world.git("branch", "release")
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    world.git("branch", "-f", "release")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.has("b.txt", at="release")
    assert not world.has("b.txt", at="main")
    assert "trust" not in outcome.stderr


@needs_bubblewrap
def test_an_untrusted_file_does_not_take_the_sandbox_away(world: World, tmp_path: Path) -> None:
    escaped = tmp_path / "escaped"
    world.commit({"minitask.yaml": "sandbox: none\n"})
    validation = f"if [ -e b.txt ]; then echo x > {escaped} || true; fi\n{VALIDATION}"
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=validation)
    outcome = world.exec("p/01-b", "--no-merge")
    assert "minitask trust" in outcome.stderr
    assert not escaped.exists()
    world.minitask("trust")
    assert world.exec("p/01-b", "--no-merge", "--again").json["verdict"] == "ready"
    assert escaped.exists()


@needs_bubblewrap
def test_a_validation_reaches_neither_files_outside_nor_the_network(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "private").write_text("private\n")
    with scripted_server([]) as server:
        host, port = server.base_url.split("/")[2].split(":")
        probe = f"python3 -c \"import socket; socket.create_connection(('{host}', {port}), 2)\""
        write = f"if [ -e b.txt ]; then echo x > {world.root}/made.txt || true; fi"
        validation = f"{VALIDATION}\n{write}\n! cat {tmp_path}/private\n! {probe}"
        world.task("p/01-b", whole={"b.txt": "b\n"}, validation=validation)
        closed = world.exec("p/01-b", "--no-merge")
        assert closed.json["verdict"] == "ready", closed.text
        assert not (world.root / "made.txt").exists()
        world.configure(sandbox="none")
        open_one = world.exec("p/01-b", "--no-merge", "--again")
    assert open_one.json["verdict"] == "failed"
    assert (world.root / "made.txt").exists()
    assert open_one.json["attempts"][0]["sandbox"] == "none"


@pytest.fixture
def no_bubblewrap(tmp_path: Path) -> dict[str, str | None]:
    """A PATH with what a task needs, and without bubblewrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "bash", "sh", "grep", "env", "cat", "python3", "uname"):
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return {"PATH": str(folder)}


def test_a_required_sandbox_that_is_missing_fails_closed_before_any_work(
    world: World, no_bubblewrap: dict[str, str | None]
) -> None:
    with world.serve([REPLY], sandbox="required") as server:
        world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
        before = world.refs()
        outcome = world.minitask("exec", "p/01-b", env=no_bubblewrap)
        assert server.requests == []
    assert outcome.code == 3
    assert "sandbox" in outcome.text
    assert world.refs() == before


@needs_bubblewrap
def test_a_required_sandbox_that_is_there_is_used_and_on_record(world: World) -> None:
    world.configure(sandbox="required")
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert outcome.json["attempts"][0]["sandbox"] not in {"", "none"}


def test_without_bubblewrap_auto_goes_on_and_the_record_says_with_what(
    world: World, no_bubblewrap: dict[str, str | None]
) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=VALIDATION)
    outcome = world.exec("p/01-b", env=no_bubblewrap)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert outcome.json["attempts"][0]["sandbox"] != "strong"


@pytest.mark.parametrize("name", ["minitask.yml", ".minitask.yaml", ".minitask.yml"])
def test_settings_by_another_name_are_an_error_and_not_passed_over(world: World, name: str) -> None:
    (world.root / name).write_text("review: required\n", "utf-8")
    outcome = world.minitask("config", "show")
    assert outcome.code == 2
    assert f"{name} is ignored: settings belong in minitask.yaml" in outcome.text
    (world.root / "minitask.yaml").write_text("review: none\n", "utf-8")
    assert world.minitask("config", "show").code == 0
