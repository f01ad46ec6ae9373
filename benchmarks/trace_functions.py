"""Have each Python process write down which functions of the package it enters, test by test.

`mutants.py` puts a copy of this on the module path as `sitecustomize.py`, and has pytest take that as a plugin
(PYTEST_DONT_REWRITE: it is imported before pytest).
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

PACKAGE = f"{os.sep}toolkit{os.sep}minitask{os.sep}"
FOLDER = os.environ["ENTERED_FOLDER"]
TEST = b"PYTEST_CURRENT_TEST"
entered: dict[bytes, set[Any]] = {}
current: list[Any] = [None, set()]


def trace(frame: Any, _event: str, _argument: object) -> None:
    """Note a function at its first call in a test. Called for each call, so it does little."""
    code = frame.f_code
    test = variables.get(TEST)
    if test is not current[0]:
        current[:] = test, entered.setdefault(test or b"", set())
    if code not in current[1]:
        current[1].add(code)


def pytest_runtest_setup() -> None:
    """Begin again: deep recursion and threads of other libraries end a trace."""
    sys.settrace(trace)  # type: ignore[arg-type]


def write() -> None:
    """Write what was entered."""
    sys.settrace(None)
    lines = {
        (os.fsdecode(test).rpartition(" ")[0], file, code.co_qualname)
        for test, codes in entered.items()
        for code in list(codes)
        if test and (file := code.co_filename.rpartition(PACKAGE)[2]) != code.co_filename
    }
    path = Path(FOLDER, f"{os.getpid()}.{time.time_ns()}")
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    entered.clear()


def end(code: int) -> None:
    """Leave at once, as `os._exit`, but write first."""
    write()
    leave(code)


variables = vars(os.environ)["_data"]
leave, os._exit = os._exit, end  # type: ignore[assignment]
atexit.register(write)
threading.settrace(trace)  # type: ignore[arg-type]
sys.settrace(trace)  # type: ignore[arg-type]
