"""The table of everyday commands in docs/safety.md says what they do here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

DRAW = Path(__file__).parents[2] / "docs" / "draw_everyday.py"
RUSTUP = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
"""The home of a test is another one."""
SAMPLE = ("make", "unittest", "/tmp", "pool", "localhost", "terminal", "git diff")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "words", [*SAMPLE, pytest.param("", marks=pytest.mark.sweep)], ids=lambda word: word or "all"
)
def test_everyday_commands_do_what_the_page_says(words: str) -> None:
    argv = (sys.executable, str(DRAW), "--check", *filter(None, [words]))
    env = os.environ | RUSTUP
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
