"""A repository whose user has work under way, a task that lands in it, and ways to kill that at a chosen moment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from world import MINITASK, TIMEOUT_SECONDS, Outcome, World, environment, run

TASK = "p/01-both"
VALIDATION = """\
grep -qx "LEVEL = 2" src/app.py
test "$(wc -l < src/made/new.py)" -eq 300
! grep -rq LEVEL.=.1 src"""
NEW = "".join(f"LINE_{number} = {number}\n" for number in range(300))
APP = "# the application\n" + "".join(f"X{number} = {number}\n" for number in range(200))
NOT_THE_USERS = ("src/app.py", "src/made/new.py", "elsewhere.txt")
NO_LOCKS = {"GIT_OPTIONAL_LOCKS": "0"}
WRAPPER = Path(__file__).with_name("git_that_kills.py")
STRACE = ("strace", "-f", "-qq", "-o", "/dev/null")


@dataclass(frozen=True)
class Plan:
    """When to kill: at the `at`th git call (of the kind `only`), `before`, `during`, `after` or `inside` it.

    `seconds` is how long the call runs first (`during`), or waits on its own after all else is dead (`orphan`).
    `inside` kills git at a system call that `tracer` names; `alone` kills nothing but git there. At the first call
    named `move_at` the script `move` is run first: what somebody else does to the target meanwhile.
    """

    at: int
    when: str
    only: str = ""
    seconds: float = 0.004
    tracer: tuple[str, ...] = ()
    move_at: str = ""
    move: str = ""


@dataclass(frozen=True)
class Scene:
    """What is run, on which target; `into` is empty where the target is the branch that is checked out."""

    into: str = ""
    moves: bool = False

    @property
    def target(self) -> str:
        """The branch that the task lands on."""
        return self.into or "main"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The command, which is the same before and after the kill."""
        return ("exec", TASK, *(("--into", self.into) if self.into else ()), "--json")

    def plan(self, plan: Plan) -> Plan:
        """The plan, with the target moving just before the first merge where the scene is about that."""
        if not self.moves:
            return plan
        if self.into:
            move = f"git update-ref refs/heads/{self.into} refs/heads/elsewhere"
        else:
            move = "git merge -q --ff-only refs/heads/elsewhere"
        clean = "for v in $(env | sed -n 's/^\\(GIT_[A-Z_]*\\)=.*/\\1/p'); do unset $v; done"
        path = f"PATH={shutil.which('git').rpartition('/')[0]}:$PATH"  # type: ignore[union-attr]
        return replace(plan, move_at="checkout", move=f"{clean}; {path}; cd ROOT && {move}")


MAIN, OTHER = Scene(), Scene(into="other")


@dataclass(frozen=True)
class Crash:
    """How a run that was to be killed ended, and the git calls that it made."""

    killed: bool
    outcome: Outcome
    calls: list[str] = field(default_factory=list)


def build(root: Path, *, validation: str = VALIDATION, app: str = APP) -> World:
    """The repository: a task, other branches, and the user's dirty, staged, stashed and untracked files."""
    world = World(root)
    world.init("--initial-branch=main")
    world.commit(
        {
            ".gitignore": "*.log\n",
            "src/app.py": f"{app}LEVEL = 1\n",
            "dirty.txt": "1\n",
            "staged.txt": "1\n",
            "stashed.txt": "1\n",
            "gone.txt": "1\n",
        }
    )
    world.task(
        TASK,
        whole={"src/app.py": f"{app}LEVEL = 2\n", "src/made/new.py": NEW},
        validation=validation,
    )
    world.git("branch", "other")
    world.git("checkout", "-q", "-b", "elsewhere")
    world.commit({"elsewhere.txt": "1\n"})
    world.git("checkout", "-q", "main")
    world.write({"stashed.txt": "2\n"})
    world.git("stash", "push", "--quiet")
    world.write({"staged.txt": "2\n", "added.txt": "1\n", "dirty.txt": "2\n", "a.log": "1\n"})
    world.git("add", "staged.txt", "added.txt")
    world.write({"staged.txt": "3\n", "src/mine.py": "", "untracked.txt": "1\n"})
    (root / "gone.txt").unlink()
    return world


def copy(template: World, root: Path) -> World:
    """A repository like the template; the index is refreshed, for the files' times are others."""
    shutil.copytree(template.root, root, symlinks=True)
    world = World(root)
    world.git("status")
    return world


def state_of_user(world: World) -> Any:
    """All in the checkout and the index that is the user's own, and the stash."""
    files = {
        name: path.read_bytes()
        for path in sorted(world.root.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(world.root).as_posix()).startswith(".git/")
    }
    entries = world.git("ls-files", "--stage", "-z", env=NO_LOCKS).split("\0")
    return {
        "files": {name: content for name, content in files.items() if name not in NOT_THE_USERS},
        "index": [e for e in entries if e.partition("\t")[2] not in NOT_THE_USERS],
        "stash": world.git("stash", "list"),
        "HEAD": (world.root / ".git/HEAD").read_text(),
        "config": (world.root / ".git/config").read_text(),
    }


def status(world: World) -> str:
    """What `git status` says, ignored files included."""
    return world.git("status", "--porcelain=v1", "--ignored", "--untracked-files=all", env=NO_LOCKS)


@dataclass
class Killer:
    """Starts the toolkit so that it can be killed with its whole process group."""

    world: World
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, plan: Plan, *arguments: str) -> Crash:
        """Run to the plan's moment, or to the end where that never comes."""
        self._prepare(plan)
        env = {
            "KILL_PLAN": str(self.folder / "plan.json"),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
        }
        with self._start(arguments, env) as process:
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        calls = (self.folder / "calls").read_text().splitlines()
        killed = (self.folder / "killed").exists()
        return Crash(killed, Outcome(process.returncode, stdout, stderr), calls)

    def run_until(self, is_time: Callable[[], bool], *arguments: str) -> Crash:
        """Run until it is time to kill; time is looked at often."""
        self.folder.mkdir(parents=True)
        with self._start(arguments, {}) as process:
            while not is_time() and process.poll() is None:
                time.sleep(0.001)
            killed = process.poll() is None
            if killed:
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        return Crash(killed, Outcome(process.returncode, stdout, stderr))

    def run_traced(self, call: str, at: int, *arguments: str) -> Crash:
        """Kill the toolkit at the `at`th system call of a kind that its main thread makes."""
        self.folder.mkdir(parents=True)
        tracer = (*STRACE, "-e", f"inject={call}:signal=SIGKILL:when={at}")
        with self._start(
            arguments, {}, tracer=[word for word in tracer if word != "-f"]
        ) as process:
            stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
        killed = process.returncode == -signal.SIGKILL
        return Crash(killed, Outcome(process.returncode, stdout, stderr))

    def _prepare(self, plan: Plan) -> None:
        (self.folder / "bin").mkdir(parents=True)
        program = self.folder / "bin" / "git"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {WRAPPER} "$@"\n')
        program.chmod(0o755)
        held = {**vars(plan), "folder": str(self.folder), "git": shutil.which("git")}
        held["move"] = plan.move.replace("ROOT", str(self.world.root))
        (self.folder / "plan.json").write_text(json.dumps(held))

    def _start(
        self, arguments: tuple[str, ...], env: Mapping[str, str], *, tracer: Sequence[str] = ()
    ) -> subprocess.Popen[str]:
        note = f'echo $$ > "{self.folder}/pid"; exec "$@"'
        return subprocess.Popen(
            ("sh", "-c", note, "sh", *tracer, *MINITASK, *arguments),
            cwd=self.world.root,
            env=environment({**self.env, **env}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@dataclass
class Aftermath:
    """What must hold after a kill and, once the same command has run again, at the end."""

    world: World
    scene: Scene
    start: str
    user: Any
    status: str

    @classmethod
    def before(cls, world: World, scene: Scene) -> Aftermath:
        """Remember how things are."""
        return cls(world, scene, world.tip(scene.target), state_of_user(world), status(world))

    def check_after_kill(self, scratch: Path) -> None:
        """The repository is sound, the user's work is there, and the target holds what is proven."""
        self._check_repository()
        assert state_of_user(self.world) == self.user, "the user's work after the kill"
        self._check_target(scratch)

    def check_completion(self, scratch: Path, *options: str) -> None:
        """The same command completes, and leaves nothing behind but what it should."""
        again = self.world.minitask(*self.scene.arguments, *options)
        assert again.code == 0, again.text
        assert again.json["verdict"] == "merged", again.text
        self._check_repository()
        assert state_of_user(self.world) == self.user, "the user's work at the end"
        assert status(self.world) == self.status, "the status at the end"
        assert not stale_files(self.world), stale_files(self.world)
        assert self._check_target(scratch) == 1
        check_ledger(self.world, f"{self.start}..{self.scene.target}")
        self.world.git("gc", "--quiet", "--prune=now")
        self._check_repository()

    def _check_repository(self) -> None:
        fsck = run(("git", "fsck", "--strict", "--no-dangling"), cwd=self.world.root, check=False)
        assert fsck.code == 0, fsck.text
        assert "error" not in fsck.text, fsck.text
        self.world.git("branch", "--list")
        self.world.git("status", "--porcelain", env=NO_LOCKS)

    def _check_target(self, scratch: Path) -> int:
        """How many merges the target has gained; each must pass the validation on a fresh clone of it."""
        span = f"{self.start}..{self.scene.target}"
        lines = self.world.git("rev-list", "--first-parent", "--parents", span).splitlines()
        landed = 0
        for line in lines:
            commit, *parents = line.split()
            if len(parents) == 1 and self.scene.moves:
                assert commit == self.world.tip("elsewhere")
                continue
            assert len(parents) == 2, f"{commit} on the target is no merge"
            prove_in_clone(self.world, commit, scratch / commit)
            landed += 1
        return landed


def check_ledger(world: World, span: str) -> None:
    """Each merge of a task is named by exactly one record, in the ledger as it is and as `show` tells it."""
    found = world.git("rev-list", "--first-parent", "--merges", span).split()
    for records in (world.ledger(), world.records(TASK)):
        named = [record["merge"] for record in records]
        assert [merge for merge in found if named.count(merge) != 1] == []


def prove_in_clone(world: World, commit: str, folder: Path) -> None:
    """Run the task's validation on a fresh clone of a commit."""
    if not folder.exists():
        run(("git", "clone", "--quiet", "--no-checkout", world.root, folder), cwd=world.root)
        run(("git", "checkout", "--quiet", "--detach", commit), cwd=folder)
    for command in VALIDATION.splitlines():
        run(("bash", "-c", command), cwd=folder)


def stale_files(world: World) -> list[str]:
    """Locks and drafts that nobody holds any more."""
    git_dir = world.root / ".git"
    found = [
        *git_dir.rglob("*.lock"),
        *git_dir.rglob("*.keep"),
        git_dir / "minitask" / "advance.json",
    ]
    return sorted(str(path.relative_to(git_dir)) for path in found if path.exists())
