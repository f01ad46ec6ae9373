"""A real browser for tests: headless Chromium, driven through its own pipe, with all that it complains of."""

from __future__ import annotations

import base64
import importlib.resources
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_SECONDS = 60
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run", "--hide-scrollbars"),
)


class Browser:
    """One page; `complaints` are its console errors, exceptions and violations of its policy, `asked` its requests."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, os.fdopen(receive, "rb")
        self._number, self._session, self._buffer = 0, "", b""
        self.complaints: list[str] = []
        self.asked: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str, *, width: int = 1200) -> None:
        """Load a page, and wait for it."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        self._call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def value(self, expression: str) -> Any:
        """What an expression gives in the page."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < deadline, f"not true in time: {expression}"
            time.sleep(0.05)

    def emulate(self, **features: str) -> None:
        """Set features such as the preferred colour scheme; `media` is the kind of medium."""
        media = features.pop("media", "")
        listed = [
            {"name": name.replace("_", "-"), "value": value} for name, value in features.items()
        ]
        self._call("Emulation.setEmulatedMedia", media=media, features=listed)

    def disable_scripts(self) -> None:
        """Load further pages without their scripts."""
        self._call("Emulation.setScriptExecutionDisabled", value=True)

    def press(self, key: str, *, text: str = "") -> None:
        """Press a key and let it go; `text` is what it types."""
        code = {"Tab": 9, "Enter": 13, " ": 32}.get(key, 0)
        event = {"key": key, "text": text, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", **event)
        self._call("Input.dispatchKeyEvent", type="keyUp", **event)

    def findings(self) -> list[str]:
        """What axe finds in the page as it is: the rule, and where."""
        if not self.value("Boolean(window.axe)"):
            source = importlib.resources.files("axe_core_python").joinpath("axe.min.js")
            self.value(f"{source.read_text('utf-8')};0")
        found = self.value("axe.run().then((all) => all.violations)")
        return [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]]

    def shot(self, form: str = "png", **options: Any) -> bytes:
        """The page's picture as it is seen."""
        return base64.b64decode(
            self._call("Page.captureScreenshot", format=form, **options)["data"]
        )

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._receive], [], [], TIMEOUT_SECONDS)
            assert ready, "the browser does not answer"
            chunk = os.read(self._receive.fileno(), 1 << 16)
            assert chunk, "the browser has ended"
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])


@contextmanager
def headless(folder: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in a folder; the test is skipped where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser is on PATH: {', '.join(NAMES)}")
    (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
    profile = f"--user-data-dir={folder / 'profile'}"
    script = f'exec "$@" 3<&{in_read} 4>&{out_write}'
    process = subprocess.Popen(
        ("bash", "-c", script, "bash", program, *OPTIONS, profile),
        pass_fds=(in_read, out_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(in_read)
    os.close(out_write)
    browser = None
    try:
        browser = Browser(in_write, out_read)
        yield browser
    finally:
        process.kill()
        process.wait()
        os.close(in_write)
        if browser is not None:
            browser._receive.close()
