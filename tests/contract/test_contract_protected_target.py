"""With `landing.push`, what a remote or a hook does not take stays proven, and ends at a pushed branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from world import World, run, write_program

BY_THE_REMOTE = """#!/bin/sh
while read -r _ _ ref; do
  [ "$ref" != refs/heads/main ] || { echo "error: main takes pull requests only" >&2; exit 1; }
done
"""
BY_A_HOOK = """#!/bin/sh
while read -r _ _ ref _; do
  [ "$ref" != refs/heads/main ] || { echo "no push to main from here" >&2; exit 1; }
done
"""


@pytest.fixture
def remote(world: World, tmp_path: Path) -> World:
    """A bare repository that `world` knows as origin; what lands is pushed there."""
    world.configure(landing={"push": "origin"})
    return world.add_remote()


def task(world: World, name: str) -> None:
    world.task(f"p/{name}", whole={f"{name}.txt": "x\n"}, validation=f"test -f {name}.txt")


def branches(remote: World) -> set[str]:
    return {name.removeprefix("refs/heads/") for name in remote.refs("refs/heads")}


@pytest.mark.variant
def test_what_lands_is_on_the_remote_too(world: World, remote: World) -> None:
    for name in ("01-b", "02-c"):
        task(world, name)
    assert world.minitask("run", "p", "--json", "--jobs", "2").code == 0
    assert remote.tip() == world.tip()
    assert world.minitask("undo", "p/02-c").code == 0
    assert remote.tip() == world.tip()
    assert branches(remote) == {"main"}


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("where", "name", "text", "words"),
    [
        ("remote", "pre-receive", BY_THE_REMOTE, "main takes pull requests only (pre-receive hook"),
        ("remote", "update", '#!/bin/sh\n[ "$1" != refs/heads/main ]\n', "hook declined"),
        ("here", "pre-push", BY_A_HOOK, "the pre-push hook: no push to main from here"),
        ("husky", "pre-push", BY_A_HOOK, "the pre-push hook: no push to main from here"),
    ],
)
def test_a_protected_target_ends_at_a_pushed_branch(
    world: World, remote: World, where: str, name: str, text: str, words: str
) -> None:
    task(world, "01-b")
    task(world, "02-c")
    if where == "husky":
        world.git("config", "core.hooksPath", ".husky")
    folders = {"remote": remote.root, "here": world.root / ".git"}
    folder = world.root / ".husky" if where == "husky" else folders[where] / "hooks"
    write_program(folder / name, text)
    before = world.tip()
    outcome = world.exec("p/01-b")
    result = outcome.json
    assert (outcome.code, result["verdict"]) == (0, "ready"), outcome.text
    assert f"origin does not take main: {words}" in result["reason"]
    assert "minitask/p/01-b is pushed there" in result["reason"]
    assert result["next_step"] == "git request-pull main origin minitask/p/01-b"
    assert "p/01-b" in world.git(*result["next_step"].split()[1:], check=False)
    assert (world.tip(), world.tip("minitask/p/01-b")) == (before, remote.tip("minitask/p/01-b"))
    rows = world.minitask("run", "p", "--json").json["tasks"]
    assert [row["verdict"] for row in rows] == ["ready", "ready"]
    assert branches(remote) == {"minitask/p/01-b", "minitask/p/02-c"}
    (remote.root / "hooks/pre-receive").unlink(missing_ok=True)
    remote.git("update-ref", "refs/heads/main", "minitask/p/01-b")  # a person merges it there
    world.git("pull", "-q", "origin", "main")
    assert world.exec("p/01-b").json["verdict"] == "merged"


def test_several_that_land_together_are_each_pushed(world: World, remote: World) -> None:
    write_program(remote.root / "hooks" / "pre-receive", BY_THE_REMOTE)
    names = ("01-b", "02-c", "03-d", "04-e")
    for name in names:
        validation = f"test -f {name}.txt && sleep 0.2"
        world.task(f"p/{name}", whole={f"{name}.txt": "x\n"}, validation=validation)
    outcome = world.minitask("run", "p", "--json", "--jobs", "4")
    assert {*outcome.verdicts.values()} == {"ready"}, outcome.text
    assert branches(remote) == {f"minitask/p/{name}" for name in names}


def test_a_remote_that_is_ahead_is_pulled_first(
    world: World, remote: World, tmp_path: Path
) -> None:
    world.git("push", "-q", "origin", "main")
    other = World(tmp_path / "other")
    run(("git", "clone", "-q", remote.root, other.root), cwd=tmp_path)
    other.commit({"o.txt": "o\n"})
    other.git("push", "-q", "origin", "main")
    task(world, "01-b")
    result = world.exec("p/01-b").json
    assert result["verdict"] == "ready"
    assert result["next_step"] == "git pull origin main && minitask merge p/01-b"
    world.git("pull", "-q", "--no-rebase", "--no-edit", "origin", "main")
    assert world.minitask("merge", "p/01-b").code == 0
    assert remote.tip() == world.tip()


@pytest.mark.parametrize("name", ["nowhere", "gone"])
def test_a_remote_that_cannot_be_reached_loses_no_proof(world: World, name: str) -> None:
    world.configure(landing={"push": name})
    world.git("remote", "add", "gone", str(world.root / "gone.git"))
    task(world, "01-b")
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "ready"), outcome.text
    assert "next_step" not in outcome.json
    world.configure()
    assert world.minitask("merge", "p/01-b").code == 0


@pytest.mark.variant
def test_a_hook_on_refs_here_stops_no_landing(world: World, remote: World) -> None:
    """git ends with an error where it refuses to note what the remote took; the remote took it all the same."""
    task(world, "01-b")
    log = world.root / ".git/called"
    refuse = f'#!/bin/sh\necho "$1" >> {log}\n[ "$1" != prepared ]\n'
    write_program(world.root / ".git/hooks" / "reference-transaction", refuse)
    result = world.exec("p/01-b").json
    assert (result["verdict"], remote.tip()) == ("merged", world.tip()), result["reason"]
    assert "prepared" in log.read_text(), "git asked it of refs/remotes/origin/main alone"


def test_a_repositorys_file_pushes_only_once_it_is_trusted(world: World, remote: World) -> None:
    world.configure()
    world.write({"minitask.yaml": "landing: {push: origin}\n"})
    task(world, "01-b")
    outcome = world.exec("p/01-b")
    assert "landing.push ignored" in outcome.stderr
    assert branches(remote) == set()
    assert world.minitask("trust").code == 0
    task(world, "02-c")
    assert world.exec("p/02-c").json["verdict"] == "merged"
    assert remote.tip() == world.tip()


def test_sync_names_the_rule_that_refuses_it(world: World, remote: World) -> None:
    world.configure()
    task(world, "01-b")
    world.exec("p/01-b")
    write_program(
        remote.root / "hooks" / "pre-receive", "#!/bin/sh\necho 'only release/*' >&2\nexit 1\n"
    )
    outcome = world.minitask("sync")
    assert outcome.code == 3
    assert "origin refuses refs/" in outcome.stderr
    assert "only release/* (pre-receive hook declined)" in outcome.stderr
    assert outcome.stderr.count("push ") <= 1, "it is not asked again"
