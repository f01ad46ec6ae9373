"""The docs site is built without a warning, and its generated pages hold every command and setting."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None, reason="needs pip install -e '.[docs]'"
)


def test_the_site_is_built_without_a_warning() -> None:
    site = TOP / "site"
    done = subprocess.run(
        (sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(TOP / ".ci/mkdocs.yml")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    commands = (site / "reference/commands/index.html").read_text("utf-8")
    listed = subprocess.run(
        (sys.executable, "-m", "minitask", "--help"), capture_output=True, text=True, check=True
    )
    names = re.findall(r"^  ([a-z][a-z-]+)  ", listed.stdout, re.MULTILINE)
    assert len(names) > 20
    assert [name for name in names if f'id="{name}"' not in commands] == []
    schemas = (site / "reference/schemas/index.html").read_text("utf-8")
    settings = json.loads((TOP / "schemas/config.schema.json").read_text("utf-8"))["properties"]
    assert [name for name in settings if f"<code>{name}</code>" not in schemas] == []
    for page in site.rglob("*.html"):
        sources = re.findall(r'(?:src|href)="(https?://[^"]+)"', page.read_text("utf-8"))
        loaded = [url for url in sources if url.endswith((".js", ".css", ".woff2"))]
        assert loaded == [], f"{page}: requests that leave the site"
