"""`audit` proves what landed again, from a clone that has nothing but the commits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from world import World, run


def task(world: World, name: str, validation: str) -> None:
    world.landed(f"p/{name}", whole={f"{name}.txt": "x\n"}, validation=validation)


def audited(world: World, *arguments: str) -> dict[str, object]:
    outcome = world.minitask("audit", "--json", *arguments)
    document = outcome.json
    assert outcome.code == (1 if document["failed"] else 0), outcome.text
    return document


def test_what_landed_is_proven_again_in_a_clone(world: World, tmp_path: Path) -> None:
    task(world, "01-b", "test -f 01-b.txt")
    task(world, "02-c", "test -f 02-c.txt")
    task(world, "03-d", "test -f 03-d.txt")
    world.minitask("undo", "p/02-c")
    merge = world.git("log", "--format=%H", "--grep=^Minitask: p/03-d", "-1").strip()
    clone = World(tmp_path / "clone")
    run(("git", "clone", "-q", world.root, clone.root), cwd=tmp_path)
    document = audited(clone, "--attest", "proof.json")
    assert (document["checked"], document["proven"], document["failed"]) == (2, 2, [])
    assert [row["task"] for row in document["skipped"]] == ["p/02-c"]
    statement = json.loads((clone.root / "proof.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert {"name": "p/03-d", "digest": {"gitCommit": merge}} in statement["subject"]
    assert audited(clone, "-n", "1")["checked"] == 1
    assert audited(clone, "--sample", "1")["checked"] == 1
    assert audited(clone, "--since", "2999-01-01")["checked"] == 0
    assert clone.minitask("audit", "q").code == 2
    shutil.rmtree(clone.root)
    assert world.exec("p/02-c").json["verdict"] == "merged"
    document = audited(world)
    assert (document["checked"], document["failed"]) == (3, []), "a task that merged again counts"


def test_a_merge_that_claims_what_it_does_not_hold_fails(world: World) -> None:
    task(world, "01-b", "test -f 01-b.txt")
    message = world.git("log", "-1", "--format=%B")
    world.git("rm", "-q", "01-b.txt")
    world.commit({"01-b.md": "other\n"}, message=message)
    document = audited(world)
    assert document["proven"] == 1
    [failed] = document["failed"]
    assert failed["merge"] == world.tip()
    assert "✗ p/01-b" in world.minitask("audit").stdout
