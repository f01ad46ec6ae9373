"""Each W4xx rule: specs that break it and specs that do not; what a command is worth as proof."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from minitask.spec.model import (
    Command,
    Criterion,
    Estimate,
    Expectation,
    ExpectationKind,
    Fence,
    FileAction,
    FileRef,
    Options,
    Severity,
    Spec,
)
from minitask.spec.quality import check_quality
from minitask.spec.vacuous_commands import CommandStrength, strength

READ, EDIT = FileAction.READ, FileAction.EDIT

SOUND = Spec(
    path="mini-projects/p/a.md",
    number="1",
    title="Take out the base class",
    estimate=Estimate(3000, 800),
    files=(FileRef("src/app.py", READ, line=5), FileRef("src/base.py", FileAction.CREATE, line=8)),
    context="We are splitting `app.py`.",
    task="1. Create `src/base.py`.\n2. Copy lines 18-73 of `src/app.py`.",
    criteria=(Criterion("`base.py` holds `Base`", line=20),),
    validation=(Fence("bash", "grep -q 'class Base' src/base.py\n", line=30),),
    commands=(Command("grep -q 'class Base' src/base.py", line=31),),
    lines=(("title", 1), ("context", 10), ("task", 15), ("validation", 29)),
)


def _commands(*texts: str) -> dict[str, Any]:
    return {"commands": tuple(Command(text, line=31 + n) for n, text in enumerate(texts))}


def _reads(count: int) -> dict[str, Any]:
    refs = tuple(FileRef(f"f{n}.py", READ, line=5) for n in range(count))
    return {"files": (*refs, FileRef("out.py", EDIT, line=9))}


def _writes(*paths: str, **options: Any) -> dict[str, Any]:
    return {
        "files": tuple(FileRef(path, EDIT, line=9) for path in paths),
        "options": Options(**options),
    }


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("sound", {}, ""),
    ("no validation", {"commands": (), "validation": ()}, "E401"),
    ("only comments", {"commands": (), "validation": (Fence("bash", "# run it\n\n"),)}, "E401"),
    ("not split", {"commands": (), "validation": (Fence("bash", "grep 'x\n"),)}, ""),
    ("waived", {"commands": (), "validation": (), "options": Options(proof="none")}, ""),
    ("all void", _commands("echo OK", "true"), "W402"),
    ("all weak", _commands("wc -l base.py", "ls", "git status"), "W402"),
    ("set up and shown", _commands("cd src", "X=1", "ls"), "W402"),
    ("existence", _commands("ls -lh src/base.py", "wc -l src/base.py"), ""),
    ("one void", _commands("grep -q x f", "pytest -q || true"), "W402"),
    ("two void", _commands("grep -q x f", "pytest -q || true", "echo done"), "W402 W402"),
    ("void and waived", {**_commands("echo OK"), "options": Options(proof="none")}, ""),
    ("vague", {"task": "1. Add appropriate errors."}, "W403"),
    ("vague at the end", {"task": "1. Handle a, b, etc."}, "W403"),
    ("vague twice in a line", {"task": "1. Improve some names."}, "W403"),
    ("vague in two lines", {"task": "1. Clean up.\n2. Handle edge cases."}, "W403 W403"),
    ("vague in code", {"task": "1. Delete `# TODO etc.` in line 4."}, ""),
    ("vague in a quotation", {"task": '1. Write "some text" there.'}, ""),
    (
        "vague in a fence",
        {"task": "1. Write:\n   ```python\n   # TODO: etc.\n   ```\n2. Stop."},
        "",
    ),
    ("vague after a fence", {"task": "1. Write:\n~~~\nx\n~~~\n2. And so on."}, "W403"),
    ("a word inside a word", {"task": "1. Rename `a`, something, awesome, property."}, ""),
    ("context of 100 words", {"context": "word " * 100}, ""),
    ("context of 101 words", {"context": "word " * 101}, "W404"),
    ("two files read", _reads(2), ""),
    ("three files read", _reads(3), "W405"),
    ("5,000 tokens", {"estimate": Estimate(4000, 1000)}, ""),
    ("5,001 tokens", {"estimate": Estimate(4000, 1001)}, "W406"),
    ("input alone", {"estimate": Estimate(6000, None)}, "W406"),
    ("no estimate", {"estimate": Estimate()}, ""),
    ("title left", {"title": "[Clear, Concise Title]"}, "E407"),
    ("path left", {"files": (FileRef("path/to/x.py", EDIT, line=9),)}, "E407"),
    ("lines left", {"files": (FileRef("a.py", EDIT, note="edit, lines X-Y", line=9),)}, "E407"),
    ("number left", {"next_task": "- Mini-Task [N+1]: [Next Task Title]"}, "E407"),
    ("everything left", {"title": "[Clear, Concise Title]", "number": "[N]"}, "E407"),
    ("path left in a command", _commands("python -m py_compile path/to/new_file.py"), "E407"),
    ("an index in code", {"task": "1. Replace `a[N]` by `b`."}, ""),
    ("a ticked box", {"task": "- [X] Replace `a` by `b`."}, ""),
    ("a link", {"context": "See [N](notes.md)."}, ""),
    ("no criteria", {"criteria": ()}, "W408"),
    ("no task", {"task": "  \n"}, "W409"),
    ("a wish", {"task": "Split the file."}, "W409"),
    ("a wish with snippets", {"task": "Split it.", "snippets": (Fence("edits", "x\n"),)}, ""),
    ("bullets", {"task": "- Split the file at line 40."}, ""),
    ("lettered steps", {"task": "1A. Split the file at line 40."}, ""),
    ("protected", _writes(".github/workflows/ci.yml"), "E410"),
    ("protected twice", _writes(".gitattributes", ".gitattributes"), "E410"),
    ("itself", _writes("mini-projects/p/a.md"), "E410"),
    ("protected by itself", _writes("db/1.sql", protected=("db/",)), "E410"),
    ("protected but not canonical", _writes("/x/.gitattributes"), ""),
    ("protected and read", {"files": (FileRef("AGENTS.md", READ), FileRef("a.py", EDIT))}, ""),
]


@pytest.mark.parametrize(
    ("changes", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_flaw_gives_one_diagnostic(changes: dict[str, Any], codes: str) -> None:
    found = check_quality(replace(SOUND, **changes))
    assert [item.code for item in found] == codes.split()
    assert all(item.hint and item.message and item.line for item in found)


def test_only_a_missing_validation_is_an_error() -> None:
    bare = Spec(path="a.md", number="1", title="T")
    assert {item.code: item.severity for item in check_quality(bare)} == {
        "E401": Severity.ERROR,
        "W408": Severity.WARNING,
        "W409": Severity.WARNING,
    }


def test_a_vague_step_is_named_with_its_line_and_words() -> None:
    spec = replace(SOUND, task="1. Create it.\n2. Improve some names.\n3. Stop.")
    (found,) = check_quality(spec)
    assert found.line == 15
    assert found.message == ('a step is vague: "improve", "some": 2. Improve some names.')
    (exact,) = check_quality(replace(spec, rows=(("task", (17, 18, 20)),)))
    assert exact.line == 18


def test_a_long_step_is_quoted_by_its_start() -> None:
    (found,) = check_quality(replace(SOUND, task="1. Copy some " + "x" * 100))
    assert found.message.endswith("1. Copy some " + "x" * 46 + "…")


def test_a_void_command_is_named_with_its_line() -> None:
    (found,) = check_quality(replace(SOUND, **_commands("grep -q x f", "pytest || true")))
    assert (found.line, found.message) == (32, "the command cannot fail: pytest || true")


CHECK, SETUP, SHOW, VOID = (
    CommandStrength.CHECK,
    CommandStrength.SETUP,
    CommandStrength.SHOW,
    CommandStrength.VOID,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pytest -q", CHECK),
        ("ls src/base.py", CHECK),
        ("ls -lh src/base.py", CHECK),
        ("cat src/base.py", CHECK),
        ("[ -f a ]", CHECK),
        ("[[ -f a && -s a ]]", CHECK),
        ("! grep -q x f", CHECK),
        ("false", CHECK),
        ('grep -q "def f" a.py && echo OK', CHECK),
        ("test -f a && echo yes || exit 1", CHECK),
        ("test -f a || { echo missing; exit 1; }", CHECK),
        ("true && pytest", CHECK),
        ("pytest 2>&1", CHECK),
        ("pytest > log 2>&1 && cat log", CHECK),
        ("pytest | grep passed", CHECK),
        ("if grep -q x f; then exit 1; fi", CHECK),
        ("for f in *.py; do python -m py_compile $f || exit 1; done", CHECK),
        ("python - <<'E'\nassert 1\nE", CHECK),
        ("python -c 'import a; true'", CHECK),
        ("grep 'unclosed", CHECK),
        ("git diff --exit-code", CHECK),
        ("grep -q '|| true' a.sh", CHECK),
        ("pytest # || true", CHECK),
        ("cd src", SETUP),
        ("cd src && A=1", SETUP),
        ("export A=1", SETUP),
        ("A=1", SETUP),
        ("set -euo pipefail", SETUP),
        ("mkdir -p build", SETUP),
        ("echo text > in.txt", SETUP),
        ("rm -f out || true", SETUP),
        ("python -m http.server &", SETUP),
        ("ls", SHOW),
        ("ls -la", SHOW),
        ("pwd", SHOW),
        ("wc -l base.py", SHOW),
        ("git status --short", SHOW),
        ("git diff --stat", SHOW),
        ("echo OK", VOID),
        ("A=1 echo OK", VOID),
        ("true", VOID),
        (":", VOID),
        ("exit 0", VOID),
        ("printf 'x'", VOID),
        ("echo a; echo b", VOID),
        ("pytest || true", VOID),
        ("pytest 2>&1 || true", VOID),
        ("pytest &> log || :", VOID),
        ("pytest || echo failed", VOID),
        ("pytest || exit 0", VOID),
        ("pytest; true", VOID),
        ("pytest; echo done", VOID),
        ("pytest | tail -5", CHECK),
        ("pytest \\\n  | tee log", CHECK),
        ("pytest | tail -5 || true", VOID),
        ("echo x | cat", VOID),
        ("test -f a && echo yes || echo no", VOID),
        ("grep -rn TODO src | wc -l", CHECK),
        ("(grep -q x f) || true", VOID),
        ("( grep -q x f; true )", VOID),
        ("{ grep -q x f || echo no; }", VOID),
        ("grep -q x f || { echo FAIL; }", VOID),
        ("if grep -q x f; then echo OK; else echo FAIL; fi", VOID),
        ("if grep -q x f\nthen\n  echo OK\nfi", VOID),
        ("if [ -f f ]; then\n  grep -q x f || echo no\nelif true; then :; fi", VOID),
        ("if [ -f f ]; then grep -q x f; else false; fi", CHECK),
        ("if grep -q x f; then echo OK; else exit 1; fi", CHECK),
        ("for f in a b; do grep -q x $f || echo bad; done", VOID),
        ("for f in a b; do grep -q x $f; done", CHECK),
        ("for f in a b; do cp $f c; done", CHECK),
        ("while read -r f; do echo $f; done", VOID),
        ("case $X in a) grep -q x f || true;; esac", VOID),
        ("case $X in a) grep -q x f;; esac", CHECK),
        ("bash -c 'grep -q x f || true'", VOID),
        ("bash -c 'grep -q x f'", CHECK),
        ("(grep -q x f; return 1)", CHECK),
        ("{ echo a; } > out.txt", CHECK),
        ("check() { grep -q x f || true; }", CHECK),
    ],
)
def test_what_a_command_is_worth(text: str, expected: CommandStrength) -> None:
    assert strength(Command(text)) is expected


@pytest.mark.parametrize(
    ("expectation", "expected"),
    [
        (Expectation(ExpectationKind.NUMBER, number=600, tolerance=50), CHECK),
        (Expectation(ExpectationKind.CONTAINS, text="x"), CHECK),
        (Expectation(ExpectationKind.NO_OUTPUT), CHECK),
        (Expectation(ExpectationKind.EXIT, number=1), CHECK),
        (Expectation(ExpectationKind.EXIT, number=0), SHOW),
        (Expectation(ExpectationKind.FAILS_BEFORE), SHOW),
    ],
)
def test_an_expectation_makes_a_check_of_a_show(
    expectation: Expectation, expected: CommandStrength
) -> None:
    assert strength(Command("wc -l base.py", (expectation,))) is expected
