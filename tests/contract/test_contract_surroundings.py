"""Nothing in the user's git settings or environment changes what the toolkit does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from world import World, run, write_program

HOOKS = (
    *("applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-checkout", "post-commit"),
    *("post-index-change", "post-merge", "post-rewrite", "pre-auto-gc", "pre-commit"),
    *("pre-merge-commit", "pre-push", "prepare-commit-msg", "reference-transaction"),
)


def make_program(path: Path, body: str) -> Path:
    return write_program(path, f"#!/bin/sh\n{body}\n")


@pytest.fixture
def ready(world: World) -> World:
    """A repository with one task that is fit to land."""
    world.task("p/01-b", whole={"b.txt": "b\n", "a.txt": "two\n"}, validation="grep -qx b b.txt")
    return world


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    """Where programs that must not run would leave a mark."""
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def assert_lands(world: World, **options: object) -> None:
    outcome = world.exec("p/01-b", **options)  # type: ignore[arg-type]
    assert outcome.code == 0, outcome.text
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("b.txt") == "b\n"
    assert (world.root / "a.txt").read_text().split() == ["two"]


@pytest.mark.parametrize("where", ["repository", "global"])
def test_the_users_hooks_do_not_run(ready: World, marks: Path, where: str) -> None:
    folder = ready.root / ".git/hooks" if where == "repository" else marks.parent / "hooks"
    for name in HOOKS:
        make_program(folder / name, f"touch '{marks}/{name}'; exit 1")
    if where == "global":
        ready.git("config", "--global", "core.hooksPath", str(folder))
    assert_lands(ready)
    assert ready.minitask("undo", "p/01-b").code == 0
    assert list(marks.iterdir()) == []
    run(("git", "commit", "--allow-empty", "-m", "control"), cwd=ready.root, check=False)
    assert (marks / "pre-commit").exists()


def test_a_file_system_monitor_program_does_not_run(ready: World, marks: Path) -> None:
    monitor = make_program(marks.parent / "monitor", f"touch '{marks}/monitor'; exit 1")
    ready.git("config", "core.fsmonitor", str(monitor))
    assert_lands(ready)
    assert list(marks.iterdir()) == []
    ready.git("status")
    assert (marks / "monitor").exists()


@pytest.mark.variant
def test_external_diffs_text_conversions_and_pagers_do_not_run(ready: World, marks: Path) -> None:
    program = make_program(marks.parent / "program", f"touch '{marks}/program'; cat")
    ready.commit({".gitattributes": "*.txt diff=evil merge=evil\n"})
    for key in ("diff.external", "diff.evil.command", "diff.evil.textconv", "core.pager"):
        ready.git("config", key, str(program))
    ready.git("config", "merge.evil.driver", f"{program} %A")
    assert_lands(ready)
    assert ready.minitask("show", "p/01-b").code == 0
    assert list(marks.iterdir()) == []
    ready.git("diff", "HEAD~1")
    assert (marks / "program").exists()


def test_aliases_do_not_shadow_what_it_runs(ready: World, marks: Path) -> None:
    for name in ("merge-tree", "for-each-ref", "cat-file", "update-ref", "minitask", "mt"):
        ready.git("config", f"alias.{name}", f"!touch '{marks}/{name}'")
    assert_lands(ready)
    assert list(marks.iterdir()) == []
    ready.git("mt")
    assert (marks / "mt").exists()


@pytest.mark.parametrize("program", ["exit 1", "read -r line </dev/tty"], ids=["fails", "asks"])
def test_a_key_that_does_not_work_unasked_leaves_commits_unsigned(
    ready: World, marks: Path, program: str
) -> None:
    key = make_program(marks.parent / "gpg", f"touch '{marks}/gpg'; {program}")
    for name, value in {"gpg.program": str(key), "user.signingKey": "KEY"}.items():
        ready.git("config", name, value)
    assert_lands(ready)
    assert list(marks.iterdir()) == [], "nothing says that commits are signed"
    ready.task("p/02-c", whole={"c.txt": "c\n"}, validation="grep -qx c c.txt")
    ready.git("config", "commit.gpgSign", "true")
    outcome = ready.minitask("exec", "p/02-c")
    assert outcome.code == 0, outcome.text
    assert outcome.text.count("commits are not signed: ") == 1, outcome.text
    assert (marks / "gpg").exists()


@pytest.mark.variant
@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
@pytest.mark.parametrize("style", ["merge", "squash"])
def test_commits_are_signed_where_git_signs(ready: World, tmp_path: Path, style: str) -> None:
    key = tmp_path / "key"
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key), cwd=tmp_path)
    (tmp_path / "allowed").write_text(f"una@example.com {Path(f'{key}.pub').read_text()}")
    settings = {
        "gpg.format": "ssh",
        "gpg.ssh.allowedSignersFile": str(tmp_path / "allowed"),
        "user.signingKey": str(key),
        "commit.gpgSign": "true",
    }
    for name, value in settings.items():
        ready.git("config", name, value)
    ready.configure(landing={"style": style})
    start = ready.tip()
    assert ready.minitask("run", "p").code == 0
    assert ready.minitask("undo", "p/01-b").code == 0
    commits = ready.git("rev-list", f"{start}..main").splitlines()
    assert len(commits) == (3 if style == "merge" else 2)
    for commit in commits:
        ready.git("verify-commit", commit)
    assert ready.git("fsck", "--strict", "--no-dangling") == ""


def test_line_endings_land_as_the_spec_wrote_them(ready: World) -> None:
    ready.git("config", "core.autocrlf", "true")
    ready.git("config", "core.eol", "crlf")
    assert_lands(ready)
    content = run(("git", "cat-file", "blob", "main:b.txt"), cwd=ready.root).stdout
    assert content == "b\n"
    assert ready.git("status", "--porcelain") == ""


@pytest.mark.variant
def test_carriage_returns_of_the_base_stay_under_autocrlf(world: World) -> None:
    world.commit({"dos.txt": b"one\r\ntwo\r\n", "plain.txt": "1\n"})
    world.git("config", "core.autocrlf", "true")
    snippet = "```text path=dos.txt\n<<<<<<< SEARCH\ntwo\n=======\nthree\n>>>>>>> REPLACE\n```\n"
    world.task("p/01-b", snippets=snippet, writes=["dos.txt"], validation="grep -q three dos.txt")
    outcome = world.exec("p/01-b", "--no-merge")
    assert outcome.json["verdict"] == "ready", outcome.text
    raw = world.git("diff", "--numstat", outcome.json["base"], outcome.json["commit"])
    assert raw == "1\t1\tdos.txt"


@pytest.mark.variant
@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "locale",
    [
        {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de"},
        {"LANG": "tr_TR.UTF-8", "LC_ALL": None},
        {"LANG": None, "LC_ALL": "POSIX"},
    ],
)
def test_an_odd_locale_changes_nothing(ready: World, locale: dict[str, str | None]) -> None:
    assert_lands(ready, env=locale)


@pytest.mark.variant
def test_under_an_ascii_locale_names_and_contents_stay_utf_8(world: World) -> None:
    env = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    world.task("p/01-b", whole={"ünï.txt": "wörld ✓\n"}, validation="grep -q wörld ünï.txt")
    outcome = world.exec("p/01-b", env=env)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert world.show("ünï.txt") == "wörld ✓\n"
    assert world.minitask("show", "p/01-b", env=env).code == 0


@pytest.mark.variant
def test_git_variables_that_point_elsewhere_are_not_obeyed(ready: World, tmp_path: Path) -> None:
    other = World(tmp_path / "other")
    other.init()
    other.commit({"o.txt": "o\n"})
    refs = other.refs()
    index = (other.root / ".git/index").read_bytes()
    foreign = {
        "GIT_DIR": str(other.root / ".git"),
        "GIT_WORK_TREE": str(other.root),
        "GIT_INDEX_FILE": str(other.root / ".git/index"),
        "GIT_OBJECT_DIRECTORY": str(other.root / ".git/objects"),
        "GIT_NAMESPACE": "other",
        "GIT_CEILING_DIRECTORIES": str(tmp_path),
    }
    assert_lands(ready, env=foreign)
    assert other.refs() == refs
    assert (other.root / ".git/index").read_bytes() == index
    assert sorted(path.name for path in other.root.iterdir()) == [".git", "o.txt"]


def test_git_variables_that_run_programs_are_not_obeyed(ready: World, marks: Path) -> None:
    program = make_program(marks.parent / "program", f"touch '{marks}/program'; exit 1")
    foreign = {
        "GIT_EXTERNAL_DIFF": str(program),
        "GIT_EDITOR": str(program),
        "GIT_SSH_COMMAND": str(program),
        "GIT_PAGER": str(program),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": str(program),
    }
    assert_lands(ready, env=foreign)
    assert list(marks.iterdir()) == []
    ready.git("status", env=foreign)
    assert (marks / "program").exists()


def test_the_identity_is_read_from_the_global_config_that_the_user_names(
    ready: World, tmp_path: Path
) -> None:
    config = tmp_path / "named.gitconfig"
    config.write_text("[user]\n    name = Nia Named\n    email = nia@example.com\n")
    (Path(os.environ["HOME"]) / ".gitconfig").unlink()
    assert_lands(ready, env={"GIT_CONFIG_GLOBAL": str(config)})
    assert ready.git("log", "-1", "--format=%cn <%ce>") == "Nia Named <nia@example.com>"


def test_without_an_identity_it_says_how_to_set_one(ready: World) -> None:
    (Path(os.environ["HOME"]) / ".gitconfig").unlink()
    before = ready.refs()
    outcome = ready.exec("p/01-b")
    assert outcome.code in {2, 3}
    assert "user.email" in outcome.stderr
    assert "Traceback" not in outcome.text
    assert ready.refs() == before


def test_replace_refs_and_grafts_do_not_change_what_is_judged(ready: World) -> None:
    evil = ready.commit({"mini-projects/p/01-b.md": "nothing\n"})
    ready.git("reset", "-q", "--hard", "HEAD~1")
    ready.git("replace", ready.tip(), evil)
    outcome = ready.exec("p/01-b")
    assert outcome.json["verdict"] in {"merged", "ready"}, outcome.text
