"""Encodings: of the terminal, which may lack characters, and of files, some of which are not text."""

from __future__ import annotations

import pytest

from world import MINITASK, World, run


@pytest.mark.sampled(2)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp437", "ascii", "koi8-r:strict"])
def test_a_task_lands_whatever_the_encoding(world: World, encoding: str) -> None:
    world.task("p/01-b", whole={"b.txt": "b\n"}, validation="grep -qx b b.txt")
    outcome = world.minitask("exec", "p/01-b", env={"PYTHONIOENCODING": encoding})
    assert outcome.code == 0, outcome.text
    assert "p/01-b" in outcome.stdout
    assert world.show("b.txt") == "b\n"
    assert world.minitask("doctor", env={"PYTHONIOENCODING": encoding}).code in (0, 1)


def test_a_locale_that_misreads_the_folders_path_is_named_with_a_fix(world: World) -> None:
    folder = world.root.rename(world.root.with_name("Übung"))
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = run((*MINITASK, "status"), cwd=folder, env=old, check=False)
    assert (ended.code, "  fix: export PYTHONUTF8=1\n" in ended.stderr) == (2, True), ended.text
    fixed = run((*MINITASK, "status"), cwd=folder, env={**old, "PYTHONUTF8": "1"}, check=False)
    assert fixed.code == 0, fixed.text


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\0\0", "one\ntwo\n".encode("utf-16")])
def test_of_a_binary_file_a_model_is_told_the_name_alone(world: World, content: bytes) -> None:
    world.commit({"logo.bin": content})
    path = world.task(
        "p/01-b", reads=["logo.bin"], writes=["b.txt (create)"], validation="grep -qx b b.txt"
    )
    assert "W221 logo.bin is a binary file" in world.minitask("validate", path).stdout
    with world.serve(["```text path=b.txt\nb\n```\n"]) as server:
        assert world.exec("p/01-b").json["verdict"] == "merged"
        (request,) = server.requests
    assert "read: logo.bin" in request.prompt
    assert "\0" not in request.prompt
    assert "\ufffd" not in request.prompt


def test_a_binary_file_that_a_chat_model_writes_anew_goes_back(world: World) -> None:
    world.commit({"logo.bin": b"\x89PNG\r\n\0\0"})
    world.task("p/01-b", writes=["logo.bin (edit)"], validation="grep -q blue logo.bin")
    with world.serve(["```text path=logo.bin\nblue\n```\n"] * 4):
        outcome = world.exec("p/01-b")
    assert (outcome.code, outcome.json["verdict"]) == (1, "failed")
    assert world.show("logo.bin") != "blue\n"


def test_a_large_file_is_better_cited_in_part(world: World) -> None:
    world.commit({"big.txt": "twenty characters ..\n" * 6_000})
    whole, cited = (
        world.task(f"p/0{number}-b", writes=[path], number=number, validation="grep -q end big.txt")
        for number, path in ((1, "big.txt (edit)"), (2, "big.txt (lines 5990-6000)"))
    )
    outcome = world.minitask("validate", whole)
    assert outcome.code == 0
    assert "W222 big.txt is sent whole: 126,000 characters, about 31,500 tokens" in outcome.stdout
    assert "W222" not in world.minitask("validate", cited).stdout


def test_a_script_that_moves_a_binary_file_needs_no_warning(world: World) -> None:
    world.commit({"logo.bin": b"\x89PNG\r\n\0\0"})
    path = world.task(
        "p/01-b",
        snippets="```edits\nrename logo.bin -> img/logo.bin\n```\n",
        writes=["logo.bin (delete)", "img/logo.bin (create)"],
        validation="test -f img/logo.bin",
    )
    assert "W221" not in world.minitask("validate", path).stdout
    assert world.exec("p/01-b").json["verdict"] == "merged"
