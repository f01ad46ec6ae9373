"""Greet people by name."""

import sys


def greet(name):
    """Return a greeting for a name."""
    return "Hello, " + name + "!"


if __name__ == "__main__":
    print(greet(" ".join(sys.argv[1:])))
