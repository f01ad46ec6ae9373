"""Write the rules' pages into `docs/rules/` from the registry: `python docs/write_rules.py`."""

from __future__ import annotations

from pathlib import Path

from minitask.spec.rules import RULES, render_index, render_page

PAGES = Path(__file__).resolve().parent / "rules"


def write_pages(folder: Path) -> None:
    """Bring the folder's pages up to date, and take away those of rules that are gone."""
    wanted = {f"{rule.code}.md": render_page(rule) for rule in RULES.values()}
    wanted["README.md"] = render_index()
    for page in folder.glob("*.md"):
        if page.name not in wanted:
            page.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_pages(PAGES)
