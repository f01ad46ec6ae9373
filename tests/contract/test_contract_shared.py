"""What the checkout shares with a workspace stays the user's; what leads from it into the checkout tests the commit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from world import STRENGTHS, World, in_strength, write_program

SANDBOXES = pytest.mark.parametrize("sandbox", ["auto", "none"])
SHARE = {"share": ["packages.d"]}


def checkout(world: World, sandbox: str) -> None:
    """A checkout that shares a folder of packages, one of which is a link to the repository's own."""
    world.configure(sandbox=sandbox, workspace=SHARE)
    world.commit({".gitignore": "packages.d/\n", "core/rate": "1\n"})
    world.write({"packages.d/tool": "tool\n"})
    (world.root / "packages.d/core").symlink_to("../core")


@SANDBOXES
def test_a_linked_package_is_the_commits(world: World, sandbox: str) -> None:
    checkout(world, sandbox)
    world.task("p/01-b", whole={"core/rate": "2\n"}, validation="grep -qx 2 packages.d/core/rate")
    assert world.exec("p/01-b").json["verdict"] == "merged"


@SANDBOXES
def test_a_shared_link_brings_the_folder_to_which_it_leads(world: World, sandbox: str) -> None:
    """Relative links in it, and paths of programs that name it, lead where they should."""
    world.configure(sandbox=sandbox, workspace=SHARE)
    world.commit({".gitignore": "packages.d\nkept/\n", "core/rate": "1\n"})
    tool = f"#!{world.root}/kept/deep/bin/sh\necho tool\n"
    write_program(world.root / "kept/deep/bin/tool", tool)
    (world.root / "kept/deep/bin/sh").symlink_to("/bin/sh")
    (world.root / "kept/deep/core").symlink_to("../../core")
    (world.root / "packages.d").symlink_to("kept/deep")
    validation = "grep -qx 2 packages.d/core/rate\npackages.d/bin/tool | grep -qx tool"
    for name, rate, verdict in (("wrong", 3, "failed"), ("right", 2, "merged")):
        world.task(f"p/{name}", whole={"core/rate": f"{rate}\n"}, validation=validation)
        assert world.exec(f"p/{name}").json["verdict"] == verdict


@SANDBOXES
def test_what_one_task_writes_there_nobody_else_sees(world: World, sandbox: str) -> None:
    checkout(world, sandbox)
    validation = (
        "test -f {0}\n"
        "test ! -e packages.d/cache\n"
        "grep -qx tool packages.d/tool\n"
        "mkdir packages.d/cache && echo n > packages.d/tool\n"
        "test -d packages.d/cache"
    )
    for name in ("b.txt", "c.txt"):
        world.task(f"p/{name[0]}", whole={name: "n\n"}, validation=validation.format(name))
    assert world.minitask("run", "p", "--json").code == 0
    assert (world.root / "packages.d/tool").read_text() == "tool\n"
    assert not (world.root / "packages.d/cache").exists()


@pytest.mark.variant
@SANDBOXES
def test_a_package_installed_in_place_is_the_commits(world: World, sandbox: str) -> None:
    """An activated virtual environment in the checkout, with the project installed by `pip install -e .`."""
    world.configure(sandbox=sandbox)
    world.commit({".gitignore": ".venv/\n", "src/shop.py": "RATE = 1\n"})
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = f".venv/lib/{version}/site-packages"
    world.write(
        {
            f"{packages}/shop.pth": f"{world.root}/src\n",
            ".venv/pyvenv.cfg": f"home = {Path(sys.executable).resolve().parent}\n",
        }
    )
    (world.root / ".venv/bin").mkdir()
    (world.root / ".venv/bin/python").symlink_to(os.path.realpath(sys.executable))
    world.task(
        "p/01-b",
        whole={"src/shop.py": "RATE = 2\n"},
        validation="python -c 'import shop; assert shop.RATE == 2'",
    )
    path = f"{world.root}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    outcome = world.exec("p/01-b", env={"PATH": path})
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.variant
@pytest.mark.sampled(2)
@SANDBOXES
@pytest.mark.parametrize("bring", ["share", "copy"])
def test_what_the_commit_has_there_is_the_commits(world: World, sandbox: str, bring: str) -> None:
    """The checkout holds another text at a path that is tracked: the commit is judged, not the user's folder."""
    world.configure(sandbox=sandbox, workspace={bring: ["vendor"]})
    world.commit({"vendor/rate": "1\n"})
    world.write({"vendor/rate": "2\n", "vendor/extra": "mine\n"})
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx 2 vendor/rate")
    outcome = world.exec("p/01-b")
    assert outcome.code == 1
    world.task(
        "p/02-c",
        whole={"c.txt": "c\n"},
        validation="grep -qx 1 vendor/rate && test ! -e vendor/extra && test -f c.txt",
    )
    outcome = world.exec("p/02-c")
    assert outcome.json["verdict"] == "merged", outcome.text


@pytest.mark.variant
@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_package_installed_for_the_user_is_the_commits(
    world: World, home: Path, strength: str
) -> None:
    """By `pip install --user -e .`, whether the folder of its programs is on `PATH` or not."""
    env = in_strength(world, strength)
    world.commit({"src/shop.py": "RATE = 1\n"})
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = home / f".local/lib/{version}/site-packages"
    packages.mkdir(parents=True)
    (packages / "shop.pth").write_text(f"{world.root}/src\n")
    python = os.path.realpath(sys.executable)
    for rate, verdict in ((3, "failed"), (2, "merged")):
        world.task(
            f"p/{verdict}",
            whole={"src/shop.py": f"RATE = {rate}\n"},
            validation=f"{python} -c 'import shop; assert shop.RATE == 2'",
        )
        assert world.exec(f"p/{verdict}", env=env).json["verdict"] == verdict
