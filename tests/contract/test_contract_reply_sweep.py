"""A sample of the sweep of replies: no wrong one lands, and nearly all right ones do."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.sampled(1)
@pytest.mark.parametrize("corrections", [False, True], ids=["first", "correction"])
@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.sweep)])
def test_no_wrong_reply_of_any_form_lands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, *, corrections: bool
) -> None:
    """As the first reply to a task, and as one that corrects an earlier one."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import reply_sweep

    wrong, right = (
        times * len(forms) for forms in (reply_sweep.wrong.WRONG, reply_sweep.right.RIGHT)
    )
    options = Namespace(seed=11, wrong=wrong, right=right, only="", corrections=corrections)
    tasks = list(reply_sweep._tasks(options))
    outcomes = reply_sweep._run(tmp_path / "sweep", tasks, sandbox="none")
    sys.modules.pop("reply_sweep")
    landed = [f"{each.task.form} {each.task.case.path}" for each in outcomes if each.is_false_green]
    rights = [each for each in outcomes if each.task.is_right]
    assert landed == []
    assert sum(each.merged for each in rights) >= 0.95 * len(rights)
