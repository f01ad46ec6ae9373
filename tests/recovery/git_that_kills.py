"""A `git` for the front of PATH: it counts the calls, and at the one that the plan names it kills.

The plan is a JSON file that `KILL_PLAN` names; see `crashes.Plan`. What dies is the process group of
the program under test, whose pid the plan's folder holds, and this process's own: the real git with all
that it started. What the real git is given is what this one was given, the inherited lock included.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WITH_VALUE = ("-c", "-C")


def main() -> None:
    """Become the real git, but for the call at which to kill."""
    plan = json.loads(Path(os.environ["KILL_PLAN"]).read_text("utf-8"))
    word = subcommand(sys.argv[1:])
    number = count(plan["folder"], word, only=plan["only"])
    argv = [plan["git"], *sys.argv[1:]]
    if plan["move_at"] and word == plan["move_at"]:
        move_once(plan)
    if number != plan["at"]:
        os.execv(argv[0], argv)
    sys.exit(strike(plan, argv))


def subcommand(args: list[str]) -> str:
    """The git command's name, past the options that come before it."""
    rest = iter(args)
    for arg in rest:
        if arg in WITH_VALUE:
            next(rest)
        elif not arg.startswith("-"):
            return arg
    return ""


def count(folder: str, word: str, *, only: str) -> int:
    """The number of this call, from 1; 0 where it is not of the kind that counts."""
    with Path(folder, "calls").open("a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        before = stream.read().split("\n")[:-1]
        stream.write(f"{word}\n")
    if only and word != only:
        return 0
    return 1 + (before.count(only) if only else len(before))


def move_once(plan: dict[str, str]) -> None:
    """What somebody else does to the target meanwhile."""
    try:
        Path(plan["folder"], "moved").mkdir()
    except FileExistsError:
        return
    subprocess.run(["sh", "-c", plan["move"]], check=True, stdout=subprocess.DEVNULL)


def strike(plan: dict[str, object], argv: list[str]) -> int:
    """Kill before, during or after the real call; `orphan` kills all but the call, which comes late.

    `inside` kills when the tracer has killed git; `alone` lets the program under test see to that.
    """
    when = plan["when"]
    if when == "before":
        kill(plan)
    if when == "orphan":
        kill(plan, spare_me=True)
        time.sleep(float(str(plan["seconds"])))
        os.execv(argv[0], argv)
    if when in {"inside", "alone"}:
        argv = [*map(str, plan["tracer"]), *argv]  # type: ignore[call-overload]
    child = subprocess.Popen(argv, close_fds=False)
    if when == "during":
        time.sleep(float(str(plan["seconds"])))
        kill(plan)
    code = child.wait()
    died = code < 0 or code == 128 + signal.SIGKILL
    if when == "after" or (when == "inside" and died):
        kill(plan)
    if died:
        os.kill(os.getpid(), signal.SIGKILL)
    return code


def kill(plan: dict[str, object], *, spare_me: bool = False) -> None:
    """End the program under test and, at last, this process's own group."""
    folder = Path(str(plan["folder"]))
    (folder / "killed").touch()
    os.killpg(int((folder / "pid").read_text("utf-8")), signal.SIGKILL)
    if not spare_me:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
