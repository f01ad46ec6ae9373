"""A workspace that is brought by what differs: whatever was done to it, it then holds the commit and nothing else."""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minitask.git.commits import FileWrite, NewCommit, open_database
from minitask.git.repository import Signature, discover
from minitask.sandbox.policy import Strength
from minitask.system import inotify
from minitask.workspace import incremental
from minitask.workspace.checkout import SharedPaths, Workspace
from minitask.workspace.incremental import IncrementalCheckout
from minitask.workspace.index import parse_index
from recording import write_commits
from world import World, run

WHO = Signature("A", "a@example.com", "1700000000 +0000")
NAMES = ("a", "b", "a.b", "a-b", "é", "a b")
needs_inotify = pytest.mark.skipif(inotify.open_watch() is None, reason="the kernel has no inotify")


class Counting(IncrementalCheckout):
    """A mirror that counts how often git had to do it all."""

    checkouts = 0

    def _learn(self, commit: str) -> bool:
        self.checkouts += 1
        return super()._learn(commit)


@pytest.fixture(params=Strength, ids=lambda strength: strength.value)
def strength(request: pytest.FixtureRequest) -> Strength:
    """The sandbox that commands run in."""
    found: Strength = request.param
    return found


@pytest.fixture
def held(world: World, strength: Strength) -> Iterator[Counting]:
    """A workspace of the world's repository, at its first commit."""
    with open_database(discover(world.root, dict(os.environ))) as database:
        found = Counting(slot(world), database.objects, strength=lambda: strength)
        yield found
        found.close()


def slot(world: World, bring: SharedPaths = SharedPaths()) -> Workspace:
    repository = discover(world.root, dict(os.environ))
    return Workspace(repository.home / "slots" / "0", repository, bring)


def commit(world: World, *writes: FileWrite) -> str:
    """Write a commit on the tip without a checkout."""
    git = discover(world.root, dict(os.environ)).git
    new = NewCommit("refs/test/x", "x\n", WHO, WHO, (world.tip(),), writes=writes)
    return write_commits(git, [new], force=True)[0]


def check(world: World, held: IncrementalCheckout, commit: str) -> None:
    """The workspace is what git would check out, and its own git says so."""
    fresh = world.root.parent / f"fresh-{commit}"
    if not fresh.exists():
        world.git("-c", "core.autocrlf=false", "worktree", "add", "-q", "--detach", fresh, commit)
    assert snapshot(held.tree) == snapshot(fresh)
    status = ("status", "--porcelain=v2", "--branch", "--ignored")
    told = run(("git", "--no-optional-locks", *status), cwd=held.tree).stdout
    assert told.splitlines() == [f"# branch.oid {commit}", "# branch.head (detached)"]
    run(("git", "fsck", "--no-dangling", "--cache"), cwd=held.tree)


def snapshot(top: Path) -> dict[str, tuple[int, bytes]]:
    """Every path below a folder but `.git`, with its mode and what it holds."""
    found = {}
    for path in top.rglob("*"):
        name = path.relative_to(top).as_posix()
        if name == ".git" or name.startswith(".git/"):
            continue
        mode = path.lstat().st_mode
        link = path.is_symlink()
        held = os.fsencode(path.readlink()) if link else b"" if path.is_dir() else path.read_bytes()
        found[name] = (mode, held)
    return found


@needs_inotify
def test_only_what_differs_is_written(world: World, held: Counting) -> None:
    world.commit({"sub/b.txt": "b\n", "sub/deep/c.txt": "c\n"})
    held.checkout(world.tip())
    kept = (held.tree / "a.txt").stat()
    there = commit(
        world,
        FileWrite("sub/b.txt", b"B\n", "100755"),
        FileWrite("sub/deep/c.txt", None),
        FileWrite("new/d/e.txt", b""),
        FileWrite("link", b"sub/b.txt", "120000"),
    )
    for at in (there, world.tip(), there, there):
        held.checkout(at)
        check(world, held, at)
    assert held.checkouts == 1
    found = (held.tree / "a.txt").stat()
    assert (found.st_ino, found.st_ctime_ns) == (kept.st_ino, kept.st_ctime_ns)


@pytest.mark.variant
@pytest.mark.sampled(4)
@needs_inotify
@pytest.mark.parametrize(
    "writes",
    [
        (FileWrite("a.txt/below", b"x"), FileWrite("sub", b"a file")),
        (FileWrite("a.txt", b"sub", "120000"), FileWrite("sub/b.txt", b"b", "120000")),
        (FileWrite("sub/b.txt", None), FileWrite("sub/deep/c.txt", None)),
    ],
    ids=["files and folders change places", "links", "a folder goes"],
)
def test_whatever_makes_way_is_removed_first(
    world: World, held: Counting, writes: tuple[FileWrite, ...]
) -> None:
    world.commit({"sub/b.txt": "b\n", "sub/deep/c.txt": "c\n"})
    below = {"a.txt/below": "a.txt", "sub": "sub/b.txt"}
    gone = [FileWrite(below[each.path], None) for each in writes if each.path in below]
    there = commit(world, *gone, *writes)
    for at in (world.tip(), there, world.tip(), there):
        held.checkout(at)
        check(world, held, at)
    assert held.checkouts == 1


BY_MEMORY = "import mmap; file = open('a.txt', 'r+b'); mmap.mmap(file.fileno(), 0)[0:3] = b'two'"
WRITE = "echo two > a.txt"
"""As long as before."""
TOUCHES = {
    # Git's checkout looks through the link, and finds the files unchanged.
    "puts a folder aside": "mv sub aside; ln -s aside sub",
    "leaves attributes": "rm sub/deep/c.txt; echo '* text eol=crlf' > sub/deep/.gitattributes",
    "makes a repository": "git init -q sub/deep",
    "makes a pipe": "mkfifo sub/pipe",
    "closes a folder": "chmod 311 sub/deep",
    "closes a folder with something in it": "mkdir -p sub/new/deeper; touch sub/new/deeper/x; chmod 0 sub/new/deeper",
    "opens all folders": "chmod 777 . sub sub/deep",
    "configures a filter that makes other content of every file": (
        "git config filter.x.smudge 'sed s/^/x/'; echo '* filter=x' > ../git/info/attributes"
    ),
    "closes a file": "chmod 600 a.txt",
    "has git skip a file": f"git update-index --skip-worktree a.txt; {WRITE}",
    "has git see little": "git sparse-checkout set new",
    "writes in place": WRITE,
    "writes by way of memory": f'"{sys.executable}" -c "{BY_MEMORY}"',
    "writes below": "echo C > sub/deep/c.txt",
    "writes by a second name": "ln a.txt sub/second; echo two > sub/second; rm sub/second",
    "makes a file executable": "chmod 755 a.txt",
    "adds a file that git ignores": "touch sub/x.log",
    "adds an empty folder": "mkdir -p sub/empty/deeper",
    "removes a folder": "rm -r sub/deep",
    "moves a folder there and back": "mv sub elsewhere; echo B > elsewhere/b.txt; mv elsewhere sub",
    "writes in a folder that is new": "mkdir sub/new; touch sub/new/d.txt",
    "puts a link in place": "rm a.txt; ln -s sub/b.txt a.txt",
    "takes the pointer away": "rm .git",
    "stages something": "touch ../git/info/exclude; git rm -q --cached a.txt",
    "commits something": "git -c user.name=A -c user.email=a@example.com commit -q --allow-empty -m x",
}  # fmt: skip
"""What a command does to a workspace, as the command."""


def touch(held: IncrementalCheckout, command: str) -> None:
    """Run a command in the workspace."""
    run(("sh", "-e", "-c", command), cwd=held.tree)


@pytest.mark.variant
@pytest.mark.sampled(10)
@pytest.mark.parametrize("command", TOUCHES.values(), ids=TOUCHES)
def test_what_a_command_did_is_known_and_undone(world: World, held: Counting, command: str) -> None:
    world.commit({".gitignore": "*.log\n", "sub/b.txt": "b\n", "sub/deep/c.txt": "c\n"})
    there = commit(world, FileWrite("new/e.txt", b"e\n"))
    held.checkout(world.tip())
    held.checkout(there)
    touch(held, command)
    held.checkout(world.tip())
    check(world, held, world.tip())
    assert not held.is_changed()
    touch(held, command)
    assert held.is_changed()
    held.checkout(world.tip())
    check(world, held, world.tip())
    assert not held.is_changed()


@pytest.mark.sampled(10)
@needs_inotify
@pytest.mark.parametrize("command", TOUCHES.values(), ids=TOUCHES)
def test_of_many_files_names_and_folders_are_looked_at(
    world: World,
    held: Counting,
    strength: Strength,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incremental, "WATCHES_MAX", 2)
    world.commit({".gitignore": "*.log\n", "sub/b.txt": "b\n", "sub/deep/c.txt": "c\n"})
    held.checkout(world.tip())
    touch(held, command)
    held.checkout(world.tip())
    if command == TOUCHES["closes a file"] and strength is not Strength.PARTIAL:
        (held.tree / "a.txt").chmod(0o644)  # what git does not look at, and nothing less
    check(world, held, world.tip())


@pytest.mark.variant
@needs_inotify
def test_a_file_is_watched_by_whatever_name_it_is_reached(world: World) -> None:
    second = world.root.parent / "second"
    with open_database(discover(world.root, dict(os.environ))) as database:
        held = Counting(slot(world), database.objects)
        for _ in range(2):
            held.checkout(world.tip())
            os.link(held.tree / "a.txt", second)
            second.write_text("two\n")
            second.unlink()
            held.checkout(world.tip())
            check(world, held, world.tip())
            there = commit(world, FileWrite("new.txt", b"new\n"))
            held.checkout(there)
            os.link(held.tree / "new.txt", second)
            second.write_text("two\n")
            second.unlink()
            assert held.is_changed()
            held.checkout(there)
            check(world, held, there)
        held.close()


def test_what_was_left_by_an_earlier_process_is_found(world: World) -> None:
    """A link from outside that already exists, and the rights of a folder."""
    world.commit({"sub/b.txt": "b\n"})
    odd = (
        "puts a folder aside",
        "makes a repository",
        "makes a pipe",
        "closes a file",
        "has git see little",
    )
    for name in odd:
        for number in range(2):
            with open_database(discover(world.root, dict(os.environ))) as database:
                held = IncrementalCheckout(slot(world), database.objects)
                held.checkout(world.tip())
                if number:
                    check(world, held, world.tip())
                else:
                    (held.tree / "sub/deep").mkdir()
                    os.link(held.tree / "a.txt", world.root.parent / f"second-{name}")
                    touch(held, TOUCHES[name])
                held.close()


def test_a_command_that_git_would_run_in_a_submodule_is_not_run(
    world: World, held: Counting
) -> None:
    world.git("update-index", "--add", "--cacheinfo", f"160000,{world.tip()},module")
    world.git("commit", "-q", "-m", "a submodule")
    held.checkout(world.tip())
    module, proof = held.tree / "module", world.root.parent / "proof"
    subprocess.run(("git", "init", "-q", module), check=True)
    (module / ".gitattributes").write_text("* filter=evil\n")
    (module / "x").write_text("x\n")
    for argv in (("config", "filter.evil.clean", f"touch {proof}; cat"), ("add", "-N", "x")):
        subprocess.run(("git", "-C", module, *argv), check=True)
    proof.unlink(missing_ok=True)
    assert held.is_changed()
    held.checkout(world.tip())
    assert not proof.exists()
    assert list(module.iterdir()) == []


@needs_inotify
def test_reading_is_no_change(world: World, held: Counting) -> None:
    there = commit(world, FileWrite("new/e.txt", b"e\n"))
    held.checkout(world.tip())
    for at in (there, world.tip()):
        touch(held, "cat a.txt; ls -R; test -f a.txt; grep -r o .")
        assert not held.is_changed()
        held.checkout(at)
    assert held.checkouts == 1


@pytest.mark.variant
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "special",
    [
        FileWrite(".gitattributes", b"* text eol=crlf\n"),
        FileWrite("sub/.gitattributes", b"* ident\n"),
    ],
    ids=lambda write: write.path,
)
def test_where_attributes_convert_files_git_writes_them(
    world: World, held: Counting, special: FileWrite
) -> None:
    world.commit({"sub/b.txt": "$Id$\n", "c.txt": "c\n"})
    plain = commit(world, FileWrite("d.txt", b"d\n"))
    there = commit(world, special, FileWrite("sub/new.txt", b"$Id$\n"), FileWrite("n.txt", b"n\n"))
    further = commit(world, special, FileWrite("sub/new.txt", b"$Id$ $Id$\n"))
    for at in (plain, there, further, plain, there):
        held.checkout(at)
        check(world, held, at)


def test_a_submodule_is_gits_to_see_to(world: World, held: Counting) -> None:
    plain = world.tip()
    world.git("update-index", "--add", "--cacheinfo", f"160000,{plain},module")
    world.git("commit", "-q", "-m", "a submodule")
    there = world.tip()
    for at in (plain, there, commit(world, FileWrite("d.txt", b"d\n")), plain):
        held.checkout(at)
        assert (held.tree / "module").is_dir() is (at != plain)
        assert not held.is_changed()


@pytest.mark.variant
def test_what_is_copied_is_copied_anew(world: World) -> None:
    world.commit({".gitignore": ".env\n"})
    world.write({".env": "A=1"})
    with open_database(discover(world.root, dict(os.environ))) as database:
        held = IncrementalCheckout(slot(world, SharedPaths(copy=(".env",))), database.objects)
        held.checkout(world.tip())
        world.write({".env": "A=2"})
        held.checkout(world.tip())
    assert (held.tree / ".env").read_text() == "A=2"


def test_what_is_shared_stays(world: World) -> None:
    world.commit({".gitignore": "node_modules/\n"})
    world.write({"node_modules/x.js": "x"})
    there = commit(world, FileWrite("d.txt", b"d\n"))
    with open_database(discover(world.root, dict(os.environ))) as database:
        held = Counting(slot(world, SharedPaths(share=("node_modules",))), database.objects)
        for at in (world.tip(), there, world.tip()):
            held.checkout(at)
            assert (held.tree / "node_modules/x.js").read_text() == "x"
            assert not held.is_changed()
        shutil.rmtree(held.tree / "node_modules")
        held.checkout(world.tip())
        assert (held.tree / "node_modules/x.js").read_text() == "x"
        below = commit(world, FileWrite("node_modules/mine.js", b"mine\n"))
        for at in (below, world.tip(), below):
            held.checkout(at)
        assert (held.tree / "node_modules/mine.js").read_text() == "mine\n"
        assert sorted(path.name for path in (world.root / "node_modules").iterdir()) == ["x.js"]
        held.checkout(world.tip())
        assert (held.tree / "node_modules/x.js").read_text() == "x"


@pytest.mark.variant
@needs_inotify
def test_what_is_to_be_shared_and_is_not_there_is_no_obstacle(world: World) -> None:
    there = commit(world, FileWrite("d.txt", b"d\n"))
    with open_database(discover(world.root, dict(os.environ))) as database:
        held = Counting(slot(world, SharedPaths(share=("web/node_modules/",))), database.objects)
        for at in (world.tip(), there, world.tip()):
            held.checkout(at)
            check(world, held, at)
        held.close()
    assert held.checkouts == 1


@pytest.mark.variant
def test_without_the_kernels_word_git_does_it_all(
    world: World, held: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "open_watch", lambda: None)
    there = commit(world, FileWrite("d.txt", b"d\n"))
    for at in (world.tip(), there, world.tip()):
        held.checkout(at)
        touch(held, WRITE)
        held.checkout(at)
        check(world, held, at)
    assert held.checkouts == 6


@needs_inotify
def test_a_watch_that_sees_nothing_is_not_believed(
    world: World, held: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify.Watch, "is_touched", lambda _watch: False)
    held.checkout(world.tip())
    touch(held, WRITE)
    held.checkout(world.tip())
    check(world, held, world.tip())


@needs_inotify
def test_too_many_differences_are_gits_to_write(
    world: World, held: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "MOST", 3)
    there = commit(world, *(FileWrite(f"{number}.txt", b"x") for number in range(4)))
    held.checkout(world.tip())
    held.checkout(there)
    check(world, held, there)
    assert held.checkouts == 2


@pytest.mark.sampled(4)
@needs_inotify
@pytest.mark.parametrize("path", [".GIT/hooks/x", "a:b", "sub/git~1/x", "x\ty"])
def test_an_odd_path_is_left_to_git(world: World, held: Counting, path: str) -> None:
    there = commit(world, FileWrite("fine", b"x"))
    tree = held.checkout(there)
    odd = commit(world, FileWrite(path, b"x"))
    try:
        held.checkout(odd)
    except Exception:  # noqa: BLE001 - git refuses some of these, in its own words
        assert not (tree / ".git/hooks").exists()
    held.checkout(there)
    check(world, held, there)


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TREE = st.dictionaries(
    PATHS,
    st.tuples(st.sampled_from(("100644", "100755", "120000")), st.sampled_from(("x", "y", "xyz"))),
    max_size=6,
)


@pytest.mark.variant
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(trees=st.lists(TREE, min_size=2, max_size=4), touched=st.sets(st.integers(0, 3)))
def test_any_way_leads_to_the_commit(
    tmp_path_factory: pytest.TempPathFactory,
    trees: list[dict[str, tuple[str, str]]],
    touched: set[int],
) -> None:
    world = World(tmp_path_factory.mktemp("any") / "repository")
    world.init("--initial-branch=main")
    world.commit({"a.txt": "one\n"})
    with open_database(discover(world.root, dict(os.environ))) as database:
        held = IncrementalCheckout(slot(world), database.objects)
        for number, files in enumerate(trees):
            fitting = {
                path: item
                for path, item in files.items()
                if not any(other.startswith(f"{path}/") for other in files)
            }
            writes = (
                FileWrite(path, text.encode(), mode) for path, (mode, text) in fitting.items()
            )
            at = commit(world, *writes)
            held.checkout(at)
            check(world, held, at)
            if number in touched:
                touch(held, WRITE)
        held.close()


def test_an_index_is_read_and_written_as_git_does(world: World) -> None:
    world.commit({"a b/é.txt": "x\n", "x" * 200: "", "sub/deep/c.txt": "c\n"})
    path = world.root / ".git/index"
    content = path.read_bytes()
    index = parse_index(content, "sha1")
    again = index.render()
    assert again[:12] == content[:12]
    assert parse_index(again, "sha1") == index
    path.write_bytes(again)
    assert world.git("status", "--porcelain") == ""
    assert world.git("ls-files", "-z").split("\0")[:-1] == [os.fsdecode(n) for n in index.names]
    world.git("update-index", "--index-version=4")
    with pytest.raises(ValueError, match="version 4"):
        parse_index(path.read_bytes(), "sha1")


@needs_inotify
def test_the_late_end_of_a_file_that_the_toolkit_wrote_is_no_change(
    world: World, held: Counting
) -> None:
    """As when a process that was just started holds the file open until it becomes another program."""
    world.commit({"sub/b.txt": "b\n"})
    there = commit(world, FileWrite("sub/new.txt", b"new\n"))
    held.checkout(world.tip())
    held.checkout(there)
    os.close(os.open(held.tree / "sub/new.txt", os.O_WRONLY))
    assert not held.is_changed()
    os.close(os.open(held.tree / "a.txt", os.O_WRONLY))
    assert held.is_changed(), "it could have been written by way of memory"
    held.checkout(there)
    held.checkout(world.tip())
    held.checkout(there)
    with (held.tree / "sub/new.txt").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:3] = b"NEW"
    assert held.is_changed()
