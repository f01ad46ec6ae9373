"""The report's page of a real run: its graph, and tasks with spec, diff, output and reply, whatever these say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executors.model_server import Received, completion
from reports.chromium import Browser, headless
from world import World, run

MARKUP = "</script><!--<script>\"'<img src=x onerror=alert(1)>{{ 7 * 7 }}"
HOSTILE = f"{MARKUP}\u2028\u202e\u200f\x1b[31m"
SEEN = f"{MARKUP}\\u2028\\u202e\\u200f\\x1b[31m"
NO_MARKUP = 'document.querySelectorAll("main img, main script, main iframe").length'


def answer(request: Received) -> Any:
    return completion(f"I write it. {HOSTILE}\n\n```text path=b.txt\n{MARKUP}\n```\n")


@pytest.fixture
def worked(world: World) -> World:
    """Two tasks of a script, of which one is large, one of a model, and one that was never run."""
    with world.serve(answer):
        world.task(
            "p/01-a",
            whole={"a.txt": f"{HOSTILE}\n" + "a\n" * 20_000},
            validation="grep -qx a a.txt",
            title=f"Write {HOSTILE}",
        )
        world.task(
            "p/02-b",
            writes=["b.txt"],
            validation="cat b.txt && test -s b.txt",
            front={"depends_on": ["01-a"]},
        )
        world.task("p/03-c", whole={"c.txt": "c\n"}, validation="grep -qx c c.txt")
        world.task("q/01-d", whole={"d.txt": "d\n"}, validation="grep -qx d d.txt")
        for task in ("p/01-a", "p/02-b", "q/01-d"):
            assert world.exec(task).json["verdict"] == "merged"
    return world


@pytest.fixture
def page(worked: World, tmp_path: Path) -> Iterator[Browser]:
    """The page in a browser."""
    path = tmp_path / "page.html"
    assert worked.minitask("report", "--format", "html", "--output", str(path)).code == 0
    with headless(tmp_path) as browser:
        browser.open(path.as_uri())
        yield browser
        assert browser.value(NO_MARKUP) == 0
        assert (browser.complaints, len(browser.asked)) == ([], 1)


PARTS = '[...document.querySelectorAll(".detail details")]'
NAMES_OF_BOXES = """Object.fromEntries([...document.querySelectorAll(".graph .name")].map((one) =>
  [one.textContent, one.parentNode.lastElementChild.textContent]))"""


def texts_of(browser: Browser, task: str) -> dict[str, str]:
    """What each part of a task's row says once it is open."""
    browser.value(f'document.querySelector(`.open[title="{task}"]`).click()')
    browser.value(f"{PARTS}.forEach((part) => {{ part.open = true; }})")
    browser.wait(f'{PARTS}.every((part) => part.querySelector("pre")?.textContent)')
    found: dict[str, str] = browser.value(
        f'Object.fromEntries({PARTS}.map((part) => ["summary", "pre"].map('
        "(name) => part.querySelector(name).textContent)))"
    )
    return found


@pytest.mark.variant
def test_a_row_opens_to_its_spec_diff_output_reply_and_cost(page: Browser) -> None:
    texts = texts_of(page, "p/02-b")
    assert texts["Spec"].startswith("---\ndepends_on:")
    assert f"+{MARKUP}\n" in texts["Diff"]
    assert SEEN in texts["Reply"]
    output = next(text for title, text in texts.items() if "cat b.txt" in title)
    assert MARKUP in output
    detail = page.value('document.querySelector(".detail").textContent')
    assert "Attempt 1: ready" in detail
    assert "100 + 20 tokens, $0.0014" in detail
    assert "minitask diff p/02-b" in detail


@pytest.mark.variant
def test_a_text_that_is_too_long_names_the_command_that_prints_all(page: Browser) -> None:
    texts = texts_of(page, "p/01-a")
    assert SEEN in texts["Spec"]
    assert "more characters: `git cat-file -p" in texts["Spec"].splitlines()[-1]
    assert f"+{SEEN}\n" in texts["Diff"]
    assert "more characters: `minitask diff p/01-a --attempt 1` prints all]" in texts["Diff"]
    assert len(texts["Diff"]) < 31_000
    assert "Reply" not in texts


def test_nothing_is_fetched_for_the_page(worked: World, tmp_path: Path) -> None:
    """A partial clone without its remote has the figures, and none of the texts."""
    origin, clone = tmp_path / "origin", World(tmp_path / "clone")
    run(("git", "clone", "-q", "--mirror", worked.root, origin), cwd=tmp_path)
    run(("git", "config", "uploadpack.allowFilter", "true"), cwd=origin)
    run(("git", "config", "uploadpack.allowAnySHA1InWant", "true"), cwd=origin)
    source = ("--filter=blob:none", origin.as_uri(), clone.root)
    run(("git", "clone", "-q", "--no-checkout", *source), cwd=tmp_path)
    clone.git("fetch", "-q", "origin", "refs/minitask/ledger:refs/minitask/ledger")
    assert "3 attempts at 3 tasks" in clone.minitask("report").stdout, "it fetches the records"
    origin.rename(tmp_path / "gone")
    page = clone.minitask("report", "--format", "html")
    assert (page.code, page.stderr) == (0, "")
    assert ("3 attempts at 3 tasks" in page.stdout, '"spec":null' in page.stdout) == (True, True)


@pytest.mark.variant
def test_the_graph_has_the_states_and_leads_to_the_rows(page: Browser) -> None:
    assert page.value(NAMES_OF_BOXES) == {"01-a": "merged", "02-b": "merged", "03-c": "new"}
    titles = page.value(
        '[...document.querySelectorAll(".graph path title")].map((one) => one.textContent)'
    )
    assert titles == ["p/01-a → p/02-b"]
    links = page.value('[...document.querySelectorAll(".graph a")].map((one) => one.dataset.task)')
    assert links == ["p/01-a", "p/02-b"], "a task that was never run has no row"
    page.value('document.querySelector(".graph a[data-task=\\"p/02-b\\"]").focus()')
    page.press("Enter", text="\r")
    assert page.value('document.querySelector("[aria-expanded=true]").title') == "p/02-b"
    assert page.value("document.activeElement.title") == "p/02-b"
    assert page.value('document.getElementById("count").textContent') == "1 of 3 tasks"
