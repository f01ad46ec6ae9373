"""What the benchmarks share: whole processes timed in turns, their ratios to a floor, and a table of them.

Machines are noisy, so no time counts by itself. Every round runs each contender once, in a changing order, and a
contender's ratio is the median of its ratios to the floor of the same round.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")
TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Contender:
    """Something to time: `run` does round N and gives its seconds; `at_most` is the ratio it should keep."""

    name: str
    run: Callable[[int], float]
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A contender's median time and its ratios to the floor: the median, and the quartiles around it."""

    name: str
    seconds: float
    ratio: float
    low: float
    high: float
    at_most: float | None

    @property
    def verdict(self) -> str:
        """Whether the ratio keeps its limit; empty where there is none."""
        if self.at_most is None:
            return ""
        return f"{'ok' if self.ratio <= self.at_most else 'TOO SLOW'} (at most {self.at_most:g})"


def compare(floor: Contender, others: Sequence[Contender], *, rounds: int) -> tuple[Row, ...]:
    """Time all of them in turns, the floor first among the rows."""
    everyone = [floor, *others]
    times: dict[str, list[float]] = {contender.name: [] for contender in everyone}
    for round_ in range(rounds):
        turn = round_ % len(everyone)
        for contender in [*everyone[turn:], *everyone[:turn]]:
            times[contender.name].append(contender.run(round_))
    return tuple(
        _row(contender, times[contender.name], times[floor.name]) for contender in everyone
    )


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Print the rows, the floor on top."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title}")
    print(f"  {'':{width}}  {'median':>10}  {'ratio':>7}  {'quartiles':>13}")
    for row in rows:
        spread = f"{row.low:.2f}–{row.high:.2f}"
        line = f"  {row.name:{width}}  {row.seconds * 1000:7.1f} ms  {row.ratio:7.2f}  {spread:>13}  {row.verdict}"
        print(line.rstrip(), flush=True)


def print_line(name: str, milliseconds: float, ratio: float, at_most: float | None) -> None:
    """Print one figure, with its ratio to the floor and the limit of that."""
    verdict = "" if at_most is None else "ok" if ratio <= at_most else "TOO SLOW"
    limit = "" if at_most is None else f" (at most {at_most:g})"
    print(
        f"  {name:32} {milliseconds:8.1f} ms  {ratio:6.2f}  {verdict}{limit}".rstrip(), flush=True
    )


def exit_code(rows: Sequence[Row], *, strict: bool) -> int:
    """1 where a limit was missed and the caller wants to know, else 0."""
    missed = [row for row in rows if row.at_most is not None and row.ratio > row.at_most]
    return 1 if missed and strict else 0


def timed(
    argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], expect: int = 0
) -> float:
    """The wall time of a whole process, in seconds; the benchmark ends where it does not exit as expected."""
    started = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != expect:
        said = (done.stdout + done.stderr)[-TAIL_BYTES:].decode("utf-8", "replace")
        sys.exit(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{said}")
    return seconds


def minitask() -> Path:
    """The console script that belongs to the running interpreter."""
    script = Path(sysconfig.get_path("scripts")) / "minitask"
    if not script.exists():
        sys.exit(f"{script} does not exist; install the project into this environment first")
    return script


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder in memory where there is one, said on the first line; removed at the end."""
    in_memory = SHARED_MEMORY.is_dir() and os.access(SHARED_MEMORY, os.W_OK)
    folder = tempfile.mkdtemp(prefix="minitask-bench-", dir=SHARED_MEMORY if in_memory else None)
    kind = (
        "in memory" if in_memory else "on disk: /dev/shm is not there, so times include the disk's"
    )
    print(f"scratch folder {folder} ({kind})", flush=True)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quiet_environment(folder: Path) -> dict[str, str]:
    """The environment without the user's git configuration and settings; home and temporary files in `folder`."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "MINITASK_", "XDG_", "PYTHON"))
    }
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Bench"), ("EMAIL", "bench@example.com"))
    }
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LC_ALL": "C.UTF-8"}
    return kept | identity | own | {"GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *args: str, env: Mapping[str, str]) -> str:
    """What a git command in a folder prints."""
    argv = ("git", "-C", folder, "-c", "gc.auto=0", *args)
    done = subprocess.run(argv, env=env, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def make_repository(top: Path, files: Mapping[str, str], *, env: Mapping[str, str]) -> None:
    """A repository on branch `main` with one commit, which holds the files."""
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git(top.parent, "init", "-q", "-b", "main", str(top), env=env)
    git(top, "add", "-A", env=env)
    git(top, "commit", "-q", "-m", "base", env=env)


def _row(contender: Contender, times: Sequence[float], floor: Sequence[float]) -> Row:
    ratios = [mine / base for mine, base in zip(times, floor, strict=True)]
    low, middle, high = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    )
    return Row(contender.name, statistics.median(times), middle, low, high, contender.at_most)
