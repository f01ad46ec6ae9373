"""A session of shell commands: what carries over, what is judged how, and what ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minitask.errors import MachineError, UsageError
from minitask.sandbox.choose_sandbox import probe
from minitask.sandbox.commands import CommandResult, SessionResult, tail
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.sandbox.shell_session import run_commands
from minitask.spec.model import Command, Expectation, ExpectationKind
from processes import eventually, running

PATH = os.environ["PATH"]


@pytest.fixture(scope="session")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sandbox]:
    """One of each kind that this machine has."""
    scratch = tmp_path_factory.mktemp("scratch")
    (scratch / "no-programs").mkdir()
    found = [
        probe(environ={"PATH": PATH}, scratch=scratch),
        probe(environ={"PATH": str(scratch / "no-programs")}, scratch=scratch),
        Sandbox(Strength.NONE, scratch=scratch),
    ]
    return {sandbox.strength.value: sandbox for sandbox in found}


@pytest.fixture(params=["strong", "partial", "none"])
def each(request: pytest.FixtureRequest, sandboxes: dict[str, Sandbox]) -> Sandbox:
    if request.param not in sandboxes:
        pytest.skip(f"this machine has no {request.param} sandbox")
    return sandboxes[request.param]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work space"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.py").write_text("def f():\n    return 1\n")
    return folder


@pytest.fixture
def run(workspace: Path, sandboxes: dict[str, Sandbox]):
    """Runs commands, in no sandbox unless one is given."""

    def run(*commands: str | Command, sandbox: Sandbox | None = None, **options: object):
        given = {"limits": Limits(seconds=60), "network": False, "readonly": ()} | options
        return run_commands(
            [
                Command(command, line=number) if isinstance(command, str) else command
                for number, command in enumerate(commands, 1)
            ],
            sandbox=sandbox or sandboxes["none"],
            workspace=workspace,
            env={"PATH": PATH, "HOME": "/root"},
            **given,  # type: ignore[arg-type]
        )

    return run


def verdicts(result: SessionResult) -> list[bool]:
    return [command.passed for command in result.results]


def codes(result: SessionResult) -> list[int | None]:
    return [command.exit_code for command in result.results]


def outputs(result: SessionResult) -> list[str]:
    return [command.output_tail for command in result.results]


def test_a_command_that_fails_fails_alone_whatever_follows_it(each: Sandbox, run) -> None:
    result = run("grep -q missing a.py && echo OK", "test -f a.py", "echo last", sandbox=each)
    assert verdicts(result) == [False, True, True]
    assert codes(result) == [1, 0, 0]
    assert outputs(result) == ["", "", "last\n"]
    assert result.results[0].reason == "exit code 1"
    assert not result.passed
    assert result.sandbox == each.strength.value


def test_results_name_their_command_line_time_and_size(run) -> None:
    result = run(Command("sleep 0.2; echo hé", line=48))
    (command,) = result.results
    assert (command.line, command.command) == (48, "sleep 0.2; echo hé")
    assert 0.2 <= command.seconds < 2
    assert (command.output_tail, command.output_bytes) == ("hé\n", 4)
    assert result.passed
    assert result.killed_reason == ""


def test_two_commands_of_one_line_are_two_verdicts(run) -> None:
    assert verdicts(run("false", "true")) == [False, True]


CODES = {
    1: [
        "false | tail", "true | false | true", "! yes | grep -q y", "yes | head -1 | grep -q n",
        "! grep -q def a.py", "cat <<'END' | grep -q nothing\ntext\nEND",
        "for i in 1 2; do\n  test $i = 1\ndone",
    ],
    0: [
        "yes | head -1", "yes | cat | head -1", "! yes | head -5 | grep -q n", "! grep -q missing a.py",
        "echo a \\", "echo a # comment", "# comment", "", "cat <<'END'\ntext 'with quote\nEND",
        "break; true",
    ],
    141: ["yes | head -1 && false", "if yes | head -1; then echo taken; fi"],
    5: ["(exit 5)"],
    127: ["no-such-program", "unset PATH; no-such-program"],
    137: ["kill -9 $BASHPID &\nwait $!"],
    2: ["if", "echo 'open", "return 3"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "exit_code"),
    [(command, exit_code) for exit_code, them in CODES.items() for command in them],
)
def test_the_exit_code_of_a_command(command: str, exit_code: int, run) -> None:
    result = run(command, "/bin/echo next")
    assert codes(result) == [exit_code, 0], result
    assert verdicts(result) == [exit_code == 0, True]
    assert outputs(result)[1] == "next\n"


def test_expectations_are_held_against_the_commands_own_output(run) -> None:
    def command(line: str, kind: ExpectationKind, **values: object) -> Command:
        return Command(line, (Expectation(kind, **values),))  # type: ignore[arg-type]

    result = run(
        "echo 600",
        command("echo 560 lines", ExpectationKind.NUMBER, number=600, tolerance=50),
        command("echo 549 lines", ExpectationKind.NUMBER, number=600, tolerance=50),
        command("grep -c nothing a.py", ExpectationKind.EXIT, number=1),
        command("grep -c def a.py", ExpectationKind.EXIT, number=1),
        command("echo two passed >&2", ExpectationKind.CONTAINS, text="two passed"),
        command("echo two failed", ExpectationKind.CONTAINS, text="two passed"),
        command("true", ExpectationKind.NO_OUTPUT),
        command("echo noise >&2", ExpectationKind.NO_OUTPUT),
        command("true", ExpectationKind.FAILS_BEFORE),
    )
    assert verdicts(result) == [True, True, False, True, False, True, False, True, False, True]
    assert result.results[2].reason == "printed 549, expected 600 ±50"


# one shell


def test_directory_variables_functions_and_the_last_status_carry_over(each: Sandbox, run) -> None:
    result = run(
        "cd sub",
        "pwd",
        "x=1; export y='a  b'",
        "greet() { echo hello $1; }",
        'greet "$x$y"; bash -c \'echo "$y"\'',
        "(exit 7)",
        "echo $?",
        "! true",
        "test $? -eq 1",
        sandbox=each,
    )
    assert verdicts(result) == [True, True, True, True, True, False, True, False, True]
    assert outputs(result)[1].endswith("work space/sub\n")
    assert outputs(result)[4] == "hello 1a b\na  b\n"
    assert outputs(result)[6] == "7\n"


def test_shell_options_carry_over_and_do_not_break_the_session(run) -> None:
    result = run(
        "set -u",
        "echo ${missing-unset}",
        "IFS=,",
        "true | false | true",
        "set -f; echo *",
        "set +f -o posix",
        "false",
        "set -x",
        "echo traced",
        "set +x; shopt -s extglob",
        "echo @(a).py",
        "exec >/dev/null 2>&1",
        "echo lost",
        "false",
    )
    expected = [True] * 3 + [False] + [True] * 2 + [False] + [True] * 6 + [False]
    assert verdicts(result) == expected
    assert outputs(result)[4] == "*\n"
    assert "traced\n" in outputs(result)[8]
    assert outputs(result)[10:] == ["a.py\n", "", "", ""]


def test_set_e_lets_tested_failures_pass_and_ends_at_the_first_other(run) -> None:
    result = run("set -e", "! true", "false || true", "echo on", "false", "echo off")
    assert codes(result) == [0, 1, 0, 0, 1, None]
    assert result.results[5].reason == "not run: `false` ended the shell"
    assert not result.results[5].passed


@pytest.mark.parametrize("command", ["exit 0", "exec true", "set -e; (exit 0); exit"])
def test_a_command_that_ends_the_shell_ends_the_session(
    command: str, each: Sandbox, run, workspace: Path
) -> None:
    result = run(command, "touch ran; true", sandbox=each)
    assert codes(result) == [0, None]
    assert verdicts(result) == [True, False]
    assert result.results[1].reason == f"not run: `{command}` ended the shell"
    assert not (workspace / "ran").exists()


def test_the_shells_exit_code_is_that_of_the_command_that_ended_it(each: Sandbox, run) -> None:
    assert codes(run("echo x; exit 4", sandbox=each)) == [4]
    assert outputs(run("echo x; exit 4", sandbox=each)) == ["x\n"]
    assert codes(run("kill -9 $$", sandbox=each)) == [137]


def test_commands_have_an_empty_input(run) -> None:
    assert outputs(run("cat; echo end", "read line || echo none")) == ["end\n", "none\n"]


def test_a_server_in_the_background_serves_the_commands_after_it(each: Sandbox, run) -> None:
    if each.strength is Strength.PARTIAL:
        pytest.skip("Landlock shuts TCP on the loopback too")
    server = (
        "import socket; s = socket.create_server(('127.0.0.1', 0));"
        " open('port', 'w').write(str(s.getsockname()[1]) + chr(10));"
        " c, _ = s.accept(); c.send(b'served')"
    )
    result = run(
        f'python3 -c "{server}" &',
        "until [ -s port ]; do sleep 0.01; done",
        "cat </dev/tcp/127.0.0.1/$(cat port)",
        sandbox=each,
    )
    assert outputs(result)[2] == "served"
    assert verdicts(result) == [True, True, True]


def test_no_commands_start_nothing(run, sandboxes: dict[str, Sandbox]) -> None:
    broken = Sandbox(Strength.STRONG, program="/no/such/bwrap", variant="full")
    assert run(sandbox=broken).results == ()


# what a command prints is only output


def test_marks_that_a_command_forges_are_only_output(run) -> None:
    forged = "printf '\\0%s:done 0 0\\0' 00000000000000000000000000000000; false"
    result = run(forged, "true")
    assert codes(result) == [1, 0]
    assert "done 0 0" in outputs(result)[0]


def test_the_secret_of_the_marks_is_nowhere_for_a_program_to_read(run, workspace: Path) -> None:
    script = (
        "set >vars; declare -f >functions; tr '\\0' '\\n' </proc/$$/cmdline >args;"
        " tr '\\0' '\\n' </proc/$$/environ >environ; readlink /proc/$$/fd/0 >input;"
        " { (: <&249) 2>/dev/null && echo open || echo shut; } >gate"
    )
    result = run(script, "true")
    assert verdicts(result) == [True, True], result
    assert (workspace / "input").read_text() == "/dev/null\n"
    assert (workspace / "gate").read_text() == "shut\n"
    for name in ("vars", "functions", "args", "environ"):
        text = (workspace / name).read_text()
        assert ":done" not in text
        assert ":ready" not in text
    assert "__mt_again" in (workspace / "functions").read_text()


def test_no_command_has_a_hold_on_the_session(run, workspace: Path) -> None:
    """What the marks go through is shut for commands, whose own files stay open from one to the next."""
    own = "; ".join(f"exec {fd}</etc/passwd" for fd in (3, *range(10, 20), 249, 250))
    result = run(
        "mkfifo pipe; exec 249<>pipe 250<>pipe",
        own,
        "for fd in 3 10 11 15 16 17 19; do read -r line <&$fd && echo $line; done | grep -c :",
        "true; for fd in 249 250; do sh -c ': <&'$fd 2>/dev/null || echo shut; done",
        stop_at_first_failure=True,
    )
    assert verdicts(result) == [True] * 4, result
    assert outputs(result)[2:] == ["7\n", "shut\nshut\n"]


def test_commands_are_on_no_command_line(run, workspace: Path) -> None:
    result = run("xxd -p /dev/null; tr '\\0' ' ' </proc/$$/cmdline  # needle")
    assert "needle" not in outputs(result)[0]
    assert "bash --noprofile" in outputs(result)[0]


def test_output_without_a_final_newline_stays_with_its_command(run) -> None:
    assert outputs(run("printf a", "printf b >&2", "printf '\\0'")) == ["a", "b", "\0"]


def test_bytes_that_are_not_text_are_replaced(run) -> None:
    assert outputs(run("printf 'a\\xff\\n'")) == ["a\ufffd\n"]


def test_the_tail_keeps_whole_lines_of_the_end(run) -> None:
    (result,) = run("seq 100000").results
    assert result.output_bytes == 588895
    lines = result.output_tail.splitlines()
    assert lines == [str(number) for number in range(100001 - len(lines), 100001)]
    assert 3990 < len(result.output_tail) <= 4000


@pytest.mark.parametrize(
    ("output", "kept"),
    [
        (b"", ""),
        (b"1234567890", "1234567890"),
        (b"12345678901", "2345678901"),
        (b"a\n123456789\n", "123456789\n"),
        (b"abc\n123\n4567\n", "123\n4567\n"),
        ("éééééé".encode(), "ééééé"),
        ("aéééééé".encode(), "ééééé"),
        ("ééééé\nx".encode(), "x"),
    ],
)
def test_a_tail_of_ten_bytes(output: bytes, kept: str) -> None:
    assert tail(output, limit=10) == kept


def test_a_command_with_a_nul_is_refused(run) -> None:
    with pytest.raises(UsageError, match="line 1: a command cannot hold a NUL"):
        run("echo a\0b")


# what ends a session


def test_a_session_out_of_time_fails_what_ran_and_skips_the_rest(
    each: Sandbox, run, workspace: Path
) -> None:
    words = f"sleep 6543{os.getpid()}.1"
    result = run(
        "echo before",
        f"echo during; bash -c '{words} & wait'",
        "touch ran",
        sandbox=each,
        limits=Limits(seconds=1),
    )
    assert verdicts(result) == [True, False, False]
    assert codes(result) == [0, None, None]
    assert result.results[1].reason == "timed out after 1 s"
    assert result.results[1].output_tail == "during\n"
    assert result.results[2].reason == "not run: timed out after 1 s"
    assert (result.timed_out, result.killed_reason) == (True, "timed out after 1 s")
    assert eventually(lambda: not running(words), seconds=10)
    assert not (workspace / "ran").exists()


def test_too_much_output_ends_a_session(each: Sandbox, run) -> None:
    limits = Limits(seconds=60, output_bytes=1 << 20)
    result = run("head -c 1G /dev/zero", "true", sandbox=each, limits=limits)
    assert verdicts(result) == [False, False]
    assert result.results[0].reason == "printed more than 1 MiB"
    assert result.results[0].output_bytes < 4 << 20
    assert result.killed_reason == "printed more than 1 MiB"
    assert not result.timed_out


def test_output_of_all_commands_counts_together(run) -> None:
    limits = Limits(seconds=60, output_bytes=100_000)
    one = "head -c 60000 /dev/zero"
    assert run(one, limits=limits).passed
    for _ in range(10):  # the end of a command may come in one piece with what it printed
        assert verdicts(run(one, one, one, limits=limits)) == [True, False, False]


def test_a_session_can_stop_at_its_first_failure(each: Sandbox, run, workspace: Path) -> None:
    result = run(
        "true", "exit_code() { return 3; }; exit_code", "touch ran", sandbox=each,
        stop_at_first_failure=True,
    )  # fmt: skip
    assert verdicts(result) == [True, False, False]
    assert codes(result) == [0, 3, None]
    assert "failed" in result.results[2].reason
    assert not (workspace / "ran").exists()


def test_stopping_waits_for_the_verdict_on_the_output(run, workspace: Path) -> None:
    expected = Expectation(ExpectationKind.CONTAINS, text="passed")
    options = {"stop_at_first_failure": True}
    assert run(Command("echo passed", (expected,)), "touch first", **options).passed
    assert not run(Command("echo failed", (expected,)), "touch second", **options).passed
    assert (workspace / "first").exists()
    assert not (workspace / "second").exists()


@pytest.mark.variant
def test_each_result_is_told_as_soon_as_it_is_known(run, workspace: Path) -> None:
    told: list[tuple[str, bool]] = []

    def tell(result: CommandResult) -> None:
        told.append((result.command, (workspace / "second").exists()))

    run("true", "sleep 0.5; touch second", "exit", "never", on_event=tell)
    assert told == [
        ("true", False),
        ("sleep 0.5; touch second", True),
        ("exit", True),
        ("never", True),
    ]


@pytest.mark.variant
def test_a_daemon_that_left_the_session_does_not_outlive_it(each: Sandbox, run) -> None:
    words = f"sleep 6543{os.getpid()}"
    seen: list[bool] = []

    def tell(result: CommandResult) -> None:
        if result.line == 1:
            seen.append(eventually(lambda: running(words), seconds=10))

    daemon = f"setsid {words} >/dev/null 2>&1 </dev/null &"
    assert run(daemon, "sleep 1", sandbox=each, on_event=tell).passed
    assert seen == [True]
    assert eventually(lambda: not running(words), seconds=5)


@pytest.mark.variant
def test_under_bubblewrap_everything_is_gone_when_the_session_returns(
    sandboxes: dict[str, Sandbox], run
) -> None:
    if "strong" not in sandboxes:
        pytest.skip("this machine has no strong sandbox")
    words = f"sleep 7654{os.getpid()}"
    seen: list[bool] = []

    def tell(result: CommandResult) -> None:
        if result.line == 1:
            seen.append(eventually(lambda: running(words), seconds=10))

    daemon = f"for i in {{1..300}}; do (env -i /usr/bin/setsid {words} >/dev/null 2>&1 &); done"
    for last in ("true", "exit 3", "sleep 60"):
        commands = (daemon, "sleep 1", last)
        run(*commands, sandbox=sandboxes["strong"], on_event=tell, limits=Limits(seconds=6))
        assert not running(words)
    assert seen == [True] * 3


@pytest.mark.variant
def test_a_shell_that_lingers_at_its_end_fails_nothing(run) -> None:
    result = run("trap 'sleep 6000' EXIT", "true")
    assert result.passed
    assert not result.timed_out


def test_a_sandbox_that_does_not_start_is_no_verdict(tmp_path: Path, run) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: no permissions' >&2; exit 1\n")
    broken.chmod(0o755)
    sandbox = Sandbox(Strength.STRONG, program=str(broken), variant="full")
    with pytest.raises(MachineError, match="bwrap: no permissions") as caught:
        run("true", sandbox=sandbox)
    assert caught.value.exit_code == 3


def test_an_interrupt_ends_everything_and_goes_on_up(
    each: Sandbox, sandboxes: dict[str, Sandbox], workspace: Path, tmp_path: Path
) -> None:
    words = f"sleep 8765{os.getpid()}"
    script = f"""
import signal, sys
from pathlib import Path
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.sandbox.shell_session import run_commands
from minitask.spec.model import Command
signal.signal(signal.SIGINT, signal.default_int_handler)
sandbox = Sandbox(Strength({each.strength.value!r}), program={each.program!r},
                  variant={each.variant!r}, landlock={each.landlock}, scratch=Path({str(tmp_path)!r}))
try:
    run_commands([Command({f"{words} & {words}"!r})], sandbox=sandbox, workspace=Path({str(workspace)!r}),
                 limits=Limits(), network=False, readonly=(), env={{"PATH": {PATH!r}}})
except KeyboardInterrupt:
    print("interrupted")
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert eventually(lambda: running(words), seconds=20)
        parent.send_signal(signal.SIGINT)
        assert parent.communicate(timeout=20)[0] == b"interrupted\n"
    assert eventually(lambda: not running(words), seconds=10)
    assert not list(tmp_path.glob("minitask-*"))
