"""Run the command line with `python -m minitask`, or as the program `minitask`."""

import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; an interrupt while it is still being loaded ends the program, too."""
    try:
        from minitask.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: run the same command again to continue\n")
        sys.stderr.flush()
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
