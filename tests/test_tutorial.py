"""Every command of the tutorial, run in order by a shell; what is printed is what the page shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from contract.test_contract_way_in import Ollama
from executors.model_server import scripted_server
from world import environment

PAGE = Path(__file__).parents[1] / "docs" / "tutorial.md"
PROGRESS = re.compile(
    r"^\S+/\S+: (route|before|implement|validate|merge|review|plan|grade|done): .*\n", re.MULTILINE
)
"""Lines that a terminal shows in place, one after the other."""
REPLY = """\
```python path=price.py
<<<<<<< SEARCH
    return amount * 2
=======
    return max(amount, 0) * 2
>>>>>>> REPLACE
```
"""


def steps() -> Iterator[tuple[str, str]]:
    """Each command of the page, with what the page shows of its output."""
    for token in MarkdownIt("commonmark").parse(PAGE.read_text("utf-8")):
        if token.type == "fence" and token.info == "console":
            for part in f"\n{token.content}".split("\n$ ")[1:]:
                lines = part.rstrip("\n").split("\n")
                end = lines.index("EOT") + 1 if "<<'EOT'" in lines[0] else 1
                yield "\n".join(lines[:end]), "\n".join(lines[end:])


def pattern(shown: str) -> str:
    """A regular expression for a shown text: `…` is anything in a line, a line of it any lines."""
    rows = [
        r"(?:.*\n)*" if row == "…" else re.escape(row).replace("…", ".*") + "\n"
        for row in shown.splitlines()
    ]
    return "".join(rows)


@pytest.mark.variant
def test_what_the_tutorial_shows_happens(tmp_path: Path) -> None:
    folder = tmp_path
    with scripted_server(Ollama(REPLY)) as server:
        env = environment({"OLLAMA_HOST": server.origin.removeprefix("http://")})
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        for command, shown in steps():
            done = subprocess.run(
                ("bash", "-c", f"{command}\npwd > {shlex.quote(str(tmp_path / 'pwd'))}"),
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            folder = Path((tmp_path / "pwd").read_text().strip())
            printed = done.stdout + PROGRESS.sub("", done.stderr)
            if shown:
                assert re.fullmatch(pattern(shown), printed), f"$ {command}\n{printed}"
