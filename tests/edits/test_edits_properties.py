"""What holds for every edit script: it reads back as written, and no line appears or vanishes."""

from __future__ import annotations

from collections import Counter
from difflib import unified_diff
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from minitask.edits.apply_script import apply_script
from minitask.edits.grammar import parse_script, paths_written, render_script
from minitask.edits.script_model import (
    Edit,
    EditScript,
    Locate,
    Operation,
    SearchReplace,
    Source,
    UnifiedDiff,
    Verb,
    WholeFile,
)
from minitask.spec.model import Fence, LineRange

AWKWARD = [
    *("```", "~~~~", "   ````python", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE"),
    *("<<<<<<< HEAD", "<<<<<<<< SEARCH", "# Heading", "    indented", "\ttab", ""),
    *("  ", "-> a.py:3", "--- a/x", "@@ -1 +1 @@"),
]
# Markdown itself turns NUL and carriage returns into something else.
plain = st.text(st.characters(exclude_characters="\r\n\0\ufeff", exclude_categories=["Cs"]))
lines = st.one_of(st.sampled_from(AWKWARD), plain)
contents = st.lists(lines, max_size=6).map(lambda found: "".join(f"{line}\n" for line in found))
paths = st.one_of(
    st.sampled_from(
        ["a.py", "my file.py", "dedent", "7-9", "->", 'q"uo\\te', "a:3", "`x`", "é,b", "#c"]
    ),
    plain.filter(bool),
)
ranges = st.tuples(st.integers(1, 99), st.integers(0, 99)).map(
    lambda r: LineRange(r[0], r[0] + r[1])
)
sources = st.builds(Source, paths, st.none() | ranges)
transfers = st.builds(
    Operation,
    st.sampled_from([Verb.COPY, Verb.MOVE]),
    st.lists(sources, min_size=1, max_size=3).map(tuple),
    paths,
    st.none() | st.integers(0, 99),
    st.integers(-8, 8),
)
common_dedents = st.builds(
    Operation, st.just(Verb.MOVE), st.tuples(sources), paths, dedent=st.just(True)
)
deletes = st.builds(Operation, st.just(Verb.DELETE), st.lists(sources, min_size=1).map(tuple))
renames = st.builds(Operation, st.just(Verb.RENAME), st.tuples(st.builds(Source, paths)), paths)


@st.composite
def diffs(draw: st.DrawFn) -> UnifiedDiff:
    """A diff that adds lines of any content."""
    added = draw(st.lists(lines, min_size=1, max_size=4))
    head = f"--- a/x.py\n+++ b/x.py\n@@ -3,0 +4,{len(added)} @@\n"
    return UnifiedDiff(head + "".join(f"+{line}\n" for line in added))


edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(WholeFile, paths, contents),
    st.builds(SearchReplace, paths, contents, contents),
    transfers,
    common_dedents,
    deletes,
    renames,
    diffs(),
)


def is_whole(edit: Edit) -> str | object:
    return edit.path if isinstance(edit, WholeFile) else object()


scripts = st.lists(edits, max_size=6, unique_by=is_whole).map(lambda e: EditScript(tuple(e)))


def fences_of(markdown: str) -> list[Fence]:
    tokens = MarkdownIt("commonmark").parse(markdown)
    return [Fence(t.info, t.content) for t in tokens if t.type == "fence"]


@given(scripts)
def test_a_rendered_script_parses_back_to_itself(script: EditScript) -> None:
    assert parse_script(fences_of(render_script(script))) == script


def after(
    script: EditScript, files: dict[str, str], locate: Locate | None = None
) -> dict[str, str]:
    result = dict(files)
    for change in apply_script(script, read=files.get, locate=locate):
        if change.content is None:
            del result[change.path]
        else:
            result[change.path] = change.content
    return result


@st.composite
def partitions(draw: st.DrawFn) -> tuple[int, list[LineRange]]:
    """A file's number of lines, and disjoint ranges of them in any order."""
    size = draw(st.integers(1, 30))
    marks = sorted(draw(st.sets(st.integers(1, size + 1), min_size=2, max_size=8)) | {1})
    ranges = [LineRange(a, b - 1) for a, b in pairwise(marks)]
    chosen = draw(st.lists(st.sampled_from(ranges), unique=True)) if ranges else []
    return size, draw(st.permutations(chosen))


@given(partitions(), st.lists(st.sampled_from(["b.py", "c.py"]), min_size=8, max_size=8))
def test_moves_one_by_one_give_what_one_script_gives(
    partition: tuple[int, list[LineRange]], targets: list[str]
) -> None:
    size, ranges = partition
    start = {"a.py": "".join(f"line {n}\n" for n in range(1, size + 1)), "b.py": "below\n"}
    moves = [
        Operation(Verb.MOVE, (Source("a.py", lines),), target)
        for lines, target in zip(ranges, targets, strict=False)
    ]
    files, taken = start, list[LineRange]()

    def locate(path: str, cited: LineRange) -> LineRange:
        gone = sum(r.end - r.start + 1 for r in taken if r.end < cited.start)
        return LineRange(cited.start - gone, cited.end - gone)

    for move, lines in zip(moves, ranges, strict=True):
        files = after(EditScript((move,)), files, locate)
        taken.append(lines)
    assert files == after(EditScript(tuple(moves)), start)


bodies = st.text("ab \t\x0b\u2028é", max_size=3)
ends = st.sampled_from(["\n", "\r\n"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    rows = draw(st.lists(st.tuples(bodies, ends), min_size=1, max_size=8))
    last = draw(bodies)
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return bom + "".join(body + end for body, end in rows) + last


def counted(files: dict[str, str]) -> Counter[str]:
    """The lines of all files, without their ends."""
    found: Counter[str] = Counter()
    for content in files.values():
        plain = content.removeprefix("\ufeff").replace("\r\n", "\n")
        rows = plain.split("\n")
        found.update(rows if rows[-1] else rows[:-1])
    return found


@given(st.data(), texts(), texts())
def test_moves_never_lose_or_invent_a_line(data: st.DataObject, one: str, two: str) -> None:
    files = {"one": one, "two": two}
    size = sum(counted({"one": one}).values())
    marks = sorted(data.draw(st.sets(st.integers(1, size + 1), min_size=2, max_size=6)))
    ranges = [LineRange(a, b - 1) for a, b in pairwise(marks)]
    chosen = data.draw(st.lists(st.sampled_from(ranges), unique=True, min_size=1))
    limit = sum(counted({"two": two}).values())
    places = st.one_of(
        st.just(("new", None)),
        st.just(("new", 0)),
        st.tuples(st.just("two"), st.none() | st.integers(0, limit)),
    )
    moves = []
    for lines in chosen:
        target, line = data.draw(places)
        moves.append(Operation(Verb.MOVE, (Source("one", lines),), target, line))
    result = after(EditScript(tuple(moves)), files)
    assert counted(result) == counted(files)
    assert "\ufeff" not in "".join(content[1:] for content in result.values())


@given(scripts)
def test_the_paths_of_a_script_are_those_that_it_names(script: EditScript) -> None:
    cited = {s.path for e in script.edits if isinstance(e, Operation) for s in e.sources}
    named = cited | {e.path for e in script.edits if isinstance(e, WholeFile | SearchReplace)}
    named |= {e.target for e in script.edits if isinstance(e, Operation) and e.target is not None}
    named |= {"x.py"} if any(isinstance(e, UnifiedDiff) for e in script.edits) else set()
    assert paths_written(script) <= named


@given(st.lists(bodies, max_size=12), st.lists(bodies, max_size=12), st.integers(0, 3))
def test_the_diff_of_two_texts_turns_one_into_the_other(
    old: list[str], new: list[str], context: int
) -> None:
    before, wanted = ([f"{line}\n" for line in side] for side in (old, new))
    diff = "".join(unified_diff(before, wanted, "a/x", "b/x", n=context))
    script = EditScript((UnifiedDiff(diff),) if diff else ())
    assert after(script, {"x": "".join(before)}) == {"x": "".join(wanted)}
