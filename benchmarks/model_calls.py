"""A hundred tasks on a model that takes two seconds to answer, twenty calls at a time, against an ideal schedule.

First the client alone: prompts, HTTP, replies, edits, by the executor in twenty threads. Then whole tasks, by
`minitask run` in a repository whose specs were validated: each task's check on its base, the call over HTTP, the
candidate, its validation, the record, the merge. The floor is the schedule alone: as many rounds of two seconds as it
takes. CPU time is that of the process itself, by the kernel's count, and that of the git and bash processes it starts
apart; memory is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

from loopback import CONFIG, chat_model, write_the_file
from timing import make_repository, minitask, quiet_environment, scratch_folder

LIMIT, CPU_MS, MEMORY_MB = 1.15, 60.0, 150.0
SPEC = """\
---
id: t{number:03d}
---

# Mini-Task {number}: Write made/{number:03d}.txt

**Estimated Tokens**: 200 input + 40 output

**Files to Create**:
- `made/{number:03d}.txt`

## Task

1. Create `made/{number:03d}.txt` with the one line `made`.

## Validation

```bash
test -f made/{number:03d}.txt
```

## On Failure

Stop and report.
"""


def main() -> int:
    options = _options()
    if options.client:
        return _client(options)
    missed = _measure_client(options)
    with scratch_folder() as folder, _model(options.seconds) as url:
        top, env = _repository(folder, url, options)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for word in (
            "validate",
            "doctor",
        ):  # as in use: the specs are validated, the machine is known
            subprocess.run((str(minitask()), word), cwd=top, env=env, check=False, **quiet)
        before = time.perf_counter()
        argv = (str(minitask()), "run", "mini-projects/p", "--json")
        done = _run(argv, top, env, folder / "out.json")
        wall = time.perf_counter() - before
        landed = _landed(folder / "out.json")
    ideal = math.ceil(options.tasks / options.width) * options.seconds
    own = 1000 * done.own_cpu / options.tasks
    git_and_bash = 1000 * done.children_cpu / options.tasks
    print(f"\nwhole tasks by minitask run: {landed} of {options.tasks} landed")
    ratio = wall / ideal
    verdict = "ok" if ratio <= LIMIT else "TOO MUCH"
    shown = f"{wall:.1f} s, ideal {ideal:.1f} s"
    print(f"  {'wall time':24} {shown:24} {ratio:5.2f}  {verdict} (at most {LIMIT:g})")
    print(f"  CPU a task               {own:.0f} ms, and {git_and_bash:.0f} ms of git and bash")
    print(f"  peak memory              {done.peak_mb:.0f} MB")
    missed = missed or ratio > LIMIT or landed < options.tasks
    return 1 if missed and options.strict else 0


def _measure_client(options: argparse.Namespace) -> bool:
    """Run the client alone in a process of its own, and print what it took; whether a limit was missed."""
    with _model(options.seconds) as url:
        sizes = (f"--tasks={options.tasks}", f"--width={options.width}")
        argv = (sys.executable, __file__, f"--client={url}", *sizes)
        said = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    ideal = math.ceil(options.tasks / options.width) * options.seconds
    rows = (
        ("wall time", f"{said['wall']:.1f} s, ideal {ideal:.1f} s", said["wall"] / ideal, LIMIT),
        ("CPU a task", f"{said['cpu_ms']:.0f} ms", said["cpu_ms"] / CPU_MS, 1.0),
        ("peak memory", f"{said['peak_mb']:.0f} MB", said["peak_mb"] / MEMORY_MB, 1.0),
    )
    print(f"\nthe client alone: {said['done']} of {options.tasks}, {options.width} at a time")
    for name, value, ratio, limit in rows:
        verdict = "ok" if ratio <= limit else "TOO MUCH"
        print(f"  {name:24} {value:24} {ratio:5.2f}  {verdict} (at most {limit:g})")
    return said["done"] < options.tasks or any(ratio > limit for _, _, ratio, limit in rows)


def _client(options: argparse.Namespace) -> int:
    """Ask for every task with the executor, many at once, and print what that took as JSON."""
    before = time.perf_counter()
    from concurrent.futures import ThreadPoolExecutor

    from minitask.executors.openai import OpenAiExecutor
    from minitask.executors.request import ExecutorRequest
    from minitask.spec.parse import parse_file

    executor = OpenAiExecutor(options.client)

    def work(number: int) -> int:
        [spec] = parse_file(SPEC.format(number=number), path=f"mini-projects/p/{number}.md").specs
        order = ExecutorRequest(spec, (), lambda _path: None, None, "some-model", 60.0)
        return len(executor.work(order).changes)

    with ThreadPoolExecutor(options.width) as pool:
        done = sum(pool.map(work, range(1, options.tasks + 1)))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    said = {
        "done": done,
        "wall": time.perf_counter() - before,
        "cpu_ms": 1000 * (usage.ru_utime + usage.ru_stime) / options.tasks,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    print(json.dumps(said))
    return 0


class _Done:
    """What a finished process took, as the kernel counted it."""

    def __init__(self, own_cpu: float, children_cpu: float, peak_mb: float) -> None:
        self.own_cpu, self.children_cpu, self.peak_mb = own_cpu, children_cpu, peak_mb


def _run(argv: tuple[str, ...], top: Path, env: dict[str, str], out: Path) -> _Done:
    """Run the command; its own CPU time is read from /proc while it is a zombie, before it is reaped."""
    pid = os.fork()
    if pid == 0:
        os.chdir(top)
        fd = os.open(out, os.O_WRONLY | os.O_CREAT)
        os.dup2(fd, 1)
        os.execve(argv[0], argv, env)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    own, children = (sum(map(int, fields[at : at + 2])) / tick for at in (11, 13))
    _, status, usage = os.wait4(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        print(f"the run exited with {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
    return _Done(own, children, usage.ru_maxrss / 1024)


def _landed(out: Path) -> int:
    document = json.loads(out.read_text("utf-8"))
    return sum(task["verdict"] == "merged" for task in document["tasks"])


def _repository(folder: Path, url: str, options: argparse.Namespace) -> tuple[Path, dict[str, str]]:
    env = quiet_environment(folder)
    top = folder / "repository"
    files = {
        f"mini-projects/p/{number:03d}.md": SPEC.format(number=number)
        for number in range(1, options.tasks + 1)
    }
    files |= {f"src/file{number}.py": f"VALUE = {number}\n" for number in range(50)}
    make_repository(top, files, env=env)
    own = folder / "home/.config/minitask/config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(CONFIG.format(url=url, requests=options.width, jobs=2), "utf-8")
    return top, env


def _model(seconds: float) -> AbstractContextManager[str]:
    """A model server that answers every task well, after a while."""
    return chat_model(write_the_file, seconds=seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--width", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--client", default="", help=argparse.SUPPRESS)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
