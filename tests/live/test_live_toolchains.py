"""Tools from their registries: a right change passes and a wrong one fails, and the user's files stay as they are.

pytest -m live tests/live/test_live_toolchains.py
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength

pytestmark = pytest.mark.live
EACH = pytest.mark.parametrize("strength", STRENGTHS)


def package(name: str, **more: object) -> str:
    return json.dumps({"name": name, "version": "1.0.0", "type": "module", **more})


WORKSPACES = {
    ".gitignore": "node_modules\n",
    "package.json": package("root", private=True, workspaces=["packages/*"], devDependencies={"vitest": "^3"}),
    "pnpm-workspace.yaml": "packages: ['packages/*']\n",
    "packages/a/package.json": package("a", main="index.js"),
    "packages/a/index.js": "export const price = (n) => n;\n",
    "packages/b/package.json": package("b", dependencies={"a": "VERSION"}),
    "packages/b/b.test.js": (
        "import { expect, test } from 'vitest';\nimport { price } from 'a';\n"
        "test('price', () => expect(price(2)).toBe(4));\n"
    ),
}  # fmt: skip


MANAGERS = {
    "npm": ("1.0.0", ("npm", "install", "--no-audit", "--no-fund")),
    "pnpm": ("workspace:*", ("npx", "--yes", "pnpm@9", "install", "--no-frozen-lockfile")),
}
"""How each names a package of the repository itself, and how it installs."""
SHARED = ("node_modules", "packages/a/node_modules", "packages/b/node_modules")


@pytest.fixture(scope="module", params=MANAGERS)
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository's files with what a package manager installs for them."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    version, argv = MANAGERS[request.param]
    for name, text in WORKSPACES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("VERSION", version))
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"vitest cannot be had: {(done.stderr or done.stdout).strip()[-200:]}")
    return folder


def state(folder: Path) -> Mapping[str, str]:
    """Every file and link below a folder, with its content."""

    def entries() -> Iterator[tuple[str, str]]:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                yield str(path), str(path.readlink())
            elif path.is_file():
                yield str(path), hashlib.sha256(path.read_bytes()).hexdigest()

    return dict(entries())


@EACH
def test_workspaces_and_vitest(world: World, installed: Path, strength: str) -> None:
    world.commit({name: (installed / name).read_text() for name in WORKSPACES})
    for name in filter(lambda name: (installed / name).exists(), SHARED):
        shutil.copytree(installed / name, world.root / name, symlinks=True)
    before = state(world.root / "node_modules")
    env = in_strength(world, strength, workspace={"share": list(SHARED)})
    for name, body, verdict in (("p/b", "n * 3", "failed"), ("p/a", "n * 2", "merged")):
        text = f"export const price = (n) => {body};\n"
        world.task(name, whole={"packages/a/index.js": text}, validation="npx vitest run")
        outcome = world.exec(name, env=env)
        assert outcome.json["verdict"] == verdict, outcome.text
    assert state(world.root / "node_modules") == before
