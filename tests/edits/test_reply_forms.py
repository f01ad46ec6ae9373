"""What a chat model's reply means: odd forms that are read, and those that go back with the reason."""

from __future__ import annotations

import time

import pytest

from edits.replies import BLUE, CSS, HUNK, F, asked, edited, error_of, read, whole
from minitask.edits.reply.numbers import without_numbers
from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import Citation, ListedFile, ReplyContext
from minitask.errors import EditError, UnlistedError
from minitask.spec.model import FileAction, LineRange

EDIT, CREATE, DELETE, READ = (
    FileAction.EDIT,
    FileAction.CREATE,
    FileAction.DELETE,
    FileAction.READ,
)


CSS_TASK = asked(edited("a.css"), base={"a.css": CSS})
NEW_TASK = asked(ListedFile("src/new.txt", CREATE))
ONE_NEW = asked(ListedFile("src/a.txt", CREATE))
TWO_NEW = asked(ListedFile("src/a.txt", CREATE), ListedFile("src/b.txt", CREATE))


def below(lead: str) -> str:
    """A reply with two files, the second below a line of its own."""
    return f"`src/a.txt`:\n{F}text\na\n{F}\n\n{lead}\n\n{F}text\nb\n{F}\n"


@pytest.mark.parametrize(
    "opening",
    [
        f"{F}text path=./src/new.txt",
        f"{F}text path='src/new.txt'",
        f"{F}text path=`src/new.txt`",
        f"{F}text path=src/new.txt,",
        f"{F}text path=src/new.txt:",
        f"{F}text path=src\\new.txt",
        f"{F}text path=src%2Fnew.txt",
        f"{F}text path=repo/src/new.txt",
        f"{F}text path=w/src/new.txt",
        f"{F}text path=(src/new.txt)",
        f"{F}text path=“src/new.txt”",
        f"{F}text path=「src/new.txt」",
        f"{F}text path=src/\u200bnew.txt.",
        f"{F}text path=a/src/new.txt",
        f"{F}text path=b/src/new.txt",
        f"{F}text path=/work/repo/src/new.txt",
        f"{F}text path=/somewhere/else/src/new.txt",
        f"{F}text path=C:\\repo\\src\\new.txt",
        f"{F}text path=src/./new.txt",
        f"{F}text {{path=src/new.txt}}",
        f"{F}text:src/new.txt",
        f"{F}src/new.txt",
        f"{F}text src/new.txt",
        f'{F}text title="src/new.txt"',
        f'{F}text filename="./src/new.txt"',
        f"{F}text file=src/new.txt",
        f"**src/new.txt**\n\n{F}text",
        f"**`src/new.txt`**:\n{F}",
        f"### src/new.txt\n\n{F}text",
        f"### `src/new.txt` (new file)\n\n{F}text",
        f"File: src/new.txt\n{F}text",
        f"**File:** `src/new.txt`\n\n{F}text",
        f"1. `src/new.txt`:\n\n{F}text",
        f"Here is the complete file `src/new.txt`:\n\n{F}text",
        f"Create `src/new.txt` with the following content:\n\n{F}text",
        f"\U0001f4c4 src/new.txt\n\n{F}text",
        f"1\ufe0f\u20e3 **src/new.txt**\n\n{F}text",
        f"\u2705 `src/new.txt`\n\n{F}text",
        f"--- src/new.txt ---\n\n{F}text",
        f"==== src/new.txt\n{F}text",
        f"// File: src/new.txt\n{F}text",
        f"<!-- src/new.txt -->\n{F}text",
        f"<h3>src/new.txt</h3>\n\n{F}text",
        f"@src/new.txt\n{F}text",
        f"src/new.txt \u2014 new\n\n{F}text",
        f"File 1: src/new.txt\n{F}text",
        f"Step 2: create `src/new.txt`\n\n{F}text",
        f"{F}text [src/new.txt]",
        f"{F}text (src/new.txt)",
        f"{F}text|src/new.txt",
        f"{F}text\nsrc/new.txt",
        f"{F}text",
        f"{F}",
    ],
)
def test_a_listed_path_is_meant_however_it_is_spelled(opening: str) -> None:
    request = asked(ListedFile("src/new.txt", CREATE), root="/work/repo")
    assert read(f"{opening}\nhello\n{F}\n", request) == {"src/new.txt": "hello\n"}


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("docs/my file.txt", "docs/my%20file.txt"),
        ("docs/my file.txt", "docs/my\\ file.txt"),
        ("app/[id]/page.txt", "app/\\[id\\]/page.txt"),
        ("app/[id]/page.txt", "app\\[id]\\page.txt"),
        ("(auth)/page.txt", "(auth)/page.txt"),
        ("docs/a%20b.txt", "docs/a%20b.txt"),
        ("a/b.txt", "repo/a/b.txt"),
    ],
)
def test_an_encoded_or_escaped_path_is_the_listed_one(path: str, written: str) -> None:
    request = asked(ListedFile(path, CREATE), root="/work/repo")
    assert read(f"{F}text path={written}\nhello\n{F}\n", request) == {path: "hello\n"}


def test_a_loose_path_that_may_be_another_file_goes_back() -> None:
    other = {"w/a.txt": "x\n", "docs/a b.txt": "x\n"}
    for path, written in (
        ("a.txt", "w/a.txt"),
        ("a.txt", "repo/a.txt"),
        ("docs/a.b.txt", "docs/a%20b.txt"),
    ):
        request = asked(ListedFile(path, CREATE), base=other, root="/work/repo")
        assert "lists no file" in error_of(f"{F}text path={written}\nhello\n{F}\n", request)
    assert "no file file:/x/a.txt" in error_of(whole("file:///x/a.txt", "x\n"), NEW_TASK)


@pytest.mark.parametrize(
    "lead",
    [
        "And `src/b.txt`",
        "And here is **src/b.txt**",
        "And finally, the test file `src/b.txt`:",
        "Next, the new component `src/b.txt`:",
        "The second file is `src/b.txt`.",
        "Here's the full content for `src/b.txt`:",
        "Here\u2019s `src/b.txt`",
        "I've rewritten `src/b.txt`:",
        "Changes to `src/b.txt`:",
        "`src/b.txt` should look like this:",
        "Und hier ist die neue Datei `src/b.txt`:",
        "Voici le nouveau fichier `src/b.txt` :",
        "Aquí está el archivo nuevo `src/b.txt`:",
        "E aqui o novo arquivo `src/b.txt`:",
        "Ecco il nuovo file `src/b.txt`:",
        "以下是 `src/b.txt` 的完整内容:",
        "**`src/b.txt`** \u2014 add the letter",
        "### src/b.txt: say b",
        "(2/2) `src/b.txt`",
        "**Step 2 \u2013 `src/b.txt`**",
        "Overwrite `src/b.txt` with the following:",
        "Put this in `src/b.txt`:",
    ],
)
def test_a_sentence_that_says_nothing_else_names_the_file_of_the_fence_below(lead: str) -> None:
    assert read(below(lead), TWO_NEW) == {"src/a.txt": "a\n", "src/b.txt": "b\n"}


@pytest.mark.parametrize("lead", ["**_a/OWNERS**", "### _a/OWNERS", "**__a__.txt**", "_a/b.txt"])
def test_an_underscore_at_the_start_of_a_path_is_no_mark_of_emphasis(lead: str) -> None:
    path = lead.strip("#* ")
    reply = f"{lead}\n\n{F}\nb\n{F}\n"
    assert read(reply, asked(ListedFile(path, CREATE))) == {path: "b\n"}
    other = asked(ListedFile("_a/b.txt", CREATE), base={"a/b.txt": "a\n"})
    assert "lists no file a/b.txt" in error_of(f"**a/b.txt**\n\n{F}\nb\n{F}\n", other)


@pytest.mark.parametrize("title", ["A title\n~~~~~~~\n", "~~~~~\nTitle\n~~~~~\n\nB\n~\n"])
def test_a_line_below_a_title_opens_no_fence(title: str) -> None:
    text = f"{title}\nText.\n"
    assert read(f"{F}\n{text}{F}\n", asked(ListedFile("a.rst", CREATE))) == {"a.rst": text}


@pytest.mark.parametrize(
    "lead",
    [
        "See `src/b.txt`",
        "This is what uses `src/b.txt`:",
        "Then run `src/b.txt`:",
        "It prints what is in `src/b.txt`",
        "`src/b.txt` is no longer needed:",
        "Do not forget `src/b.txt`",
        "Before, `src/b.txt` was",
        "`src/a.txt` and `src/b.txt`:",
        "// not in src/b.txt",
        "We use `src/b.txt`:",
        "\u274c `src/b.txt`",
        "`src/b.txt` \u2014 unchanged, for context",
        "`src/b.txt`: it is like `src/a.txt`",
    ],
)
def test_a_sentence_that_says_more_names_no_file(lead: str) -> None:
    assert "names no file" in error_of(below(lead), TWO_NEW)


def test_many_fences_below_tags_are_read_in_time() -> None:
    reply = f"<step>\n{F}\na\n{F}\n</step>\n" * 1_600
    started = time.process_time()
    assert read(f"{reply}\n`src/a.txt`:\n{F}\na\n{F}\n", ONE_NEW) == {"src/a.txt": "a\n"}
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("files", "lead", "is_read"),
    [
        (("a.py", "b.go"), "Example response:", True),
        (("a.py", "b.go"), "Also add to package.json:", False),
        (("a.py", "b.json"), "Example response:", False),
        (("a.py", "b.md"), "Example response:", False),
        (("a.py", "b.golden"), "Example response:", False),
    ],
)
def test_a_fence_in_a_language_of_no_file_is_an_example(
    files: tuple[str, ...], lead: str, is_read: bool
) -> None:
    request = asked(*(ListedFile(path, CREATE) for path in files))
    reply = "".join(whole(path, "1\n") for path in files) + f"\n{lead}\n\n{F}json\n[2]\n{F}\n"
    if is_read:
        assert read(reply, request) == dict.fromkeys(files, "1\n")
    else:
        assert "names no file" in error_of(reply, request)


SCRIPT = "#!/bin/sh\nset -eu\necho usage: run.sh\n"


@pytest.mark.parametrize("lead", ["### `bin/run.sh`", "**bin/run.sh**", "2. Update `bin/run.sh`:"])
@pytest.mark.parametrize("path", ["bin/run.sh", ".env.example", "bin/run"])
def test_a_path_alone_above_shell_code_names_its_file(lead: str, path: str) -> None:
    request = asked(ListedFile(path, CREATE), ListedFile("a.txt", CREATE))
    lead = lead.replace("bin/run.sh", path)
    for info in ("bash", "sh"):
        reply = f"`a.txt`\n{F}\na\n{F}\n\n{lead}\n\n{F}{info}\n{SCRIPT}{F}\n"
        assert read(reply, request) == {"a.txt": "a\n", path: SCRIPT}


@pytest.mark.parametrize(
    ("path", "fence", "is_read"),
    [
        ("LICENSE", f"{F}\nMIT\n{F}", True),
        ("py.typed", f"{F}\n{F}", True),
        ("run.sh", f"{F}bash\n{SCRIPT}{F}", True),
        ("n.ipynb", f"{F}json\n{{}}\n{F}", True),
        ("run.sh", f"{F}bash\nset -eu\n{F}", False),
        ("m.py", f"{F}\nhello\n{F}", False),
        ("m.py", f"{F}bash\n{SCRIPT}{F}", False),
        ("n.ipynb", f"{F}python\n1\n{F}", False),
    ],
)
def test_a_heading_names_a_fence_that_may_be_its_file(
    path: str, fence: str, *, is_read: bool
) -> None:
    request = asked(ListedFile(path, CREATE), ListedFile("a.txt", CREATE))
    reply = f"`a.txt`\n{F}\na\n{F}\n\n### `{path}`\n\nIt is new.\n\n{fence}\n"
    if is_read:
        assert read(reply, request).keys() == {"a.txt", path}
    else:
        with pytest.raises(EditError):
            read(reply, request)


@pytest.mark.parametrize(
    ("lead", "commands"),
    [
        ("Then run `bin/run.sh`:", "set -eu\n"),
        ("### `bin/run.sh`", "chmod +x bin/run.sh\n"),
        ("### `bin/run.sh`", "# Try it:\n./bin/run.sh 1\n"),
        ("### `Makefile`", "make lint\n"),
        ("### `other.sh`", "make lint\n"),
        ("**Makefile** and **bin/run.sh**", "make lint\n"),
    ],
)
def test_commands_below_a_path_are_no_file(lead: str, commands: str) -> None:
    files = [ListedFile(path, CREATE) for path in ("a.txt", "bin/run.sh", "Makefile")]
    reply = f"`a.txt`\n{F}\na\n{F}\n\n{lead}\n\n{F}bash\n{commands}{F}\n"
    with pytest.raises(EditError):
        read(reply, asked(*files))


@pytest.mark.parametrize("comment", ["# src/a.py", "# file: src/a.py", "# ./src/a.py"])
def test_a_first_comment_names_the_file_and_is_no_part_of_it(comment: str) -> None:
    request = asked(ListedFile("src/a.py", CREATE), ListedFile("src/b.py", CREATE))
    reply = f"{F}python\n{comment}\nx = 1\n{F}\n\n{F}python\n# src/b.py\ny = 1\n{F}\n"
    assert read(reply, request) == {"src/a.py": "x = 1\n", "src/b.py": "y = 1\n"}


def test_a_title_that_is_the_files_name_stays() -> None:
    request = asked(ListedFile("AGENTS.md", FileAction.CREATE))
    title, label = "# AGENTS.md\n\nIt guides agents.\n", "# AGENTS.md\n\n# Guide\n\nIt guides.\n"
    assert read(f"{F}markdown\n{title}{F}\n", request) == {"AGENTS.md": title}
    assert read(f"{F}markdown\n{label}{F}\n", request) == {"AGENTS.md": "# Guide\n\nIt guides.\n"}


BUTTON = (
    'import React from "react";\n\ntype Props = { label: string };\n\n'
    "export function B({ label }: Props) {\n  return label;\n}\n"
)
BUTTONS = asked(edited("b.tsx"), edited("c.tsx"), base={"b.tsx": BUTTON, "c.tsx": "c\n"})


def commented(text: str) -> str:
    """A reply with two files, the first named by its first comment."""
    return f"{F}tsx\n// b.tsx\n{text}{F}\n" + whole("c.tsx", "d\n")


def test_a_commented_file_that_begins_and_ends_as_before_may_change_more_than_half() -> None:
    text = BUTTON.replace("label: string", "text: string").replace("{ label }", "{ text }")
    text = text.replace("return label", "return text")
    assert read(commented(text), BUTTONS)["b.tsx"] == text


@pytest.mark.parametrize(
    "part",
    [
        'import React from "react";\n\nexport const C = 1;\n',
        "type Props = { text: string };\n\nexport function B({ text }: Props) {\n  return text;\n}\n",
        "export function B({ text }) {\n  return text;\n}\n",
    ],
)
def test_a_commented_fence_that_may_be_a_part_goes_back(part: str) -> None:
    assert "does not look like all" in error_of(commented(part), BUTTONS)


def test_a_first_comment_that_the_file_has_already_stays() -> None:
    base = {"src/a.py": "# src/a.py\nx = 1\n"}
    reply = f"{F}python\n# src/a.py\nx = 2\n{F}\n"
    assert read(reply, asked(edited("src/a.py"), base=base)) == {"src/a.py": "# src/a.py\nx = 2\n"}


@pytest.mark.parametrize(
    ("path", "meant"),
    [("a.txt", "docs/a.txt"), ("doc/a.txt", "docs/a.txt"), ("DOCS/A.txt", "docs/a.txt")],
)
def test_a_wrong_folder_goes_back_with_the_listed_path(path: str, meant: str) -> None:
    request = asked(edited("docs/a.txt"), base={"docs/a.txt": "one\ntwo\n"})
    assert meant in error_of(whole(path, "one\nTWO\n"), request)


@pytest.mark.parametrize(
    "path", ["other.txt", "../x.txt", ".github/workflows/ci.yml", "/etc/hosts"]
)
def test_a_file_that_is_not_listed_goes_back_with_the_list(path: str) -> None:
    with pytest.raises(UnlistedError) as caught:
        changes_of(whole("a.css", BLUE) + whole(path, "x\n"), CSS_TASK)
    assert "edit a.css" in caught.value.hint


def test_an_absolute_path_of_another_folder_of_the_repository_is_another_file() -> None:
    request = asked(edited("a.txt"), base={"a.txt": "a\n", "docs/a.txt": "d\n"}, root="/repo")
    for path in ("/repo/docs/a.txt", "/elsewhere/docs/a.txt"):
        with pytest.raises(UnlistedError):
            changes_of(whole(path, "x\n"), request)


def test_a_file_to_be_read_may_not_be_written() -> None:
    request = asked(edited("a.css"), ListedFile("b.css", READ), base={"a.css": CSS, "b.css": "x\n"})
    assert "listed to be read" in error_of(whole("a.css", BLUE) + whole("b.css", "y\n"), request)


@pytest.mark.parametrize(
    ("opening", "divider", "closing"),
    [
        ("<<<<<<< ORIGINAL", "=======", ">>>>>>> UPDATED"),
        ("<<<<<< SEARCH", "======", ">>>>>> REPLACE"),
        ("<<<<<<<< SEARCH", "========", ">>>>>>>> REPLACE"),
        ("<<<<<<< SEARCH", "======", ">>>>>>>> REPLACE"),
        ("<<<<<<< search", "=======", ">>>>>>> replace"),
        ("<<<<<<<SEARCH", "=======", ">>>>>>>REPLACE"),
        ("<<<<<<< SEARCH a.css", "=======", ">>>>>>> REPLACE a.css"),
        ("<<<<<<< HEAD", "=======", ">>>>>>> new"),
        ("<<<<<<<", "=======", ">>>>>>>"),
        ("------- SEARCH", "=======", "+++++++ REPLACE"),
        ("<<<<<<< SEARCH\n:start_line:2\n-------", "=======", ">>>>>>> REPLACE"),
        ("<<<<<<< SEARCH", "=======", ">>>>>>> UPDATED"),
    ],
)
def test_blocks_with_other_markers_are_read(opening: str, divider: str, closing: str) -> None:
    block = f"{opening}\n  color: red;\n{divider}\n  color: blue;\n{closing}\n"
    assert read(whole("a.css", block), CSS_TASK) == {"a.css": BLUE}
    assert read(f"{F}css\n{block}{F}\n", CSS_TASK) == {"a.css": BLUE}


@pytest.mark.parametrize(
    "content",
    [
        "<<<<<<< ORIGINAL\n  color: red;\n=======\n  color: blue;\n",
        "<<<<<<< HEAD\n  color: red;\n||||||| base\n  x\n=======\n  color: blue;\n>>>>>>> new\n",
        "<<<<<<< HEAD\n  color: red;\n=======\nx\n=======\n  color: blue;\n>>>>>>> new\n",
        CSS.replace("  color: red;\n", "<<<<<<< HEAD\n  color: red;\n=======\n  color: blue;\n>>>>>>> b\n"),
        CSS + ">>>>>>> REPLACE\n",
        "<<<<<<< SEARCH\n  red\n=======\n  blue\n>>>>>>> REPLACE\n".replace("<", "&lt;").replace(">", "&gt;"),
        "<<<<<<< SEARCH\nno such line\n=======\n  color: blue;\n>>>>>>> REPLACE\n",
        "[SEARCH]\n  color: red;\n[REPLACE]\n  color: blue;\n[END]\n",
        "@@@ SEARCH\n  color: red;\n@@@ REPLACE\n  color: blue;\n@@@ END\n",
        "<search>\n  color: red;\n</search>\n<replace>\n  color: blue;\n</replace>\n",
        "<!-- old -->\n  color: red;\n<!-- new -->\n  color: blue;\n<!-- end -->\n",
        "<<<SEARCH>>>\n  color: red;\n<<<REPLACE>>>\n  color: blue;\n<<<END>>>\n",
        "// SUCHE\n  color: red;\n// ERSETZE\n  color: blue;\n",
        "2c2\n<   color: red;\n---\n>   color: blue;\n",
        "@@@ -1,3 -1,3 +1,3 @@@\n  body {\n--  color: red;\n++  color: blue;\n  }\n",
        CSS.replace("red", "[-red;-]{+blue;+}"),
    ],
)  # fmt: skip
def test_what_looks_like_blocks_and_cannot_be_read_in_one_way_goes_back(content: str) -> None:
    error_of(whole("a.css", content), CSS_TASK)


@pytest.mark.parametrize(
    ("base", "content"),
    [
        ("name: a\nversion: 1\nkind: x\nsize: 2\n", "name: b\nversion: 1\nkind: y\nsize: 3\n"),
        ("# A\n\none\n\ntwo\n\nthree\n", "# B\n\none\n\n# C\n\nfour\n\nfive\n"),
    ],
)
def test_a_changed_line_in_the_form_of_the_others_is_no_label(base: str, content: str) -> None:
    assert read(whole("a.txt", content), asked(edited("a.txt"), base={"a.txt": base}))


def test_a_path_above_blocks_inside_of_their_fence_is_read() -> None:
    block = "<<<<<<< SEARCH\n  color: red;\n=======\n  color: blue;\n>>>>>>> REPLACE\n"
    task = asked(edited("a.css"), edited("b.css", optional=True), base={"a.css": CSS, "b.css": CSS})
    assert read(f"{F}css\na.css\n{block}{F}\n", task) == {"a.css": BLUE}
    assert "names no file" in error_of(f"{F}css\nbody\n{block}{F}\n", task)


def test_markers_that_the_file_or_the_task_has_are_text() -> None:
    text = "How a conflict looks:\n\n<<<<<<< HEAD\nours\n=======\ntheirs\n>>>>>>> branch\n"
    base = {"a.css": CSS, "doc.md": text}
    later = text + "\nMore.\n"
    assert read(whole("doc.md", later), asked(edited("doc.md"), base=base)) == {"doc.md": later}
    told = asked(ListedFile("doc.md", CREATE), task_text=f"Write:\n{text}")
    assert read(whole("doc.md", text), told) == {"doc.md": text}
    literal = f"{F}md path=doc.md whole\n{text}{F}\n"
    assert read(literal, asked(ListedFile("doc.md", CREATE))) == {"doc.md": text}


@pytest.mark.parametrize("info", ["css path=a.css", "diff path=a.css", "diff", "patch", ""])
@pytest.mark.parametrize(
    "head",
    [
        "--- a/a.css\n+++ b/a.css\n",
        "--- a.css\n+++ ./a.css\n",
        "diff --git a/a.css b/a.css\n--- a/a.css\n+++ b/a.css\n",
        "--- i/a.css\n+++ w/a.css\n",
        "",
    ],
)
def test_a_diff_is_applied_wherever_it_stands(info: str, head: str) -> None:
    assert read(f"{F}{info}\n{head}{HUNK}{F}\n", CSS_TASK) == {"a.css": BLUE}


def test_a_diff_without_numbers_is_applied_where_its_lines_stand_once() -> None:
    hunk = "@@ ... @@\n body {\n-  color: red;\n+  color: blue;\n }\n"
    assert read(f"{F}diff\n--- a/a.css\n+++ b/a.css\n{hunk}{F}\n", CSS_TASK) == {"a.css": BLUE}
    twice = asked(edited("a.css"), base={"a.css": CSS + CSS})
    assert "2 times" in error_of(f"{F}css path=a.css\n{hunk}{F}\n", twice)


def test_a_diff_of_another_file_than_its_fence_goes_back() -> None:
    request = asked(edited("a.css"), edited("b.css"), base={"a.css": CSS, "b.css": CSS})
    error = error_of(whole("b.css", f"--- a/a.css\n+++ b/a.css\n{HUNK}"), request)
    assert "a.css stands in the fence of b.css" in error


PATCH = "*** Begin Patch\n*** Update File: a.css\n@@ body {{\n-  color: red;\n+  color: blue;\n{end}*** End Patch\n"


@pytest.mark.parametrize(
    "form",
    [
        "{patch}",
        F + "\n{patch}" + F + "\n",
        F + "patch\n{patch}" + F + "\n",
        F + "css path=a.css\n{patch}" + F + "\n",
        F + "bash\napply_patch <<'EOF'\n{patch}EOF\n" + F + "\n",
    ],
)
@pytest.mark.parametrize("end", ["", "*** End of File\n"])
def test_a_patch_in_codexs_form_is_applied(form: str, end: str) -> None:
    assert read(form.format(patch=PATCH.format(end=end)), CSS_TASK) == {"a.css": BLUE}


def test_a_patch_adds_deletes_and_moves_files() -> None:
    base = {"old.txt": "o\n", "x.txt": "one\ntwo\n"}
    request = asked(
        ListedFile("new.txt", CREATE),
        ListedFile("old.txt", DELETE),
        ListedFile("x.txt", DELETE),
        ListedFile("y.txt", CREATE),
        base=base,
    )
    patch = (
        "*** Begin Patch\n*** Add File: new.txt\n+a\n+\n+b\n*** Delete File: old.txt\n"
        "*** Update File: x.txt\n*** Move to: y.txt\n@@\n one\n-two\n+TWO\n*** End Patch\n"
    )
    found = read(f"{F}\n{patch}{F}\n", request)
    assert found == {"new.txt": "a\n\nb\n", "old.txt": None, "x.txt": None, "y.txt": "one\nTWO\n"}


def test_a_patch_finds_lines_that_stand_twice_below_the_line_that_it_names() -> None:
    text = "def a():\n    return 1\n\ndef b():\n    return 1\n"
    request = asked(edited("m.py"), base={"m.py": text})
    patch = "*** Begin Patch\n*** Update File: m.py\n@@ def b():\n-    return 1\n+    return 2\n*** End Patch\n"
    assert read(patch, request) == {"m.py": text[:-2] + "2\n"}
    assert "2 times" in error_of(patch.replace("@@ def b():", "@@"), request)


TEXT = "".join(f"line {i}\n" for i in range(1, 8))
CHANGED = TEXT.replace("line 3", "LINE 3")


@pytest.mark.parametrize(
    "form",
    ["{n}\t", "{n}: ", "{n:>4} ", "{n:>6}\t", "{n} | ", "{n}|", "{n:>3}  ", "L{n}: ", "{n}. "],
)
def test_copied_line_numbers_are_taken_away_where_they_count_on(form: str) -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    lines = CHANGED.splitlines(keepends=True)
    numbered = "".join(form.format(n=n) + line for n, line in enumerate(lines, 1))
    assert read(whole("a.txt", numbered), request) == {"a.txt": CHANGED}


def test_copied_numbers_of_some_lines_are_taken_away_too() -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    numbered = "1\tline 1\nline 2\nLINE 3\nline 4\n5\tline 5\nline 6\n7\tline 7\n"
    assert read(whole("a.txt", numbered), request) == {"a.txt": CHANGED}


def test_copied_numbers_that_do_not_count_on_go_back() -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    numbered = "".join(f"{n if n < 4 else n + 3}\tline {n}\n" for n in range(1, 8))
    assert "line number" in error_of(whole("a.txt", numbered), request)


def test_copied_numbers_in_a_block_are_taken_away() -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    block = "<<<<<<< SEARCH\n2\tline 2\n3\tline 3\n=======\n2\tline 2\n3\tLINE 3\n>>>>>>> REPLACE\n"
    assert read(whole("a.txt", block), request) == {"a.txt": CHANGED}
    for mark in ("\t", ": ", " | ", "→"):
        late = f"<<<<<<< SEARCH\nline 3\n=======\n3{mark}LINE 3\n>>>>>>> REPLACE\n"
        assert "line number" in error_of(whole("a.txt", late), request)
        number = f"L3{mark}" if mark == ": " else f"3{mark}"
        both = f"<<<<<<< SEARCH\n{number}line 3\n=======\n{number}LINE 3\n>>>>>>> REPLACE\n"
        assert read(whole("a.txt", both), request) == {"a.txt": CHANGED}


@pytest.mark.parametrize(
    "line", ["3: LINE 3", "3 | LINE 3", "+3\tLINE 3", "L3: LINE 3", "3a\tLINE 3"]
)
def test_a_number_before_a_changed_line_alone_goes_back(line: str) -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    content = TEXT.replace("line 3", line)
    assert "line number" in error_of(whole("a.txt", content), request)
    told = asked(edited("a.txt"), base={"a.txt": TEXT}, task_text=f"Write `{line}`.")
    assert read(whole("a.txt", content), told) == {"a.txt": content}


def test_a_number_of_another_form_between_copied_numbers_goes_back() -> None:
    request = asked(edited("a.txt"), base={"a.txt": TEXT})
    numbered = "".join(f"{n}\tline {n}\n" for n in range(1, 8))
    assert "line 4 of a.txt" in error_of(
        whole("a.txt", numbered.replace("4\t", "3a\tnew\n4\t")), request
    )


@pytest.mark.parametrize(
    ("path", "text", "after"),
    [
        ("t.tsv", "1\tone\n2\ttwo\n", "1\tone\n2\ttwo\n3\tthree\n"),
        ("t.tsv", "1\t1\n2\t2\n", "1\t1\n2\t2\n3\t3\n"),
        ("t.csv", "1,a\n2,b\n", "1,a\n2,b\n3,c\n"),
        ("l.md", "1. one\n2. two\n", "1. one\n2. two\n3. three\n"),
        ("y.yaml", "1: a\n2: b\n", "1: a\n2: b\n3: c\n"),
    ],
)
def test_numbers_of_the_file_itself_stay(path: str, text: str, after: str) -> None:
    assert read(whole(path, after), asked(edited(path), base={path: text})) == {path: after}
    assert read(whole(path, after), asked(ListedFile(path, CREATE))) == {path: after}


@pytest.mark.parametrize(
    ("path", "form"), [("m.py", "{}\t"), ("m.css", "{}: "), ("m.md", "{:6}\t"), ("m.txt", "{}→")]
)
def test_a_new_file_in_which_every_line_begins_with_its_number_goes_back(
    path: str, form: str
) -> None:
    numbered = "".join(form.format(n) + f"line {n}\n" for n in range(1, 4))
    assert "line number" in error_of(whole(path, numbered), asked(ListedFile(path, CREATE)))


def test_keys_of_new_data_may_be_numbers_that_count_up() -> None:
    text = "1: one\n2: two\n3: three\n"
    assert read(whole("m.yml", text), asked(ListedFile("m.yml", CREATE))) == {"m.yml": text}


PART = edited("m.py", whole=False, shown=(LineRange(1, 2),))


def test_a_whole_file_is_no_answer_to_one_that_was_shown_in_part() -> None:
    request = asked(PART, base={"m.py": "a = 1\nb = 2\nc = 3\n"})
    assert "shown in part (lines 1-2)" in error_of(whole("m.py", "a = 1\nb = 3\n"), request)
    block = "<<<<<<< SEARCH\nb = 2\n=======\nb = 3\n>>>>>>> REPLACE\n"
    assert read(whole("m.py", block), request) == {"m.py": "a = 1\nb = 3\nc = 3\n"}


def test_a_whole_file_is_no_answer_to_one_that_was_not_shown() -> None:
    request = asked(edited("m.py", whole=False), base={"m.py": "a = 1\n"})
    assert "was not shown" in error_of(whole("m.py", "a = 2\n"), request)


def test_a_whole_file_that_the_task_itself_holds_may_be_written() -> None:
    request = asked(PART, base={"m.py": "a\nb\nc\n"}, snippet_files=frozenset({("m.py", "a\nB\n")}))
    assert read(whole("m.py", "a\nB\n"), request) == {"m.py": "a\nB\n"}


DOC = f"# Tool\n\nInstall:\n\n{F}\nnpm i tool\n{F}\n\n## Use\n\nRun it.\n\n## License\n\nMIT\n"
README = asked(edited("README.md"), base={"README.md": "# Tool\n"})


@pytest.mark.parametrize(
    "doc",
    [
        DOC,
        DOC.replace(f"{F}\nnpm", f"{F}bash\nnpm"),
        f"# A\n\n{F}sh\na\n{F}\n\nB\n\n{F}sh\nb\n{F}\n\nC\n",
        f"# A\n\n{F}\na\n{F}\n\nB\n\n{F}\nb\n{F}\n\nC\n",
        f"# A\n\nSo:\n{F}\na\n{F}\n",
        f"# A\n\n{F}\na\n{F}\nB\n\n{F}\nb\n{F}\nC\n",
        f"# A\n\n{F}\na\n{F}\n\nB\n\n{F}sh\nb\n{F}\n\nC\n",
    ],
)
def test_a_markdown_file_in_a_fence_that_is_too_short_is_read_to_its_end(doc: str) -> None:
    assert read(whole("README.md", doc, info="markdown"), README) == {"README.md": doc}
    assert read(whole("README.md", doc, bar="````"), README) == {"README.md": doc}


@pytest.mark.parametrize("doc", [f"# A\nSo\n{F}\na\n{F}\nB\n", f"# A\n\n{F}bash\na\n"])
def test_a_file_that_may_be_cut_at_its_own_fence_goes_back(doc: str) -> None:
    assert "longer fence" in error_of(whole("README.md", doc, info="markdown"), README)


def test_a_fence_around_a_name_and_its_fence_is_no_file() -> None:
    answer = f"**README.md**\n\n{F}\n# A\n{F}\n{F}\n{F}\n"
    error = error_of(f"{F}{F}markdown\n{answer}{F}{F}\n", README)
    assert "holds the name of README.md" in error


@pytest.mark.parametrize(
    "doc",
    [DOC, DOC.replace("# Tool", "Tool\n===="), DOC.replace("# Tool", "Tool").replace("## ", "")],
)
def test_a_fence_in_a_document_that_is_the_reply_is_not_the_file(doc: str) -> None:
    request = asked(ListedFile("README.md", CREATE))
    assert "names no file" in error_of(doc, request)
    told = f"Here is the file:\n\n{F}\n# Tool\n\nRun it.\n{F}\n\nIt says how to run it.\n"
    assert read(told, request) == {"README.md": "# Tool\n\nRun it.\n"}
    headed = f"## Answer\n\n{F}markdown\n# Tool\n{F}\n"
    assert read(headed, request) == {"README.md": "# Tool\n"}


def test_a_block_in_a_markdown_file_may_hold_fences() -> None:
    block = f"<<<<<<< SEARCH\n# Tool\n=======\n# Tool\n\n{F}bash\nx\n{F}\n>>>>>>> REPLACE\n"
    assert read(whole("README.md", block), README) == {"README.md": f"# Tool\n\n{F}bash\nx\n{F}\n"}


def test_an_example_below_a_complete_file_is_no_part_of_it() -> None:
    reply = whole("README.md", "# Tool\n\nNew.\n") + f"\nThen run:\n\n{F}\nnpm test\n{F}\n"
    assert read(reply, README) == {"README.md": "# Tool\n\nNew.\n"}


@pytest.mark.parametrize("bar", ["````", "`````", "~~~~"])
def test_a_longer_fence_around_the_whole_reply_or_a_file_is_taken_off(bar: str) -> None:
    inner = whole("a.css", BLUE, info="css")
    for info in ("markdown", ""):
        assert read(f"{bar}{info}\n{inner}{bar}\n", CSS_TASK) == {"a.css": BLUE}
    twice = f"{bar}css path=a.css\n{F}css\n{BLUE}{F}\n{bar}\n"
    assert read(twice, CSS_TASK) == {"a.css": BLUE}


def test_a_wrapper_of_three_backticks_is_taken_off() -> None:
    assert read(f"{F}markdown\n{whole('a.css', BLUE)}{F}\n", CSS_TASK) == {"a.css": BLUE}


THOUGHT = f"Maybe:\n\n{F}css path=a.css\nwrong\n{F}\n\nNo.\n"


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("<think>\n", "</think>\n"),
        ("", "</think>\n"),
        ("<thinking>", "</thinking>"),
        ("<antThinking>\n", "</antThinking>\n"),
        ("<reasoning_content>", "</reasoning_content>"),
        ("[THINK]", "[/THINK]\n"),
        ("", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>", "<|end_of_thought|>\n"),
        ("<|begin_of_thought|>", "<|end_of_thought|>\n\n<|begin_of_solution|>\n"),
        ("<|START_THINKING|>", "<|END_THINKING|><|START_RESPONSE|>"),
        ("", "So it is. </think>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
        ("analysis", "assistantfinal"),
        ("Sure.\n<think>\n", "</think>\n"),
    ],
)
@pytest.mark.parametrize("end", ["", "<|return|>", "<|im_end|>\n", "</s>", "<|END_RESPONSE|>"])
def test_a_draft_in_thoughts_is_no_edit(opening: str, closing: str, end: str) -> None:
    reply = f"{opening}{THOUGHT}{closing}{whole('a.css', BLUE).rstrip()}{end}"
    assert read(reply, CSS_TASK) == {"a.css": BLUE}


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>\n{THOUGHT}",
        f"<think>\n{THOUGHT}</think>\nI cannot do that.\n",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|>",
        f"{THOUGHT}</think>\nI cannot do that.\n",
    ],
)
def test_thoughts_without_an_answer_go_back(reply: str) -> None:
    error_of(reply, CSS_TASK)


def test_a_draft_that_was_given_up_in_the_middle_is_thought() -> None:
    reply = f"First:\n{F}css path=a.css\nwrong\n</think>\n\n{whole('a.css', BLUE)}"
    assert read(reply, CSS_TASK) == {"a.css": BLUE}


@pytest.mark.parametrize("text", ["<think>\nhm\n</think>\nx\n", "a\n</think>\nb\n"])
def test_tags_inside_a_file_are_its_text(text: str) -> None:
    request = asked(ListedFile("prompt.txt", CREATE))
    assert read(whole("prompt.txt", text), request) == {"prompt.txt": text}


TWO = asked(ListedFile("a.txt", CREATE), ListedFile("b.txt", CREATE))


@pytest.mark.parametrize(
    "rest",
    [
        "",
        f"{F}text\nB\n{F}\n",
        f"The second:\n\n{F}\nB\n{F}\n",
        f"{F}text path=\nB\n{F}\n",
        "b.txt is B.\n",
    ],
)
def test_half_of_a_reply_never_lands(rest: str) -> None:
    error_of(whole("a.txt", "A\n") + "\n" + rest, TWO)


def test_a_file_to_edit_is_changed_or_the_reply_says_why_not() -> None:
    request = asked(edited("a.css"), edited("b.css"), base={"a.css": CSS, "b.css": CSS})
    assert "b.css is to be edited" in error_of(whole("a.css", BLUE), request)
    excuse = whole("a.css", BLUE) + "\n`b.css` needs no change: it has no colours.\n"
    assert read(excuse, request) == {"a.css": BLUE}


def test_a_file_to_delete_goes_or_the_reply_goes_back() -> None:
    request = asked(edited("a.css"), ListedFile("b.css", DELETE), base={"a.css": CSS, "b.css": CSS})
    assert "delete b.css" in error_of(whole("a.css", BLUE), request)
    for gone in (
        f"{F}edits\ndelete b.css\n{F}\n",
        f"{F}bash\ngit rm b.css\n{F}\n",
        f"{F}sh\nrm -f b.css\n{F}\n",
    ):
        assert read(whole("a.css", BLUE) + gone, request) == {"a.css": BLUE, "b.css": None}


@pytest.mark.parametrize(
    ("told", "goes"),
    [
        ("`b.css` is deleted.", True),
        ("I removed b.css.", True),
        ("### `b.css`\n\nDelete this file.", True),
        ("**b.css** (deleted)", True),
        ("`b.css` wird gelöscht.", True),
        ("删除 `b.css`。", True),
        ("`b.css` is not deleted: x.css needs it.", False),
        ("You can delete `b.css` now.", False),
        ("I removed the colours from `b.css`.", False),
        ("Delete `b.css` once a.css is in use.", False),
        ("`a.css` has what `b.css` had. Deleted it.", False),
        ("See `b.css`.\n\nThe rules are removed.", False),
        ("`b.css`", False),
    ],
)
def test_a_file_to_delete_goes_where_the_reply_says_so(told: str, *, goes: bool) -> None:
    request = asked(edited("a.css"), ListedFile("b.css", DELETE), base={"a.css": CSS, "b.css": CSS})
    reply = f"{whole('a.css', BLUE)}\n{told}\n"
    if goes:
        assert read(reply, request) == {"a.css": BLUE, "b.css": None}
    else:
        assert "is to be deleted" in error_of(reply, request)


def test_words_delete_no_file_that_is_not_to_be_deleted() -> None:
    request = asked(edited("a.css"), edited("b.css"), base={"a.css": CSS, "b.css": CSS})
    assert "b.css is to be edited" in error_of(
        f"{whole('a.css', BLUE)}\nb.css is deleted.\n", request
    )


def test_commands_that_would_change_a_file_go_back() -> None:
    reply = whole("a.css", BLUE) + f"{F}bash\nsed -i s/0/1/ a.css\n{F}\n"
    assert "commands are not run" in error_of(reply, CSS_TASK)


@pytest.mark.parametrize(
    "extra",
    [
        f"Run:\n\n{F}bash\nnpm test a.css\n{F}\n",
        f"It prints:\n\n{F}\nok\n{F}\n",
        f"It has now:\n\n{F}css\n  color: blue;\n{F}\n",
        f"Before:\n\n{F}css\n  color: red;\n{F}\n",
    ],
)
def test_commands_outputs_and_quotations_are_no_edits(extra: str) -> None:
    assert read(whole("a.css", BLUE) + "\n" + extra, CSS_TASK) == {"a.css": BLUE}


@pytest.mark.parametrize(
    "extra", [f"{F}css\nh2 {{}}\n{F}\n", f"In `a.css` also:\n\n{F}\nh2 {{}}\n{F}\n"]
)
def test_code_that_names_no_file_goes_back(extra: str) -> None:
    assert "names no file" in error_of(whole("a.css", BLUE) + "\n" + extra, CSS_TASK)


def test_a_bare_fence_with_a_part_of_the_only_file_goes_back() -> None:
    assert "names no file" in error_of(f"Change it so:\n\n{F}css\n  color: blue;\n{F}\n", CSS_TASK)
    assert read(f"{F}css\n{BLUE}{F}\n", CSS_TASK) == {"a.css": BLUE}


def test_one_file_whole_twice_is_taken_once_if_both_are_the_same() -> None:
    assert read(whole("a.css", BLUE) * 2, CSS_TASK) == {"a.css": BLUE}
    error = error_of(whole("a.css", BLUE) + whole("a.css", CSS + "\n"), CSS_TASK)
    assert "whole twice" in error


LATIN = "caf\udce9\ntwo\n"


def test_a_file_in_another_encoding_takes_edits_of_its_ascii_lines_alone() -> None:
    request = asked(edited("a.txt"), base={"a.txt": LATIN})
    assert "UTF-8" in error_of(whole("a.txt", "caf\ufffd\nTWO\n"), request)
    block = "<<<<<<< SEARCH\n{0}\n=======\n{1}\n>>>>>>> REPLACE\n"
    assert read(whole("a.txt", block.format("two", "TWO")), request) == {
        "a.txt": "caf\udce9\nTWO\n"
    }
    error_of(whole("a.txt", block.format("caf\ufffd", "coffee")), request)
    assert "ASCII" in error_of(whole("a.txt", block.format("two", "zwölf")), request)
    gone = read(f"{F}edits\ndelete a.txt:1\n{F}\n", request)
    assert gone == {"a.txt": "two\n"}


def test_a_quoted_replacement_character_is_meant() -> None:
    text = 'LOST = "\ufffd"\n'
    request = asked(ListedFile("a.py", FileAction.CREATE))
    assert read(whole("a.py", text), request) == {"a.py": text}


@pytest.mark.parametrize("text", ["caf\ufffd\n", "a\0b\n", "a\ud83db\n"])
def test_lost_characters_never_land(text: str) -> None:
    error_of(whole("src/new.txt", text), NEW_TASK)


def test_a_range_that_the_spec_cites_means_those_lines() -> None:
    cited = (Citation(LineRange(1, 2), LineRange(3, 4)),)
    request = asked(edited("m.py", cited=cited), base={"m.py": "x\ny\na\nb\nc\n"})
    assert read(f"{F}edits\ndelete m.py:1-2\n{F}\n", request) == {"m.py": "x\ny\nc\n"}
    assert read(f"{F}edits\ndelete m.py:3-4\n{F}\n", request) == {"m.py": "x\ny\nc\n"}
    assert read(f"{F}edits\ndelete m.py:1\n{F}\n", request) == {"m.py": "y\na\nb\nc\n"}


def test_a_range_with_two_meanings_goes_back() -> None:
    cited = (Citation(LineRange(1, 2), LineRange(3, 4)), Citation(LineRange(3, 4), LineRange(5, 6)))
    request = asked(edited("m.py", cited=cited), base={"m.py": "x\ny\na\nb\nc\nd\n"})
    assert "m.py:5-6" in error_of(f"{F}edits\ndelete m.py:3-4\n{F}\n", request)


def test_operations_take_loose_paths_and_a_bare_fence() -> None:
    request = asked(edited("src/a.py"), ListedFile("src/b.py", CREATE), base={"src/a.py": "a\nb\n"})
    for info in ("edits", ""):
        reply = f"{F}{info}\nmove ./src/a.py:1 -> src/b.py\n{F}\n"
        assert read(reply, request) == {"src/a.py": "b\n", "src/b.py": "a\n"}


def test_a_reply_with_crlf_is_read() -> None:
    assert read(whole("a.css", BLUE).replace("\n", "\r\n"), CSS_TASK) == {"a.css": BLUE}


@pytest.mark.parametrize("task", [CSS_TASK, NEW_TASK], ids=["edit", "create"])
def test_line_ends_written_out_go_back(task: ReplyContext) -> None:
    text = BLUE.replace("\n", "\\n") + "\n"
    assert "line ends" in error_of(whole(task.files[0].path, text), task)


@pytest.mark.parametrize("mark", [". ", ") ", ": ", " | ", "\t", " "])
@pytest.mark.parametrize("is_trimmed", [False, True])
def test_copied_numbers_are_taken_from_blank_lines_too(mark: str, is_trimmed: bool) -> None:
    """A model drops the space behind the number of a blank line; `2.` by itself would be valid Python."""
    base = "import os\n\n\ndef f(a):\n    return a\n\n\ndef g(b):\n    return b\n"
    wanted = base.replace("return b", "return 9")
    lines = [f"{number}{mark}{line}" for number, line in enumerate(wanted.splitlines(), 1)]
    text = "\n".join(line.rstrip() if is_trimmed else line for line in lines) + "\n"
    assert without_numbers(text, base, path="a.py") == wanted


MIXED = "one = 1\r\ntwo = 2\nthree = 3\r\nfour = 4\n"


@pytest.mark.parametrize(
    ("base", "written", "after"),
    [
        (MIXED, "one = 1\ntwo = 2\nthree = 3\nfour = 5\n", MIXED.replace("four = 4", "four = 5")),
        (MIXED, "one = 1\ntwo = 2\nnew = 0\nthree = 3\nfour = 4\n", MIXED.replace("three", "new = 0\nthree")),
        (MIXED, "one = 1\nthree = 3\nfour = 4\n", MIXED.replace("two = 2\n", "")),
        ("a\r\nb\r\n", "a\nc\nb\n", "a\r\nc\r\nb\r\n"),
        ("a\r\nb", "a\nb\nc\n", "a\r\nb\r\nc\r\n"),
        ("one  \ntwo\n", "one\nthree\n", "one  \nthree\n"),
        ("cafe\u0301\ntwo\n", "caf\u00e9\nthree\n", "cafe\u0301\nthree\n"),
        ("a\nb\n", "\ufeffa\nc\n", "a\nc\n"),
        ("\ufeffa\nb\n", "a\nc\n", "\ufeffa\nc\n"),
        ("\ufeffa\nb\n", "\ufeffa\nc\n", "\ufeffa\nc\n"),
        ("a\nb", "a\nb\nc\n", "a\nb\nc\n"),
        ("a\nb", "c\nb\n", "c\nb"),
        ("x \nx\ny\n", "x\nx\nz\n", "x \nx\nz\n"),
    ],
)  # fmt: skip
def test_a_line_that_a_whole_file_repeats_stays_byte_for_byte(
    base: str, written: str, after: str
) -> None:
    task = asked(edited("a.txt"), base={"a.txt": base})
    assert read(whole("a.txt", written), task) == {"a.txt": after}


NINES = MIXED.replace("= 2", "= 9").replace("= 3", "= 9")
BLOCK_OF = "<<<<<<< SEARCH\n{}=======\n{}>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    ("content", "after"),
    [
        (BLOCK_OF.format("two = 2\n", "two = 9\n"), MIXED.replace("two = 2", "two = 9")),
        (BLOCK_OF.format("two = 2\n", "two = 9\nnew = 0\n"), MIXED.replace("two = 2", "two = 9\nnew = 0")),
        (BLOCK_OF.format("one = 1\n", "one = 9\nnew = 0\n"), MIXED.replace("one = 1", "one = 9\r\nnew = 0")),
        ("@@ -1,3 +1,3 @@\n one = 1\n-two = 2\n+two = 9\n three = 3\n", MIXED.replace("two = 2", "two = 9")),
        ("@@ -2,2 +2,2 @@\n-two = 2\n-three = 3\n+two = 9\n+three = 9\n", NINES),
    ],
)  # fmt: skip
def test_an_edited_line_has_the_line_end_of_the_one_it_replaces(content: str, after: str) -> None:
    request = asked(edited("a.txt"), base={"a.txt": MIXED})
    assert read(whole("a.txt", content), request) == {"a.txt": after}


def test_a_file_whose_lines_end_with_cr_alone_is_not_written_as_a_whole() -> None:
    request = asked(edited("a.txt"), base={"a.txt": "one\rtwo\r"})
    assert "end with CR alone" in error_of(whole("a.txt", "one\nTWO\n"), request)


@pytest.mark.parametrize(
    ("base", "written", "words"),
    [
        ("one  \ntwo\n", "one\ntwo\n", "Strip white space at the ends of lines"),
        ("cafe\u0301\n", "caf\u00e9\n", "Use NFC"),
        ("a\n", "\ufeffa\n", "Begin it with a byte-order mark"),
    ],
)
def test_what_nobody_sees_changes_where_the_task_speaks_of_it(
    base: str, written: str, words: str
) -> None:
    task = asked(edited("a.txt"), base={"a.txt": base}, task_text=words)
    assert read(whole("a.txt", written), task) == {"a.txt": written}


def test_a_created_file_begins_without_a_byte_order_mark() -> None:
    assert read(whole("src/new.txt", "\ufeffa\n"), NEW_TASK) == {"src/new.txt": "a\n"}


TWO_EDITS = asked(edited("a.css"), base={"a.css": CSS})
FIRST = f"{F}css path=a.css\n<<<<<<< SEARCH\n  margin: 0;\n=======\n  margin: 9px;\n>>>>>>> REPLACE\n{F}\n"
SECOND = f"{F}css path=a.css\n<<<<<<< SEARCH\n  color: red;\n=======\n  color: blue;\n>>>>>>> REPLACE\n{F}\n"


@pytest.mark.parametrize(
    "words",
    [
        "Wait, actually the margin need not change; ignore the above.",
        "Scratch that. Final answer:",
        "Hmm, no, wait: only the colour is asked for.",
        "Alternatively, keep it as it was:",
        "### Option B",
        "Or, if you prefer it without a margin:",
        "或者，你也可以：",
        "The margin is fine. Please disregard that edit.",
        "Actually, that is wrong.",
        "Oops.",
        "**OR**",
        "### Second variant",
        "Corrected version:",
        "Better:",
        "Besser:",
        "更好的做法：",
        "Sorry, that was wrong. Use this instead:",
        "Hmm, that breaks the page. Let me fix that:",
        "The edit above is wrong:",
        "That won't work here. So:",
        "Plan B:",
    ],
)
def test_a_reply_that_takes_an_edit_back_goes_back(words: str) -> None:
    assert "takes back an edit" in error_of(f"{FIRST}\n{words}\n\n{SECOND}", TWO_EDITS)


@pytest.mark.parametrize(
    "words",
    [
        "Then wait for the colour.",
        "No alternative is needed.",
        "Either option works; you can keep both.",
        "The colour is the actual change.",
        "Now the colour; ignore case there.",
        "I do not ignore errors here.",
        "Better colours come with the next edit:",
        "Fixed values stay. Now the colour:",
        "2. The version of the colour:",
        "Or more exactly put, both change.",
    ],
)
def test_words_that_take_nothing_back_are_prose(words: str) -> None:
    after = BLUE.replace("margin: 0", "margin: 9px")
    assert read(f"Wait, let me see.\n\n{FIRST}\n{words}\n\n{SECOND}\nOops, done.\n", TWO_EDITS) == {
        "a.css": after
    }


def test_an_edit_inside_of_a_tag_and_one_outside_cannot_both_be_meant() -> None:
    draft = f"<plan>\n\n{whole('a.css', CSS.replace('red', 'green'))}\n</plan>\n\n"
    block = "<<<<<<< SEARCH\n  margin: 0;\n=======\n  margin: 1;\n>>>>>>> REPLACE\n"
    assert "inside <plan>" in error_of(draft + whole("a.css", block), CSS_TASK)
    answer = f'<file path="a.css">\n\n{whole("a.css", BLUE)}\n</file>\n'
    assert read(answer, CSS_TASK) == {"a.css": BLUE}


def test_a_label_in_another_language_names_the_file() -> None:
    assert read(f"文件：`a.css`\n\n{F}css\n{BLUE}{F}\n", CSS_TASK) == {"a.css": BLUE}


BLOCK = SECOND.split("\n", 1)[1].rsplit(F, 1)[0]
HALVES = {
    "a block without a fence": BLOCK,
    "a block in other quotes": f"'''\n{BLOCK}'''\n",
    "an indented fence": "    " + SECOND.replace("\n", "\n    "),
    "a fence in a comment": f"<!-- then\n{SECOND}-->\n",
    "a patch": "*** Begin Patch\n*** Update File: a.css\n-  color: red;\n+  color: blue;\n*** End Patch\n",
    "a hunk": "@@ -2 +2 @@\n-  color: red;\n+  color: blue;\n",
    "elements": '<edit path="a.css"><search>red</search><replace>blue</replace></edit>\n',
    "a call": '<tool_call>{"name": "edit", "arguments": {"path": "a.css"}}</tool_call>\n',
    "a sentence": "Also change `color: red` to `color: blue`.\n",
    "a promise": "I will send the second edit in the next message.\n",
}


@pytest.mark.parametrize("case", HALVES)
def test_a_reply_that_goes_on_outside_of_its_fences_goes_back(case: str) -> None:
    error_of(f"{FIRST}\n{HALVES[case]}", TWO_EDITS)


@pytest.mark.parametrize(
    "words",
    [
        "I changed `margin: 0` to `margin: 9px`.",
        "You could change `body` to `main`, too.",
        "The edit is a `<<<<<<< SEARCH` block.",
        "Run this next.",
    ],
)
def test_what_is_said_of_an_edit_is_no_edit(words: str) -> None:
    after = CSS.replace("margin: 0", "margin: 9px")
    assert read(f"{FIRST}\n{words}\n", TWO_EDITS) == {"a.css": after}


@pytest.mark.parametrize("tags", ["<answer>", "<edit>", "<br>", "<!-- then -->", "<a><b>"])
def test_tags_right_above_a_fence_do_not_hide_it(tags: str) -> None:
    after = BLUE.replace("margin: 0", "margin: 9px")
    assert read(f"{tags}\n{FIRST}{tags}\n{SECOND}", TWO_EDITS) == {"a.css": after}


@pytest.mark.parametrize("gap", ["", "\n"])
def test_a_tag_above_a_fence_names_its_file(gap: str) -> None:
    request = asked(edited("a.css"), edited("b.css"), base={"a.css": CSS, "b.css": "b {}\n"})
    files = {"a.css": BLUE, "b.css": "i {}\n"}
    reply = "".join(
        f'<file path="{path}">\n{gap}{F}css\n{text}{F}\n{gap}</file>\n'
        for path, text in files.items()
    )
    assert read(reply, request) == files


CART = """\
class Cart:
    def add(self, item):
        self.items.append(item)
        self.notes.append(item)

    def clear(self):
        self.items = []
"""
SEAMS = {
    "the line below": ("    def add(self, item):\n", "        self.items.append(item)\n        self.count = 1\n"),
    "the rest of the body": (
        "    def add(self, item):\n",
        '        """Add."""\n        self.items.append(item)\n        self.notes.append(item)\n',
    ),
    "the next definition": ("        self.notes.append(item)\n", "\n    def clear(self):\n"),
}  # fmt: skip


@pytest.mark.parametrize("case", SEAMS)
def test_a_block_that_types_the_lines_below_it_again_goes_back(case: str) -> None:
    search, more = SEAMS[case]
    request = asked(edited("a.py"), base={"a.py": CART})
    block = f"<<<<<<< SEARCH\n{search}=======\n{search}{more}>>>>>>> REPLACE\n"
    assert "stays in the file beside the search text" in error_of(whole("a.py", block), request)


def test_a_block_that_types_the_line_above_it_again_goes_back() -> None:
    request = asked(edited("a.py"), base={"a.py": CART})
    line, above = "        self.notes.append(item)\n", "        self.items.append(item)\n"
    block = f"<<<<<<< SEARCH\n{line}=======\n{above}{line}        self.count = 1\n>>>>>>> REPLACE\n"
    assert "stays in the file beside the search text" in error_of(whole("a.py", block), request)


@pytest.mark.parametrize(
    ("search", "replace"),
    [
        ("    def clear(self):\n", "    def reset(self):\n        self.items = []\n\n    def clear(self):\n"),
        ("        self.items.append(item)\n", "        self.items.append(item)\n        self.items.append(item)\n"),
        (
            "        self.items.append(item)\n        self.notes.append(item)\n",
            "        self.items.append(item)\n        self.notes.append(item)\n        self.items.append(item)\n",
        ),
    ],
    ids=["the same line in another body", "its own line twice", "lines of the search text"],
)  # fmt: skip
def test_lines_that_are_meant_to_be_there_twice_are_taken(search: str, replace: str) -> None:
    request = asked(edited("a.py"), base={"a.py": CART})
    block = f"<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"
    assert read(whole("a.py", block), request) == {"a.py": CART.replace(search, replace)}


TWO_FILES = asked(edited("a.css"), edited("b.css"), base={"a.css": CSS, "b.css": CSS})
RED = "<<<<<<< SEARCH\n  color: red;\n=======\n  color: blue;\n>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    "lead",
    [
        "==== b.css ====",
        "Edit in `b.css`:",
        "`b.css` \u2014 the colour",
        "In file b.css, replace the colour:",
    ],
)
def test_a_line_above_a_block_may_say_more_than_the_path(lead: str) -> None:
    reply = f"{whole('a.css', RED)}\n{lead}\n\n{F}css\n{RED}{F}\n"
    assert read(reply, TWO_FILES) == {"a.css": BLUE, "b.css": BLUE}


@pytest.mark.parametrize("lead", ["The same as in `b.css`:", "`a.css` and `b.css`:", "Then:"])
def test_a_line_above_a_block_that_may_mean_another_file_names_none(lead: str) -> None:
    reply = f"{whole('a.css', RED)}\n{lead}\n\n{F}css\n{RED}{F}\n"
    assert "names no file" in error_of(reply, TWO_FILES)


def test_a_diff_that_adds_the_line_below_it_again_goes_back() -> None:
    hunk = "@@ -2,2 +2,4 @@\n     def add(self, item):\n+        self.items.append(item)\n+        self.count = 1\n"
    request = asked(edited("a.py"), base={"a.py": CART})
    reply = f"{F}diff\n--- a/a.py\n+++ b/a.py\n{hunk}{F}\n"
    assert "stays in the file beside the search text" in error_of(reply, request)


ROOT = "/home/ana/shop"


@pytest.mark.parametrize("root", [ROOT, "C:\\Users\\ana\\shop"])
def test_files_in_folders_show_where_the_repository_is_in_a_reply(root: str) -> None:
    request = asked(ListedFile("src/a.txt", CREATE), ListedFile("README.md", CREATE), root="/repo")
    reply = whole(f"{root}/README.md", "r\n") + whole(f"{root}/src/a.txt", "a\n")
    assert read(reply, request) == {"README.md": "r\n", "src/a.txt": "a\n"}


@pytest.mark.parametrize(
    "other",
    [
        whole(f"{ROOT}/docs/README.md", "r\n"),
        whole("/home/ana/README.md", "r\n"),
        whole(f"{ROOT}/README.md", "r\n") + "\nAs in /tmp/src/a.txt.\n",
    ],
)
def test_a_folder_that_is_not_certain_to_be_the_repository_is_another(other: str) -> None:
    request = asked(ListedFile("src/a.txt", CREATE), ListedFile("README.md", CREATE), root="/repo")
    assert "lists no file" in error_of(whole(f"{ROOT}/src/a.txt", "a\n") + other, request)
