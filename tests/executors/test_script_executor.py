"""The tier that needs no model: the spec's own edit script."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from orders import FILES, SPEC, order

from minitask.edits.script_model import Change
from minitask.errors import EditError
from minitask.executors.registry import ScriptExecutor, has_script
from minitask.executors.request import Description
from minitask.ledger.record import NO_USAGE
from minitask.spec.model import Fence, FileAction, FileRef, LineRange, Spec

MOVE = Fence("edits", "move src/a.py:4-5 -> src/b.py\n", line=20)


def spec(*snippets: Fence, files: tuple[FileRef, ...] = SPEC.files) -> Spec:
    return replace(SPEC, snippets=snippets, files=files)


def test_a_script_that_covers_every_file_needs_no_model():
    assert has_script(spec(MOVE))


def test_a_script_that_leaves_a_file_to_write_does_not_suffice():
    assert not has_script(spec(Fence("python path=src/b.py", "x = 1\n")))


def test_a_file_that_may_be_written_need_not_be():
    files = (*SPEC.files, FileRef("src/c.py", FileAction.CREATE, optional=True))
    assert has_script(spec(MOVE, files=files))


def test_illustrations_and_broken_scripts_cover_nothing():
    assert not has_script(spec())
    assert not has_script(spec(Fence("python", "x = 1\n")))
    assert not has_script(spec(MOVE, Fence("edits", "shove src/a.py:4-5 -> src/b.py\n")))


def test_a_spec_that_writes_nothing_has_no_script():
    assert not has_script(spec(files=()))


def test_the_script_is_applied_at_no_cost():
    done = ScriptExecutor().work(order(spec=spec(MOVE)))
    assert Change("src/b.py", "def one():\n    return 1\n") in done.changes
    assert (done.usage, done.cost_usd, done.model) == (NO_USAGE, Decimal(0), "")


def test_cited_lines_are_carried_to_the_base():
    moved = {**FILES, "src/a.py": "# new first line\n" + FILES["src/a.py"]}

    def locate(path: str, cited: LineRange) -> LineRange:
        return LineRange(cited.start + 1, cited.end + 1)

    done = ScriptExecutor().work(order(spec=spec(MOVE), files=moved, locate=locate))
    assert Change("src/b.py", "def one():\n    return 1\n") in done.changes


def test_a_script_that_does_not_apply_is_the_specs_fault():
    with pytest.raises(EditError) as caught:
        ScriptExecutor().work(order(spec=spec(MOVE), files={"src/a.py": "one line\n"}))
    assert "01-a.md:" in str(caught.value)


def test_nothing_is_sent_to_anyone():
    assert ScriptExecutor().describe(order()) == Description(executor="script")
