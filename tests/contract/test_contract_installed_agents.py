"""Agent programs as people have them: how they were installed, and what they need of the user's own set-up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from world import STRENGTHS, World, bubblewrap_works, in_strength, write_program

VALIDATION = "grep -qx b b.txt"
BASH = '#!/bin/bash\ncat > /dev/null\n. "$(dirname "$(readlink -f "$0")")/library.sh"\nwork\n'
LIBRARY = "work() { echo b > b.txt; }\n"


def link(path: Path, target: Path | str) -> None:
    """Make a symbolic link, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def native_installer(home: Path) -> None:
    """One file below a folder of versions, an absolute link on PATH."""
    text = "#!/bin/bash\ncat > /dev/null\necho b > b.txt\n"
    link(
        home / ".local/bin/claude", write_program(home / ".local/share/claude/versions/2.1.9", text)
    )


def npm_prefix(home: Path) -> None:
    """A package below a prefix of the user's own; a relative link."""
    package = home / ".npm-global/lib/node_modules/@scope/agent"
    write_program(package / "bin/claude.js", BASH)
    (package / "bin/library.sh").write_text(LIBRARY)
    link(home / ".local/bin/claude", "../../.npm-global/bin/claude")
    link(home / ".npm-global/bin/claude", "../lib/node_modules/@scope/agent/bin/claude.js")


def pipx(home: Path) -> None:
    """A program of a virtual environment, whose Python is a link too and finds a module beside it."""
    venv = home / ".local/share/pipx/venvs/agent"
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = venv / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (packages / "agent_module.py").write_text("def work(): open('b.txt', 'w').write('b\\n')\n")
    base = Path(sys.executable).resolve()
    (venv / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    link(venv / "bin/python", base)
    text = f"#!{venv}/bin/python\nimport agent_module\nagent_module.work()\n"
    link(home / ".local/bin/claude", write_program(venv / "bin/claude", text))


def link_to_link(home: Path) -> None:
    """A link on PATH to a link elsewhere, to a program with a library beside it."""
    write_program(home / "apps/agent-1.2/claude", BASH)
    (home / "apps/agent-1.2/library.sh").write_text(LIBRARY)
    link(home / "apps/current", home / "apps/agent-1.2")
    link(home / ".local/bin/claude", home / "apps/current/claude")


INSTALLED = (native_installer, npm_prefix, pipx, link_to_link)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("install", INSTALLED)
def test_a_program_starts_however_it_was_installed(world: World, install, strength: str) -> None:
    if strength == "strong" and not bubblewrap_works():
        pytest.skip("bubblewrap cannot make its namespaces here")
    home = Path(os.environ["HOME"])
    install(home)
    env = in_strength(
        world,
        strength,
        executors={"agent": {"type": "claude"}},
        tiers={"cheap": {"executor": "agent", "model": "tiny"}},
    )
    env["PATH"] = f"{home}/.local/bin:{env.get('PATH', os.environ['PATH'])}"
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    outcome = world.exec("p/01-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text


OLD_QWEN = """#!/bin/bash
cat > /dev/null
case "$*" in *--max-wall-time*|*--max-tool-calls*|*--nonsense*)
    echo 'Unknown arguments: max-wall-time, maxWallTime, max-tool-calls, maxToolCalls, nonsense' >&2
    echo >&2; echo 'Usage: qwen [options] [command]' >&2
    for number in {1..40}; do echo "  --option-$number   Something [string]" >&2; done
    exit 1
esac
for folder in __pycache__ .pytest_cache node_modules/x; do mkdir -p $folder; touch $folder/a.pyc $folder/README.md; done
touch .coverage
echo b > b.txt; echo new > listed.pyc
echo '[{"type": "result", "result": "done", "usage": {"input_tokens": 5, "output_tokens": 1}}]'
"""


def old_qwen(world: World, *args: str) -> dict[str, str]:
    """An old version of an agent on PATH; the variables to run with."""
    home = Path(os.environ["HOME"])
    write_program(home / ".local/bin/qwen", OLD_QWEN)
    world.configure(
        executors={"agent": {"type": "qwen", "args": list(args)}},
        tiers={"cheap": {"executor": "agent", "model": "tiny"}},
    )
    return {"PATH": f"{home}/.local/bin:{os.environ['PATH']}"}


def test_a_flag_that_an_old_version_does_not_know_is_given_up_and_litter_is_left_out(
    world: World,
) -> None:
    env = old_qwen(world)
    world.task("p/01-b", writes=["b.txt", "listed.pyc"], validation=VALIDATION)
    outcome = world.exec("p/01-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.git("diff", "--name-only", "main^1", "main").split() == ["b.txt", "listed.pyc"]


def test_the_line_that_says_why_a_program_gave_up_is_shown(world: World) -> None:
    env = old_qwen(world, "--nonsense")
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    outcome = world.exec("p/01-b", env=env)
    assert (outcome.code, outcome.json["verdict"]) == (3, "error"), outcome.text
    assert "Unknown arguments: max-wall-time" in outcome.json["reason"]
    assert "option-40" not in outcome.json["reason"]


def test_doctor_starts_each_agent_and_is_green_for_none_that_cannot_work(world: World) -> None:
    home = Path(os.environ["HOME"])
    programs = {
        "claude": '[ "$1" = --version ] && echo "2.1.200 (Claude Code)" || { echo \'{"loggedIn": false}\'; exit 1; }',
        "codex": "echo 'Error: Cannot find module @openai/codex-linux-x64' >&2; echo at line 3 >&2; exit 1",
        "aider": "echo aider 0.9.1",
        "goose": "echo 1.0.9",
    }
    for name, text in programs.items():
        write_program(home / ".local/bin" / name, f"#!/bin/bash\n{text}\n")
    (home / ".claude").mkdir()
    (home / ".claude/.credentials.json").write_text("{}")
    entries = {name: {"type": name} for name in ("claude", "codex", "gemini")}
    entries |= {
        "own": {"type": "command", "command": ["no-such-program"]},
        "idle": {"type": "mini"},
    }
    tiers = dict(zip(("free", "cheap", "balanced", "frontier"), entries, strict=False))
    world.configure(
        executors=entries,
        tiers={tier: {"executor": name, "model": "m"} for tier, name in tiers.items()},
    )
    folders = f"{home}/.local/bin:/usr/bin:/bin"
    env = {"PATH": folders, "OPENAI_API_KEY": "sk-x"}
    outcome = world.minitask("doctor", "--json", env=env)
    assert outcome.code == 3, outcome.text
    found = {
        (each["area"], each["text"].partition(":")[0].split()[0]): (each["state"], each["text"])
        for each in outcome.json["findings"]
        if each["area"] in ("executor", "agent")
    }
    expected = {
        ("executor", "claude"): ("note", "no login or key found"),
        ("executor", "codex"): ("bad", "Cannot find module"),
        ("executor", "gemini"): ("bad", "not on PATH"),
        ("executor", "own"): ("bad", "not on PATH"),
        ("executor", "idle"): ("note", "not on PATH"),
        ("agent", "codex"): ("note", "Cannot find module"),
        ("agent", "aider"): ("note", "older than 0.86.2"),
        ("agent", "goose"): ("note", "untested"),
    }
    for key, (state, words) in expected.items():
        assert (found[key][0], words in found[key][1]) == (state, True), found


def test_a_users_own_key_helper_is_asked_and_its_key_shown_to_nobody(world: World) -> None:
    home = Path(os.environ["HOME"])
    (home / ".claude").mkdir()
    settings = (
        '{"env": {"ANTHROPIC_BASE_URL": "http://gw"}, "apiKeyHelper": "cat ~/my-key", "hooks": {}}'
    )
    (home / ".claude/settings.json").write_text(settings)
    text = (
        "#!/bin/bash\ncat > /dev/null\ncd ~/.claude && grep -q http://gw settings.json"
        " && ! grep -q hooks settings.json && cd - > /dev/null"
        ' && [ "$(sh -c "cat \\"\\$HOME/.claude/key\\"")" = "sk-$((40 + 2))" ] && echo b > b.txt\n'
    )
    write_program(home / ".local/bin/claude", text)
    world.configure(
        executors={"agent": {"type": "claude"}},
        tiers={"cheap": {"executor": "agent", "model": "tiny"}},
    )
    env = {"PATH": f"{home}/.local/bin:{os.environ['PATH']}"}
    world.task("p/01-b", writes=["b.txt"], validation=VALIDATION)
    shown = world.minitask("exec", "p/01-b", "--dry-run", env=env).stdout
    assert "brings   ~/.claude/settings.json: ANTHROPIC_BASE_URL, apiKeyHelper" in shown
    without = world.exec("p/01-b", env=env)
    assert (without.code, without.json["verdict"]) == (3, "error"), without.text
    assert "apiKeyHelper of ~/.claude/settings.json printed no key" in without.json["reason"]
    (home / "my-key").write_text("sk-42\n")
    outcome = world.exec("p/01-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "sk-42" not in outcome.text + str(world.records("p/01-b"))
