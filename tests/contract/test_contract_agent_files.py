"""What an agent program leaves in its files and in its home is read with care: links, pipes, half-written logins."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from world import MINITASK, World, agent_settings, write_program

VALIDATION = "grep -qx b b.txt"
OLD, NEW = '{"refresh": "old"}', '{"refresh": "new"}'
DONE = '{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":1}}'
Install = Callable[[str], Path]


@pytest.fixture
def codex(world: World, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a shell script as `codex`, and log the user in."""

    def install(script: str) -> Path:
        program = tmp_path / "bin" / "codex"
        write_program(program, f'#!/bin/bash\n[ "$1" = --version ] && exit\n{script}\n')
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        world.configure(
            executors={"codex": {"type": "codex"}},
            tiers={"cheap": {"executor": "codex", "model": "m"}},
        )
        login = home / ".codex" / "auth.json"
        login.parent.mkdir()
        login.write_text(OLD)
        return login

    world.commit({"b.txt": "a\n", "c.txt": "a\n"}, message="files")
    return install


def command(world: World, tmp_path: Path, script: str, **config: object) -> None:
    """Configure a shell script as the only executor."""
    program = write_program(tmp_path / "agent", f"#!/bin/bash\n{script}\n")
    world.configure(**agent_settings(program, "{prompt_file}"), **config)


def test_a_file_behind_a_link_that_git_is_told_to_ignore_does_not_land(
    world: World, tmp_path: Path, home: Path
) -> None:
    private = home / "private"
    private.mkdir()
    (private / "b.txt").write_text("secret\nb\n")
    hide = "printf '/src\\n/.gitignore\\n' > .gitignore"
    world.commit({"src/b.txt": "a\n"}, message="files")
    command(world, tmp_path, f"rm -rf src; ln -s {private} src; {hide}")
    world.task("p/01-b", writes=["src/b.txt"], validation="grep -qx b src/b.txt")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "refused"
    assert "src is a link now" in outcome.json["reason"]
    assert world.show("src/b.txt") == "a\n"


@pytest.mark.parametrize("pattern", ["node_modules/", "node_modules"])
def test_a_shared_folder_is_no_change_however_it_is_ignored(
    world: World, tmp_path: Path, pattern: str
) -> None:
    world.commit({"b.txt": "a\n", ".gitignore": f"{pattern}\n"}, message="files")
    world.write({"node_modules/x.js": "1"})
    command(world, tmp_path, "echo b > b.txt", workspace={"share": ["node_modules"]})
    world.landed(
        "p/01-b", writes=["b.txt"], validation=f"{VALIDATION} && test -e node_modules/x.js"
    )


@pytest.mark.variant
def test_a_great_many_installed_packages_are_left_out(world: World, tmp_path: Path) -> None:
    world.commit({"b.txt": "a\n"}, message="files")
    folder = f"node_modules/{'package' * 30}"
    install = f"mkdir -p {folder}; for i in {{1..12000}}; do : > {folder}/$i; done"
    command(world, tmp_path, f"{install}; echo b > b.txt")
    world.landed("p/01-b", writes=["b.txt"], validation=VALIDATION)


def test_a_pipe_in_place_of_its_last_message_holds_nobody_up(world: World, codex: Install) -> None:
    codex(f"mkfifo $HOME/last.txt; echo b > b.txt; echo '{DONE}'")
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    done = subprocess.run((*MINITASK, "exec", "p/01-b"), cwd=world.root, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(("events", "starts"), [("", 2), (DONE, 1)], ids=["refused", "at work"])
def test_only_an_agent_that_refused_its_flags_is_started_again(
    world: World, codex: Install, tmp_path: Path, events: str, starts: int
) -> None:
    work = f"echo b > b.txt; echo '{DONE}'; exit"
    codex(
        f"echo >> {tmp_path}/starts; [[ $* = *--ephemeral* ]] || {{ {work}; }}\n"
        f"echo -n '{events}'; echo \"error: unexpected argument '--ephemeral' found\" >&2; exit 2"
    )
    world.configure(
        executors={"codex": {"type": "codex", "sandbox": False}},
        tiers={"cheap": {"executor": "codex", "model": "m"}},
    )
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    verdict = world.exec("p/01-b").json["verdict"]
    assert (verdict == "merged") == (starts == 2)
    assert (tmp_path / "starts").read_text() == "\n" * starts


@pytest.mark.variant
def test_a_login_that_one_agent_renewed_is_not_replaced_by_what_another_was_lent(
    world: World, codex: Install
) -> None:
    renew = f"sleep 0.5; echo '{NEW}' > $HOME/.codex/auth.json; echo b > b.txt"
    login = codex(
        f"if grep -q Renewer; then {renew}; else sleep 2; echo b > c.txt; fi; echo '{DONE}'"
    )
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION, title="Renewer")
    world.task("p/02-c", writes=["c.txt"], validation="grep -qx b c.txt", title="Other", number=2)
    outcome = world.minitask("run", "p")
    assert outcome.code == 0
    assert login.read_text() == f"{NEW}\n"


def test_a_login_that_was_cut_off_in_the_middle_is_not_kept(world: World, codex: Install) -> None:
    login = codex("printf '{\"ref' > $HOME/.codex/auth.json; sleep 60")
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION, front={"timeout_seconds": 1})
    world.exec("p/01-b")
    assert login.read_text() == OLD
    assert [path.name for path in login.parent.iterdir()] == ["auth.json"]


@pytest.mark.parametrize("place", ["~/bin/agent", "tools/agent"])
def test_the_path_of_a_program_may_begin_at_the_home_or_at_the_root(
    world: World, home: Path, place: str
) -> None:
    above = home if place.startswith("~") else world.root
    program = above / place.removeprefix("~/")
    world.commit({"b.txt": "a\n"}, message="files")
    world.configure(**agent_settings(Path(place)))
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    below = world.root / "mini-projects"
    missing = world.exec("p/01-b", cwd=below)
    assert f"{program} is not a program" in missing.json["reason"]
    write_program(program, "#!/bin/bash\necho b > b.txt\n")
    assert world.exec("p/01-b", cwd=below).json["verdict"] == "merged"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 7", "exit code 7: it printed nothing"),
        (r"printf '\e]0;title\a\e[31mbad\e[0m\r\n' >&2; exit 1", "exit code 1: bad"),
        ("rm b.txt; mkfifo b.txt", "b.txt is a pipe or a device now"),
        ("echo b > b.txt; git init -q more; touch more/x", "more/ is a git repository of its own now"),
    ],
)  # fmt: skip
def test_why_an_agent_failed_is_said_in_plain_words(
    world: World, tmp_path: Path, script: str, reason: str
) -> None:
    world.commit({"b.txt": "a\n"}, message="files")
    command(world, tmp_path, script)
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    assert reason in world.exec("p/01-b").json["reason"]


@pytest.mark.parametrize("place", ["git/ignore", "mine", "info/exclude", "nowhere"])
def test_what_the_users_own_git_ignores_is_no_part_of_a_change(
    world: World, tmp_path: Path, place: str
) -> None:
    world.commit({"b.txt": "a\n"}, message="files")
    command(world, tmp_path, "echo b > b.txt; echo x > .notes; echo x > new.notes")
    above = world.root / ".git" if place.startswith("info") else Path(os.environ["XDG_CONFIG_HOME"])
    (above / place).parent.mkdir(parents=True, exist_ok=True)
    (above / place).write_text("*.notes\nb.txt\n")
    if place == "mine":
        world.git("config", "--global", "core.excludesFile", str(above / place))
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    outcome = world.exec("p/01-b").json
    assert outcome["verdict"] == ("refused" if place == "nowhere" else "merged"), outcome["reason"]
