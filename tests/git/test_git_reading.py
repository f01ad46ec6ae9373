"""Reading and writing a repository: trees, commits, merges, history, workspaces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import pytest

from minitask.errors import MachineError, UsageError
from minitask.git import history, refs
from minitask.git.commits import FileWrite, NewCommit
from minitask.git.objects import Objects, open_objects
from minitask.git.repository import Signature, committer, discover, signature
from minitask.git.run_git import Git
from minitask.git.trees import merge_tree, tree_changes
from minitask.spec.model import LineRange
from minitask.system.files import Cache
from minitask.workspace.checkout import SharedPaths, Workspace
from recording import write_commits
from world import World

WHO = Signature("A", "a@example.com", "1700000000 +0000")
ODD = 'a "b"\\c\nd é.txt'


@pytest.fixture
def git(world: World) -> Git:
    """The toolkit's git on the world's repository."""
    return discover(world.root, dict(os.environ)).git


def commit(world: World, *writes: FileWrite, ref: str = "refs/test/one", tip: str = "") -> str:
    """Write a commit on the tip without a checkout."""
    git = discover(world.root, dict(os.environ)).git
    new = NewCommit(ref, "message\n", WHO, WHO, (tip or world.tip(),), writes=writes)
    return write_commits(git, [new], force=True)[0]


@pytest.mark.variant
def test_a_commit_is_written_from_content_alone(world: World) -> None:
    made = commit(world, FileWrite(ODD, b"x\r\n\0"), FileWrite("a.txt", None))
    assert world.git("diff-tree", "-r", "-z", "--name-status", "main", made).split("\0")[:4] == [
        "A",
        ODD,
        "D",
        "a.txt",
    ]
    assert world.git("fsck", "--strict", "--no-dangling") == ""
    assert world.git("status", "--porcelain") == ""


def test_changes_name_odd_paths_modes_and_line_counts(world: World, git: Git) -> None:
    writes = (
        FileWrite(ODD, b"1\n2\n"),
        FileWrite(":raw", b"\0binary"),
        FileWrite("a.txt", b"one\ntwo\n", "100755"),
    )
    made = commit(world, *writes)
    found = {item.path: item for item in tree_changes(git, world.tip(), made)}
    assert (found[ODD].status, found[ODD].added, found[ODD].removed) == ("A", 2, 0)
    assert (found[":raw"].added, found[":raw"].removed) == (None, None)
    assert (found["a.txt"].old_mode, found["a.txt"].new_mode) == ("100644", "100755")
    assert (found["a.txt"].added, found["a.txt"].removed) == (1, 0)
    assert tree_changes(git, made, made) == ()


def test_objects_are_read_by_path_byte_for_byte(world: World, git: Git) -> None:
    content = "é\r\n".encode() + b"\xff\x00"
    made = commit(world, FileWrite(f"d/{ODD}", content))
    with open_objects(git) as objects:
        entry = objects.entry(made, f"d/{ODD}")
        assert entry is not None
        assert objects.blob(entry.oid) == content
        text = objects.file(made, f"d/{ODD}")
        assert text is not None
        assert text.encode("utf-8", "surrogateescape") == content
        assert objects.entry(made, "d/none") is None
        assert objects.entry(made, "a.txt/below") is None
        assert objects.commit("refs/heads/none") is None
        assert objects.file(made, "d") is None


def test_a_merge_gives_a_tree_or_the_paths_in_conflict(world: World, git: Git) -> None:
    ours = commit(world, FileWrite("b.txt", b"b\n"), ref="refs/test/a")
    theirs = commit(world, FileWrite("c.txt", b"c\n"), ref="refs/test/b")
    clash = commit(world, FileWrite("b.txt", b"other\n"), ref="refs/test/c")
    merged = merge_tree(git, ours=ours, theirs=theirs)
    assert merged.tree is not None
    assert world.git("ls-tree", "--name-only", merged.tree).split() == ["a.txt", "b.txt", "c.txt"]
    assert merge_tree(git, ours=ours, theirs=clash).conflicts == ("b.txt",)
    with pytest.raises(MachineError):
        merge_tree(git, ours=ours, theirs="0" * 40)


def test_refs_move_by_compare_and_swap(world: World, git: Git) -> None:
    one, two = world.tip(), commit(world, FileWrite("b.txt", b"b\n"))
    assert refs.move(git, [refs.Move("refs/test/x", one, "0" * 40)])
    assert not refs.move(git, [refs.Move("refs/test/x", two, two)])
    assert refs.snapshot(git, "refs/test/x") == {"refs/test/x": one}
    assert refs.move(git, [refs.Move("refs/test/x", two, one)])
    assert not refs.move(git, [refs.Move("refs/test/y", two), refs.Move("refs/test/x", one, one)])
    assert refs.snapshot(git, "refs/test/y") == {}


def test_a_ref_that_is_made_between_two_looks_is_no_damage(world: World, git: Git) -> None:
    ref, home = "refs/test/late", world.root / ".git"
    with open_objects(git) as objects:
        assert refs.commit_at(git, home, objects, ref) is None

        class Late:
            """The objects as they are before the ref is made, at the first look."""

            def commit(self, revision: str) -> str | None:
                if revision == ref and not refs.snapshot(git, ref):
                    world.git("update-ref", ref, "main")
                    return None
                return objects.commit(revision)

        assert refs.commit_at(git, home, cast("Objects", Late()), ref) == world.tip()
        world.git("update-ref", "-d", ref)
        (world.root / ".git" / ref).write_text(f"{'1' * 40}\n")
        with pytest.raises(MachineError, match="commit 111111111111 is missing"):
            refs.commit_at(git, home, objects, ref)


def test_history_says_which_commit_brought_a_file_in(world: World, git: Git) -> None:
    world.commit({"x [1].md": "1\n", "y.md": "y\n"})
    world.commit({"other": "\n"})
    second = world.commit({"x [1].md": "2\n"})
    assert history.introduced_by(git, "main", "x [1].md") == second
    assert history.introduced_by(git, "main", "none") is None


def test_hunks_are_those_of_the_two_blobs(world: World, git: Git) -> None:
    world.commit({"n": "".join(f"{n}\n" for n in range(1, 9))})
    old = world.git("rev-parse", "HEAD:n")
    world.commit({"n": "0\n1\n2\nthree\n4\n6\n7\n8\n"})
    new = world.git("rev-parse", "HEAD:n")
    assert history.hunks(git, old, new) == ((0, 0, 1, 1), (3, 1, 4, 1), (5, 1, 5, 0))


def test_a_workspace_holds_the_commit_and_nothing_else(world: World) -> None:
    world.commit({".gitignore": "*.log\n", "sub/b.txt": "b\n"})
    slot = Workspace(
        world.root / ".git" / "minitask" / "slots" / "0", discover(world.root, dict(os.environ))
    )
    tree = slot.checkout(world.tip())
    (tree / "a.txt").write_text("changed")
    (tree / "x.log").write_text("ignored")
    (tree / "new").mkdir()
    (tree / "new" / ".git").mkdir()
    (tree / "sub" / "b.txt").unlink()
    (tree / ".git").unlink()
    (tree / ".git").mkdir()
    slot.checkout(world.tip())
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*"))
    assert names == [".git", ".gitignore", "a.txt", "sub", "sub/b.txt"]
    assert (tree / "a.txt").read_text() == "one\n"
    assert world.git("-C", str(tree), "rev-parse", "HEAD") == world.tip()


@pytest.mark.parametrize("damage", ["git/HEAD", "git/index", "git/objects/info/alternates"])
def test_a_broken_workspace_is_built_anew(world: World, damage: str) -> None:
    slot = Workspace(
        world.root / ".git" / "minitask" / "slots" / "0", discover(world.root, dict(os.environ))
    )
    slot.checkout(world.tip())
    (slot.folder / damage).write_bytes(b"\0\0damage")
    (slot.git_dir / "index.lock").touch()
    assert (slot.checkout(world.tip()) / "a.txt").read_text() == "one\n"


def test_what_git_ignores_is_shared_or_copied(world: World) -> None:
    world.commit({".gitignore": "node_modules/\n.env.test\n"})
    world.write({"node_modules/x.js": "x", ".env.test": "A=1"})
    repository = discover(world.root, dict(os.environ))
    bring = SharedPaths(share=("node_modules", "none"), copy=(".env.test",))
    slot = Workspace(world.root / ".git" / "minitask" / "slots" / "0", repository, bring)
    for _ in range(2):
        tree = slot.checkout(world.tip())
        assert (tree / "node_modules" / "x.js").read_text() == "x"
        assert (tree / ".env.test").read_text() == "A=1"
        (tree / ".env.test").write_text("A=2")
    assert (world.root / ".env.test").read_text() == "A=1"
    assert (world.root / "node_modules" / "x.js").exists()


def test_an_identity_is_parsed_without_what_a_header_cannot_hold() -> None:
    assert str(signature("A <B> C <a@b> 1 +0000")) == "A B C <a@b> 1 +0000"


def test_a_missing_identity_is_a_usage_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    world.git("config", "user.useConfigOnly", "true")
    environ = {key: value for key, value in os.environ.items() if key != "HOME"} | {"HOME": "/none"}
    with pytest.raises(UsageError, match="who you are"):
        committer(discover(world.root, environ))


def test_a_cache_loads_nothing_but_spec_values(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    made = LineRange(1, 2)
    assert cache.values("k", lambda: made) == made
    assert cache.values("k", lambda: pytest.fail("it was kept")) == made
    (path,) = tmp_path.rglob("*.pickle")
    path.write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    assert cache.values("k", lambda: LineRange(3, 4)) == LineRange(3, 4)
    path.write_bytes(b"\x80damage")
    assert cache.values("k", lambda: LineRange(5, 6)) == LineRange(5, 6)
