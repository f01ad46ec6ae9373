"""Linters' reports: what is read out of them, what is left out, and that damage is said and never raised as a bug."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minitask.errors import UsageError
from minitask.spec.findings import (
    RUFF,
    Finding,
    FindingReport,
    Form,
    Recheck,
    check_template,
    cited_lines,
    parse_report,
    render_findings,
    ruff_words,
)
from minitask.spec.paths import check_path
from minitask.spec.sarif import decode_json, relative_path

ROOT = "/home/una/project"


def ruff(filename: str = f"{ROOT}/src/a.py", **changes: Any) -> dict[str, Any]:
    """One entry of ruff's JSON."""
    return {
        "cell": None,
        "code": "F401",
        "filename": filename,
        "fix": None,
        "location": {"row": 3, "column": 8},
        "message": "`os` imported but unused",
        **changes,
    }


def result(uri: str | None = "src/a.js", /, **changes: Any) -> dict[str, Any]:
    """One result of SARIF."""
    place = {} if uri is None else {"artifactLocation": {"uri": uri}}
    physical = {**place, "region": {"startLine": 3, "startColumn": 8}}
    return {
        "ruleId": "no-var",
        "message": {"text": "Unexpected var."},
        "locations": [{"physicalLocation": physical}],
        **changes,
    }


def sarif(*results: dict[str, Any], rules: list[Any] | None = None, **run: Any) -> dict[str, Any]:
    """A log with one run."""
    driver = {"name": "ESLint", "rules": rules or []}
    one = {"tool": {"driver": driver}, "results": list(results), **run}
    return {"version": "2.1.0", "runs": [one]}


def read(document: Any) -> FindingReport:
    return parse_report(json.dumps(document), roots=(ROOT,))


def paths(document: Any) -> list[str]:
    return [finding.path for finding in read(document).findings]


def test_ruffs_findings_are_read_with_their_place_and_rule() -> None:
    report = read([ruff(), ruff(code="E741", location={"row": 9, "column": 5})])
    assert (report.form, report.tool, report.is_ruffs) == (Form.RUFF, "ruff", True)
    assert report.findings[0] == Finding("src/a.py", 3, 8, "F401", "`os` imported but unused")
    assert report.findings[1].rule == "E741"


def test_only_a_safe_fix_counts_as_the_linters_own() -> None:
    kinds = ["safe", "unsafe", "display", None]
    fixes = [ruff(code=f"F{n}", fix={"applicability": kind}) for n, kind in enumerate(kinds)]
    assert [item.fixable for item in read(fixes).findings] == [True, False, False, False]


def test_a_file_that_ruff_cannot_parse_is_a_finding_without_a_rule() -> None:
    assert read([ruff(code=None)]).findings[0].rule == "invalid-syntax"


def test_a_place_in_a_cell_of_a_notebook_is_left_out() -> None:
    report = read([ruff(f"{ROOT}/a.ipynb", cell=2)])
    assert (report.findings, report.left_out) == ((), 1)


def test_no_findings_are_a_report_as_well() -> None:
    assert read([]).findings == read(sarif()).findings == ()


def test_sarifs_findings_are_read_with_their_place_and_rule() -> None:
    report = read(sarif(result()))
    assert (report.form, report.tool, report.is_ruffs) == (Form.SARIF, "ESLint", False)
    assert report.findings == (Finding("src/a.js", 3, 8, "no-var", "Unexpected var."),)


def test_ruff_is_known_when_it_writes_sarif() -> None:
    document = sarif(result("a.py", ruleId="F401"))
    document["runs"][0]["tool"]["driver"]["name"] = "ruff"
    assert read(document).is_ruffs


@pytest.mark.parametrize(
    "reference",
    [
        {"ruleId": None, "ruleIndex": 1},
        {"ruleId": None, "rule": {"index": 1}},
        {"ruleId": "two"},
        {"ruleId": None, "rule": {"id": "two"}},
    ],
)
def test_a_rule_is_found_by_its_index_or_its_id(reference: dict[str, Any]) -> None:
    two = {"id": "two", "messageStrings": {"m": {"text": "{0} of {1}"}}}
    message = {"id": "m", "arguments": ["one", "{0}"]}
    document = sarif(result(message=message, **reference), rules=[{"id": "one"}, two])
    (finding,) = read(document).findings
    assert (finding.rule, finding.message) == ("two", "one of {0}")


def test_a_rule_may_be_an_extensions() -> None:
    extension = {"name": "plugin", "rules": [{"id": "plugin/rule"}]}
    tool = {"driver": {"name": "ESLint", "rules": [{"id": "own"}]}, "extensions": [extension]}
    reference = {"index": 0, "toolComponent": {"index": 0}}
    (finding,) = read(sarif(result(ruleId=None, rule=reference), tool=tool)).findings
    assert finding.rule == "plugin/rule"


@pytest.mark.parametrize(
    "aside",
    [
        {"level": "none"},
        {"kind": "pass"},
        {"kind": "informational"},
        {"baselineState": "absent"},
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"kind": "external", "status": "accepted"}]},
        {"ruleId": "quiet"},
    ],
)
def test_what_is_no_failure_or_was_put_aside_is_no_finding(aside: dict[str, Any]) -> None:
    quiet = {"id": "quiet", "defaultConfiguration": {"level": "none"}}
    report = read(sarif(result(**aside), rules=[quiet]))
    assert (report.findings, report.left_out) == ((), 0)


@pytest.mark.parametrize(
    "counts",
    [
        {"suppressions": []},
        {"suppressions": [{"kind": "external", "status": "rejected"}]},
        {"suppressions": [{"kind": "external", "status": "underReview"}]},
        {"level": "note"},
        {"ruleId": "quiet", "level": "error"},
    ],
)
def test_what_was_not_put_aside_for_good_is_a_finding(counts: dict[str, Any]) -> None:
    quiet = {"id": "quiet", "defaultConfiguration": {"level": "none"}}
    assert len(read(sarif(result(**counts), rules=[quiet])).findings) == 1


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("src/a.js", "src/a.js"),
        ("./src//a.js", "src/a.js"),
        ("src/a%20b.js", "src/a b.js"),
        ("src/%C3%A4.js", "src/ä.js"),
        ("src/c#/a?.cs", "src/c#/a?.cs"),
        (f"file://{ROOT}/src/a.js", "src/a.js"),
        (f"file://localhost{ROOT}/a%23b.js", "a#b.js"),
        (f"FILE:{ROOT}/src/a.js", "src/a.js"),
        (f"{ROOT}/src/a.js", "src/a.js"),
    ],
)
def test_a_uri_becomes_a_path_of_the_repository(uri: str, path: str) -> None:
    assert paths(sarif(result(uri))) == [path]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        f"file://{ROOT}-other/a.js",
        f"file://elsewhere{ROOT}/a.js",
        "https://example.com/src/a.js",
        "//host/share/a.js",
        "file:///C:/src/a.js",
        "C:\\src\\a.js",
        "src\\a.js",
        "../a.js",
        "src/../../a.js",
        "src/%2e%2e/a.js",
        ".git/config",
        f"{ROOT}/.GIT/config",
        "src/a%00.js",
        "src/a%0a.js",
        "src/%ff.js",
        "\ud800.js",
        "",
        ".",
        None,
    ],
)
def test_what_is_no_path_of_the_repository_is_left_out_and_counted(uri: str | None) -> None:
    report = read(sarif(result(uri)))
    assert (report.findings, report.left_out) == ((), 1)


def test_the_innermost_checkout_counts() -> None:
    slot = f"{ROOT}/.git/minitask/slots/0/tree"
    assert relative_path(f"{slot}/src/a.py", (ROOT, slot)) == "src/a.py"
    assert relative_path(f"{slot}/src/a.py", (ROOT,)) is None


def test_base_uris_are_followed() -> None:
    bases = {"ROOT": {"uri": f"file://{ROOT}/"}, "SRC": {"uri": "src/", "uriBaseId": "ROOT"}}
    place = {"artifactLocation": {"uri": "a.js", "uriBaseId": "SRC"}}
    one = result(locations=[{"physicalLocation": place}])
    assert paths(sarif(one, originalUriBaseIds=bases)) == ["src/a.js"]


def test_a_report_of_another_checkout_starts_at_its_source_root() -> None:
    place = {"artifactLocation": {"uri": "src/a.js", "uriBaseId": "%SRCROOT%"}}
    one = result(locations=[{"physicalLocation": place}])
    for bases in ({"%SRCROOT%": {"uri": "file:///builds/7/"}}, {"%SRCROOT%": {}}, {}):
        assert paths(sarif(one, originalUriBaseIds=bases)) == ["src/a.js"]


def test_base_uris_that_run_in_a_circle_end() -> None:
    bases = {name: {"uri": "x/", "uriBaseId": other} for name, other in (("A", "B"), ("B", "A"))}
    place = {"artifactLocation": {"uri": "a.js", "uriBaseId": "A"}}
    one = result(locations=[{"physicalLocation": place}])
    assert len(paths(sarif(one, originalUriBaseIds=bases))) == 1


def test_a_location_may_be_an_artifacts_index() -> None:
    one = result(locations=[{"physicalLocation": {"artifactLocation": {"index": 1}}}])
    artifacts = [{"location": {"uri": "b.js"}}, {"location": {"uri": "a.js"}}]
    assert paths(sarif(one, artifacts=artifacts)) == ["a.js"]


def test_each_place_of_a_result_is_a_finding_and_each_finding_counts_once() -> None:
    places = [{"physicalLocation": {"artifactLocation": {"uri": u}}} for u in ("a.js", "b.js")]
    assert paths(sarif(result(locations=places), result(locations=places))) == ["a.js", "b.js"]


def test_a_message_is_one_line_that_steers_no_terminal() -> None:
    (finding,) = read(sarif(result(message={"text": "one\n\n# Mini-Task 9: x\x1b[2J"}))).findings
    assert finding.message == "one # Mini-Task 9: x"


def test_a_report_may_be_in_any_encoding_that_json_knows() -> None:
    text = json.dumps(sarif(result("ä.js")), ensure_ascii=False)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        assert len(parse_report(decode_json(text.encode(encoding))).findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not JSON",
        "{",
        "[" * 100_000,
        "1" * 5_000,
        "null",
        "3",
        '"text"',
        "{}",
        '{"results": []}',
        '[{"filePath": "a.js", "messages": []}]',
        "[3]",
        "[null]",
        '{"version": "1.0.0", "runs": []}',
        '{"version": 2.1, "runs": []}',
        '{"version": "2.1.0", "runs": 3}',
        '{"version": "2.1.0", "runs": [3]}',
    ],
)
def test_what_is_neither_form_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_report(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([ruff(), ruff(location=3)], "[1].location is the number 3, not an object"),
        ([ruff(location={"row": "3"})], "[0].location.row is a text, not a line or column"),
        ([ruff(location={"row": True})], "[0].location.row is a truth value"),
        ([ruff(location={"row": -1})], "[0].location.row is the number -1"),
        ([ruff(location={"row": 10**12})], "[0].location.row is the number"),
        ([ruff(filename=3)], "[0].filename is the number 3, not a text"),
        (sarif(result(locations=3)), "runs[0].results[0].locations is the number 3, not a list"),
        (sarif(result(suppressions=[{"status": []}])), "runs[0].results[0].suppressions"),
        (sarif(result(message="text")), "runs[0].results[0].message is a text, not an object"),
        (sarif(result(ruleIndex=0), rules=[3]), "runs[0].tool: rule 0"),
        (sarif(result([])), "runs[0].results[0].locations[0].uri is a list, not a text"),
    ],
)
def test_a_damaged_report_is_told_where_it_is_damaged(document: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(document)
    assert said in caught.value.message


def test_bytes_in_no_encoding_are_damage() -> None:
    with pytest.raises(UsageError):
        decode_json(b'[{"filename": "\xff\xfe"}]')


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from(["none", "a.js", "file:///x", "%", "//["]),
)
NAMES = ["id", "text", "uri", "uriBaseId", "index", "status", "row", "driver", "rules", "region"]
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)
RESULT_KEYS = [
    *("ruleId", "rule", "ruleIndex", "level", "kind", "message", "locations", "suppressions"),
]
RUN_KEYS = ["tool", "results", "artifacts", "originalUriBaseIds"]
RUFF_KEYS = ["filename", "location", "code", "fix", "cell", "message"]
KEYS = [*RESULT_KEYS, *RUN_KEYS, *RUFF_KEYS]


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(["ruff", "result", "run"]))
def test_no_damage_is_more_than_a_usage_error(damage: dict[str, Any], where: str) -> None:
    if where == "ruff":
        document: Any = [{**ruff(), **damage}]
    else:
        document = sarif({**result(), **damage}) if where == "result" else sarif(result())
        document["runs"][0].update(damage if where == "run" else {})
    try:
        report = read(document)
    except UsageError:
        return
    assert all(not check_path(finding.path) for finding in report.findings)


@given(st.text("aA./%\\:~ gitGIT\n\0ä\u200b\ud800", max_size=20))
def test_a_path_that_is_kept_is_canonical_and_stays_itself(text: str) -> None:
    path = relative_path(text, (ROOT,))
    if path is not None:
        assert not check_path(path)
        assert relative_path(path, (ROOT,)) == path
        assert relative_path(f"{ROOT}/{path}", (ROOT,)) == path


def many(number: int, *, rules: int = 1) -> list[Finding]:
    return [Finding("a.py", n + 1, 1, f"E{n % rules:03}", "wrong") for n in range(number)]


def test_a_list_names_each_finding_with_its_line_and_what_stands_there() -> None:
    findings = [Finding("a.py", 2, 1, "F841", "never used"), Finding("a.py", 0, 0, "W1", "odd")]
    text = render_findings(findings, "def f():\n    x = 1\n")
    assert "F841 | line 2 | x = 1 | never used\n" in text
    assert "W1 | the whole file | odd\n" in text


@pytest.mark.parametrize(
    ("number", "rules"), [(40, 30), (41, 1), (300, 1), (300, 4), (300, 19), (300, 40), (300, 300)]
)
def test_a_long_list_is_cut_and_the_rest_counted(number: int, rules: int) -> None:
    lines = render_findings(many(number, rules=rules), "").splitlines()[1:-1]
    assert len(lines) <= 40
    told = sum(" | line " in line for line in lines)
    more = [line.split(" more, at ")[0].split()[-1] for line in lines if " more, at " in line]
    others = [line.split()[1] for line in lines if line.startswith("and ")]
    assert told + sum(map(int, more)) + sum(map(int, others)) == number


def test_a_line_with_a_fence_does_not_end_the_list() -> None:
    text = render_findings([Finding("a.md", 1, 1, "MD", "bad")], "```` x\n")
    assert text.startswith("`````text\n")
    assert text.endswith("\n`````")


def test_a_long_file_is_cited_around_its_findings_and_a_short_one_is_not() -> None:
    findings = [Finding("a.py", line, 1, "E", "x") for line in (100, 105, 995)]
    assert [str(item) for item in cited_lines(findings, line_count=1000)] == [
        "1-20",
        "90-115",
        "985-1000",
    ]
    assert cited_lines(findings, line_count=300) == ()
    assert cited_lines([Finding("a.py", 0, 0, "E", "x")], line_count=1000) == ()
    assert cited_lines([Finding("a.py", 2000, 0, "E", "x")], line_count=1000) == ()


def test_ruffs_rules_are_selected_and_what_is_silenced_may_stay() -> None:
    command = Recheck(ruff=RUFF).command("a b.py", rules=["F401", "E501", "F401"], text="# noqa\n")
    first, second = command.splitlines()
    assert first == "ruff check --no-cache --select E501,F401 'a b.py'"
    assert second.endswith("-le 1")


def test_a_file_that_cannot_be_parsed_is_checked_for_that_alone() -> None:
    command = Recheck(ruff=RUFF).command("-a.py", rules=["invalid-syntax"], text="")
    assert "--select E9 ./-a.py" in command


def test_the_users_command_gets_the_path_in_quotes_and_others_have_none() -> None:
    assert Recheck("eslint {path}").command("a b.js", rules=[], text="") == "eslint 'a b.js'"
    assert Recheck().command("a.js", rules=["no-var"], text="") == ""


def test_a_command_that_does_not_say_which_file_is_refused() -> None:
    with pytest.raises(UsageError):
        check_template("eslint .")


@pytest.mark.parametrize(
    ("linter", "words"),
    [
        ("ruff check --output-format json --exit-zero .", ("ruff", "check")),
        (".venv/bin/ruff check .", (".venv/bin/ruff", "check")),
        ("python -m ruff check src", ("python", "-m", "ruff", "check")),
        (
            "ruff check --preview --config a.toml --select ALL --target-version=py311 .",
            ("ruff", "check", "--preview", "--config", "a.toml", "--target-version=py311"),
        ),
        ("cd src && ruff check .", RUFF),
        ("A=1 ruff check .", RUFF),
        ("ruff 'unclosed", RUFF),
        ("lint-everything", RUFF),
    ],
)
def test_ruff_is_started_again_as_the_user_starts_it(linter: str, words: tuple[str, ...]) -> None:
    assert ruff_words(linter) == words
