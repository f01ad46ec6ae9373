"""`minitask run` of many tasks that each create one file, against a bash script that does so with git's porcelain.

The floor takes the tasks one after another: worktree add, write, commit, `test -f`, merge --no-ff, worktree remove.
Both sides have a repository of the same content, and each has done one task before. What counts is the time a task;
more tasks show whether that grows.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from exec_task import CONTENT, FLOOR, SPEC
from timing import git, make_repository, minitask, print_line, quiet_environment, scratch_folder

LIMITS = {"none": 0.4, "auto": 1.0}
LARGE_FILES, LARGE_LIMIT = 5_000, 0.15


def main() -> int:
    options = _options()
    missed = False
    with scratch_folder() as folder:
        env = quiet_environment(folder)
        print(f"\n{options.tasks} tasks, {options.files} files, {options.jobs} jobs; ms a task")
        floors, ours = [], {name: [] for name in options.sandbox}
        for round_ in range(options.rounds):
            floors.append(_floor(folder / f"floor-{round_}", env, options))
            for sandbox, times in ours.items():
                times.append(_ours(folder / f"ours-{sandbox}-{round_}", env, options, sandbox))
        print_line("bash and git worktree", 1000 * statistics.median(floors), 1.0, None)
        for sandbox, times in ours.items():
            ratio = statistics.median(mine / base for mine, base in zip(times, floors, strict=True))
            limit = LARGE_LIMIT if options.files >= LARGE_FILES else LIMITS[sandbox]
            missed = missed or ratio > limit
            name = f"minitask run, sandbox {sandbox}"
            print_line(name, 1000 * statistics.median(times), ratio, limit)
    return 1 if missed and options.strict else 0


def _floor(top: Path, env: dict[str, str], options: argparse.Namespace) -> float:
    """Seconds a task by the script."""
    _repository(top, env, options, specs=False)
    trees, script = top.with_name(f"{top.name}-trees"), top.with_name(f"{top.name}.sh")
    trees.mkdir()
    script.write_text(FLOOR, "utf-8")
    own = {"REPOSITORY": str(top), "WORKTREES": str(trees), "CONTENT": CONTENT}
    subprocess.run(
        ("bash", script, "warm"), cwd=top, env=env | own, check=True, capture_output=True
    )
    started = time.perf_counter()
    for number in range(options.tasks):
        subprocess.run(
            ("bash", script, f"t{number}"), cwd=top, env=env | own, check=True, capture_output=True
        )
    seconds = time.perf_counter() - started
    shutil.rmtree(top)
    shutil.rmtree(trees)
    return seconds / options.tasks


def _ours(top: Path, env: dict[str, str], options: argparse.Namespace, sandbox: str) -> float:
    """Seconds a task by `minitask run`."""
    _repository(top, env, options, specs=True)
    env = env | {"MINITASK_SANDBOX": sandbox}
    warm = (minitask(), "exec", "mini-projects/w/warm.md")
    subprocess.run(warm, cwd=top, env=env, check=True, capture_output=True)
    argv = (minitask(), "run", "mini-projects/p", "--jobs", str(options.jobs), "--json")
    started = time.perf_counter()
    done = subprocess.run(argv, cwd=top, env=env, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    landed = sum(task["verdict"] == "merged" for task in json.loads(done.stdout)["tasks"])
    if landed != options.tasks:
        sys.exit(f"{landed} of {options.tasks} landed:\n{done.stderr.decode()[-2000:]}")
    shutil.rmtree(top)
    return seconds / options.tasks


def _repository(
    top: Path, env: dict[str, str], options: argparse.Namespace, *, specs: bool
) -> None:
    files = {
        f"src/part{n // 100:03d}/file{n:05d}.py": f"VALUE = {n}\n" for n in range(options.files)
    }
    if specs:
        files["mini-projects/w/warm.md"] = SPEC.format(name="warm", content=CONTENT)
        files |= {
            f"mini-projects/p/t{n}.md": SPEC.format(name=f"t{n}", content=CONTENT)
            for n in range(options.tasks)
        }
    make_repository(top, files, env=env)
    git(top, "repack", "-a", "-d", "-q", env=env)
    git(top, "status", "--short", env=env)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--files", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sandbox", choices=tuple(LIMITS), nargs="+", default=list(LIMITS))
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
