"""Format, lint and types, run as anybody would run them: the whole of what a change must pass is `pytest`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "arguments",
    [("ruff", "format", "--check", "."), ("ruff", "check", "."), ("mypy",)],
    ids=["format", "lint", "types"],
)
def test_the_code_passes(arguments: tuple[str, ...], tmp_path: Path) -> None:
    if importlib.util.find_spec(arguments[0]) is None:
        pytest.skip(f"{arguments[0]} is not installed")
    cache = ("--cache-dir", str(tmp_path)) if arguments[0] == "ruff" else ()
    done = subprocess.run(
        [sys.executable, "-m", *arguments, *cache],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ci_tries_the_oldest_versions_that_are_allowed() -> None:
    """`.github/oldest.txt` is the lower bounds of `pyproject.toml`: change both."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (TOP / ".github/oldest.txt").read_text("utf-8").splitlines()
    oldest = [line.replace("==", ">=") for line in lines if not line.startswith("#")]
    assert oldest == project["dependencies"]
