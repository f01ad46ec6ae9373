"""A workspace for a program that edits files itself: a private home and git repository, and detection of its changes.

The toolkit compares the files with its own index, outside the program's reach, and ignores the program's `.git`:
anything that it committed, stashed or configured there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from msgspec.structs import replace

from minitask.edits.script_model import Change
from minitask.errors import EditError, MachineError
from minitask.git.repository import Repository, exclude_files
from minitask.git.run_git import Git
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.spec.paths import prefixes
from minitask.system import files, pipes, process
from minitask.system.files import force_remove, real_path
from minitask.system.process import Finished
from minitask.values import Redacted
from minitask.workspace import tracked_files
from minitask.workspace.checkout import Workspace, alternates_to

FILE_BYTES = 8 << 20
OUTPUT_BYTES = 16 << 20
MEMORY_BYTES = 16 << 30
PROCESSES = 2_000
LITTER = (
    *("__pycache__", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"),
    *(".coverage", ".coverage.*", "*.egg-info", "node_modules", ".DS_Store"),
)
"""Names of files and folders that tools leave behind: an agent that runs tests did not mean to add them."""
IDENTITY = "[user]\n\tname = agent\n\temail = agent@minitask.invalid\n"
"""Identity for commits in an agent's repository: some agents refuse to work without one."""


class AgentWorkspace(Redacted, frozen=True):
    """An agent's workspace: the base's files in `folder`, a private `home`, and its sandbox."""

    HIDDEN: ClassVar[tuple[str, ...]] = ("environ",)

    slot: Workspace
    home: Path
    sandbox: Sandbox
    environ: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """Return the folder of the files."""
        return self.slot.tree

    @property
    def is_sandboxed(self) -> bool:
        """Return True if it has a sandbox."""
        return self.sandbox.strength is not Strength.NONE

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes,
        env: Mapping[str, str],
        seconds: float,
        sandboxed: bool = True,
        readable: Sequence[Path] = (),
        patience: Callable[[bytes], float] | None = None,
    ) -> Finished:
        """Run a program on the files, with network access; then end it and all its children.

        The end of its output is kept. `env` extends the harmless variables, `readable` the readable paths. `patience`
        returns the remaining time in seconds for each chunk of output.
        """
        sandbox = self.sandbox if sandboxed else Sandbox(Strength.NONE, scratch=self.home.parent)
        wrapped = sandbox.wrap(
            tuple(argv),
            workspace=self.folder,
            limits=Limits(seconds, MEMORY_BYTES, PROCESSES, output_bytes=OUTPUT_BYTES),
            network=True,
            environ=self.environ,
            readonly=(*self.slot.repository.object_stores(), *readable),
            extra_writable=(self.home, self.folder / ".git"),
            extra_env={**env, "HOME": str(self.home)},
        )
        try:
            with wrapped:
                return process.run(
                    wrapped.argv,
                    cwd=self.folder,
                    env=wrapped.env,
                    input=stdin,
                    timeout_seconds=seconds,
                    max_output_bytes=OUTPUT_BYTES,
                    keep_end=True,
                    optional=True,
                    patience=patience,
                )
        finally:
            pipes.end_marked(os.fsencode(f"HOME={self.home}"))

    def put(self, changes: Sequence[Change]) -> None:
        """Write a change to the files."""
        for change in changes:
            path = self.folder / change.path
            if not real_path(path.parent).is_relative_to(real_path(self.folder)):
                raise MachineError(f"{change.path} is behind a link")
            path.unlink(missing_ok=True)
            if change.content is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(change.content.encode("utf-8", "surrogateescape"))

    def changes(self, *, litter: Sequence[str], listed: Sequence[str] = ()) -> tuple[Change, ...]:
        """Return the changes to the base, without files that the user's git ignores or that match `litter`.

        Untracked files named in `LITTER` are excluded too; `listed` files are included even if git ignores them.
        Contents are as in a commit: line ends, `ident` and encodings are converted by the attributes. Raise `EditError`
        for a path that is no longer a regular file, or too large for a source file.
        """
        git = self.slot.git
        ignored = (f"--exclude-from={path}" for path in exclude_files(self.slot.repository))
        flags = ("--modified", "--deleted", "--others", "--exclude-standard", *ignored)
        changed = git.fields("ls-files", "-z", *flags)
        names = {
            name for name in changed if not any(_is_litter(name, pattern) for pattern in litter)
        }
        left = {name for name in names if any(map(partial(_is_named, name), LITTER))}
        if left:
            names -= left.difference(git.fields("ls-files", "-z"))
        if listed:
            names.update(git.fields("ls-files", "-z", "--others", "--", *map(_literal, listed)))
        contents = {name: self._content(name) for name in sorted(names)}
        converted = tracked_files.as_committed(self.slot, contents)
        executable = self._made_executable(contents)
        return tuple(
            Change(name, converted.get(name, text), executable=name in executable)
            for name, text in contents.items()
        )

    def _made_executable(self, names: Iterable[str]) -> frozenset[str]:
        """Return the files that have become executable."""
        files = [name for name in names if os.access(self.folder / name, os.X_OK)]
        if not files:
            return frozenset()
        staged = self.slot.git.fields("ls-files", "-s", "-z")
        had = {row.partition("\t")[2] for row in staged if row.startswith("100755 ")}
        return frozenset(files) - had

    def _content(self, name: str) -> str | None:
        """Return a file's content; None if it is gone."""
        if name.endswith("/"):  # git lists a nested repository so
            message = f"{name} is a git repository of its own now"
            raise EditError(message, hint="remove its .git, or the folder")
        content = files.read_regular_file(self.folder, name, limit=FILE_BYTES)
        return None if content is None else content.decode("utf-8", "surrogateescape")


@contextmanager
def open_agent_workspace(
    slot: Workspace, commit: str, *, sandbox: Sandbox, scratch: Path, environ: Mapping[str, str]
) -> Iterator[AgentWorkspace]:
    """Yield a workspace with a commit's files; afterwards remove its home, but keep the files for reuse."""
    discard_git(slot)
    slot.checkout(commit)
    private = Path(os.path.realpath(scratch)) / f"agent-{os.urandom(8).hex()}"
    home = private / "home"
    try:
        home.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise MachineError(f"cannot make {home}: {error}", hint="free some disk space") from error
    try:
        _give_git(slot, commit)
        yield AgentWorkspace(slot, home, sandbox, environ)
    finally:
        force_remove(private)
        discard_git(slot)


def discard_git(slot: Workspace) -> None:
    """Remove the program's own repository from the files."""
    force_remove(slot.tree / ".git")


def _give_git(slot: Workspace, commit: str) -> None:
    """Create a repository in the files, at the commit, borrowing its objects."""
    discard_git(slot)
    git_dir = slot.tree / ".git"
    for name in ("objects/info", "refs/heads", "info"):
        (git_dir / name).mkdir(parents=True)
    (git_dir / "HEAD").write_text(f"{commit}\n", "ascii")
    shutil.copy2(slot.git_dir / "index", git_dir / "index")
    shutil.copy2(slot.git_dir / "packed-refs", git_dir / "packed-refs")
    (git_dir / "config").write_text(
        (slot.git_dir / "config").read_text("utf-8") + IDENTITY, "utf-8"
    )
    shutil.copy2(slot.git_dir / "objects/info/alternates", git_dir / "objects/info/alternates")
    (git_dir / "info/exclude").write_bytes(slot.excludes())


def _literal(name: str) -> str:
    """Return a pathspec that matches only this path."""
    return f":(literal,top){name}"


def _is_named(name: str, pattern: str) -> bool:
    """Return True if a component of the path matches the pattern."""
    return any(fnmatch(part, pattern) for part in name.split("/"))


def _is_litter(name: str, pattern: str) -> bool:
    """Return True if the path, or a folder above it, matches the pattern."""
    return any(fnmatch(head, pattern) for head in prefixes(name))


@contextmanager
def temporary_objects(repository: Repository) -> Iterator[Git]:
    """Yield a git on the repository for trial merges, whose objects are not kept."""
    with TemporaryDirectory(prefix="minitask-") as folder:
        info_dir = Path(folder, "info")
        info_dir.mkdir()
        (info_dir / "alternates").write_bytes(alternates_to(repository.objects_dir))
        yield replace(repository.git, new_objects=Path(folder))
