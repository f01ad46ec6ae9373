"""Packages that the user has fetched, and paths that the settings name, can be read in a validation, never written."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength, run

EACH = pytest.mark.parametrize("strength", STRENGTHS)
CONFINING = pytest.mark.parametrize("strength", STRENGTHS[:2])
HAS_CARGO = shutil.which("cargo") and not subprocess.call(
    ("cargo", "--version"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)
RUSTUP = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
GO_MOD = "module x\n\ngo 1.19\n\nrequire example.com/dep v1.0.0\n"
GO_TEST = """\
package x

import "testing"

func TestF(t *testing.T) {
	if F() != 4 {
		t.Fatal(F())
	}
}
"""


def state(*folders: Path) -> dict[str, tuple[int, int, int]]:
    """What tells that something in folders was changed."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mtime_ns, status.st_size, status.st_mode)
    return found


def assert_right_passes_and_wrong_fails(
    world: World, path: str, texts: tuple[str, str], validation: str, *, env: Mapping[str, str]
) -> None:
    for name, text, verdict in (("b", texts[1], "failed"), ("a", texts[0], "merged")):
        world.task(f"p/{name}", whole={path: text}, validation=validation)
        outcome = world.exec(f"p/{name}", env=env)
        assert outcome.json["verdict"] == verdict, outcome.text


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.skipif(not HAS_CARGO, reason="cargo is not installed")
@EACH
def test_cargo_finds_the_git_dependencies_that_were_fetched(
    world: World, tmp_path: Path, home: Path, strength: str
) -> None:
    dependency = World(tmp_path / "dep")
    dependency.init()
    manifest = '[package]\nname = "dep"\nversion = "1.0.0"\nedition = "2021"\n'
    dependency.commit({"Cargo.toml": manifest, "src/lib.rs": "pub fn two() -> i32 { 2 }\n"})
    own = (
        manifest.replace("dep", "own")
        + f'[dependencies]\ndep = {{ git = "file://{dependency.root}" }}\n'
    )
    test = "#[test]\nfn t() { assert_eq!(own::f(), 4); }\n"
    files = {"Cargo.toml": own, "src/lib.rs": "pub fn f() -> i32 { 0 }\n", "tests/t.rs": test}
    world.commit({**files, ".gitignore": "target\n"})
    run(("cargo", "generate-lockfile"), cwd=world.root, env=RUSTUP)
    world.commit({"Cargo.lock": (world.root / "Cargo.lock").read_text()})
    run(("cargo", "fetch"), cwd=world.root, env=RUSTUP)
    before = state(home / ".cargo")
    assert before
    body = "pub fn f() -> i32 { dep::two() * %s }\n"
    env = {**RUSTUP, **in_strength(world, strength, grade="off")}
    texts = (body % "2", body % "3")
    assert_right_passes_and_wrong_fails(world, "src/lib.rs", texts, "cargo test -q", env=env)
    assert state(home / ".cargo") == before


@pytest.mark.variant
@pytest.mark.skipif(not shutil.which("go"), reason="go is not installed")
@EACH
def test_go_finds_the_modules_that_were_fetched(
    world: World, tmp_path: Path, home: Path, strength: str
) -> None:
    proxy = tmp_path / "proxy/example.com/dep/@v"
    proxy.mkdir(parents=True)
    with zipfile.ZipFile(proxy / "v1.0.0.zip", "w") as archive:
        archive.writestr("example.com/dep@v1.0.0/go.mod", "module example.com/dep\n")
        code = "package dep\n\nfunc Two() int { return 2 }\n"
        archive.writestr("example.com/dep@v1.0.0/dep.go", code)
    (proxy / "v1.0.0.mod").write_text("module example.com/dep\n")
    (proxy / "v1.0.0.info").write_text('{"Version": "v1.0.0"}')
    fetch = {"GOPROXY": f"file://{tmp_path}/proxy", "GONOSUMDB": "*", "GOFLAGS": "-mod=mod"}
    body = 'package x\n\nimport "example.com/dep"\n\nfunc F() int { return dep.Two() * %s }\n'
    world.commit({"go.mod": GO_MOD, "x.go": body % "0", "x_test.go": GO_TEST})
    run(("go", "mod", "tidy"), cwd=world.root, env=fetch)
    world.commit({name: (world.root / name).read_text() for name in ("go.mod", "go.sum")})
    before = state(home / "go")
    assert before
    env = in_strength(world, strength, grade="off")
    texts = (body % "2", body % "3")
    assert_right_passes_and_wrong_fails(world, "x.go", texts, "go test ./...", env=env)
    assert state(home / "go") == before
    run(("go", "clean", "-modcache"), cwd=world.root)


@pytest.mark.variant
@CONFINING
def test_a_path_that_the_settings_name_can_be_read_and_not_written(
    world: World, tmp_path: Path, home: Path, strength: str
) -> None:
    (home / "data").mkdir()
    (home / "data/rate").write_text("2\n")
    world.task("p/a", whole={"b.txt": "2\n"}, validation=f"cmp b.txt {home}/data/rate")
    env = in_strength(world, strength)
    assert world.exec("p/a", env=env).json["verdict"] != "merged"
    world.write({"minitask.yaml": "workspace: {read: [~/data]}\n"})
    outcome = world.exec("p/a", env=env)
    assert outcome.json["verdict"] != "merged"
    assert "workspace.read ignored" in outcome.stderr
    (world.root / "minitask.yaml").unlink()
    env = in_strength(world, strength, workspace={"read": ["~/data"]})
    assert world.exec("p/a", env=env).json["verdict"] == "merged"
    validation = f"test -f c.txt\n! (echo 3 > {home}/data/rate) && ! touch {home}/data/new"
    world.task("p/c", whole={"c.txt": "2\n"}, validation=validation)
    assert world.exec("p/c", env=env).json["verdict"] == "merged"
    assert [path.name for path in (home / "data").iterdir()] == ["rate"]
