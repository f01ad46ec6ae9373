"""Tasks are found by the names that people type, and a wrong name is answered with the right one."""

from __future__ import annotations

import pytest

from world import World, model_settings

DONE = "test -f {}.txt"


def task(world: World, name: str) -> None:
    file = name.replace("/", "-")
    world.task(name, whole={f"{file}.txt": f"{name}\n"}, validation=DONE.format(file))


@pytest.fixture
def projects(world: World) -> World:
    for name in ("api/01-routes", "api/03-tests", "web/01-page", "web/02-form"):
        task(world, name)
    return world


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("folder", "word", "name"),
    [
        (".", "03-tests", "api/03-tests"),
        (".", "3", "api/03-tests"),
        (".", "api/1", "api/01-routes"),
        (".", "api/01", "api/01-routes"),
        (".", "web#2", "web/02-form"),
        (".", "mini-projects/web/02-form.md", "web/02-form"),
        ("mini-projects", "web/02-form.md", "web/02-form"),
        ("mini-projects/web", "02-form.md", "web/02-form"),
        ("mini-projects/web", "1", "web/01-page"),
        ("mini-projects/api", "1", "api/01-routes"),
    ],
)
def test_a_task_is_found_by(projects: World, folder: str, word: str, name: str) -> None:
    at = projects.root / folder
    assert projects.minitask("exec", word, "--json", cwd=at).json["task"] == name
    for command in (("show", word), ("diff", word), ("undo", word)):
        outcome = projects.minitask(*command, "--json", cwd=at)
        assert outcome.code == 0, outcome.text
        assert name in outcome.stdout
    assert {row["task"] for row in projects.minitask("log", word, "--json", cwd=at).json} == {name}
    assert projects.minitask("validate", word, cwd=at).stdout == "no errors in 1 spec\n"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("1", "name one of: api/01-routes, web/01-page"),
        ("01-route", "did you mean api/01-routes?"),
        ("api/3-test", "did you mean api/03-tests?"),
        ("wep", "did you mean web?"),
        ("api/9", "choose from api/01-routes, api/03-tests"),
        ("nothing-like-it", "PROJECT/ID"),
        ("mini-projects/api/01-Routes.md", "did you mean api/01-routes?"),
        ("", "the name of a task or project is empty"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_one(projects: World, word: str, hint: str) -> None:
    for command in ("exec", "show", "merge", "undo"):
        outcome = projects.minitask(command, word)
        assert outcome.code == 2, outcome.text
        assert hint in outcome.stderr, command
    if hint.startswith("name one of"):
        assert hint in projects.minitask("validate", word).stderr


@pytest.mark.variant
def test_a_branch_and_a_task_without_spec_are_names_too(projects: World) -> None:
    assert projects.exec("api/01-routes", "--no-merge").json["verdict"] == "ready"
    assert "+api/01-routes" in projects.minitask("diff", "minitask/api/01-routes").stdout
    assert projects.minitask("validate", "minitask/api/01-routes").code == 0
    assert (
        projects.minitask("route", "minitask/api/01-routes", "--json").json[0]["task"]
        == "api/01-routes"
    )
    assert projects.minitask("merge", "routes").code == 2
    assert projects.minitask("merge", "api/1").code == 0
    projects.git("rm", "-q", "mini-projects/api/01-routes.md")
    projects.git("commit", "-qm", "the spec is done")
    assert "merged" in projects.minitask("show", "01-routes").stdout


@pytest.mark.parametrize("project", ["@scope", "#hash", "two  spaces", "a#b"])
def test_a_project_of_any_name_can_be_run_shown_and_undone(world: World, project: str) -> None:
    path = world.task(f"{project}/01-x", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    assert world.minitask("run", project).code == 0
    for command in (("show", path), ("diff", path), ("audit",), ("undo", path)):
        outcome = world.minitask(*command)
        assert outcome.code == 0, (command, outcome.text)
    assert not world.has("b.txt")


@pytest.mark.parametrize("name", [".gitkeep", "README.md", "base/01-x.md"])
def test_a_folder_without_specs_has_no_tasks(world: World, name: str) -> None:
    world.commit({f"mini-projects/{name}": "# Notes\n"})
    outcome = world.minitask("status")
    assert outcome.code == 0, outcome.text


@pytest.mark.parametrize("kind", ["symbolic link", "submodule"])
def test_a_project_that_git_cannot_commit_here_is_told_as_such(world: World, kind: str) -> None:
    world.task("p/01-x", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    world.git("mv", "mini-projects", "tasks")
    if kind == "submodule":
        world.git("update-index", "--add", "--cacheinfo", f"160000,{world.tip()},mini-projects")
        (world.root / "tasks").rename(world.root / "mini-projects")
    else:
        (world.root / "mini-projects").symlink_to("tasks")
        world.git("add", "mini-projects")
    world.git("commit", "-qm", "specs elsewhere")
    outcome = world.minitask("run", "p")
    assert (outcome.code, f"mini-projects is a {kind}: " in outcome.stderr) == (2, True)
    assert "git add" not in outcome.stderr


def test_the_place_of_a_spec_that_is_elsewhere_is_named(projects: World) -> None:
    projects.write({"mini-projects/api/09-new.md": "# Task 9: New\n"})
    for word in ("api/9", "api/09-new"):
        outcome = projects.minitask("exec", word)
        assert "mini-projects/api/09-new.md is not committed" in outcome.stderr
    assert "git add -- mini-projects/api/09-new.md" in outcome.stderr
    (projects.root / "mini-projects/api/09-new.md").unlink()
    projects.write({"mini-projects/new/01-first.md": "# Task 1: First\n"})
    assert "git add -- mini-projects/new" in projects.minitask("run", "new").stderr
    projects.git("switch", "-qc", "feature")
    task(projects, "api/10-late")
    projects.git("switch", "-q", "main")
    outcome = projects.minitask("exec", "api/10-late")
    assert outcome.code == 2
    assert "on branch feature" in outcome.stderr


def test_status_lists_the_project_in_whose_folder_one_is(projects: World) -> None:
    lines = projects.minitask("status", cwd=projects.root / "mini-projects/web").stdout
    assert "web/01-page" in lines
    assert "api/" not in lines


@pytest.mark.parametrize(
    "command", [("exec",), ("validate",), ("import",), ("export", "csv"), ("plan", "--from")]
)
def test_a_link_that_leads_to_itself_is_no_file(world: World, command: tuple[str, ...]) -> None:
    (world.root / "loop.md").symlink_to("loop.md")
    outcome = world.minitask(*command, "loop.md")
    assert (outcome.code, outcome.stderr[:7]) == (2, "error: "), outcome.text
    assert "loop.md" in outcome.stderr


def test_a_mistyped_variable_is_no_setting(world: World) -> None:
    outcome = world.minitask("status", env={"MINITASK_SANDBX": "required"})
    assert (outcome.code, "did you mean MINITASK_SANDBOX?" in outcome.stderr) == (2, True)
    assert world.minitask("status", env={"MINITASK_OF_MY_OWN_TOOL": "1"}).code == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("minitask st", {"status"}),
        ("minitask show api/", {"api/01-routes", "api/03-tests"}),
        ("minitask run w", {"web", "web/01-page", "web/02-form"}),
        ("minitask exec 1 --executor s", {"scripted"}),
    ],
)
def test_a_shell_completes(projects: World, words: str, expected: set[str]) -> None:
    projects.configure(**model_settings("http://127.0.0.1:9"))
    place = str(len(words.split(" ")) - 1)
    env = {"_MINITASK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    outcome = projects.minitask(env=env)
    completed = {line.partition(",")[2] for line in outcome.stdout.splitlines()}
    assert completed == expected, outcome.text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(world: World, shell: str) -> None:
    outcome = world.minitask("completion", shell)
    assert outcome.code == 0
    assert "_MINITASK_COMPLETE" in outcome.stdout
