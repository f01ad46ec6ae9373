"""How often a careless rewrite of a real commit passes the lint gate, and how often the commit as it is does not.

Each commit of a clone that changes one file of code becomes a task: its message is the spec, its file the reply. Then
the file gets one fault, such as a function that is gone, stripped comments or a language's name above the text, and is
judged again. Commits are terse, so some refusals are right: the message does not speak of what was removed.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from pathlib import Path

from minitask.edits.script_model import Change
from minitask.gates.lint import check_lint
from minitask.gates.result import EntryKind
from minitask.spec.model import FileAction, FileRef, Spec

LANGUAGES = {
    ".py": ("python", "#", "pass"),
    ".rb": ("ruby", "#", "nil"),
    ".js": ("javascript", "//", "return null;"),
    ".ts": ("typescript", "//", "return null;"),
    ".go": ("go", "//", 'panic("not implemented")'),
    ".rs": ("rust", "//", "todo!()"),
    ".java": ("java", "//", "return null;"),
}
"""By ending: the word of a fence, the mark of a comment, a stub."""
_DEFINES = re.compile(
    r"(\s*)(?:(?:async |export |pub |public |private |static )*(?:def|func|fn|function) |exports\.\w+ = )"
)
_IMPORTS = re.compile(r"import |from .* import |use |(?:const|var|let) .*require\(|require ")
MOST_LINES, MOST_ADDED = 900, 60


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit that changes one file of code: its message, and the file before and after."""

    clone: str
    name: str
    message: str
    path: str
    base: str
    content: str


@dataclass(frozen=True)
class Tree:
    """The files of the commit's parent with one file replaced, as the lint gate asks for them."""

    commit: Commit
    known: dict[str, Mapping[str, EntryKind]] = field(default_factory=dict)

    def names(self, folder: str) -> Mapping[str, EntryKind]:
        """Return a folder's entries."""
        if folder not in self.known:
            rows = git(self.commit.clone, "ls-tree", "-z", f"{self.commit.name}^:{folder}").split(
                "\0"
            )
            pairs = (row.partition("\t") for row in rows if row)
            kinds = {"040000": EntryKind.FOLDER}
            self.known[folder] = {
                name: kinds.get(mode[:6], EntryKind.FILE) for mode, _, name in pairs
            }
        return self.known[folder]

    def read(self, path: str) -> str | None:
        """Return a file's text, or None."""
        if path == self.commit.path:
            return self.commit.content
        folder, _, name = path.rpartition("/")
        is_file = self.names(folder).get(name) is EntryKind.FILE
        return git(self.commit.clone, "show", f"{self.commit.name}^:{path}") if is_file else None

    def holding(self, word: str, endings: Sequence[str]) -> Sequence[str]:
        """Return the files with one of the endings that hold a word."""
        tree, patterns = f"{self.commit.name}^", [f":(top,glob)**/*{ending}" for ending in endings]
        found = git(self.commit.clone, "grep", "-lzwF", "-e", word, tree, "--", *patterns)
        return [row.removeprefix(f"{tree}:") for row in found.split("\0") if row]


def main() -> int:
    """Judge the commits of each clone, and print a table by kind of fault."""
    options = read_options(
        __doc__, most="commits of each clone", show="print why commits as they are fail"
    )
    print("kind              passed  refused")
    table: dict[str, Counter[bool]] = {}
    commits = [
        commit for clone in options.clones for commit in _commits(clone, options.most, options.seed)
    ]
    cases = [case for commit in commits for case in _cases(commit, options.seed)]
    with ProcessPoolExecutor(options.jobs) as pool:
        for (kind, commit), reason in zip(cases, pool.map(judge, cases, chunksize=8), strict=True):
            table.setdefault(kind, Counter())[not reason] += 1
            if reason and kind == "as it is" and options.show:
                print(f"{Path(commit.clone).name} {commit.name[:10]}: {reason}", file=sys.stderr)
    for kind, counts in sorted(table.items()):
        print(f"{kind:16}  {counts[True]:6}  {counts[False]:7}")
    return 0


def read_options(doc: str | None, *, most: str, show: str) -> argparse.Namespace:
    """Return the options that both replays have; `most` and `show` say what they mean here."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("clones", nargs="+", metavar="CLONE", help="a git repository")
    parser.add_argument("--most", type=int, default=40, help=most)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help=show)
    return parser.parse_args()


def git(clone: str, *arguments: str) -> str:
    """Return what a git command prints; empty where it fails."""
    done = subprocess.run(("git", "-C", clone, *arguments), capture_output=True, check=False)
    return done.stdout.decode("utf-8", "surrogateescape")


def _commits(clone: str, most: int, seed: int) -> Iterator[Commit]:
    log = git(clone, "log", "--no-merges", "-n", "2500", "--format=%x00%H%x01%B%x01", "--numstat")
    entries = [entry.split("\x01") for entry in log.split("\0")[1:]]
    random.Random(seed).shuffle(entries)
    found = 0
    for name, message, stat in entries:
        rows = [row.split("\t") for row in stat.strip().split("\n") if row.count("\t") == 2]
        code = [row for row in rows if Path(row[2]).suffix in LANGUAGES]
        if (
            found == most
            or len(code) != 1
            or len(rows) > 3
            or "test" in code[0][2]
            or "=>" in code[0][2]
        ):
            continue
        path = code[0][2]
        base, content = (git(clone, "show", f"{name}{side}:{path}") for side in ("^", ""))
        is_small = code[0][0].isdigit() and 2 <= int(code[0][0]) <= MOST_ADDED
        if is_small and base and content and content.count("\n") < MOST_LINES:
            found += 1
            yield Commit(clone, name, message, path, base, content)


def judge(case: tuple[str, Commit]) -> str:
    """Return the lint gate's reason against a commit's file; empty where it passes."""
    _, commit = case
    title, _, body = commit.message.strip().partition("\n")
    task = f"1. {' '.join(f'{title}. {body}'.split())[:600]}"
    files = (FileRef(commit.path, FileAction.EDIT),)
    spec = Spec("mini-projects/p/01.md", "1", title[:70], files=files, task=task)
    changes, base = [Change(commit.path, commit.content)], {commit.path: commit.base}
    return check_lint(changes, read=base.get, spec=spec, candidate=Tree(commit)).reason


def _cases(commit: Commit, seed: int) -> Iterator[tuple[str, Commit]]:
    rng = random.Random(f"{seed}{commit.name}")
    rows = commit.content.split("\n")
    kept = _kept(commit.base.split("\n"), rows)
    yield "as it is", commit
    for kind, change in FAULTS.items():
        text = "\n".join(change(rows, kept, Path(commit.path).suffix, rng))
        if text.strip() != commit.content.strip():
            yield kind, replace(commit, content=text)


def _kept(old: Sequence[str], new: Sequence[str]) -> set[int]:
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {at for block in blocks for at in range(block.b, block.b + block.size)}


Rows = list[str]
Fault = Callable[[Rows, set[int], str, random.Random], Rows]


def _definition(
    rows: Rows, kept: set[int], ending: str, rng: random.Random
) -> tuple[int, int] | None:
    """Return the first line of a definition that the commit does not touch, and the line behind its last."""
    found = []
    for at, row in enumerate(rows):
        match = _DEFINES.match(row)
        end = at + 1
        while (
            match and end < len(rows) and (not rows[end].strip() or _depth(rows[end]) > _depth(row))
        ):
            end += 1
        end += ending != ".py"
        if match and end - at >= 3 and kept.issuperset(range(at, min(end, len(rows)))):
            found.append((at, end))
    return rng.choice(found) if found else None


def _depth(row: str) -> int:
    return len(row) - len(row.lstrip())


def _on_definition(change: Callable[[Rows, str], Rows]) -> Fault:
    def fault(rows: Rows, kept: set[int], ending: str, rng: random.Random) -> Rows:
        place = _definition(rows, kept, ending, rng)
        if place is None:
            return rows
        return [*rows[: place[0]], *change(rows[place[0] : place[1]], ending), *rows[place[1] :]]

    return fault


def _with_body(text: Callable[[str], str]) -> Fault:
    def change(part: Rows, ending: str) -> Rows:
        indent = " " * _depth(part[1]) if "\t" not in part[1] else "\t" * _depth(part[1])
        return [part[0], indent + text(ending), *([] if ending == ".py" else part[-1:])]

    return _on_definition(change)


def _without_import(rows: Rows, kept: set[int], _ending: str, rng: random.Random) -> Rows:
    imports = [at for at in sorted(kept) if _IMPORTS.match(rows[at])]
    gone = rng.choice(imports) if imports else -1
    return [row for at, row in enumerate(rows) if at != gone]


def _without_comments(rows: Rows, kept: set[int], ending: str, _rng: random.Random) -> Rows:
    marks = (LANGUAGES[ending][1], "/*", "* ", "*/")
    gone = {at for at in kept if rows[at].strip().startswith(marks)}
    return [row for at, row in enumerate(rows) if at not in gone] if len(gone) > 3 else rows


FAULTS: Mapping[str, Fault] = {
    "lost function": _on_definition(lambda _part, _ending: []),
    "doubled function": _on_definition(lambda part, _ending: [*part, "", *part]),
    "stub": _with_body(lambda ending: LANGUAGES[ending][2]),
    "elided body": _with_body(lambda ending: f"{LANGUAGES[ending][1]} ... existing code ..."),
    "lost import": _without_import,
    "no comments": _without_comments,
    "no indentation": lambda rows, _kept, _ending, _rng: [row.lstrip() for row in rows],
    "curly quotes": lambda rows, _kept, _ending, _rng: [row.replace("'", "’") for row in rows],
    "language first": lambda rows, _kept, ending, _rng: [LANGUAGES[ending][0], *rows],
    "sentence last": lambda rows, _kept, _ending, _rng: [*rows, "Let me know if you need more!", ""],
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
