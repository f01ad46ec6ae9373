"""Which folders a `PATH` needs, and which it must never bring along."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from minitask.sandbox.policy import SandboxPolicy
from minitask.sandbox.toolchain import Toolchain, find_toolchain
from minitask.sandbox.user_folders import UserFolders, user_folders
from world import write_program


def program(path: Path) -> Path:
    return write_program(path, "#!/bin/sh\n")


def lay_out(home: Path, items: str) -> None:
    """Make programs, folders (`a/`), files (`a = text`) and links (`a -> b`; `./b` as it is written)."""
    for item in items.split(", "):
        name, is_text, text = item.partition(" =")
        name, _, target = name.partition(" -> ")
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            path.symlink_to(target[2:] if target.startswith("./") else home / target)
        elif is_text:
            path.write_text(text.lstrip(" ").format(home=home))
        elif name.endswith("/"):
            path.mkdir()
        else:
            program(path)


def found(home: Path, *entries: Path | str) -> Toolchain:
    return find_toolchain(":".join(map(str, entries)), home=str(home))


def folders_of(home: Path, *entries: Path | str, **variables: str) -> UserFolders:
    """Return what is there now: folders are looked for again where a variable differs, or after a second."""
    variables["ATTEMPT"] = uuid4().hex
    environ = {"HOME": str(home), "PATH": ":".join(map(str, entries)), **variables}
    return user_folders(SandboxPolicy(home / "workspace", environ))


def roots(home: Path, *entries: Path | str) -> list[str]:
    return found(home, *entries).roots


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / "user"
    folder.mkdir(parents=True)
    return folder.resolve()


def test_the_systems_own_folders_need_nothing(home: Path) -> None:
    assert "/usr/bin" not in roots(home, "/usr/bin", "/bin", "/sbin")
    assert not [root for root in roots(home, "/usr/bin", "/bin") if root.startswith("/usr")]


def test_entries_that_are_relative_or_missing_are_passed_over(home: Path) -> None:
    assert roots(home, "", ".", "bin", home / "nowhere") == []


PYTHON = "pythons/3.12/bin/python3.12, pythons/3.12/lib/"
TOOL = ".local/share/venvs/tool"
SINGLE = ".local/share/single/1.0"
STORE = "store/python-3.12.4"
LINKS = (
    ".local/bin/tool -> ./../share/venvs/tool/bin/tool, "
    f".local/bin/single -> {SINGLE}, .local/bin/broken -> gone"
)
BROUGHT = {
    # fact: (what there is below the home, the entry of PATH, what comes)
    "an installation, whole": ("node-22/bin/node, node-22/lib/", "node-22/bin", "node-22"),
    "a folder of programs without an installation, alone": (
        ".docker/bin/docker, .docker/config.json = secret", ".docker/bin", ".docker/bin"
    ),
    "never the whole home": ("bin/tool, lib/", "bin", "bin"),
    "never a whole private folder of the home": (".local/bin/tool, .local/lib/", ".local/bin", ".local/bin"),
    "nothing whole above the home": ("../bin/tool, ../lib/", "../bin", "../bin"),
    "never a whole checkout": ("project/bin/tool, project/lib/, project/.git/", "project/bin", "project/bin"),
    "the python that a virtual environment was made from": (
        f"{PYTHON}, venv/pyvenv.cfg = version = 3.12\n, venv/bin/python -> pythons/3.12/bin/python3.12",
        "venv/bin",
        "pythons/3.12 venv",
    ),
    "the python that the config of a virtual environment of copies names": (
        f"{PYTHON}, venv/bin/python, venv/pyvenv.cfg = home = {{home}}/pythons/3.12/bin\n",
        "venv/bin",
        "pythons/3.12 venv",
    ),
    "a version keeper, whole though it is a checkout": (".pyenv/shims/python, .pyenv/.git/", ".pyenv/shims", ".pyenv"),
    "what links lead to": (
        f"{TOOL}/bin/tool, {TOOL}/pyvenv.cfg =, {SINGLE}, {LINKS}",
        ".local/bin",
        f".local/bin {SINGLE} {TOOL}",
    ),
    "each hop of a chain of links": (
        f"{STORE}/bin/python3, {STORE}/lib/, store/python-3.12 -> {STORE}, links/a -> store/python-3.12/bin/python3",
        "links",
        f"links store/python-3.12 {STORE}",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "entry", "brought"), BROUGHT.values(), ids=BROUGHT)
def test_an_entry_of_path_brings(home: Path, layout: str, entry: str, brought: str) -> None:
    lay_out(home, layout)
    expected = [os.path.normpath(home / each) for each in brought.split()]
    assert sorted(roots(home, os.path.normpath(home / entry))) == expected


def test_rust_brings_its_toolchains_but_not_its_credentials(home: Path) -> None:
    program(home / ".cargo" / "bin" / "cargo")
    (home / ".cargo" / "credentials.toml").write_text("secret")
    (home / ".rustup").mkdir()
    assert roots(home, home / ".cargo" / "bin") == [f"{home}/.cargo/bin"]
    folders = folders_of(home, home / ".cargo" / "bin")
    assert folders.roots == (f"{home}/.rustup",)
    assert folders.env == {"RUSTUP_HOME": f"{home}/.rustup"}
    (home / ".cargo/registry").mkdir()
    folders = folders_of(home, home / ".cargo" / "bin")
    assert folders.roots == (f"{home}/.rustup", f"{home}/.cargo/registry")
    assert folders.env["CARGO_HOME"] == f"{home}/.cargo"


@pytest.mark.parametrize(
    ("line", "is_shown"),
    [
        ('credential-provider = "cargo:token"', True),
        ('replace-with = "mirror"\nlocal-registry = "/srv/crates"', True),
        ('index = "ssh://git@host/index"', True),
        ('[registries.mine]\ntoken = "abc"', False),
        ('[env]\nOPENAI_API_KEY = { value = "abc" }', False),
        ('[http]\nproxy = "http://me:abc@proxy:3128"', False),
    ],
)
def test_cargos_settings_are_shown_unless_they_hold_a_key(
    home: Path, line: str, *, is_shown: bool
) -> None:
    program(home / ".cargo" / "bin" / "cargo")
    (home / ".cargo/config.toml").write_text(f"[source.crates-io]\n{line}\n")
    shown = folders_of(home, home / ".cargo" / "bin").roots
    assert shown == ((f"{home}/.cargo/config.toml",) if is_shown else ())


@pytest.mark.parametrize(
    ("folder", "entry", "variable"),
    [
        (".pyenv", ".pyenv/shims", "PYENV_ROOT"),
        (".volta", ".volta/bin", "VOLTA_HOME"),
        (".asdf", ".asdf/shims", "ASDF_DATA_DIR"),
        (".local/share/mise", ".local/share/mise/shims", "MISE_DATA_DIR"),
    ],
)
def test_a_version_manager_is_named_where_it_is_in_use(
    home: Path, folder: str, entry: str, variable: str
) -> None:
    (home / entry).mkdir(parents=True)
    assert variable not in folders_of(home, "/usr/bin").env
    assert folders_of(home, home / entry).env[variable] == f"{home}/{folder}"


def test_packages_that_pip_installed_for_the_user_are_found(home: Path) -> None:
    packages = home / ".local/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    (home / ".local/lib/secret").touch()
    folders = folders_of(home, "/usr/bin")
    assert folders == UserFolders((str(packages),), {"PYTHONUSERBASE": f"{home}/.local"})


def test_tools_of_dotnet_lead_to_no_dotnet_in_the_home(home: Path) -> None:
    (home / ".dotnet/tools").mkdir(parents=True)
    (home / ".dotnet/corefx/cryptography").mkdir(parents=True)
    assert folders_of(home, home / ".dotnet/tools") == UserFolders((), {})
    assert roots(home, home / ".dotnet/tools") == [f"{home}/.dotnet/tools"]


def test_a_folder_that_a_variable_names_is_shown_unless_it_is_the_home(home: Path) -> None:
    (home.parent / "rustup").mkdir()
    named = {"RUSTUP_HOME": f"{home.parent}/rustup", "GOMODCACHE": str(home), "NVM_DIR": "/"}
    folders = folders_of(home, "/usr/bin", **named)
    assert folders.roots == (f"{home.parent}/rustup",)
    assert dict(folders.env) == {"RUSTUP_HOME": f"{home.parent}/rustup"}


def test_a_folder_of_node_programs_brings_its_packages(home: Path) -> None:
    program(home / "project" / "node_modules" / ".bin" / "eslint")
    (home / "project" / ".git").mkdir()
    assert roots(home, home / "project" / "node_modules" / ".bin") == [
        f"{home}/project/node_modules"
    ]
