"""How often a wrong reply of a model merges, and how often a right one in an odd form is turned away.

Each reply answers a task of its own, in one of ten languages: change one value in one file and nothing else, or create
two files. The validation is as weak as people write them, `grep -q VALUE FILE` or `test -f FILE`, so that only the
reading of the reply and the gates stand between a wrong file and the branch. A merged file that differs from the one
right content is a false green.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replies import right, wrong
from replies.cases import LANGUAGES, OLD, Case, Kind, make_case
from timing import make_repository, minitask, quiet_environment, scratch_folder

MOST_FALSE_GREENS = 0
LEAST_RIGHT = 0.95
_SPEC = """\
---
id: {name}
---

# Mini-Task {number}: Change one value

{files}

## Task

1. {step}

## Validation

```bash
{check}
```

## On Failure

Stop and report.
"""
_CONFIG = """\
executors: {{canned: {{type: scripted, folder: "{folder}"}}}}
tiers: {{cheap: {{executor: canned, model: canned}}}}
prices: {{canned: {{input: 0, output: 0}}}}
routing: {{entry: {{implement: cheap}}, escalation: [cheap], max_escalations: 0, repairs: {repairs}}}
sandbox: {sandbox}
"""


STALE = 7777
"""The value in the base where a reply corrects another."""


@dataclass(frozen=True, slots=True)
class Task:
    """A reply to a task of the sweep; `form` names how it is written."""

    name: str
    form: str
    is_right: bool
    case: Case
    reply: str
    corrects: bool = False

    @property
    def base(self) -> dict[str, str]:
        """Return the files of the base; a reply that corrects another finds there what that one replaced."""
        stale = self.case.old_line.replace(str(OLD + self.case.changed), str(STALE))
        return {
            path: text.replace(self.case.old_line, stale, 1) if self.corrects else text
            for path, text in self.case.base.items()
        }

    @property
    def replies(self) -> dict[str, str]:
        """Return the replies by file name; the first of two changes the value, but not to what the task asks for."""
        if not self.corrects:
            return {f"{self.name}.md": self.reply}
        new = self.case.old_line
        old = new.replace(str(OLD + self.case.changed), str(STALE))
        block = f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"
        first = f"```text path={self.case.path}\n{block}```\n"
        return {f"{self.name}.md": first, f"{self.name}.2.md": self.reply}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a reply: `files` are the task's files on the target afterwards."""

    task: Task
    verdict: str
    reason: str
    files: Mapping[str, str]

    @property
    def merged(self) -> bool:
        """Return whether the reply's change landed."""
        return self.verdict == "merged"

    @property
    def is_false_green(self) -> bool:
        """Return whether a wrong file landed, or the file changed though nothing merged."""
        return self.files != (self.task.case.expected if self.merged else self.task.base)


def main() -> int:
    """Run the sweep, print its table, and return 1 where a bound is missed."""
    options = _options()
    tasks = list(_tasks(options))
    outcomes: list[Outcome] = []
    with scratch_folder() as scratch:
        for number, start in enumerate(range(0, len(tasks), options.chunk)):
            chunk = tasks[start : start + options.chunk]
            outcomes += _run(scratch / str(number), chunk, sandbox=options.sandbox)
            print(f"  {len(outcomes)} of {len(tasks)}", file=sys.stderr, flush=True)
    _print_table(outcomes)
    _print_examples(outcomes, most=options.show)
    wrong = sum(each.is_false_green for each in outcomes)
    rights = [each for each in outcomes if each.task.is_right]
    share = sum(each.merged for each in rights) / max(1, len(rights))
    print(f"\nfalse greens: {wrong} (at most {MOST_FALSE_GREENS})")
    print(f"right replies merged: {share:.1%} (at least {LEAST_RIGHT:.0%})")
    return 1 if wrong > MOST_FALSE_GREENS or share < LEAST_RIGHT else 0


def _tasks(options: argparse.Namespace) -> Iterator[Task]:
    rng = random.Random(options.seed)
    plans = ((wrong, wrong.WRONG, options.wrong), (right, right.RIGHT, options.right))
    number = 0
    for module, forms, count in plans:
        for index in range(count):
            number += 1
            around, place = divmod(index, len(forms))
            form = forms[place]
            language = LANGUAGES[(place + around) % len(LANGUAGES)]
            kind = module.KINDS.get(form, Kind.WHOLE)
            case = make_case(rng, language, folder=f"files/t{number:05d}", kind=kind)
            if options.only and options.only not in form.__name__:
                continue
            reply = form(case, rng)
            if options.corrections and case.kind is Kind.CREATE:
                continue
            name = f"t{number:05d}"
            yield Task(name, form.__name__, module is right, case, reply, options.corrections)


def _run(folder: Path, tasks: Sequence[Task], *, sandbox: str) -> list[Outcome]:
    """Run the tasks in a repository of their own."""
    folder.mkdir()
    env = quiet_environment(folder)
    top, canned = folder / "repository", folder / "canned/p"
    canned.mkdir(parents=True)
    for name, reply in (item for task in tasks for item in task.replies.items()):
        with (canned / name).open("w", encoding="utf-8", newline="") as file:
            file.write(reply)
    files = {f"mini-projects/p/{task.name}.md": _spec(task) for task in tasks}
    files["README.md"] = "# Files\n"
    for task in tasks:
        files |= task.base
    make_repository(top, files, env=env)
    settings = folder / "home/.config/minitask/config.yaml"
    settings.parent.mkdir(parents=True)
    config = _CONFIG.format(folder=canned.parent, sandbox=sandbox, repairs=int(tasks[0].corrects))
    settings.write_text(config, "utf-8")
    argv = (str(minitask()), "run", "p", "--json")
    done = subprocess.run(argv, cwd=top, env=env, capture_output=True, check=False)
    if not done.stdout:
        sys.exit(done.stderr.decode("utf-8", "replace")[-4000:])
    results = {item["task"]: item for item in json.loads(done.stdout)["tasks"]}
    return [_outcome(task, results[f"p/{task.name}"], top) for task in tasks]


def _outcome(task: Task, result: dict[str, str], top: Path) -> Outcome:
    files = {}
    for path in task.case.expected:
        argv = ("git", "-C", str(top), "show", f"main:{path}")
        done = subprocess.run(argv, capture_output=True, check=False)
        if done.returncode == 0:
            files[path] = done.stdout.decode("utf-8", "surrogateescape")
    return Outcome(task, result["verdict"], result.get("reason") or "", files)


def _spec(task: Task) -> str:
    case = task.case
    value = STALE if task.corrects else OLD + case.changed
    step = f"In `{case.path}`, change the value of {case.target} from {value} to {case.marker}."
    files = f"**Files to Edit**:\n- `{case.path}`"
    check = f"grep -q {case.marker} {case.path}"
    if case.kind is Kind.EXCERPT:
        first, last = case.cited
        files += f" (lines {first}-{last})"
    elif case.kind is Kind.CREATE:
        step = f"Write {len(case.blocks)} blocks into `{case.path}`, and `second` into `{case.companion}`."
        files = f"**Files to Create**:\n- `{case.path}`\n- `{case.companion}`"
        check = f"test -f {case.path}"
    values = {"files": files, "step": f"{step} Change nothing else.", "check": check}
    return _SPEC.format(name=task.name, number=int(task.name[1:]), **values)


def _print_table(outcomes: Sequence[Outcome]) -> None:
    for is_right, title in ((False, "wrong replies"), (True, "right replies in odd forms")):
        rows = [each for each in outcomes if each.task.is_right == is_right]
        forms = dict.fromkeys(each.task.form for each in rows)
        print(f"\n| {title} | tried | stopped | merged right | merged wrong |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for form in forms:
            _print_row(form, [each for each in rows if each.task.form == form])
        _print_row("**all**", rows)


def _print_row(name: str, rows: Sequence[Outcome]) -> None:
    false = sum(each.is_false_green for each in rows)
    merged = sum(each.merged and not each.is_false_green for each in rows)
    label = name.replace("_", " ")
    print(f"| {label} | {len(rows)} | {len(rows) - merged - false} | {merged} | {false} |")


def _print_examples(outcomes: Sequence[Outcome], *, most: int) -> None:
    """Print a few of what should not be, by form and language."""
    bad = [
        each for each in outcomes if each.is_false_green or (each.task.is_right and not each.merged)
    ]
    counts = Counter((each.task.form, each.task.case.language.suffix) for each in bad)
    for form in dict.fromkeys(name for name, _ in counts):
        suffixes = (f"{suffix} {count}" for (name, suffix), count in counts.items() if name == form)
        print(f"  {form}: {', '.join(suffixes)}")
    for each in bad[:most]:
        kind = "FALSE GREEN" if each.is_false_green else "turned away"
        print(f"\n{kind}: {each.task.form}, {each.task.case.path}: {each.verdict}: {each.reason}")
        print("  " + each.task.reply.replace("\n", "\n  ")[:600])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wrong", type=int, default=2160, help="wrong replies to try")
    parser.add_argument("--right", type=int, default=660, help="right replies to try")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chunk", type=int, default=200, help="tasks a repository")
    parser.add_argument("--sandbox", default="none", help="the sandbox of the validations")
    parser.add_argument("--only", default="", help="only forms whose name holds this")
    parser.add_argument(
        "--corrections", action="store_true", help="each reply corrects an earlier one that failed"
    )
    parser.add_argument("--show", type=int, default=0, help="print so many faulty replies")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
