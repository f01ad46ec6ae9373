"""Tests found in source files, which a change takes away, and files in which every test fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minitask.gates.validation.removed_subjects import is_named_after, removed_subjects
from minitask.gates.validation.sentinel import find_lost_tests
from minitask.gates.validation.test_files import find_tests, is_test_path, with_failing_tests
from minitask.spec.parse import parse_file

PYTHON = '''\
import unittest
import pytest

def helper():
    return 1

def test_plain():
    assert helper() == 1

def test_returns():
    return helper()

def test_short(): assert helper()

@pytest.mark.skip
def test_skipped():
    assert False

def test_nothing():
    """Say nothing."""

class TestMany(unittest.TestCase):
    def test_method(self):
        with self.assertRaises(ValueError):
            raise ValueError

    @unittest.skip("no")
    def test_left(self):
        self.fail()


class TestLater(unittest.IsolatedAsyncioTestCase):
    async def test_async(self):
        self.assertTrue(True)'''

NODE = """\
import test, {describe, it} from "node:test";
import assert from "node:assert";
describe("all", () => {
  it("adds", () => { assert.equal(1 + 1, 2); });
  it("is short", () => assert.ok(true));
  it("returns", async () => { return Promise.resolve(1); });
  it("is left", {skip: true}, () => { assert.ok(false); });
});
test("is empty", () => {});
test.todo("later");
"""
RUST = """\
pub fn one() -> u8 { 1 }
#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn adds() { assert_eq!(one() + 1, 2); }
    #[test]
    fn gives() -> Result<(), String> { Ok(()) }
    #[test]
    #[ignore]
    fn left() { panic!(); }
}
"""
GO = """\
package a
import "testing"
func TestAdds(t *testing.T) {
	if One() != 1 { t.Fatal("no") }
}
func TestMain(m *testing.M) { m.Run() }
func helper() {}
"""


def shown(path: str, text: str) -> dict[str, str]:
    return {
        name: ("a" if test.asserts else "-") + ("s" if test.is_skipped else "")
        for name, test in find_tests(path, text).items()
    }


def find_rustc() -> str:
    """The compiler itself: rustup's wrapper needs the real home, which tests do not have."""
    if shutil.which("rustc") is None:
        return ""
    argv = ("rustc", "--print", "sysroot")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode else f"{done.stdout.strip()}/bin/rustc"


RUSTC = find_rustc()


def test_tests_are_found_with_what_they_do() -> None:
    assert shown("test_a.py", PYTHON) == {
        "test_plain": "a",
        "test_returns": "-",
        "test_short": "a",
        "test_skipped": "as",
        "test_nothing": "-",
        "TestMany.test_method": "a",
        "TestMany.test_left": "as",
        "TestLater.test_async": "a",
    }
    assert shown("a.test.mjs", NODE) == {
        "adds": "a",
        "is short": "a",
        "returns": "-",
        "is left": "as",
        "is empty": "-",
    }
    assert shown("src/lib.rs", RUST) == {"adds": "a", "gives": "-", "left": "as"}
    assert shown("a_test.go", GO) == {"TestAdds": "a"}
    assert shown("a.test.ts", "it('x', (a: number): void => { expect(a).toBe(1) })") == {"x": "a"}


@pytest.mark.parametrize("text", ["def test_a(:\n", "\0", "", "x = 1\n", "(" * 500])
def test_a_file_that_cannot_be_read_holds_no_tests(text: str) -> None:
    for path in ("test_a.py", "a.test.js", "a_test.go", "tests/a.rs"):
        assert find_tests(path, text) == {}
        assert with_failing_tests(path, text) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/test_a.py", True),
        ("pkg/a_test.go", True),
        ("src/a.test.tsx", True),
        ("conftest.py", True),
        ("tests/data/x.json", True),
        ("pytest.ini", True),
        ("src/contest.py", False),
        ("src/latest.js", False),
        ("testing.py", False),
        ("src/tests_helper.ts", False),
    ],
)
def test_a_test_file_is_known_by_its_path(path: str, *, expected: bool) -> None:
    assert is_test_path(path) is expected


def outcome(folder: Path, *argv: str) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_every_python_test_fails_at_its_end(tmp_path: Path) -> None:
    text = with_failing_tests("test_a.py", PYTHON)
    assert text is not None
    tmp_path.joinpath("test_a.py").write_text(text)
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_a.py")
    assert "passed" not in outcome(tmp_path, *argv)
    tmp_path.joinpath("test_a.py").write_text(PYTHON)
    assert "6 passed" in outcome(tmp_path, *argv, "-W", "ignore")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_every_node_test_fails_at_its_end(tmp_path: Path) -> None:
    text = with_failing_tests("a.test.mjs", NODE)
    assert text is not None
    tmp_path.joinpath("a.test.mjs").write_text(text)
    told = outcome(tmp_path, "node", "--test", "a.test.mjs")
    assert "pass 0" in told
    assert "fail 4" in told or "fail 5" in told


@pytest.mark.skipif(not RUSTC, reason="rustc is not here")
def test_every_rust_test_fails_at_its_end(tmp_path: Path) -> None:
    text = with_failing_tests("src/lib.rs", RUST)
    assert text is not None
    tmp_path.joinpath("lib.rs").write_text(text)
    subprocess.run([RUSTC, "--test", "lib.rs", "-o", "all"], cwd=tmp_path, check=True)
    assert "0 passed; 2 failed; 1 ignored" in outcome(tmp_path, "./all")


def test_a_go_test_fails_at_its_end() -> None:
    text = with_failing_tests("a_test.go", GO)
    assert text is not None
    assert 'func TestAdds(t *testing.T) { defer t.Error("minitask: this test must fail");' in text
    assert text.count("defer") == 1


def spec(task: str, *, snippets: str = "", files: str = "- `tests/test_a.py`"):
    text = (
        f"# Mini-Task 1: Mend it\n\n**Files to Create/Edit**:\n{files}\n\n## Context\n\nA.\n\n"
        f"## Task\n\n{task}\n\n## Code Snippets\n\n{snippets}\n\n## Validation\n\n```bash\npytest\n```\n"
    )
    return parse_file(text, path="p/01-a.md").specs[0]


BEFORE = "def test_one():\n    assert one()\n\ndef test_two():\n    assert two()\n"
ONE = "def test_one():\n    assert one()\n"
SEARCH = (
    "```python path=tests/test_a.py\n<<<<<<< SEARCH\ndef test_two():\n    assert two()\n=======\n"
    ">>>>>>> REPLACE\n```"
)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (BEFORE, ""),
        (BEFORE + "\ndef test_three():\n    assert 3\n", ""),
        (ONE, "test_two is gone"),
        (BEFORE.replace("test_two", "check_two"), "test_two is gone"),
        (BEFORE.replace("test_two", "test_2"), "test_two is gone"),
        (BEFORE.replace("    assert two()", "    pass"), "test_two checks nothing"),
        ("import pytest\n" + BEFORE.replace("def test_two", "@pytest.mark.skip\ndef test_two"), "is skipped"),
        (BEFORE.replace("    assert two()", "    pytest.skip()\n    assert two()"), "test_two is skipped"),
        ("", "test_one is gone; tests/test_a.py: test_two is gone"),
        (None, "test_one is gone"),
    ],
)  # fmt: skip
def test_tests_that_a_change_takes_away_are_named(after: str | None, told: str) -> None:
    found = find_lost_tests(
        {"tests/test_a.py": BEFORE}, {"tests/test_a.py": after}, spec=spec("1. Mend two().")
    )
    assert told in " ".join(found.doubts)
    assert bool(found.doubts) is bool(told)


def test_a_test_that_moved_to_another_file_is_not_gone() -> None:
    before = {"tests/test_a.py": BEFORE, "tests/test_b.py": None}
    after = {"tests/test_a.py": ONE, "tests/test_b.py": BEFORE.removeprefix(ONE)}
    assert find_lost_tests(before, after, spec=spec("1. Split it.")).doubts == ()
    before["tests/test_b.py"] = BEFORE.removeprefix(ONE)
    assert "test_two is gone" in str(find_lost_tests(before, after, spec=spec("1. Split it.")))


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("1. Remove `test_two`, which is out of date.", True),
        ("1. Delete the obsolete tests.", True),
        ("1. Rename test_two to test_pair.", True),
        ("1. Make `test_two` pass.", False),
        ("1. Replace the loop in two().\n2. Run test_two.", False),
        ("1. Remove the loop. Then all tests pass.", False),
    ],
)
def test_a_spec_says_which_tests_may_go(words: str, *, allowed: bool) -> None:
    found = find_lost_tests({"tests/test_a.py": BEFORE}, {"tests/test_a.py": ONE}, spec=spec(words))
    assert bool(found.doubts) is not allowed


CODE = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
ONLY_ONE = "def one():\n    return 1\n"


@pytest.mark.parametrize(
    ("words", "code", "tests", "told"),
    [
        ("1. Remove `two`.", ONLY_ONE, ONE, ""),
        ("1. Remove dead code.", ONLY_ONE, ONE, ""),
        ("1. Entferne ungenutzte Funktionen.", ONLY_ONE, ONE, ""),
        ("1. Remove `two`.", CODE, ONE, "test_two is gone"),
        ("1. Remove `two`.", f"{ONLY_ONE}\n\nx = two\n", ONE, "test_two is gone"),
        ("1. Mend `two`.", ONLY_ONE, ONE, "test_two is gone"),
        ("1. Remove `two`.", ONLY_ONE, "", "test_one is gone"),
        ("1. Remove `one`.", ONLY_ONE, ONE, "test_two is gone"),
    ],
)
def test_a_test_of_what_the_task_removes_goes_with_it(
    words: str, code: str, tests: str, told: str
) -> None:
    before = {"a.py": CODE, "tests/test_a.py": BEFORE}
    after = {"a.py": code, "tests/test_a.py": tests}
    removed = removed_subjects(before, after, spec=spec(words))
    found = find_lost_tests(before, after, spec=spec(words), removed=removed)
    assert told in " ".join(found.doubts)
    assert bool(found.doubts) is bool(told)


@pytest.mark.parametrize(
    ("test", "subject", "is_its"),
    [
        ("test_old_words_are_split", "old_words", True),
        ("testOldWords", "oldWords", True),
        ("TestOldWords", "OldWords", True),
        ("test_loader_fails", "load", False),
        ("test_words", "old_words", False),
        ("test_words_old_words", "old_words", False),
    ],
)
def test_a_test_is_named_after_what_it_tests(test: str, subject: str, *, is_its: bool) -> None:
    assert is_named_after(test, subject) is is_its


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (BEFORE.replace("two", "pair"), ""),
        (BEFORE.replace("test_two", "test_pair").replace("    assert two()", "    pass"), "test_two"),
        (ONE, "test_two is gone"),
        (BEFORE.replace("test_two", "test_other"), "test_two is gone"),
    ],
)  # fmt: skip
def test_a_test_is_not_gone_under_the_new_name_of_what_it_tests(after: str, told: str) -> None:
    words = spec("1. Rename `two()` to `pair`, and adapt its test.")
    found = find_lost_tests({"tests/test_a.py": BEFORE}, {"tests/test_a.py": after}, spec=words)
    assert told in " ".join(found.doubts)
    assert bool(found.doubts) is bool(told)


def test_a_test_that_was_there_already_is_no_renamed_one() -> None:
    before = BEFORE + "\ndef test_pair():\n    assert pair()\n"
    after = before.replace("def test_two():\n    assert two()\n\n", "")
    words = spec("1. Rename `two()` to `pair`, and adapt its test.")
    found = find_lost_tests({"tests/test_a.py": before}, {"tests/test_a.py": after}, spec=words)
    assert "test_two is gone" in " ".join(found.doubts)


def test_what_the_specs_own_script_takes_away_is_allowed() -> None:
    before, after = {"tests/test_a.py": BEFORE}, {"tests/test_a.py": ONE}
    for snippets in (SEARCH, "```edits\ndelete tests/test_a.py:4-5\n```"):
        assert (
            find_lost_tests(before, after, spec=spec("1. Do it.", snippets=snippets)).doubts == ()
        )
    deleted = {"tests/test_a.py": None}
    told = spec("1. Do it.", files="- `tests/test_a.py` (delete)")
    told = told if told.files[0].action.value == "delete" else None
    if told is not None:
        assert find_lost_tests(before, deleted, spec=told).doubts == ()
