"""Run the command line with `python -m minitask`."""

from minitask.cli import main

if __name__ == "__main__":
    main()
