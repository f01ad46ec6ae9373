"""The user's checkout is theirs."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from world import World, run

NO_LOCKS = {"GIT_OPTIONAL_LOCKS": "0"}


def snapshot(world: World, *, but_for: tuple[str, ...] = ()) -> dict[str, Any]:
    """All that is the user's: files with mode and bytes, index entries, stash, HEAD, config, refs."""

    def ask(*arguments: str) -> str:
        return world.git(*arguments, env=NO_LOCKS)

    files = {}
    for path in sorted(world.root.rglob("*")):
        name = path.relative_to(world.root).as_posix()
        if name.startswith(".git/") or path.is_dir() or name in but_for:
            continue
        stat = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes()
        files[name] = (stat.st_mode, stat.st_mtime_ns, content)
    entries = ask("ls-files", "--stage", "-v", "-z").split("\0")
    status = ask("status", "--porcelain=v2", "--ignored", "--untracked-files=all", "-z")
    refs = world.refs("refs/heads", "refs/tags", "refs/stash", "refs/remotes")
    return {
        "files": files,
        "index": [e for e in entries if e.partition("\t")[2] not in but_for],
        "status": status,
        "stash": ask("stash", "list"),
        "HEAD": (world.root / ".git/HEAD").read_text(),
        "config": (world.root / ".git/config").read_bytes(),
        "branches": {
            k: v for k, v in refs.items() if k != "refs/heads/main" and "minitask" not in k
        },
        "worktrees": ask("worktree", "list", "--porcelain").replace(world.tip(), "TIP"),
    }


def make_a_mess(world: World) -> None:
    """Every state a file can be in, a stash, a branch, and odd index entries."""
    world.commit(
        {
            ".gitignore": "*.log\nbuild/\n",
            "edited.txt": "1\n",
            "staged.txt": "1\n",
            "both.txt": "1\n",
            "deleted.txt": "1\n",
            "assumed.txt": "1\n",
            "skipped.txt": "1\n",
            "tool.sh": "#!/bin/sh\n",
            "stashed.txt": "1\n",
        }
    )
    world.write({"stashed.txt": "2\n"})
    world.git("stash", "push", "--quiet")
    world.git("branch", "mine")
    world.git("tag", "v1")
    world.git("update-index", "--assume-unchanged", "assumed.txt")
    world.git("update-index", "--skip-worktree", "skipped.txt")
    world.write({"staged.txt": "2\n", "both.txt": "2\n", "added.txt": "new\n", "empty.txt": "x\n"})
    world.git("add", "staged.txt", "both.txt", "added.txt")
    world.git("add", "--intent-to-add", "empty.txt")
    dirty = {"edited.txt": "2\n", "both.txt": "3\n", "assumed.txt": "2\n", "skipped.txt": "2\n"}
    world.write({**dirty, "untracked.txt": "u\n", "debug.log": "ignored\n", "build/out": b"\0\1"})
    (world.root / "deleted.txt").unlink()
    (world.root / "tool.sh").chmod(0o755)
    (world.root / "link").symlink_to("a.txt")


@pytest.mark.variant
def test_a_merge_into_the_checked_out_branch_changes_the_landed_files_alone(world: World) -> None:
    world.task("p/01-b", whole={"a.txt": "two\n", "b.txt": "b\n"}, validation="grep -qx b b.txt")
    make_a_mess(world)
    landed = ("a.txt", "b.txt")
    before = snapshot(world, but_for=landed)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert snapshot(world, but_for=landed) == before
    assert (world.root / "a.txt").read_text() == "two\n"
    assert (world.root / "b.txt").read_text() == "b\n"
    assert world.git("diff", "HEAD", "--", *landed) == ""
    assert world.git("diff", "--cached", "HEAD", "--", *landed) == ""


@pytest.mark.variant
def test_a_failed_task_changes_nothing_of_the_users_at_all(world: World) -> None:
    world.task("p/01-b", whole={"a.txt": "two\n"}, validation="false")
    make_a_mess(world)
    before = snapshot(world)
    assert world.exec("p/01-b").json["verdict"] == "failed"
    assert snapshot(world) == before


def assert_ready_then_lands(world: World, *, clean_up: tuple[str, ...]) -> None:
    """The task is proven and waits; after the user cleans up, the printed command lands it."""
    tip, before = world.tip(), snapshot(world)
    outcome = world.minitask("exec", "p/01-b")
    assert outcome.code == 0
    assert "ready" in outcome.stdout
    assert world.tip() == tip
    assert snapshot(world) == before
    command = outcome.proposed("minitask")
    run(("sh", "-c", *clean_up), cwd=world.root)
    assert command[0] == "minitask"
    landed = run((sys.executable, "-m", *command), cwd=world.root)
    assert world.show("a.txt") == "two\n"
    assert (world.root / "a.txt").read_text() == "two\n"
    assert "merged" in landed.text


@pytest.fixture
def overlapping(world: World) -> World:
    world.task("p/01-b", whole={"a.txt": "two\n"}, validation="grep -qx two a.txt")
    return world


@pytest.mark.variant
def test_a_landing_that_would_overwrite_an_edited_file_is_ready(overlapping: World) -> None:
    overlapping.write({"a.txt": "mine\n"})
    assert_ready_then_lands(overlapping, clean_up=("git checkout -q a.txt",))


@pytest.mark.variant
def test_a_landing_that_would_overwrite_a_staged_file_is_ready(overlapping: World) -> None:
    overlapping.write({"a.txt": "mine\n"})
    overlapping.git("add", "a.txt")
    assert_ready_then_lands(
        overlapping, clean_up=("git rm -q --cached a.txt; git checkout -q HEAD a.txt",)
    )


@pytest.mark.variant
@pytest.mark.parametrize("ignored", [False, True])
def test_an_untracked_or_ignored_file_in_the_way_is_not_overwritten(
    world: World, ignored: bool
) -> None:
    world.commit({".gitignore": "*.log\n"})
    name = "b.log" if ignored else "b.txt"
    world.task("p/01-b", whole={"a.txt": "two\n", name: "b\n"}, validation="grep -qx two a.txt")
    world.write({name: "precious\n"})
    assert_ready_then_lands(world, clean_up=(f"rm {name}",))
    assert world.show(name) == "b\n"


def test_ready_has_its_own_verdict_in_json_and_leaves_merge_null(overlapping: World) -> None:
    overlapping.write({"a.txt": "mine\n"})
    outcome = overlapping.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"], outcome.json["merge"]) == (0, "ready", None)
    assert (overlapping.root / "a.txt").read_text() == "mine\n"


@pytest.mark.variant
def test_a_merge_in_progress_is_left_alone(overlapping: World) -> None:
    overlapping.git("checkout", "-q", "-b", "side")
    overlapping.commit({"side.txt": "s\n"})
    overlapping.git("checkout", "-q", "main")
    overlapping.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
    before = snapshot(overlapping)
    outcome = overlapping.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "ready"), outcome.text
    assert snapshot(overlapping) == before
    assert (overlapping.root / ".git/MERGE_HEAD").exists()


def test_it_runs_from_a_folder_below_the_root(world: World) -> None:
    path = world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    folder = (world.root / path).parent
    assert world.exec("01-b.md", cwd=folder).json["verdict"] == "merged"
    assert (world.root / "b.txt").exists()


@pytest.mark.variant
@pytest.mark.sampled(2)
@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("blocked", [1, 3, 5])
def test_a_file_in_the_way_of_one_task_holds_no_other_back(
    world: World, blocked: int, jobs: str
) -> None:
    names = [f"p/0{number}-x" for number in range(1, 6)]
    for number, name in enumerate(names, 1):
        file = f"{number}.txt"
        world.task(name, whole={file: "x\n"}, validation=f"test -e {file} && sleep 0.2")
    world.write({f"{blocked}.txt": "mine\n"})
    outcome = world.minitask("run", "p", "--jobs", jobs, "--json")
    verdicts = {task["task"]: task["verdict"] for task in outcome.json["tasks"]}
    assert verdicts.pop(names[blocked - 1]) == "ready"
    assert set(verdicts.values()) == {"merged"}
    assert (world.root / f"{blocked}.txt").read_text() == "mine\n"
