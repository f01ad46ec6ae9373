"""Two users work in one repository that was made with `git init --shared`, each with a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import minitask
from world import Outcome, spec_text

GROUP, ANN, BOB = 61000, 61001, 61002
PACKAGES = (Path(minitask.__file__).parents[1], sysconfig.get_path("purelib"))


class Shared:
    """A repository, and two users of one group."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.root = top / "repository"
        self.python = sys.executable

    def home(self, user: int) -> Path:
        return self.top / str(user)

    def run(self, user: int, *arguments: str) -> Outcome:
        """Run a program as one of the users."""
        done = subprocess.run(
            arguments,
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home(user)),
                "PYTHONPATH": os.pathsep.join(map(str, PACKAGES)),
            },
            user=user,
            group=GROUP,
            extra_groups=(),
            umask=0o022,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def git(self, user: int, *arguments: str) -> str:
        """What a git command prints."""
        done = self.run(user, "git", *arguments)
        assert done.code == 0, done.text
        return done.stdout

    def minitask(self, user: int, *arguments: str) -> Outcome:
        """Run the toolkit."""
        return self.run(user, self.python, "-m", "minitask", *arguments)

    def find_python(self) -> None:
        """Choose a Python that another user may start, and that runs the toolkit as it is installed here."""
        same = f"import sys, minitask.cli.exec; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
        for self.python in (sys.executable, "/usr/bin/python3"):
            try:
                if self.run(ANN, self.python, "-c", same).code == 0:
                    return
            except OSError:
                continue
        pytest.skip("another user can start no Python here that has the toolkit")


@pytest.fixture
def shared() -> Iterator[Shared]:
    """A repository with four specs, made by Ann."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a program as another user")
    with tempfile.TemporaryDirectory(prefix="minitask-shared-") as folder:
        both = Shared(Path(folder))
        both.top.chmod(0o755)
        for path, user in ((both.root, ANN), (both.home(ANN), ANN), (both.home(BOB), BOB)):
            path.mkdir()
            os.chown(path, user, GROUP)
        both.root.chmod(0o2775)
        both.find_python()
        for user, name in ((ANN, "Ann"), (BOB, "Bob")):
            both.git(user, "config", "--global", "user.name", name)
            both.git(user, "config", "--global", "user.email", f"{name}@example.com")
        both.git(ANN, "init", "-q", "-b", "main", "--shared=group")
        project = both.root / "mini-projects/p"
        project.mkdir(parents=True)
        for n in range(1, 5):
            files = {f"made/{n}.txt": "n\n"}
            text = spec_text(whole=files, validation=f"test -f made/{n}.txt", number=n)
            (project / f"0{n}-b.md").write_text(text)
        both.git(ANN, "add", "-A")
        both.git(ANN, "commit", "-qm", "specs")
        yield both


@pytest.mark.variant
def test_two_users_take_turns(shared: Shared) -> None:
    outcome = shared.minitask(BOB, "exec", "p/01-b")
    assert outcome.code == 2
    words = outcome.proposed("git config --global --add safe.directory")
    shared.git(BOB, *words[1:])
    turns = [
        (ANN, ("exec", "p/01-b")),
        (BOB, ("exec", "p/02-b", "--no-merge")),
        (ANN, ("merge", "p/02-b")),
        (BOB, ("undo", "p/01-b")),
        (BOB, ("run", "p", "--jobs", "2")),
        (ANN, ("clean", "--branches")),
        (BOB, ("audit",)),
    ]
    for user, words in turns:
        outcome = shared.minitask(user, *words)
        assert outcome.code == 0, (user, words, outcome.text)
        assert open_to_the_group(shared) == []
    assert shared.git(ANN, "fsck", "--strict", "--no-dangling") == ""
    assert shared.git(BOB, "status", "--porcelain") == ""
    for user in (ANN, BOB):
        folders = (shared.home(user) / ".cache/minitask").glob("*")
        assert not any(folder.stat().st_mode & 0o022 for folder in folders), "they are private"


def open_to_the_group(shared: Shared) -> list[str]:
    """What the group cannot use below `.git/minitask` and in the checkout, as far as the toolkit made it."""
    folders = [shared.root / ".git/minitask", shared.root / "made"]
    shut = []
    for path in (inner for folder in folders for inner in (folder, *folder.rglob("*"))):
        status = path.lstat()
        wanted = 0o070 if path.is_dir() else 0o040 if "objects" in path.parts else 0o060
        if status.st_mode & wanted != wanted or status.st_gid != GROUP:
            shut.append(f"{status.st_mode:o} {path}")
    return shut


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("value", "folder_mode", "file_mode"),
    [
        ("group", 0o2775, 0o664),
        ("all", 0o2775, 0o664),
        ("0660", 0o2770, 0o660),
        ("0640", 0o2750, 0o640),
        ("umask", 0o2755, 0o644),
    ],
)
def test_modes_are_as_git_has_them(
    shared: Shared, value: str, folder_mode: int, file_mode: int
) -> None:
    shared.git(ANN, "config", "core.sharedRepository", value)
    assert shared.minitask(ANN, "validate", "mini-projects").code == 0
    assert shared.minitask(ANN, "exec", "p/01-b").code == 0
    home = shared.root / ".git/minitask"
    assert f"{home.stat().st_mode & 0o7777:o}" == f"{folder_mode:o}"
    assert f"{(home / 'lock').stat().st_mode & 0o7777:o}" == f"{file_mode:o}"
    branch = shared.root / ".git/refs/heads/minitask/p"
    assert branch.stat().st_mode & 0o7777 == folder_mode, "git has the same"
