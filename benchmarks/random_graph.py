"""A hundred tasks over a random graph, on a slow model and slow validations, against what no schedule can beat.

Each task may start once those that it depends on have landed; its model answers after a while, and its validation takes
a while. No schedule is shorter than the longest chain, nor than all calls by as many as may be made at once, nor than
all validations by as many as may run at once. A validation fails at once on the base, so that only the one that proves
the candidate counts; that a merge is proven again, where the target moved, is the toolkit's own affair.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path

from loopback import CONFIG, chat_model, write_the_file
from timing import make_repository, minitask, print_line, quiet_environment, scratch_folder

LIMIT = 1.1
SPEC = """\
---
id: t{number:03d}
depends_on: [{needs}]
---

# Mini-Task {number}: Write made/{number:03d}.txt

**Files to Create**:
- `made/{number:03d}.txt`

## Task

1. Create `made/{number:03d}.txt` with the one line `made`.

## Validation

```bash
test -f made/{number:03d}.txt && sleep {seconds}
```

## On Failure

Stop and report.
"""


def main() -> int:
    options = _options()
    graph = random_graph(options.tasks, seed=options.seed)
    bound = lower_bound(graph, options)
    with (
        scratch_folder() as folder,
        chat_model(write_the_file, seconds=options.call_seconds) as url,
    ):
        top, env = _repository(folder, url, graph, options)
        subprocess.run((minitask(), "validate"), cwd=top, env=env, check=False, capture_output=True)
        started = time.perf_counter()
        argv = (minitask(), "run", "mini-projects/p", "--json")
        done = subprocess.run(argv, cwd=top, env=env, check=False, capture_output=True)
        seconds = time.perf_counter() - started
    landed = sum(task["verdict"] == "merged" for task in json.loads(done.stdout)["tasks"])
    print(f"\n{landed} of {options.tasks} landed; longest chain {longest_chain(graph)} tasks; ms")
    print_line("what no schedule can beat", 1000 * bound, 1.0, None)
    print_line("minitask run", 1000 * seconds, seconds / bound, LIMIT)
    missed = seconds / bound > LIMIT or landed < options.tasks
    return 1 if missed and options.strict else 0


def random_graph(tasks: int, *, seed: int) -> list[list[int]]:
    """For each task, those before it that it depends on: none, one or two."""
    chance = random.Random(seed)
    return [chance.sample(range(at), min(at, chance.choice((0, 1, 1, 2)))) for at in range(tasks)]


def longest_chain(graph: list[list[int]]) -> int:
    """How many tasks are on the longest chain."""
    lengths: list[int] = []
    for needs in graph:
        lengths.append(1 + max((lengths[each] for each in needs), default=0))
    return max(lengths)


def lower_bound(graph: list[list[int]], options: argparse.Namespace) -> float:
    """Seconds that no schedule can beat."""
    chain = longest_chain(graph) * (options.call_seconds + options.validation_seconds)
    longer = max(options.call_seconds, options.validation_seconds)
    return max(chain, len(graph) * longer / options.width)


def _repository(
    folder: Path, url: str, graph: list[list[int]], options: argparse.Namespace
) -> tuple[Path, dict[str, str]]:
    env = quiet_environment(folder)
    top = folder / "repository"
    files = {
        f"mini-projects/p/t{number:03d}.md": SPEC.format(
            number=number,
            needs=", ".join(f"t{each:03d}" for each in needs),
            seconds=options.validation_seconds,
        )
        for number, needs in enumerate(graph)
    }
    make_repository(top, files, env=env)
    own = folder / "home/.config/minitask/config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(CONFIG.format(url=url, requests=options.width, jobs=options.width), "utf-8")
    return top, env


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--width", type=int, default=20, help="calls, and validations, at once")
    parser.add_argument("--call-seconds", type=float, default=5.0)
    parser.add_argument("--validation-seconds", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 where the limit is missed"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
