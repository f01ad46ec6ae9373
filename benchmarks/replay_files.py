"""Whether files of real repositories land as new files: read from replies in several forms, and judged by lint.

Each file at the head of a clone is what a model writes, and the task asks for no more than that file. A reply read as
anything else is wrong. Few refusals are right: a `TODO`, a file that is broken on purpose.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from replay_commits import git, read_options

from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.edits.script_model import Change
from minitask.errors import EditError
from minitask.gates.lint import check_lint
from minitask.spec.model import FileAction, FileRef, Spec

MOST_CHARACTERS = 60_000
FORMS = {
    "path in the info string": "{fence}text path={path}\n{text}{fence}\n",
    "path in bold above": "**{path}**\n\n{fence}\n{text}{fence}\n",
    "path in a sentence": "Here is `{path}`:\n\n{fence}\n{text}{fence}\n\nIt does what was asked.\n",
    "path in a heading": "### {path}\n\n{fence}\n{text}{fence}\n",
    "no path": "{fence}\n{text}{fence}\n",
}


def main() -> int:
    """Read and judge the files of each clone, and print a table by form."""
    options = read_options(
        __doc__, most="files of each clone", show="print what is not right, and why"
    )
    files = [file for clone in options.clones for file in _files(clone, options.most, options.seed)]
    table: dict[str, Counter[str]] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for (path, _), outcomes in zip(files, pool.map(_judge, files, chunksize=8), strict=True):
            for name, (outcome, reason) in outcomes.items():
                table.setdefault(name, Counter())[outcome] += 1
                if options.show and outcome != "right":
                    print(f"{path}: {name}: {outcome}: {reason}", file=sys.stderr)
    print(f"{'':24}   right  refused  wrong")
    for name, counts in table.items():
        print(f"{name:24}  {counts['right']:6}  {counts['refused']:7}  {counts['wrong']:5}")
    return 0


def _files(clone: str, most: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield the path and text of some files at the head: not links, not binary, with an end of line."""
    rows = [row.partition("\t") for row in git(clone, "ls-tree", "-rz", "HEAD").split("\0") if row]
    paths = [path for mode, _, path in rows if mode.startswith("100") and "\n" not in path]
    random.Random(seed).shuffle(paths)
    for path in paths[:most]:
        text = git(clone, "show", f"HEAD:{path}")
        if text.strip() and "\0" not in text and len(text) <= MOST_CHARACTERS:
            yield path, text.removesuffix("\n") + "\n"


def _judge(file: tuple[str, str]) -> dict[str, tuple[str, str]]:
    path, text = file
    marks = max(map(len, re.findall(r"(?m)^[ \t]*(`{3,})", text)), default=2)
    fields = {"path": path, "text": text, "fence": "`" * (marks + 1)}
    outcomes = {name: _read(form.format(**fields), path, text) for name, form in FORMS.items()}
    outcomes["judged by lint"] = _lint(path, text)
    return outcomes


def _read(reply: str, path: str, text: str) -> tuple[str, str]:
    """Return what a reply was read as: right, refused or wrong. Line ends and a byte order mark are git's."""
    context = ReplyContext((ListedFile(path, FileAction.CREATE),), {}.get)
    try:
        changes = changes_of(reply, context)
    except EditError as error:
        return "refused", str(error)
    got = [(change.path, _plain(change.content or "")) for change in changes]
    return ("right", "") if got == [(path, _plain(text))] else ("wrong", "another text")


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").rstrip("\n")


def _lint(path: str, text: str) -> tuple[str, str]:
    task = f"1. Write `{path}`."
    files = (FileRef(path, FileAction.CREATE),)
    spec = Spec("mini-projects/p/01.md", "1", f"Add {Path(path).name}", task=task, files=files)
    ruling = check_lint([Change(path, text)], read={}.get, spec=spec)
    return ("right", "") if ruling.passed else ("refused", ruling.reason.partition("\n")[0])


if __name__ == "__main__":
    sys.exit(main())
