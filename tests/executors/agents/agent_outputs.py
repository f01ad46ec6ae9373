"""What agent programs printed when they were run against a scripted model server, and jobs to give them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from minitask.executors.agents.adapter import Job, Output

CAPTURED = Path(__file__).parent / "captured"
KEY = "sk-test-0123456789abcdef"


def captured(case: str, **changes: Any) -> Output:
    """The output of one run, by `NAME-VERSION.CASE`."""
    trajectory = CAPTURED / f"{case}.traj.json"
    given: dict[str, Any] = {
        "exit_code": int((CAPTURED / f"{case}.rc").read_text("utf-8")),
        "stdout": (CAPTURED / f"{case}.stdout").read_text("utf-8"),
        "stderr": (CAPTURED / f"{case}.stderr").read_text("utf-8"),
        "files": {"trajectory.json": trajectory.read_text("utf-8")} if trajectory.exists() else {},
    }
    return Output(**{**given, **changes})


def printed(stdout: str = "", **changes: Any) -> Output:
    """An output of our own making."""
    return Output(**{"exit_code": 0, "stdout": stdout, "stderr": "", **changes})


def job(**changes: Any) -> Job:
    """A job with everything that any agent cares for, but for an endpoint."""
    given: dict[str, Any] = {
        "prompt": "Say hello in new.txt.\n",
        "model": "mock-model",
        "workspace": Path("/slots/1/work"),
        "home": Path("/slots/1/home"),
        "seconds": 600.0,
        "writes": ("new.txt",),
        "reads": ("a.txt",),
        "max_cost_usd": Decimal("0.50"),
    }
    return Job(**{**given, **changes})


def own_endpoint(**changes: Any) -> Job:
    """A job at an endpoint that the config names, with a key."""
    return job(**{"base_url": "http://127.0.0.1:9/v1", "key": KEY, **changes})
