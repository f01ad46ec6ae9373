"""The whole validation is run on the base, and what no change can mend ends the task before anything is spent."""

from __future__ import annotations

import pytest

from world import World


def test_a_submodule_is_filled_from_the_checkout_at_the_recorded_commit(world: World) -> None:
    inner = World(world.root.parent / "inner")
    inner.init()
    inner.commit({"lib.txt": "recorded\n"})
    allow = ("-c", "protocol.file.allow=always")
    world.git(*allow, "submodule", "--quiet", "add", str(inner.root), "ext/lib")
    world.git("commit", "--quiet", "--message", "submodule")
    (world.root / "ext/lib/lib.txt").write_text("edited by the user\n")
    world.task(
        "p/01-b",
        whole={"b.txt": "b\n"},
        validation="test -f b.txt\ngrep -qx recorded ext/lib/lib.txt\necho n > ext/lib/lib.txt",
    )
    world.task(
        "p/02-c",
        whole={"c.txt": "c\n"},
        validation="test -f c.txt\ngrep -qx recorded ext/lib/lib.txt",
    )
    assert world.exec("p/01-b").json["verdict"] == "merged"
    assert world.exec("p/02-c").json["verdict"] == "merged"
    in_one = "test -f d.txt && grep -qx recorded ext/lib/lib.txt"
    world.landed("p/03-d", whole={"d.txt": "d\n"}, validation=in_one)


@pytest.mark.parametrize("how", ["never filled", "a commit that nobody has", "inside of another"])
def test_a_submodule_that_the_checkout_cannot_fill_is_named_with_what_fills_it(
    world: World, how: str
) -> None:
    above, allow = world.root.parent, ("-c", "protocol.file.allow=always")
    for name in ("inner", "outer"):
        World(above / name).init()
        World(above / name).commit({"lib.txt": "recorded\n"})
    add = (*allow, "submodule", "--quiet", "add", str(above / "inner"))
    World(above / "outer").git(*add, "in")
    World(above / "outer").git("commit", "-qm", "submodule")
    world.git(*add[:-1], str(above / "outer"), "ext")
    if how == "never filled":
        world.git("commit", "-qm", "submodule")
        world.git("submodule", "--quiet", "deinit", "-f", "ext")
    elif how != "inside of another":
        world.git("update-index", "--cacheinfo", f"160000,{'1' * 40},ext")
    world.git("commit", "-qm", "submodule", check=False)
    fill = (
        "git -C ext submodule update --init in"
        if "inside" in how
        else "git submodule update --init ext"
    )
    path = "ext/in/lib.txt" if "inside" in how else "ext/lib.txt"
    world.task(
        "p/01-b", whole={"b.txt": "b\n"}, validation=f"test -f b.txt\ngrep -qx recorded {path}"
    )
    outcome = world.exec("p/01-b")
    assert outcome.json["verdict"] == "refused", outcome.text
    assert f"fix: check it out: {fill}" in outcome.json["reason"]
    if how == "inside of another":
        world.git("-C", "ext", *allow, *fill.split()[3:])
        assert world.exec("p/01-b").json["verdict"] == "merged"


@pytest.mark.variant
def test_tags_of_the_repository_are_in_the_workspace(world: World) -> None:
    world.git("tag", "v1.0")
    for name in ("b.txt", "c.txt"):
        validation = (
            f"test -f {name}\ntest $(git describe --tags --abbrev=0) = v1.{name == 'c.txt':d}"
        )
        world.landed(f"p/{name[0]}", whole={name: "n\n"}, validation=validation)
        world.git("tag", "--force", "v1.1")


@pytest.mark.parametrize("setting", ["lint", "checks"])
@pytest.mark.parametrize(
    ("command", "is_missing"),
    [
        ("A=1 no-such-linter {files} || exit 1", True),
        ("for f in {files}; do test -e $f; done", False),
        ("lint() { true; }; lint", False),
        ("PATH=$PWD/tools:$PATH; tool {files}", False),
        ("b.txt", False),
    ],
)
def test_a_missing_program_of_the_settings_costs_no_call(
    world: World, setting: str, command: str, *, is_missing: bool
) -> None:
    reply = "```text path=b.txt\nb\n```\n"
    with world.serve([reply] * 4, **{setting: [command.replace("{files}", "a.txt")]}) as server:
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt")
        outcome = world.exec("p/01-b").json
        assert (len(server.requests) == 0) is is_missing
    assert (
        f"of `{setting}` needs `no-such-linter`, which was not found" in outcome["reason"]
    ) is is_missing


def test_a_reason_names_the_setting_whose_command_failed(world: World) -> None:
    world.configure(lint=["grep -q no {files}"])
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    reason = world.exec("p/01-b").json["reason"]
    assert reason == "`grep -q no b.txt` of the config's `lint` failed: exit code 1"


@pytest.mark.parametrize("setting", ["lint", "checks"])
@pytest.mark.parametrize("title", ["Write a file", "Make make pass"])
def test_a_command_of_the_settings_that_fails_without_the_change_costs_one_call(
    world: World, setting: str, title: str
) -> None:
    world.commit({"Makefile": "all:\n\t@echo 'a.txt: 1 error'; exit 1\n"})
    reply = "```text path=b.txt\nb\n```\n"
    with world.serve([reply] * 4, **{setting: ["cd .", "make"]}) as server:
        world.task("p/01-b", writes=["b.txt"], validation="grep -qx b b.txt", title=title)
        outcome = world.exec("p/01-b").json
        is_asked_for = "make" in title
        assert (len(server.requests) == 1) is not is_asked_for
    same = f"`make` of the config's `{setting}` fails the same way without the change"
    assert (same in outcome["reason"]) is not is_asked_for
