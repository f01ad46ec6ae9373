"""`kill -9` of the process group at any moment: what is proven stays, so does the user's work, the command completes.

A sample runs always. `pytest -m sweep` kills before, during and after every git call, at every system call by which
git changes something, and by the clock.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import (
    MAIN,
    OTHER,
    STRACE,
    Aftermath,
    Crash,
    Killer,
    Plan,
    Scene,
    build,
    copy,
    stale_files,
)

from world import World

MOVED_MAIN, MOVED_OTHER = Scene(moves=True), Scene(into="other", moves=True)
SCENES = {"main": MAIN, "other": OTHER, "moved-main": MOVED_MAIN, "moved-other": MOVED_OTHER}
CALLS_MAX = 80
CHANGING = ("write", "rename", "link", "unlink", "mkdir", "rmdir", "ftruncate")
"""The system calls by which git changes a file system, but for opening a file."""

SAMPLE = [
    (MAIN, Plan(1, "during")),
    (MAIN, Plan(1, "during", only="checkout")),
    (MAIN, Plan(1, "during", only="clean")),
    (MAIN, Plan(1, "before", only="update-ref")),
    (MAIN, Plan(1, "during", only="update-ref")),
    (MAIN, Plan(1, "during", only="diff-tree")),
    (MAIN, Plan(1, "before", only="merge")),
    (MAIN, Plan(1, "during", only="merge")),
    (MAIN, Plan(1, "after", only="merge")),
    (OTHER, Plan(2, "during", only="update-ref")),
    (MOVED_MAIN, Plan(1, "during", only="merge")),
    (MOVED_MAIN, Plan(1, "after", only="merge")),
    (MOVED_OTHER, Plan(1, "after", only="merge-tree")),
]
OWN = [("rename", 3), ("rename", 8), ("unlink", 2), ("mkdir", 5)]
"""System calls by which the toolkit itself writes, in its main thread."""


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Made once, with whatever home the first test has."""
    return build(tmp_path_factory.mktemp("template") / "repository")


def crash(template: World, folder: Path, scene: Scene, plan: Plan) -> Crash:
    """Run, kill as planned, and check; then run again, and check."""
    world = copy(template, folder / "repository")
    aftermath = Aftermath.before(world, scene)
    crash = Killer(world, folder / "killer").run(scene.plan(plan), *scene.arguments)
    aftermath.check_after_kill(folder / "clones")
    aftermath.check_completion(folder / "clones")
    shutil.rmtree(folder)
    return crash


def called(plan: Plan) -> str:
    """The plan in a few words."""
    return f"{plan.when}-{plan.only or 'call'}-{plan.at}"


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("scene", "plan"),
    [
        pytest.param(scene, plan, id=f"{name}-{called(plan)}")
        for scene, plan in SAMPLE
        for name, known in SCENES.items()
        if known == scene
    ],
)
def test_a_killed_task_completes_when_run_again(
    template: World, tmp_path: Path, scene: Scene, plan: Plan
) -> None:
    assert crash(template, tmp_path / "run", scene, plan).killed


def crash_at_call(template: World, folder: Path, scene: Scene, call: str, at: int) -> Crash:
    """Kill the toolkit at a system call of its own, and check; then run again, and check."""
    world = copy(template, folder / "repository")
    aftermath = Aftermath.before(world, scene)
    killer = Killer(world, folder / "killer", {"MINITASK_SANDBOX": "none"})
    crash = killer.run_traced(call, at, *scene.arguments)
    aftermath.check_after_kill(folder / "clones")
    aftermath.check_completion(folder / "clones")
    shutil.rmtree(folder)
    return crash


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(("call", "at"), OWN)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_a_task_killed_at_a_call_of_the_toolkits_own_completes(
    template: World, tmp_path: Path, call: str, at: int
) -> None:
    assert crash_at_call(template, tmp_path / "run", MAIN, call, at).killed


@pytest.mark.parametrize("call", ["rename", "unlink", "mkdir", "rmdir", "utimensat", "ftruncate"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.sweep
def test_a_task_killed_at_any_change_of_the_toolkits_own_completes(
    template: World, tmp_path: Path, scene: Scene, call: str
) -> None:
    for at in itertools.count(1):
        if not crash_at_call(template, tmp_path / str(at), scene, call, at).killed:
            break


@pytest.mark.variant
def test_a_checkout_that_was_half_written_is_mended(template: World, tmp_path: Path) -> None:
    world = copy(template, tmp_path / "repository")
    aftermath = Aftermath.before(world, MAIN)
    killer = Killer(world, tmp_path / "killer")
    (world.root / ".git/info").mkdir(exist_ok=True)
    (world.root / ".git/info/attributes").write_text("src/made/* filter=deadly\n")
    world.git(
        "config", "filter.deadly.smudge", f"kill -9 -$(cat {killer.folder}/pid); kill -9 $PPID"
    )
    assert killer.run(Plan(0, "before"), *MAIN.arguments).outcome.code == -9
    assert world.git("diff", "--name-only", "src").splitlines() == ["src/app.py"]
    assert stale_files(world) == ["index.lock", "minitask/advance.json"]
    world.git("config", "--remove-section", "filter.deadly")
    aftermath.check_after_kill(tmp_path / "clones")
    aftermath.check_completion(tmp_path / "clones")


@pytest.mark.variant
def test_a_git_call_that_outlives_the_kill_is_waited_for(tmp_path: Path) -> None:
    """It would check the base out again, in the middle of the next command's validation of the result."""
    world = build(
        tmp_path / "repository",
        validation="grep -qx 'LEVEL = 2' src/app.py\nsleep 1.5\ntest -e src/made/new.py",
    )
    aftermath = Aftermath.before(world, MAIN)
    plan = Plan(1, "orphan", only="checkout", seconds=1.5)
    assert Killer(world, tmp_path / "killer").run(plan, *MAIN.arguments).killed
    aftermath.check_completion(tmp_path / "clones")


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize("sandbox", ["auto", "none"])
def test_a_validation_that_outlives_the_kill_cannot_spoil_the_next(
    tmp_path: Path, sandbox: str
) -> None:
    mended = tmp_path / "repository/.git/objects/info/mended"
    world = build(
        tmp_path / "repository",
        validation="grep -qx 'LEVEL = 2' src/app.py && touch reached\n"
        f"[ -e {mended} ] || [ ! -e reached ] || {{ sleep 1; rm -rf $PWD/src; sleep 60; }}\n"
        "sleep 1.5\n"
        "test -e src/made/new.py",
    )
    world.configure(sandbox=sandbox)
    aftermath = Aftermath.before(world, MAIN)
    scratch = tmp_path / "scratch"
    reached = world.slot / "tree/reached"
    killer = Killer(world, tmp_path / "killer", {"TMPDIR": str(scratch)})
    assert killer.run_until(reached.exists, *MAIN.arguments).killed
    mended.touch()
    aftermath.check_after_kill(tmp_path / "clones")
    aftermath.check_completion(tmp_path / "clones")
    assert not list(scratch.glob("*"))


@pytest.mark.parametrize("moment", ["before", "during", "after", "orphan"])
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
@pytest.mark.sweep
def test_a_task_killed_at_any_git_call_completes(
    template: World, tmp_path: Path, scene: Scene, moment: str
) -> None:
    def plans() -> Iterator[Plan]:
        for at in itertools.count(1):
            yield Plan(at, moment, seconds=0.25 if moment == "orphan" else 0.001 * (1 + at % 6))

    sweep(template, tmp_path, scene, plans())


@pytest.mark.parametrize("moment", ["inside", "alone"])
@pytest.mark.parametrize("call", CHANGING)
@pytest.mark.parametrize(
    ("scene", "only", "at"),
    [
        (MAIN, "merge", 1),
        (OTHER, "update-ref", 2),
        (MAIN, "update-ref", 1),
        (MAIN, "checkout", 1),
        (MOVED_OTHER, "update-ref", 2),
    ],
)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.sweep
def test_a_task_killed_at_any_change_that_git_makes_completes(
    template: World, tmp_path: Path, scene: Scene, only: str, at: int, call: str, moment: str
) -> None:
    def plans() -> Iterator[Plan]:
        for number in itertools.count(1):
            inject = f"inject={call}:signal=SIGKILL:when={number}"
            yield Plan(at, moment, only=only, tracer=(*STRACE, "-e", inject))

    sweep(template, tmp_path, scene, plans(), at_least=0)


def sweep(
    template: World, folder: Path, scene: Scene, plans: Iterator[Plan], *, at_least: int = 10
) -> None:
    """Crash by one plan after another until one is past the command's end; then tell all that went wrong."""
    wrong = []
    kills = 0
    for number, plan in enumerate(plans, 1):
        try:
            done = crash(template, folder / f"run-{number}", scene, plan)
        except AssertionError as error:
            wrong.append(f"{plan}: {error}")
            shutil.rmtree(folder / f"run-{number}", ignore_errors=True)
            continue
        kills += done.killed
        unharmed = not done.killed and done.outcome.code == 0
        past = unharmed if plan.tracer else plan.at > len(done.calls)
        if past or number > CALLS_MAX * 10:
            break
    print(f"{kills} kills, {len(wrong)} wrong")  # noqa: T201 - figures, with -rA
    assert not wrong, "\n\n".join(wrong)
    assert kills >= at_least


@pytest.mark.sweep
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_task_killed_at_any_time_completes(template: World, tmp_path: Path, scene: Scene) -> None:
    for number in itertools.count(1):
        folder = tmp_path / str(number)
        world = copy(template, folder / "repository")
        aftermath = Aftermath.before(world, scene)
        end = time.monotonic() + 0.1 + 0.011 * number
        done = Killer(world, folder / "killer").run_until(
            lambda end=end: time.monotonic() > end, *scene.arguments
        )
        aftermath.check_after_kill(folder / "clones")
        aftermath.check_completion(folder / "clones")
        shutil.rmtree(folder)
        if not done.killed:
            break
