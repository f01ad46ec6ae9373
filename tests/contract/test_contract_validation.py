"""The validation: every command is judged by itself, and a green one proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from world import World

B = {"b.txt": "b\n"}
HOLDS = "grep -qx b b.txt"
FAILING = [
    'grep -q "missing" b.txt && echo OK',
    "false; true",
    'python3 -c "raise SystemExit(1)" | tail',
    "grep -q missing b.txt",
    "(exit 3)",
    "if true; then false; fi",
    "x=$(false)",
]
MET = [
    "grep -q missing b.txt  # expect: exit 1",
    "seq 620 | wc -l  # expect: output ~600 ±50",
    'cat b.txt  # expect: output contains "b"',
    "grep missing b.txt || true  # expect: no output",
    "test -e b.txt  # expect: fails before",
]
UNMET = [
    "true  # expect: exit 1",
    "seq 651 | wc -l  # expect: output ~600 ±50",
    'cat b.txt  # expect: output contains "two"',
    "cat b.txt  # expect: no output",
]
CARRIED = 'word=b\nhas() { grep -qx "$1" "$2"; }\nmkdir -p out && cd out\nhas $word ../b.txt'
LONG = "if [ -e b.txt ]; then sleep 30; fi\ntest -e b.txt"
TEST_OF_B = {"tests/test_b.py": "def test_b():\n    assert True\n"}
PACKAGE = {"src/shop_pay/__init__.py": "RATE = 1\n"}
USES_PACKAGE = "test -d src/shop_pay\nPYTHONPATH=src python3 -c 'import shop_pay'"
JUDGED: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    # fact: (validation, verdict, words of the reason, other fields of the spec)
    **{f"{each} fails": (f"{each}\n{HOLDS}\ntrue", "failed", "", {}) for each in FAILING},
    **{f"{each} is met": (f"{each}\n{HOLDS}", "merged", "", {}) for each in MET},
    **{f"{each} is not met": (f"{HOLDS}\n{each}", "failed", "", {}) for each in UNMET},
    "what must fail before and does not": (f"true  # expect: fails before\n{HOLDS}", "refused", "", {}),
    "directory, variables and functions carry over": (CARRIED, "merged", "", {}),
    "the shell is ended early": ("test -e b.txt\nexit 0\nfalse", "failed", "", {}),
    "a command outlives its time": (LONG, "failed", "", {"front": {"timeout_seconds": 1}}),
    "a test that the task creates is named as an example": (
        "grep -qx one a.txt",
        "refused",
        'for example one that runs tests/test_b.py by itself"',
        {"whole": TEST_OF_B},
    ),
    "a value that is false is no comparison": (
        "python3 -c 'import b; print(b.x)'", "merged", "", {"whole": {"b.py": "x = False\n"}}
    ),
    "a program that is not there is no search without a match": (
        "test -f b.txt\n! nowhere -q old b.txt", "refused", "needs `nowhere`, which was not found", {}
    ),
    "a missing module": (
        "test -f b.txt\npython3 -c 'import nowhere_to_be_found'", "refused", "nowhere_to_be_found", {}
    ),
    "a missing program": ("test -f b.txt\nnowhere-to-be-found --version", "refused", "nowhere-to-be-found", {}),
    "a file that git ignores": (
        "test -f b.txt\ncat local/.env.test", "refused", "workspace: {share: [local]}", {}
    ),
    "a missing revision": ("test -f b.txt\ngit diff --stat origin/main", "refused", "origin/main", {}),
    "a module that the task creates is rightly missing": (USES_PACKAGE, "merged", "", {"whole": PACKAGE}),
}  # fmt: skip


@pytest.mark.sampled(10)
@pytest.mark.parametrize(("validation", "verdict", "words", "fields"), JUDGED.values(), ids=JUDGED)
def test_a_validation_is_judged_command_by_command(
    world: World, validation: str, verdict: str, words: str, fields: dict[str, Any]
) -> None:
    world.commit({".gitignore": "local/\n"})
    world.write({"local/.env.test": "n\n"})
    task = {"whole": B, **fields}
    world.task("p/01-b", validation=validation, **task)
    before, path = world.tip(), next(iter(task["whole"]))
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == verdict, outcome.text
    assert outcome.code == (0 if verdict == "merged" else 1)
    assert words in outcome.text
    assert (world.tip() != before, world.has(path)) == (verdict == "merged",) * 2
    assert (world.root / path).exists() == (verdict == "merged")
    assert (outcome.json["attempts"] == []) == (verdict == "refused")
    if verdict == "failed":
        (attempt,) = outcome.json["attempts"]
        assert (attempt["gate"], outcome.json["seconds"] < 20) == ("validate", True)
        passed = [command["passed"] for command in attempt["commands"]]
        assert False in passed
        if validation.startswith(HOLDS):
            assert (attempt["commands"][0]["command"], passed[0]) == (HOLDS, True)


def test_a_validation_whose_program_is_missing_is_refused_before_anything_is_spent(
    world: World,
) -> None:
    with world.serve(["```text path=b.txt\nb\n```\n"]) as server:
        validation = "no-such-program-anywhere\ngrep -qx b b.txt"
        world.task("p/01-b", writes=["b.txt"], validation=validation)
        outcome = world.exec("p/01-b")
        assert server.requests == []
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert "no-such-program-anywhere" in outcome.json["reason"]


def test_exit_code_time_and_output_of_every_command_are_on_record(world: World) -> None:
    world.task("p/01-b", whole=B, validation="test -e b.txt\necho seen >&2; (exit 7)")
    (attempt,) = world.exec("p/01-b").json["attempts"]
    fine, bad = attempt["commands"][0], attempt["commands"][-1]
    assert (fine["exit_code"], fine["passed"]) == (0, True)
    assert (bad["exit_code"], bad["passed"]) == (7, False)
    outputs = [command["output_tail"] for command in attempt["commands"]]
    assert any("seen" in output for output in outputs)
    assert all(command["seconds"] >= 0 for command in attempt["commands"])
    assert all(isinstance(command["line"], int) for command in attempt["commands"])
    (record,) = world.records("p/01-b")
    assert record["attempt"]["commands"] == attempt["commands"]


def test_a_validation_that_is_green_already_is_refused_before_anything_is_spent(
    world: World,
) -> None:
    with world.serve(["```text path=b.txt\nb\n```\n"]) as server:
        path = world.task("p/01-b", writes=["b.txt"], validation="grep -qx one a.txt")
        before = world.tip()
        outcome = world.exec(path)
        assert server.requests == []
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert "passes without the change" in outcome.json["reason"]
    assert outcome.json["cost_usd"] == "0"
    assert world.tip() == before


def test_proof_none_waives_that_and_the_record_says_so(world: World) -> None:
    world.task("p/01-b", whole=B, validation="grep -qx one a.txt", front={"proof": "none"})
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged")
    (record,) = world.records("p/01-b")
    assert any("proof" in note for note in record["notes"])


RUNS_TESTS = """cat > $TMPDIR/run.sh <<'X'
python3 -m unittest discover -s tests
echo finished
X
test -f b.py
sh $TMPDIR/run.sh"""
TEST_B = """import unittest


class TestB(unittest.TestCase):
    def test_x(self):
        import b
        self.assertEqual(b.x, 10)
"""
DENIALS = {
    "python3 -c 'import b; print(b.x == 10)'": "False",
    "python3 -c '\nimport b\ntry:\n    assert b.x == 10\nexcept AssertionError:\n    print(\"FAIL\")'": "FAIL",
    "test -f b.py && if grep -q 10 b.py; then echo OK; else echo 'FAIL: no 10'; fi": "FAIL: no 10",
    "test -f b.py\ngrep -q 10 b.py && echo PASS || echo FAIL": "FAIL",
    "test -f b.py\nif grep -q 10 b.py; then echo OK; else echo 'not there'; fi": "not there",
    "python3 -c 'import b; print(f\"equal: {b.x == 10}\")'": "equal: False",
    "test -f b.py\npython3 -c '\ntry:\n    import b, traceback\n    assert b.x == 10\nexcept AssertionError:\n    "
    "traceback.print_exc()'": "`Traceback",
    "test -f b.py\npython3 -c \"import b; a = {True: 'yes', False: 'no'}; print(a[b.x == 10])\"": "no",
    RUNS_TESTS: "a summary in which 1 test failed",
    "test -f b.py\npython3 -c \"print('ok' if '10' in open('b.py').read() else 'bad') if 1 else 0\"": "bad",
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("command", DENIALS)
def test_a_command_that_passes_and_prints_no_keeps_the_task_at_ready(
    world: World, command: str
) -> None:
    world.commit({"tests/test_b.py": TEST_B})
    world.task("p/01-b", whole={"b.py": "x = 1\n"}, validation=command)
    result = world.exec("p/01-b").json
    assert result["verdict"] == "ready"
    assert f"passed and printed {DENIALS[command]}" in result["reason"]
    world.landed("p/02-c", whole={"b.py": "x = 10\n"}, validation=command, number=2)


def test_what_breaks_in_a_substitution_keeps_the_task_at_ready(world: World) -> None:
    world.task(
        "p/01-b", whole={"b.py": "x = y\n"}, validation='test -f b.py && test -z "$(python3 b.py)"'
    )
    result = world.exec("p/01-b").json
    assert (result["verdict"], "passed and printed `Traceback" in result["reason"]) == (
        "ready",
        True,
    )
    check = 'test -f c.txt && test -z "$(nowhere c.txt)"'
    world.task("p/02-c", whole={"c.txt": "c\n"}, validation=check, number=2)
    assert "nowhere: command not found" in world.exec("p/02-c").json["reason"]
