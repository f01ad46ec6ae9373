"""What is bad usage or a bad setting: it is said in words that name it, with exit code 2, and nothing runs."""

from __future__ import annotations

import shlex

import pytest

from world import World, model_settings

SERVE = "fix: run `minitask report --serve`"
ROUTE = "tiers: {cheap: {executor: scriptd, model: x}}"
MODEL = "models: [{name: a, tasks: 1, passed: %s, cost_usd: %s}]"
BAD = [
    # line, words of the error, and what `minitask.yaml` or another file holds
    ("frobnicate", ""),
    ("exec", ""),
    ("exec --no-such-option p/01-b", ""),
    ("exec p/09-none", ""),
    ("exec mini-projects/p/none.md", ""),
    ("exec mini-projects/p/01-b.md#9", ""),
    ("exec p/01-b --tier golden", ""),
    ("exec p/01-b --executor nobody", ""),
    ("exec p/01-b --into nowhere", ""),
    ("run none", ""),
    ("run p --max-cost lots", ""),
    ("merge p/09-none", ""),
    ("show p/09-none", ""),
    ("verify no-such-ref", ""),
    ("validate none.md", ""),
    ("validate --format xml", ""),
    ("-C /nowhere/at/all status", ""),
    # what is no branch, no amount, no date, no file
    ("exec p/01-b --into main~1", ""),
    ("exec p/01-b --into main^", ""),
    ("exec p/01-b --into 'a b'", ""),
    ("exec p/01-b --into x..y", ""),
    ("exec p/01-b --into main@{1}", ""),
    ("exec p/01-b --into a.lock", ""),
    ("run p --max-cost=-1", ""),
    ("run p --max-cost=nan", ""),
    ("report --since yesterday", "YYYY-MM-DD"),
    ("record-usage p --claude-code ~nosuchuser/x", ""),
    ("decide nowhere", "nowhere"),
    ("graph p --forecast --format svg", "--json"),
    # what is mistyped is answered with what is meant
    ("statsu", "did you mean `minitask status`?"),
    ("review p --tier cheep", "did you mean cheap?"),
    ("report --format htm", "did you mean html?"),
    ("exec p/01-b --executor scripte", "did you mean scripted?"),
    ("exec p/01-b --tier ballanced", "did you mean balanced?"),
    ("exec p/01-b --tier bogus", ""),
    ("route p/01-b --tier bogus --executor scripted --model m", ""),
    ("new p x --template edit-fil", "did you mean edit-file?"),
    ("new p x --template edit-file --set pth=1", "did you mean path?"),
    ("sync origni", "did you mean origin?"),
    ("status --jsn", "--json"),
    ("do x --chek true", "no such option '--chek'\n … fix: did you mean --check?"),
    ("--json status", "fix: write it behind the command: minitask status --json"),
    ("status -C .", "fix: write it before the command: minitask -C … status"),
    ("version", "fix: did you mean `minitask --version`?"),
    ("exec ''", "the name of a task or project is empty"),
    ("init", "minitask.yaml is a folder … fix: move", {"minitask.yaml/x": "x"}),
    ("show p/1", "fix: minitask exec p/01-b\n"),
    ("show p/@plan", "fix: `minitask status` lists the tasks\n"),
    ("verify p/1", "fix: minitask exec p/01-b, or name a commit\n"),
    ("verify HEAD~99", "fix: name a branch, a commit or PROJECT/ID\n"),
    *((f"{command} helo", "fix: did you mean hello?") for command in ("log", "audit", "status", "validate")),
    # options that are missing, or do not go together
    ("decide", "--well-defined or --not-well-defined"),
    ("decide --not-well-defined", "--exploration or --no-exploration"),
    ("decide --well-defined --not-repetitive", "--large or --small"),
    ("decide --well-defined --not-repetitive --large", "--atomic-tasks N"),
    ("report --open", SERVE),
    ("report --port 1", SERVE),
    ("report --serve --json", SERVE),
    ("report --serve --format csv", SERVE),
    ("report --serve --output x", SERVE),
    # simulations
    ("simulate --table aider-poliglot", "did you mean aider-polyglot?"),
    ("simulate --table aider-polyglot --policy gpt-55", "did you mean gpt-5 (high)?"),
    ("simulate --table aider-polyglot --policy deepseek", "matches several models"),
    ("simulate --table aider-polyglot --loss much", "--loss much is not an amount"),
    ("simulate --policy cheap", "no attempts recorded"),
    ("simulate --table t.yaml", "t.yaml:1: the table is not YAML … fix:", {"t.yaml": "models: ["}),
    ("simulate --table t.yaml", "did you mean models? … fix:", {"t.yaml": "modles: []"}),
    ("simulate --table t.yaml", "2 passed … fix:", {"t.yaml": MODEL % (2, 1)}),
    ("simulate --table t.yaml", "cost_usd is -1 … fix:", {"t.yaml": MODEL % (1, -1)}),
    ("simulate --table t.yaml", "unknown key `x` … fix:", {"t.yaml": MODEL % (1, "1, x: 1")}),
    # settings
    ("exec p/01-b", "minitask.yaml", "executors: 3"),
    ("exec p/01-b", "minitask.yaml", "targett: main"),
    ("exec p/01-b", "minitask.yaml", "a: ["),
    ("exec p/01-b", "minitask.yaml", "- list"),
    ("config show", "minitask.yaml", "a: &a {b: *a}"),
    ("status", "", "limits: {seconds: 3000000}"),
    ("status", "", "budget: {max_cost_usd: .nan}"),
    ("status", "", "budget: {max_cost_usd: .inf}"),
    ("route p", "did you mean scripted?", ROUTE),
    ("exec p/1", "did you mean scripted?", ROUTE.replace("cheap", "frontier")),
    ("status", "did you mean required?", "sandbox: requird"),
    ("status", "did you mean ollama?", "executors: {x: {type: olama}}"),
    ("status", "did you mean preset?", "presett: local"),
]  # fmt: skip


@pytest.mark.sampled(14)
@pytest.mark.parametrize("row", BAD, ids=lambda row: " | ".join(map(str, (row[0], *row[2:]))))
def test_it_is_said_and_nothing_runs(world: World, row: tuple[str, ...]) -> None:
    line, words, *files = row
    world.git("remote", "add", "origin", str(world.root))
    world.configure(**model_settings("http://127.0.0.1:9"))
    world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
    world.task("hello/01-a", whole={"a.txt": "a\n"}, validation="test -f a.txt")
    for content in files:
        world.write({"minitask.yaml": f"{content}\n"} if isinstance(content, str) else content)
    before = (world.refs(), world.git("status", "--porcelain"))
    outcome = world.minitask(*shlex.split(line))
    assert (outcome.code, outcome.stdout, outcome.stderr[:7]) == (2, "", "error: "), outcome.text
    assert all(part in outcome.stderr for part in words.split(" … ")), outcome.text
    assert "Traceback" not in outcome.stderr
    assert "internal error" not in outcome.stderr
    assert (world.refs(), world.git("status", "--porcelain")) == before
