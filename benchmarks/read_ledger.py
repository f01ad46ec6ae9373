"""Reading a ledger of 10,000 records, against `git cat-file --batch` over the same blobs; and what it adds to start-up.

The ledger is written by one `git fast-import`: 200 tasks with 50 attempts each, of about 2.4 KB. Every read is the
first of a fresh interpreter, and its time holds the start of git and the walk of the trees, but not Python's own start.
The commands are whole processes in two repositories that differ in nothing but the ledger. They and the report's page
are measured by the CPU time of the process and its children, which does not depend on what else runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
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

from minitask.git import refs
from minitask.git.objects import open_objects
from minitask.git.run_git import Git
from minitask.ledger.record import (
    Attempt,
    CommandRecord,
    FileRecord,
    Pricing,
    Record,
    Usage,
    Verdict,
)
from minitask.ledger.store import read_ledger, record_file

TASKS = 200
READ_LIMIT, START_LIMIT_SECONDS = 2.0, 0.5
PAGE_LIMIT_SECONDS, PAGE_LIMIT_MB = 2.0, 300
KINDS = {"for sums": "lean", "with commands, files and rates": "full"}
SPEC = """\
# Mini-Task: Write made/{name}.txt

**Files to Create**:
- `made/{name}.txt`

## Context

Something reads this file later; all that counts is that it is there.

## Task

Create `made/{name}.txt` with the word {name}.

## Validation

```bash
grep -q {name} made/{name}.txt
```

## On Failure

Stop and report.
"""
CONFIG = """\
executors:
  hosted: {type: openai, base_url: "http://127.0.0.1:9/v1"}
tiers:
  cheap: {executor: hosted, model: gpt-5.4-mini}
"""
RATES = {"input": "0.75", "cached": "0.075", "output": "4.5", "cache_write": "0.75"}
COMMANDS = {
    "status": ("status",),
    "exec --dry-run": ("exec", "--dry-run", "mini-projects/p00/task-000.md"),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A repository with a ledger and one without, and the ids of the ledger's blobs in a file."""

    folder: Path
    env: dict[str, str]

    @property
    def full(self) -> Path:
        """Where the ledger is."""
        return self.folder / "full"

    @property
    def empty(self) -> Path:
        """The same without a ledger."""
        return self.folder / "empty"

    @property
    def ids(self) -> Path:
        """The ids of all records, one a line."""
        return self.folder / "ids"

    def cat_seconds(self) -> float:
        """The floor: git writes the blobs to somebody who reads them and does nothing else."""
        argv = ("git", "-C", str(self.full), "cat-file", "--batch")
        with self.ids.open("rb") as ids:
            started = time.perf_counter()
            subprocess.run(argv, env=self.env, stdin=ids, capture_output=True, check=True)
            return time.perf_counter() - started

    def read_seconds(self, kind: str) -> float:
        """One read in an interpreter of its own."""
        argv = (sys.executable, __file__, "--read", kind, str(self.full))
        done = subprocess.run(argv, env=self.env, capture_output=True, check=True)
        return float(done.stdout)


def main() -> int:
    options = _options()
    if options.read:
        return _read_once(Path(options.repository), evidence=options.read == "full")
    with scratch_folder() as folder:
        stage = Stage(folder, quiet_environment(folder))
        _build(stage, options.records)
        others = [
            Contender(
                f"read_ledger, {name}", _reader(stage, kind), READ_LIMIT if kind == "lean" else None
            )
            for name, kind in KINDS.items()
        ]
        floor = Contender("git cat-file --batch < ids", lambda _round: stage.cat_seconds())
        rows = compare(floor, others, rounds=options.rounds)
        print_table(f"reading {options.records:,} records", rows)
        print(f"\nstart-up, with {options.records:,} records against none")
        missed = [
            _start_up(stage, name, cold=cold, rounds=options.rounds)
            for name in COMMANDS
            for cold in (False, True)
        ]
        missed.append(_page(stage, rounds=options.rounds))
    return exit_code(rows, strict=options.strict) or int(options.strict and any(missed))


def _reader(stage: Stage, kind: str) -> Callable[[int], float]:
    return lambda _round: stage.read_seconds(kind)


def _read_once(repository: Path, *, evidence: bool) -> int:
    """Read the ledger, and print the seconds; `open_objects` is part of it, as it would be of any command."""
    started = time.perf_counter()
    with open_objects(Git(repository / ".git", dict(os.environ))) as objects:
        found = read_ledger(objects, objects.commit(refs.LEDGER), evidence=evidence)
        seconds = time.perf_counter() - started
    if not found.records or found.damaged or found.future:
        sys.exit("the ledger did not come back whole")
    print(seconds)
    return 0


def _start_up(stage: Stage, name: str, *, cold: bool, rounds: int) -> bool:
    """Print how much more of the processor a command takes for the ledger; whether that is too much."""
    added = []
    for round_ in range(rounds):
        places = (stage.full, stage.empty) if round_ % 2 else (stage.empty, stage.full)
        seconds = {place: _seconds(stage, place, COMMANDS[name], cold=cold) for place in places}
        added.append(seconds[stage.full] - seconds[stage.empty])
    low, middle, high = statistics.quantiles(added, n=4, method="inclusive")
    missed = middle > START_LIMIT_SECONDS
    told = f"minitask {name}, {'nothing' if cold else 'something'} kept"
    verdict = "TOO SLOW" if missed else "ok"
    spread = f"{low:+.3f} to {high:+.3f}"
    print(
        f"  {told:40} {middle:+.3f} s of CPU  ({spread})  {verdict} (at most +{START_LIMIT_SECONDS:g})",
        flush=True,
    )
    return missed


def _page(stage: Stage, *, rounds: int) -> bool:
    """Print what the report's page takes; whether that is too much."""
    argv = (minitask(), "report", "--format", "html", "--output", str(stage.folder / "page.html"))
    seconds = [_cpu_seconds(argv, stage.full, stage.env) for _ in range(rounds)]
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    megabytes = largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    missed = middle > PAGE_LIMIT_SECONDS or megabytes > PAGE_LIMIT_MB
    print(
        f"\nminitask report --format html: {middle:.2f} s of CPU ({low:.2f} to {high:.2f}), at most {megabytes:.0f} MB"
        f"  {'TOO MUCH' if missed else 'ok'} (at most {PAGE_LIMIT_SECONDS:g} s, {PAGE_LIMIT_MB} MB)"
    )
    return missed


def _seconds(stage: Stage, place: Path, words: Sequence[str], *, cold: bool) -> float:
    if cold:
        shutil.rmtree(place / ".git" / "minitask" / "cache", ignore_errors=True)
    return _cpu_seconds((minitask(), *words), place, stage.env)


def _cpu_seconds(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> float:
    """What a program and its children take of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    timed(argv, cwd=cwd, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _build(stage: Stage, count: int) -> None:
    """Both repositories, their specs committed, and the ledger of one."""
    settings = stage.folder / "home" / ".config" / "minitask" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(CONFIG, "utf-8")
    git(stage.folder, "init", "-q", "-b", "main", str(stage.empty), env=stage.env)
    for number in range(TASKS):
        path = stage.empty / "mini-projects" / f"{_task(number)}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SPEC.format(name=path.stem), "utf-8")
    git(stage.empty, "add", "-A", env=stage.env)
    git(stage.empty, "commit", "-q", "-m", "specs", env=stage.env)
    shutil.copytree(stage.empty, stage.full)
    stream = b"".join(_stream(count))
    argv = ("git", "-C", str(stage.full), "fast-import", "--quiet")
    subprocess.run(argv, env=stage.env, input=stream, check=True)
    listed = git(stage.full, "ls-tree", "-r", "--object-only", refs.LEDGER, env=stage.env)
    stage.ids.write_text(listed, "ascii")
    for place in (stage.full, stage.empty):
        for words in COMMANDS.values():
            timed((minitask(), *words), cwd=place, env=stage.env)


def _stream(count: int) -> Iterator[bytes]:
    yield (
        b"commit %b\ncommitter B <b@example.com> 1700000000 +0000\ndata 1\nx\n"
        % refs.LEDGER.encode()
    )
    for number in range(count):
        file = record_file(_record(number))
        assert file.content is not None
        header = b"M 100644 inline %b\n" % file.path.encode()
        yield header + b"data %d\n%b\n" % (len(file.content), file.content)


def _task(number: int) -> str:
    return f"p{number // 20:02d}/task-{number:03d}"


def _record(number: int) -> Record:
    task, n = _task(number % TASKS), number // TASKS + 1
    good = number % 3 > 0
    return Record(
        task=task,
        spec_path=f"mini-projects/{task}.md",
        spec_blob=_oid(task),
        target="refs/heads/main",
        base=_oid(f"base {n}"),
        anchor=_oid(f"anchor {task}"),
        candidate=_oid(f"candidate {number}"),
        merge=_oid(f"merge {number}") if good else None,
        tree=_oid(f"tree {number}"),
        started_at=f"2026-01-{number % 28 + 1:02d}T10:{number % 60:02d}:00.000+00:00",
        baseline_cost_usd=Decimal("0.0421"),
        attempt=_attempt(number, n, good=good),
    )


def _attempt(number: int, n: int, *, good: bool) -> Attempt:
    name = f"src/module_{number}.py"
    commands = tuple(
        CommandRecord(80 + k, f'grep -q "def f{number}_{k}" {name}', 0, True, 0.0123, "", "")
        for k in range(3)
    )
    return Attempt(
        n=n,
        tier="cheap",
        executor="hosted",
        model="gpt-5.4-mini",
        verdict=Verdict.READY if good else Verdict.FAILED,
        gate="" if good else "validate",
        reason="" if good else "grep exited with 1",
        usage=Usage(1, 3000 + number, 1000, 500 + number % 100, 0, 0, None),
        cost_usd=Decimal("0.0031") + Decimal(number) / 10**6,
        seconds=4.2 + number % 10,
        sandbox="strong",
        commands=commands,
        before=commands[:1],
        files=(FileRecord(name, "M", 12, 3), FileRecord(f"src/new_{number}.py", "A", 40, 0)),
        served="gpt-5.4-mini-2026",
        reply_format="edits",
        pricing=Pricing("genai-prices", {key: Decimal(rate) for key, rate in RATES.items()}),
    )


def _oid(text: str) -> str:
    return hashlib.sha1(text.encode()).hexdigest()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    parser.add_argument("--read", choices=tuple(KINDS.values()), help=argparse.SUPPRESS)
    parser.add_argument("repository", nargs="?", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
