"""One task from its route to its landing: `life` reads from top to bottom, each step is a file."""
