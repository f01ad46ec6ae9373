"""Objects and trees that the toolkit writes itself, against what git makes of the same."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import MachineError
from minitask.git import loose, run_git
from minitask.git.commits import Database, open_database
from minitask.git.loose import LooseStore, object_id
from minitask.git.objects import Entry, Objects
from minitask.git.refs import Move
from minitask.git.repository import Repository, discover
from minitask.git.trees import changed_tree, differences, merge_apart, merge_tree, tree_changes
from world import World

Files = dict[str, Entry]
MODES = ("100644", "100755", "120000")
NAMES = ("a", "b", "a.b", "a-b", "é")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One repository for all examples: objects never clash."""
    world = World(tmp_path_factory.mktemp("trees") / "repository")
    world.init("--initial-branch=main")
    return discover(world.root, dict(os.environ))


@pytest.fixture(scope="module")
def database(repository: Repository) -> Iterator[Database]:
    """The repository's database, open."""
    with open_database(repository) as found:
        yield found


def without_clashes(paths: Mapping[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """The files that can stand beside each other: none where another path has a folder."""
    return {
        path: held
        for path, held in paths.items()
        if not any(other.startswith(f"{path}/") for other in paths)
    }


PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(
    PATHS, st.tuples(st.sampled_from(MODES), st.integers(0, 2)), max_size=7
).map(without_clashes)


def entries(database: Database, files: Mapping[str, tuple[str, int]]) -> Files:
    """The files as entries; a number stands for a text."""
    write = database.objects.write_blob
    texts = {number: write(f"text {number}\n".encode() * 9) for _, number in files.values()}
    return {path: Entry(mode, texts[number]) for path, (mode, number) in files.items()}


def written(database: Database, files: Files) -> str:
    """A tree with these files, by the toolkit."""
    return changed_tree(database.objects, "", files)


def by_git(repository: Repository, files: Files) -> str:
    """The tree that git makes of them."""
    index = Path(repository.git_dir, "test-index")
    index.unlink(missing_ok=True)
    rows = "".join(f"{entry.mode} {entry.oid}\t{path}\0" for path, entry in files.items())
    env = {**os.environ, "GIT_INDEX_FILE": str(index), "GIT_DIR": str(repository.git_dir)}
    subprocess.run(
        ("git", "update-index", "-z", "--index-info"), input=rows.encode(), env=env, check=True
    )
    done = subprocess.run(("git", "write-tree"), env=env, check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.mark.variant
@given(before=TREES, after=TREES)
def test_a_changed_tree_is_the_one_that_git_makes(
    repository: Repository,
    database: Database,
    before: dict[str, tuple[str, int]],
    after: dict[str, tuple[str, int]],
) -> None:
    old, new = entries(database, before), entries(database, after)
    first = written(database, old)
    changes = {path: None for path in old if path not in new} | new
    assert first == by_git(repository, old)
    assert changed_tree(database.objects, first, changes) == by_git(repository, new)


@pytest.mark.variant
@given(before=TREES, after=TREES)
def test_differences_are_those_that_git_finds(
    repository: Repository,
    database: Database,
    before: dict[str, tuple[str, int]],
    after: dict[str, tuple[str, int]],
) -> None:
    old, new = (written(database, entries(database, files)) for files in (before, after))
    found = list(differences(database.objects, old, new))
    told = {item.path: item for item in tree_changes(repository.git, old, new)}
    assert sorted(each.path for each in found) == sorted(told)
    for each in found:
        change = told[each.path]
        assert (each.old.oid if each.old else "0" * 40) == change.old_oid
        assert (each.new.oid if each.new else "0" * 40) == change.new_oid
    assert database.diffs.changes(old, new) == tree_changes(repository.git, old, new)


def commit(database: Database, tree: str, *parents: str) -> str:
    """A commit of a tree."""
    who = "A <a@example.com> 1700000000 +0000"
    lines = [f"tree {tree}", *(f"parent {each}" for each in parents), f"author {who}"]
    text = "\n".join([*lines, f"committer {who}", "", "x\n"])
    return database.objects.write_commit(text.encode(), tree=tree)


@given(base=TREES, one=TREES, other=TREES, keep=st.booleans())
def test_a_merge_worked_out_here_is_the_one_that_git_makes(
    repository: Repository,
    database: Database,
    base: dict[str, tuple[str, int]],
    one: dict[str, tuple[str, int]],
    other: dict[str, tuple[str, int]],
    keep: bool,
) -> None:
    if keep:  # both sides add to the base
        one, other = without_clashes(base | one), without_clashes(base | other)
    held = [written(database, entries(database, files)) for files in (base, one, other)]
    merged = merge_apart(database.objects, base=held[0], ours=held[1], theirs=held[2])
    if merged is None:
        return
    root = commit(database, held[0])
    ours, theirs = (commit(database, tree, root) for tree in held[1:])
    assert merge_tree(repository.git, ours=ours, theirs=theirs).tree == merged


def test_tasks_that_write_files_of_their_own_are_merged_here(database: Database) -> None:
    text = Entry("100644", database.objects.write_blob(b"x\n"))
    base = written(database, {"src/a": text, "b": text})
    ours = changed_tree(database.objects, base, {"made/1": text, "b": None})
    theirs = changed_tree(database.objects, base, {"made/2": text, "src/new/c": text})
    merged = merge_apart(database.objects, base=base, ours=ours, theirs=theirs)
    expected = dict.fromkeys(("src/a", "made/1", "made/2", "src/new/c"), text)
    assert merged == written(database, expected)


def test_a_folder_that_moved_is_left_to_git(database: Database) -> None:
    text = Entry("100644", database.objects.write_blob(b"x\n"))
    base = written(database, {"old/a": text, "old/b": text, "c": text})
    moved = changed_tree(
        database.objects, base, {"old/a": None, "old/b": None, "new/a": text, "new/b": text}
    )
    added = changed_tree(database.objects, base, {"old/d": text})
    for ours, theirs in ((moved, added), (added, moved)):
        assert merge_apart(database.objects, base=base, ours=ours, theirs=theirs) is None


@pytest.mark.parametrize("kind", ["blob", "tree", "commit"])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_an_object_is_the_one_that_git_reads(tmp_path: Path, kind: str, form: str) -> None:
    subprocess.run(("git", "init", "-q", f"--object-format={form}", tmp_path), check=True)
    store = LooseStore(tmp_path / ".git/objects", form)
    content = b"\0\xff some bytes\n" * 1000 if kind == "blob" else b""
    if kind == "commit":
        empty = store.write("tree", b"")
        content = f"tree {empty}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n".encode()
    oid = store.write(kind, content)
    assert oid == store.write(kind, content) == object_id(kind, content, form)
    read = subprocess.run(
        ("git", "-C", tmp_path, "cat-file", kind, oid), check=True, capture_output=True
    )
    assert read.stdout == content
    assert subprocess.run(("git", "-C", tmp_path, "fsck", "--strict"), check=False).returncode == 0
    assert not list((tmp_path / ".git/objects").rglob(f"{loose.DRAFT}*"))


def test_an_object_is_new_again_when_it_is_written_again(tmp_path: Path) -> None:
    store = LooseStore(tmp_path, "sha1")
    oid = store.write("blob", b"x")
    path = tmp_path / oid[:2] / oid[2:]
    os.utime(path, (1, 1))
    store.write("blob", b"x")
    assert path.stat().st_mtime > 1_000_000, "a prune that began before would take it"


def test_a_shared_store_stays_open_to_its_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o2775)
    oid = LooseStore(tmp_path, "sha1").write("blob", b"x")
    assert (tmp_path / oid[:2]).stat().st_mode & 0o7777 == 0o2775
    assert (tmp_path / oid[:2] / oid[2:]).stat().st_mode & 0o777 == 0o444


def test_a_store_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=f"cannot write to {tmp_path / 'none'}"):
        LooseStore(tmp_path / "none", "sha1").write("blob", b"x")


def test_a_shared_store_stays_open_to_its_group_whatever_the_umask_says(tmp_path: Path) -> None:
    folder = tmp_path / "objects"
    folder.mkdir()
    folder.chmod(0o2770)
    before = os.umask(0o077)
    try:
        oid = LooseStore(folder, "sha1").write("blob", b"x")
    finally:
        os.umask(before)
    assert (folder / oid[:2] / oid[2:]).stat().st_mode & 0o777 == 0o440


def test_a_tree_that_is_missing_is_no_empty_one(repository: Repository, database: Database) -> None:
    entry = Entry("100644", database.objects.write_blob(b"x\n"))
    with open_database(repository) as fresh:
        tree = written(database, {"only/here": entry, "b": entry})
        below = database.objects.entry_below(tree, "only")
        assert below is not None
        (repository.objects_dir / below.oid[:2] / below.oid[2:]).unlink()
        with pytest.raises(MachineError, match="missing"):
            changed_tree(fresh.objects, tree, {"only/new": entry})


def test_an_old_trees_folders_are_folders(repository: Repository, database: Database) -> None:
    entry = Entry("100644", database.objects.write_blob(b"x\n"))
    inner = written(database, {"a": entry})
    store = LooseStore(repository.objects_dir, "sha1")
    old = store.write("tree", b"040000 sub\0" + bytes.fromhex(inner))
    assert database.objects.entry_below(old, "sub/a") == entry
    assert list(differences(database.objects, old, written(database, {"sub/a": entry}))) == []


class Cut(Exception):  # noqa: N818 - it stands for an interrupt
    """What comes in the middle of an exchange."""


def test_an_exchange_that_is_cut_off_answers_nobody_else(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_objects: Objects) -> None:
        raise Cut

    with open_database(repository) as database:
        one, other = (database.objects.write_blob(text) for text in (b"one", b"other"))
        many = database.objects.read_many([one] * 500)
        assert next(many) == b"one"
        with monkeypatch.context() as patch:
            patch.setattr(Objects, "_answer", cut)
            with pytest.raises(Cut):
                database.objects.read(one)
        assert database.objects.blob(other) == b"other"
        with pytest.raises(MachineError, match="ended early"):
            list(many)
        assert list(database.objects.read_many([one, other])) == [b"one", b"other"]


def test_a_move_that_is_cut_off_answers_no_other(
    repository: Repository, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_fd: int, _end: bytes) -> bytes:
        raise Cut

    root = commit(database, written(database, {}))
    with monkeypatch.context() as patch:
        patch.setattr(run_git, "_read", cut)
        with pytest.raises(Cut):
            database.refs.move([Move("refs/test/a", root)])
    assert not database.refs.move([Move("refs/test/b", root, root)])
    assert database.refs.move([Move("refs/test/b", root)])


def test_locks_of_a_move_that_was_killed_are_nobodys(
    repository: Repository, database: Database
) -> None:
    root = commit(database, written(database, {}))
    assert database.refs.move([Move("refs/minitask/test/a", root)])
    process = database.refs._dialogue._child
    assert process is not None
    (repository.common_dir / "refs/minitask/test/b.lock").touch()
    process.kill()
    process.wait()
    assert database.refs.move([Move("refs/minitask/test/b", root)])
