"""`minitask exec` of a one-file edit script, against a bash script that does the same with git's porcelain.

Every measured run is a task of its own: its spec was committed beforehand, and no command has run it. Some specs are
first seen by `exec`; others `minitask validate` has read before. Both sides have a repository of the same content, and
each has done one task before anything is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timing import (
    Contender,
    compare,
    exit_code,
    git,
    minitask,
    print_table,
    quiet_environment,
    scratch_folder,
    timed,
)

FLOOR = """\
set -e
git worktree add -q -b "task/$1" "$WORKTREES/$1" HEAD
cd "$WORKTREES/$1"
mkdir -p made
printf '%s' "$CONTENT" > "made/$1.txt"
git add "made/$1.txt"
git commit -q -m "task $1"
test -f "made/$1.txt"
cd "$REPOSITORY"
git merge -q --no-ff -m "merge task $1" "task/$1"
git worktree remove "$WORKTREES/$1"
"""
SPEC = """\
---
id: {name}
---

# Mini-Task: Write made/{name}.txt

**Files to Create**:
- `made/{name}.txt`

## Context

Something reads this file later; all that counts is that it is there.

## Task

Create `made/{name}.txt` as the snippet has it.

## Code Snippets

```text path=made/{name}.txt
{content}```

## Validation

```bash
test -f made/{name}.txt
```

## On Failure

Stop and report.
"""
CONTENT = "one line\nanother line\na third line\n"
FILES_PER_FOLDER = 100
LIMITS = {"none": 5.0, "auto": 7.0}
LARGE_FILES, LARGE_LIMIT = 5_000, 0.3
SEEN = ("fresh", "validated")


@dataclass(frozen=True, slots=True)
class Stage:
    """The two repositories and what all runs share; `kinds` are pairs of sandbox and how a spec was seen."""

    folder: Path
    env: dict[str, str]
    files: int
    kinds: tuple[tuple[str, str], ...]

    @property
    def ours(self) -> Path:
        """Where `minitask` works."""
        return self.folder / "ours"

    @property
    def porcelain(self) -> Path:
        """Where the script works."""
        return self.folder / "porcelain"

    def exec_seconds(self, sandbox: str, seen: str, name: str) -> float:
        """Run a task with `minitask exec`."""
        env = self.env | {"MINITASK_SANDBOX": sandbox}
        spec = f"mini-projects/{seen}/{name}.md"
        return timed((minitask(), "exec", spec), cwd=self.ours, env=env)

    def script_seconds(self, name: str) -> float:
        """Run a task with the script."""
        own = {"REPOSITORY": str(self.porcelain), "WORKTREES": str(self.folder / "worktrees")}
        script = ("bash", str(self.folder / "floor.sh"), name)
        return timed(script, cwd=self.porcelain, env=self.env | own | {"CONTENT": CONTENT})


def main() -> int:
    options = _options()
    sandboxes = ("none", "auto") if options.sandbox == "both" else (options.sandbox,)
    with scratch_folder() as folder:
        kinds = tuple(itertools.product(sandboxes, SEEN))
        stage = Stage(folder, quiet_environment(folder), options.files, kinds)
        _build(stage, rounds=options.rounds)
        _warm(stage)
        others = [_contender(stage, sandbox, seen) for sandbox, seen in kinds]
        floor = Contender("bash and git worktree", lambda n: stage.script_seconds(f"round-{n}"))
        rows = compare(floor, others, rounds=options.rounds)
        used = _sandboxes_used(stage)
    title = f"one task, {options.files} files, whole processes; sandboxes used: {used}"
    print_table(title, rows)
    return exit_code(rows, strict=options.strict)


def _contender(stage: Stage, sandbox: str, seen: str) -> Contender:
    limit = LARGE_LIMIT if stage.files >= LARGE_FILES else LIMITS[sandbox]

    def run(round_: int) -> float:
        return stage.exec_seconds(sandbox, seen, _task(sandbox, round_))

    return Contender(f"minitask exec, sandbox {sandbox}, {seen} spec", run, limit)


def _build(stage: Stage, *, rounds: int) -> None:
    """Both repositories: source files in folders, and one commit that brings every spec in."""
    top = stage.ours
    (stage.folder / "worktrees").mkdir()
    (stage.folder / "floor.sh").write_text(FLOOR, "utf-8")
    for number in range(stage.files):
        path = top / f"src/part{number // FILES_PER_FOLDER:03d}/file{number:05d}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""File {number}."""\n\nVALUE = {number}\n', "utf-8")
    git(stage.folder, "init", "-q", "-b", "main", str(top), env=stage.env)
    _commit(stage, "files")
    for sandbox, seen in stage.kinds:
        names = [_task(sandbox, "warm"), *(_task(sandbox, round_) for round_ in range(rounds))]
        _write_specs(top / "mini-projects" / seen, names)
    _commit(stage, "specs")
    git(top, "repack", "-a", "-d", "-q", env=stage.env)
    shutil.copytree(top, stage.porcelain)
    for copy in (top, stage.porcelain):
        git(copy, "status", "--short", env=stage.env)


def _task(sandbox: str, round_: int | str) -> str:
    return f"{sandbox}-{round_}"


def _write_specs(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        own = name if folder.name == SEEN[0] else f"{folder.name}-{name}"
        (folder / f"{name}.md").write_text(SPEC.format(name=own, content=CONTENT), "utf-8")


def _commit(stage: Stage, message: str) -> None:
    git(stage.ours, "add", "-A", env=stage.env)
    git(stage.ours, "commit", "-q", "-m", message, env=stage.env)


def _warm(stage: Stage) -> None:
    """One task on either side, and one `minitask validate`, so that nothing is measured that is paid for once."""
    for sandbox in dict.fromkeys(sandbox for sandbox, _ in stage.kinds):
        stage.exec_seconds(sandbox, SEEN[0], _task(sandbox, "warm"))
    stage.script_seconds("warm")
    timed((minitask(), "validate", f"mini-projects/{SEEN[1]}"), cwd=stage.ours, env=stage.env)


def _sandboxes_used(stage: Stage) -> str:
    """What each kind of sandbox really was, as the tasks' own reports have it."""
    found = []
    for sandbox in dict.fromkeys(sandbox for sandbox, _ in stage.kinds):
        argv = (minitask(), "show", "--json", f"fresh/{_task(sandbox, 'warm')}")
        done = subprocess.run(argv, cwd=stage.ours, env=stage.env, capture_output=True, check=True)
        found.append(f"{sandbox} = {_find(json.loads(done.stdout), 'sandbox')}")
    return ", ".join(found)


def _find(document: object, key: str) -> object:
    """The first value of a key, at any depth."""
    waiting = [document]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            if key in here:
                return here[key]
            waiting.extend(here.values())
        elif isinstance(here, list):
            waiting.extend(here)
    return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sandbox", choices=("none", "auto", "both"), default="both")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
