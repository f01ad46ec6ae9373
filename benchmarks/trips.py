"""How many of the package's files a command enters: what a reader must hold in mind to change it.

Two trips: `exec` of a spec with an edit script, and `exec` of one that a chat model answers over HTTP, each in a
repository of one file, the spec read for the first time. A file counts once a function of it runs, in any thread.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from loopback import CONFIG, chat_model, write_the_file
from timing import make_repository, quiet_environment, scratch_folder

LIMITS = {"edit script": 60, "chat reply": 70}
_SPEC = """\
# Mini-Task 1: Write made.txt

**Files to Create**:
- `made.txt`

## Task

1. Create `made.txt` with the one line `made`.
{script}
## Validation

```bash
grep -q made made.txt
```
"""
_SCRIPT = "\n## Code Snippets\n\n```text path=made.txt\nmade\n```\n"
_PROFILED = """\
import inspect, json, sys, threading
import minitask
home = minitask.__file__.rpartition("/")[0]
entered, calls = set(), 0
def profile(frame, event, arg):
    global calls
    code = frame.f_code
    is_function = code.co_flags & inspect.CO_OPTIMIZED  # no body of a module or a class
    if event == "call" and is_function and code.co_filename.startswith(home):
        entered.add(code.co_filename[len(home) + 1:])
        calls += 1
threading.setprofile(profile)
sys.setprofile(profile)
from minitask.cli import group
from minitask.cli.terminal import run_command
sys.argv = ["minitask", "exec", "mini-projects/p/01-x.md"]
code = run_command(group)
sys.setprofile(None)
print(json.dumps({"files": sorted(entered), "calls": calls, "code": code}))
"""


def main() -> int:
    """Print the counts; return 1 with `--strict` where a limit is missed."""
    options = _options()
    with scratch_folder() as folder, chat_model(write_the_file) as url:
        trips = {
            "edit script": _trip(folder / "script", _SPEC.format(script=_SCRIPT), url),
            "chat reply": _trip(folder / "chat", _SPEC.format(script=""), url),
        }
    missed = False
    for name, files in trips.items():
        by_package = Counter(file.partition("/")[0].removesuffix(".py") for file in files)
        shown = ", ".join(f"{package} {count}" for package, count in by_package.most_common())
        verdict = "ok" if len(files) <= LIMITS[name] else "TOO MANY"
        missed = missed or len(files) > LIMITS[name]
        print(f"{name:12} {len(files):4} files  {verdict} (at most {LIMITS[name]}): {shown}")
        if options.files:
            print("  " + "\n  ".join(files))
    return 1 if missed and options.strict else 0


def _trip(folder: Path, spec: str, url: str) -> list[str]:
    """Return the files of the package that one `exec` enters."""
    env = quiet_environment(folder)
    top = folder / "repository"
    make_repository(top, {"README.md": "# r\n", "mini-projects/p/01-x.md": spec}, env=env)
    settings = folder / "home/.config/minitask/config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text(CONFIG.format(url=url, requests=1, jobs=1), "utf-8")
    argv = (sys.executable, "-c", _PROFILED)
    done = subprocess.run(argv, cwd=top, env=env, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    if found["code"]:
        sys.exit(f"the trip failed:\n{done.stdout}{done.stderr}")
    return list(found["files"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", action="store_true", help="name the files, too")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
