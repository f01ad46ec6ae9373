"""The spec's own words bind: a number that its writer stated in plain words decides, and the model is told of it."""

from __future__ import annotations

import pytest

from world import World

# The example of the document that the template comes from, with one method instead of ten.
EXAMPLE = """# Mini-Task 2: Extract Base TodoistAgent Class

**Model**: Claude 3.5 Haiku
**Estimated Tokens**: 3,000 input + 800 output
**Files to Read**:
- `core/agents/todoist.py` (lines 1-3 only - __init__ and helpers)

**Files to Create**:
- `core/agents/todoist/base.py`

## Task

Create `core/agents/todoist/base.py` with the following content:

1. Copy TodoistAgent class definition (lines 1-2)

## Acceptance Criteria

- [ ] File created at `core/agents/todoist/base.py`
- [ ] No tool methods included (those go in other modules)

## Validation

```bash
# File should exist
ls -lh core/agents/todoist/base.py

# Should be ~400 lines
wc -l core/agents/todoist/base.py

# Should contain TodoistAgent class
grep -q "class TodoistAgent" core/agents/todoist/base.py && echo "OK"
```

## Next Task

After completing this, move to Mini-Task 3: Extract Task Tools
"""
SOURCE = "class TodoistAgent:\n    pass\n# the end\n"
LONG = "class TodoistAgent:\n" + "".join(f"    field_{n} = {n}\n" for n in range(410))


def reply(text: str) -> str:
    return f"```python path=core/agents/todoist/base.py\n{text}```\n"


@pytest.mark.variant
def test_one_line_where_400_are_wanted_fails_and_is_told_why(world: World) -> None:
    with world.serve(
        [reply("class TodoistAgent: pages = 1\n"), reply(LONG)], checks=["test -e README.md"]
    ) as server:
        path = "mini-projects/todoist/02-base.md"
        world.commit({"core/agents/todoist.py": SOURCE, path: EXAMPLE, "README.md": "x\n"})
        assert world.minitask("validate", path).code == 0
        outcome = world.exec("todoist/02-base")
        first, second = (request.prompt for request in server.requests)
    assert outcome.json["verdict"] == "merged", outcome.text
    assert "wc -l core/agents/todoist/base.py  # expect: output ~400 ±40" in first
    assert "test -e README.md" in first
    assert "No tool methods included" in first
    assert "printed 1, expected 400 ±40" in second
    assert world.show("core/agents/todoist/base.py") == LONG
