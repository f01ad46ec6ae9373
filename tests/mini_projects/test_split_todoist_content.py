"""The split of 2,897 lines: what the generator writes, and that the nine specs do what they say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from worked_example import (
    PROJECTS,
    Contents,
    apply_spec,
    failed_commands,
    load_spec,
    load_specs,
    read_tree,
    write_tree,
)

from minitask.edits.grammar import covers, parse_script
from minitask.spec.project import check_project
from minitask.spec.quality import check_quality

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = PROJECTS / "split-todoist"
MONOLITH = "core/agents/todoist.py"
WRONG = "06-extract-knowledge-tools"
ANY_ORDER = (
    "07-extract-wizard-integration",
    "04-extract-gtd-tools",
    "05-extract-reminder-tools",
    "03-extract-task-tools",
)


def run_generator(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-B", "generate.py", *arguments)
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def run_tests(folder: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-B", "-m", "unittest", "-q")
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    folder = tmp_path_factory.mktemp("original")
    assert run_generator(str(folder)).returncode == 0
    return read_tree(folder)


def split(original: Contents, *ids: str) -> Contents:
    present = original
    for name in ids:
        spec = load_spec(FOLDER / f"{name}.md")
        present = apply_spec(spec, original=original, present=present)
    return present


def test_the_module_has_2897_lines(original: Contents):
    assert original[MONOLITH].count("\n") == 2897
    assert original[MONOLITH].endswith("\n")


def test_the_same_bytes_are_written_every_time(original: Contents, tmp_path: Path):
    run_generator(str(tmp_path))
    assert read_tree(tmp_path) == original


def test_the_tests_of_the_generated_agent_pass(original: Contents, tmp_path: Path):
    done = run_tests(write_tree(original, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Ran 30 tests" in done.stderr


def test_the_tests_of_the_generated_agent_can_fail(original: Contents, tmp_path: Path):
    right, wrong = "start = max(start, ", "start = min(start, "
    assert original[MONOLITH].count(right) == 1
    broken = original[MONOLITH].replace(right, wrong)
    done = run_tests(write_tree({**original, MONOLITH: broken}, tmp_path))
    assert done.returncode == 1


def test_the_lines_that_the_specs_cite_are_right():
    done = run_generator("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_line_number_is_found(tmp_path: Path):
    copy = tmp_path / "split-todoist"
    shutil.copytree(FOLDER, copy)
    spec = copy / "03-extract-task-tools.md"
    spec.write_text(spec.read_text("utf-8").replace(":376-", ":377-"), "utf-8")
    done = run_generator("--check", folder=copy)
    assert done.returncode == 1
    assert done.stderr.startswith("03-extract-task-tools.md: ")


def test_the_generator_says_how_it_is_used():
    done = run_generator()
    assert done.returncode == 2
    assert "generate.py OUTDIR" in done.stderr


def test_the_specs_are_without_a_diagnostic():
    specs = load_specs("split-todoist")
    assert len(specs) == 9
    assert check_project(specs) == ()
    assert [found for spec in specs for found in check_quality(spec)] == []


def test_no_spec_needs_a_model():
    for spec in load_specs("split-todoist"):
        script = parse_script(spec.snippets, source=spec.path)
        assert covers(script, {ref.path for ref in spec.writes()}), spec.path


def test_no_task_depends_on_the_wrong_one():
    specs = load_specs("split-todoist")
    assert all(WRONG not in spec.options.depends_on for spec in specs)
    (wrong,) = (spec for spec in specs if spec.options.id == WRONG)
    assert "wrong on purpose" in wrong.context


@pytest.mark.variant
def test_every_right_task_fails_before_it_and_passes_after_it_and_the_wrong_one_never_does(
    original: Contents, tmp_path: Path
):
    present = original
    for spec in load_specs("split-todoist"):
        name = spec.options.id or ""
        before = write_tree(present, tmp_path / f"{name}-before")
        assert failed_commands(spec, before, only_first=True), name
        result = apply_spec(spec, original=original, present=present)
        failed = failed_commands(spec, write_tree(result, tmp_path / name))
        if name == WRONG:
            assert len(failed) == 1
            assert "knowledge_summary" in failed[0]
        else:
            assert failed == [], name
            present = result
    assert "core/agents/todoist_agent/knowledge_tools.py" not in present
    assert max(text.count("\n") for path, text in present.items() if "todoist_agent/" in path) < 700
    assert run_tests(write_tree(present, tmp_path / "landed")).returncode == 0


@pytest.mark.variant
def test_the_extractions_give_one_result_in_any_order(original: Contents):
    first = ("01-create-package", "02-extract-base")
    forwards = split(original, *first, *sorted(ANY_ORDER), "08-export-public-api")
    backwards = split(original, *first, *ANY_ORDER, "08-export-public-api")
    assert forwards == backwards


@pytest.mark.variant
def test_the_wrong_task_passes_once_its_range_is_corrected(original: Contents, tmp_path: Path):
    present = split(original, "01-create-package", "02-extract-base")
    spec = load_spec(FOLDER / f"{WRONG}.md", replace=(":2025-2515 ->", ":2025-2533 ->"))
    result = apply_spec(spec, original=original, present=present)
    assert failed_commands(spec, write_tree(result, tmp_path)) == []
