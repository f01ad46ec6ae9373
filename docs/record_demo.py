"""Record `minitask demo` as docs/demo.svg: run it for real, and draw what it printed."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 112
STYLES = {"✓": "green", "✗": "red", "$ ": "bold"}


def main() -> None:
    """Run the demo in a temporary folder, and write the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command = ["minitask", "demo", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        printed = done.stdout.replace(str(folder), "minitask-demo")
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in ["$ minitask demo", *_shortened(printed)]:
        style = next((style for mark, style in STYLES.items() if line.startswith(mark)), "")
        console.print(Text(line, style=style, overflow="ellipsis", no_wrap=True))
    target = Path(__file__).with_name("demo.svg")
    svg = console.export_svg(title="minitask demo", unique_id="demo")
    target.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


def _shortened(printed: str) -> list[str]:
    """The lines, each cut where the picture ends."""
    return [line[: WIDTH - 1] + "…" if len(line) > WIDTH else line for line in printed.splitlines()]


if __name__ == "__main__":
    main()
