"""What a base's run leaves in the build cache is there for later runs; what a candidate's run leaves is not."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength

RUSTUP = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
CONFINING = pytest.mark.parametrize("strength", STRENGTHS[:2])
ON = {"build_cache": ["DEMO_CACHE"]}
SEEN = 'test -e "$DEMO_CACHE/base" || { echo b >"$DEMO_CACHE/base"; false; }'
"""Green only where an earlier run left something."""


def kept(world: World) -> Iterator[Path]:
    """The files of the cache, below the folder of its variable."""
    for folder in (world.slot.parent.parent / "build-cache").glob("*/kept/*"):
        yield from (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


@pytest.mark.variant
@CONFINING
def test_only_a_base_run_leaves_something(world: World, strength: str) -> None:
    env = in_strength(world, strength, workspace=ON, grade="off")
    poison = 'if test -f one.txt; then echo g >"$DEMO_CACHE/green" && rm "$DEMO_CACHE/base"; fi'
    world.task("p/a", whole={"one.txt": "1\n"}, validation=f"test -f one.txt\n{SEEN}\n{poison}")
    outcome = world.exec("p/a", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert sorted(map(str, kept(world))) == ["base"]
    validation = f'test -f two.txt\ntest ! -e "$DEMO_CACHE/green"\n{SEEN}'
    world.task("p/b", whole={"two.txt": "1\n"}, validation=validation)
    outcome = world.exec("p/b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    world.minitask("undo", "p/b")
    assert list(kept(world)) == []


UNSEEN = {
    "GOCACHE": {"x/x.go": 'package x\n\n// #include "../c/c.h"\nimport "C"\n'},
    "MYPY_CACHE_DIR": {"pyproject.toml": '[tool.mypy]\nplugins = ["own.plugin"]\n'},
}
"""Of each variable, what its tool does not follow: C, and what a plugin imports."""


@pytest.mark.variant
@pytest.mark.parametrize("variable", UNSEEN)
def test_a_tool_that_would_miss_changes_is_left_cold(world: World, variable: str) -> None:
    in_strength(world, "strong", workspace={"build_cache": True}, grade="off")
    for name, sign in (("one", "-n"), ("two", "-z")):
        validation = f'test -f {name}.txt\ntest {sign} "${variable}"'
        world.task(f"p/{name}", whole={f"{name}.txt": "1\n"}, validation=validation)
        outcome = world.exec(f"p/{name}")
        assert outcome.json["verdict"] == "merged", outcome.text
        if sign == "-n":
            world.commit(UNSEEN[variable])


GO_TEST = """\
package x

import (
	"os"
	"os/exec"
	"testing"
)

func TestText(t *testing.T) {
	text, _ := exec.Command("cat", "text").Output()
	if string(text) != "right\\n" && os.Getenv("X") == "" {
		t.Fatal(string(text))
	}
}
"""
GO = {"go.mod": "module x\n\ngo 1.19\n", "x/x_test.go": GO_TEST, "x/x.go": "package x\n"}
CARGO = {
    "Cargo.toml": '[package]\nname = "own"\nversion = "1.0.0"\nedition = "2021"\n',
    "build.rs": """\
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=TEXT={}", std::fs::read_to_string("text").unwrap().trim());
}
""",
    "src/lib.rs": '#[test]\nfn t() { assert_eq!(env!("TEXT"), "right"); }\n',
}
TOOLS = {
    "go": (GO, "x/text", "go test ./..."),
    "mypy": ({"x.py": "from y import f\n\nf().upper()\n"}, "y.py", "mypy x.py"),
    "cargo": (CARGO, "text", "cargo test -q --offline"),
}
"""Of each: files, the one that decides, and the validation: a change that the tool itself may overlook."""
CONTENT = {"y.py": ("def f() -> str: return ''\n", "def f() -> int: return 10\n")}


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("tool", "strength"),
    [("go", "strong"), ("cargo", "strong"), ("mypy", "strong"), ("mypy", "partial")],
)
def test_a_warm_tool_sees_each_change(world: World, tool: str, strength: str) -> None:
    """The base was right before: what its run left must not have a wrong change pass."""
    own_path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if not shutil.which(tool, path=own_path):
        pytest.skip(f"{tool} is not installed")
    files, path, command = TOOLS[tool]
    right, wrong = CONTENT.get(path, ("right\n", "wrong\n"))
    settings = {"workspace": {"build_cache": True}, "grade": "off"}
    env = {**RUSTUP, "PATH": own_path, **in_strength(world, strength, **settings)}
    env["PATH"] = f"{env['PATH']}{os.pathsep}{own_path}"
    world.commit({**files, path: right, ".gitignore": "target\nCargo.lock\n"})
    world.task("p/a", whole={"one.txt": "1\n"}, validation=f"test -f one.txt\n{command}")
    outcome = world.exec("p/a", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert any(kept(world))
    validation = f"test -f two.txt\n{command}"
    world.task("p/b", whole={path: wrong, "two.txt": "2\n"}, validation=validation)
    outcome = world.exec("p/b", env=env)
    assert outcome.json["verdict"] == "failed", outcome.text
