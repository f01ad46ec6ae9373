"""The rule book is complete, and its pages in `docs/rules/` are up to date.

To bring the pages up to date, run `python docs/write_rules.py`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from minitask.errors import UsageError
from minitask.spec.model import Severity
from minitask.spec.rules import LETTERS, RULES, diagnose, explain, render_index, render_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "rules"
CODES = sorted(RULES, key=lambda code: code[1:])


def test_every_code_has_a_rule_and_every_rule_its_code() -> None:
    assert list(RULES) == CODES
    assert len({code[1:] for code in RULES}) == len(CODES), "a number names one rule"
    assert all(code == rule.code for code, rule in RULES.items())


def test_the_letter_says_how_much_a_rule_matters() -> None:
    assert {code: LETTERS[rule.severity] for code, rule in RULES.items()} == {
        code: code[0] for code in RULES
    }


@pytest.mark.parametrize("code", ["E207", "N207", "w207"])
def test_a_code_of_an_older_version_is_explained_by_its_number(code: str) -> None:
    assert explain(code).startswith("N207: two specs write one file (note)")


@pytest.mark.parametrize("code", CODES)
def test_a_rule_says_all_that_a_reader_needs(code: str) -> None:
    rule = RULES[code]
    parts = (rule.title, rule.summary, rule.why, rule.mend, rule.bad, rule.good)
    assert all(part.strip() == part.rstrip("\n") for part in parts[:4])
    assert all(parts)
    assert rule.bad != rule.good
    assert not rule.title.endswith(".")
    assert all(text.endswith(".") for text in (rule.summary, rule.why, rule.mend))
    assert "~~~~" not in rule.bad + rule.good


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_holds_the_whole_rule(code: str) -> None:
    rule = RULES[code]
    text = explain(f" {code.lower()} ")
    assert text.startswith(f"{code}: {rule.title} ({rule.severity})\n")
    for part in (
        rule.summary,
        rule.why,
        rule.mend,
        rule.bad.split("\n")[0],
        rule.good.split("\n")[0],
    ):
        assert part in text


def test_an_unknown_code_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'E999'") as caught:
        explain("E999")
    assert "E101" in caught.value.hint


def test_a_diagnostic_takes_its_severity_from_the_rule() -> None:
    assert diagnose("a.md", 3, code="W210", message="m").severity is Severity.WARNING
    assert diagnose("a.md", 3, code="E401", message="m").severity is Severity.ERROR


def test_the_pages_are_up_to_date() -> None:
    wanted = {f"{code}.md": render_page(rule) for code, rule in RULES.items()}
    wanted["README.md"] = render_index()
    found = {page.name: page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")}
    assert found == wanted, "run: python docs/write_rules.py"


def test_the_writer_mends_adds_and_removes_pages(tmp_path: Path) -> None:
    (tmp_path / "E001.md").write_text("a rule that is gone")
    (tmp_path / "E101.md").write_text("stale")
    spec = importlib.util.spec_from_file_location("write_rules", ROOT / "docs" / "write_rules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_pages(tmp_path)
    assert {page.name for page in tmp_path.iterdir()} == {
        "README.md",
        *(f"{code}.md" for code in CODES),
    }
    assert (tmp_path / "E101.md").read_text(encoding="utf-8") == render_page(RULES["E101"])
