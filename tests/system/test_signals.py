"""A signal is heard wherever the main thread is, and breaks no import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PREPARE = """
import os, signal, sys, threading
from minitask.system.signals import first_interrupt, raise_on_signals
raise_on_signals({signal.SIGINT: KeyboardInterrupt})
"""
IN_AN_IMPORT = """
try:
    import imported
    for _ in range(200):
        threading.Event().wait(0.1)
except KeyboardInterrupt:
    print(imported.IS_WHOLE)
"""
BESIDE_THE_WAIT = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # another thread is told, as if it came before the wait
lock = threading.Lock()
lock.acquire()
threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
try:
    lock.acquire(timeout=20)
except KeyboardInterrupt:
    print("interrupted")
"""
AS_NEWS = """
lock = threading.Lock()
lock.acquire()
try:
    with first_interrupt(lock.release):
        os.kill(os.getpid(), signal.SIGINT)
        print(lock.acquire(timeout=20))
        os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


AS_IT_LOADS = """
import sys
class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupt())
from minitask.__main__ import main
main()
"""


def printed(program: str, folder: Path) -> str:
    """What a Python program prints."""
    argv = (sys.executable, "-c", PREPARE + program)
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


def test_an_import_goes_on_to_its_end_and_the_interrupt_comes_then(tmp_path: Path) -> None:
    body = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nIS_WHOLE = True\n"
    (tmp_path / "imported.py").write_text(body)
    assert printed(IN_AN_IMPORT, tmp_path) == "True\n"


def test_a_signal_that_came_just_before_a_wait_ends_it(tmp_path: Path) -> None:
    assert printed(BESIDE_THE_WAIT, tmp_path) == "interrupted\n"


def test_the_first_interrupt_is_news_and_the_next_an_exception(tmp_path: Path) -> None:
    assert printed(AS_NEWS, tmp_path) == "True\ninterrupted\n"


def test_an_interrupt_while_the_program_is_loaded_ends_it_in_a_line(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", AS_IT_LOADS)
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 130
    assert done.stderr == "interrupted: run the same command again to continue\n"
