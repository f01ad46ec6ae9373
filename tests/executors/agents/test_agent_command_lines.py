"""How agent programs are started: arguments, variables and files; never a key among the arguments."""

from __future__ import annotations

import json
import tomllib

import pytest
from agent_outputs import KEY, job, own_endpoint

from minitask.errors import UsageError
from minitask.executors.agents.programs import PROGRAMS, CommandProgram, make_program
from minitask.settings import ExecutorSetting

ODD = ("a b.txt", "-rf.txt", "q'\".txt", "new\nline.txt", "app/[id]/page.tsx", "*.py", "ünï.txt")
STDIN = ("codex", "claude", "opencode", "gemini", "qwen")
IN_A_FILE = ("aider", "goose", "mini")
ELSEWHERE = sorted(set(PROGRAMS) - {"cursor-agent"})


def argv(name: str, **changes: object) -> tuple[str, ...]:
    return PROGRAMS[name].invocation(job(**changes)).argv


def after(flag: str, arguments: tuple[str, ...]) -> str:
    return arguments[arguments.index(flag) + 1]


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_the_table_knows_a_program_by_its_own_name(name):
    program = PROGRAMS[name]
    assert program.name == name
    assert program.program == argv(name)[0]
    assert make_program(ExecutorSetting(name="any", type=name)) is program


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_key_is_in_a_variable_and_nowhere_else(name):
    for given in (own_endpoint(), job(key=KEY), job(key=KEY, model="anthropic/claude-x")):
        invocation = PROGRAMS[name].invocation(given)
        assert KEY not in "\n".join(invocation.argv)
        assert KEY not in "\n".join(invocation.files.values())
        assert KEY not in repr(invocation)
        assert [value for value in invocation.env.values() if KEY in value] == [KEY]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_an_endpoint_without_a_key_never_gets_the_users_own(name):
    invocation = PROGRAMS[name].invocation(own_endpoint(key=""))
    keys = {value for variable, value in invocation.env.items() if variable.endswith("_API_KEY")}
    assert keys <= {"unused"}
    assert keys or name in {"codex", "opencode"}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_large_prompt_is_no_argument(name):
    prompt = "ß" * 200_000
    invocation = PROGRAMS[name].invocation(job(prompt=prompt))
    assert max(map(len, invocation.argv)) < 1000
    given = [invocation.stdin.decode(), *invocation.files.values()]
    decoded = [
        json.loads(text)["run"]["task"] if text.startswith('{"run"') else text for text in given
    ]
    assert prompt in decoded
    assert (name in STDIN) == bool(invocation.stdin)
    assert (name in IN_A_FILE) == (not invocation.stdin)


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_extra_arguments_are_added(name):
    assert "--extra=1" in argv(name, extra_args=("--extra=1",))


@pytest.mark.parametrize("name", ["claude", "qwen", "goose"])
def test_a_limit_of_the_users_own_takes_the_place_of_ours(name):
    flag = "--max-tool-calls" if name == "qwen" else "--max-turns"
    assert argv(name, extra_args=(flag, "3")).count(flag) == 1
    assert [part for part in argv(name, extra_args=(f"{flag}=3",)) if part == flag] == []
    assert flag in argv(name)


@pytest.mark.parametrize("name", ["aider", "goose", "mini", "codex"])
def test_files_for_an_agent_are_below_its_home(name):
    invocation = PROGRAMS[name].invocation(job())
    assert all(not path.startswith(("/", "..")) for path in invocation.files)
    for path in (*invocation.files, *invocation.outputs):
        assert f"/slots/1/home/{path}" in invocation.argv or path == "tmp/.keep"


def test_codex_reads_standard_input_last():
    arguments = argv("codex", extra_args=("-c", "x=1"))
    assert arguments[-3:] == ("-c", "x=1", "-")
    assert after("-C", arguments) == "/slots/1/work"
    assert after("-s", arguments) == "workspace-write"


def test_codex_keeps_its_temporary_files_apart_from_its_home():
    invocation = PROGRAMS["codex"].invocation(job())
    assert invocation.env["TMPDIR"] == "/slots/1/home/tmp"
    assert "tmp/.keep" in invocation.files


def test_codex_is_told_of_an_endpoint_in_toml():
    url = 'http://127.0.0.1:9/v1?a="b"'
    invocation = PROGRAMS["codex"].invocation(own_endpoint(base_url=url))
    settings = [invocation.argv[at + 1] for at, arg in enumerate(invocation.argv) if arg == "-c"]
    parsed = tomllib.loads("\n".join(settings))
    assert parsed["model_provider"] == "minitask"
    assert parsed["model_providers"]["minitask"] == {
        "name": "minitask",
        "base_url": url,
        "wire_api": "responses",
        "env_key": "OPENAI_API_KEY",
    }
    assert invocation.env["OPENAI_API_KEY"] == KEY


def test_claude_may_edit_the_listed_files_and_no_other():
    arguments = argv("claude", writes=ODD)
    start = arguments.index("--allowedTools")
    rules = arguments[start + 1 : arguments.index("--setting-sources")]
    assert rules[:3] == ("Read", "Edit(./a b.txt)", "Write(./a b.txt)")
    assert "Edit(./-rf.txt)" in rules
    assert "Edit(./app/\\[id\\]/page.tsx)" in rules
    assert "Edit(./\\*.py)" in rules
    assert len(rules) == 1 + 2 * len(ODD)
    assert after("--permission-mode", arguments) == "dontAsk"


def test_claude_has_a_budget_where_the_task_has_one():
    assert after("--max-budget-usd", argv("claude")) == "0.50"
    assert "--max-budget-usd" not in argv("claude", max_cost_usd=None)


def test_claude_finds_its_endpoint_in_variables():
    env = PROGRAMS["claude"].invocation(own_endpoint()).env
    assert (env["ANTHROPIC_BASE_URL"], env["ANTHROPIC_API_KEY"]) == ("http://127.0.0.1:9/v1", KEY)


def test_aider_edits_what_stands_last_and_reads_what_it_is_told_to():
    arguments = argv("aider", writes=ODD, reads=("-v.txt", "r d.txt"), extra_args=("--x",))
    assert arguments[-len(ODD) - 1 :] == ("--x", ODD[0], "./-rf.txt", *ODD[2:])
    reads = [arguments[at + 1] for at, arg in enumerate(arguments) if arg == "--read"]
    assert reads == ["./-v.txt", "r d.txt"]


def test_aider_and_mini_speak_openai_to_an_endpoint_of_the_configs_own():
    for name, flag in (("aider", "--model"), ("mini", "-m")):
        invocation = PROGRAMS[name].invocation(own_endpoint(model="qwen/coder"))
        assert after(flag, invocation.argv) == "openai/qwen/coder"
        assert invocation.env["OPENAI_API_BASE"] == "http://127.0.0.1:9/v1"
        assert after(flag, argv(name, base_url="http://h", model="openai/x")) == "openai/x"


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("gpt-x", "OPENAI_API_KEY"),
        ("claude-x", "ANTHROPIC_API_KEY"),
        ("gemini/x", "GEMINI_API_KEY"),
        ("together-ai/a/b", "TOGETHER_AI_API_KEY"),
    ],
)
def test_a_models_name_says_whose_key_it_needs(model, variable):
    assert PROGRAMS["mini"].invocation(job(model=model, key=KEY)).env[variable] == KEY
    assert PROGRAMS["aider"].invocation(job(model=model, key=KEY)).env[variable] == KEY


def test_mini_never_takes_a_repositorys_settings_for_its_own():
    arguments = argv("mini")
    assert after("-c", arguments) == "../config/mini.yaml"
    assert after("-l", arguments) == "0.50"
    assert after("-o", arguments) == "/slots/1/home/trajectory.json"


def configuration(**changes: object) -> dict[str, object]:
    invocation = PROGRAMS["opencode"].invocation(job(**changes))
    return json.loads(invocation.env["OPENCODE_CONFIG_CONTENT"])


def test_opencode_may_edit_the_listed_files_and_start_nothing():
    permission = configuration(writes=ODD)["permission"]
    assert list(permission["edit"].items()) == [("*", "deny"), *((path, "allow") for path in ODD)]
    assert permission["*"] == "deny"
    assert "bash" not in permission


def test_opencode_has_a_provider_for_an_endpoint_and_a_key_for_a_provider():
    invocation = PROGRAMS["opencode"].invocation(own_endpoint(model="v/m"))
    assert after("-m", invocation.argv) == "minitask/v/m"
    provider = json.loads(invocation.env["OPENCODE_CONFIG_CONTENT"])["provider"]["minitask"]
    assert provider["options"] == {
        "baseURL": "http://127.0.0.1:9/v1",
        "apiKey": "{env:MINITASK_AGENT_KEY}",
    }
    assert provider["models"] == {"v/m": {}}
    named = configuration(model="anthropic/c", key=KEY)["provider"]
    assert named == {"anthropic": {"options": {"apiKey": "{env:MINITASK_AGENT_KEY}"}}}
    assert configuration(model="anthropic/c")["provider"] == {}


def test_gemini_is_told_to_use_its_key():
    plain, keyed = (
        json.loads(PROGRAMS["gemini"].invocation(given).files[".gemini/settings.json"])
        for given in (job(), own_endpoint())
    )
    assert keyed["security"] == {"auth": {"selectedType": "gemini-api-key"}}
    assert "security" not in plain


def test_qwen_knows_when_its_time_is_up():
    assert after("--max-wall-time", argv("qwen", seconds=90.9)) == "90s"
    assert after("--max-wall-time", argv("qwen", seconds=0.1)) == "1s"


def test_goose_takes_a_provider_from_the_models_name():
    arguments = argv("goose", model="openrouter/a/b")
    assert (after("--provider", arguments), after("--model", arguments)) == ("openrouter", "a/b")
    assert "--provider" not in argv("goose", model="plain")


def test_goose_wants_host_and_path_apart():
    env = PROGRAMS["goose"].invocation(own_endpoint()).env
    assert env["OPENAI_HOST"] == "http://127.0.0.1:9"
    assert env["OPENAI_BASE_PATH"] == "v1/chat/completions"
    bare = PROGRAMS["goose"].invocation(own_endpoint(base_url="http://h")).env
    assert bare["OPENAI_BASE_PATH"] == "chat/completions"


def test_cursor_takes_its_prompt_last_and_never_for_an_option():
    arguments = argv("cursor-agent", prompt="--help me", extra_args=("--x",))
    assert arguments[-2:] == ("--x", "\n--help me")
    assert after("--workspace", arguments) == "/slots/1/work"
    assert PROGRAMS["cursor-agent"].invocation(job(key=KEY)).env == {"CURSOR_API_KEY": KEY}


def test_cursor_refuses_a_prompt_that_does_not_fit():
    with pytest.raises(UsageError, match="100001 bytes are too many"):
        argv("cursor-agent", prompt="x" * 100_001)
    assert argv("cursor-agent", prompt="x" * 100_000)[-1] == "x" * 100_000


def test_cursor_refuses_an_endpoint_that_it_would_not_use():
    with pytest.raises(UsageError, match="only works with Cursor"):
        PROGRAMS["cursor-agent"].invocation(own_endpoint())


def test_the_table_makes_a_command_from_its_setting():
    setting = ExecutorSetting(
        name="mine",
        type="command",
        command=("do", "{model}"),
        usage={"input_tokens": "/i"},
        cost="/c",
    )
    program = make_program(setting)
    assert isinstance(program, CommandProgram)
    assert program.invocation(job()).argv == ("do", "mock-model")
