"""The context of a command on a repository: settings, objects, workspaces, sandbox, signature, and clock."""

from __future__ import annotations

import platform
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from minitask.concurrency import BackgroundCall
from minitask.errors import MachineError, NoBranchError, UsageError
from minitask.git import history, refs, update_target
from minitask.git.commits import Database, NewCommit, Signer, open_database, write_tree
from minitask.git.history import Landing
from minitask.git.objects import Objects
from minitask.git.repository import Repository, Signature, committer, head_branch
from minitask.ledger.record import TaskResult
from minitask.patterns import lazy_pattern
from minitask.sandbox.choose_sandbox import choose_sandbox
from minitask.sandbox.policy import Grant, Strength, granted
from minitask.sandbox.sandbox import Limits, Sandbox, Wrapped
from minitask.sandbox.shared_layers import Layer
from minitask.settings import Settings
from minitask.spec.model import Options
from minitask.spec.paths import check_path
from minitask.system import files
from minitask.system.files import Cache, real_path
from minitask.workspace import checkout, places
from minitask.workspace.checkout import SharedPaths, Workspace
from minitask.workspace.incremental import IncrementalCheckout
from minitask.workspace.pool import BuildCache, WorkspacePool, open_build_cache

if TYPE_CHECKING:
    from minitask.executors.retry import ReachedLimits

BAD_REF = lazy_pattern(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[/.]$")
"""Characters and sequences that git-check-ref-format(1) forbids in a ref's name."""


class Progress(Struct, frozen=True):
    """A progress event of a task: its stage, a short text, and finally its result."""

    task: str
    stage: str
    text: str = ""
    result: TaskResult | None = None


class Context(Struct):
    """Everything that an attempt needs; created by `open_context`, under the repository's lock.

    Thread-safe: hold `writing` to append to the ledger, `landing` to move a target. `lessons` are another ledger's
    statistics, to use instead of this one's. `built_on` maps each merge written here to its tip.
    """

    repository: Repository
    database: Database
    settings: Settings
    cache: Cache
    environ: Mapping[str, str]
    emit: Callable[[Progress], None]
    clock: Callable[[], float] = time.time
    writing: threading.RLock = field(default_factory=threading.RLock)
    landing: threading.RLock = field(default_factory=threading.RLock)
    lessons: Mapping[str, Any] | None = field(default=None)
    built_on: dict[str, str] = field(default_factory=dict)
    _signature: Signature | None = field(default=None)
    _signer: Signer | None = field(default=None)
    _sandbox: Sandbox | None = field(default=None)
    _slots: WorkspacePool | None = field(default=None)
    _build_cache: BuildCache | None = field(default=None)
    _asked: BackgroundCall[Signature] | None = field(default=None)
    _past: tuple[str, str, BackgroundCall[dict[str, Landing]]] | None = field(default=None)
    _reached: ReachedLimits | None = field(default=None)
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def objects(self) -> Objects:
        """Return the repository's objects."""
        return self.database.objects

    @property
    def slots(self) -> WorkspacePool:
        """Return the workspaces for validations."""
        with self._making:
            if self._slots is None:
                bring = self.bring()
                home = places.work_folder(self.repository) / "slots"

                def make(number: int) -> IncrementalCheckout:
                    slot = Workspace(home / str(number), self.repository, bring)
                    return IncrementalCheckout(
                        slot, self.objects, strength=lambda: self.sandbox.strength
                    )

                self._slots = WorkspacePool(make, self._open_build_cache)
            return self._slots

    @property
    def reached(self) -> ReachedLimits:
        """Return the executors that have reached a limit."""
        with self._making:
            if self._reached is None:
                from minitask.executors.retry import ReachedLimits

                self._reached = ReachedLimits()
            return self._reached

    def _open_build_cache(self) -> BuildCache | None:
        """Return the folders that tools reuse between tasks, or None if disabled, or if commands could reach them."""
        names = self.settings.build_cache
        if self._build_cache is None and names and self.sandbox.strength is not Strength.NONE:
            self._build_cache = open_build_cache(
                places.work_folder(self.repository),
                names,
                where=(self.environ.get("PATH"), self.settings.values["workspace"]),
                layered=self._can_overlay(),
                git=self.repository.git,
            )
        return self._build_cache

    @property
    def sandbox(self) -> Sandbox:
        """Return the sandbox for validation commands; raise `MachineError` if it is weaker than the config requires."""
        if self._sandbox is None:
            sandbox = choose_sandbox(
                self.settings.sandbox,
                cache=self.repository.home / "cache" / "sandbox.json",
                environ=self.environ,
                scratch=scratch_folder(self.repository),
            )
            names = self.settings.values["workspace"]["read"]
            home = self.environ.get("HOME", "")
            readable = tuple(Path(re.sub("^~", home, name)) for name in names)
            self._sandbox = replace(sandbox, readable=readable)
        return self._sandbox

    def set_signature(self, signature: Signature) -> None:
        """Commit in this name, regardless of git's settings."""
        self._signature = signature

    def begin(self, commit: str) -> None:
        """Start in the background what every task needs: find the committer, and check out a commit in a workspace."""
        self._asked = BackgroundCall(self._ask_git)
        self.slots.begin(commit)

    def _ask_git(self) -> Signature:
        who = committer(self.repository)
        self.signer.find_out()
        return who

    def look_back(self, commit: str, path: str) -> None:
        """Start to read the landings since a commit's file was added; do nothing if no task will run."""
        if self._asked is not None:
            call = partial(history.landed_since, self.repository.git, commit, path)
            self._past = commit, path, BackgroundCall(call)

    def landed_since(self, commit: str, path: str) -> dict[str, Landing]:
        """Return each task's newest landing or undo since a commit's file was added."""
        if self._past is not None and self._past[:2] == (commit, path):
            return self._past[2].result()
        return history.landed_since(self.repository.git, commit, path)

    def end(self) -> None:
        """Wait for background calls whose result was not used."""
        for begun in (self._asked, self._past and self._past[2]):
            if begun is not None:
                begun.wait()
        if self._slots is not None:
            self._slots.end()

    def bring(self) -> SharedPaths:
        """Return the paths to share with workspaces or copy there; raise `UsageError` for one outside the checkout."""
        top = self.repository.top
        for name in (*self.settings.share, *self.settings.copy):
            is_pattern = top is not None and "*" in name and not (top / name).exists()
            reason = "is a pattern: name each" if is_pattern else check_path(name)
            inside = top is None or real_path(top / name).is_relative_to(real_path(top))
            if reason or not inside:
                raise UsageError(
                    f"workspace: {name!r} is not a path inside the checkout: {reason or 'it leads outside'}",
                    hint="name files and folders inside the repository",
                )
        layered = bool(self.settings.share) and self._can_overlay()
        share = places.with_link_targets(top, self.settings.share)
        return SharedPaths(share, self.settings.copy, layered)

    def _can_overlay(self) -> bool:
        """Return True if a folder can get a private layer; tried once, and cached."""
        if not self.sandbox.has_private_mounts:
            return False
        from minitask.sandbox.shared_layers import can_overlay

        def wrap(command: Sequence[str], layer: Layer) -> Wrapped:
            return replace(self.sandbox, layers=(layer,)).wrap(
                command,
                workspace=layer.target.parent,
                limits=Limits(),
                network=False,
                environ=self.environ,
            )

        folder = places.work_folder(self.repository)
        key = f"overlay\0{folder}\0{self.sandbox.describe()}\0{self.sandbox.program}\0{platform.release()}"
        return bool(self.cache.document(key, lambda: can_overlay(folder, wrap)))

    @property
    def signature(self) -> Signature:
        """Return the committer by git's settings, read at the first use."""
        if self._signature is None:
            self._signature = self._asked.result() if self._asked else committer(self.repository)
        return self._signature

    @property
    def signer(self) -> Signer:
        """Return the signer of commits."""
        with self._making:
            if self._signer is None:

                def warn(text: str) -> None:
                    self.emit(Progress("", "warning", text))

                self._signer = Signer(self.repository, warn)
            return self._signer

    def signed(self, commit: NewCommit) -> NewCommit:
        """Return a commit for the user's history, signed if git is configured to sign."""
        if not self.signer.find_out():
            return commit
        tree = write_tree(self.objects, commit)
        return self.signer.signed(replace(commit, tree=tree, writes=()))

    def network(self, options: Options) -> Grant:
        """Return the network access of a spec's commands."""
        return granted(options.network, self.settings.network)

    def limits(self, seconds: int | None) -> Limits:
        """Return the limits of a validation; a spec can only shorten the time limit."""
        settings = self.settings.limits
        allowed = float(settings["seconds"])
        return Limits(
            seconds=min(allowed, float(seconds)) if seconds else allowed,
            memory_bytes=settings["memory_mb"] << 20,
            processes=settings["processes"],
            output_bytes=settings["output_mb"] << 20,
        )

    def target(self, into: str | None) -> str:
        """Return the full ref of the branch that tasks land on."""
        name = into or self.settings.target
        ref = head_branch(self.repository)
        if name:
            ref = f"refs/heads/{name.removeprefix('refs/heads/')}"
        if ref is None:
            raise update_target.no_branch(self.repository.git_dir)
        if BAD_REF.search(ref):
            raise UsageError(
                f"{name} is not the name of a branch", hint="name one that `git branch` lists"
            )
        return ref

    def tip(self, target: str) -> str:
        """Return the commit at a branch's tip; raise `NoBranchError` if the branch does not exist."""
        tip = self._commit_at(target)
        if tip is not None:
            return tip
        name = target.removeprefix("refs/heads/")
        if self.objects.commit("HEAD") is None:
            unborn = (head_branch(self.repository) or "HEAD").removeprefix("refs/heads/")
            hint = "git add FILES && git commit, or git switch BRANCH"
            raise UsageError(f"the branch {unborn} has no commits yet", hint=hint)
        is_set = (self.settings.target or "").removeprefix("refs/heads/") == name
        whose = f" (`target`, from {self.settings.sources['target']})" if is_set else ""
        raise NoBranchError(f"there is no branch {name}{whose}", hint="create it with `git branch`")

    def _commit_at(self, ref: str) -> str | None:
        repository = self.repository
        return refs.commit_at(repository.git, repository.common_dir, self.objects, ref)

    def ledger_head(self) -> str | None:
        """Return the newest commit of the ledger, if there is one."""
        return self._commit_at(refs.LEDGER)


@contextmanager
def open_context(
    repository: Repository,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    purpose: str,
    emit: Callable[[Progress], None] = lambda _progress: None,
    looks_only: bool = False,
) -> Iterator[Context]:
    """Yield a context that holds the repository's lock, after repairing the state that a killed command may have left.

    With `looks_only`, it neither waits for the lock nor repairs anything.
    """
    home = repository.home
    with ExitStack() as stack:
        if looks_only:
            database = stack.enter_context(open_database(repository))
            yield Context(repository, database, settings, Cache(home / "cache"), environ, emit)
            return

        def waiting(holder: str) -> None:
            text = f"another minitask is running in this repository (process {holder})"
            emit(Progress("", "waiting", text))

        try:
            lock = stack.enter_context(files.hold(home / "lock", on_wait=waiting))
            locked = repository.locked(lock.fd)
            _recover(locked, abandoned=lock.abandoned)
            places.claim(locked)
            lock.claim(purpose)
        except OSError as error:
            raise MachineError(
                f"cannot write to {error.filename or home}: {error.strerror or error}",
                hint="check the disk's space and the folder's permissions",
            ) from None
        database = stack.enter_context(open_database(locked))
        engine = Context(locked, database, settings, Cache(home / "cache"), environ, emit)
        stack.callback(engine.end)
        yield engine


def scratch_folder(repository: Repository) -> Path:
    """Return the folder for the homes of sessions without bubblewrap."""
    return places.work_folder(repository) / "scratch"


def _recover(repository: Repository, *, abandoned: bool) -> None:
    """Repair the state after a killed command: validations, stale locks of the toolkit's refs, a half-written checkout.

    `abandoned`: the last command was certainly killed; otherwise perhaps only git was.
    """
    if abandoned:
        for folder in (repository.home, *places.work_folders(repository)):
            checkout.end_orphans(folder / "scratch")
    refs.remove_stale_locks(repository.common_dir)
    if (repository.home / update_target.JOURNAL).exists():
        update_target.recover(repository)
