"""What a command makes of tracked files is found and put back; untracked files, times and rights stay as they are."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from minitask.git.commits import open_database
from minitask.git.repository import discover
from minitask.sandbox.policy import Strength
from minitask.workspace.checkout import SharedPaths, Workspace
from minitask.workspace.incremental import IncrementalCheckout
from world import World

FILES = {"a.txt": "one\n", "src/b.txt": "b\n", "src/deep/c.txt": "c\n", "z.bin": b"\0\r\n"}
CASES = {
    "nothing": ("true", ()),
    "read": ("cat a.txt src/b.txt", ()),
    "untracked": ("echo n > new; mkdir -p out; echo n > out/n; echo n > src/n", ()),
    "edited": ("echo more >> a.txt", ("a.txt",)),
    "edited in place of the same length": ("printf 'two\\n' > a.txt", ("a.txt",)),
    "touched": ("touch a.txt", ()),
    "rewritten with the same content": ("cp a.txt t; mv t a.txt", ()),
    "rights": ("chmod +x a.txt", ()),
    "deleted": ("rm src/b.txt", ("src/b.txt",)),
    "renamed": ("mv a.txt b.txt", ("a.txt",)),
    "folder deleted": ("rm -r src", ("src/b.txt", "src/deep/c.txt", "src/link")),
    "folder moved and linked": ("rm -rf s; mv src s; ln -s s src", ("src/b.txt", "src/deep/c.txt", "src/link")),
    "file became a folder": ("rm a.txt; mkdir -p a.txt/x; echo n > a.txt/x/y", ("a.txt",)),
    "folder became a file": ("rm -r src/deep; echo n > src/deep", ("src/deep/c.txt",)),
    "link led elsewhere": ("ln -sfn b.txt src/link", ("src/link",)),
    "link became a file": ("rm src/link; cp a.txt src/link", ("src/link",)),
    "restored": ("cp a.txt k; echo n > a.txt; mv k a.txt", ()),
    "staged": ("echo n > a.txt; git add a.txt", ("a.txt",)),
    "an absent file made": ("mkdir -p made; echo n > made/new.py", ("made/new.py",)),
    "several": ("echo n >> a.txt; rm z.bin; echo n > made", ("a.txt", "z.bin")),
}  # fmt: skip


@pytest.fixture(params=["plain", "converted"])
def tree(request: pytest.FixtureRequest, world: World) -> World:
    """A repository with a link; its texts are checked out with CRLF where attributes say so."""
    world.commit(FILES)
    (world.root / "src/link").symlink_to("../a.txt")
    world.git("add", "-A")
    world.git("commit", "-qm", "link")
    if request.param == "converted":
        world.commit({".gitattributes": "*.txt text eol=crlf\n"})
    return world


@pytest.fixture(params=["watched", "copied"])
def held(request: pytest.FixtureRequest, tree: World) -> Iterator[IncrementalCheckout]:
    """A workspace at the tip; one that files are copied into is not watched."""
    tree.write({"brought": "n\n"})
    bring = SharedPaths(copy=("brought",)) if request.param == "copied" else SharedPaths()
    repository = discover(tree.root, dict(os.environ))
    with open_database(repository) as database:
        slot = Workspace(tree.root.parent / "slot", repository, bring)
        found = IncrementalCheckout(slot, database.objects, strength=lambda: Strength.STRONG)
        found.checkout(tree.tip())
        yield found
        found.close()


@pytest.mark.sampled(10)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_a_command_changed_is_put_back(
    tree: World, held: IncrementalCheckout, case: tuple[str, tuple[str, ...]]
) -> None:
    command, changed = case
    for _ in range(2):  # and again, once files have been put back
        subprocess.run(("bash", "-c", command), cwd=held.tree, check=True)
        assert held.put_back(absent=("made/new.py",)) == changed
        status = subprocess.run(
            ("git", "-c", "core.fileMode=false", "diff", "--name-only", tree.tip()),
            cwd=held.tree,
            check=True,
            capture_output=True,
        )
        assert status.stdout == b""
        assert held.put_back(absent=("made/new.py",)) == ()


def test_what_is_untracked_stays(held: IncrementalCheckout) -> None:
    (held.tree / "out").mkdir()
    (held.tree / "out/log").write_text("built\n")
    (held.tree / "a.txt").write_text("two\n")
    assert held.put_back() == ("a.txt",)
    assert (held.tree / "out/log").read_text() == "built\n"
    assert held.is_changed()
