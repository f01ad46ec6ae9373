"""Mending the halves of a checkout that a kill left: what git wrote goes back, what the user wrote stays."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from minitask.errors import MachineError
from minitask.git import update_target
from minitask.git.repository import Repository, discover
from minitask.git.restore_checkout import TargetMove
from minitask.git.update_target import checkout_of
from world import World

OLD = "".join(f"old {number}\n" for number in range(50))
NEW = "".join(f"new {number}\n" for number in range(60))
MADE = "".join(f"made {number}\n" for number in range(40))
FORWARD = {"edited.txt": NEW, "made/new.txt": MADE, "second.txt": NEW}


@dataclass(frozen=True)
class Broken:
    """A repository in which an advance of `main` was about to write, or has begun to."""

    world: World
    repository: Repository
    step: TargetMove

    def begin(self) -> None:
        """The journal is written, as before every advance."""
        place = checkout_of(self.repository, self.step.target)
        update_target.write_journal(self.repository, self.step, place)

    def heal(self) -> None:
        """What the next command does first."""
        update_target.recover(self.repository)
        assert not (self.repository.home / update_target.JOURNAL).exists()

    def content(self, name: str) -> str | None:
        """A file of the checkout, every byte; None where it is not there."""
        path = self.world.root / name
        return path.read_bytes().decode() if path.is_file() else None

    def forward(self) -> None:
        """The advance itself, which must succeed on what was mended."""
        assert update_target.update_target(self.repository, self.step).done
        assert self.world.tip() == self.step.new
        assert self.world.git("status", "--porcelain") == ""


@pytest.fixture
def broken(tmp_path: Path) -> Broken:
    """`main` is to gain a commit that edits two files, makes one and deletes one."""
    return make(World(tmp_path / "repository"))


def make(world: World, *settings: str) -> Broken:
    """The repository, under these settings."""
    world.init("--initial-branch=main")
    for setting in settings:
        world.git("config", *setting.split("="))
    world.commit({"edited.txt": OLD, "second.txt": OLD, "deleted.txt": OLD, "other.txt": OLD})
    world.git("checkout", "-q", "-b", "new")
    world.git("rm", "-q", "deleted.txt")
    world.git("commit", "-q", "-m", "delete")
    world.commit(FORWARD)
    world.git("checkout", "-q", "main")
    repository = discover(world.root, dict(os.environ))
    return Broken(world, repository, TargetMove("refs/heads/main", world.tip(), world.tip("new")))


@pytest.mark.parametrize(
    "part", [NEW, NEW[:100], NEW[:1], ""], ids=["whole", "part", "byte", "empty"]
)
def test_a_file_with_the_new_content_or_its_beginning_goes_back(broken: Broken, part: str) -> None:
    broken.begin()
    broken.world.write({"edited.txt": part})
    broken.heal()
    assert broken.content("edited.txt") == OLD
    assert broken.world.git("status", "--porcelain") == ""
    broken.forward()


@pytest.mark.parametrize("file", ["edited.txt", "deleted.txt"])
def test_a_file_that_is_missing_or_was_deleted_already_comes_back(
    broken: Broken, file: str
) -> None:
    broken.begin()
    (broken.world.root / file).unlink()
    broken.heal()
    assert broken.content(file) == OLD
    broken.forward()


@pytest.mark.parametrize("part", [MADE, MADE[:70], ""], ids=["whole", "part", "empty"])
def test_a_new_file_goes_away_again_with_its_folder(broken: Broken, part: str) -> None:
    broken.begin()
    broken.world.write({"made/new.txt": part})
    broken.heal()
    assert not (broken.world.root / "made").exists()
    broken.forward()


def test_a_file_with_the_users_own_content_stays(broken: Broken) -> None:
    mine = {"edited.txt": f"{NEW}mine\n", "made/new.txt": "mine\n", "second.txt": f"{OLD}mine\n"}
    broken.begin()
    broken.world.write(mine)
    broken.heal()
    assert {name: broken.content(name) for name in mine} == mine


@pytest.mark.parametrize("content", ["", NEW[:100]], ids=["empty", "like-the-new"])
def test_what_the_user_wrote_before_the_advance_stays_though_it_looks_like_ours(
    broken: Broken, content: str
) -> None:
    mine = {"edited.txt": content, "made/new.txt": ""}
    broken.world.write(mine)
    broken.begin()
    broken.heal()
    assert {name: broken.content(name) for name in mine} == mine


def test_what_the_user_deleted_before_the_advance_stays_deleted(broken: Broken) -> None:
    (broken.world.root / "edited.txt").unlink()
    broken.begin()
    broken.heal()
    assert broken.content("edited.txt") is None


def test_a_link_and_a_folder_of_the_user_are_not_written_through(broken: Broken) -> None:
    outside = broken.world.root.parent / "outside"
    outside.mkdir()
    (outside / "new.txt").write_text(MADE)
    broken.begin()
    (broken.world.root / "made").symlink_to(outside)
    (broken.world.root / "edited.txt").unlink()
    (broken.world.root / "edited.txt").symlink_to(outside / "new.txt")
    (broken.world.root / "second.txt").unlink()
    broken.world.write({"second.txt/mine": "1\n"})
    broken.heal()
    assert (outside / "new.txt").read_text() == MADE
    assert (broken.world.root / "edited.txt").is_symlink()
    assert broken.content("second.txt/mine") == "1\n"


def test_a_folder_that_the_user_replaced_by_a_file_stays_a_file(broken: Broken) -> None:
    world = broken.world
    world.git("merge", "-q", "--ff-only", "new")
    world.git("checkout", "-q", "-b", "newer")
    world.commit({"made/new.txt": NEW})
    world.git("checkout", "-q", "main")
    further = Broken(
        world, broken.repository, TargetMove("refs/heads/main", world.tip(), world.tip("newer"))
    )
    further.begin()
    (world.root / "made/new.txt").unlink()
    (world.root / "made").rmdir()
    world.write({"made": "mine\n"})
    further.heal()
    assert further.content("made") == "mine\n"


def test_staged_and_unrelated_files_stay(broken: Broken) -> None:
    world = broken.world
    world.write({"other.txt": "staged\n", "untracked.txt": "1\n"})
    world.git("add", "other.txt")
    world.write({"other.txt": "dirty\n"})
    before = world.git("status", "--porcelain")
    broken.begin()
    world.write({"edited.txt": NEW[:9], "made/new.txt": MADE})
    broken.heal()
    assert world.git("status", "--porcelain") == before
    assert broken.content("other.txt") == "dirty\n"
    assert world.git("show", ":other.txt") == "staged"


def test_git_locks_of_the_killed_advance_go_and_older_ones_stay(broken: Broken) -> None:
    git_dir = broken.world.root / ".git"
    (git_dir / "index.lock").touch()
    broken.begin()
    (git_dir / "HEAD.lock").touch()
    (git_dir / "refs/heads/main.lock").touch()
    broken.heal()
    assert [path.name for path in git_dir.rglob("*.lock")] == ["index.lock"]


def test_an_index_that_has_arrived_takes_the_branch_with_it(broken: Broken) -> None:
    broken.begin()
    broken.world.git("read-tree", "-m", "-u", broken.step.old, broken.step.new)
    (broken.world.root / ".git/refs/heads/main.lock").touch()
    broken.heal()
    assert broken.world.tip() == broken.step.new
    assert broken.world.git("status", "--porcelain") == ""


def test_an_index_that_has_arrived_changes_nothing_where_the_user_went_on(broken: Broken) -> None:
    broken.begin()
    broken.world.git("read-tree", "-m", "-u", broken.step.old, broken.step.new)
    broken.world.git("commit", "-q", "-m", "mine")
    mine = broken.world.tip()
    broken.heal()
    assert broken.world.tip() == mine
    assert broken.world.git("status", "--porcelain") == ""


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_checkout_with_other_line_ends_is_mended_with_them(tmp_path: Path, setting: str) -> None:
    world = World(tmp_path / "repository")
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / ".gitattributes").write_text("*.txt text\n")
    broken = make(world, setting)
    for name in ("edited.txt", "second.txt", "deleted.txt", "other.txt"):
        (world.root / name).unlink()
    world.git("checkout", "-q", "-f", "main")
    windows = OLD.replace("\n", "\r\n")
    assert broken.content("edited.txt") == windows
    broken.begin()
    world.write(
        {"edited.txt": NEW.replace("\n", "\r\n")[:99], "made/new.txt": MADE.replace("\n", "\r\n")}
    )
    world.write({"second.txt": f"{windows}mine\r\n"})
    broken.heal()
    assert broken.content("edited.txt") == windows
    assert broken.content("made/new.txt") is None
    assert broken.content("second.txt") == f"{windows}mine\r\n"


def test_a_linked_checkout_is_mended(broken: Broken, tmp_path: Path) -> None:
    world = broken.world
    world.git("checkout", "-q", "--detach")
    world.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    broken.begin()
    (tmp_path / "linked/edited.txt").write_text(NEW[:50])
    (tmp_path / "linked/second.txt").unlink()
    (world.root / ".git/worktrees/linked/index.lock").touch()
    broken.heal()
    assert (tmp_path / "linked/edited.txt").read_text() == OLD
    assert (tmp_path / "linked/second.txt").read_text() == OLD
    assert not list((world.root / ".git").rglob("*.lock"))


def test_a_file_that_became_a_folder_becomes_a_file_again(tmp_path: Path) -> None:
    world = World(tmp_path / "repository")
    world.init("--initial-branch=main")
    world.commit({"thing": OLD})
    world.git("checkout", "-q", "-b", "new")
    world.git("rm", "-q", "thing")
    world.commit({"thing/inside": MADE})
    world.git("checkout", "-q", "main")
    repository = discover(world.root, dict(os.environ))
    broken = Broken(world, repository, TargetMove("refs/heads/main", world.tip(), world.tip("new")))
    broken.begin()
    (world.root / "thing").unlink()
    world.write({"thing/inside": MADE[:20]})
    broken.heal()
    assert broken.content("thing") == OLD
    broken.forward()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"target": 1}', '{"target": "x", "old": "y"}'])
def test_a_journal_that_makes_no_sense_is_dropped(broken: Broken, text: str) -> None:
    broken.begin()
    (broken.repository.home / update_target.JOURNAL).write_text(text)
    broken.heal()
    broken.forward()


@pytest.mark.variant
def test_a_journal_of_commits_that_are_gone_is_dropped(broken: Broken) -> None:
    gone = Broken(
        broken.world, broken.repository, TargetMove("refs/heads/main", broken.step.old, "1" * 40)
    )
    gone.begin()
    (broken.world.root / ".git/index.lock").touch()
    gone.heal()
    assert not (broken.world.root / ".git/index.lock").exists()


def kill_git_at(world: World, name: str, *, command: str = "kill -9 $PPID") -> None:
    """Let the user's own smudge filter for a file do what the command says, in the middle of a checkout."""
    (world.root / ".git/info").mkdir(exist_ok=True)
    (world.root / ".git/info/attributes").write_text(f"{name} filter=trouble\n")
    world.git("config", "filter.trouble.smudge", f"{command}; cat")
    world.git("config", "filter.trouble.clean", "cat")
    world.git("config", "filter.trouble.required", "true")


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["edited.txt", "made/new.txt", "second.txt"])
def test_when_git_alone_is_killed_the_checkout_is_mended_at_once(broken: Broken, name: str) -> None:
    world = broken.world
    before = world.git("status", "--porcelain")
    flag = world.root.parent / "flag"
    kill_git_at(world, name, command=f"[ -e {flag} ] || {{ touch {flag}; kill -9 $PPID; }}")
    with pytest.raises(MachineError, match="merge"):
        update_target.update_target(broken.repository, broken.step)
    assert flag.exists()
    assert world.git("status", "--porcelain") == before
    assert broken.content("edited.txt") == broken.content("second.txt") == OLD
    assert not list((world.root / ".git").rglob("*.lock"))
    assert not (broken.repository.home / update_target.JOURNAL).exists()
    broken.forward()


def test_an_interrupt_in_the_middle_of_the_checkout_is_mended_at_once(broken: Broken) -> None:
    world = broken.world
    flag = world.root.parent / "flag"
    kill_git_at(
        world,
        "second.txt",
        command=f"[ -e {flag} ] || {{ touch {flag}; kill -INT {os.getpid()}; sleep 20; }}",
    )
    with pytest.raises(KeyboardInterrupt):
        update_target.update_target(broken.repository, broken.step)
    assert world.git("status", "--porcelain") == ""
    assert broken.content("edited.txt") == OLD
    assert not list((world.root / ".git").rglob("*.lock"))
    broken.forward()


@pytest.mark.parametrize(
    "content", [f"{OLD}mine\n", "", NEW[:30]], ids=["edited", "emptied", "begun"]
)
def test_a_refusal_of_git_changes_nothing(broken: Broken, content: str) -> None:
    world = broken.world
    world.write({"second.txt": content, "made/new.txt": ""})
    (world.root / "deleted.txt").unlink()
    before = world.git("status", "--porcelain")
    moved = update_target.update_target(broken.repository, broken.step)
    assert not moved.done
    assert "would be overwritten" in moved.reason
    assert world.git("status", "--porcelain") == before
    assert broken.content("second.txt") == content
    assert broken.content("made/new.txt") == ""
    assert world.tip() == broken.step.old
