"""Shell fences cut into commands: with the plain reader and with the grammar, alike."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from minitask.spec import validation_commands
from minitask.spec.bash import parsed_parts
from minitask.spec.model import Expectation, ExpectationKind, Fence
from minitask.spec.validation_commands import is_shell, split_commands

EXIT_1 = Expectation(ExpectationKind.EXIT, 1)

SPLITS = [
    ("ls\npwd\n", ["1 ls", "2 pwd"]),
    ("\n# a remark\n\nls -l  # another\n", ["4 ls -l"]),
    ("a; b & c\n", ["1 a", "1 b &", "1 c"]),
    ("a && b &\nwait\n", ["1 a && b &", "2 wait"]),
    ("ls;\npwd;\n", ["1 ls", "2 pwd"]),
    ('grep -q "def f" a.py && echo OK\n', ['1 grep -q "def f" a.py && echo OK']),
    ("ls |\n  wc -l\npwd\n", ["1 ls |\n  wc -l", "3 pwd"]),
    ("cd src && \\\n  ls\npwd\n", ["1 cd src && \\\n  ls", "3 pwd"]),
    ("cat <<'EOF' > x\na; b\n# c\nEOF\nls\n", ["1 cat <<'EOF' > x\na; b\n# c\nEOF", "5 ls"]),
    ("cat <<-EOF | wc\n\ta\n\tEOF\nls\n", ["1 cat <<-EOF | wc\n\ta\n\tEOF", "4 ls"]),
    ("f() {\n  a; b\n}\nf\n", ["1 f() {\n  a; b\n}", "4 f"]),
    ("if a; then\n  b\nfi\nc\n", ["1 if a; then\n  b\nfi", "4 c"]),
    ("for i in 1 2; do echo $i; done; ls\n", ["1 for i in 1 2; do echo $i; done", "1 ls"]),
    ("(cd x; ls) & wait\n", ["1 (cd x; ls) &", "1 wait"]),
    ("echo 'a\n# b\nc'\nls\n", ["1 echo 'a\n# b\nc'", "4 ls"]),
    ("! grep -q x y\n[ -f a ] || exit 1\n", ["1 ! grep -q x y", "2 [ -f a ] || exit 1"]),
    ("A=1 B=2\nexport C=3\nls\n", ["1 A=1 B=2", "2 export C=3", "3 ls"]),
    ("A=1 B=$(x)\nC=3 D=$(y)\nls -l\n", ["1 A=1 B=$(x)", "2 C=3 D=$(y)", "3 ls -l"]),
    (
        "A=1 B=$x # c\n( a; b ) && c\nC=1 D=$y\nE=1 F=2\nls > $z\n",
        ["1 A=1 B=$x", "2 ( a; b ) && c", "3 C=1 D=$y", "4 E=1 F=2", "5 ls > $z"],
    ),
    ("f() {\n  A=1 B=$x\n  ls\n}\nf\n", ["1 f() {\n  A=1 B=$x\n  ls\n}", "5 f"]),
    ("A=$(x) \\\n  B=2 \\\n  ls\n", ["1 A=$(x) \\\n  B=2 \\\n  ls"]),
    ("A=(1 2)\necho ${A[1]} $((1+2)) `pwd`\n", ["1 A=(1 2)", "2 echo ${A[1]} $((1+2)) `pwd`"]),
    ("diff <(a) <(b) > /dev/null 2>&1\n", ["1 diff <(a) <(b) > /dev/null 2>&1"]),
    ("echo é; ls ü\n", ["1 echo é", "1 ls ü"]),
    ("case x in\n a) ls;;\nesac\nls\n", ["1 case x in\n a) ls;;\nesac", "4 ls"]),
    ("", []),
    ("# only a remark\n", []),
]


@pytest.mark.parametrize(("content", "wanted"), SPLITS)
def test_a_fence_is_cut_into_its_top_level_commands(content: str, wanted: list[str]) -> None:
    commands, diagnostics = split_commands(Fence("bash", content))
    assert diagnostics == ()
    assert [f"{command.line} {command.text}" for command in commands] == wanted


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("content", "wanted"), SPLITS)
def test_bash_accepts_what_is_cut(content: str, wanted: list[str]) -> None:
    for text in wanted:
        command = text.partition(" ")[2]
        done = subprocess.run(
            ["bash", "-n"], input=command + "\n", text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), command


PLAIN = [
    "ls -l a/b.py\n",
    'grep -q "a b" x.py && echo "OK" || true\n',
    "python -m pytest -q tests/x.py::test_y | tail -1\n",
    "wc -l < a.py > out.txt 2>&1\n",
    "A=1 ls  # a remark\n\n# expect: exit 1\nfalse\n",
    "in=3 echo if then\n",
    "ls *.py a[0-9].py ~/x\n",
]


@pytest.mark.parametrize("content", PLAIN)
def test_the_plain_reader_agrees_with_the_grammar(content: str) -> None:
    plain = validation_commands._plain_parts(content)
    assert plain is not None
    parsed = list(parsed_parts(content))
    assert [(part.text, part.first) for part in plain] == [
        (part.text, part.first) for part in parsed
    ]


@pytest.mark.parametrize(
    "line",
    ["a; b", "a &", "if a", "a && then b", "a |& b", "(a)", "{ a", "a $x", 'a "$x"', "a `b`",
     "a <<E", "a \\", "'a", "! a", "time a", "[[ a", "a &&", "a\u00a0b", "f() a", "a>|b"],
)  # fmt: skip
def test_the_plain_reader_leaves_anything_else_to_the_grammar(line: str) -> None:
    assert validation_commands._plain_parts(f"{line}\n") is None


EXPECTATIONS = [
    ("exit 1", EXIT_1),
    ("EXIT 0", Expectation(ExpectationKind.EXIT, 0)),
    ("output 600", Expectation(ExpectationKind.NUMBER, 600)),
    ("output ~600 ±50", Expectation(ExpectationKind.NUMBER, 600, 50)),
    ("output ~600 +-50", Expectation(ExpectationKind.NUMBER, 600, 50)),
    ("output ~ 600 +/- 50", Expectation(ExpectationKind.NUMBER, 600, 50)),
    ('output contains "a \\"b\\" c"', Expectation(ExpectationKind.CONTAINS, text='a "b" c')),
    ("output contains 'x'", Expectation(ExpectationKind.CONTAINS, text="x")),
    ("output contains “x”", Expectation(ExpectationKind.CONTAINS, text="x")),
    ("no output", Expectation(ExpectationKind.NO_OUTPUT)),
    ("fails before", Expectation(ExpectationKind.FAILS_BEFORE)),
]


@pytest.mark.parametrize(("said", "wanted"), EXPECTATIONS)
@pytest.mark.parametrize("command", ["false", "(false)"])
def test_an_expectation_holds_for_its_command_above_or_behind(
    said: str, wanted: Expectation, command: str
) -> None:
    content = f"ls\n# expect: {said}\n{command}  # expect: {said}\nls\n"
    commands, diagnostics = split_commands(Fence("bash", content))
    assert diagnostics == ()
    assert [item.expectations for item in commands] == [(), (wanted, wanted), ()]


@pytest.mark.parametrize(
    "said", ["foo", "exit", "exit 256", "exit one", "output", "output ~600", "output contains x",
             'output contains ""', "no output, exit 1", ""],
)  # fmt: skip
def test_an_unknown_expectation_is_one_error(said: str) -> None:
    commands, diagnostics = split_commands(Fence("bash", f"ls  # expect: {said}\n", line=4))
    assert [command.expectations for command in commands] == [()]
    assert [(item.line, item.code) for item in diagnostics] == [(5, "E107")]


def test_an_expectation_beside_a_here_document_is_its_command_s() -> None:
    content = "python3 - <<'PY'  # expect: exit 1\nraise SystemExit(1)\nPY\nls\n"
    commands, diagnostics = split_commands(Fence("bash", content))
    assert diagnostics == ()
    assert [command.expectations for command in commands] == [(EXIT_1,), ()]


def test_text_that_only_looks_like_an_expectation_is_none() -> None:
    content = "cat <<E\n# expect: exit 1\nE\necho '# expect: exit 1'\n# Expected: all is well\nls\n"
    commands, diagnostics = split_commands(Fence("bash", content))
    assert diagnostics == ()
    assert all(command.expectations == () for command in commands)


@pytest.mark.parametrize(
    ("content", "line"),
    [("ls\necho 'a\nls\n", 12), ("grep <file>\n", 11), ("ls\n\nif a; then\n b\n", 13),
     ("ls\ncat <<E\nbody\n", 12), ("a )\n", 11), ("ls\ncoproc x { ls; }\n", 12), ("a \\\n", 11)],
)  # fmt: skip
def test_what_the_grammar_cannot_read_is_one_error_with_its_line(content: str, line: int) -> None:
    commands, diagnostics = split_commands(Fence("bash", content, line=10))
    assert commands == ()
    assert [(item.line, item.code) for item in diagnostics] == [(line, "E106")]


@pytest.mark.parametrize(
    ("info", "wanted"),
    [("", True), ("bash", True), ("Bash title=x", True), ("sh", True), ("shell", True),
     ("console", True), ("zsh", True), ("python", False), ("text", False)],
)  # fmt: skip
def test_only_shell_fences_are_run(info: str, *, wanted: bool) -> None:
    assert is_shell(Fence(info, "ls\n")) is wanted
