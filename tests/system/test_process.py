"""The door to other programs, with real programs behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from minitask.errors import MachineError
from minitask.system import pipes, process
from processes import eventually, running

LONG = f"5432{os.getpid()}"
"""Seconds to sleep that no other process sleeps."""

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}


def run(*argv: str, cwd: Path, **options: object) -> process.Finished:
    return process.run(argv, **({"cwd": cwd, "env": ENV} | options))  # type: ignore[arg-type]


def shell(script: str, cwd: Path, **options: object) -> process.Finished:
    return run("sh", "-c", script, cwd=cwd, **options)


def test_output_errors_and_exit_code_come_back_apart(tmp_path: Path) -> None:
    done = shell("echo out; echo err >&2; exit 3", tmp_path)
    assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)
    assert not done.ok
    assert not done.timed_out
    assert not done.truncated


def test_a_program_ended_by_a_signal_has_a_negative_exit_code(tmp_path: Path) -> None:
    assert shell("kill -TERM $$", tmp_path).exit_code == -signal.SIGTERM


def test_arguments_are_never_read_by_a_shell(tmp_path: Path) -> None:
    done = run("printf", "%s|", "$HOME; `id`", "a b\nc", cwd=tmp_path)
    assert done.stdout == b"$HOME; `id`|a b\nc|"


def test_a_program_sees_the_given_environment_and_no_other(tmp_path: Path) -> None:
    done = run("/usr/bin/env", cwd=tmp_path, env={"ONLY": "this"})
    assert done.stdout == b"ONLY=this\n"


def test_a_program_runs_where_it_is_told_to(tmp_path: Path) -> None:
    folder = tmp_path / "with space\nand line"
    folder.mkdir()
    assert run("pwd", "-P", cwd=folder).stdout == os.fsencode(folder.resolve()) + b"\n"


def test_input_larger_than_a_pipe_goes_through_while_output_comes_back(tmp_path: Path) -> None:
    data = os.urandom(5 * pipes.MIB)
    assert run("cat", cwd=tmp_path, input=data).stdout == data


def test_no_input_is_an_end_of_file(tmp_path: Path) -> None:
    assert run("cat", cwd=tmp_path, timeout_seconds=10).ok


def test_a_program_that_reads_none_of_its_input_is_no_error(tmp_path: Path) -> None:
    assert run("true", cwd=tmp_path, input=b"x" * 5 * pipes.MIB).ok


def test_a_timeout_kills_grandchildren_too(tmp_path: Path) -> None:
    done = shell(f"sleep {LONG}.1 & sleep {LONG}.1", tmp_path, timeout_seconds=0.5)
    assert done.timed_out
    assert done.exit_code == -signal.SIGKILL
    assert eventually(lambda: not running(f"sleep {LONG}.1"))


def test_output_before_a_timeout_is_kept(tmp_path: Path) -> None:
    done = shell("echo first; sleep 60", tmp_path, timeout_seconds=0.5)
    assert (done.timed_out, done.stdout) == (True, b"first\n")


def test_each_stream_is_cut_at_the_limit_and_the_program_still_ends_by_itself(
    tmp_path: Path,
) -> None:
    done = shell(
        "head -c 3000000 /dev/zero; echo short >&2; exit 7", tmp_path, max_output_bytes=1000
    )
    assert done.stdout == bytes(1000)
    assert done.stderr == b"short\n"
    assert done.truncated
    assert done.exit_code == 7


def test_output_of_exactly_the_limit_is_whole(tmp_path: Path) -> None:
    done = shell("head -c 1000 /dev/zero", tmp_path, max_output_bytes=1000)
    assert (len(done.stdout), done.truncated) == (1000, False)


def test_a_background_process_that_holds_the_pipe_neither_delays_nor_survives(
    tmp_path: Path,
) -> None:
    done = shell(f"sleep {LONG}.2 & echo here", tmp_path)
    assert (done.stdout, done.ok) == (b"here\n", True)
    assert eventually(lambda: not running(f"sleep {LONG}.2"))


def test_a_program_may_close_its_streams_long_before_it_ends(tmp_path: Path) -> None:
    assert shell("exec >&- 2>&-; sleep 0.2; exit 5", tmp_path).exit_code == 5


@pytest.mark.parametrize(
    ("argv", "folder", "says"),
    [
        (("no-such-program",), ".", "cannot run no-such-program: no such program"),
        (("true",), "gone", "is not a directory"),
        (("./plain.txt",), ".", "cannot run ./plain.txt"),
        (("printf", "x" * 3_000_000), ".", "its arguments are too long"),
        (("printf", "a\0b"), ".", "cannot run printf"),
    ],
)
def test_a_program_that_cannot_start_is_an_error_that_says_why(
    argv: tuple[str, ...], folder: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "plain.txt").write_text("not a program")
    with pytest.raises(MachineError) as caught:
        process.run(argv, cwd=tmp_path / folder, env=ENV)
    assert says in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 3


def test_inherited_descriptors_are_the_named_ones_only(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    try:
        os.set_inheritable(read_end, True)
        script = f"echo given >&{write_end}; (: <&{read_end}) 2>/dev/null && echo leaked"
        done = run("bash", "-c", script, cwd=tmp_path, pass_fds=(write_end,))
        os.set_blocking(read_end, False)
        assert os.read(read_end, 100) == b"given\n"
        assert done.stdout == b""
        assert run("bash", "-c", script, cwd=tmp_path, pass_fds=(read_end,)).stdout == b"leaked\n"
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_spawned_program_answers_line_by_line_and_dies_with_the_block(tmp_path: Path) -> None:
    with process.spawn(("cat",), cwd=tmp_path, env=ENV) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for word in (b"one\n", b"two\n"):
            child.stdin.write(word)
            child.stdin.flush()
            assert child.stdout.readline() == word
        assert child.poll() is None
    assert child.returncode == -signal.SIGKILL


def test_an_error_in_the_block_kills_the_group_of_a_spawned_program(tmp_path: Path) -> None:
    def fail_while_it_runs() -> None:
        script = f"sleep {LONG}.3 & echo up; wait"
        with process.spawn(("sh", "-c", script), cwd=tmp_path, env=ENV):
            assert eventually(lambda: running(f"sleep {LONG}.3"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_while_it_runs()
    assert eventually(lambda: not running(f"sleep {LONG}.3"))


def test_an_interrupt_kills_the_group_and_goes_on_up(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal; from minitask.system import process\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"try: process.run(('sh', '-c', 'sleep {LONG}.4 & sleep {LONG}.4'),"
        f" cwd=pathlib.Path('/'), env={ENV!r})\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert eventually(lambda: len(running(f"sleep {LONG}.4")) == 2, seconds=20)
        parent.send_signal(signal.SIGINT)
        assert parent.communicate(timeout=20)[0] == b"interrupted\n"
    assert eventually(lambda: not running(f"sleep {LONG}.4"))


def test_an_interrupt_while_a_program_is_being_started_leaves_nothing_running(
    tmp_path: Path,
) -> None:
    # Searching a very long PATH keeps the new process from its program for long enough that the signal comes meanwhile.
    script = (
        "import os, pathlib, signal; from minitask.system import process\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"env = {ENV!r} | {{'PATH': '/x:' * 40_000 + {ENV['PATH']!r}}}\n"
        "parent = os.getpid()\n"
        "if os.fork() == 0:\n"
        "    while len(process.children_of(parent)) < 2: pass\n"
        "    os.kill(parent, signal.SIGINT); os._exit(0)\n"
        "try:\n"
        f"    process.run(('sleep', '{LONG}.6'), cwd=pathlib.Path('/'), env=env)\n"
        "except KeyboardInterrupt: print('interrupted')\n"
    )
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"interrupted\n"
    assert eventually(lambda: not running(f"sleep {LONG}.6"))


def test_marked_processes_are_found_wherever_they_went(tmp_path: Path) -> None:
    mark = f"HOME={tmp_path}/"
    argv = ("sleep", f"{LONG}.5")
    with (
        subprocess.Popen(
            argv, env=ENV | {"HOME": f"{tmp_path}/home"}, start_new_session=True
        ) as ours,
        subprocess.Popen(argv, env=ENV | {"HOME": "/other/"}, start_new_session=True) as another,
    ):
        pipes.end_marked(mark.encode())
        assert ours.wait(timeout=5) == -signal.SIGKILL
        assert another.poll() is None
        another.kill()


def test_children_are_known_while_they_live(tmp_path: Path) -> None:
    with process.spawn(("sh", "-c", "sleep 60 & echo up; wait"), cwd=tmp_path, env=ENV) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        (grandchild,) = process.children_of(child.pid)
        with pipes.exit_watch(grandchild) as watch:
            assert watch is not None
            assert not process.wait_until_gone([watch], timeout_seconds=0.05)
            pipes.end_group(child)
            assert process.wait_until_gone([watch], timeout_seconds=5)
    assert process.children_of(child.pid) == ()
