"""A hundred tasks on a model that takes two seconds to answer, twenty calls at a time, against an ideal schedule.

`minitask run` does all of it for real: each task's check on its base, the call over HTTP, the candidate, its
validation, the record, the merge. The floor is the schedule alone: as many rounds of two seconds as it takes. CPU time
is that of the process itself, by the kernel's count, and that of the git and bash processes it starts apart; memory is
the process's peak.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from timing import git, minitask, quiet_environment, scratch_folder

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
CONFIG = """\
executors: {{loopback: {{type: openai, base_url: "{url}"}}}}
tiers: {{cheap: {{executor: loopback, model: some-model}}}}
prices: {{some-model: {{input: 1, output: 5}}}}
concurrency: {{requests: {width}}}
sandbox: none
"""


def main() -> int:
    options = _options()
    with scratch_folder() as folder, _model(options.seconds) as url:
        top, env = _repository(folder, url, options)
        before = time.perf_counter()
        argv = (str(minitask()), "run", "mini-projects/p", "--json")
        done = _run(argv, top, env, folder / "out.json")
        wall = time.perf_counter() - before
        landed = _landed(folder / "out.json")
    ideal = math.ceil(options.tasks / options.width) * options.seconds
    own = 1000 * done.own_cpu / options.tasks
    rows = (
        ("wall time", f"{wall:.1f} s, ideal {ideal:.1f} s", wall / ideal, LIMIT),
        ("CPU a task, own process", f"{own:.0f} ms", own / CPU_MS, 1.0),
        ("peak memory", f"{done.peak_mb:.0f} MB", done.peak_mb / MEMORY_MB, 1.0),
    )
    print(f"\n{landed} of {options.tasks} tasks landed, {options.width} calls at a time")
    for name, value, ratio, limit in rows:
        verdict = "ok" if ratio <= limit else "TOO MUCH"
        print(f"  {name:24} {value:24} {ratio:5.2f}  {verdict} (at most {limit:g})")
    print(f"  CPU a task, git and bash {1000 * done.children_cpu / options.tasks:.0f} ms")
    missed = landed < options.tasks or any(ratio > limit for _, _, ratio, limit in rows)
    return 1 if missed and options.strict else 0


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
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git(folder, "init", "-q", "-b", "main", str(top), env=env)
    git(top, "add", "-A", env=env)
    git(top, "commit", "-q", "-m", "base", env=env)
    own = folder / "home/.config/minitask/config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(CONFIG.format(url=url, width=options.width), "utf-8")
    return top, env


@contextmanager
def _model(seconds: float) -> Iterator[str]:
    """A model server that answers every task well, after a while."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = asked["messages"][-1]["content"]
            path = prompt.partition("create: ")[2].partition("\n")[0]
            time.sleep(seconds)
            message = {"role": "assistant", "content": f"```text path={path}\nmade\n```\n"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 200, "completion_tokens": 20}
            body = json.dumps({"model": "some-model", "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--width", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
