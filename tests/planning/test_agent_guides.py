"""Sections in the files of coding agents: written between marks, updated in place, and taken away to the byte."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from minitask.errors import UsageError
from minitask.planning.agent_guides import AGENTS, BEGIN, END, add_section, remove_section
from world import World

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "templates" / "agent-guide.md"
NEW_FILES = {
    "claude": [".claude/commands/minitask-run.md", ".claude/skills/minitask/SKILL.md"],
    "codex": ["AGENTS.md"],
    "copilot": ["AGENTS.md"],
    "cursor": [".cursor/rules/minitask.mdc"],
    "gemini": ["GEMINI.md"],
    "generic": ["AGENTS.md"],
    "opencode": ["AGENTS.md"],
    "qwen": ["QWEN.md"],
}
PIECES = ("# Mine", "text", "", "<!-- minitask:begin --> in a line", "ü\ufeff")


def files(world: World) -> dict[str, bytes]:
    """The files of the checkout."""
    paths = sorted(path for path in world.root.rglob("*") if path.is_file() or path.is_symlink())
    return {
        path.relative_to(world.root).as_posix(): path.read_bytes()
        for path in paths
        if ".git" not in path.relative_to(world.root).parts
    }


def marked(text: str) -> bytes:
    return b"%s\n%s\n%s\n" % (BEGIN, text.encode(), END)


@pytest.mark.parametrize("agent", NEW_FILES)
def test_an_agent_is_taught_and_forgotten(world: World, agent: str) -> None:
    world.write({"minitask.yaml": "target: main\n"})
    before = files(world)
    dry = world.minitask("init", "--agent", agent, "--dry-run")
    assert (dry.code, f"would be created  {NEW_FILES[agent][0]}" in dry.stdout) == (0, True), (
        dry.text
    )
    assert files(world) == before
    assert world.minitask("init", "--agent", agent).code == 0
    taught = files(world)
    assert sorted(set(taught) - set(before)) == NEW_FILES[agent]
    assert taught["minitask.yaml"] == before["minitask.yaml"]
    for name in NEW_FILES[agent]:
        head = taught[name].partition(BEGIN)[0].decode()
        assert not head or yaml.safe_load(head.strip("-\n"))["description"]
    assert world.minitask("init", "--agent", agent).code == 0
    assert files(world) == taught
    assert world.minitask("init", "--agent", agent, "--remove", "--dry-run").code == 0
    assert files(world) == taught
    assert world.minitask("init", "--agent", agent, "--remove").code == 0
    assert files(world) == before
    assert not [path for path in world.root.iterdir() if path.name in (".claude", ".cursor")]


def test_all_agents_are_forgotten_at_once(world: World) -> None:
    world.write({"GEMINI.md": "mine", "minitask.yaml": "target: main\n"})
    before = files(world)
    names = [word for agent in AGENTS for word in ("--agent", agent)]
    assert world.minitask("init", *names).code == 0
    assert world.minitask("init", "--remove").code == 0
    assert files(world) == before
    assert "nothing to remove" in world.minitask("init", "--remove").stdout


def test_what_a_user_adds_to_our_file_stays(world: World) -> None:
    world.minitask("init", "--agent", "claude", "--agent", "codex")
    skill, guide = world.root / NEW_FILES["claude"][1], world.root / "AGENTS.md"
    skill.write_bytes(skill.read_bytes().replace(b"name: minitask", b"name: mine"))
    guide.write_bytes(b"above\n" + guide.read_bytes() + b"below")
    assert world.minitask("init", "--remove").code == 0
    assert b"name: mine" in skill.read_bytes()
    assert guide.read_bytes() == b"above\nbelow"


def test_our_file_is_deleted_though_an_editor_has_changed_its_line_ends(world: World) -> None:
    world.write({"minitask.yaml": "target: main\n"})
    before = files(world)
    world.minitask("init", "--agent", "cursor", "--agent", "qwen")
    for name in (*NEW_FILES["cursor"], *NEW_FILES["qwen"]):
        path = world.root / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert world.minitask("init", "--remove").code == 0
    assert files(world) == before


@pytest.mark.parametrize("target", [".git/description", "folder", "AGENTS.md"])
def test_what_is_no_file_of_the_repository_is_left_alone(world: World, target: str) -> None:
    (world.root / "folder").mkdir()
    (world.root / "AGENTS.md").symlink_to(target)
    ended = world.minitask("init", "--agent", "codex")
    assert (ended.code in (2, 3), "AGENTS.md" in ended.stderr) == (True, True)
    assert not (world.root / ".git/description").exists()


def test_a_link_within_the_repository_is_written_through_once(world: World) -> None:
    world.write({"CLAUDE.md": "# Mine\n"})
    (world.root / "AGENTS.md").symlink_to("CLAUDE.md")
    (world.root / "GEMINI.md").symlink_to("AGENTS.md")
    assert world.minitask("init", "--agent", "codex", "--agent", "gemini").code == 0
    taught = (world.root / "CLAUDE.md").read_bytes()
    assert taught.startswith(b"# Mine\n")
    assert taught.count(BEGIN) == 1
    assert (world.root / "AGENTS.md").is_symlink()
    assert world.minitask("init", "--agent", "codex", "--remove").code == 0
    assert (world.root / "CLAUDE.md").read_bytes() == b"# Mine\n"


def test_the_mode_of_a_file_stays(world: World) -> None:
    world.write({"AGENTS.md": "mine\n"})
    (world.root / "AGENTS.md").chmod(0o600)
    assert world.minitask("init", "--agent", "codex").code == 0
    assert (world.root / "AGENTS.md").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"one\n<!-- minitask:begin -->\ntext\n", "AGENTS.md:2: <!-- minitask:begin --> without"),
        (b"one\ntwo\n<!-- minitask:end -->\n", "AGENTS.md:3: <!-- minitask:end --> without"),
        (marked("a") + b"\n" + marked("b"), "AGENTS.md:5: the file has a second minitask section"),
        ("mine\n".encode("utf-16"), "AGENTS.md: the file is UTF-16"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--remove",)])
def test_a_damaged_section_is_an_error_that_names_its_line(
    world: World, content: bytes, says: str, options: tuple[str, ...]
) -> None:
    world.write({"AGENTS.md": content})
    before = files(world)
    ended = world.minitask("init", "--agent", "gemini", "--agent", "codex", *options)
    assert (ended.code, says in ended.stderr, "fix: " in ended.stderr) == (2, True, True)
    assert files(world) == before


@given(
    lines=st.lists(st.sampled_from(PIECES), max_size=4),
    newline=st.sampled_from(["\n", "\r\n"]),
    start=st.sampled_from(["", "\ufeff"]),
    end=st.booleans(),
)
def test_removing_a_section_gives_back_every_byte(
    lines: list[str], newline: str, start: str, end: bool
) -> None:
    own = (start + newline.join(lines) + newline * end).encode()
    once = add_section(own, "first\n\nguide", name="f")
    assert add_section(once, "first\n\nguide", name="f") == once
    assert once.startswith(own)
    updated = add_section(once, "second", name="f")
    assert remove_section(updated, name="f") == own
    below = once + (b"" if once.endswith(b"\n") else b"\n") + b"below"
    assert add_section(below, "second", name="f").endswith(b"below")


def test_text_below_a_section_stays_where_it_is() -> None:
    taught = add_section(b"above\n", "guide", name="f") + b"below\n"
    assert add_section(taught, "new", name="f") == b"above\n\n" + marked("new") + b"below\n"
    assert remove_section(taught, name="f") == b"above\nbelow\n"
    assert add_section(b"above", "guide", name="f") == b"above\n\n" + marked("guide").rstrip()


def test_a_section_in_utf_16_is_refused() -> None:
    with pytest.raises(UsageError):
        add_section("mine".encode("utf-16"), "guide", name="f")


@pytest.mark.variant
def test_every_command_of_the_guide_runs_as_written(world: World) -> None:
    text = GUIDE.read_text("utf-8")
    assert len(text.splitlines()) <= 80
    tokens = MarkdownIt("commonmark").parse(text)
    spec = next(token.content for token in tokens if token.info == "markdown")
    path, new = re.findall(r"`(minitask new [^`]+|mini-projects/\S+\.md)`", text)[::-1]
    ended = world.minitask(*shlex.split(new)[1:])
    assert f"created  {path}" in ended.stdout
    world.write({path: spec})
    for token in tokens:
        for line in token.content.splitlines() if token.info == "bash" else ():
            command = line.partition("#")[0].strip()
            done = subprocess.run(
                ("bash", "-c", f'minitask() {{ "{sys.executable}" -m minitask "$@"; }}; {command}'),
                cwd=world.root,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert world.show("greet.py").startswith("def greeting")
    for forbidden in re.findall(r"`minitask (trust|review --approve)`", text):
        command = world.minitask(forbidden.split()[0], "--help")
        assert all(word in command.stdout for word in forbidden.split())
