"""Calls of tools that a model writes into its text: each that can mean one edit is that edit, any other goes back."""

from __future__ import annotations

# ruff: noqa: E501
import json
import time

import pytest

from minitask.edits.reply.read import changes_of
from minitask.edits.reply.reply_context import ListedFile, ReplyContext
from minitask.edits.reply.tool_calls import with_fences
from minitask.errors import EditError
from minitask.spec.model import FileAction

CSS = "body {\n  color: red;\n}\n\nh1 {\n  margin: 0;\n}\n"
BLUE = CSS.replace("red", "blue")
OLD, NEW = "  color: red;\n", "  color: blue;\n"
BLOCK = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"
TASK = ReplyContext((ListedFile("a.css", FileAction.EDIT, whole=True),), {"a.css": CSS}.get)
WRITE = {"name": "write_file", "arguments": {"path": "a.css", "content": BLUE}}
EDIT = {"name": "edit", "arguments": {"file_path": "a.css", "old_string": OLD, "new_string": NEW}}
PATCH = f"*** Begin Patch\n*** Update File: a.css\n@@\n-{OLD}+{NEW}*** End Patch\n"


def invoked(name: str, mark: str = "", **arguments: str) -> str:
    """A call in the tags of some APIs."""
    rows = (f'<{mark}parameter name="{k}">{v}</{mark}parameter>\n' for k, v in arguments.items())
    return f'<{mark}invoke name="{name}">\n{"".join(rows)}</{mark}invoke>\n'


def coded(name: str, **arguments: str) -> str:
    """A call as Qwen's coders write it."""
    rows = (f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in arguments.items())
    return f"<tool_call>\n<function={name}>\n{''.join(rows)}</function>\n</tool_call>\n"


CALLS = {
    "json in a tag": f"I write it.\n\n<tool_call>\n{json.dumps(WRITE)}\n</tool_call>\n",
    "an edit": f"<tool_call>{json.dumps(EDIT)}</tool_call>",
    "a patch": f"<tool_call>{json.dumps({'name': 'shell', 'arguments': {'command': ['apply_patch', PATCH]}})}</tool_call>",
    "mistral's": f"[TOOL_CALLS]{json.dumps([WRITE])}",
    "mistral's newer": f"[TOOL_CALLS]write_file[ARGS]{json.dumps(WRITE['arguments'])}",
    "llama's": f"<|python_tag|>{json.dumps({'name': 'write_file', 'parameters': WRITE['arguments']})}",
    "json alone": json.dumps(WRITE),
    "a part of a line": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "red", "new_string": "blue"}}),
    "parts of two lines": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "{\n  color: red", "new_string": "{\n  color: blue"}}),
    "the text of a line": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "color: red;\n}\n\nh1 {", "new_string": "color: blue;\n}\n\nh1 {"}}),
    "a part of a line, everywhere": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "red", "new_string": "blue", "replace_all": True}}),
    "several edits in a call": json.dumps({"name": "MultiEdit", "arguments": {"file_path": "a.css", "edits": [{"old_string": "color: red", "new_string": "color: blue"}]}}),
    "json in a fence": f"```json\n{json.dumps(WRITE, indent=1)}\n```\n",
    "invoke": f"<function_calls>\n{invoked('Write', file_path='a.css', content=BLUE)}</function_calls>\n",
    "invoke, an edit": invoked("str_replace_editor", command="str_replace", path="a.css", old_str=OLD.rstrip(), new_str=NEW.rstrip()),
    "deepseek's": invoked("write_file", "｜DSML｜", path="a.css", content=BLUE),
    "qwen's": coded("write_file", path="a.css", content=BLUE.rstrip()),
    "glm's": f"<tool_call>write_file\n<arg_key>path</arg_key>\n<arg_value>a.css</arg_value>\n<arg_key>content</arg_key>\n<arg_value>{BLUE}</arg_value>\n</tool_call>\n",
    "cline's": f"<write_to_file>\n<path>a.css</path>\n<content>\n{BLUE}</content>\n</write_to_file>\n",
    "cline's with a count": f"<write_to_file>\n<path>a.css</path>\n<content>\n{BLUE}</content>\n<line_count>7</line_count>\n</write_to_file>\n",
    "cline's edit": f"<replace_in_file>\n<path>a.css</path>\n<diff>\n{BLOCK}</diff>\n</replace_in_file>\n",
    "roo's": f"<apply_diff>\n<path>a.css</path>\n<diff>\n{BLOCK.replace('SEARCH', 'SEARCH' + chr(10) + ':start_line:2' + chr(10) + '-------', 1)}</diff>\n</apply_diff>\n",
    "a file in a tag": f'<file path="a.css">\n{BLUE}</file>\n',
    "bolt's": f'<boltArtifact id="x">\n<boltAction type="file" filePath="a.css">\n{BLUE}</boltAction>\n</boltArtifact>\n',
}  # fmt: skip


@pytest.mark.parametrize("form", CALLS)
def test_a_call_that_means_one_edit_is_that_edit(form: str) -> None:
    assert {change.path: change.content for change in changes_of(CALLS[form], TASK)} == {
        "a.css": BLUE
    }


BACK = {
    "a command": f'<tool_call>{json.dumps({"name": "bash", "arguments": {"command": "sed -i s/red/blue/ a.css"}})}</tool_call>',
    "an edit and a command": CALLS["an edit"] + f'<tool_call>{json.dumps({"name": "bash", "arguments": {"command": "x"}})}</tool_call>',
    "an insertion": json.dumps({"name": "edit", "arguments": {"command": "insert", "path": "a.css", "insert_line": 3, "new_str": "x"}}),
    "another file": CALLS["cline's"].replace("a.css", "b.css"),
    "json that breaks off": CALLS["json in a tag"].replace("</tool_call>", "")[:60],
    "a parameter that is never closed": coded("write_file", path="a.css", content=BLUE).replace("\n</parameter>\n</function>", "\n</function>"),
    "a text with the tag that ends it": CALLS["cline's"].replace("h1 {", "</content>\nh1 {"),
    "a file with the tag that ends it": CALLS["a file in a tag"].replace("h1 {", "</file>\nh1 {"),
    "a part of several lines": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": ";", "new_string": " !important;"}}),
    "a part of no line": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "green", "new_string": "blue"}}),
    "a part of a line in a block": "```css path=a.css\n<<<<<<< SEARCH\nred\n=======\nblue\n>>>>>>> REPLACE\n```\n",
    "lines and parts everywhere": json.dumps({"name": "edit", "arguments": {"file_path": "a.css", "old_string": "}", "new_string": "};", "replace_all": True}}),
    "several edits everywhere": json.dumps({"name": "MultiEdit", "arguments": {"file_path": "a.css", "edits": [{"old_string": "red", "new_string": "blue", "replace_all": True}]}}),
    "several edits, one open": json.dumps({"name": "MultiEdit", "arguments": {"file_path": "a.css", "edits": [{"old_string": "red", "new_string": "blue"}, {"old_string": "h1"}]}}),
    "an element between": CALLS["cline's"].replace("<content>", "and\n<content>"),
}  # fmt: skip


@pytest.mark.parametrize("form", BACK)
def test_a_call_that_may_mean_something_else_goes_back(form: str) -> None:
    with pytest.raises(EditError):
        changes_of(BACK[form], TASK)


def test_a_reply_with_fences_keeps_its_text() -> None:
    fence = f"```css path=a.css\n{BLOCK}```\n"
    assert changes_of(f'{fence}\nLike `<file path="a.css">`.\n', TASK)
    with pytest.raises(EditError, match="outside of the fences"):
        changes_of(fence + CALLS["json in a tag"], TASK)


@pytest.mark.parametrize(
    "piece", ["<tool_call>{", '<file path="a">', "<invoke name=x>", "<arg_key>", "\n\n", "[[\n"]
)
def test_hard_text_is_read_in_time(piece: str) -> None:
    started = time.process_time()
    with_fences(piece * 5_000)
    assert time.process_time() - started < 5


def test_a_part_of_the_first_line_is_found_behind_a_byte_order_mark() -> None:
    base = f"\ufeff{CSS}"
    call = json.dumps({"path": "a.css", "old_string": "body", "new_string": "html"})
    changes = changes_of(f"[{call}]", ReplyContext(TASK.files, {"a.css": base}.get))
    assert [change.content for change in changes] == [base.replace("body", "html")]
