"""Every kind of repository works, or is refused in one clear line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from world import MINITASK, Outcome, World, run, spec_text

B = {"b.txt": "b\n"}
VALIDATION = "grep -qx b b.txt"


@pytest.fixture
def ready(world: World) -> World:
    world.task("p/01-b", whole=B, validation=VALIDATION)
    return world


def assert_one_clear_line(outcome: Outcome) -> None:
    """An error and at most a hint; no traceback, and never exit code 70."""
    assert outcome.code in {1, 2, 3}, outcome.text
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    assert 1 <= len(lines) <= 3, outcome.text
    assert lines[0].startswith("error: ")
    assert "Traceback" not in outcome.text


def assert_lands(world: World, *arguments: str, **options: object) -> None:
    outcome = world.exec("p/01-b", *arguments, **options)  # type: ignore[arg-type]
    assert outcome.code == 0, outcome.text
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("b.txt") == "b\n"
    assert world.git("fsck", "--connectivity-only", "--no-dangling") == ""


def test_a_bare_repository_lands_into_a_named_branch(ready: World, tmp_path: Path) -> None:
    run(("git", "clone", "-q", "--bare", ready.root, tmp_path / "bare.git"), cwd=tmp_path)
    assert_lands(World(tmp_path / "bare.git"), "--into", "main")


def test_an_empty_repository_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path / "empty")
    world.init()
    world.write({"mini-projects/p/01-b.md": spec_text(whole=B, validation=VALIDATION)})
    outcome = world.minitask("exec", "p/01-b")
    assert_one_clear_line(outcome)
    assert world.refs() == {}


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    outcome = World(tmp_path).minitask("exec", "p/01-b")
    assert_one_clear_line(outcome)
    assert outcome.code == 2


def test_a_shallow_clone_works(ready: World, tmp_path: Path) -> None:
    for n in range(3):
        ready.commit({"a.txt": f"{n}\n"})
    run(("git", "clone", "-q", "--depth=1", f"file://{ready.root}", "shallow"), cwd=tmp_path)
    shallow = World(tmp_path / "shallow")
    assert shallow.git("rev-parse", "--is-shallow-repository") == "true"
    assert_lands(shallow)


@pytest.mark.variant
def test_a_partial_clone_works(ready: World, tmp_path: Path) -> None:
    ready.git("config", "uploadpack.allowFilter", "true")
    ready.commit({"gone.txt": "old\n"})
    ready.commit({"gone.txt": "new\n"})
    source = f"file://{ready.root}"
    run(("git", "clone", "-q", "--filter=blob:none", source, "partial"), cwd=tmp_path)
    outcome = World(tmp_path / "partial").exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text


def test_a_detached_head_names_the_way_out(ready: World) -> None:
    ready.git("checkout", "-q", "--detach")
    before = ready.refs()
    outcome = ready.minitask("exec", "p/01-b")
    assert_one_clear_line(outcome)
    assert "--into" in outcome.stderr
    assert ready.refs() == before


@pytest.mark.variant
def test_a_detached_head_lands_into_a_named_branch_and_stays(ready: World) -> None:
    ready.git("checkout", "-q", "--detach")
    head = ready.tip("HEAD")
    assert_lands(ready, "--into", "main")
    assert ready.tip("HEAD") == head
    assert not (ready.root / "b.txt").exists()
    assert ready.git("status", "--porcelain") == ""


@pytest.mark.variant
def test_a_branch_that_is_not_checked_out_is_landed_on(ready: World) -> None:
    ready.git("branch", "other")
    outcome = ready.exec("p/01-b", "--into", "other")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert ready.has("b.txt", at="other")
    assert not ready.has("b.txt", at="main")
    assert not (ready.root / "b.txt").exists()


def test_a_branch_that_does_not_exist_is_refused(ready: World) -> None:
    outcome = ready.minitask("exec", "p/01-b", "--into", "nowhere")
    assert_one_clear_line(outcome)
    assert "nowhere" in outcome.stderr
    assert "refs/heads/nowhere" not in ready.refs()


def test_submodules_stay_as_they_are(ready: World, tmp_path: Path) -> None:
    inner = World(tmp_path / "inner")
    inner.init()
    inner.commit({"i.txt": "i\n"})
    allow = ("-c", "protocol.file.allow=always")
    ready.git(*allow, "submodule", "--quiet", "add", str(inner.root), "sub")
    ready.git("commit", "-qm", "a submodule")
    before = ready.git("ls-tree", "main", "sub", ".gitmodules")
    assert_lands(ready)
    assert ready.git("ls-tree", "main", "sub", ".gitmodules") == before
    assert (ready.root / "sub/i.txt").read_text() == "i\n"
    assert ready.git("status", "--porcelain") == ""


def test_a_file_within_a_submodule_is_refused(world: World) -> None:
    fields = (world.tip(), "sub")
    world.git("update-index", "--add", "--cacheinfo", f"160000,{fields[0]},{fields[1]}")
    world.git("commit", "-qm", "a submodule")
    world.task("p/01-b", whole={"sub/x.txt": "x\n"}, validation="test -e sub/x.txt")
    before = world.refs()
    outcome = world.exec("p/01-b")
    assert outcome.code in {1, 2}
    assert world.refs() == before


@pytest.mark.variant
def test_a_sha256_repository_works(tmp_path: Path) -> None:
    world = World(tmp_path / "sha256")
    world.init("--object-format=sha256")
    world.commit({"a.txt": "one\n"})
    world.task("p/01-b", whole=B, validation=VALIDATION)
    assert_lands(world)
    assert len(world.tip()) == 64
    assert len(world.records("p/01-b")) == 1
    assert world.minitask("verify", "minitask/p/01-b").code == 0


@pytest.mark.variant
@pytest.mark.parametrize("name", ["with  spaces\nand a line", "-quo'te\"$(x) ünï"])
def test_an_odd_path_works(tmp_path: Path, name: str) -> None:
    world = World(tmp_path / name)
    world.init()
    world.commit({"a.txt": "one\n"})
    world.task("p/01-b", whole=B, validation=VALIDATION)
    assert_lands(world)
    assert (world.root / "b.txt").exists()


@pytest.mark.variant
def test_a_linked_worktree_lands_into_its_own_branch(ready: World, tmp_path: Path) -> None:
    ready.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = World(tmp_path / "linked")
    outcome = linked.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert linked.has("b.txt", at="side")
    assert (linked.root / "b.txt").read_text() == "b\n"
    assert not ready.has("b.txt", at="main")
    assert not (ready.root / "b.txt").exists()
    assert ready.git("status", "--porcelain") == linked.git("status", "--porcelain") == ""


def test_a_target_checked_out_in_another_worktree_advances_there(
    ready: World, tmp_path: Path
) -> None:
    ready.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = World(tmp_path / "linked")
    assert_lands(linked, "--into", "main")
    assert (ready.root / "b.txt").read_text() == "b\n"
    assert not (linked.root / "b.txt").exists()
    assert ready.git("status", "--porcelain") == linked.git("status", "--porcelain") == ""


def test_a_target_edited_in_another_worktree_is_ready(ready: World, tmp_path: Path) -> None:
    ready.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    ready.write({"b.txt": "mine\n"})
    outcome = World(tmp_path / "linked").exec("p/01-b", "--into", "main")
    assert (outcome.code, outcome.json["verdict"]) == (0, "ready")
    assert (ready.root / "b.txt").read_text() == "mine\n"


@pytest.mark.parametrize("where", ["the checkout", "another worktree", "a stack"])
def test_a_branch_whose_rebase_is_under_way_does_not_move(ready: World, where: str) -> None:
    """Git moves it when the rebase ends, and refuses to if it moved meanwhile."""
    tip = ready.tip()
    folder = ready.root
    if where == "another worktree":
        folder = ready.root.parent / "beside"
        ready.git("switch", "-qc", "other")
        ready.git("worktree", "add", "-q", str(folder), "main")
    options = ["--update-refs"] if where == "a stack" else []
    if where == "a stack":
        ready.git("switch", "-qc", "top")
        ready.git("commit", "-q", "--allow-empty", "-m", "top")
    rebasing = World(folder)
    base = f"{tip}^"
    rebasing.git("-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "-i", *options, base)
    outcome = ready.minitask("exec", "p/01-b", "--into", "main", "--json")
    assert outcome.json["verdict"] == "ready", outcome.text
    assert f"a rebase is under way in {folder}" in outcome.json["reason"]
    assert ready.tip() == tip
    rebasing.git("rebase", "--continue", env={"GIT_EDITOR": "true"})
    assert ready.minitask("merge", "p/01-b", "--into", "main").code == 0
    assert ready.show("b.txt") == "b\n"


def test_a_merge_or_rebase_of_the_users_is_told_as_what_it_is(ready: World) -> None:
    ready.git("switch", "-qc", "other")
    ready.commit({"c.txt": "theirs\n"})
    ready.git("switch", "-q", "main")
    ready.commit({"c.txt": "ours\n"})
    ready.git("merge", "-q", "other", check=False)
    outcome = ready.minitask("exec", "p/01-b", "--json")
    assert outcome.json["verdict"] == "ready", outcome.text
    assert "cannot be done now" in outcome.json["reason"]
    assert "overwrite" not in outcome.json["reason"]
    ready.git("merge", "--abort")
    ready.git("rebase", "-q", "other", check=False)
    outcome = ready.minitask("exec", "p/01-b")
    assert outcome.code == 2
    assert "a rebase is under way" in outcome.stderr
    assert "git rebase --continue" in outcome.stderr


def test_patches_of_the_users_that_are_under_way_are_told_as_such(ready: World) -> None:
    ready.commit({"c.txt": "one\n"})
    patch = ready.root.parent / "patch"
    patch.write_text(ready.git("format-patch", "-1", "--stdout") + "\n")
    ready.commit({"c.txt": "two\n"})
    ready.git("am", str(patch), check=False)
    outcome = ready.exec("p/01-b")
    assert outcome.json["verdict"] == "ready", outcome.text
    assert "`git am` is under way" in outcome.json["reason"]
    ready.git("am", "--abort")
    assert ready.minitask("merge", "p/01-b").code == 0


def test_a_branch_that_is_checked_out_twice_moves_once_it_is_not(ready: World) -> None:
    """Git allows it if forced to; the other checkout would take the merge back with its next commit."""
    other = World(ready.root.parent / "other")
    ready.git("worktree", "add", "-q", "--force", str(other.root), "main")
    outcome = ready.exec("p/01-b")
    assert outcome.json["verdict"] == "ready", outcome.text
    assert f"main is checked out in {ready.root} and in {other.root}" in outcome.json["reason"]
    assert ready.git("status", "--porcelain") == other.git("status", "--porcelain") == ""
    other.git("switch", "-q", "--detach")
    assert ready.minitask("merge", "p/01-b").code == 0


@pytest.mark.parametrize("name", [".git", ".bare"])
def test_a_worktree_of_a_bare_repository_lands(ready: World, tmp_path: Path, name: str) -> None:
    run(("git", "clone", "-q", "--bare", ready.root, tmp_path / "project" / name), cwd=tmp_path)
    bare = World(tmp_path / "project" / name)
    bare.git("worktree", "add", "-q", "../main", "main")
    tree = World(tmp_path / "project" / "main")
    assert_lands(tree)
    assert (tree.root / "b.txt").exists()


def test_a_branch_without_commits_in_a_repository_with_some_is_told_as_such(ready: World) -> None:
    ready.git("switch", "-q", "--orphan", "fresh")
    outcome = ready.minitask("exec", "p/01-b")
    assert_one_clear_line(outcome)
    assert "the branch fresh has no commits yet" in outcome.stderr
    assert "git switch BRANCH" in outcome.stderr


@pytest.mark.variant
def test_no_worktree_is_registered_in_the_users_repository(ready: World) -> None:
    config = (ready.root / ".git/config").read_bytes()
    assert_lands(ready)
    assert len(ready.git("worktree", "list", "--porcelain").strip().split("\n\n")) == 1
    assert not (ready.root / ".git/worktrees").exists()
    assert (ready.root / ".git/config").read_bytes() == config


@pytest.mark.variant
def test_a_sparse_checkout_stays_sparse(ready: World) -> None:
    ready.commit({"far/away.txt": "x\n", "near/by.txt": "y\n"})
    ready.git("sparse-checkout", "set", "--cone", "near", "mini-projects")
    assert not (ready.root / "far").exists()
    assert_lands(ready)
    assert not (ready.root / "far").exists()
    assert ready.git("status", "--porcelain") == ""
    assert ready.has("far/away.txt")


@pytest.mark.variant
def test_a_home_inside_the_checkout_weakens_no_sandbox(ready: World) -> None:
    """Workspaces may not lie in the checkout, so they are below `/var/tmp` then."""
    home, known = ready.root / "home", ready.root / ".git/minitask/cache/sandbox.json"
    shutil.copytree(os.environ["HOME"], home)
    strength = json.loads(known.read_text())["strength"]
    known.unlink()
    outcome = ready.exec("p/01-b", env={"HOME": str(home), "XDG_CONFIG_HOME": f"{home}/.config"})
    assert outcome.json["attempts"][0]["sandbox"] == strength, known.read_text()


@pytest.mark.parametrize("how", ["missing", "damaged"])
@pytest.mark.parametrize("what", ["main", "main^{tree}", "main:a.txt"])
def test_a_damaged_object_is_named_with_how_to_find_more(ready: World, what: str, how: str) -> None:
    oid = ready.git("rev-parse", what)
    path = ready.root / ".git/objects" / oid[:2] / oid[2:]
    path.unlink()
    if how == "damaged":
        path.write_bytes(b"no object")
    outcome = ready.minitask("exec", "p/01-b")
    assert outcome.code == 3, outcome.text
    assert "`git fsck` lists what is damaged" in outcome.text
    assert "no commits" not in outcome.text


@pytest.mark.parametrize(("flag", "code"), [("-Sn", 0), ("-n", 3)])
def test_a_low_limit_on_open_files_is_raised_or_named(ready: World, flag: str, code: int) -> None:
    script = f'ulimit {flag} 64 && exec "$@"'
    argv = ("bash", "-c", script, "bash", *MINITASK, "exec", "p/01-b")
    outcome = run(argv, cwd=ready.root, check=False)
    assert outcome.code == code, outcome.text
    assert ("at most 64 files may be open here (`ulimit -n`)" in outcome.stderr) == (code == 3)
