"""Generated sets of specs, good and bad, each about a folder of its own."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TEN = "".join(f"line {number}\n" for number in range(1, 11))
BASE = {"f.txt": TEN, "g.txt": "g\n", "Case.txt": "c\n", "dir/inner.txt": "i\n", "d.lfs": "d\n"}
"""The files that stand in every set's folder."""

ATTRIBUTES = "*.lfs filter=lfs\n"
SETTINGS = {
    "executors": {"scripted": {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}},
    "tiers": {
        "cheap": {"executor": "scripted", "model": "tiny"},
        "frontier": {"executor": "scripted", "model": "huge"},
    },
    "prices": {"tiny": {"input": 1, "output": 1}, "huge": {"input": 2, "output": 2}},
    "routing": {"cap": "balanced"},
    "protected": ["*.lock"],
}

READS = ("f.txt", "f.txt (lines 2-4)", "none.txt (optional)")
BAD_READS = ("f.txt (lines 8-12)", "none.txt", "dir", "../up.txt")
BAD_WRITES = (
    ("Edit", "none.txt"),
    ("Edit", "dir"),
    ("Edit", "d.lfs"),
    ("Create/Edit", "new.lfs"),
    ("Create", "pack.lock"),
    ("Edit", ".github/workflows/ci.yml"),
    ("Create", "f.txt"),
    ("Create", "case.txt"),
    ("Create/Edit", "CASE.TXT"),
    ("Create", "Dir/new.txt"),
    ("Create", "f.txt/new.txt"),
    ("Create", "in\u200bvisible.txt"),
    ("Create", "dir"),
    ("Create", "[path/to/file]"),
    ("Create", "a//b.txt"),
    ("Edit", "none.txt (delete)"),
)
FRONTS: tuple[dict[str, str], ...] = (
    {"tier": "cheap"},
    {"executor": "scripted"},
    {"executor": "scripted", "model": "tiny"},
    {"model": "tiny"},
)
BAD_FRONTS: tuple[dict[str, str], ...] = (
    {"tier": "gold"},
    {"tier": "free"},
    {"tier": "frontier"},
    {"tier": "none"},
    {"executor": "nobody"},
    {"model": "huge"},
    {"model": "other"},
    {"depends_on": "[99]"},
    {"anchor": "'0000000'"},
    {"protected": "['*.txt']"},
    {"colour": "red"},
)
BAD_SCRIPTS = (
    "```edits\ndelete {folder}f.txt:9-12\n```\n",
    "```edits\ncopy {folder}f.txt:1-2 {folder}x.txt\n```\n",
    "```text path={folder}f.txt\n<<<<<<< SEARCH\nline 99\n=======\nx\n>>>>>>> REPLACE\n```\n",
    "```text path={folder}f.txt\n<<<<<<< SEARCH\nline\n=======\nx\n>>>>>>> REPLACE\n```\n",
    "```text path={folder}unlisted.txt\nx\n```\n",
    "```edits\nmove {folder}f.txt:1-4 -> {folder}h.txt\ndelete {folder}f.txt:3-5\n```\n",
)
SEARCH = "```text path={folder}f.txt\n<<<<<<< SEARCH\nOLD\n=======\nNEW\n>>>>>>> REPLACE\n```\n"


@dataclass
class Draft:
    """What a spec will say."""

    number: int
    writes: list[tuple[str, str]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    front: dict[str, str] = field(default_factory=dict)
    script: str = ""
    validation: str = ""
    task: str = "1. Do it."


def spec_sets(count: int, *, seed: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield projects: the name, and the texts of its specs by file name."""
    for number in range(count):
        chance = random.Random(seed * 100_003 + number)
        project = f"p{number:03d}"
        drafts = [_draft(at, chance) for at in range(1, chance.choice((1, 1, 2, 3)) + 1)]
        yield project, {f"{each.number:02d}-t.md": _text(each, f"{project}/") for each in drafts}


def base_files(projects: Mapping[str, object]) -> dict[str, str | bytes]:
    """Return what the base holds for some projects."""
    files: dict[str, str | bytes] = {
        f"{project}/{name}": text for project in projects for name, text in BASE.items()
    }
    return {**files, ".gitattributes": ATTRIBUTES}


def _draft(number: int, chance: random.Random) -> Draft:
    draft = Draft(number)
    _add_work(draft, chance)
    if chance.random() < 0.4:
        draft.reads.append(chance.choice(READS))
    if number > 1 and chance.random() < 0.4:
        draft.front["depends_on"] = f"[{chance.randrange(1, number + 1)}]"
    draft.front |= {"proof": "none"}
    if chance.random() < 0.2:
        draft.front |= chance.choice(FRONTS)
    if chance.random() < 0.15:
        del draft.front["proof"]
        draft.validation = "test -f nowhere.txt\n"
    if chance.random() < 0.5:
        _spoil(draft, chance)
    return draft


def _add_work(draft: Draft, chance: random.Random) -> None:
    """One or two changes, each with an edit script or without."""
    scripted = chance.random() < 0.7
    made = chance.choice(("new.txt", f"new{draft.number}.txt", "dir/new.txt"))
    old = chance.randrange(1, 11)
    works = [
        (("Create", made), f"```text path={{folder}}{made}\nmade\n```\n"),
        (
            ("Edit", "f.txt"),
            SEARCH.replace("OLD", f"line {old}").replace("NEW", f"changed {draft.number}"),
        ),
        (("Edit", "f.txt (lines 2-5)"), "```edits\ndelete {folder}f.txt:2-5\n```\n"),
        (("Edit", "g.txt (delete)"), "```edits\ndelete {folder}g.txt\n```\n"),
        (("Create/Edit", "g.txt"), "```text path={folder}g.txt\nwhole\n```\n"),
        (("Create/Edit", "w.txt"), "```text path={folder}w.txt\nwhole\n```\n"),
    ]
    for write, script in chance.sample(works, chance.choice((1, 1, 2))):
        if any(write[1].split()[0] == path.split()[0] for _, path in draft.writes):
            continue
        draft.writes.append(write)
        draft.script += script if scripted else ""


def _spoil(draft: Draft, chance: random.Random) -> None:
    """Put one mistake in."""
    kind = chance.randrange(6)
    if kind == 0:
        draft.reads.append(chance.choice(BAD_READS))
    elif kind == 1:
        bad = chance.choice(BAD_WRITES)
        draft.writes.append(bad)
        path = bad[1].split(" ")[0]
        if draft.script and "(delete)" not in bad[1] and "[" not in path:
            draft.script += f"```text path={{folder}}{path}\nmade\n```\n"
    elif kind == 2:
        draft.front |= chance.choice(BAD_FRONTS)
    elif kind == 3:
        draft.script += chance.choice(BAD_SCRIPTS)
    elif kind == 4:
        draft.front.pop("proof", None)
        draft.validation = chance.choice(("", "if then\n"))
    else:
        draft.task = "1. [Describe the first step]"


def _text(draft: Draft, folder: str) -> str:
    lines = ["---", *(f"{key}: {value}" for key, value in draft.front.items()), "---", ""]
    lines += [f"# Mini-Task {draft.number}: Work", ""]
    if draft.reads:
        lines += ["**Files to Read**:", *(_item(path, folder) for path in draft.reads), ""]
    for verb in ("Create", "Edit", "Create/Edit"):
        paths = [path for own, path in draft.writes if own == verb]
        if paths:
            lines += [f"**Files to {verb}**:", *(_item(path, folder) for path in paths), ""]
    lines += ["## Context", "", "A test.", "", "## Task", "", draft.task, ""]
    if draft.script:
        lines += ["## Code Snippets", "", draft.script.replace("{folder}", folder), ""]
    lines += ["## Acceptance Criteria", "", "- [ ] It is done", ""]
    if draft.validation:
        lines += ["## Validation", "", "```bash", draft.validation.rstrip(), "```", ""]
    return "\n".join(lines)


def _item(path: str, folder: str) -> str:
    name, _, note = path.partition(" ")
    whole = name if name.startswith((".", "[")) else f"{folder}{name}"
    return f"- `{whole}` {note}".rstrip()
