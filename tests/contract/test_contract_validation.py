"""The validation: every command is judged by itself, and a green one proves nothing."""

from __future__ import annotations

import pytest

from world import World

B = {"b.txt": "b\n"}


def commands(outcome_json: dict) -> list[tuple[str, bool]]:
    (attempt,) = outcome_json["attempts"]
    return [(command["command"], command["passed"]) for command in attempt["commands"]]


@pytest.mark.parametrize(
    "failing",
    [
        'grep -q "missing" b.txt && echo OK',
        "false; true",
        'python3 -c "raise SystemExit(1)" | tail',
        "grep -q missing b.txt",
        "(exit 3)",
        "if true; then false; fi",
        "x=$(false)",
    ],
)
def test_a_command_that_fails_fails_the_task_whatever_follows_it(
    world: World, failing: str
) -> None:
    world.task("p/01-b", whole=B, validation=f"{failing}\ngrep -qx b b.txt\ntrue")
    before = world.tip()
    outcome = world.exec("p/01-b")
    assert outcome.code == 1
    assert outcome.json["verdict"] == "failed"
    (attempt,) = outcome.json["attempts"]
    assert attempt["gate"] == "validate"
    assert False in [command["passed"] for command in attempt["commands"]]
    assert world.tip() == before
    assert not world.has("b.txt")
    assert not (world.root / "b.txt").exists()


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


def test_directory_variables_and_functions_carry_over(world: World) -> None:
    validation = 'word=b\nhas() { grep -qx "$1" "$2"; }\nmkdir -p out && cd out\nhas $word ../b.txt'
    world.task("p/01-b", whole=B, validation=validation)
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text


def test_a_validation_that_ends_the_shell_early_does_not_pass(world: World) -> None:
    world.task("p/01-b", whole=B, validation="test -e b.txt\nexit 0\nfalse")
    outcome = world.exec("p/01-b")
    assert outcome.code in {1, 2}
    assert not world.has("b.txt")


@pytest.mark.parametrize(
    "commented",
    [
        "grep -q missing b.txt  # expect: exit 1",
        "seq 620 | wc -l  # expect: output ~600 ±50",
        'cat b.txt  # expect: output contains "b"',
        "grep missing b.txt || true  # expect: no output",
        "test -e b.txt  # expect: fails before",
    ],
)
def test_an_expectation_that_holds_passes(world: World, commented: str) -> None:
    world.task("p/01-b", whole=B, validation=f"{commented}\ngrep -qx b b.txt")
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.parametrize(
    "commented",
    [
        "true  # expect: exit 1",
        "seq 651 | wc -l  # expect: output ~600 ±50",
        'cat b.txt  # expect: output contains "two"',
        "cat b.txt  # expect: no output",
    ],
)
def test_an_expectation_that_does_not_hold_fails_the_task(world: World, commented: str) -> None:
    world.task("p/01-b", whole=B, validation=f"grep -qx b b.txt\n{commented}")
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert commands(outcome.json)[0] == ("grep -qx b b.txt", True)
    assert not world.has("b.txt")


def test_a_command_that_must_fail_before_and_does_not_stops_the_task(world: World) -> None:
    validation = "true  # expect: fails before\ngrep -qx b b.txt"
    world.task("p/01-b", whole=B, validation=validation)
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "refused")
    assert not world.has("b.txt")


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


def test_where_a_task_creates_a_test_the_refusal_names_it_as_an_example(world: World) -> None:
    world.task(
        "p/01-b",
        whole={"tests/test_b.py": "def test_b():\n    assert True\n"},
        validation="grep -qx one a.txt",
    )
    outcome = world.exec("p/01-b")
    assert outcome.code == 1
    assert outcome.json["reason"].endswith("for example one that runs tests/test_b.py by itself")


def test_proof_none_waives_that_and_the_record_says_so(world: World) -> None:
    world.task("p/01-b", whole=B, validation="grep -qx one a.txt", front={"proof": "none"})
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (0, "merged")
    (record,) = world.records("p/01-b")
    assert any("proof" in note for note in record["notes"])


def test_a_command_that_outlives_its_time_fails_the_task(world: World) -> None:
    validation = "if [ -e b.txt ]; then sleep 30; fi\ntest -e b.txt"
    world.task("p/01-b", whole=B, validation=validation, front={"timeout_seconds": 1})
    outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert outcome.json["seconds"] < 20
    assert not world.has("b.txt")


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


def test_a_value_that_is_false_is_no_comparison(world: World) -> None:
    world.task(
        "p/01-b", whole={"b.py": "x = False\n"}, validation="python3 -c 'import b; print(b.x)'"
    )
    assert world.exec("p/01-b").json["verdict"] == "merged"


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


def test_a_program_that_is_not_there_is_no_search_without_a_match(world: World) -> None:
    check = "test -f b.txt\n! nowhere -q old b.txt"
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation=check)
    result = world.exec("p/01-b").json
    assert result["verdict"] == "refused"
    assert "needs `nowhere`, which was not found" in result["reason"]
