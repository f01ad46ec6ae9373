"""The page that draws the house is what the imports say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_the_house_page_is_up_to_date() -> None:
    argv = (sys.executable, "docs/draw_house.py", "--check")
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, "run `python docs/draw_house.py`" + done.stderr
