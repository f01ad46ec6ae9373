"""Workspaces: pooled private repositories that borrow the user's objects, moved from commit to commit.

A slot is two folders: `tree`, where commands run, and `git`, its repository, outside `tree` so that commands cannot
affect the toolkit's own git. `tree/.git` only points to it, for tools that need one.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from minitask.errors import MachineError
from minitask.git import refs
from minitask.git.remotes import fetch_missing
from minitask.git.repository import Repository
from minitask.git.run_git import Git
from minitask.patterns import lazy_pattern
from minitask.sandbox.shared_layers import Copied, Layer, can_be_copied
from minitask.system import pipes
from minitask.system.files import force_remove

if TYPE_CHECKING:
    from minitask.sandbox.sandbox import Sandbox

_GLOB = lazy_pattern(r"[*?\[\]\\ ]")
"""Special characters of git's patterns, and the space, which git drops at their end."""
STALE_LOCKS = ("index.lock", "HEAD.lock", "config.lock", "shallow.lock")


class SharedPaths(Struct, frozen=True):
    """Ignored paths that validation needs, shared with or copied from the user's checkout.

    Shared paths are never written: a folder gets a private layer if `layered`, else a reusable copy.
    """

    share: tuple[str, ...] = ()
    copy: tuple[str, ...] = ()
    layered: bool = False


class Workspace(Struct, frozen=True):
    """A workspace; the caller holds the repository's lock."""

    folder: Path
    repository: Repository
    bring: SharedPaths = SharedPaths()

    @property
    def tree(self) -> Path:
        """Return the folder with the files, where commands run."""
        return self.folder / "tree"

    @property
    def git_dir(self) -> Path:
        """Return the slot's repository."""
        return self.folder / "git"

    @property
    def git(self) -> Git:
        """Return git on the slot."""
        return self._git_in(self.tree)

    def readonly(self) -> tuple[Path, ...]:
        """Return the paths outside `tree` that its commands must be able to read."""
        return (self.git_dir, *self.repository.object_stores())

    def within(self, sandbox: Sandbox) -> Sandbox:
        """Return the sandbox with the slot's layers, and the checkout that the workspace replaces."""
        return replace(sandbox, layers=self.layers(), checkout=self.repository.top)

    def layers(self) -> tuple[Layer, ...]:
        """Return the folders shared by a private layer."""
        return tuple(
            Layer(
                Path(os.path.realpath(source)), self.tree / name, folder / "upper", folder / "work"
            )
            for number, (name, source) in enumerate(self._shared())
            if self._is_layered(source)
            for folder in (self.folder / "layers" / str(number),)
        )

    def copied(self) -> tuple[Copied, ...]:
        """Return the paths shared by a reusable copy."""
        top = self.repository.top
        if top is None:
            return ()
        return tuple(
            Copied(source, self.tree / name, self.folder / "copies" / str(number), top, self.tree)
            for number, (name, source) in enumerate(self._shared())
            if not self._is_layered(source)
        )

    def _is_layered(self, source: Path) -> bool:
        return self.bring.layered and source.is_dir() and not source.is_symlink()

    def is_layer_written(self) -> bool:
        """Return True if a command wrote to a shared layer."""
        return any(layer.is_written() for layer in self.layers())

    def filled(self) -> tuple[str, ...]:
        """Return the submodules that were last filled from the checkout."""
        try:
            return tuple((self.folder / "submodules/list").read_text("utf-8").split("\0")[:-1])
        except (OSError, ValueError):
            return ()

    def _fill_submodules(self, top: Path) -> list[Copied]:
        """Return copies of the checkout's submodules, each at its recorded commit."""
        home = self.folder / "submodules"
        if not (self.tree / ".gitmodules").exists():
            force_remove(home)
            return []
        from minitask.workspace.submodules import at_commit, gitlinks

        copies = []
        for path, oid in gitlinks(self.git):
            folder = home / path.replace("/", "%")
            if any(path == name.strip("/") for name in self.bring.share):
                continue
            inner = at_commit(
                top / path, oid, folder, environ=self.repository.git.environ, make=Workspace
            )
            if inner is None:
                force_remove(self.tree / path)
                (self.tree / path).mkdir(parents=True)
            else:
                copy = Copied(inner, self.tree / path, folder / "note", top, self.tree)
                copies.append((path, copy))
        home.mkdir(exist_ok=True)
        (home / "list").write_text("".join(f"{path}\0" for path, _ in copies), "utf-8")
        return [copy for _, copy in copies]

    def _shared(self) -> list[tuple[str, Path]]:
        """Return the existing shared paths, as (name, path)."""
        top = self.repository.top
        names = self.brought().share if top else ()
        return [(name, top / name) for name in names if top and (top / name).exists()]

    def brought(self) -> SharedPaths:
        """Return the paths to share or copy, without those that the commit itself contains."""
        tracked = self._tracked_names() if self.bring.share or self.bring.copy else ()
        share, copy = (
            tuple(name.strip("/") for name in names if name.strip("/") not in tracked)
            for names in (self.bring.share, self.bring.copy)
        )
        return replace(self.bring, share=share, copy=copy)

    @property
    def _tracked_note(self) -> Path:
        """Return the file that lists paths not shared or copied, since the commit contains them."""
        return self.folder / "not-brought"

    def _tracked_names(self) -> tuple[str, ...]:
        try:
            text = self._tracked_note.read_text("utf-8", "surrogateescape")
        except OSError:
            return ()
        return tuple(text.split("\0")[:-1])

    def _note_tracked(self, commit: str) -> None:
        """Record which of the paths the commit contains itself; a submodule's folder does not count."""
        names = {name.strip("/") for name in (*self.bring.share, *self.bring.copy)}
        if not names:
            return
        entries = self.git.fields("ls-tree", "-z", commit, "--", *sorted(names))
        rows = [entry.partition("\t") for entry in entries]
        tracked = {path for kind, _, path in rows if " commit " not in kind}
        text = "".join(f"{name}\0" for name in names & tracked)
        self._tracked_note.write_text(text, "utf-8", "surrogateescape")

    def checkout(self, commit: str) -> Path:
        """Check out exactly the commit's files and return `tree`; rebuild a broken slot once."""
        if not self.is_ready():
            self.rebuild()
        try:
            self._bring_to(commit)
        except (MachineError, OSError):
            fetch_missing(self.repository, commit)
            self.rebuild()
            self._bring_to(commit)
        return self.tree

    def excludes(self) -> bytes:
        """Return the content of `info/exclude`, so that shared and copied paths are no changes.

        The repository's patterns do not suffice: `node_modules/` does not match a link to a shared folder.
        """
        brought = self.brought()
        lines = "".join(f"{_pattern(name)}\n" for name in (*brought.share, *brought.copy))
        return lines.encode("utf-8", "surrogateescape")

    def _git_in(self, work_tree: Path | None) -> Git:
        """Return git on the slot; it inherits the repository's lock, so that no other command uses the slot."""
        user = self.repository.git
        return Git(self.git_dir, user.environ, work_tree=work_tree, lock_fds=user.lock_fds)

    def is_ready(self) -> bool:
        """Return True if the slot exists and borrows from this repository."""
        alternates = self.git_dir / "objects" / "info" / "alternates"
        try:
            borrows = alternates.read_bytes() == alternates_to(*self.repository.written_stores)
            return borrows and self._kept_config.exists()
        except OSError:
            return False

    @property
    def _kept_config(self) -> Path:
        """Return the slot's original git configuration."""
        return self.folder / "config"

    def rebuild(self) -> None:
        """Recreate the slot from nothing."""
        force_remove(self.folder)
        self.tree.mkdir(parents=True)
        git = self._git_in(None)
        self.git_dir.mkdir()
        form = f"--object-format={self.repository.object_format}"
        git.output("init", "-q", "--template=", "--initial-branch=workspace", form)
        git.output("config", "core.bare", "false")
        info_dir = self.git_dir / "objects" / "info"
        info_dir.mkdir(parents=True, exist_ok=True)
        (info_dir / "alternates").write_bytes(alternates_to(*self.repository.written_stores))
        shutil.copyfile(self.git_dir / "config", self._kept_config)

    def _bring_to(self, commit: str) -> None:
        for name in STALE_LOCKS:
            (self.git_dir / name).unlink(missing_ok=True)
        if self.repository.shallow:
            shutil.copyfile(self.repository.common_dir / "shallow", self.git_dir / "shallow")
        else:
            (self.git_dir / "shallow").unlink(missing_ok=True)
        self._point()
        self._note_tracked(commit)
        exclude = self.git_dir / "info" / "exclude"
        # A command could have left attributes, or hooks for the next command's git.
        for folder in (exclude.parent, self.git_dir / "hooks"):
            force_remove(folder)
            folder.mkdir()
        exclude.write_bytes(self.excludes())
        shutil.copyfile(self._kept_config, self.git_dir / "config")
        self._restore_refs()
        # Clean first: leftover attributes would affect the checkout.
        exclusions = [
            f"--exclude={_pattern(copy.target.relative_to(self.tree))}" for copy in self.copied()
        ]
        self.git.output("clean", "-ffdxq", *exclusions)
        self.git.output("checkout", "-q", "-f", "--detach", commit)
        self._bring_ignored()

    def bring_refs(self) -> None:
        """Copy the repository's branches and tags, if they have changed."""
        state = refs.shown_state(self.repository.common_dir)
        note = self.folder / "refs"
        if not note.exists() or note.read_text("utf-8", "surrogateescape") != state:
            content = refs.shown(self.repository.git, self.repository.common_dir)
            (self.git_dir / "packed-refs").write_bytes(content)
            note.write_text(state, "utf-8", "surrogateescape")

    def _restore_refs(self) -> None:
        """Remove the refs made by commands, and copy the repository's."""
        made = ("heads", "remotes", "tags", "stash")
        if any((self.git_dir / "refs" / name).exists() for name in made):
            force_remove(self.git_dir / "refs")
            (self.git_dir / "refs").mkdir()
            (self.folder / "refs").unlink(missing_ok=True)
        self.bring_refs()

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
        for copy in self._fill_submodules(top):
            copy.ensure()
        for layer in self.layers():
            layer.reset()
        for shared in self.copied():
            shared.ensure()
        for name in self.brought().copy:
            _copy(top / name, self.tree / name)


def end_orphans(scratch: Path) -> None:
    """End the processes of a killed command and remove its private folders; the caller holds the lock.

    Only sessions without bubblewrap can outlive the toolkit. Their processes are found by their HOME, which is in the
    toolkit's `scratch` folder; nothing that they print is taken for a path.
    """
    if not scratch.is_dir():
        return
    pipes.end_marked(os.fsencode(f"HOME={scratch}/"))
    for private in scratch.iterdir():
        force_remove(private)


def _pattern(path: str | Path) -> str:
    """Return the git pattern that matches exactly this path."""
    return f"/{_GLOB.sub(_escaped, str(path))}"


def _escaped(match: re.Match[str]) -> str:
    return f"\\{match[0]}"


def _copy(source: Path, target: Path) -> None:
    if target.exists() or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=_special)
    else:
        shutil.copy2(source, target)


def _special(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not can_be_copied(Path(folder, name).lstat().st_mode)]


def alternates_to(*stores: Path) -> bytes:
    """Return the content of `info/alternates` for a store that borrows from others."""
    return b"".join(map(_alternate, stores))


def _alternate(store: Path) -> bytes:
    path = str(store)
    if "\n" not in path and not path.startswith(('"', "#")):
        return path.encode("utf-8", "surrogateescape") + b"\n"
    quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"\n'.encode("utf-8", "surrogateescape")
