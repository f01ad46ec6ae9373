"""The one check of specs: each is judged on what it will start from, and its edit script is tried there."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from minitask.edits.check_script import Earlier, versions_of
from minitask.edits.checker import check_one, check_specs
from minitask.edits.lines import map_lines
from minitask.spec.model import Kind, LineRange, Spec
from minitask.spec.parse import parse_file

TEN = "".join(f"line {number}\n" for number in range(1, 11))


@dataclass
class Listing:
    """A tree given as texts by path."""

    texts: dict[str, str]

    def kind(self, path: str) -> Kind | None:
        if path in self.texts:
            return "file"
        return "dir" if any(name.startswith(f"{path}/") for name in self.texts) else None

    def line_count(self, path: str) -> int | None:
        return self.texts[path].count("\n") if path in self.texts else None

    def names(self, folder: str) -> set[str]:
        start = f"{folder}/" if folder else ""
        known = (path for path in self.texts if path.startswith(start))
        return {path[len(start) :].partition("/")[0] for path in known}

    def text(self, path: str) -> str | None:
        return self.texts.get(path)


@dataclass
class Ground:
    """A base, and what it was when the specs were written, where that was something else."""

    files: Listing
    before: Listing | None = field(default=None)
    version: Earlier | None = field(default=None)

    def anchor_of(self, spec: Spec) -> Listing | None:
        return self.before

    def new_name(self, spec: Spec, path: str) -> str | None:
        return None

    def earlier(self, spec: Spec) -> Earlier | None:
        return self.version

    def locate(self, spec: Spec, path: str, cited: LineRange) -> LineRange:
        old = self.before.text(path) if self.before else None
        new = self.files.text(path)
        return (
            map_lines(cited, versions_of(path, old, new))
            if old is not None and new is not None
            else cited
        )


BASE = Ground(Listing({"a.txt": TEN, "b.txt": "b\n"}))


def _spec(
    name: str, *files: str, script: str = "", needs: Sequence[str] = (), tier: str = ""
) -> Spec:
    """A sound spec; `files` are `read a.txt (lines 1-2)`, `edit a.txt`, `create c.txt`, `delete a.txt`."""
    labels = {"read": "Files to Read", "edit": "Files to Edit", "create": "Files to Create"}
    front = [f"depends_on: [{', '.join(needs)}]"] if needs else []
    front += [f"tier: {tier}"] if tier else []
    lines = ["---", *front, "---", ""] if front else []
    lines += [f"# Mini-Task {int(name[:2])}: Work", ""]
    for verb, label in labels.items():
        rows = [item.partition(" ")[2] for item in files if item.startswith(verb)]
        rows += [f"{i[7:]} (delete)" for i in files if i.startswith("delete") and verb == "edit"]
        items = [f"- `{row.split()[0]}` {' '.join(row.split()[1:])}".rstrip() for row in rows]
        lines += [f"**{label}**:", *items, ""] if rows else []
    lines += ["## Task", "", "1. Do it.", "", "## Code Snippets", "", script, ""]
    lines += ["## Acceptance Criteria", "", "- [ ] `a.txt` is right", ""]
    lines += ["## Validation", "", "```bash", "grep -q x a.txt", "```", ""]
    parsed = parse_file("\n".join(lines), path=f"mini-projects/p/{name}.md")
    assert not parsed.diagnostics
    return parsed.specs[0]


def _search(path: str, old: str, new: str) -> str:
    return f"```text path={path}\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n```\n"


def _edits(*lines: str) -> str:
    return "\n".join(["```edits", *lines, "```", ""])


def _diff(old: str, new: str) -> str:
    head = "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n"
    return f"```diff\n{head} line 1\n-{old}\n+{new}\n```\n"


RENAME = _spec("01-one", "edit a.txt", script=_search("a.txt", "line 2", "line two"))
REST = ("edit a.txt", "create c.txt")

CASES = {
    "a search text that is nowhere": ([_spec("01-x", "edit a.txt", script=_search("a.txt", "line 99", "x"))], "E304"),
    "a search text that stands twice": ([_spec("01-x", "edit a.txt", script=_search("a.txt", "line", "x"))], "E304"),
    "two search texts that are nowhere": (
        [
            _spec(
                "01-x",
                "edit a.txt",
                script=_search("a.txt", "nope", "x") + _search("a.txt", "no way", "x"),
            )
        ],
        "E304 E304",
    ),
    "a search text that is there": ([_spec("01-x", "edit a.txt", script=_search("a.txt", "line 9", "x"))], ""),
    "a range past the end": ([_spec("01-x", *REST, script=_edits("move a.txt:8-12 -> c.txt"))], "E304"),
    "a range to insert after, past the end": (
        [_spec("01-x", "edit a.txt", script=_edits("copy b.txt -> a.txt:40"))],
        "E304",
    ),
    "an overlap": ([_spec("01-x", *REST, script=_edits("move a.txt:2-5 -> c.txt", "move a.txt:4-6 -> c.txt"))], "E304"),
    "a diff that does not apply": ([_spec("01-x", "edit a.txt", script=_diff("line 3", "x"))], "E304"),
    "a diff that applies": ([_spec("01-x", "edit a.txt", script=_diff("line 2", "x"))], ""),
    "what a dependency makes": (
        [
            RENAME,
            _spec("02-y", "edit a.txt", script=_search("a.txt", "line two", "x"), needs=["01"]),
        ],
        "",
    ),
    "what a dependency takes away": (
        [RENAME, _spec("02-y", "edit a.txt", script=_search("a.txt", "line 2", "x"), needs=["01"])],
        "E304",
    ),
    "what an earlier task makes, without a dependency": (
        [RENAME, _spec("02-y", "edit a.txt", script=_search("a.txt", "line two", "x"))],
        "N207 W307",
    ),
    "what an earlier task takes away, without a dependency": (
        [RENAME, _spec("02-y", "edit a.txt", script=_search("a.txt", "line 2", "x"))],
        "N207 E309",
    ),
    "what neither the base nor an earlier task has": (
        [RENAME, _spec("02-y", "edit a.txt", script=_search("a.txt", "nope", "x"))],
        "N207 E304",
    ),
    "what only a later task makes": (
        [
            _spec("01-x", "edit a.txt", script=_search("a.txt", "line two", "x")),
            _spec("02-y", "edit a.txt", script=_search("a.txt", "line 2", "line two")),
        ],
        "E304 N207",
    ),
    "lines that earlier tasks moved others away from": (
        [
            _spec("01-x", *REST, script=_edits("move a.txt:1-3 -> c.txt")),
            _spec(
                "02-y",
                "edit a.txt",
                "create d.txt",
                script=_edits("move a.txt:8-9 -> d.txt"),
                needs=["01"],
            ),
        ],
        "",
    ),
    "lines that a dependency moves away": (
        [
            _spec("01-x", *REST, script=_edits("move a.txt:1-5 -> c.txt")),
            _spec(
                "02-y",
                "edit a.txt",
                "create d.txt",
                script=_edits("move a.txt:4-6 -> d.txt"),
                needs=["01"],
            ),
        ],
        "E215",
    ),
    "lines to read that a dependency changes": (
        [RENAME, _spec("02-y", "read a.txt (lines 1-3)", "create d.txt", needs=["01"])],
        "N216",
    ),
    "lines to edit that a dependency changes": (
        [RENAME, _spec("02-y", "edit a.txt (lines 1-3)", needs=["01"])],
        "E215",
    ),
    "lines to edit of a file that a dependency makes": (
        [
            _spec("01-x", "create c.txt", script="```text path=c.txt\n1\n2\n```\n"),
            _spec("02-y", "edit c.txt (lines 1-2)", needs=["01"]),
        ],
        "E215",
    ),
    "lines to read of a file that a dependency makes": (
        [
            _spec("01-x", "create c.txt", script="```text path=c.txt\n1\n2\n```\n"),
            _spec("02-y", "read c.txt (lines 1-2)", "create d.txt", needs=["01"]),
        ],
        "N216",
    ),
    "a search in a file that a model changes first": (
        [
            _spec("01-x", "edit a.txt"),
            _spec("02-y", "edit a.txt", script=_search("a.txt", "nope", "x"), needs=["01"]),
        ],
        "",
    ),
    "a file that a dependency deletes": (
        [
            _spec("01-x", "delete b.txt", script=_edits("delete b.txt")),
            _spec("02-y", "edit b.txt", needs=["01"]),
        ],
        "E203",
    ),
    "a file whose maker waits for its reader": (
        [_spec("01-x", "read c.txt", "create d.txt"), _spec("02-y", "create c.txt", needs=["01"])],
        "E201 W214",
    ),
    "a file that two tasks create": ([_spec("01-x", "create c.txt"), _spec("02-y", "create c.txt")], "N207 E309"),
    "an edit that a model is shown": ([_spec("01-x", *REST, script=_search("a.txt", "nope", "x"))], "N303 W306"),
    "tier none without a script": ([_spec("01-x", "edit a.txt", tier="none")], "E305"),
    "tier none with half a script": (
        [_spec("01-x", *REST, script=_search("a.txt", "line 9", "x"), tier="none")],
        "E305 N303",
    ),
    "another spec among the files": ([RENAME, _spec("02-y", "edit mini-projects/p/01-one.md")], "E410"),
    "the folder of specs in another case": ([_spec("02-y", "create Mini-Projects/p/notes.txt")], "E410"),
}  # fmt: skip


def _codes(specs: Sequence[Spec], ground: Ground = BASE) -> str:
    found = [item for each in check_specs(specs, ground=ground) for item in each.diagnostics]
    assert all(item.message and item.hint for item in found)
    return " ".join(item.code for item in found)


@pytest.mark.parametrize(("specs", "codes"), CASES.values(), ids=CASES.keys())
def test_one_mistake_gives_one_diagnostic(specs: list[Spec], codes: str) -> None:
    assert sorted(_codes(specs).split()) == sorted(codes.split())


def test_a_search_that_fails_is_reported_at_its_line_with_the_nearest_ones() -> None:
    spec = _spec("01-x", "edit a.txt", script=_search("a.txt", "line 9 is not so", "x"))
    [verdict] = check_specs([spec], ground=BASE)
    [found] = verdict.errors
    assert (found.path, found.line) == ("mini-projects/p/01-x.md", spec.snippets[0].line + 1)
    assert "line 9" in f"{found.message} {found.hint}"


def test_a_task_that_fits_only_after_another_waits_for_it() -> None:
    user = _spec("02-y", "edit a.txt", script=_search("a.txt", "line two", "x"))
    verdict = check_specs([RENAME, user], ground=BASE, judged=[user])[0]
    assert verdict.waits_for == (RENAME,)
    assert not verdict.errors
    assert check_one(user, ground=BASE).errors


def test_what_has_landed_is_not_tried_again() -> None:
    after = Ground(Listing({"a.txt": TEN.replace("line 2\n", "line two\n")}))
    user = _spec("02-y", "edit a.txt", script=_search("a.txt", "line two", "x"), needs=["01"])
    verdicts = check_specs([RENAME, user], ground=after, landed=[RENAME])
    assert [verdict.diagnostics for verdict in verdicts] == [(), ()]


def test_lines_that_moved_since_the_spec_was_written_are_followed() -> None:
    moved = Ground(Listing({"a.txt": "new\n" + TEN}), Listing({"a.txt": TEN}))
    spec = _spec("01-x", *REST, script=_edits("move a.txt:9-10 -> c.txt"))
    assert _codes([spec], moved) == ""


def test_lines_that_changed_since_are_refused_with_their_new_numbers() -> None:
    changed = Ground(
        Listing({"a.txt": "new\n" + TEN.replace("line 9", "nine")}), Listing({"a.txt": TEN})
    )
    spec = _spec("01-x", *REST, script=_edits("move a.txt:8-10 -> c.txt"))
    [verdict] = check_specs([spec], ground=changed)
    assert [item.code for item in verdict.errors] == ["E215"]
    assert "now in lines 9-11" in verdict.errors[0].hint


@pytest.mark.parametrize(
    ("cited", "version_cited", "codes"),
    [("2-3", "2-3", "W217"), ("2-3", "4-5", ""), ("2-3", "9-10", "")],
)
def test_a_typo_fix_does_not_move_the_anchor_in_silence(
    cited: str, version_cited: str, codes: str
) -> None:
    def spec(lines: str) -> Spec:
        return _spec("01-x", *REST, script=_edits(f"move a.txt:{lines} -> c.txt"))

    then = Listing({"a.txt": TEN})
    earlier = Earlier(spec(version_cited), "4f2c9e1a" * 5, then)
    now = Ground(Listing({"a.txt": "new\n" + TEN}), version=earlier)
    [verdict] = check_specs([spec(cited)], ground=now)
    assert [item.code for item in verdict.diagnostics] == codes.split()
    assert all("`anchor: 4f2c9e1a4f2c`" in item.hint for item in verdict.diagnostics)


def test_many_tasks_of_one_file_are_judged_without_recursion() -> None:
    specs = [_spec(f"{at:02d}-x", "edit a.txt") for at in range(10, 99)]
    specs[-1] = _spec("99-y", "edit a.txt", script=_search("a.txt", "line 2", "x"))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 60)
    try:
        verdicts = check_specs(specs, ground=BASE, judged=specs[-1:])
    finally:
        sys.setrecursionlimit(limit)
    assert [item.code for item in verdicts[0].diagnostics] == ["N207"]
