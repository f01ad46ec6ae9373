"""Lines that a change types again with other characters, and what a model's tools leave in a file."""

from __future__ import annotations

import pytest
from test_rewrites import ruling

MESSAGES = (
    "timeout: 1000\ntitle: Tourner l’image\nheart: ❤️\nicon: \uf015 home\nwait: five… six\n"
    "end: 你好，世界。\ndrink: café\narea: 5 m²\nversion: 1.10\nmail: a@b.org\nkey: 12345678901234567890\n"
    "tea\tcup\n"
    "pattern: a\\.b\nsum: sha256-4uD7mAqX0bQ9Kf0jHq0e4mQe9V0sJ6m0rYl1sT2pQ3c=\n"
    "commit: 1f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4\n"
)
CHANGED = MESSAGES.replace("1000", "9000")
SLIPS = [
    ("’", "'"),
    ("\ufe0f", ""),
    ("\uf015 ", ""),
    ("…", "..."),
    ("，世界。", ",世界."),
    ("é", "e"),
    ("é", "Ã©"),
    ("é", "ee"),
    ("é", "?"),
    ("heart: ❤️", "heart: ?"),
    ("heart: ❤️", "heart: :heart:"),
    ("你好，世界。", "?"),
    ("tea\tcup", "tea    cup"),
    ("²", "2"),
    ("1.10", "1.1"),
    ("a@b.org", "[a@b.org](mailto:a@b.org)"),
    ("12345678901234567890", "12345678901234567000"),
    ("a\\.b", "a.b"),
    ("Hq0e4m", "Hq0e4n"),
    ("3d4c5b", "3d4c6b"),
]


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("old", "new"), SLIPS)
def test_a_line_outside_the_task_keeps_its_characters(old: str, new: str, explicit: bool) -> None:
    slipped = CHANGED.replace(old, new)
    reason = ruling("m.ini", MESSAGES, slipped, explicit=explicit, task="1. Set it to 9000.")
    assert "other characters than" in reason


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize(("old", "new"), [*SLIPS[1:4], *SLIPS[5:11]])
def test_characters_that_are_all_a_change_is_about_are_meant(
    old: str, new: str, explicit: bool
) -> None:
    told = {"task": f"1. Replace `{old}` by `{new}`."}
    assert not ruling("m.ini", MESSAGES, MESSAGES.replace(old, new), explicit=explicit, **told)
    assert not ruling("m.ini", MESSAGES, CHANGED.replace(old, new), explicit=explicit, **told)


@pytest.mark.parametrize(
    ("base", "content"),
    [
        ("a = 1f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4\n", "a = 99be8a7d6c5f4e3d2c1b0a9f8e7d6c5b4a392817\n"),
        ('x = "a \\"b\\" c"\ny = 1\n', "x = 'a \"b\" c'\ny = 2\n"),
        ("name = “A”\n", "name = \"A\"\nother = 1\nquotes = 'straight'\n"),
        ("id = 00000000-0000-0000-0000-000000000001\nb\n", "id = 00000000-0000-0000-0000-000000000002\nc\n"),
        ("word = cafe\n", "word = café\n"),
    ],
)  # fmt: skip
def test_other_text_is_no_slip(base: str, content: str) -> None:
    assert not ruling("m.ini", base, content, explicit=True, task="1. Write quotation marks: é.")


CSS = "body {\n  color: red;\n  width: 10px;\n}\n"
STRAY = {
    "the end of a turn": (CSS.replace("10px;", "9px;<|im_end|>"), "<|im_end|>"),
    "another model's": (CSS.replace("10px;", "9px;\n<｜end▁of▁sentence｜>"), "sentence"),
    "the tag that ends a call": (CSS.replace("10px;\n", "9px;\n</parameter>\n"), "</parameter>"),
    "a notice of a reader": (CSS + "[Showing lines 1-4 of 40. Use :5 to go on]\n", "[Showing"),
    "a notice of a shell": (CSS.replace("  color: red;\n", "[... 35 characters truncated ...]\n"), "35"),
    "a notice alone": (CSS.replace("  color: red;\n", "[truncated]\n"), "[truncated]"),
    "a mark of a change": (CSS.replace("10px;", "9px; <-- changed"), "<-- changed"),
    "an arrow of a change": (CSS.replace("10px;", "9px;  ← this line was updated"), "updated"),
    "dots": (CSS.replace("  color: red;\n", "  ...\n"), "..."),
}  # fmt: skip


CITATIONS = [
    "\ue200cite\ue202turn1view0\ue201", "citeturn0search5turn0search15", "【12†source】", "【4:0†a.pdf】",
    ":contentReference[oaicite:0]{index=0}", "[cite_start]", "[cite: 12, 13]", '<grok:render type="x">',
]  # fmt: skip


@pytest.mark.parametrize("citation", CITATIONS)
@pytest.mark.parametrize("base", [None, "# Tea\n\nIt is hot.\n"])
def test_a_citation_of_a_search_is_no_text_of_a_file(citation: str, base: str | None) -> None:
    content = f"# Tea\n\nIt is hot. {citation}\n"
    reason = ruling("a.md", base, content, explicit=True, task="1. Say where it is from.")
    assert "is no text of the file" in reason
    told = f"1. Strip `{citation}` from answers."
    assert not ruling("a.md", base, content, explicit=True, task=told)
    assert not ruling("a.py", None, f"MARK = {citation!r}\n")


@pytest.mark.parametrize("dots", ["...", "…"])
def test_dots_are_no_file(dots: str) -> None:
    assert "is no text of the file" in ruling("a.txt", None, f"{dots}\n")


@pytest.mark.parametrize("case", STRAY)
def test_what_tools_and_models_add_is_no_text_of_a_file(case: str) -> None:
    content, words = STRAY[case]
    reason = ruling("a.css", CSS, content, explicit=True, task="1. Set the width to 9px.")
    assert "is no text of the file" in reason
    assert words in reason
    assert not ruling("a.css", content, content + "\n\n", explicit=True)


KEPT = {
    "a chat's template": ("a.jinja", "a\n", "a\n<|im_start|>{{ text }}<|im_end|>\n"),
    "a token in quotes": ("a.lua", "a = 1\n", 'a = 1\nb = "<|im_end|>"\n'),
    "a token that the file has": ("a.txt", "x<|im_end|>\n<|im_start|>\n", "y<|im_end|>\n<|im_start|>\n"),
    "elements": ("a.xml", "<a>\n</a>\n", "<a>\n<content>\nb\n</content>\n</a>\n"),
    "an element's end that moves": ("a.xml.part", "</content>\n", "b\n</content>\n"),
    "the end of a document": ("a.yaml", "a: 1\n", "a: 1\n...\n"),
    "an empty body": ("a.pyi", "def f() -> int: ...\n", "def f() -> int: ...\nclass A:\n    ...\n"),
    "dots in prose": ("a.md", "# a\n\nb\n", "# a\n\nb\n\n...\n"),
    "an editor's sentence": ("a.txt", "b\n", "b\n(The text was truncated by an editor who had no room.)\nc\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", KEPT)
def test_what_looks_like_it_and_is_the_files_own_stays(case: str) -> None:
    path, base, content = KEPT[case]
    assert not ruling(path, base, content, explicit=True, task="1. Extend it.")


CONTROLS = [
    ("a.py", 'WORD = "\bcat"\n'),
    ("a.tex", "$\x0crac{1}{2}$\n"),
    ("a.js", "const a = /\bcat/;\n"),
    ("a.md", "The sound \x07lpha.\n"),
    ("a.txt", "it isnâ\x80\x99t\n"),
    ("a.py", "a = 1  # a note\rimport os\n"),
    ("a.sh", "echo a # a note\recho b\n"),
]


@pytest.mark.parametrize(("path", "added"), CONTROLS)
def test_a_control_character_is_no_text(path: str, added: str) -> None:
    assert "control character" in ruling(path, "a = 1\n", "a = 1\n" + added)
    assert "control character" in ruling(path, "", added)


@pytest.mark.parametrize(
    ("base", "content"),
    [
        ("a = 1\n", "a = 1\n\x0c\nb = 2\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"),
        ("bell = \x07\nb\n", "bell = \x07\nring = \x07\nb\n"),
        ("a\rb\rc\r", "a\rb\rd\r"),
    ],
)
def test_control_characters_that_the_file_uses_are_its_text(base: str, content: str) -> None:
    assert not ruling("a.txt", base, content)


ESCAPED = [
    ("a.md", r"# Title\n\nSome text here.\n\n- one\n- two\n" + "\n"),
    ("a.md", "# Title\n\nSome text.\n\n" + r"## More\n\nIt does this.\n" + "\n"),
    ("a.md", "It\\u2019s a caf\\u00e9.\n"),
    ("a.rst", 'A \\"quoted\\" word.\n'),
    ("a.txt", "one\\ntwo\\nthree\n"),
    ("a.sh", "#!/bin/sh\\necho a\\necho b\n"),
    ("a.css", "a {\\n  b: c;\\n}\n"),
    ("a.html", "<p>\\n  a\\n</p>\n"),
    ("a.sql", "SELECT 1;\\nSELECT 2;\n"),
    ("a.rb", "def f\\n  1\\nend\n"),
    ("a.ini", "[a]\\nb = 1\n"),
    ("Dockerfile", "FROM a\\nRUN b\n"),
    ("Makefile", "all:\n\\techo a\n"),
    ("a.yaml", 'a: \\"b\\"\n'),
]


@pytest.mark.parametrize(("path", "content"), ESCAPED)
def test_text_escaped_as_in_json_is_no_file(path: str, content: str) -> None:
    assert "escaped as in JSON" in ruling(path, "", content)
    assert "escaped as in JSON" not in ruling(path, content, content + content)


UNESCAPED = [
    ("a.md", "A line ends in \\n, and a text is split at \\n\\n into parts.\n"),
    ("a.md", "Write `\\n\\n- a\\n- b` or `\\u2019`.\n\n```\nprint(\\n  a\\n)\n```\n"),
    ("a.md", '| `a` | Map of sets in \\"type name\\" form. |\n'),
    ("a.txt", 'The error: "UNION types \\"char\\" and text".\n'),
    ("a.rb", "a = %(<p>\\n<b>\\n)\nb = c.split(/\\n\\n/).join(/\\n-/)\n"),
    ("a.sh", "printf 'a\\n\\nb\\n- c\\n'\nIFS=$'\\n'\n"),
    ("a.c", 'puts("a\\n  b\\n\\n");\n// ends in \\n\\nand \\n-\n'),
    ("a.yaml", 'a: "b {\\n  c\\n}\\n"\n'),
    ("a.ts", "const a = `\n}\\n${b}\\n//# ${c}=${d(e)}\\n`\n"),
    ("A.java", "class A {}\n/** A List&lt;T&gt;. */\n"),
    ("a.js", 'const a = s.replace(/"/g, "&quot;");\n'),
    ("a.json", '{"a": "\u1781\u200b\u1798"}\n'),
    ("a.txt", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f won.\n"),
    ("a.py", 'REPLACEMENT = "\ufffd"\n'),
]


@pytest.mark.parametrize(("path", "content"), UNESCAPED)
def test_escapes_where_they_belong_are_text(path: str, content: str) -> None:
    assert not ruling(path, "", content)


def test_dots_in_an_edit_of_text_stand_for_nothing() -> None:
    base = "one\ntwo\nthree\nfour\n"
    content = base.replace("two\nthree\n", "TWO it is\n...\n")
    assert "left out" in ruling("a.txt", base, content, explicit=True, task="1. Say what two is.")
