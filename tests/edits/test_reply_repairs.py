"""Replies that are nearly right: read rightly where there is one right reading, else sent back."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from edits.replies import BLUE, CSS, HUNK, F, asked, edited, error_of, read, whole
from minitask.edits.reply.reply_context import ListedFile
from minitask.spec.model import FileAction


def created(path: str) -> ListedFile:
    """A file to create."""
    return ListedFile(path, FileAction.CREATE)


CSS_TASK = asked(edited("a.css"), base={"a.css": CSS})
NEW_TASK = asked(created("src/new.txt"))


def test_an_empty_line_of_a_new_file_in_a_patch_stays() -> None:
    patch = "*** Begin Patch\n*** Add File: src/new.txt\n+one\n\n+two\n\n*** End Patch\n"

    assert read(patch, NEW_TASK) == {"src/new.txt": "one\n\ntwo\n"}


@pytest.mark.parametrize("counts", ["-1,9 +1,9", "-1,2 +1,2", "-1 +1", "-1,0 +1,4", "-7,3 +7,3"])
def test_wrong_counts_of_a_diff_are_corrected(counts: str) -> None:
    hunk = HUNK.replace("-1,3 +1,3", counts)

    assert read(f"{F}diff\n--- a/a.css\n+++ b/a.css\n{hunk}{F}\n", CSS_TASK) == {"a.css": BLUE}


def test_wrong_counts_in_a_diff_of_two_files_are_corrected() -> None:
    task = asked(edited("a.css"), created("b.css"), base={"a.css": CSS})
    diff = f"--- a/a.css\n+++ b/a.css\n{HUNK.replace('3', '5')}"
    diff += "--- /dev/null\n+++ b/b.css\n@@ -0,0 +1,1 @@\n+i {\n+}\n"

    assert read(f"{F}diff\n{diff}{F}\n", task) == {"a.css": BLUE, "b.css": "i {\n}\n"}


def test_a_line_without_its_mark_in_a_diff_goes_back() -> None:
    diff = "--- a/a.css\n+++ b/a.css\n@@ -1,3 +1,5 @@\n body {\n-  color: red;\n+  color: blue;\nnew: line;\n }\n"

    assert "does not fit the counts" in error_of(f"{F}diff\n{diff}{F}\n", CSS_TASK)


def test_blocks_and_the_file_that_they_make_are_one_edit() -> None:
    block = "<<<<<<< SEARCH\n  color: red;\n=======\n  color: blue;\n>>>>>>> REPLACE\n"

    assert read(whole("a.css", block) + whole("a.css", BLUE), CSS_TASK) == {"a.css": BLUE}


def test_files_whose_texts_are_exchanged_go_back() -> None:
    base = {"a.css": CSS, "b.css": "i {\n  top: 1;\n}\n"}
    task = asked(edited("a.css"), edited("b.css"), base=base)
    reply = whole("a.css", base["b.css"].replace("1", "2")) + whole("b.css", BLUE)

    assert "would hold the text of b.css" in error_of(reply, task)


def test_one_text_under_the_paths_of_two_files_goes_back() -> None:
    base = {"a.txt": "alpha 1\nbeta\n", "b.txt": "gamma 1\ndelta\n"}
    task = asked(edited("a.txt"), edited("b.txt"), base=base)
    text = "alpha 2\nbeta\n"
    reply = whole("a.txt", text) + whole("b.txt", text)
    assert "the same text as a.txt" in error_of(reply, task)
    alike = replace(task, task_text="Make b.txt identical.")
    assert read(reply, alike) == dict.fromkeys(base, text)


def test_a_move_of_a_files_text_into_another_is_no_exchange() -> None:
    base = {"a.css": CSS, "b.css": "i {\n  top: 1;\n}\n"}
    task = asked(edited("a.css"), edited("b.css"), base=base)
    reply = whole("a.css", '@import "b.css";\n') + whole("b.css", BLUE)

    assert read(reply, task) == {"a.css": '@import "b.css";\n', "b.css": BLUE}


def test_a_new_document_may_show_what_a_conflict_looks_like() -> None:
    task = asked(created("docs/merge.md"))
    doc = f"# Conflicts\n\n{F}\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n{F}\n"

    assert read(whole("docs/merge.md", doc, bar="````"), task) == {"docs/merge.md": doc}


BLOCK = f"{F}css path=a.css\n<<<<<<< SEARCH\n  color: red;\n=======\n  color: blue;\n>>>>>>> REPLACE\n{F}\n"
MORE = BLOCK.replace("color: red", "margin: 0").replace("color: blue", "margin: 9px")


@pytest.mark.parametrize(
    "turn",
    [
        "<|im_end|>\n<|im_start|>user\nAlso the margin.<|im_end|>\n<|im_start|>assistant\n",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nThe margin.<|eot_id|>",
        "<end_of_turn>\n<start_of_turn>user\nThe margin.<end_of_turn>\n<start_of_turn>model\n",
        "</s>[INST] The margin. [/INST]\n",
    ],
)
def test_a_reply_ends_with_its_turn(turn: str) -> None:
    assert read(f"{BLOCK}\n{turn}{MORE}", CSS_TASK) == {"a.css": BLUE}


def test_a_chats_template_in_a_file_ends_no_turn() -> None:
    content = "<|im_end|>\n<|im_start|>user\n"
    assert read(whole("src/new.txt", content), NEW_TASK) == {"src/new.txt": content}


def test_a_conversation_that_the_model_made_up_goes_back() -> None:
    talk = f"{BLOCK}\nHuman: Set the margin, too.\n\nAssistant: Sure.\n\n{MORE}"
    assert "another conversation" in error_of(talk, CSS_TASK)
    named = f"{BLOCK}\n**User:** the margin is theirs.\n\n{MORE}"
    assert read(named, CSS_TASK) == {"a.css": BLUE.replace("margin: 0", "margin: 9px")}
