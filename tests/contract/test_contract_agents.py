"""Programs as executors: small fake agents, good and bad. What counts is the diff; nothing else of theirs stays."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from processes import eventually, running_where
from world import MINITASK, World, agent_settings, run, write_program

VALIDATION = "grep -qx b b.txt"
GOOD = "echo b > b.txt"
Agent = Callable[..., None]


@pytest.fixture
def agent(world: World, tmp_path: Path) -> Agent:
    """Configure a shell script as the only executor; more keywords join its entry of the config."""

    def make(script: str, *, sandbox: str = "auto", **entry: Any) -> None:
        path = write_program(tmp_path / "bin" / "fake-agent", f"#!/bin/bash\n{script}\n")
        settings = agent_settings(path, "{prompt_file}", model="tiny", **entry)
        world.configure(**settings, sandbox=sandbox)

    world.commit({"b.txt": "a\n", ".gitignore": "*.log\n"}, message="files")
    return make


def task(world: World, **fields: Any) -> None:
    world.task(
        "p/01-b", writes=["b.txt"], validation=fields.pop("validation", VALIDATION), **fields
    )


def attempt(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.records("p/01-b")[-1]["attempt"]
    return found


def running(mark: str) -> list[int]:
    """The processes whose command line holds `mark`."""
    found = running_where(lambda line: mark.encode() in line)
    return [number for number in found if number != os.getpid()]


@pytest.fixture
def mark() -> Iterator[str]:
    """Seconds that no other `sleep` sleeps; whoever still does at the end is killed."""
    seconds = f"9{os.getpid()}.{time.time_ns() % 10**9:09d}"
    yield seconds
    for number in running(seconds):
        os.kill(number, signal.SIGKILL)


def is_gone(mark: str, *, within: float = 2.0) -> bool:
    return eventually(lambda: not running(mark), within)


@pytest.mark.variant
def test_a_good_edit_lands_with_what_it_used_by_its_own_account(world: World, agent: Agent) -> None:
    said = json.dumps({"usage": {"in": 1200, "cached": 200, "out": 34}, "usd": 0.0125})
    pointers = {
        "input_tokens": "/usage/in",
        "cached_input_tokens": "/usage/cached",
        "output_tokens": "/usage/out",
        "requests": "/calls",
    }
    agent(f"{GOOD}\necho thinking…\necho '{said}'", usage=pointers, cost="/usd")
    task(world)
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert world.show("b.txt") == "b\n"
    held = attempt(world)
    assert (held["executor"], held["model"], held["tier"]) == ("fake", "tiny", "cheap")
    assert held["usage"] == {
        "requests": None,
        "input_tokens": 1200,
        "cached_input_tokens": 200,
        "output_tokens": 34,
    }
    assert Decimal(held["cost_usd"]) == Decimal(outcome.json["cost_usd"]) == Decimal("0.0125")


@pytest.mark.variant
@pytest.mark.parametrize("sandbox", ["auto", "none"])
def test_one_that_hangs_is_killed_with_all_that_it_started(
    world: World, agent: Agent, mark: str, sandbox: str
) -> None:
    agent(f"sleep {mark} &\n(trap '' TERM; sleep {mark}) &\nsleep {mark}", sandbox=sandbox)
    task(world, front={"timeout_seconds": 1})
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed"), outcome.text
    assert "stuck" in outcome.json["reason"]
    assert is_gone(mark)
    assert attempt(world)["gate"] == "implement"


@pytest.mark.variant
def test_one_that_prints_160_megabytes_is_read_in_bounded_memory(
    world: World, agent: Agent
) -> None:
    flood = "yes 0123456789012345678901234567890 | head -c 80000000"
    agent(
        f"{GOOD}\n{flood}\n{flood} >&2\necho\necho '{{\"in\": 7}}'", usage={"input_tokens": "/in"}
    )
    task(world)
    measured = run((sys.executable, "-c", MEASURE, *MINITASK, "exec", "p/01-b"), cwd=world.root)
    code, kibibytes = map(int, measured.stdout.split())
    assert code == 0
    assert kibibytes < 160 * 1024
    assert attempt(world)["usage"]["input_tokens"] == 7, "the end of what it printed is kept"


@pytest.mark.variant
@pytest.mark.parametrize(("sandbox", "how"), [("auto", "env -i setsid"), ("none", "setsid")])
def test_a_daemon_that_it_leaves_behind_is_gone_afterwards(
    world: World, agent: Agent, mark: str, sandbox: str, how: str
) -> None:
    agent(f"{GOOD}\n({how} sleep {mark} </dev/null >/dev/null 2>&1 &)\nsleep 0.2", sandbox=sandbox)
    task(world)
    assert world.exec("p/01-b").json["verdict"] == "merged"
    assert is_gone(mark)


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], capture_output=True).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""Run by a small process: a child counts the memory of the process that it was forked from as its own."""
COMMIT = "git config user.name Evil && git config user.email e@x && git add -A && git commit -qm x"
HOOKS = "for h in pre-commit post-checkout; do printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/$h; done"
DEEDS = {
    "commits, branches, tags, pushes and hides it": (
        f"{GOOD}\n{COMMIT}\ngit branch other; git tag t; git checkout -q --detach\n"
        "git push -q origin HEAD:refs/heads/evil; git update-index --assume-unchanged b.txt"
    ),
    "stashes": f"{COMMIT}\necho c >> b.txt; git stash -q; git stash list | grep -q . && {GOOD}",
    "sets config, hooks, locks and excludes": (
        f"{GOOD}\ngit config core.hooksPath /tmp; git config core.fsmonitor /bin/false\n"
        f"git config --global user.name Evil; mkdir -p .git/hooks .git/info; {HOOKS}\n"
        "chmod +x .git/hooks/*; echo b.txt > .git/info/exclude; touch .git/index.lock .git/HEAD.lock"
    ),
    "makes a new repository": f"{GOOD}\nrm -rf .git; git init -q; {COMMIT}",
    "puts a link in its repository's place": f"{GOOD}\nrm -rf .git; ln -s / .git",
}
"""Good edits, and what else was done; they end well, and where there is no sandbox they succeed."""


def held_by_git(world: World) -> dict[str, bytes]:
    """Every file of the user's repository, but for objects and what is minitask's own."""
    top = world.root / ".git"
    files = (path for path in top.rglob("*") if path.is_file())
    own = ("minitask/", "refs/minitask/", "refs/heads/minitask/", "objects/", "logs/")
    own += ("index", "ORIG_HEAD", "refs/heads/main", "packed-refs")
    named = {str(path.relative_to(top)): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(own)}


def other_refs(world: World) -> dict[str, str]:
    own = ("refs/minitask/", "refs/heads/minitask/", "refs/heads/main")
    return {name: at for name, at in world.refs().items() if not name.startswith(own)}


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("sandbox", "deed"), [*(("none", deed) for deed in DEEDS), ("auto", next(iter(DEEDS)))]
)
def test_what_it_does_to_its_repository_stays_there(
    world: World, agent: Agent, sandbox: str, deed: str
) -> None:
    agent(f"{DEEDS[deed]}\nexit 0", sandbox=sandbox)
    task(world)
    world.write({"a.txt": "stashed\n"})
    world.git("stash", "push", "--quiet", "--message", "the user's")
    before = (held_by_git(world), other_refs(world), world.git("stash", "list"))
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    assert world.show("b.txt") == "b\n"
    assert world.git("diff", "--name-only", "main^1", "main") == "b.txt"
    assert (held_by_git(world), other_refs(world), world.git("stash", "list")) == before
    assert world.git("log", "-1", "--format=%cn", "main^2") == "Una User"


@pytest.mark.variant
def test_the_users_own_repository_is_out_of_its_reach(world: World, agent: Agent) -> None:
    agent(
        f"{GOOD}\nG=$(dirname $(cat .git/objects/info/alternates))\n"
        "echo '[user] name = Evil' >> $G/config\nprintf '#!/bin/sh\\n' > $G/hooks/post-merge\n"
        "git --git-dir=$G update-ref refs/heads/evil HEAD\ngit --git-dir=$G branch -D main\n"
        f"echo evil >> {world.root}/a.txt\nrm -rf $G/refs {world.root}/mini-projects\ntrue"
    )
    task(world)
    before = (held_by_git(world), other_refs(world))
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert (held_by_git(world), other_refs(world)) == before
    assert (world.root / "a.txt").read_text() == "one\n"
    assert world.git("status", "--porcelain") == ""


REFUSED = {
    "edits a file that is not listed": "echo evil >> a.txt",
    "creates a file that is not listed": "echo evil > c.txt",
    "deletes files that are not listed": "rm -r a.txt mini-projects",
    "puts a link in the file's place": "ln -sf /etc/passwd b.txt",
    "puts a folder in the file's place": "rm b.txt; mkdir b.txt; echo x > b.txt/x",
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("deed", REFUSED)
def test_what_the_spec_does_not_allow_is_refused(world: World, agent: Agent, deed: str) -> None:
    agent(f"{GOOD}\n{REFUSED[deed]}")
    task(world)
    before = world.tip()
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused"), outcome.text
    assert world.tip() == before
    assert attempt(world)["verdict"] == "refused"


@pytest.mark.variant
def test_what_git_ignores_is_no_part_of_its_change(world: World, agent: Agent) -> None:
    agent(f"{GOOD}\necho x > trace.log; mkdir deep; echo x > deep/more.log")
    task(world, validation=f"{VALIDATION}\n! ls *.log deep/*.log")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.git("diff", "--name-only", "main^1", "main") == "b.txt"


@pytest.mark.variant
def test_a_question_is_answered_with_the_end_of_the_input(world: World, agent: Agent) -> None:
    agent('read -r -p "Go on? [y/n] " answer && exit 9\n[ -t 0 ] || [ -t 1 ] || echo b > b.txt')
    task(world)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text


def test_it_is_judged_by_its_diff_and_not_by_its_exit_code(world: World, agent: Agent) -> None:
    agent(f"{GOOD}\nexit 1")
    task(world)
    assert world.exec("p/01-b").json["verdict"] == "merged"


def test_one_that_says_that_it_did_well_and_changes_nothing_has_failed(
    world: World, agent: Agent
) -> None:
    agent("echo a > b.txt\necho 'All done, everything works!'")
    task(world)
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed"), outcome.text
    assert "changed nothing" in outcome.json["reason"]
    assert attempt(world)["cost_usd"] is None, "it did not say what it cost"


def test_one_that_is_not_installed_is_an_error_with_a_way_out(world: World, agent: Agent) -> None:
    agent("", command=["no-such-agent-here"])
    task(world)
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "no-such-agent-here is not on PATH" in outcome.json["reason"]


@pytest.mark.variant
def test_it_sees_no_variable_but_named_ones_and_a_home_of_its_own(
    world: World, agent: Agent
) -> None:
    agent(
        "{ env; echo MARK=$(ls -A ~ | grep -v prompt.md | wc -l); echo b; } > b.txt", env=["SHOWN"]
    )
    task(world)
    caller = {"SHOWN": "shown", "HIDDEN": "x", "GITHUB_TOKEN": "ghp_x", "OPENAI_API_KEY": "sk-x"}
    outcome = world.exec("p/01-b", env=caller)
    assert outcome.json["verdict"] == "merged", outcome.text
    seen = dict(line.split("=", 1) for line in world.show("b.txt").splitlines() if "=" in line)
    assert seen["SHOWN"] == "shown"
    assert seen["HOME"] != os.environ["HOME"]
    assert seen["MARK"] == "0", "an empty home"
    assert not {"HIDDEN", "GITHUB_TOKEN", "OPENAI_API_KEY", "XDG_CONFIG_HOME"} & set(seen)
    assert not Path(seen["HOME"]).exists()


@pytest.mark.variant
@pytest.mark.parametrize("sandbox", ["auto", "none"])
def test_the_key_is_in_a_variable_and_in_nobodys_arguments(
    world: World, agent: Agent, sandbox: str
) -> None:
    key = f"sk-only-here-{os.getpid()}"
    check = f'[ "$(echo -n $OPENAI_API_KEY | wc -c)" = {len(key)} ] && {GOOD}'
    agent(f"{check}\nsleep 0.5", api_key_env="MY_KEY", sandbox=sandbox)
    task(world)
    shown: list[int] = []
    with world.start("exec", "p/01-b", env={"MY_KEY": key}) as process:
        while process.poll() is None:
            shown += running(key)
            time.sleep(0.05)
    assert process.returncode == 0
    assert shown == []
    assert key not in json.dumps(world.records("p/01-b"))


@pytest.mark.variant
def test_a_failed_validation_goes_back_with_the_message_and_the_earlier_change(
    world: World, agent: Agent
) -> None:
    agent(
        'if grep -q "not b" b.txt && grep -q "b.txt says: not b" "$1" && [ -e .git ]\n'
        f"then {GOOD}; else echo not b > b.txt; fi\necho '{{\"in\": 5}}'",
        usage={"input_tokens": "/in"},
    )
    task(world, validation=f'{VALIDATION} || {{ echo "b.txt says: $(cat b.txt)"; exit 1; }}')
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text
    first, second = (record["attempt"] for record in world.records("p/01-b"))
    assert (first["verdict"], first["gate"], second["verdict"]) == ("failed", "validate", "ready")
    assert [each["usage"]["input_tokens"] for each in (first, second)] == [5, 5]
    assert outcome.json["usage"]["input_tokens"] == 10


@pytest.mark.variant
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_one_whose_minitask_is_ended_does_not_outlive_the_next_command(
    world: World, agent: Agent, mark: str, end: signal.Signals
) -> None:
    agent(f"[ -e gone.log ] && exit\nsleep {mark}")
    task(world)
    with world.start("exec", "p/01-b") as process:
        while not running(mark):
            time.sleep(0.05)
        process.send_signal(end)
        code = process.wait(5)
    assert code == (130 if end is signal.SIGINT else -9)
    agent(GOOD)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text
    assert is_gone(mark)
    assert [record["kind"] for record in world.records("p/01-b")] == ["lost", "attempt"]


def broken_off(world: World, tmp_path: Path, *, script: str, **entry: Any) -> None:
    """Two rungs of agents: the first runs a script, the second must never be asked."""
    for name, text in (("first", script), ("second", "echo b > b.txt")):
        write_program(tmp_path / name, f"#!/bin/bash\n{text}\n")
    first = {"type": "command", "command": [str(tmp_path / "first")], **entry}
    world.configure(
        executors={
            "first": first,
            "second": {"type": "command", "command": [str(tmp_path / "second")]},
        },
        tiers={
            "cheap": {"executor": "first", "model": "small"},
            "balanced": {"executor": "second", "model": "big"},
        },
        routing={"repairs": 1, "max_escalations": 1, "escalation": ["cheap", "balanced"]},
    )
    world.commit({"b.txt": "a\n"}, message="files")
    task(world)


@pytest.mark.variant
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo half > b.txt; echo '429 rate limit, giving up' >&2; exit 1", "transport"),
        ("echo half > b.txt; echo 'usage limit reached, resets 3pm' >&2; exit 1", "resets 3pm"),
        ("echo half > b.txt; kill -9 $$", "transport"),
        ("echo 'connect ECONNREFUSED 127.0.0.1:9' >&2; exit 1", "transport"),
    ],
)
def test_a_draft_that_an_outage_broke_off_is_the_providers_failure(
    world: World, tmp_path: Path, script: str, words: str
) -> None:
    broken_off(world, tmp_path, script=script)
    outcome = world.exec("p/01-b")
    expected = (4, "skipped") if "limit reached" in script else (3, "error")
    assert (outcome.code, outcome.json["verdict"]) == expected, outcome.text
    assert words in outcome.json["reason"]
    assert [each["model"] for each in outcome.json["attempts"]] == ["small"]
    held = attempt(world)
    assert (held["gate"], held["route"]["settles"]) == ("implement", False)


def test_a_draft_that_was_whole_when_an_outage_came_lands(world: World, tmp_path: Path) -> None:
    script = f"{GOOD}; echo '429 rate limit, giving up' >&2; exit 1"
    broken_off(world, tmp_path, script=script)
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged"), outcome.text


def test_a_server_that_is_not_there_is_found_before_the_agent_starts(
    world: World, tmp_path: Path
) -> None:
    broken_off(world, tmp_path, script="sleep 500", base_url="http://127.0.0.1:9/v1")
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "127.0.0.1:9" in outcome.json["reason"]
