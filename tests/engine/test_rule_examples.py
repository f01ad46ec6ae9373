"""The examples of the rules' pages: a page's wrong one is reported under its code; of its right one, nothing is.

An example is a piece of a spec, which is completed here, or a line for each spec of a project (`01-a.md creates …`).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping

import pytest

from minitask.engine.repository_settings import load_settings
from minitask.engine.spec_files import read_sources
from minitask.engine.validate_specs import check_sources
from minitask.git.repository import discover
from minitask.spec.rules import codes, find_rule
from world import World

PROJECT = "mini-projects/p"
EXAMPLE = re.compile(r"## (?:Wrong|Right)\n\n~~~~markdown\n(.+?)\n~~~~", re.DOTALL)
ROW = re.compile(r"(?P<name>\d\d-[\w-]+|[ab])(?:\.md)?:? (?P<text>.*)")
MODULE = "".join(f"x{n} = {n}\n" for n in range(1, 403)).replace(
    "x400 = 400\n", "def load(path):\n"
)
FILES: dict[str, str | bytes] = {
    **dict.fromkeys(("app.py", "api.py", "src/app.py", "src/a.py", "src/b.py"), MODULE),
    "names.py": "def lod(path):\n    return path\n",
    "releases/7/app.py": MODULE,
    "assets/logo.svg": "<svg/>\n",
    "assets/logo.png": b"\x89PNG\0",
    "data/cities.csv": "name,country\n" * 9000,
    "config/example.env": "A=1\n",
    "secrets/prod.env": "A=1\n",
    ".gitattributes": "secrets/* filter=git-crypt\n",
    ".github/workflows/ci.yml": "on: push\n",
    "mini-projects/other/01-base.md": "# Mini-Task 1: Base\n\n## Task\n\n1. Begin.\n",
}
API = {"type": "openai", "base_url": "http://127.0.0.1:9/v1"}
MODELS = {"cheap": "gpt-4o-mini", "balanced": "claude-haiku-4-5", "frontier": "gpt-6"}
TIERS = {tier: {"executor": "local", "model": model} for tier, model in MODELS.items()}
SECTIONS = {
    "Context": "A test.",
    "Task": "1. Do what the title says.",
    "Acceptance Criteria": "- [ ] It is done",
    "Validation": "```bash\ngrep -q done out.py\n```",
}
LEFT_OUT = {"E401": "Validation", "E212": "Files"}
"""What a page's wrong example lacks, and is not given here."""
HEADINGS = {
    "- `": "**Files to Edit**:",
    "```bash": "## Validation\n",
    "```edits": "## Code Snippets\n",
    "```python": "## Code Snippets\n",
    "1. ": "## Task\n",
    "2. ": "## Task\n",
}
"""What stands above lines that a page shows alone."""
IN_WORDS = {"(three paragraphs of history)": "word " * 101, "(no edit script)": ""}
SEARCH = "```python path={}\n<<<<<<< SEARCH\n{}\n=======\n{}\n>>>>>>> REPLACE\n```"
ROWS = {
    r"reads `(.+?)`(.*)": ("**Files to Read**:\n- `{0}`{1}\n\n**Files to Create**:\n- `z.py`", ""),
    r"creates `(.+?)`(.*)": ("**Files to Create**:\n- `{0}`", ""),
    r"edits `(.+?)`(.*)": ("**Files to Edit**:\n- `{0}`{1}", ""),
    r"moves `(.+?):(.+?)` to `(.+?)`": (
        "**Files to Create/Edit**:\n- `{0}`\n- `{2}`",
        "```edits\nmove {0}:{1} -> {2}\n```",
    ),
    "renames `lod`": (
        "**Files to Edit**:\n- `names.py`",
        SEARCH.format("names.py", "def lod(path):", "def load(path):"),
    ),
    "searches for": (
        "**Files to Edit**:\n- `names.py`",
        SEARCH.format("names.py", "def load(path):", "def load(path, mode):"),
    ),
}
"""The files and the edit script of a spec that a page describes in a line."""
ELSEWHERE = {
    "E111": "its example is not text: tests/spec",
    "W217": "it needs two versions of a spec: tests/edits/test_checker.py",
    "N430": "it needs --grade: tests/contract/test_contract_grade.py",
}


def specs(code: str, example: str) -> Iterator[tuple[str, str]]:
    """The spec files that an example stands for."""
    rows = [ROW.fullmatch(line) for line in example.splitlines()]
    if not all(rows):
        is_spec = code != "E101" or "Mini-Task" in example
        yield "03-a.md", completed(example, left_out=LEFT_OUT.get(code, "")) if is_spec else example
        named = re.findall(r"depends_on: \[(01-base|x)\]", example)
        yield from ((f"{name}.md", completed(f"# Mini-Task 1: {name}")) for name in named)
        return
    for number, row in enumerate(filter(None, rows), 1):
        yield f"{row['name']}.md", described(row["text"], number, own_file=f"{row['name']}.py")
    if code == "N413":  # it judges projects of four tasks or more
        yield from (
            (f"0{n}-more.md", described(rows[0]["text"], n, own_file=f"{n}.py"))
            for n in (3, 4)
            if rows[0]
        )


def described(text: str, number: int, *, own_file: str) -> str:
    """The spec that a page describes in a line."""
    options = "".join(f"{option}\n" for option in re.findall(r"`((?:id|depends_on): .*?)`", text))
    rest = re.sub(r",? ?`(?:id|depends_on): .*?`", "", text)
    files, script = f"**Files to Create**:\n- `{own_file}`", ""
    for pattern, (listed, edits) in ROWS.items():
        if found := re.match(pattern, rest):
            files, script = listed.format(*found.groups()), edits.format(*found.groups())
    estimate = rest if rest.startswith("**Estimated") else ""
    snippets = f"## Code Snippets\n\n{script}" if script else ""
    front = f"---\n{options}---\n" if options else ""
    return completed(f"{front}# Mini-Task {number}: Title\n\n{estimate}\n\n{files}\n\n{snippets}")


def completed(example: str, *, left_out: str = "") -> str:
    """A whole spec with all that the example shows."""
    text = re.sub(" +<- .*", "", example)
    for words, meant in IN_WORDS.items():
        text = text.replace(words, meant)
    front = ""
    if text.startswith("---\n"):
        front, _, text = text.removeprefix("---\n").partition("\n---")
        front = f"---\n{front}\n---\n\n"
    text = text.strip() if text.lstrip().startswith("# ") else f"# Mini-Task 1: Title\n\n{text}"
    tasks = re.split(r"(?m)^(?=# Mini-Task)", text)
    return front + "\n".join(completed_task(task, left_out) for task in tasks if task)


def completed_task(text: str, left_out: str) -> str:
    title, *lines = text.splitlines()
    body: list[str] = []
    for line in lines:
        above = next((above for start, above in HEADINGS.items() if line.startswith(start)), "")
        marks = ("## ", above[:2])
        if above and not any(each.startswith(marks) for each in body):
            body += ["", above]
        body.append(line)
    rest = "\n".join(body)
    if left_out != "Files" and not re.search(r"Files to (Create|Edit|Delete)", rest):
        paths = re.findall(r"(?:path=|-> )(\S+)", rest) or ["out.py"]
        rest = "\n".join(
            ["\n**Files to Create/Edit**:", *(f"- `{path}`" for path in paths), "", rest]
        )
    for name, content in SECTIONS.items():
        if f"## {name}" not in rest and name != left_out:
            rest += f"\n\n## {name}\n\n{content}"
    return f"{title}\n\n{rest}\n"


@pytest.fixture
def base(world: World) -> World:
    """A repository with the files that the pages name, and settings with the models that they name."""
    world.configure(executors={"local": API}, tiers=TIERS, routing={"cap": "balanced"})
    (world.root / "current").symlink_to("releases/7")
    world.commit({**FILES})
    world.git("add", "current")
    world.git("commit", "--quiet", "--message", "link")
    return world


def reported(world: World, files: Mapping[str, str], names: list[str]) -> set[str]:
    """The codes of what is reported of a project."""
    shutil.rmtree(world.root / PROJECT, ignore_errors=True)
    world.write({f"{PROJECT}/{name}": text for name, text in files.items()})
    repository = discover(world.root, os.environ)
    sources = read_sources(world.root, world.root, names)
    checked = check_sources(sources, repository, load_settings(repository, os.environ))
    return {item.code for item in checked.diagnostics}


def test_what_a_page_calls_wrong_is_reported_and_what_it_calls_right_is_not(base: World) -> None:
    head = base.tip()
    different = []
    for code in codes():
        rule = find_rule(code)
        assert rule is not None
        if code in ELSEWHERE:
            continue
        for is_wrong, example in zip((True, False), EXAMPLE.findall(rule.page), strict=True):
            files = dict(specs(code, example.replace("4f2c9e1", head)))
            names = [f"{PROJECT}/02-b.md"] if code == "W308" else [PROJECT]
            found = reported(base, files, names)
            allowed = {"N207"} if not is_wrong else found - {code}
            if found - allowed != ({code} if is_wrong else set()):
                different.append((code, is_wrong, found))
    assert different == []
