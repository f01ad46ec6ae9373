"""What is shared is never written to, and what in it names the checkout names the workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minitask.sandbox.shared_layers import Copied, in_place
from world import run, write_program


@pytest.fixture
def copied(tmp_path: Path) -> Copied:
    top, tree = tmp_path / "top", tmp_path / "tree"
    packages = top / ".venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (packages / "shop.pth").write_text(f"{top}/src\n{top}2/src\n")
    (packages / "data.txt").write_text(f"{top}/src\n")
    (top / ".venv/bin").mkdir()
    write_program(top / ".venv/bin/tool", f"#!{top}/.venv/bin/python\n")
    (top / ".venv/near").symlink_to("../src/near")
    (top / ".venv/far").symlink_to(top / "src/far")
    (top / ".venv/system").symlink_to("/usr/bin/env")
    return Copied(top / ".venv", tree / ".venv", tmp_path / "note", top, tree)


def test_a_copy_leads_into_the_workspace(copied: Copied) -> None:
    copied.ensure()
    tree, top = copied.tree, copied.top
    packages = copied.target / "lib/python3.11/site-packages"
    assert (packages / "shop.pth").read_text() == f"{tree}/src\n{top}2/src\n"
    assert (packages / "data.txt").read_text() == f"{top}/src\n"
    assert (copied.target / "bin/tool").read_text() == f"#!{tree}/.venv/bin/python\n"
    assert os.access(copied.target / "bin/tool", os.X_OK)
    links = {name: str((copied.target / name).readlink()) for name in ("near", "far", "system")}
    assert links == {"near": "../src/near", "far": f"{tree}/src/far", "system": "/usr/bin/env"}
    assert (copied.source / "bin/tool").read_text() == f"#!{top}/.venv/bin/python\n"


def test_pipes_and_sockets_are_left_out(copied: Copied) -> None:
    os.mkfifo(copied.source / "pipe")
    copied.ensure()
    assert not (copied.target / "pipe").exists()
    assert (copied.target / "bin/tool").exists()
    assert copied.is_intact()


ANEW = {
    "write": "echo other > bin/tool",
    "add": "mkdir .vite-temp",
    "remove": "rm near",
}
CHANGES = ANEW | {
    "hide": "echo hidden > bin/.more; chmod 0 bin",
    "lead elsewhere": "mv bin old; ln -s old bin",
    "forbid to write": "echo other > bin/more; chmod 555 bin",
}
"""What a command does to a shared folder, as the command."""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_only_what_changed_is_copied_again(copied: Copied, change: str) -> None:
    copied.ensure()
    kept = copied.target / "lib/python3.11/site-packages/shop.pth"
    before = kept.stat().st_ino
    run(("sh", "-e", "-c", change), cwd=copied.target)
    copied.ensure()
    assert kept.stat().st_ino == before
    assert (copied.target / "bin").stat().st_mode == (copied.source / "bin").stat().st_mode
    assert (copied.target / "bin/tool").read_text().startswith(f"#!{copied.tree}/")
    names = {path.relative_to(copied.target) for path in copied.target.rglob("*")}
    assert names == {path.relative_to(copied.source) for path in copied.source.rglob("*")}
    assert copied.is_intact()


@pytest.mark.parametrize("change", ANEW.values(), ids=ANEW)
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_copy_is_made_anew_where_it_or_its_source_changed(
    copied: Copied, change: str, side: str
) -> None:
    copied.ensure()
    before = copied.target.stat().st_ino
    copied.ensure()
    assert copied.target.stat().st_ino == before
    assert copied.is_intact()
    run(("sh", "-e", "-c", change), cwd=getattr(copied, side))
    assert not copied.is_intact()
    copied.ensure()
    names = {path.relative_to(copied.target) for path in copied.target.rglob("*")}
    assert names == {path.relative_to(copied.source) for path in copied.source.rglob("*")}


def test_what_is_installed_in_place_is_found(copied: Copied) -> None:
    top = copied.top
    package = top / "lib/pay"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    finder = copied.source / "lib/python3.11/site-packages/__editable___pay_finder.py"
    finder.write_text(f"MAPPING = {{'pay': '{package}'}}\n")
    path = os.pathsep.join(["/usr/bin", str(copied.source / "bin"), "relative/bin"])
    assert set(in_place(path, str(top))) == {"src", "lib"}
    assert in_place("/usr/bin", str(top)) == ()


def test_a_folder_that_forbids_to_write_is_copied_and_renewed_by_any_user(tmp_path: Path) -> None:
    top, tree = tmp_path / "top", tmp_path / "tree"
    folder = top / "vendor/a/b"
    folder.mkdir(parents=True)
    copied = Copied(top / "vendor", tree / "vendor", tmp_path / "note", top, tree)
    with as_user(tmp_path):
        for name in ("one", "two"):
            folder.chmod(0o755)
            (folder / name).write_text(name)
            folder.chmod(0o555)
            copied.ensure()
            assert (tree / "vendor/a/b" / name).read_text() == name
            assert (tree / "vendor/a/b").stat().st_mode & 0o777 == 0o555
            assert copied.is_intact()


def test_one_file_is_copied(tmp_path: Path) -> None:
    top, tree = tmp_path / "top", tmp_path / "tree"
    top.mkdir()
    (top / ".env").write_text("A=1\n")
    copied = Copied(top / ".env", tree / ".env", tmp_path / "note", top, tree)
    for text in ("A=1\n", "A=2\n"):
        (top / ".env").write_text(text)
        copied.ensure()
        assert (tree / ".env").read_text() == text
        assert copied.is_intact()


@contextmanager
def as_user(folder: Path) -> Iterator[None]:
    """Be somebody to whom rights apply, who owns what is in the folder."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, nobody)
    above = [path for path in folder.parents if path.stat().st_mode & 0o011 != 0o011]
    modes = {path: path.stat().st_mode for path in above}
    for path in above:
        path.chmod(modes[path] | 0o011)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)
