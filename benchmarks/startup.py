"""How long the command line takes to say something about itself, against an interpreter that does nothing."""

from __future__ import annotations

import argparse
import sys

from timing import (
    Contender,
    compare,
    exit_code,
    minitask,
    print_table,
    quiet_environment,
    scratch_folder,
    timed,
)

LIMITS = {"--version": 5.0, "--help": None, "exec --help": None}


def main() -> int:
    options = _options()
    with scratch_folder() as folder:
        env = quiet_environment(folder)

        def contender(name: str, *argv: str, at_most: float | None = None) -> Contender:
            return Contender(name, lambda _round: timed(argv, cwd=folder, env=env), at_most)

        floor = contender("python -c pass", sys.executable, "-c", "pass")
        others = [
            contender(f"minitask {words}", str(minitask()), *words.split(), at_most=limit)
            for words, limit in LIMITS.items()
        ]
        for one in (floor, *others):
            one.run(0)
        rows = compare(floor, others, rounds=options.rounds)
    print_table("start-up, whole processes", rows)
    return exit_code(rows, strict=options.strict)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
