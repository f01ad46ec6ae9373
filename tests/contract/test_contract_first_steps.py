"""What a newcomer meets: a command without arguments, a mistyped name, a place where nothing is set up yet."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
import yaml

from world import MINITASK, World, model_settings, run, spec_text

A = {"a.txt": "a\n"}


def without_figures(text: str) -> str:
    """The text without commits, times, amounts and the spaces before them."""
    return re.sub(r" *\b(?:[0-9a-f]{9}|[\d.,]+)\b", "#", text.replace("\xa0", " "))


@pytest.mark.parametrize("group", [(), ("config",)])
def test_without_a_command_the_help_is_printed_as_it_is(
    world: World, group: tuple[str, ...]
) -> None:
    bare = world.minitask(*group)
    assert bare.code == 2
    assert bare.stderr == world.minitask(*group, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("validate", "--formt", "json"), "no such option '--formt'\n  fix: did you mean --format?"),
        (
            ("review", "p/01", "--reject"),
            "option '--reject' requires an argument\n  fix: `minitask review --help` says how it is used",
        ),
        (("completion",), "missing argument '{bash|zsh|fish}'\n  fix: choose from bash, zsh, fish"),
        (("plan", "x", "--tier", "fre"), "invalid value for '--tier': 'fre'\n  fix: did you mean free?"),
    ],
)  # fmt: skip
def test_a_usage_error_says_each_thing_once(
    world: World, arguments: tuple[str, ...], message: str
) -> None:
    assert world.minitask(*arguments).stderr == f"error: {message}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_standard_stream_is_no_bug(world: World, closed: str) -> None:
    world.task("p/01-a", whole=A, validation="test -f a.txt")
    ended = run(("sh", "-c", f'"$@" {closed}', "sh", *MINITASK, "status"), cwd=world.root)
    assert ended.stderr == ""


def test_settings_that_are_not_utf_8_are_an_error_with_a_way_out(world: World) -> None:
    world.write({"minitask.yaml": "target: main\n".encode("utf-16")})
    outcome = world.minitask("status")
    assert outcome.code == 2
    assert "minitask.yaml:1: the file is UTF-16" in outcome.stderr
    assert outcome.stderr.endswith("\n  fix: save it as UTF-8\n")


def test_a_folder_that_was_removed_is_named_as_such(world: World) -> None:
    script = 'mkdir gone && cd gone && rmdir ../gone && "$@"'
    ended = run(("sh", "-c", script, "sh", *MINITASK, "status"), cwd=world.root, check=False)
    assert ended.code == 3
    assert ended.stderr == (
        "error: the current folder does not exist any more\n  fix: cd to a folder that does\n"
    )


def test_log_and_audit_take_projects_and_tasks_that_only_history_has(world: World) -> None:
    for name in ("p/01-a", "q/01-b"):
        world.task(name, whole={f"{name[0]}.txt": "x\n"}, validation=f"test -f {name[0]}.txt")
        assert world.exec(name).code == 0
    world.git("rm", "-q", "mini-projects/p/01-a.md")
    world.git("commit", "-q", "-m", "the spec is gone")
    rows = world.minitask("log", "p", "q/1", "--json").json
    assert [row["task"] for row in rows] == ["q/01-b", "p/01-a"]
    assert world.minitask("audit", "p", "--json").json["proven"] == 1
    world.task("r/01-c", whole=A, validation="test -f a.txt")
    assert "nothing is merged yet" in world.minitask("log", "r").stdout


def test_in_an_empty_repository_verify_says_so(world: World) -> None:
    world.git("update-ref", "-d", "refs/heads/main")
    outcome = world.minitask("verify", "HEAD")
    assert outcome.code == 2
    assert "the branch main has no commits yet" in outcome.stderr


def test_where_there_is_no_remote_the_fix_adds_one(world: World) -> None:
    assert "fix: git remote add origin URL" in world.minitask("sync", "nowhere").stderr


def test_executors_that_are_not_trusted_are_named_before_anything_is_written(world: World) -> None:
    settings = model_settings("http://127.0.0.1:9/v1")
    world.commit({"minitask.yaml": yaml.safe_dump(settings)})
    world.task("p/01-a", writes=["a.txt"], validation="test -f a.txt")
    before = world.refs()
    one_shot = ("do", "x", "--create", "b.txt", "--check", "test -f b.txt")
    for command in (one_shot, (*one_shot, "--dry-run"), ("exec", "p/1"), ("route", "p")):
        outcome = world.minitask(*command, *(("--yes",) if command == one_shot else ()))
        assert (outcome.code, outcome.stderr.splitlines()[-1]) == (2, "  fix: minitask trust")
    assert world.refs() == before
    findings = world.minitask("doctor", "--json").json["findings"]
    assert {row["area"] for row in findings if "ignored" in row["text"]} == {"trust"}
    assert not [row for row in findings if row["area"] in {"executor", "tier"}]
    assert world.minitask("trust").stderr == ""


def test_a_tier_that_is_not_configured_is_named_beside_the_reason(world: World) -> None:
    world.configure(**model_settings("http://127.0.0.1:9/v1"))
    world.task("p/01-a", writes=["a.txt"], validation="test -f a.txt", front={"tags": ["ARCH"]})
    reason = world.minitask("route", "p", "--json").json[0]["reason"]
    assert reason.endswith("tier frontier is not configured; using cheap")


def test_a_proposed_command_works_in_the_users_folder(world: World) -> None:
    folder = world.root / "src"
    folder.mkdir()
    world.write({"mini-projects/p/01-a.md": spec_text(whole=A, validation="test -f a.txt")})
    for _ in range(2):  # not committed yet, then edited
        fix = world.minitask("exec", "p/01-a", cwd=folder).text.partition("fix: ")[2]
        run(("sh", "-c", fix.splitlines()[0]), cwd=folder)
        world.write({"mini-projects/p/01-a.md": world.show("mini-projects/p/01-a.md") + "\n"})
    made = world.minitask("new", "p", "Write it", cwd=folder).stdout
    assert made.startswith("created  ../mini-projects/p/02-write-it.md\n")


@pytest.mark.parametrize("arguments", [("new", "p", "Write a"), ("init",)])
def test_a_file_that_cannot_be_written_leaves_nothing(
    world: World, arguments: tuple[str, ...]
) -> None:
    limited = ("sh", "-c", 'ulimit -f 0; "$@"', "sh", *MINITASK, *arguments)
    ended = run(limited, cwd=world.root, check=False)
    assert (ended.code, "  fix: check the path" in ended.stderr) == (3, True), ended.text
    assert world.git("status", "--porcelain") == ""


def test_the_help_of_new_lists_the_variables_of_a_template(world: World) -> None:
    text = world.minitask("new", "--template", "extract-module", "--help").stdout
    assert "  ranges  lines    the lines to move, such as 40-90 or 40-90,120-135\n" in text
    assert "extract-module:" not in world.minitask("new", "--help").stdout


def test_init_leads_to_a_command_that_works_without_a_model(world: World) -> None:
    dry = world.minitask("init", "--dry-run").stdout
    assert "would be created  minitask.yaml" in dry
    assert "rm minitask.yaml" not in dry, "there is none"
    assert "next     minitask new PROJECT" in world.minitask("init").stdout
    assert "next     minitask do" in world.minitask("init", "--preset", "ollama").stdout


def test_plan_without_a_goal_asks_for_one(world: World) -> None:
    assert "the goal is empty" in world.minitask("plan").stderr


@pytest.mark.variant
def test_the_demo_merges_eight_of_its_nine_tasks(world: World) -> None:
    folder = world.root.parent / "demo"
    outcome = world.minitask("demo", str(folder))
    assert outcome.code == 0, outcome.text
    assert "this run                 $0: every spec carries its own edit script" in outcome.stdout
    assert "core/agents/todoist.py                            2897 ->   576" in outcome.stdout
    picture = (Path(__file__).parents[2] / "docs/demo.svg").read_text("utf-8")
    drawn = unescape("\n".join(re.findall(r"<text[^>]*>(.*?)</text>", picture)))
    rows = [
        without_figures(row[:111])
        for row in outcome.stdout.partition("look around")[0].splitlines()
    ]
    assert [row for row in rows if row not in without_figures(drawn)] == []
    demo = World(folder)
    states = [task["state"] for task in demo.minitask("status", "--json").json["tasks"]]
    assert sorted(states) == ["failed", *["merged"] * 8]
    again = world.minitask("demo", str(folder))
    assert (again.code, "is not empty" in again.stderr) == (2, True)
