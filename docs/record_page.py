"""Record the report's page as docs/page.webp: run `minitask demo` for real, and take its picture in Chromium."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tests"))

from reports.chromium import headless  # noqa: E402

WIDTH = 1700
"""As much as the graph needs."""
END = 'document.getElementById("tasks").getBoundingClientRect().top'


def main() -> None:
    """Run the demo in a temporary folder, and write the picture."""
    with tempfile.TemporaryDirectory() as name, headless(Path(name)) as browser:
        demo, page = Path(name) / "demo", Path(name) / "report.html"
        _minitask("demo", str(demo))
        _minitask("-C", str(demo), "report", "--format", "html", "--output", str(page))
        browser.emulate(prefers_color_scheme="light")
        browser.open(page.as_uri(), width=WIDTH)
        area = {"x": 0, "y": 0, "width": WIDTH, "height": browser.value(END), "scale": 1}
        picture = browser.shot("webp", quality=80, captureBeyondViewport=True, clip=area)
    TOP.joinpath("docs", "page.webp").write_bytes(picture)


def _minitask(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "minitask", *words], capture_output=True, check=True)


if __name__ == "__main__":
    main()
