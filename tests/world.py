"""The world of an end-to-end test: real repositories, real specs, and the command line itself.

    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    outcome = world.minitask("exec", "p/01-b", "--json")
    assert outcome.code == 0
    assert outcome.json["verdict"] == "merged"

A task is a committed spec below `mini-projects/`. Nothing here looks inside the package.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from executors.model_server import Script, ScriptedServer, scripted_server
from forked import can_fork, run_forked

MINITASK = (sys.executable, "-m", "minitask")
TIMEOUT_SECONDS = 60.0
LEDGER = "refs/minitask/ledger"
Environment = Mapping[str, str | None]
"""Variables to add; None takes one away."""
Settings = Callable[..., dict[str, Any]]
"""What gives a configuration for the address of a server."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that a user sees."""
        return self.stdout + self.stderr

    @property
    def json(self) -> Any:
        """The one document on stdout; anything beside it is an error."""
        try:
            return json.loads(self.stdout)
        except ValueError:
            raise AssertionError(f"no JSON, exit code {self.code}:\n{self.text}") from None

    @property
    def verdicts(self) -> dict[str, str]:
        """What became of each task of a run."""
        return {task["task"]: task["verdict"] for task in self.json["tasks"]}

    def proposed(self, word: str) -> tuple[str, ...]:
        """The arguments of the command line that the output proposes and that begins with `word`."""
        for line in self.text.splitlines():
            start = line.find(f"{word} ")
            if start >= 0:
                return tuple(shlex.split(line[start:].rstrip(" `)")))
        raise AssertionError(f"no `{word} …` in:\n{self.text}")


def environment(changes: Environment | None = None) -> dict[str, str]:
    """The test's variables with the changes made."""
    merged: dict[str, str | None] = {**os.environ, **(changes or {})}
    return {name: value for name, value in merged.items() if value is not None}


def run(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    env: Environment | None = None,
    check: bool = True,
) -> Outcome:
    """Run a program to its end."""
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    outcome = Outcome(
        done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
    if check and outcome.code:
        raise AssertionError(f"{arguments} ended with {outcome.code}:\n{outcome.text}")
    return outcome


def spec_text(
    *,
    validation: str,
    whole: Mapping[str, str] | None = None,
    snippets: str = "",
    writes: Sequence[str] | None = None,
    reads: Sequence[str] = (),
    front: Mapping[str, Any] | None = None,
    number: int = 1,
    title: str = "Write a file",
) -> str:
    """A spec. `whole` is its edit script, file by file; `writes` are those files where not given.

    Paths may be followed by a note: `a.txt (lines 5-7)`, `a.txt (edit)`.
    """
    whole = whole or {}
    fences = "".join(f'```text path="{path}"\n{text}```\n\n' for path, text in whole.items())
    lines = ["---", yaml.safe_dump(dict(front)), "---", ""] if front else []
    lines += [f"# Mini-Task {number}: {title}", ""]
    lines += ["**Files to Read**:", *map(cited, reads), ""] if reads else []
    named = list(whole) if writes is None else writes
    lines += ["**Files to Create/Edit**:", *map(cited, named), ""]
    lines += ["## Context", "", "A test.", "", "## Task", "", f"1. {title}.", ""]
    lines += ["## Code Snippets", "", fences + snippets, ""] if fences or snippets else []
    lines += ["## Acceptance Criteria", "", "- [ ] The validation passes", ""]
    lines += ["## Validation", "", "```bash", validation, "```", ""]
    lines += ["## On Failure", "", "Stop and report.", "", "## Next Task", "", "None.", ""]
    return "\n".join(lines)


def cited(ref: str) -> str:
    """A list item for a path, with the lines that may follow it."""
    path, bracket, lines = ref.partition(" (")
    return f"- `{path}`{bracket}{lines}"


@dataclass(frozen=True)
class World:
    """A repository, its user, and the toolkit as that user runs it."""

    root: Path

    @property
    def slot(self) -> Path:
        """The first workspace for validations: in the cache of whoever runs this, wherever it lies."""
        name = hashlib.sha256(os.fsencode((self.root / ".git").resolve())).hexdigest()[:16]
        return Path.home() / ".cache/minitask" / name / "slots/0"

    def init(self, *options: str) -> None:
        """Make the repository."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--template=", *options)
        (self.root / ".git/hooks").mkdir(exist_ok=True)

    def git(self, *arguments: str, check: bool = True, env: Environment | None = None) -> str:
        """What a git command prints, without the last newline."""
        done = run(("git", *arguments), cwd=self.root, check=check, env=env)
        return done.stdout.removesuffix("\n")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files into the checkout."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes], *, message: str = "change") -> str:
        """Write and commit files, and nothing else; the new commit."""
        self.write(files)
        self.git("add", "--", *files)
        told = self.git("-c", "core.abbrev=40", "commit", "--message", message, "--", *files)
        return re.search(r"[0-9a-f]{40}(?=\] )", told)[0]

    def task(self, name: str, **fields: Any) -> str:
        """Commit the spec of task PROJECT/ID, written by `spec_text`; its path."""
        path = spec_path(name)
        self.commit({path: spec_text(**fields)}, message=f"spec: {name}")
        return path

    def minitask(
        self, *arguments: str, cwd: Path | None = None, env: Environment | None = None
    ) -> Outcome:
        """Run `minitask`; unlike git's, its exit code is the caller's to judge."""
        folder, variables = cwd or self.root, environment(env)
        if not can_fork(variables):
            return run((*MINITASK, *arguments), cwd=folder, check=False, env=env)
        code, *printed = run_forked(arguments, cwd=folder, env=variables, timeout=TIMEOUT_SECONDS)
        return Outcome(code, *(text.decode(errors="replace") for text in printed))

    def start(self, *arguments: str, env: Environment | None = None) -> subprocess.Popen[bytes]:
        """Start `minitask` in a session of its own, which prints nothing; for what ends it before its end."""
        quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        call: Any = {"cwd": self.root, "env": environment(env), "start_new_session": True}
        return subprocess.Popen((*MINITASK, *arguments), **call, **quiet)

    def exec(self, spec: str, *arguments: str, **options: Any) -> Outcome:
        """Run `minitask exec … --json`."""
        return self.minitask("exec", spec, *arguments, "--json", **options)

    def proven(self, name: str, **fields: Any) -> Any:
        """Commit a task and prove it, and leave its landing to the test; what it came to."""
        self.task(name, **fields)
        found = self.exec(name, "--no-merge")
        assert found.json["verdict"] == "ready", found.text
        return found.json

    def landed(self, name: str, **fields: Any) -> Any:
        """Commit a task, and run it until it has landed; what it came to."""
        self.task(name, **fields)
        found = self.exec(name)
        assert found.json["verdict"] == "merged", found.text
        return found.json

    def records(self, task: str) -> list[dict[str, Any]]:
        """The task's records, oldest first."""
        found: list[dict[str, Any]] = self.minitask("show", task, "--json").json["records"]
        return found

    def ledger_files(self, *, ending: str = ".json") -> list[str]:
        """The ledger's files: records, or with `.said` what models were told and said."""
        names = self.git("ls-tree", "-r", "-z", "--name-only", LEDGER).split("\0")
        return [name for name in names if name.endswith(ending)]

    def ledger(self) -> list[dict[str, Any]]:
        """Every record of the ledger."""
        return [json.loads(self.show(name, at=LEDGER)) for name in self.ledger_files()]

    def configure(self, **settings: Any) -> None:
        """Write the user's own configuration, which needs no trust."""
        folder = Path(os.environ["XDG_CONFIG_HOME"], "minitask")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))

    @contextlib.contextmanager
    def serve(
        self, script: Script, settings: Settings | None = None, **more: Any
    ) -> Iterator[ScriptedServer]:
        """Serve the models of a configuration, `model_settings` if no other is named, by a script."""
        with scripted_server(script) as server:
            self.configure(**(settings or model_settings)(server.base_url, **more))
            yield server

    def add_remote(self) -> World:
        """A bare repository, which is known as origin."""
        place = World(self.root.parent / "remote.git")
        run(("git", "init", "-q", "--bare", "-b", "main", place.root), cwd=self.root)
        self.git("remote", "add", "origin", str(place.root))
        return place

    def tip(self, ref: str = "main") -> str:
        """The commit of a ref."""
        return self.git("rev-parse", "--verify", f"{ref}^{{commit}}")

    def refs(self, *patterns: str) -> dict[str, str]:
        """What every ref points to."""
        form = "--format=%(refname) %(objectname)"
        lines = self.git("for-each-ref", form, *patterns).splitlines()
        return dict(line.split(" ") for line in lines)

    def show(self, path: str, *, at: str = "main") -> str:
        """The content of a file in a commit."""
        return run(("git", "cat-file", "blob", f"{at}:{path}"), cwd=self.root).stdout

    def has(self, path: str, *, at: str = "main") -> bool:
        """Whether a commit holds a file."""
        return run(("git", "cat-file", "-e", f"{at}:{path}"), cwd=self.root, check=False).code == 0

    def trailers(self, commit: str) -> dict[str, str]:
        """The trailers of a commit's message."""
        form = "--format=%(trailers:only,unfold)"
        lines = self.git("log", "-1", form, commit).splitlines()
        return dict(line.split(": ", 1) for line in lines if line)


Once = Callable[[Callable[[World], None]], World]
"""A fixture's kind: it does work in a world, or copies one in which that was done before."""


def bubblewrap_works() -> bool:
    """Whether bubblewrap is here and may make its namespaces."""
    probe = ("bwrap", "--unshare-all", "--ro-bind", "/", "/", "true")
    return shutil.which("bwrap") is not None and not subprocess.call(
        probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


STRENGTHS = ("strong", "partial", "none")


def in_strength(world: World, strength: str, **settings: Any) -> dict[str, str]:
    """Configure a strength of the sandbox; the variables that bring it about: a bubblewrap that fails for `partial`."""
    world.configure(sandbox="none" if strength == "none" else "auto", **settings)
    if strength != "partial":
        return {}
    folder = Path(os.environ["HOME"], "no-bubblewrap")
    write_program(folder / "bwrap", "#!/bin/sh\nexit 1\n")
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def write_program(path: Path, text: str) -> Path:
    """Write a program, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def agent_settings(program: Path, *words: str, model: str = "m", **entry: Any) -> dict[str, Any]:
    """A configuration whose only executor is a program, called with these words."""
    fake = {"type": "command", "command": [str(program), *words], **entry}
    return {"executors": {"fake": fake}, "tiers": {"cheap": {"executor": "fake", "model": model}}}


def spec_path(name: str) -> str:
    """Where the spec of task PROJECT/ID stands."""
    return f"mini-projects/{name}.md"


def model_settings(base_url: str, **more: Any) -> dict[str, Any]:
    """A configuration whose only model, `tiny`, is served at `base_url`: 10 and 20 USD a million."""
    return {
        "executors": {"scripted": {"type": "openai", "base_url": base_url}},
        "tiers": {"cheap": {"executor": "scripted", "model": "tiny"}},
        "prices": {"tiny": {"input": 10, "output": 20}},
        **more,
    }


@dataclass
class Held:
    """A command that runs while the test does something else; its outcome comes at the end."""

    process: subprocess.Popen[str]
    result: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        assert self.result is not None, "it has not ended yet"
        return self.result


@dataclass(frozen=True)
class Checkpoint:
    """A place in a validation where it waits for the test.

    Its command needs `sandbox: none`, since it writes outside the workspace. It waits only where
    `only_with` exists: not on the base, where the validation has to fail.
    """

    folder: Path
    only_with: str

    @property
    def command(self) -> str:
        """The validation command: says that it was reached, then waits; it always passes."""
        reached, go = (shlex.quote(str(self.folder / name)) for name in ("reached", "go"))
        wait = f"until [ -e {go} ]; do sleep 0.02; done"
        return f"if [ -e {self.only_with} ]; then echo x >> {reached}; {wait}; fi"

    @property
    def times_reached(self) -> int:
        """How many validations came by."""
        path = self.folder / "reached"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def open(self) -> None:
        """Let this validation, and all that follow, go on."""
        (self.folder / "go").touch()

    @contextlib.contextmanager
    def hold(self, world: World, *arguments: str) -> Iterator[Held]:
        """Run `minitask`, and give the block the time in which its validation waits."""
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen((*MINITASK, *arguments), cwd=world.root, **pipes) as process:
            held = Held(process)
            try:
                self.wait_until_reached(process)
                yield held
            finally:
                self.open()
                stdout, stderr = process.communicate(timeout=TIMEOUT_SECONDS)
                held.result = Outcome(process.returncode, stdout, stderr)

    def wait_until_reached(self, process: subprocess.Popen[Any]) -> None:
        """Return once a validation has come by; the process that causes it must not end before."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self.times_reached:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the validation was not reached: {process.communicate()}")
            time.sleep(0.02)
