"""What is generated from the source is up to date: the page of the packages, and the plugin for Claude Code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


@pytest.mark.parametrize("script", ["draw_house", "write_plugin"])
def test_what_is_generated_is_up_to_date(script: str) -> None:
    argv = (sys.executable, f"docs/{script}.py", "--check")
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run `python docs/{script}.py`: {done.stderr}"
