"""Each W4xx rule: specs that break it and specs that do not; what a command is worth as proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined, meta
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
from minitask.spec.parse import parse_file
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
    ("compares in vain", _commands("python3 -c 'import a; a.x() == 10'"), "E421"),
    ("asserts a tuple", _commands("cd a && python -c 'assert (1 == 2, 3)'"), "E421"),
    ("asserts nothing", _commands("python3 -O -c 'assert 1 == 2'"), "E421"),
    ("compares in a heredoc", _commands("python3 - <<'E'\nimport a\na.x() != 1\nE"), "E421"),
    ("tests one word", _commands('[ "$(cat a)"="two" ]'), "E421"),
    ("tests a count", _commands('test -n "$(grep -c x a)"'), "E421"),
    ("tests nothing, unquoted", _commands("[ -n $(grep x a) ]"), "E421"),
    ("writes to a number", _commands("[ $(wc -l < a) > 5 ]"), "E421"),
    ("compares in vain, in Node", _commands("node -e \"require('./a').x() === 5\""), "E421"),
    ("asserts in Node", _commands("node -e \"require('assert').ok(require('./a').x() === 5)\""), ""),
    ("asserts or not", _commands("python3 -c 'import a; assert a.x() == 10 or True'"), "E421"),
    ("passes over a failure", _commands("python3 -c '\ntry:\n    assert 1 == 2\nexcept Exception:\n    pass'"), "E421"),
    ("checks each file", _commands("find . -name '*.py' -exec python3 -m py_compile {} \\;"), "E421"),
    ("checks all files", _commands("find . -name '*.py' -exec python3 -m py_compile {} +"), ""),
    ("moves each file", _commands("find . -name '*.tmp' -exec rm {} \\;\ntest -f a"), ""),
    ("asks in vain", _commands("python3 -c 'import a; hasattr(a, 1)'"), "E421"),
    ("only prints", _commands("python3 -c 'import a; a.x() == 1 and print(1)'"), "E421"),
    ("a loop's last round", _commands("for f in a b; do test -f $f; done"), "E421"),
    ("a loop of groups", _commands("for d in a b; do (cd $d && pytest); done"), "E421"),
    ("a group's last part", _commands("(cd a; grep -q x b; pytest -q)"), "E421"),
    ("a function's last part", _commands("f() { ! grep -q x a; test -f b; }; f"), "E421"),
    ("a branch's last part", _commands("if cd a; then test -f b; test -f c; fi"), "E421"),
    ("a loop that ends", _commands("for f in a b; do test -f $f || exit 1; done"), ""),
    ("a loop of one", _commands("for f in a.py; do test -f $f; done"), ""),
    ("a loop that shows", _commands("for f in a b; do grep x $f; done"), ""),
    ("a loop in a shell that ends", _commands("set -e", "for f in a b; do test -f $f; done"), ""),
    ("a loop in an output", _commands('test -n "$(for f in a; do test -f $f; done)"'), ""),
    ("a status that is read", _commands("{ test -f a; [ $? -eq 0 ] || exit 1; }"), ""),
    ("after a failure", _commands("pytest || { test -f a; exit 1; }"), ""),
    ("joined", _commands('(cd a && [ "$(cat b)" = two ] && [ -n "$(grep x c)" ] && [ "$d" ])'), ""),
    ("forever", _commands("while [ 1 ]; do pytest -q; break; done"), "E421"),
    ("asserts", _commands("python3 -c 'import a; assert a.x() == 10; print(a.x() == 10)'"), ""),
    ("ends on a no", _commands("python3 -c 'import sys, a; a.x() == 10 or sys.exit(1)'"), ""),
    ("must raise", _commands("python3 -c 'import a\ntry:\n  a.x() < 1\nexcept E: pass'"), ""),
    ("vague", {"task": "1. Add appropriate errors."}, "W403"),
    ("vague at the end", {"task": "1. Handle a, b, etc."}, "W403"),
    ("vague twice in a line", {"task": "1. Improve some names."}, "W403"),
    ("vague in two lines", {"task": "1. Clean up.\n2. Handle edge cases."}, "W403 W403"),
    ("vague in code", {"task": "1. Delete `# TODO etc.` in line 4."}, ""),
    ("vague in a quotation", {"task": '1. Write "some text" there.'}, ""),
    ("vague in a fence", {"task": "1. Write:\n   ```python\n   # TODO: etc.\n   ```\n2. Stop."}, ""),
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
]  # fmt: skip


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


WORTH = {
    CHECK: [
        "pytest -q", "ls src/base.py", "ls -lh src/base.py", "cat src/base.py", "[ -f a ]",
        "[[ -f a && -s a ]]", "! grep -q x f", "false", 'grep -q "def f" a.py && echo OK',
        "test -f a && echo yes || exit 1", "test -f a || { echo missing; exit 1; }", "true && pytest",
        "pytest 2>&1", "pytest > log 2>&1 && cat log", "pytest | grep passed",
        "if grep -q x f; then exit 1; fi", "for f in *.py; do python -m py_compile $f || exit 1; done",
        "python - <<'E'\nassert 1\nE", "python -c 'import a; true'", "grep 'unclosed",
        "git diff --exit-code", "grep -q '|| true' a.sh", "pytest # || true", "pytest | tail -5",
        "pytest \\\n  | tee log", "grep -rn TODO src | wc -l",
        "if [ -f f ]; then grep -q x f; else false; fi", "if grep -q x f; then echo OK; else exit 1; fi",
        "for f in a b; do grep -q x $f; done", "for f in a b; do cp $f c; done",
        "case $X in a) grep -q x f;; esac", "bash -c 'grep -q x f'", "(grep -q x f; return 1)",
        "A=$(pytest)", "export A=$(pytest); test -n $A", "pytest && echo $(date)",
        "{ echo a; } > out.txt", "check() { grep -q x f || true; }",
    ],
    SETUP: [
        "cd src", "cd src && A=1", "export A=1", "A=1", "set -euo pipefail", "mkdir -p build",
        "echo text > in.txt", "rm -f out || true", "python -m http.server &",
        "export A=$(pytest)", "readonly A=$(git rev-parse HEAD) B=1", "local a=$(pytest -q)",
    ],
    SHOW: ["ls", "ls -la", "pwd", "wc -l base.py", "git status --short", "git diff --stat"],
    VOID: [
        "echo $(pytest)", "echo start; echo $(pytest -q)",
        "echo OK", "A=1 echo OK", "true", ":", "exit 0", "printf 'x'", "echo a; echo b", "pytest || true",
        "pytest 2>&1 || true", "pytest &> log || :", "pytest || echo failed", "pytest || exit 0",
        "pytest; true", "pytest; echo done", "pytest | tail -5 || true", "echo x | cat",
        "test -f a && echo yes || echo no", "(grep -q x f) || true", "( grep -q x f; true )",
        "{ grep -q x f || echo no; }", "grep -q x f || { echo FAIL; }",
        "if grep -q x f; then echo OK; else echo FAIL; fi", "if grep -q x f\nthen\n  echo OK\nfi",
        "if [ -f f ]; then\n  grep -q x f || echo no\nelif true; then :; fi",
        "for f in a b; do grep -q x $f || echo bad; done", "while read -r f; do echo $f; done",
        "case $X in a) grep -q x f || true;; esac", "bash -c 'grep -q x f || true'",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [(text, expected) for expected, them in WORTH.items() for text in them],
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


TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.md.j2"))
GIVEN = {"number": 3, "title": "Move the parser", "id": "03-x", "project": "demo"}
VALUES = {
    "path": "src/a.py", "source": "src/a.py", "target": "src/b.py", "ranges": "3-9", "head": "import re",
    "symbol": "parse", "anchor": "import os", "import": "from b import parse", "check": "pytest -q", "next": "None",
    "example": "src/c.py", "purpose": "It parses.", "contents": "a parser", "reason": "It is wrong.", "search": "x = 1",
    "replace": "x = 2", "user": "src/d.py", "old": "import a", "new": "import b", "tests": "tests/test_a.py",
    "subject": "parse", "cases": "empty input", "count": "14 findings", "findings": "E1 line 3", "context": "A parser.",
    "read": "src/a.py", "write": "src/b.py", "note": "edit", "tool": "ruff", "commit": "HEAD",
    "class": "Shop", "part": "Prices", "methods": "`net`", "lines": "90", "keep": "units", "other": "SETUP.md",
    "kept": "Run it.", "changes": "`port` to 8080", "entity": "tag", "fields": "`name` (text)",
    "registry": "src/cli.py", "command": "hello", "does": "prints hello", "router": "src/routes.py",
    "route": "GET /items/{id}", "handler": "item",
    "returns": "200", "component": "Badge", "properties": "`count`", "shows": "the number", "language": "German",
    "placeholders": "{name}",
}  # fmt: skip
DEFAULTS_THAT_HOLD = {"next", "note", "tool", "commit", "lines", "keep", "placeholders"}


def render(path: Path, /, **values: object) -> tuple[list[str], Spec]:
    text = path.read_text("utf-8")
    rendered = Environment(undefined=StrictUndefined).from_string(text).render({**GIVEN, **values})
    (spec,) = parse_file(rendered, path="mini-projects/demo/03-x.md").specs
    found = [item for item in check_quality(spec) if item.severity is Severity.ERROR]
    return [f"{item.code} {item.message}" for item in found], spec


def variables(path: Path) -> set[str]:
    tree = Environment().parse(path.read_text("utf-8"))
    return meta.find_undeclared_variables(tree) - GIVEN.keys()


TEMPLATE_CASES = [
    (path, name) for path in TEMPLATES for name in sorted(variables(path) - DEFAULTS_THAT_HOLD)
]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_fresh_template_is_an_error(path: Path) -> None:
    errors, _ = render(path)
    assert errors


@pytest.mark.parametrize(
    ("path", "left"), TEMPLATE_CASES, ids=lambda value: getattr(value, "name", value)
)
def test_a_template_with_one_variable_left_is_an_error(path: Path, left: str) -> None:
    if left == "check" and path.name.startswith(("add-tests", "translate-strings")):
        pytest.skip("its default is a command")
    errors, _ = render(path, **{name: value for name, value in VALUES.items() if name != left})
    assert errors


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_with_all_variables_set_holds_no_placeholder(path: Path) -> None:
    errors, _ = render(path, **VALUES)
    free_text = "[the first step" in path.read_text("utf-8")
    assert bool(errors) is free_text


BODY = """# Mini-Task 1: {title}

**Files to Create**:
- `a.py`{note}

## Context

{context}

## Task

1. Create `a.py`.
{task}

## Acceptance Criteria

- [ ] {criterion}

## Validation

```bash
{command}
```
"""


def errors_of(**parts: str) -> list[tuple[int, str]]:
    given = {
        "title": "T",
        "note": "",
        "context": "C.",
        "task": "",
        "criterion": "It is.",
        "command": "true",
    } | parts
    (spec,) = parse_file(BODY.format(**given), path="x.md").specs
    return [(item.line, item.code) for item in check_quality(spec) if item.code == "E407"]


def test_many_placeholders_are_named_by_the_first_ones_and_their_lines() -> None:
    task = "1. TODO\n2. ...\n3. Copy lines X-Y, [X] lines.\n4. [the next step]\n5. Done.\n6. ???"
    text = BODY.format(
        title="[Clear, Concise Title]",
        note="",
        context="C.",
        task=task,
        criterion="It is.",
        command="true",
    )
    (spec,) = parse_file(text, path="x.md").specs
    (error,) = [item for item in check_quality(spec) if item.code == "E407"]
    shown = "[Clear, Concise Title], TODO, ... and 4 more, in lines 1, 13-16, 18"
    assert error.message == f"the template was not filled in: {shown}"


@pytest.mark.parametrize(
    ("part", "text", "line"),
    [("title", "[Clear, Concise Title]", 1), ("title", "TODO", 1), ("note", " (lines X-Y)", 4),
     ("context", "[Just enough background to understand the task]", 8), ("context", "[What this is about]", 8),
     ("task", "2. [Any other specific instructions]", 13), ("task", "2. TODO", 13), ("task", "3. ...", 13),
     ("task", "2. Use <your function name here> for it", 13), ("task", "Copy lines X-Y of it.", 13),
     ("criterion", "Line count is approximately [X] lines (±50)", 17),
     ("criterion", "[something that can be checked]", 17),
     ("command", "[check]", 22), ("command", 'grep -q -- "[symbol]" a.py', 22),
     ("command", "test -f path/to/new_file.py", 22), ("command", "wc -l path/to/a.py", 22)],
)  # fmt: skip
def test_a_placeholder_is_an_error_at_its_own_line(part: str, text: str, line: int) -> None:
    assert errors_of(**{part: text}) == [(line, "E407")]


@pytest.mark.parametrize(
    ("part", "text"),
    [("task", "2. See [the docs](docs/a.md) and [b][1].\n\n[1]: docs/b.md"), ("task", "- [ ] Check it\n- [x] Done"),
     ("task", "2. It is so[^1].\n\n[^1]: Because."), ("task", "2. Set `items[count]` to `[path]`."),
     ("task", "2. [P] [US1] Write `a.py`."), ("task", "2. Match `[a-z]+`, or [0-9] as well."),
     ("task", "2. Return `Array<T>`, `Map<string, number>` and <div>."), ("task", "2. Rename app/[slug]/page.tsx."),
     ("task", "```python\nx = [\n    path,\n    [1, 2],\n]\n[check]\n```"), ("task", "2. Remove every TODO in `a.py`."),
     ("title", "Support [id] routes"), ("title", "[US1] Routes"), ("context", "The list [1, 2] is sorted."),
     ("criterion", "[US2] It works"), ("criterion", "No TODO is left"), ("note", " (see [b](c/d.md))"),
     ("command", "[ -f a.py ]"), ("command", "[[ -f a.py ]]"), ("command", "grep -q '[.]old' a.py"),
     ("command", 'grep -q "path/to" README.md'), ("command", "grep -q '\\[N\\]' a.py"),
     ("command", "ls app/[slug]/a.tsx"), ("task", "2. Write [the page]( <docs/a b.md> )."),
     ("task", "```ts\ntype A = { [key: string]: number }\n```")],
)  # fmt: skip
def test_other_brackets_are_none(part: str, text: str) -> None:
    assert errors_of(**{part: text}) == []
