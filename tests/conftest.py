"""Every test has a home of its own: no file, key, proxy or date of this machine reaches it."""

from __future__ import annotations

import os
import shutil
import signal
from binascii import crc32
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from world import Once, World

REAL_HOME = Path.home()
FOREIGN = ("GIT_", "MINITASK_", "LC_", "XDG_")
"""Prefixes of variables that a test must not inherit."""
FOREIGN_ENDS = ("_KEY", "_TOKEN", "_PROXY")
FOREIGN_NAMES = (
    *("LANG", "LANGUAGE", "EMAIL", "EDITOR", "VISUAL", "PAGER"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
    *("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "OLLAMA_HOST"),
    "PYTHONDONTWRITEBYTECODE",  # each start of the program would compile all of its files again
)
FIXED = {"GIT_CONFIG_NOSYSTEM": "1", "NO_PROXY": "*", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
ALWAYS = settings(
    deadline=None,  # a busy machine is no fault of the code
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("sample", ALWAYS, max_examples=30, derandomize=True)
settings.register_profile("sweep", ALWAYS, max_examples=300)
MEMORY = Path("/dev/shm")
"""A file system in memory, which costs no wait for a disk."""
MEMORY_BYTES_MIN = 4 << 30
MOST_OF_A_WORLD = 1
"""How many cases of a test that has a repository run always."""
PROCESSOR_MINUTES = 6
"""What a plain run takes of one processor."""
GIT_CONFIG = """\
[user]
    name = Una User
    email = una@example.com
[init]
    defaultBranch = main
[advice]
    detachedHead = false
"""


def is_sweep(config: pytest.Config) -> bool:
    """Whether the slow sweeps run, and they alone."""
    return config.option.markexpr == "sweep"


def pytest_configure(config: pytest.Config) -> None:
    """Say how many examples are drawn and where files go; let signals arrive below `&` and nohup, too."""
    settings.load_profile("sweep" if is_sweep(config) else "sample")
    is_live = config.option.markexpr == "live"  # codex's own sandbox has a /dev of its own
    if not is_live and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def cores() -> int:
    """How many processors there are for the tests."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pytest_xdist_auto_num_workers() -> int:
    """Half a process more for each core: a test waits for a part of its time."""
    return cores() + cores() // 2


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make what draws examples a part of the sweeps, too: it draws more of them there."""
    if is_sweep(item.config) and is_hypothesis_test(getattr(item, "obj", None)):
        item.add_marker("sweep")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make a test's cases variants, but for as many as its mark `sampled` says, or `MOST_OF_A_WORLD`."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("live") or item.get_closest_marker("sweep"):
            continue
        is_costly = "world" in getattr(item, "fixturenames", ())
        if is_costly or item.get_closest_marker("sampled"):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for test, cases in tests.items():
        mark_variants(test, cases)


def mark_variants(test: str, cases: Sequence[pytest.Item]) -> None:
    """Spread the sample evenly over the cases, beginning at another one in each test."""
    mark = cases[0].get_closest_marker("sampled")
    size = min(mark.args[0] if mark else MOST_OF_A_WORLD, len(cases))
    start = crc32(test.encode())
    for number, case in enumerate(cases, start=start):
        if number * size % len(cases) >= size:
            case.add_marker("variant")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say how long a run of everything takes."""
    config = session.config
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if is_whole and not is_sweep(config) and not hasattr(config, "workerinput"):
        busy = min(config.getoption("numprocesses", None) or 1, cores())
        minutes = max(1, round(PROCESSOR_MINUTES / busy))
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(
            f"All checks: about {minutes} min on {busy} cores. "
            "docs/CONTRIBUTING.md lists parts that take less."
        )


def is_foreign(name: str) -> bool:
    """Whether a variable could carry a setting or a secret of this machine into a test."""
    upper = name.upper()
    return upper in FOREIGN_NAMES or upper.startswith(FOREIGN) or upper.endswith(FOREIGN_ENDS)


def real_git_config(home: Path, environ: Mapping[str, str]) -> dict[Path, bytes | None]:
    """The git configuration of whoever runs the tests, by file; None where there is none."""
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [home / ".gitconfig", folder / "git" / "config", folder / "minitask" / "config.yaml"]
    if "GIT_CONFIG_GLOBAL" in environ:
        paths.append(Path(environ["GIT_CONFIG_GLOBAL"]))
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def move_home(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make `folder` the home, with nothing in it but who commits."""
    if folder == REAL_HOME or folder in REAL_HOME.parents:
        pytest.exit(f"the tests would work in the real home: {folder}", returncode=1)
    folder.mkdir(parents=True)
    (folder / ".gitconfig").write_text(GIT_CONFIG)
    patch.setenv("HOME", str(folder))
    patch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    patch.setenv("GIT_CONFIG_GLOBAL", str(folder / ".gitconfig"))


@pytest.fixture(scope="session", autouse=True)
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """Folders for homes, the first for the session; fail where the real one was touched all the same."""
    environ = dict(os.environ)
    before = real_git_config(REAL_HOME, environ)
    top = tmp_path_factory.mktemp("homes")
    folders = (top / str(number) for number in count())
    with pytest.MonkeyPatch.context() as patch:
        for name in filter(is_foreign, list(os.environ)):
            patch.delenv(name)
        for name, value in FIXED.items():
            patch.setenv(name, value)
        move_home(next(folders), patch)
        yield folders
    after = real_git_config(REAL_HOME, environ)
    touched = [str(path) for path in before if before[path] != after[path]]
    assert not touched, f"the tests changed the real home: {', '.join(touched)}"


@pytest.fixture
def home_folder(homes: Iterator[Path]) -> Path:
    """Where the test's own home is to be."""
    return next(homes)


@pytest.fixture(autouse=True)
def home(home_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own home."""
    move_home(home_folder, monkeypatch)
    return home_folder


@pytest.fixture(scope="session")
def first_commit(tmp_path_factory: pytest.TempPathFactory, homes: Iterator[Path]) -> World:
    """The repository of which each `world` is a copy; which sandbox works here is known in it."""
    folder = tmp_path_factory.mktemp("first-commit")
    world, probe = World(folder / "repository"), World(folder / "probe")
    for each in (world, probe):
        each.init()
        each.commit({"a.txt": "one\n"}, message="base")
    probe.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    assert probe.exec("p/01-b").code == 0
    known = Path(".git/minitask/cache/sandbox.json")
    (world.root / known).parent.mkdir(parents=True)
    shutil.copy(probe.root / known, world.root / known)
    return world


@pytest.fixture
def world(first_commit: World, tmp_path: Path) -> World:
    """A repository on branch `main` with one commit, which holds `a.txt`."""
    world = World(tmp_path / "repository")
    shutil.copytree(first_commit.root, world.root)
    return world


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a module's first test leaves its work for those after it."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def once(world: World, kept: Path) -> Once:
    """Do a module's work the first time that it is needed; after that, copy what came of it, with the settings."""

    def done_by(work: Callable[[World], None]) -> World:
        settings = Path.home() / ".config"
        settings.mkdir(exist_ok=True)
        places = {kept / "repository": world.root, kept / "settings": settings}
        if not any(kept.iterdir()):
            work(world)
            for copy, place in places.items():
                shutil.copytree(place, copy, symlinks=True)
        else:
            shutil.rmtree(world.root)
            for copy, place in places.items():
                shutil.copytree(copy, place, symlinks=True, dirs_exist_ok=True)
        return world

    return done_by
