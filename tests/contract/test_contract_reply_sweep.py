"""A sample of the sweep of replies: no wrong one lands, and nearly all right ones do."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_no_wrong_reply_of_a_sample_lands(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import reply_sweep

    options = Namespace(seed=11, wrong=132, right=62, only="")
    tasks = list(reply_sweep._tasks(options))
    outcomes = reply_sweep._run(tmp_path / "sweep", tasks, sandbox="none")
    sys.modules.pop("reply_sweep")
    wrong = [f"{each.task.form} {each.task.case.path}" for each in outcomes if each.is_false_green]
    rights = [each for each in outcomes if each.task.is_right]
    assert wrong == []
    assert sum(each.merged for each in rights) >= 0.95 * len(rights)
