"""Write .claude-plugin/, the plugin for Claude Code: `python docs/write_plugin.py`, or `--check` in CI."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from minitask import __version__
from minitask.planning.agent_guides import AGENTS

TOP = Path(__file__).parents[1]
PLUGIN = ".claude-plugin/minitask"
ABOUT = {
    "name": "minitask",
    "description": "Delegate code changes to cheap models: small specs in, validated git branches out.",
}
AUTHOR = {"name": "The minitask developers"}


def texts() -> dict[str, str]:
    """Return the plugin's files, and the marketplace that offers it, by their paths."""
    skill, run = AGENTS["claude"]
    marketplace = {**ABOUT, "owner": AUTHOR, "plugins": [{**ABOUT, "source": f"./{PLUGIN}"}]}
    manifest = {**ABOUT, "version": __version__, "author": AUTHOR, "license": "Apache-2.0"}
    return {
        ".claude-plugin/marketplace.json": json.dumps(marketplace, indent=2) + "\n",
        f"{PLUGIN}/.claude-plugin/plugin.json": json.dumps(manifest, indent=2) + "\n",
        f"{PLUGIN}/skills/minitask/SKILL.md": f"{skill.head}{skill.text}\n",
        f"{PLUGIN}/commands/run.md": f"{run.head}{run.text}\n",
    }


def main() -> None:
    """Write the files, or say which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a file is out of date")
    check = parser.parse_args().check
    wanted = {TOP / name: text for name, text in texts().items()}
    there = {path for path in (TOP / ".claude-plugin").rglob("*") if path.is_file()}
    stale = [
        path
        for path in sorted(wanted.keys() | there)
        if path not in wanted or path not in there or path.read_text("utf-8") != wanted[path]
    ]
    if check and stale:
        sys.exit("\n".join(path.relative_to(TOP).as_posix() for path in stale))
    for path in stale:
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()


if __name__ == "__main__":
    main()
