"""What each sandbox holds back; wherever something fails inside, the same succeeds outside."""

from __future__ import annotations

import contextlib
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from minitask.errors import MachineError, UsageError
from minitask.sandbox import landlock
from minitask.sandbox.choose_sandbox import choose_sandbox, probe
from minitask.sandbox.sandbox import Limits, Sandbox, Strength
from minitask.system import pipes, process
from world import write_program

PATH = os.environ["PATH"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A user's environment, keys and all, with a home of their own."""
    home = tmp_path / "userhome"
    home.mkdir()
    (home / "id_rsa").write_text("private key\n")
    return {
        "PATH": PATH,
        "HOME": str(home),
        "TMPDIR": str(tmp_path),
        "ANTHROPIC_API_KEY": "canary-key",
        "GITHUB_TOKEN": "canary-token",
        "SSH_AUTH_SOCK": "/run/canary.sock",
        "LD_PRELOAD_CANARY": "canary-preload",
        "LC_TIME": "C",
    }


@pytest.fixture
def none(tmp_path: Path) -> Sandbox:
    return Sandbox(Strength.NONE, scratch=tmp_path / "scratch")


@pytest.fixture(scope="session")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """The best sandbox of this machine."""
    return probe(environ={"PATH": PATH}, scratch=tmp_path_factory.mktemp("probed"))


@pytest.fixture
def strong(probed: Sandbox) -> Sandbox:
    if probed.strength is not Strength.STRONG:
        pytest.skip(f"no bubblewrap that works: {'; '.join(probed.tried)}")
    return probed


@pytest.fixture
def partial(tmp_path: Path) -> Sandbox:
    (tmp_path / "no-programs").mkdir()
    found = probe(environ={"PATH": str(tmp_path / "no-programs")}, scratch=tmp_path / "scratch")
    if found.strength is not Strength.PARTIAL:
        pytest.skip(f"no Landlock that works: {'; '.join(found.tried)}")
    return found


@pytest.fixture
def landlock_alone(partial: Sandbox) -> Sandbox:
    return replace(partial, namespaces=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace whose path is as awkward as paths get; it lies below the machine's `/tmp`."""
    folder = tmp_path / "work space\nwith 'quotes' and $(id)"
    folder.mkdir()
    (folder / "file.txt").write_text("content\n")
    return folder


@pytest.fixture
def inside(workspace: Path, environ: dict[str, str]):
    """Runs a bash script in a sandbox."""

    def run(sandbox: Sandbox, script: str, *args: str, **options: object) -> process.Finished:
        given = {"limits": Limits(), "network": False, "environ": environ} | options
        argv = ("bash", "-c", script, "test", *args)
        with sandbox.wrap(argv, workspace=workspace, **given) as wrapped:  # type: ignore[arg-type]
            return process.run(wrapped.argv, cwd=workspace, env=wrapped.env, timeout_seconds=60)

    return run


@pytest.fixture
def server_port():
    """A TCP server on the loopback of the machine."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield str(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


CONNECT = 'exec 3<>"/dev/tcp/127.0.0.1/$1"'
KINDS = ("strong", "partial", "landlock_alone", "none")


@pytest.fixture(params=KINDS)
def each(request: pytest.FixtureRequest) -> Sandbox:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=KINDS[:3])
def confining(request: pytest.FixtureRequest) -> Sandbox:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=KINDS[:2])
def mounting(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox with files and a network of its own."""
    sandbox: Sandbox = request.getfixturevalue(request.param)
    if not sandbox.has_private_mounts:
        pytest.skip(f"no namespaces for users: {sandbox.tried[-1]}")
    return sandbox


# every sandbox


def test_a_command_works_in_an_awkward_workspace(each: Sandbox, inside, workspace: Path) -> None:
    done = inside(each, "pwd -P; cat file.txt; mkdir sub; echo new >sub/new.txt")
    assert done.stdout == os.fsencode(workspace) + b"\ncontent\n", done.stderr
    assert (workspace / "sub" / "new.txt").read_text() == "new\n"


def test_the_exit_code_comes_through(each: Sandbox, inside) -> None:
    assert inside(each, "exit 7").exit_code == 7


def test_no_secret_of_the_environment_comes_through(each: Sandbox, inside) -> None:
    seen = inside(each, "env; tr '\\0' '\\n' </proc/self/environ; echo ${SSH_AUTH_SOCK-unset}")
    assert b"CI=1" in seen.stdout
    assert b"LC_TIME=C" in seen.stdout
    assert b"LANG=C.UTF-8" in seen.stdout
    assert b"canary" not in seen.stdout
    assert seen.stdout.endswith(b"unset\n")


def test_variables_given_on_purpose_do_come_through(each: Sandbox, inside) -> None:
    done = inside(each, 'echo "$GIVEN"', extra_env={"GIVEN": "a b"})
    assert done.stdout == b"a b\n"


def test_given_variables_are_not_on_a_command_line_for_all_to_read(
    each: Sandbox, workspace: Path, environ: dict[str, str]
) -> None:
    with each.wrap(
        ("true",),
        workspace=workspace,
        limits=Limits(),
        network=False,
        environ=environ,
        extra_env={"GIVEN": "canary-given"},
    ) as wrapped:
        assert not [word for word in wrapped.argv if "canary" in word]
        assert wrapped.env["GIVEN"] == "canary-given"


def test_path_entries_that_depend_on_where_one_stands_are_dropped(
    each: Sandbox, inside, environ: dict[str, str]
) -> None:
    given = environ | {"PATH": f":.:bin:{PATH}:"}
    assert inside(each, 'echo "$PATH"', environ=given).stdout.decode() == f"{PATH}\n"


def test_home_and_temporary_files_are_private_and_gone_afterwards(
    each: Sandbox, inside, environ: dict[str, str]
) -> None:
    script = (
        'echo kept >"$HOME/in-home" && touch "$TMPDIR/in-tmp" && mktemp >/dev/null &&'
        ' mkdir -p "$HOME/locked/deep" && chmod 0 "$HOME/locked" && echo "$HOME"'
    )
    done = inside(each, script)
    assert done.ok, done.stderr
    home = done.stdout.decode().strip()
    assert home != environ["HOME"]
    assert not Path(home).exists()
    assert not (Path(environ["HOME"]) / "in-home").exists()
    assert list(each.scratch.glob("minitask-*")) == []


def test_tidying_up_follows_no_link(none: Sandbox, inside, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir(mode=0o500)
    script = 'ln -s "$1" "$HOME/link"; mkdir -p "$HOME/locked/deep"; chmod 0 "$HOME/locked" "$HOME"'
    assert inside(none, script, str(tmp_path / "kept")).ok
    assert list(none.scratch.iterdir()) == []
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o500


def test_two_private_directories_are_never_the_same(
    none: Sandbox, workspace: Path, environ: dict[str, str]
) -> None:
    def wrap():
        return none.wrap(
            ("true",), workspace=workspace, limits=Limits(), network=False, environ=environ
        )

    with wrap() as one, wrap() as two:
        assert one.env["HOME"] != two.env["HOME"]


def test_a_file_larger_than_the_limit_cannot_be_written(each: Sandbox, inside) -> None:
    script = "head -c 300000 /dev/zero >big; wc -c <big"
    assert inside(each, script).stdout == b"300000\n"
    assert inside(each, script, limits=Limits(file_bytes=102400)).stdout == b"102400\n"


@pytest.mark.variant
@pytest.mark.sampled(2)
def test_memory_over_the_limit_is_refused(each: Sandbox, inside) -> None:
    script = "python3 -c 'x = bytearray(400 << 20); print(len(x))'"
    assert inside(each, script).stdout == b"%d\n" % (400 << 20)
    small = inside(each, script, limits=Limits(memory_bytes=200 << 20))
    assert b"MemoryError" in small.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="the kernel holds no root process to a number")
def test_processes_over_the_limit_are_refused(each: Sandbox, inside) -> None:
    script = "for i in {1..60}; do sleep 1 & done; jobs -r | wc -l"
    assert inside(each, script).stdout == b"60\n"
    assert inside(each, script, limits=Limits(processes=20)).stdout != b"60\n"


def test_the_process_limit_is_set(each: Sandbox, inside) -> None:
    assert int(inside(each, "ulimit -u", limits=Limits(processes=30)).stdout) >= 30


def test_a_pipe_that_closes_early_ends_its_writer(each: Sandbox, inside) -> None:
    done = inside(each, 'yes | head -1; echo "${PIPESTATUS[0]}"')
    assert (done.stdout, done.stderr) == (b"y\n141\n", b"")


def test_a_toolchain_in_the_home_runs_and_the_rest_of_the_home_stays_hidden(
    confining: Sandbox, none: Sandbox, inside, environ: dict[str, str]
) -> None:
    tool = Path(environ["HOME"]) / "tool" / "bin" / "mytool"
    write_program(tool, '#!/bin/sh\ncat "$(dirname "$0")/../lib/data"\n')
    (tool.parent.parent / "lib").mkdir()
    (tool.parent.parent / "lib" / "data").write_text("from the library\n")
    given = environ | {"PATH": f"{tool.parent}:{PATH}"}
    done = inside(confining, "mytool; mytool >>file.txt", environ=given)
    assert done.stdout == b"from the library\n", done.stderr
    secret = str(Path(environ["HOME"]) / "id_rsa")
    assert inside(none, 'cat "$1"', secret).stdout == b"private key\n"
    assert inside(confining, 'cat "$1"', secret, environ=given).stdout == b""


def test_borrowed_paths_can_be_read_and_not_written(
    confining: Sandbox, none: Sandbox, inside, tmp_path: Path
) -> None:
    store = tmp_path / "objects"
    store.mkdir()
    (store / "object").write_text("blob\n")
    script = 'cat "$1/object"; echo changed >"$1/object"'
    assert inside(confining, script, str(store)).stdout == b""
    assert inside(confining, script, str(store), readonly=[store]).stdout == b"blob\n"
    assert (store / "object").read_text() == "blob\n"
    inside(none, script, str(store))
    assert (store / "object").read_text() == "changed\n"


def test_further_writable_paths_are_writable(confining: Sandbox, inside, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    script = 'echo new >"$1/file"'
    assert inside(confining, script, str(other)).exit_code != 0
    assert inside(confining, script, str(other), extra_writable=[other]).ok
    assert (other / "file").read_text() == "new\n"


def test_nothing_outside_the_workspace_can_be_written(
    confining: Sandbox, none: Sandbox, inside, tmp_path: Path
) -> None:
    target = tmp_path / "outside.txt"
    script = 'echo x >"$1"'
    inside(confining, script, str(target))
    assert not target.exists()
    assert inside(none, script, str(target)).ok
    assert target.exists()
    inside(confining, 'rm -f "$1"', str(target))
    assert target.exists()


def test_files_of_the_machine_outside_the_workspace_cannot_be_read(
    confining: Sandbox, none: Sandbox, inside, tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "private.txt").write_text("secret\n")
    for path in (tmp_path / "private.txt", Path(environ["HOME"]) / "id_rsa"):
        assert inside(none, 'cat "$1"', str(path)).stdout
        assert inside(confining, 'cat "$1"', str(path)).stdout == b""
        link = f'ln -sf "$1" link-{path.name} && cat link-{path.name}'
        assert inside(confining, link, str(path)).stdout == b""


def test_tcp_is_shut_unless_the_network_is_granted(
    confining: Sandbox, none: Sandbox, inside, server_port: str
) -> None:
    if confining.strength is Strength.PARTIAL and confining.landlock < 4:
        pytest.skip("this Landlock knows no network")
    assert inside(none, CONNECT, server_port).ok
    assert not inside(confining, CONNECT, server_port).ok
    assert inside(confining, CONNECT, server_port, network=True).ok


def test_no_privilege_is_left(confining: Sandbox, inside) -> None:
    wanted = "CapEff|CapBnd" if os.getuid() == 0 else "CapEff"
    done = inside(confining, f"grep -E '^({wanted}|NoNewPrivs)' /proc/self/status")
    assert set(done.stdout.split()[1::2]) == {b"0000000000000000", b"1"}


# bubblewrap


def test_git_in_the_workspace_can_be_read_and_not_written(
    strong: Sandbox, none: Sandbox, inside, workspace: Path
) -> None:
    (workspace / ".git").mkdir()
    (workspace / ".git" / "config").write_text("[core]\n")
    script = "cat .git/config; echo evil >>.git/config; touch .git/new; mv .git moved"
    assert inside(strong, script).stdout == b"[core]\n"
    assert [path.name for path in (workspace / ".git").iterdir()] == ["config"]
    assert (workspace / ".git" / "config").read_text() == "[core]\n"
    inside(none, script)
    assert (workspace / "moved" / "new").exists()


def test_a_git_file_in_the_workspace_can_be_read_and_not_written(
    strong: Sandbox, inside, workspace: Path
) -> None:
    (workspace / ".git").write_text("gitdir: elsewhere\n")
    done = inside(strong, "cat .git; echo gitdir: evil >.git; rm -f .git; mv file.txt .git")
    assert done.stdout == b"gitdir: elsewhere\n"
    assert (workspace / ".git").read_text() == "gitdir: elsewhere\n"


def test_a_git_link_in_the_workspace_is_refused(
    strong: Sandbox, inside, workspace: Path, tmp_path: Path
) -> None:
    (workspace / ".git").symlink_to(tmp_path)
    with pytest.raises(MachineError, match="is a symbolic link"):
        inside(strong, "true")


def test_the_environment_of_other_processes_cannot_be_read(
    strong: Sandbox, none: Sandbox, inside
) -> None:
    script = "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c ^OTHERS_SECRET="
    other = {"PATH": PATH, "OTHERS_SECRET": "canary"}
    with subprocess.Popen(["sleep", "60"], env=other) as victim:
        assert int(inside(none, script).stdout) >= 1
        assert inside(strong, script).stdout == b"0\n"
        victim.kill()


def test_other_processes_cannot_be_seen_or_ended(strong: Sandbox, none: Sandbox, inside) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        inside(strong, 'kill -9 "$1"; kill -9 -1', str(victim.pid))
        assert victim.poll() is None
        inside(none, 'kill -9 "$1"', str(victim.pid))
        assert victim.wait(timeout=5) == -9


@pytest.mark.variant
def test_unix_sockets_of_the_machine_cannot_be_reached(
    mounting: Sandbox, none: Sandbox, inside, workspace: Path
) -> None:
    import socket

    client = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); "
        "s.connect('\\0' + sys.argv[1]); print('reached')"
    )
    name = f"minitask-test-{os.getpid()}"
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("\0" + name)
        listener.listen()
        script = f'python3 -c "{client}" "$1"'.replace("\\0", "\\\\0")
        assert inside(none, script, name).stdout == b"reached\n"
        assert inside(mounting, script, name).stdout == b""


def test_loopback_servers_work_inside(mounting: Sandbox, inside) -> None:
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "c = socket.create_connection(s.getsockname()); print('up')"
    )
    assert inside(mounting, f'python3 -c "{script}"').stdout == b"up\n"


def test_locks_between_processes_work_inside(mounting: Sandbox, inside) -> None:
    script = "import multiprocessing as m; m.Lock().acquire(); print('locked')"
    assert inside(mounting, f'python3 -c "{script}"').stdout == b"locked\n"


def test_shared_folders_are_there_writable_and_private(mounting: Sandbox, inside) -> None:
    script = 'for d in /tmp /var/tmp /dev/shm; do echo x >"$d/$1" && cat "$d/$1"; test ! -e "$d/$2" && echo new; done'
    mine = f"minitask-mine-{os.getpid()}"
    users = [Path(folder, mine) for folder in ("/tmp", "/var/tmp", "/dev/shm")]
    try:
        for path in users:
            path.touch()
        for _ in range(2):
            done = inside(mounting, script, f"{mine}-inside", mine)
            assert done.stdout == b"x\nnew\n" * 3, done.stderr
        assert not [path for path in users if path.with_name(f"{mine}-inside").exists()]
    finally:
        for path in users:
            path.unlink(missing_ok=True)


def test_what_is_read_only_stays_so_below_a_writable_folder(
    mounting: Sandbox, inside, tmp_path: Path
) -> None:
    """The user's objects may lie below the machine's `/tmp`, whose place a private one takes."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store/object").write_text("blob\n")
    script = 'cat "$1/object"; echo new >"$1/object"; touch "$1/more"; rm -f "$1/object"'
    assert inside(mounting, script, str(tmp_path / "store"), readonly=[tmp_path / "store"]).stdout
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["object"]
    assert (tmp_path / "store/object").read_text() == "blob\n"


def test_a_terminal_works_and_the_users_cannot_be_written_to(
    confining: Sandbox, none: Sandbox, inside
) -> None:
    import pty

    master, slave = pty.openpty()
    path = os.ttyname(slave)
    try:
        script = 'echo note >"$1"'
        assert not inside(confining, script, path).ok
        assert inside(none, script, path).ok
        assert os.read(master, 100) == b"note\r\n"
    finally:
        os.close(master)
        os.close(slave)
    if confining.has_private_mounts:
        script = "import pty, sys; sys.exit(pty.spawn(['test', '-t', '0']))"
        assert inside(confining, f'python3 -c "{script}" </dev/null').ok


def test_settings_of_the_kernel_and_system_folders_are_read_only(strong: Sandbox, inside) -> None:
    done = inside(
        strong,
        "for f in /proc/sys/kernel/hostname /etc/new /usr/new /new /var/new; do"
        ' (echo x >"$f") 2>/dev/null && echo "$f"; done; echo x >/tmp/new && echo tmp',
    )
    assert done.stdout == b"tmp\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can read these at all")
def test_roots_commands_read_no_password_hashes(strong: Sandbox, none: Sandbox, inside) -> None:
    assert inside(none, "cat /etc/shadow").stdout
    assert inside(strong, "cat /etc/shadow").stdout == b""
    assert inside(strong, "cat /etc/passwd").stdout


@pytest.mark.variant
def test_git_reads_a_repository_whose_objects_are_borrowed(
    strong: Sandbox, inside, workspace: Path, tmp_path: Path
) -> None:
    env = {"PATH": PATH, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=n", "-c", "user.email=e")

    def git(*args: str, cwd: Path) -> None:
        done = process.run(("git", *identity, *args), cwd=cwd, env=env)
        assert done.ok, done.stderr

    origin = tmp_path / "origin"
    origin.mkdir()
    git("init", "-q", cwd=origin)
    (origin / "a.txt").write_text("one\n")
    git("add", ".", cwd=origin)
    git("commit", "-qm", "first", cwd=origin)
    (workspace / "file.txt").unlink()
    git("clone", "-q", "--shared", str(origin), str(workspace), cwd=tmp_path)
    script = (
        'echo two >>a.txt; git status --porcelain && git show HEAD:a.txt && git commit -qam "x"'
    )
    without = inside(strong, script)
    assert b"one" not in without.stdout
    done = inside(strong, script, readonly=[origin / ".git" / "objects"])
    assert done.stdout == b" M a.txt\none\n", done.stderr
    assert b"Read-only file system" in done.stderr


def test_a_killed_sandbox_takes_everything_in_it_along(
    strong: Sandbox, workspace: Path, environ: dict[str, str]
) -> None:
    script = "setsid sleep 60 & setsid sleep 60 & echo up; wait"
    with (
        strong.wrap(
            ("bash", "-c", script),
            workspace=workspace,
            limits=Limits(),
            network=False,
            environ=environ,
        ) as wrapped,
        contextlib.ExitStack() as watches,
    ):
        with process.spawn(wrapped.argv, cwd=workspace, env=wrapped.env) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"up\n"
            (first,) = process.children_of(child.pid)
            (shell,) = process.children_of(first)
            tree = [first, shell, *process.children_of(shell)]
            assert len(tree) == 4
            gone = [watches.enter_context(pipes.exit_watch(pid)) for pid in tree]
        assert None not in gone
        assert process.wait_until_gone([w for w in gone if w is not None], timeout_seconds=5)


# Landlock


def test_a_device_cannot_be_made_to_reach_past_the_paths(
    partial: Sandbox, none: Sandbox, inside
) -> None:
    script = "mknod disk b 7 0; mkfifo pipe && echo fifo"
    if os.getuid() == 0:
        assert not inside(none, script).stderr
        inside(none, "rm disk pipe")
    done = inside(partial, script)
    assert done.stdout == b"fifo\n"
    assert b"mknod" in done.stderr


@pytest.mark.parametrize("version", range(1, 8))
def test_no_rule_ever_allows_to_make_a_device(version: int) -> None:
    allowed = landlock.rights_on(version, write=True, folder=True)
    devices = landlock.MAKE_CHARACTER_DEVICE | landlock.MAKE_BLOCK_DEVICE
    assert landlock.file_rights(version) & devices == devices
    assert allowed & devices == 0
    assert allowed & landlock.WRITE_FILE


@pytest.mark.parametrize("kind", ["strong", "partial"])
def test_rights_and_times_outside_cannot_be_changed(
    request: pytest.FixtureRequest, none: Sandbox, inside, kind: str
) -> None:
    """In a folder that is neither below HOME nor `/tmp`, as far as this Python is not."""
    sandbox = request.getfixturevalue(kind)
    if kind == "partial" and not sandbox.namespaces:
        pytest.skip("without namespaces, nothing holds it back")
    with tempfile.TemporaryDirectory(dir=sys.prefix) as name:
        folder, file = Path(name), Path(name, "file")
        file.write_text("x\n")
        for script in ('chmod 600 "$1/file"', 'touch -d 2001-01-01 "$1/file"', 'chmod 711 "$1"'):
            before = (file.stat(), folder.stat())
            assert not inside(sandbox, script, name).ok
            assert (file.stat(), folder.stat()) == before
            assert inside(none, script, name).ok
            assert (file.stat(), folder.stat()) != before


@pytest.mark.parametrize("kind", ["strong", "partial"])
def test_the_git_folder_of_a_workspace_cannot_be_changed(
    request: pytest.FixtureRequest, none: Sandbox, workspace: Path, inside, kind: str
) -> None:
    sandbox = request.getfixturevalue(kind)
    if kind == "partial" and not sandbox.namespaces:
        pytest.skip("without namespaces, nothing holds it back")
    script = "echo x > .git/config; mv .git gone; chmod 700 .git/config; cat .git/config; touch new"
    (workspace / ".git").mkdir()
    (workspace / ".git/config").write_text("y\n")
    assert inside(sandbox, script).stdout == b"y\n"
    assert (workspace / "new").exists()
    assert (workspace / ".git/config").read_text() == "y\n"
    inside(none, script)
    assert (workspace / "gone/config").read_text() == "x\n"


def test_processes_outside_cannot_be_ended(partial: Sandbox, none: Sandbox, inside) -> None:
    if partial.landlock < 6:
        pytest.skip("this Landlock knows no signals")
    with subprocess.Popen(["sleep", "60"]) as victim:
        inside(partial, 'kill -9 "$1"', str(victim.pid))
        assert victim.poll() is None
        inside(none, 'kill -9 "$1"', str(victim.pid))
        assert victim.wait(timeout=5) == -9


def test_ordinary_devices_work(partial: Sandbox, inside) -> None:
    done = inside(partial, "echo x >/dev/null && head -c 2 /dev/urandom | wc -c; cat < <(echo y)")
    assert done.stdout.split() == [b"2", b"y"], done.stderr


def test_a_launcher_that_cannot_restrict_runs_nothing(tmp_path: Path) -> None:
    import sys

    from minitask.sandbox.bubblewrap import LAUNCHER

    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import landlock\n"
        "landlock.RESTRICT_SELF = 999999\n"
        "landlock.main(['r=/', '--', 'touch', sys.argv[2]])"
    )
    argv = (sys.executable, "-I", "-c", script, str(LAUNCHER.parent), str(tmp_path / "ran"))
    done = process.run(argv, cwd=tmp_path, env={"PATH": PATH})
    assert done.exit_code == 125
    assert b"minitask: landlock: " in done.stderr
    assert not (tmp_path / "ran").exists()


# choosing


def fake_bwrap(folder: Path, body: str) -> dict[str, str]:
    """An environment whose bwrap is this script; it notes each start."""
    folder.mkdir(exist_ok=True)
    program = folder / "bwrap"
    write_program(program, f"#!/bin/bash\necho started >>{folder}/starts\n{body}\n")
    return {"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(folder)}


def starts(folder: Path) -> int:
    noted = folder / "starts"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_a_warm_probe_starts_nothing(strong: Sandbox, tmp_path: Path) -> None:
    env = fake_bwrap(tmp_path / "bin", f'exec {strong.program} "$@"')
    cache = tmp_path / "cache" / "sandbox.json"
    first = probe(environ=env, cache=cache)
    assert (first.strength, starts(tmp_path / "bin")) == (Strength.STRONG, 1)
    assert probe(environ=env, cache=cache) == first
    assert starts(tmp_path / "bin") == 1


def test_a_bubblewrap_that_changed_is_tried_again(strong: Sandbox, tmp_path: Path) -> None:
    env = fake_bwrap(tmp_path / "bin", f'exec {strong.program} "$@"')
    cache = tmp_path / "sandbox.json"
    probe(environ=env, cache=cache)
    fake_bwrap(tmp_path / "bin", "echo forbidden >&2; exit 1")
    os.utime(tmp_path / "bin" / "bwrap", (1, 1))
    assert probe(environ=env, cache=cache).strength is not Strength.STRONG


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"key": []}'])
@pytest.mark.sampled(2)
def test_a_cache_that_makes_no_sense_is_ignored(content: str, tmp_path: Path) -> None:
    cache = tmp_path / "sandbox.json"
    cache.write_text(content)
    env = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    assert probe(environ=env, cache=cache) == probe(environ=env)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    env = {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    assert probe(environ=env, cache=tmp_path / "file" / "sandbox.json") == probe(environ=env)


def test_an_older_bubblewrap_is_used_without_what_it_lacks(strong: Sandbox, tmp_path: Path) -> None:
    body = (
        'for word; do case $word in --disable-userns|--size) echo "bwrap: Unknown option $word" >&2;'
        f' exit 1;; esac; done; exec {strong.program} "$@"'
    )
    found = probe(environ=fake_bwrap(tmp_path / "bin", body))
    assert (found.strength, found.variant) == (Strength.STRONG, "plain")


def test_a_bubblewrap_that_is_installed_but_forbidden_is_not_trusted(tmp_path: Path) -> None:
    env = fake_bwrap(
        tmp_path / "bin", "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1"
    )
    found = probe(environ=env)
    assert found.strength is not Strength.STRONG
    assert "setting up uid map: Permission denied" in found.tried[0]
    with pytest.raises(MachineError) as caught:
        choose_sandbox("required", environ=env)
    assert caught.value.exit_code == 3
    assert "setting up uid map: Permission denied" in caught.value.message
    assert "install bubblewrap" in caught.value.hint
    assert choose_sandbox("auto", environ=env) == found


def test_a_bubblewrap_that_ignores_its_command_is_not_trusted(tmp_path: Path) -> None:
    env = fake_bwrap(tmp_path / "bin", "exit 0")
    assert probe(environ=env).strength is not Strength.STRONG


def test_a_required_sandbox_that_is_missing_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="bwrap is not on PATH"):
        choose_sandbox("required", environ={"PATH": str(tmp_path), "TMPDIR": str(tmp_path)})


def test_no_sandbox_is_chosen_only_by_name_and_says_so_loudly(tmp_path: Path) -> None:
    chosen = choose_sandbox("none", environ={"PATH": PATH})
    assert chosen.strength is Strength.NONE
    assert chosen.describe().startswith("NO SANDBOX")
    with pytest.raises(UsageError, match="unknown sandbox policy 'off'"):
        choose_sandbox("off", environ={"PATH": PATH})


def test_a_partial_sandbox_says_what_it_lets_through() -> None:
    old = Sandbox(Strength.PARTIAL, landlock=1)
    for word in ("UDP", "TCP", "Unix sockets", "signals", "/proc"):
        assert word in old.describe()
    new = replace(old, landlock=7)
    assert "TCP" not in new.describe()
    assert "UDP" in new.describe()


def test_this_test_run_has_the_programs_that_its_controls_need() -> None:
    for name in ("git", "python3", "setsid", "mknod", "mkfifo"):
        assert shutil.which(name), f"{name} is needed by the tests of the sandbox"
