"""Which folders a `PATH` needs, and which it must never bring along."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from minitask.sandbox.policy import SandboxPolicy
from minitask.sandbox.toolchain import Toolchain, find_toolchain
from minitask.sandbox.user_folders import UserFolders, user_folders
from world import write_program


def program(path: Path) -> Path:
    write_program(path, "#!/bin/sh\n")
    return path


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


def test_an_installation_comes_whole(home: Path) -> None:
    program(home / "node-22" / "bin" / "node")
    (home / "node-22" / "lib").mkdir()
    assert roots(home, home / "node-22" / "bin") == [f"{home}/node-22"]


def test_a_folder_of_programs_without_an_installation_comes_alone(home: Path) -> None:
    program(home / ".docker" / "bin" / "docker")
    (home / ".docker" / "config.json").write_text("secret")
    assert roots(home, home / ".docker" / "bin") == [f"{home}/.docker/bin"]


@pytest.mark.parametrize("entry", ["bin", ".local/bin"])
def test_the_home_and_its_private_folders_never_come_whole(entry: str, home: Path) -> None:
    program(home / entry / "tool")
    (home / entry).parent.joinpath("lib").mkdir()
    assert roots(home, home / entry) == [f"{home}/{entry}"]


def test_nothing_above_the_home_comes_whole(home: Path) -> None:
    program(home.parent / "bin" / "tool")
    (home.parent / "lib").mkdir()
    assert roots(home, home.parent / "bin") == [f"{home.parent}/bin"]


def test_a_checkout_never_comes_whole(home: Path) -> None:
    program(home / "project" / "bin" / "tool")
    (home / "project" / "lib").mkdir()
    (home / "project" / ".git").mkdir()
    assert roots(home, home / "project" / "bin") == [f"{home}/project/bin"]


def test_a_virtual_environment_brings_the_python_it_was_made_from(home: Path) -> None:
    base = home / "pythons" / "3.12"
    program(base / "bin" / "python3.12")
    (base / "lib").mkdir()
    venv = home / "project" / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("version = 3.12\n")
    (venv / "bin" / "python").symlink_to(base / "bin" / "python3.12")
    assert sorted(roots(home, venv / "bin")) == sorted([str(venv), str(base)])


def test_a_virtual_environment_of_copies_names_its_python_in_its_config(home: Path) -> None:
    base = home / "pythons" / "3.12"
    program(base / "bin" / "python3.12")
    (base / "lib").mkdir()
    venv = home / "project" / ".venv"
    program(venv / "bin" / "python")
    (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\n")
    assert sorted(roots(home, venv / "bin")) == sorted([str(venv), str(base)])


def test_a_version_keeper_comes_whole_although_it_is_a_checkout(home: Path) -> None:
    program(home / ".pyenv" / "shims" / "python")
    (home / ".pyenv" / ".git").mkdir()
    assert roots(home, home / ".pyenv" / "shims") == [f"{home}/.pyenv"]


def test_links_bring_what_they_lead_to(home: Path) -> None:
    tool = home / ".local" / "share" / "venvs" / "tool"
    program(tool / "bin" / "tool")
    (tool / "pyvenv.cfg").write_text("")
    single = program(home / ".local" / "share" / "single" / "1.0")
    links = home / ".local" / "bin"
    links.mkdir()
    (links / "tool").symlink_to("../share/venvs/tool/bin/tool")
    (links / "single").symlink_to(single)
    (links / "broken").symlink_to(home / "gone")
    assert sorted(roots(home, links)) == sorted([str(links), str(tool), str(single)])


def test_a_chain_of_links_is_followed_hop_by_hop(home: Path) -> None:
    real = home / "store" / "python-3.12.4"
    program(real / "bin" / "python3")
    (real / "lib").mkdir()
    (home / "store" / "python-3.12").symlink_to(real)
    links = home / "links"
    links.mkdir()
    (links / "python").symlink_to(home / "store" / "python-3.12" / "bin" / "python3")
    assert sorted(roots(home, links)) == sorted(
        [str(links), str(home / "store" / "python-3.12"), str(real)]
    )


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
