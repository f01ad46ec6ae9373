"""Edits that a reply gives without the fences it was asked for: each that says its file and its end is read."""

from __future__ import annotations

# ruff: noqa: E501
import json
import time

import pytest

from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.edits.reply.unfenced import with_fences_around
from minitask.errors import EditError
from minitask.spec.model import FileAction

OLD = "import os\n\n\ndef greet(name):\n    return 'hi ' + name\n\n\ndef bye(name):\n    return 'bye ' + name\n"
NEW = OLD.replace("'hi '", "'hello '")
VALUE = "VALUE = 1\n"
TASK = ReplyContext(
    (
        ListedFile("src/a.py", FileAction.EDIT, whole=True),
        ListedFile("src/b.py", FileAction.CREATE),
    ),
    {"src/a.py": OLD}.get,
)
HUNK = "-    return 'hi ' + name\n+    return 'hello ' + name\n"
BLOCK = "<<<<<<< SEARCH\n    return 'hi ' + name\n=======\n    return 'hello ' + name\n>>>>>>> REPLACE\n"
NEW_BLOCK = f"<<<<<<< SEARCH\n=======\n{VALUE}>>>>>>> REPLACE\n"
FENCED = f"`src/b.py`\n```python\n{VALUE}```\n"
GIT = (
    "diff --git a/src/a.py b/src/a.py\nindex 1..2 100644\n--- a/src/a.py\n+++ b/src/a.py\n@@ -2,5 +2,5 @@ import os\n \n \n def greet(name):\n"
    f"{HUNK} \ndiff --git a/src/b.py b/src/b.py\nnew file mode 100644\nindex 0000000..1\n--- /dev/null\n+++ b/src/b.py\n@@ -0,0 +1 @@\n+{VALUE}"
)
UNNUMBERED = f"--- src/a.py\n+++ src/a.py\n@@ ... @@\n def greet(name):\n{HUNK}--- /dev/null\n+++ src/b.py\n@@ ... @@\n+{VALUE}"
FILES = [{"path": "src/a.py", "content": NEW}, {"path": "src/b.py", "content": VALUE}]
CAT = f"mkdir -p src\ncat > src/a.py <<'EOF'\n{NEW}EOF\ncat <<'END' > src/b.py\n{VALUE}END\n"
SIDES = "{heading}**Before:**\n```python\n    return 'hi ' + name\n```\n\n**After{behind}:**\n\n```python\n    return 'hello ' + name\n```\n\n"
CDATA = "<file><path>{path}</path><content><![CDATA[\n{content}]]></content></file>\n"
ARTIFACT = '<antArtifact identifier="insert-x" type="application/vnd.ant.code" title="{path}">\n{content}</antArtifact>\n'
SUMMARY = "<details><summary>{path}</summary>\n\n```python\n{content}```\n</details>\n\n"

READ = {
    "a diff of git": f"Here is the change:\n\n{GIT}",
    "a diff of git, then words": f"{GIT}\nThis greets in another way.\n",
    "a patch for mail": f"From 1 Mon Sep 17 00:00:00 2001\nSubject: [PATCH] hello\n\n---\n src/a.py | 2 +-\n\n{GIT}-- \n2.39.2\n",
    "a diff without numbers": UNNUMBERED,
    "the same in a fence": f"```diff\n{UNNUMBERED}```\n",
    "a hunk without its header": f"### src/a.py\n\n```diff\n{HUNK}```\n\n{FENCED}",
    "a new file as a hunk": f"### src/a.py\n\n```diff\n{HUNK}```\n\n### src/b.py\n\n```diff\n+{VALUE}```\n",
    "blocks below paths": f"src/a.py\n{BLOCK}\n**src/b.py**\n{NEW_BLOCK}",
    "blocks below one path": f"`src/a.py`\n\n{BLOCK}\n{BLOCK.replace('hi', 'bye').replace('hello', 'ciao')}\nsrc/b.py\n{NEW_BLOCK}",
    "here-documents": f"```bash\n{CAT}```\n",
    "here-documents, one each": f"```sh\n{CAT.partition('cat <<')[0]}```\n\nAnd:\n\n```sh\ntee src/b.py <<EOF >/dev/null\n{VALUE}EOF\n```\n",
    "files in JSON": json.dumps({"summary": "It greets.", "files": FILES}),
    "files in JSON in a fence": f"```json\n{json.dumps(FILES, indent=1)}\n```\n",
    "a text for each path in JSON": json.dumps({"src/a.py": NEW, "src/b.py": VALUE}),
    "files in tags": "".join(CDATA.format_map(file) for file in FILES),
    "artifacts": "".join(ARTIFACT.format_map(file) for file in FILES),
    "a diff of git, then a list": f"{GIT}\n- It greets.\n+ It says no more.\n",
    "two patches for mail": GIT.replace("diff --git a/src/b", "-- \n2.39.2\n\nFrom 2\nSubject: [PATCH]\n\n---\ndiff --git a/src/b") + "-- \n2.39.2\n",
    "blocks, one below a sentence": f"src/a.py\n{BLOCK}\nThen in `src/b.py`:\n{NEW_BLOCK}",
    "files in JSON below words": f"Here they are:\n\n{json.dumps(FILES)}\n",
    "a file in JSON with a list of others": json.dumps(FILES[0] | {"more": FILES[1:]}),
    "a list of the files below them": f"`src/a.py`\n```python\n{NEW}```\n\n{FENCED}\nThe files:\n\n```\nsrc/a.py\nsrc/b.py\n```\n",
    "files with character data in tags": "".join(f'<file path="{file["path"]}"><![CDATA[\n{file["content"]}]]></file>\n' for file in FILES),
    "files between marks": f"Here:\n\n=== src/b.py ===\n{VALUE}\n=== src/a.py ===\n{NEW}",
    "files between marks and an end": f"--- src/a.py ---\n{NEW}--- src/b.py ---\n{VALUE}--- end ---\n\nIt greets.\n",
    "a text for each path in a part of JSON": json.dumps({"summary": "It greets.", "files": {"src/a.py": NEW, "src/b.py": VALUE}}),
    "a block below words and a heading": f"### `src/a.py`\n\nIt says hello, as asked.\n\n```python\n{BLOCK}```\n\n{FENCED}",
    "files below words and a heading": f"### 1. `src/a.py`\n\n- It says hello.\n- No more.\n\n```python\n{NEW}```\n\n### 2. `src/b.py`\n\nThis is the file:\n\n```python\n{VALUE}```\n",
    "blocks of two files in a fence": f"```\nsrc/a.py\n{BLOCK}\nsrc/b.py\n{NEW_BLOCK}```\n",
    "a block below its path in a comment": f"```python\n# src/a.py\n{BLOCK}```\n\n{FENCED}",
    "fences in a tag": f"<answer>\n`src/a.py`\n```python\n{NEW}```\n\n{FENCED}</answer>\n",
    "lines before and after": SIDES.format(heading="### 1. `src/a.py`\n\nIt says hello.\n\n", behind="") + FENCED,
    "lines before and after, the path behind": SIDES.format(heading="", behind=" (`src/a.py`)").replace("Before", "Before (`src/a.py`)") + FENCED,
    "lines to replace": SIDES.format(heading="", behind="").replace("**Before:**", "In `src/a.py`, replace:").replace("**After:**", "with this:") + FENCED,
    "lines before and after in Japanese": SIDES.format(heading="### src/a.py\n\n", behind="").replace("Before", "変更前").replace("After", "変更後") + FENCED,
    "files in JSON by name": json.dumps({"files": [{"name": file["path"], "contents": file["content"]} for file in FILES]}),
    "lines before and after of a file that is whole": f"`src/a.py`\n```python\n{NEW}```\n\n{FENCED}\n" + SIDES.format(heading="", behind=""),
    "a block, and its lines again": f"src/a.py\n```python\n{BLOCK}```\n\n{FENCED}\nThe function is now:\n\n```python\ndef greet(name):\n    return 'hello ' + name\n```\n",
    "a diff, and its lines again": f"```diff\n{GIT}```\n\nThe function is now:\n\n```python\ndef greet(name):\n    return 'hello ' + name\n```\n",
    "summaries": "".join(SUMMARY.format_map(file) for file in FILES),
}  # fmt: skip


@pytest.mark.parametrize("form", READ)
def test_an_edit_that_says_its_file_and_its_end_is_read(form: str) -> None:
    changes = {change.path: change.content for change in changes_of(READ[form], TASK)}
    goodbye = NEW.replace("'bye '", "'ciao '") if "ciao" in READ[form] else NEW
    assert changes == {"src/a.py": goodbye, "src/b.py": VALUE}


BACK = {
    "a diff that breaks off": GIT.partition("+    return")[0],
    "a diff of another file": GIT.replace("src/a.py", "src/c.py"),
    "a hunk with lines from two places": f"### src/a.py\n\n```diff\n import os\n{HUNK}```\n\n{FENCED}",
    "a hunk that only adds": f"### src/a.py\n\n```diff\n+import sys\n```\n\n{FENCED}",
    "a block without a path": f"{BLOCK}\nsrc/b.py\n{NEW_BLOCK}",
    "a block that never ends": f"src/b.py\n{NEW_BLOCK}\nsrc/a.py\n{BLOCK.partition('>>>')[0]}",
    "a here-document that is appended": f"```bash\n{CAT.replace('cat >', 'cat >>')}```\n",
    "a here-document that the shell expands": f"```bash\n{CAT.replace(chr(39) + 'END' + chr(39), 'END').replace('= 1', '= $N')}```\n",
    "a here-document and a command": f"```bash\n{CAT}sed -i s/hi/hello/ src/a.py\n```\n",
    "a here-document that never ends": f"```bash\n{CAT.removesuffix('END' + chr(10))}```\n",
    "a here-document of another file": f"```bash\n{CAT.replace('src/b.py', '/tmp/b.py')}```\n",
    "files in JSON without texts": json.dumps([{"path": "src/a.py"}, {"path": "src/b.py"}]),
    "another file in JSON": json.dumps({"src/a.py": NEW, "src/c.py": VALUE}),
    "an artifact with a title": ARTIFACT.format(path="Greeting", content=NEW),
    "files in JSON that are appended": json.dumps([FILES[0] | {"action": "append"}, FILES[1]]),
    "calls inside of a plain fence": f"```\n<tool_call>{json.dumps({'name': 'write_file', 'arguments': FILES[0]})}</tool_call>\n```\n\n{FENCED}",
    "lines of a file in JSON": json.dumps([FILES[0] | {"startLine": 1, "endLine": 2}, FILES[1]]),
    "two versions in JSON": f"{json.dumps(FILES)}\n\nNo:\n\n{json.dumps(FILES[1:]).replace('1', '2')}\n",
    "a file in a tag that is appended": f'<file path="src/b.py" mode="append">\n{VALUE}</file>\n<file path="src/a.py">\n{NEW}</file>\n',
    "a file in a tag that shows such tags": f'<file path="src/a.py">\n{NEW}# <file path="c">x</file>, <file path="src/b.py">\n{VALUE}</file>\n',
    "a here-document with its own end in it": f"```bash\n{CAT.replace(VALUE, 'cat <<END' + chr(10) + 'END' + chr(10))}```\n",
    "a block below a comparison": f"src/a.py\n{BLOCK}\nThe same as in `src/b.py`:\n{BLOCK.replace('hi', 'bye').replace('hello', 'ciao')}\nsrc/b.py\n{NEW_BLOCK}",
    "a new file between marks without an end": f"=== src/a.py ===\n{NEW}=== src/b.py ===\n{VALUE}\nIt greets.\n",
    "a file between marks, then words": f"=== src/b.py ===\n{VALUE}=== src/a.py ===\n{NEW}\nIt greets.\n",
    "another file between marks": f"=== src/c.py ===\n{VALUE}=== src/b.py ===\n{VALUE}=== src/a.py ===\n{NEW}",
    "files in JSON beside others": json.dumps({"files": {"src/a.py": NEW, "src/b.py": VALUE}, "deleted": ["src/c.py"]}),
    "another file in a part of JSON": json.dumps({"files": {"src/a.py": NEW, "src/b.py": VALUE, "src/c.py": VALUE}}),
    "lines to use, and more": SIDES.format(heading="", behind="").replace("**Before:**", "Replace `src/a.py` with:").replace("**After:**", "With this, it works:") + FENCED,
    "blocks of two files in a fence, and words": f"```\nsrc/a.py\n{BLOCK}\nAnd in the other:\nsrc/b.py\n{NEW_BLOCK}```\n",
    "blocks of another file in a fence": f"```\nsrc/b.py\n{NEW_BLOCK}\nsrc/c.py\n{BLOCK}```\n",
    "an example below words and a heading": f"### `src/a.py`\n\nExample of use:\n\n```python\n{NEW}```\n\n{FENCED}",
    "two files below a heading": f"### `src/a.py`\n\nThis is the file.\n\n```python\n{NEW}```\n\nThis too.\n\n```python\n{OLD}```\n\n{FENCED}",
    "a part below words and a heading": f"### `src/a.py`\n\nIt says hello.\n\n```python\n{NEW[12:50]}```\n\n{FENCED}",
    "a file below a heading and another's name": f"### `src/a.py`\n\nIt is now used in `src/b.py`, too.\n\n```python\n{NEW}```\n\n{FENCED}",
    "a diff below the heading of another": f"### `src/b.py`\n\nIt is new.\n\n```diff\n{GIT.partition('diff --git a/src/b')[0].replace('src/a.py', 'src/c.py')}```\n\n{FENCED}",
    "lines before and after of no file": SIDES.format(heading="", behind="") + FENCED,
    "lines before and after of two files": SIDES.format(heading="`src/a.py` and `src/b.py`\n\n", behind="") + FENCED,
    "lines before that the file does not have": SIDES.format(heading="### src/a.py\n\n", behind="").replace("'hi '", "'hey '") + FENCED,
    "lines after that are told of otherwise": SIDES.format(heading="### src/a.py\n\n", behind=" you run it, this is what it will look like") + FENCED,
    "a block, and more lines": f"src/a.py\n```python\n{BLOCK}```\n\n{FENCED}\nAlso:\n\n```python\n    return 'hello ' + name.title()\n```\n",
    "one numbered line": f"`src/a.py`\n```python\n{NEW}```\n\n`src/b.py`\n```python\n  1 | {VALUE}```\n",
}  # fmt: skip


@pytest.mark.parametrize("form", BACK)
def test_a_form_that_leaves_something_open_goes_back(form: str) -> None:
    with pytest.raises(EditError):
        changes_of(BACK[form], TASK)


OWN = {
    "guide.md": ("md", '# Guide\n\nA model writes:\n\n<invoke name="x"><parameter name="path">a</parameter></invoke>\n'),
    "list.xml": ("xml", '<files>\n<file path="src/c.py">x</file>\n</files>\n'),
    "setup.sh": ("bash", "#!/bin/bash\nmkdir -p conf\ncat > conf/app.ini <<'EOF'\nx=1\nEOF\n"),
    "fix.patch": ("diff", GIT),
    "blocks.md": ("md path=blocks.md whole", f"blocks.md\n{BLOCK}"),
    "new.py": ("diff path=new.py", "@@ ... @@\n+import os\n\n+x = os\n"),
    "run.golden": ("text path=run.golden", "1\tone\n"),
}  # fmt: skip


@pytest.mark.parametrize("path", OWN)
def test_the_text_of_a_file_is_no_call_and_no_command(path: str) -> None:
    info, text = OWN[path]
    task = ReplyContext((ListedFile(path, FileAction.CREATE),), {}.get)
    (change,) = changes_of(f"Here it is.\n\n```{info}\n{text}```\n", task)
    assert change.content == (text if path != "new.py" else "import os\n\nx = os\n")


@pytest.mark.parametrize(
    "piece",
    [
        "diff --git a\n",
        "--- a\n+++ b\n",
        "<<<<<<< SEARCH\n",
        "```sh\ncat > a << b\n",
        "a.py\n\n",
        "@@ -1,9 +1,9 @@\n\n",
    ],
)
def test_hard_text_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    with_fences_around(piece * 5_000, TASK)
    assert time.process_time() - started < 5
