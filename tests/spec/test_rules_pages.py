"""Every rule has a page in `docs/rules/` that says all that a reader needs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minitask.errors import UsageError
from minitask.spec.model import Problem, Severity
from minitask.spec.rules import codes, explain, find_rule

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "rules"
CODES = codes()
PAGE = re.compile(
    r"# (?P<code>[EWN]\d{3}): (?P<title>[^\n]+[^.\n])\n\nSeverity: (?P<severity>error|warning|note)\n\n"
    r"(?P<summary>\S.+?\.)\n\n## Why\n\n(?P<why>\S.+?\.)\n\n## How to fix\n\n(?P<fix>\S.+?\.)\n\n"
    r"## Wrong\n\n~~~~markdown\n(?P<bad>.+?)\n~~~~\n\n## Right\n\n~~~~markdown\n(?P<good>.+?)\n~~~~\n",
    re.DOTALL,
)
CITED = re.compile(r'"([EWN][1-6]\d\d)"')


def test_a_number_names_one_rule() -> None:
    assert len({code[1:] for code in CODES}) == len(CODES)


def test_every_code_that_the_toolkit_cites_has_a_page_and_every_page_is_cited() -> None:
    sources = (ROOT / "toolkit").rglob("*.py")
    cited = {code for path in sources for code in CITED.findall(path.read_text("utf-8"))}
    assert cited == set(CODES)


@pytest.mark.parametrize("code", ["E207", "N207", "w207"])
def test_a_code_of_an_older_version_is_explained_by_its_number(code: str) -> None:
    assert explain(code).startswith("N207: two specs write one file (note)")


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_all_that_a_reader_needs(code: str) -> None:
    rule = find_rule(code)
    assert rule is not None
    found = PAGE.fullmatch(rule.page)
    assert found, "a page has a title, the severity, a summary, Why, How to fix, Wrong and Right"
    assert found["code"] == code
    assert found["severity"] == rule.severity
    assert found["bad"] != found["good"]
    assert (rule.title, rule.summary) == (found["title"], found["summary"])
    text = explain(f" {code.lower()} ")
    assert text.startswith(f"{code}: {rule.title} ({rule.severity})\n")
    for part in ("summary", "why", "fix"):
        assert found[part] in text
    for part in ("bad", "good"):
        assert all(f"    {line}".rstrip() in text for line in found[part].splitlines())


@pytest.mark.parametrize("code", ["E999", "", "E1", "X101", "../E101"])
def test_an_unknown_code_is_refused_with_the_known_ones(code: str) -> None:
    with pytest.raises(UsageError, match="there is no rule") as caught:
        explain(code)
    assert "E101" in caught.value.hint


def test_a_diagnostic_takes_its_severity_from_the_rule() -> None:
    assert Problem(3, "W210", "m").at("a.md").severity is Severity.WARNING
    assert Problem(3, "E401", "m").at("a.md").severity is Severity.ERROR


def test_the_index_lists_every_page() -> None:
    rules = [rule for code in CODES if (rule := find_rule(code))]
    rows = [f"| [{r.code}]({r.code}.md) | {r.severity} | {r.title} |" for r in rules]
    lines = (PAGES / "README.md").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("| [")] == rows
