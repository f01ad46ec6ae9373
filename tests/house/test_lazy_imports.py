"""What is slow to import is imported only by what needs it: each program runs in a Python of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

LINT = """
from minitask.gates.lint import check_lint
from minitask.edits.script_model import Change
from minitask.spec.model import Spec
spec = Spec("s.md", "1", "t")
class Empty:
    names = holding = lambda self, *_: {}
    read = lambda self, path: None
lint = lambda path, text: check_lint([Change(path, text)], read={}.get, spec=spec, candidate=Empty())
"""
PARSED = "from minitask.spec.parse import parse_file\nspec = parse_file({!r}, path='x').specs[0]\n"
PROGRAMS = {
    "the price list": "import minitask.policy.prices\nassert 'genai_prices' not in sys.modules",
    "the schema, for a spec without front matter": (
        PARSED.format("# Mini-Task 1: T\n\n## Task\n\ndo\n")
        + "assert spec.task == 'do'\nassert not {'jsonschema', 'yaml', 'tree_sitter'} & set(sys.modules)"
    ),
    "the schema, for a sound spec": (
        PARSED.format("---\nid: a\ntier: none\n---\n# Mini-Task 1: A\n")
        + "assert spec.options.id == 'a'\nassert 'jsonschema' not in sys.modules"
    ),
    "the grammar of commands": """
from minitask.spec.model import Fence
from minitask.spec.validation_commands import split_commands
split_commands(Fence("bash", 'grep -q "a" b.py && echo OK\\n'))
assert "tree_sitter" not in sys.modules
split_commands(Fence("bash", "a; b\\n"))
assert "tree_sitter" in sys.modules
""",
    "the parser of a language": f"""{LINT}
names = lambda: {{n for n in sys.modules if n.startswith(("tree_sitter", "tomllib"))}}
assert not names(), names()
lint("a.txt", "x")
assert not names(), names()
lint("a.go", "package a")
assert {{n for n in names() if "." not in n}} == {{"tree_sitter", "tree_sitter_go"}}, names()
""",
    "the check of imports": f"""{LINT}
loaded = lambda: "minitask.gates.imports.imports" in sys.modules
lint("a.py", "x = 1"), lint("a.js", 'import "a"'), lint("a.go", 'import "./a"')
assert not loaded()
lint("a.py", "import os")
assert loaded()
""",
    "the forges, for commands that need none": """
from importlib import import_module
for name in ("exec", "merge", "plan", "review", "run", "status", "sync"):
    import_module(f"minitask.cli.{name}")
assert not {"httpx", "minitask.forge.forge"} & set(sys.modules)
""",
    "the SDK of MCP, for other commands": """
import minitask.cli as cli
[cli.group.get_command(None, name) for name in cli.COMMANDS]
assert "mcp" not in sys.modules
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_it_is_imported_only_where_it_is_needed(program: str) -> None:
    argv = (sys.executable, "-c", f"import sys\n{program}")
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
