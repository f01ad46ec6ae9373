"""Fences found in any Markdown: CommonMark's rules, at any nesting, with the line that leads to each."""

from __future__ import annotations

import pytest

from minitask.spec.markdown import find_fences
from minitask.spec.parse import parse_file

CASES = [
    ("plain", "```py\nx\n```\n", [("py", "x\n", "", 1)]),
    ("tildes", "~~~ py a=b\nx\n~~~\n", [("py a=b", "x\n", "", 1)]),
    ("longer marks hold shorter", "````\n```\nx\n```\n````\n", [("", "```\nx\n```\n", "", 1)]),
    ("a longer close closes", "```\nx\n`````\ny\n", [("", "x\n", "", 1)]),
    ("tildes do not close backticks", "```\n~~~\n```\n", [("", "~~~\n", "", 1)]),
    ("unclosed runs to the end", "```\nx", [("", "x\n", "", 1)]),
    ("empty", "```\n```\n", [("", "", "", 1)]),
    ("blank line kept", "```\n\nx\n```\n", [("", "\nx\n", "", 1)]),
    ("indented three", "   ```\n   x\n     y\n   ```\n", [("", "x\n  y\n", "", 1)]),
    ("indented four is code", "    ```\n    x\n    ```\n", []),
    ("tab kept", "```\n\tx\n```\n", [("", "\tx\n", "", 1)]),
    ("a backtick in the info is text", "``` a`b\nx\n", []),
    ("in a list", "- one\n  ```py\n  x\n  ```\n", [("py", "x\n", "one", 2)]),
    ("in a quote", "> said:\n> ```\n> x\n> ```\n", [("", "x\n", "said:", 2)]),
    ("in a quote in a list", "1. > ```\n   > x\n   > ```\n", [("", "x\n", "", 1)]),
    ("after a list", "- `a.py`\n\n```\nx\n```\n", [("", "x\n", "a.py", 3)]),
    ("lead is the last line", "one\n**File: `src/a.py`**\n\n```\n```\n", [("", "", "File: src/a.py", 4)]),
    ("lead keeps dunders", "src/__init__.py\n```\n```\n", [("", "", "src/__init__.py", 2)]),
    ("lead keeps code as it is", "`a*b_c`:\n```\n```\n", [("", "", "a*b_c:", 2)]),
    ("lead without escapes", "src/\\_\\_x\\_\\_.py\n```\n```\n", [("", "", "src/__x__.py", 2)]),
    ("a heading leads", "### `src/a.py`\n\n```\n```\n", [("", "", "src/a.py", 3)]),
    ("a rule leads nowhere", "text\n\n---\n\n```\n```\n", [("", "", "", 5)]),
    ("a fence leads nowhere", "a\n```\n```\n```\n```\n", [("", "", "a", 2), ("", "", "", 4)]),
    ("a list item opening leads nowhere", "text\n\n- ```\n  ```\n", [("", "", "", 3)]),
    ("windows lines", "a\r\n```\r\nx\r\n```\r\n", [("", "x\n", "a", 2)]),
    ("byte order mark", "\ufeff```\nx\n```\n", [("", "x\n", "", 1)]),
    ("inside an HTML block", "<details>\n```\nx\n```\n</details>\n", []),
    ("after an HTML block", "<details>\n\n```\nx\n```\n\n</details>\n", [("", "x\n", "", 3)]),
    ("nothing", "", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_fences_are_found_by_commonmark_s_rules(
    text: str, wanted: list[tuple[str, str, str, int]]
) -> None:
    found = find_fences(text)
    assert [(fence.info, fence.content, fence.lead, fence.line) for fence in found] == wanted


@pytest.mark.parametrize(
    ("lead", "info", "runs"),
    [
        ("Run:", "", True),
        ("Run it and expect no output:", "", True),
        ("Expected output:", "bash", True),
        ("Run:", "{.bash}", True),
        ("Run:", "Bash,ignore", True),
        ("Run:", "bash {title=x}", True),
        ("Run:", "shell-session", True),
        ("Run:", "text", False),
        ("Expected:", "", False),
        ("Expected output (shortened):", "", False),
        ("Output:", "", False),
        ("should print", "", False),
        ("You should see something like this:", "", False),
        ("This should print OK:", "", True),
    ],
)
def test_a_fence_of_the_validation_is_run_unless_it_shows_an_output(
    lead: str, info: str, *, runs: bool
) -> None:
    text = f"# Mini-Task 1: X\n\n## Validation\n\n**{lead}**\n\n```{info}\n$ ls x\n```\n"
    found = parse_file(text, path="x.md")
    assert [command.text for command in found.specs[0].commands] == ["ls x"] * runs
    assert [(d.line, d.code) for d in found.diagnostics] == [] if runs else [(7, "N416")]


@pytest.mark.parametrize("prompt", ["$ ", "% ", "me@host:~/src$ ", "root@box# ", "(.venv) $ "])
def test_lines_with_a_prompt_are_the_commands_of_a_session(prompt: str) -> None:
    text = f"# Mini-Task 1: X\n\n## Validation\n\n```console\n{prompt}ls \\\n> x\nx\n{prompt}ls y\n```\n"
    found = parse_file(text, path="x.md")
    assert [command.text for command in found.specs[0].commands] == ["ls \\\nx", "ls y"]
    assert found.diagnostics == ()


def test_a_fence_deep_in_lists_is_found() -> None:
    depth = 30
    opening = "".join("- " for _ in range(depth))
    indent = " " * (2 * depth)
    found = find_fences(f"{opening}text\n\n{indent}```\n{indent}x\n{indent}```\n")
    assert [(fence.content, fence.lead) for fence in found] == [("x\n", "text")]
