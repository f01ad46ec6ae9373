"""Read what a reply says of files that the task lists to be deleted: that they go, in words, is enough."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from minitask.edits.reply.reply_context import ReplyContext, mentions
from minitask.edits.script_model import Operation, Source, Verb
from minitask.patterns import lazy_pattern
from minitask.spec.model import FileAction

_GOES = lazy_pattern(
    r"(?i)\b(?:delet\w*|remov\w*|dropp?\w*|entfern\w*|(?:ge)?lösch\w*|supprim\w*|elimin\w*|borra\w*|удал\w*)"
    r"|[删刪]除|移除|削除|삭제"
)
_STAYS = lazy_pattern(
    r"(?i)\b(?:keep\w*|kept|leave\w*|left|not|\w+n['\u2019]t|cannot|still|remain\w*|unless|until|if|once|later|manual\w*|you|from"
    r"|nicht|pas|no|не)\b|[不未没]|ない|않"
)


def told_deletions(
    prose: str, request: ReplyContext, *, served: frozenset[str]
) -> Iterator[Operation]:
    """Yield the deletion of each file to be deleted whose name stands beside such a word, or in a line above it.

    `served` are the files that the reply's edits are about. A line that denies it, or leaves it to others, is none.
    """
    listed = {file.path for file in request.written() if file.action is FileAction.DELETE}
    doomed = {path for path in listed - served if request.read(path) is not None}
    lines = [line for line in prose.split("\n") if line.strip()] if doomed else []
    for line, following in pairwise((*lines, "")):
        paths = mentions(line, request)
        is_alone = len(paths) == 1 and not _GOES.search(line) and not mentions(following, request)
        text = f"{line} {following}" if is_alone and line.startswith(("#", "*", "-", "`")) else line
        if len(paths) == 1 and paths <= doomed and _GOES.search(text) and not _STAYS.search(text):
            doomed -= paths
            yield Operation(Verb.DELETE, (Source(paths.pop()),))
