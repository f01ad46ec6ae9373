"""Workspaces: private repositories that borrow the user's objects, pooled, each brought from commit to commit.

A slot is two folders: `tree`, where commands run, and `git`, its repository, which lies outside `tree` so that nothing
that runs there can change how the toolkit's own git behaves. `tree/.git` only points to it, for tools that look.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from minitask.errors import MachineError
from minitask.patterns import lazy_pattern
from minitask.repo import survivors
from minitask.repo.git import Git
from minitask.repo.removal import discard
from minitask.repo.repository import Repository
from minitask.values import dataclass

_GLOB = lazy_pattern(r"[*?\[\]\\ ]")
"""What has a meaning in a pattern of git's, or is dropped at its end."""
STALE_LOCKS = ("index.lock", "HEAD.lock", "config.lock", "shallow.lock")


@dataclass(frozen=True, slots=True)
class Bring:
    """What git ignores and a validation needs: paths shared read-only or copied from the user's checkout."""

    share: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """One workspace; hold the repository's lock while you use it."""

    folder: Path
    repository: Repository
    bring: Bring = Bring()

    @property
    def tree(self) -> Path:
        """Where the files are and commands run."""
        return self.folder / "tree"

    @property
    def git_dir(self) -> Path:
        """The slot's own repository."""
        return self.folder / "git"

    @property
    def git(self) -> Git:
        """Git on the slot."""
        return self._git_in(self.tree)

    def readonly(self) -> tuple[Path, ...]:
        """What a command in the slot must be able to read outside `tree`."""
        shared = (
            [self.repository.top / name for name in self.bring.share] if self.repository.top else []
        )
        return (
            self.git_dir,
            self.repository.objects_dir,
            *(path for path in shared if path.exists()),
        )

    def checkout(self, commit: str) -> Path:
        """Make `tree` hold exactly the commit's files, and give it; a broken slot is built anew, once."""
        if not self.is_ready():
            self.rebuild()
        try:
            self._bring_to(commit)
        except (MachineError, OSError):
            self.rebuild()
            self._bring_to(commit)
        return self.tree

    def links(self) -> dict[bytes, bytes]:
        """The links that bring shared files and folders, by their path below `tree`, with what they lead to."""
        top = self.repository.top
        if top is None:
            return {}
        there = (name for name in self.bring.share if (top / name).exists())
        return {os.fsencode(name.strip("/")): os.fsencode(top / name) for name in there}

    def excludes(self) -> bytes:
        """The content of `info/exclude`: what was brought is no change, whatever the patterns of the repository say.

        A pattern for a folder, such as `node_modules/`, does not match the link to a shared one.
        """
        names = (*self.bring.share, *self.bring.copy)
        return "".join(f"/{_GLOB.sub(_escaped, name.strip('/'))}\n" for name in names).encode(
            "utf-8", "surrogateescape"
        )

    def _git_in(self, work_tree: Path | None) -> Git:
        """Git on the slot; it holds the repository's lock, for the next command must not use a slot that it writes."""
        user = self.repository.git
        return Git(self.git_dir, user.environ, work_tree=work_tree, lock_fds=user.lock_fds)

    def is_ready(self) -> bool:
        """Whether the slot is there, and borrows from this repository."""
        alternates = self.git_dir / "objects" / "info" / "alternates"
        try:
            borrows = alternates.read_bytes() == alternates_to(self.repository.objects_dir)
            return borrows and self._kept_config.exists()
        except OSError:
            return False

    @property
    def _kept_config(self) -> Path:
        """The slot's git configuration as it was made."""
        return self.folder / "config"

    def rebuild(self) -> None:
        """Make the slot anew, with nothing of what it held."""
        discard(self.folder)
        self.tree.mkdir(parents=True)
        git = self._git_in(None)
        self.git_dir.mkdir()
        form = f"--object-format={self.repository.object_format}"
        git.output("init", "-q", "--template=", "--initial-branch=workspace", form)
        git.output("config", "core.bare", "false")
        info = self.git_dir / "objects" / "info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "alternates").write_bytes(alternates_to(self.repository.objects_dir))
        shutil.copyfile(self.git_dir / "config", self._kept_config)

    def _bring_to(self, commit: str) -> None:
        for name in STALE_LOCKS:
            (self.git_dir / name).unlink(missing_ok=True)
        if self.repository.shallow:
            shutil.copyfile(self.repository.common_dir / "shallow", self.git_dir / "shallow")
        self._point()
        exclude = self.git_dir / "info" / "exclude"
        discard(exclude.parent)  # without a sandbox, a command could have left attributes there
        exclude.parent.mkdir()
        exclude.write_bytes(self.excludes())
        shutil.copyfile(self._kept_config, self.git_dir / "config")
        # Cleaned first: attributes that somebody left would have a say in what is written.
        self.git.output("clean", "-ffdxq")
        self.git.output("checkout", "-q", "-f", "--detach", commit)
        self._bring_ignored()

    def _point(self) -> None:
        pointer = self.tree / ".git"
        if pointer.is_dir() and not pointer.is_symlink():
            shutil.rmtree(pointer)
        pointer.unlink(missing_ok=True)
        text = f"gitdir: {self.git_dir}\n"
        pointer.write_text(text, "utf-8", "surrogateescape")

    def _bring_ignored(self) -> None:
        top = self.repository.top
        if top is None:
            return
        for name in self.bring.share:
            target = self.tree / name
            if (top / name).exists() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(top / name)
        for name in self.bring.copy:
            _copy(top / name, self.tree / name)


def end_survivors(scratch: Path) -> None:
    """End what a killed command left running, and remove its private folders; call it under the lock.

    Only a session without bubblewrap can outlive the toolkit. Its processes are known by their home, which lies in the
    toolkit's own `scratch` folder; nothing that they say is taken for a path.
    """
    if not scratch.is_dir():
        return
    survivors.end_marked(os.fsencode(f"HOME={scratch}/"))
    for private in scratch.iterdir():
        discard(private)


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _copy(source: Path, target: Path) -> None:
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def alternates_to(objects_dir: Path) -> bytes:
    """The content of `info/alternates` for an object store that borrows from another."""
    path = str(objects_dir)
    if "\n" not in path and not path.startswith(('"', "#")):
        return path.encode("utf-8", "surrogateescape") + b"\n"
    quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"\n'.encode("utf-8", "surrogateescape")
