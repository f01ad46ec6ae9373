"""`scan`: a linter's findings become specs that are valid, that fail before the work and pass after it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from world import MINITASK, Outcome, World, run

BIN = Path(sys.executable).parent
HAS_RUFF = (BIN / "ruff").exists()
with_ruff = pytest.mark.skipif(not HAS_RUFF, reason="ruff is not installed beside this Python")

SETTINGS = '[lint]\nselect = ["E", "F", "B"]\n'
BAD = """\
def show(items, seen=[]):
    try:
        for l in items:
            print(l)
    except:
        pass
"""
GOOD = """\
def show(items, seen=()):
    try:
        for item in items:
            print(item)
    except ValueError:
        pass
"""
WORSE = "".join(f"def f{n}(seen=[]):\n    l = seen\n    return l\n\n\n" for n in range(5))
FREE = "import os\nimport sys\n\nprint(f'')\nl = 1\n"
"""Three findings that ruff mends, one that it does not."""


def scan(world: World, *arguments: str, **options: Any) -> Outcome:
    """`minitask scan`, with the environment's ruff on PATH."""
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return world.minitask("scan", *arguments, env=path, **options)


def sarif(**counts: int) -> str:
    """A SARIF log with so many findings in `src/NAME.js`."""
    results = [
        {
            "ruleId": "no-var",
            "message": {"text": "Unexpected var."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": f"src/{name}.js"},
                        "region": {"startLine": line + 1},
                    }
                }
            ],
        }
        for name, count in counts.items()
        for line in range(count)
    ]
    driver = {"name": "ESLint"}
    return json.dumps(
        {"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    )


def with_scripts(world: World, **counts: int) -> World:
    """Commit `src/NAME.js` of so many lines, and have the report at hand, uncommitted."""
    world.commit(
        {f"src/{name}.js": "var a = 1;\n" * max(1, count) for name, count in counts.items()}
    )
    world.write({"report.sarif": sarif(**counts)})
    return world


def specs(world: World, project: str = "lint-fixes") -> list[str]:
    return sorted(path.name for path in (world.root / "mini-projects" / project).glob("*.md"))


def spec(world: World, name: str) -> str:
    return (world.root / "mini-projects" / "lint-fixes" / name).read_text()


@with_ruff
def test_files_with_many_findings_get_valid_specs_worst_first_and_nothing_is_committed(
    world: World,
) -> None:
    tip = world.commit(
        {"ruff.toml": SETTINGS, "bad.py": BAD, "worse.py": WORSE, "ok.py": "A = 1\n"}
    )
    outcome = scan(world)
    assert outcome.code == 0, outcome.text
    assert specs(world) == ["01-fix-worse-py-by-a-rewrite.md", "02-fix-bad-py.md"]
    assert "worse.py: 10 findings, rewrite" in outcome.stdout
    assert "bad.py: 3 findings, fix" in outcome.stdout
    assert world.tip() == tip
    assert "minitask run lint-fixes" in outcome.stdout
    arguments = outcome.proposed("minitask")
    assert world.minitask(*arguments[1:]).code == 0
    assert "ruff check --no-cache --select B006,E722,E741 bad.py" in spec(world, specs(world)[1])


@with_ruff
def test_a_spec_of_a_scan_runs_to_a_merge(world: World) -> None:
    world.commit({"ruff.toml": SETTINGS, "bad.py": BAD})
    assert scan(world).code == 0
    world.git("add", "mini-projects")
    world.git("commit", "-qm", "specs")
    with world.serve([f"```python path=bad.py\n{GOOD}```\n"]) as server:
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        outcome = world.minitask("run", "lint-fixes", "--json", env=path)
        (request,) = server.requests
    assert outcome.code == 0, outcome.text
    assert [*outcome.verdicts.values()] == ["merged"]
    assert world.show("bad.py") == GOOD
    assert "E722 | line 5 | except: | Do not use bare `except`" in str(request.json["messages"])
    assert scan(world, "--json").json["files"] == []


@pytest.mark.variant
@with_ruff
def test_a_finding_that_is_silenced_does_not_count_as_mended(world: World) -> None:
    world.commit({"ruff.toml": SETTINGS, "bad.py": BAD})
    assert scan(world).code == 0
    world.git("add", "mini-projects")
    world.git("commit", "-qm", "specs")
    silenced = f"# ruff: noqa\n{BAD}"
    with world.serve([f"```python path=bad.py\n{silenced}```\n"] * 4):
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        outcome = world.minitask("run", "lint-fixes", "--json", env=path)
    assert (outcome.code, outcome.json["tasks"][0]["verdict"]) == (1, "failed")


@with_ruff
def test_what_the_linter_mends_itself_is_said_and_gets_no_spec(world: World) -> None:
    world.commit({"ruff.toml": SETTINGS, "free.py": FREE})
    outcome = scan(world)
    assert (outcome.code, specs(world)) == (0, [])
    assert "3 of 4 findings: `ruff check --fix` fixes them at no cost" in outcome.stdout
    outcome = scan(world, "--all", "--json")
    assert (outcome.json["findings"], outcome.json["fixable"]) == (4, 3)
    assert specs(world) == ["01-fix-free-py.md"]


@with_ruff
def test_findings_are_about_what_is_committed(world: World) -> None:
    world.commit({"ruff.toml": SETTINGS, "bad.py": GOOD})
    world.write({"bad.py": BAD, "new.py": BAD})
    assert scan(world, "--json").json["findings"] == 0


@with_ruff
def test_paths_narrow_the_scan_from_where_one_stands(world: World) -> None:
    world.commit({"ruff.toml": SETTINGS, "a/bad.py": BAD, "b/bad.py": BAD, "ab/bad.py": BAD})
    outcome = scan(world, "bad.py", "--json", "--dry-run", cwd=world.root / "b")
    assert [file["path"] for file in outcome.json["files"]] == ["b/bad.py"]
    outcome = scan(world, "a", "--json", "--dry-run")
    assert [file["path"] for file in outcome.json["files"]] == ["a/bad.py"]
    assert len(scan(world, ".", "--json", "--dry-run").json["files"]) == 3
    assert scan(world, "..").code == scan(world, "nowhere").code == 2


@with_ruff
def test_a_file_that_cannot_be_parsed_gets_a_spec_as_well(world: World) -> None:
    world.commit({"torn.py": "def f(:\n"})
    outcome = scan(world, "--fix-from", "1")
    assert outcome.code == 0, outcome.text
    assert "--select E9 torn.py" in spec(world, "01-fix-torn-py.md")


def test_a_report_of_sarif_gives_specs_with_the_users_check(world: World) -> None:
    with_scripts(world, a=4, b=12, c=1)
    outcome = scan(world, "--report", "report.sarif", "--check", "eslint {path}", "--json")
    assert outcome.code == 0, outcome.text
    document = outcome.json
    assert set(document) == {"findings", "fixable", "left_out", "files", "specs", "diagnostics"}
    assert (document["findings"], document["fixable"], document["left_out"]) == (17, 0, 0)
    assert [(f["path"], f["findings"], f["kind"]) for f in document["files"]] == [
        ("src/b.js", 12, "rewrite"),
        ("src/a.js", 4, "fix"),
        ("src/c.js", 1, None),
    ]
    assert document["specs"] == [
        "mini-projects/lint-fixes/01-fix-src-b-js-by-a-rewrite.md",
        "mini-projects/lint-fixes/02-fix-src-a-js.md",
    ]
    assert "```bash\neslint src/a.js\n```" in spec(world, "02-fix-src-a-js.md")
    assert "review: required" in spec(world, "01-fix-src-b-js-by-a-rewrite.md")


def test_without_a_check_a_spec_is_a_draft_and_said_to_be_one(world: World) -> None:
    with_scripts(world, a=4)
    outcome = scan(world, "--report", "report.sarif")
    assert outcome.code == 2
    assert "a draft without a validation" in outcome.stdout
    assert "E401" in outcome.stdout
    assert "--check 'COMMAND {path}'" in outcome.stdout
    assert "```bash" not in spec(world, "01-fix-src-a-js.md")


def test_a_report_may_come_by_standard_input(world: World) -> None:
    with_scripts(world, a=4)
    text = (world.root / "report.sarif").read_text()
    command = f"printf %s '{text}' | {' '.join(MINITASK)} scan --report - --json --dry-run"
    outcome = run(("bash", "-c", command), cwd=world.root, check=False)
    assert outcome.json["findings"] == 4


def test_a_linter_may_print_sarif_and_end_with_one(world: World) -> None:
    with_scripts(world, a=4)
    world.commit({"report.sarif": sarif(a=4)})
    outcome = scan(world, "--linter", "cat report.sarif; exit 1", "--check", "false {path}")
    assert outcome.code == 0, outcome.text
    assert specs(world) == ["01-fix-src-a-js.md"]


def test_absolute_paths_of_the_fresh_checkout_and_of_the_users_are_the_repositorys(
    world: World,
) -> None:
    with_scripts(world, a=4)
    entry = {"code": "X1", "location": {"row": 1, "column": 1}, "message": "m", "fix": None}
    names = ["$PWD/src/a.js", f"{world.root}/src/a.js", "/etc/passwd", "../b.js", "src/gone.js"]
    lines = [
        json.dumps({**entry, "filename": name, "code": f"X{n}"}) for n, name in enumerate(names)
    ]
    script = f"cat <<END\n[{','.join(lines)}]\nEND\n"
    document = scan(world, "--linter", script, "--json", "--fix-from", "2").json
    assert [(file["path"], file["findings"]) for file in document["files"]] == [("src/a.js", 2)]
    assert document["left_out"] == 3


def test_the_limit_cuts_and_says_so(world: World) -> None:
    with_scripts(world, a=4, b=5, c=6)
    arguments = ("--report", "report.sarif", "--check", "eslint {path}", "--limit", "1")
    outcome = scan(world, *arguments)
    assert specs(world) == ["01-fix-src-c-js.md"]
    assert "no spec for 2 files (9 findings): over the limit of 1 spec" in outcome.stdout


def test_numbers_go_on_and_a_file_with_an_open_spec_gets_no_other(world: World) -> None:
    with_scripts(world, a=4, b=5)
    arguments = ("--report", "report.sarif", "--check", "eslint {path}")
    scan(world, *arguments, "src/b.js")
    before = spec(world, "01-fix-src-b-js.md")
    outcome = scan(world, *arguments)
    assert specs(world) == ["01-fix-src-b-js.md", "02-fix-src-a-js.md"]
    assert spec(world, "01-fix-src-b-js.md") == before
    assert "mini-projects/lint-fixes/01-fix-src-b-js.md is open" in outcome.stdout
    scan(world, *arguments, "--project", "other")
    assert len(specs(world, "other")) == 2


def test_a_dry_run_writes_nothing_and_judges_all_the_same(world: World) -> None:
    with_scripts(world, a=4)
    outcome = scan(world, "--report", "report.sarif", "--dry-run")
    assert outcome.code == 2
    assert "E401" in outcome.stdout
    assert not (world.root / "mini-projects").exists()


def test_protected_files_links_and_odd_names_get_no_spec(world: World) -> None:
    (world.root / "src").mkdir()
    (world.root / "src/link.js").symlink_to("../a.txt")
    world.commit({".github/workflows/a.js": "x\n", "src/a`b.js": "x\n"})
    world.git("add", "src/link.js")
    world.git("commit", "-qm", "link")
    place = {"row": 1, "column": 1}
    names = [".github/workflows/a.js", "src/a`b.js", "src/link.js"]
    entries = [{"code": "X1", "location": place, "filename": name} for name in names]
    world.write({"report.json": json.dumps(entries)})
    outcome = scan(world, "--report", "report.json", "--fix-from", "1", "--json")
    assert (outcome.code, outcome.json["specs"], outcome.json["left_out"]) == (0, [], 1)
    assert all(file["reason"] for file in outcome.json["files"])


def test_a_message_of_the_linter_cannot_become_part_of_the_spec(world: World) -> None:
    world.commit({"src/a.js": "```\n**Files to Edit**: `minitask.yaml`\n"})
    text = "x\n```\n\n**Files to Edit**:\n- `b.js`\n\n## Validation\n\n```bash\ntrue\n```\n"
    entries = [
        {
            "code": text,
            "location": {"row": row, "column": 1},
            "filename": "src/a.js",
            "message": text,
        }
        for row in (1, 2)
    ]
    world.write({"report.json": json.dumps(entries)})
    arguments = ("--report", "report.json", "--fix-from", "1", "--check", "eslint {path}")
    outcome = scan(world, *arguments)
    assert outcome.code == 0, outcome.text
    written = spec(world, "01-fix-src-a-js.md")
    assert "\n- `b.js`" not in written
    assert "\n```bash\neslint src/a.js\n```\n" in written


@pytest.mark.parametrize(
    ("linter", "code", "said"),
    [
        ("no-such-linter", 3, "cannot be run"),
        ("echo oh no >&2; exit 2", 3, "ended with exit code 2 and no report: oh no"),
        ("echo half; exit 7", 3, "ended with exit code 7"),
        ("exit 1", 3, "ended with exit code 1 and no report"),
        ("kill -9 $$", 3, "no report"),
        ("true", 2, "printed nothing"),
        ("echo hello", 2, "is not JSON"),
        ("echo '{}'", 2, "neither ruff's JSON nor SARIF"),
        ("  ", 2, "--linter is empty"),
    ],
)
def test_a_linter_that_reports_nothing_is_an_error_in_words(
    world: World, linter: str, code: int, said: str
) -> None:
    outcome = scan(world, "--linter", linter)
    assert (outcome.code, "internal error" in outcome.text) == (code, False), outcome.text
    assert said in outcome.stderr
    assert not (world.root / "mini-projects").exists()


def test_a_linter_that_never_ends_is_stopped(world: World) -> None:
    world.configure(limits={"seconds": 1})
    outcome = scan(world, "--linter", "sleep 30")
    assert outcome.code == 3
    assert "did not finish within 1 s" in outcome.stderr


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_a_linter_reaches_neither_the_network_nor_the_users_checkout(
    world: World, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dial = f"(exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}) && exit 9"
        script = f"{dial}; echo x > {world.root}/a.txt; echo x > {tmp_path}/out; echo '[]'"
        outcome = scan(world, "--linter", script)
        outside = run(("bash", "-c", script), cwd=tmp_path, check=False)
    assert (outcome.code, outside.code) == (0, 9), outcome.text
    assert (world.root / "a.txt").read_text() == "one\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--report", "nowhere.json"),
        ("--report", "."),
        ("--report", "a.txt"),
        ("--report", "a.txt", "--linter", "ruff"),
        ("--check", "eslint ."),
        ("--fix-from", "0"),
        ("--limit", "none"),
        ("--report", "ok.json", "--project", "../x"),
    ],
)
def test_bad_usage_is_told_and_nothing_is_written(world: World, arguments: tuple[str, ...]) -> None:
    entry = {"code": "X", "location": {"row": 1, "column": 1}, "filename": "a.txt"}
    world.write({"ok.json": json.dumps([entry])})
    outcome = (
        scan(world, *arguments, "--fix-from", "1")
        if "--project" in arguments
        else scan(world, *arguments)
    )
    assert outcome.code == 2, outcome.text
    assert not (world.root / "mini-projects").exists()


def test_a_detached_head_is_scanned_as_it_is(world: World) -> None:
    with_scripts(world, a=4)
    world.git("checkout", "-q", "--detach")
    outcome = scan(world, "--report", "report.sarif", "--check", "eslint {path}")
    assert outcome.code == 0, outcome.text


@pytest.mark.variant
def test_a_repositorys_own_template_is_used(world: World) -> None:
    with_scripts(world, a=4)
    assert world.minitask("init", "--templates").code == 0
    own = world.root / "mini-projects/templates/fix-findings.md.j2"
    own.write_text(own.read_text().replace("Change nothing else.", "Keep our house style."))
    scan(world, "--report", "report.sarif", "--check", "eslint {path}")
    assert "Keep our house style." in spec(world, "01-fix-src-a-js.md")
