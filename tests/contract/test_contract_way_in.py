"""The way in: `init` finds what can do tasks here, `do` makes one change from a sentence."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract.kit import on_terminal
from executors.model_server import Received, Reply, ollama_chat, ollama_error, raw, scripted_server
from world import MINITASK, World, run, write_program

HELLO = "```python path=app.py\nprint('hello')\n```\n"
FILES = "edit: app.py\ncheck: grep -q hello app.py\n"
GIVEN = ("--edit", "app.py", "--check", "grep -q hello app.py")


class Ollama:
    """An Ollama with two models: it names files and a check, then makes the change; each reply in turn."""

    def __init__(self, *replies: str, plans: tuple[str, ...] = (FILES,)) -> None:
        self.replies, self.plans = list(replies or (HELLO,)), list(plans)
        self.prompts: list[str] = []

    def __call__(self, request: Received) -> Reply:
        if request.path == "/api/tags":
            names = ("nomic-embed-text:latest", "llama3:8b", "qwen2.5-coder:7b")
            return raw(json.dumps({"models": [{"name": name} for name in names]}))
        if request.path != "/api/chat":
            return ollama_error(404, f"no {request.path} here")
        self.prompts.append(request.prompt)
        answers = self.plans if "edit: PATH" in request.prompt else self.replies
        return ollama_chat(answers.pop(0) if len(answers) > 1 else answers[0])


@pytest.fixture
def app(world: World) -> World:
    world.commit({"app.py": "print('hi')\n"})
    return world


@contextmanager
def beside(world: World, ollama: Ollama) -> Iterator[dict[str, str]]:
    """Run `init` beside an Ollama, and give the variables that lead to it."""
    with scripted_server(ollama) as server:
        env = {"OLLAMA_HOST": server.origin.removeprefix("http://")}
        assert world.minitask("init", env=env).code == 0
        yield env


@pytest.mark.variant
def test_a_new_user_needs_two_commands_and_edits_nothing(app: World) -> None:
    app.write({"staged.txt": "mine\n", "app2.py": "mine\n"})
    app.git("add", "staged.txt")
    before = app.git("status", "--porcelain")
    with scripted_server(Ollama()) as server:
        env = {"OLLAMA_HOST": server.origin.removeprefix("http://")}
        first = app.minitask("init", env=env)
        second = app.minitask("do", "Say hello, not hi", "--yes", env=env)
    assert (first.code, second.code) == (0, 0), first.text + second.text
    assert first.stdout.splitlines() == [
        f"found    ollama at {server.origin} (llama3:8b, qwen2.5-coder:7b)",
        "chose    free: qwen2.5-coder:7b (ollama)",
        "change   edit minitask.yaml, then: minitask trust",
        "created  minitask.yaml, trusted",
        'next     minitask do "WHAT TO CHANGE"',
    ]
    summary = "spec   mini-projects/do/01-say-hello-not-hi.md\nfiles  edit app.py\ncheck  grep -q hello app.py\n"
    assert summary in second.stderr
    assert re.search(
        r"^route  free qwen2.5-coder:7b, \d+ tokens in, about \$0$", second.stderr, re.M
    )
    assert "+print('hello')\n" in second.stdout
    assert "✓ do/01-say-hello-not-hi: merged" in second.stdout
    assert app.show("app.py") == "print('hello')\n"
    assert app.git("log", "--format=%s", "--first-parent").splitlines() == [
        "Merge minitask/do/01-say-hello-not-hi: Say hello, not hi",
        "spec: do/01-say-hello-not-hi",
        "change",
        "base",
    ]
    assert app.git("diff", "--name-only", "main~2", "main~1") == (
        "mini-projects/do/01-say-hello-not-hi.md"
    )
    after = app.git("status", "--porcelain")
    assert after == f"{before}\n?? minitask.yaml", "staged and untracked work is as it was"


@pytest.mark.variant
def test_only_what_is_missing_is_asked_for(app: World) -> None:
    ollama = Ollama(plans=("check: grep -q hello app.py\nedit: a.txt\n",))
    with beside(app, ollama) as env:
        outcome = app.minitask("do", "Say hello", "--edit", "app.py", "--yes", "--json", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "+print('hello')" in outcome.json["diff"]
    assert "# Given\nedit: app.py\n\nName the check." in ollama.prompts[0]
    assert "1\tprint('hi')" in ollama.prompts[0], "the file is shown"
    [planning] = [record for record in app.ledger() if record["kind"] == "plan"]
    assert planning["task"] == "do/@plan"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("I would edit app.py.", "names no files"),
        ("edit: nope.py\ncheck: grep -q hello app.py", "does not exist"),
        ("edit: app.py\ncheck: test -f app.py", "passes without the change"),
        ("edit: app.py\ncheck: no-such-program", "no-such-program"),
    ],
)
def test_an_answer_that_will_not_do_goes_back_with_the_reason(
    app: World, bad: str, why: str
) -> None:
    ollama = Ollama(plans=(bad, f"<think>\nedit: x\n</think>\n```\n{FILES}```\n"))
    with beside(app, ollama) as env:
        outcome = app.minitask("do", "Say hello", "--yes", "--json", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert why in ollama.prompts[1]


def test_a_models_check_runs_without_a_sandbox_only_once_it_is_agreed_to(
    app: World, tmp_path: Path
) -> None:
    ollama = Ollama(plans=(f"edit: app.py\ncheck: touch {tmp_path}/ran && false\n",))
    with beside(app, ollama) as env:
        env |= {"MINITASK_SANDBOX": "none"}
        ended, printed = on_terminal(app, "do", "Say hello", typed="n\n", env=env)
    assert (ended, "nothing was written" in printed) == (0, True), printed
    assert not (tmp_path / "ran").exists()


def test_a_planner_that_never_answers_leaves_nothing_behind(app: World) -> None:
    tip = app.tip()
    with beside(app, Ollama(plans=("No.",))) as env:
        outcome = app.minitask("do", "Say hello", "--edit", "app.py", "--yes", env=env)
    assert outcome.code == 3
    assert "minitask do 'Say hello' --edit app.py --check CMD" in outcome.stderr
    assert (app.tip(), app.git("status", "--porcelain")) == (tip, "?? minitask.yaml")


def test_a_change_that_fails_stays_on_its_branch_and_the_printed_command_goes_on(
    app: World,
) -> None:
    wrong = HELLO.replace("hello", "hallo")
    with beside(app, Ollama(wrong, wrong, HELLO)) as env:
        outcome = app.minitask("do", "Say hello", *GIVEN, "--yes", env=env)
        assert outcome.code == 1, outcome.text
        assert app.has("mini-projects/do/01-say-hello.md")
        assert "print('hallo')" in app.show("app.py", at="minitask/do/01-say-hello")
        path = app.root / "mini-projects/do/01-say-hello.md"
        path.write_text(path.read_text().replace("Say hello\n\n##", "Print hello\n\n##"))
        _, found, command = outcome.stdout.partition(", then: ")
        assert found
        commit, _, run = command.strip().partition(" && ")
        app.git(*shlex.split(commit)[1:])
        again = app.minitask(*shlex.split(run)[1:], env=env)
    assert "✓ do/01-say-hello: merged" in again.stdout, again.text


@pytest.mark.variant
def test_a_server_that_is_away_comes_with_the_next_command_once(app: World) -> None:
    with beside(app, Ollama()) as env:
        pass
    outcome = app.minitask("do", "Say hello", *GIVEN, "--yes", env=env)
    assert outcome.code == 3, outcome.text
    assert outcome.stdout.count("minitask exec do/01-say-hello") == 1


def test_a_kept_change_waits_to_be_merged(app: World) -> None:
    with beside(app, Ollama()) as env:
        outcome = app.minitask("do", "Say hello", *GIVEN, "--yes", "--keep", "--json", env=env)
    assert (outcome.code, outcome.json["verdict"]) == (0, "ready"), outcome.text
    assert app.show("app.py") == "print('hi')\n"
    assert app.minitask("merge", "do/01-say-hello").code == 0
    assert app.show("app.py") == "print('hello')\n"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (GIVEN, "route  free qwen2.5-coder:7b"),
        ((), "qwen2.5-coder:7b (tier free) would be asked for the files and the check"),
        ((*GIVEN, "--json"), '"path": "mini-projects/do/01-say-hello.md"'),
        (("--json",), '"missing": ['),
    ],
)
def test_a_dry_run_asks_nobody_and_writes_nothing(
    app: World, options: tuple[str, ...], shown: str
) -> None:
    ollama = Ollama()
    with beside(app, ollama) as env:
        before = (app.refs(), app.git("count-objects"), app.git("status", "--porcelain"))
        outcome = app.minitask("do", "Say hello", "--dry-run", *options, env=env)
        after = (app.refs(), app.git("count-objects"), app.git("status", "--porcelain"))
    assert outcome.code == 0, outcome.text
    assert shown in outcome.text
    assert (before, ollama.prompts) == (after, [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Say hello",), "--yes"),
        ((" ", "--yes"), "describe it"),
        (("Say hello", "--yes"), "minitask do 'Say hello' --edit PATH --check CMD"),
        (("Say it", "--edit", "app.py", "--yes"), "minitask do 'Say it' --edit app.py --check CMD"),
        (("Say hello", *GIVEN, "--yes"), "minitask init"),
        (("Say hello", "--edit", "no.py", "--check", "grep -q x no.py", "--yes"), "name it with --create"),
        (("Say hello", "--edit", "no.py", "--check", "grep -q x no.py", "--yes"), "E203 no.py"),
        (("Say hello", "--create", "app.py", *GIVEN[2:], "--yes"), "E204 app.py"),
        (("Say hello", "--create", "app.py", *GIVEN[2:], "--yes"), "name it with --edit"),
        (("Say hello", "--edit", "new.py", *GIVEN[2:], "--yes"), "git add -- new.py && git commit"),
        (("Say hello", "--edit", "../x", *GIVEN[2:], "--yes"), "no file inside"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_said_with_a_way_out_before_anything_is_written(
    app: World, arguments: tuple[str, ...], words: str
) -> None:
    app.write({"new.py": "print('new')\n"})
    before = (app.tip(), app.git("status", "--porcelain"))
    outcome = app.minitask("do", *arguments)
    assert outcome.code == 2, outcome.text
    assert words in outcome.stderr
    assert (app.tip(), app.git("status", "--porcelain")) == before


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("grep -q hi app.py", "its validation passes without the change"),
        ("python3 -c 'import no_such_module'", "needs the module no_such_module"),
    ],
)
def test_a_check_that_proves_nothing_is_refused_before_its_spec_is_committed(
    app: World, check: str, why: str
) -> None:
    ollama = Ollama()
    with beside(app, ollama) as env:
        before = (app.tip(), app.git("status", "--porcelain"))
        options = ("--edit", "app.py", "--check", check, "--yes")
        outcome = app.minitask("do", "Say hello", *options, env=env)
    assert outcome.code == 1, outcome.text
    assert "nothing was written: " in outcome.stderr
    assert why in outcome.stderr
    assert (app.tip(), app.git("status", "--porcelain"), ollama.prompts) == (*before, [])


def test_the_same_change_again_uses_its_spec(app: World) -> None:
    wrong = HELLO.replace("hello", "hallo")
    with beside(app, Ollama(wrong, wrong, HELLO)) as env:
        again = ("do", "Say hello", *GIVEN, "--yes", "--json")
        first = app.minitask(*again, env=env).json
        second = app.minitask(*again, env=env).json
        assert app.git("log", "--format=%s", "--grep", "^spec: ", "main") == "spec: do/01-say-hello"
        app.commit({"other.py": "pass\n"})
        check = ("--check", "grep -q hello other.py")
        third = app.minitask(*again, *check, env=env).json
    tasks = [(each["task"], each["verdict"]) for each in (first, second, third)]
    once, anew = "do/01-say-hello", "do/02-say-hello"
    assert tasks == [(once, "failed"), (once, "merged"), (anew, "failed")]


@pytest.mark.parametrize("command", [("plan", "Say hello"), ("do", "Say hello")])
def test_a_dry_run_names_a_tier_whose_executor_is_missing(
    app: World, command: tuple[str, ...]
) -> None:
    app.configure(tiers={"frontier": {"executor": "nobody", "model": "m"}})
    outcome = app.minitask(*command, "--dry-run")
    assert outcome.code == 2, outcome.text
    assert "no executor named nobody" in outcome.stderr


def test_paths_are_those_of_the_folder_where_the_user_stands(app: World) -> None:
    app.commit({"sub/b.txt": "one\n"})
    with beside(app, Ollama("```text path=sub/b.txt\ntwo\n```\n")) as env:
        check = "grep -qx two sub/b.txt"
        arguments = ("do", "Say two", "--edit", "b.txt", "--check", check, "--yes", "--json")
        outcome = app.minitask(*arguments, cwd=app.root / "sub", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.parametrize(("typed", "code", "merged"), [("n\n", 0, False), ("\n", 0, True)])
def test_on_a_terminal_the_user_is_asked(app: World, typed: str, code: int, merged: bool) -> None:
    with beside(app, Ollama()) as env:
        ended, printed = on_terminal(app, "do", "Say hello", *GIVEN, typed=typed, env=env)
    assert ended == code, printed
    assert ("merged" in printed, "nothing was written" in printed) == (merged, not merged)
    assert app.has("mini-projects/do/01-say-hello.md") == merged


@pytest.mark.variant
def test_a_branch_that_moves_while_the_user_is_asked_keeps_its_commit(app: World) -> None:
    with beside(app, Ollama()) as env:
        other = lambda: app.commit({"mini-projects/do/01-other.md": "# Notes\n"})  # noqa: E731
        ended, printed = on_terminal(
            app, "do", "Say hello", *GIVEN, typed="\n", env=env, first=other
        )
    assert (ended, "do/02-say-hello: merged" in printed) == (0, True), printed
    assert app.has("mini-projects/do/01-other.md")


CLAUDE = {".claude/.credentials.json": '{"claudeAiOauth": {"accessToken": "x"}}'}
CODEX = {".codex/auth.json": '{"OPENAI_API_KEY": null, "tokens": {"access_token": "x"}}'}
NO_LOGIN = {".claude.json": '{"numStartups": 3}', ".codex/auth.json": '{"OPENAI_API_KEY": null}'}


@pytest.mark.parametrize(
    ("programs", "logins", "env", "chosen", "found"),
    [
        ("claude", CLAUDE, {}, {"cheap": "claude", "balanced": "claude", "frontier": "claude"}, "claude (logged in)"),
        ("codex claude", {**CODEX, **NO_LOGIN, **CODEX}, {}, {"cheap": "codex"}, "not logged in: claude"),
        ("claude codex", NO_LOGIN, {}, {}, "not logged in: codex, claude"),
        ("", {}, {"ANTHROPIC_API_KEY": "k"}, {"cheap": "anthropic", "frontier": "anthropic"}, "ANTHROPIC_API_KEY"),
        ("claude", CLAUDE, {"OPENAI_API_KEY": "k"}, {"cheap": "openai"}, "claude (logged in); OPENAI_API_KEY"),
        ("", {}, {}, {}, "no Ollama, no agent that is logged in, no API key"),
        ("", {}, {"MINITASK_PRESET": "claude"}, {"cheap": "claude"}, "MINITASK_PRESET sets executors already"),
    ],
)  # fmt: skip
def test_init_chooses_from_what_is_there(
    world: World,
    tmp_path: Path,
    programs: str,
    logins: dict[str, str],
    env: dict[str, str],
    chosen: dict[str, str],
    found: str,
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in programs.split():
        write_program(folder / name, "#!/bin/sh\nexit 9\n")
    for name, text in logins.items():
        path = Path.home() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    every = {"PATH": f"{folder}:/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:9", **env}
    outcome = world.minitask("init", env=every)
    assert outcome.code == 0, outcome.text
    assert found in outcome.stdout.splitlines()[0]
    values = world.minitask("config", "show", "--json", env=every).json["values"]
    tiers = {tier: entry["executor"] for tier, entry in values["tiers"].items()}
    assert {**tiers, **chosen} == tiers, tiers
    assert bool(tiers) == bool(chosen)
    assert not (world.root / "mini-projects").exists(), "templates come only if asked for"


def test_doctor_tells_an_agent_without_a_login(world: World, tmp_path: Path) -> None:
    write_program(tmp_path / "claude", "#!/bin/sh\necho 2.1.0\n")
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:9"}
    rows = world.minitask("doctor", "--json", env=env).json["findings"]
    [row] = [row for row in rows if "claude: 2.1.0" in json.dumps(row)]
    assert "no login or key found" in json.dumps(row)


def test_init_puts_a_local_model_before_a_paid_one(world: World) -> None:
    with scripted_server(Ollama()) as server:
        env = {"OLLAMA_HOST": server.origin, "ANTHROPIC_API_KEY": "k"}
        world.minitask("init", env=env)
        values = world.minitask("config", "show", "--json", env=env).json["values"]
    assert values["tiers"]["free"] == {"executor": "ollama", "model": "qwen2.5-coder:7b"}
    assert values["routing"]["entry"]["implement"] == "free"
    assert values["routing"]["entry"]["plan"] == "frontier"
    assert values["routing"]["escalation"] == ["free", "cheap", "balanced", "frontier"]


def test_init_says_that_an_ollama_has_no_model_yet(world: World) -> None:
    with scripted_server(lambda _request: raw('{"models": []}')) as server:
        outcome = world.minitask("init", env={"OLLAMA_HOST": server.origin})
    assert f"ollama at {server.origin} (no model yet: ollama pull" in outcome.stdout
    assert "executors:\n  ollama" not in (world.root / "minitask.yaml").read_text()


def test_init_lists_the_models_of_any_server_that_speaks_openais_protocol(world: World) -> None:
    def reply(request: Received) -> Reply:
        assert request.path == "/v1/models"
        return raw(json.dumps({"data": [{"id": "text-embedding-x"}, {"id": "some-coder"}]}))

    with scripted_server(reply) as server:
        nothing = {"OLLAMA_HOST": "127.0.0.1:9", "PATH": "/usr/bin:/bin"}
        env = {**nothing, "OPENAI_BASE_URL": server.origin}
        for _ in range(2):
            assert "chose    nothing" in world.minitask("init", env=nothing).stdout
        assert "updated  minitask.yaml, trusted" in world.minitask("init", env=env).stdout
        assert "kept     minitask.yaml" in world.minitask("init", env=nothing).stdout
    written = yaml.safe_load((world.root / "minitask.yaml").read_text())
    assert written["executors"] == {"openai": {"type": "openai", "base_url": server.origin}}
    assert written["tiers"] == {"free": {"executor": "openai", "model": "some-coder"}}
    assert written["prices"] == {"some-coder": {"input": 0, "output": 0}}


def check_kept(world: World) -> None:
    world.write({"minitask.yaml": "sandbox: none\n"})
    outcome = world.minitask("init")
    assert "kept     minitask.yaml" in outcome.stdout
    assert (world.root / "minitask.yaml").read_text() == "sandbox: none\n"
    assert "ignored until" in world.minitask("status").stderr, "it trusts its own file only"


def check_preset(world: World) -> None:
    outcome = world.minitask("init", "--preset", "claude", "--templates")
    assert "created  minitask.yaml, trusted" in outcome.stdout
    assert (world.root / "mini-projects/templates/mini-task.md.j2").exists()
    values = world.minitask("config", "show", "--json").json["values"]
    assert values["executors"] == {"claude": {"type": "claude"}}


def check_own_settings(world: World) -> None:
    world.configure(executors={"mine": {"type": "ollama"}})
    outcome = world.minitask("init")
    assert "config.yaml sets executors already" in outcome.stdout
    assert "mine" in world.minitask("config", "show").stdout


@pytest.mark.parametrize("check", [check_kept, check_preset, check_own_settings])
def test_init_overrides_nothing_of_the_users(world: World, check: Callable[[World], Any]) -> None:
    check(world)


README = (Path(__file__).parents[2] / "README.md").read_text()


def block(marker: str) -> list[str]:
    """The command lines of README's block that holds `marker`, without what a `#` says of them."""
    blocks = re.findall(r"(?:^    .*\n)+", README, re.MULTILINE)
    [found] = [text for text in blocks if marker in text]
    return [line.strip().partition("   #")[0] for line in found.splitlines()]


def shell(world: World, commands: list[str], env: dict[str, str]) -> Any:
    """Run command lines as they stand in a page, with `minitask` on the PATH."""
    folder = world.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    write_program(folder / "minitask", f'#!/bin/sh\nexec {shlex.join(MINITASK)} "$@"\n')
    script = "set -e\n" + "\n".join(commands)
    path = f"{folder}:{os.environ['PATH']}"
    return run(("bash", "-c", script), cwd=world.root, env={**env, "PATH": path})


@pytest.mark.variant
def test_readmes_first_spec_merges_in_any_repository_as_it_stands(world: World) -> None:
    spec = re.search(r"^````markdown\n(.*?)^````$", README, re.DOTALL | re.MULTILINE)
    place = re.search(r"Save it as `(.+?)`", README)
    assert spec
    assert place
    world.write({place[1]: spec[1]})
    shown = shell(world, block("minitask validate hello"), {}).stdout
    assert "✓ hello/01-say-hello: merged" in shown
    assert world.show("HELLO.md") == "Hello from minitask.\n"


@pytest.mark.variant
def test_readmes_two_commands_merge_a_change(world: World) -> None:
    world.commit({"app.py": "print('Hello')\n"})
    greeting = "```python path=app.py\nimport sys\n\nprint('Hello', *sys.argv[1:])\n```\n"
    init, do = block('minitask do "')
    with scripted_server(Ollama(greeting)) as server:
        env = {"OLLAMA_HOST": server.origin}
        outcome = shell(world, [init, f"{do} --yes"], env)
    assert "✓ do/01-greet-the-user-by-name: merged" in outcome.stdout
