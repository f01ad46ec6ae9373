"""Code and data that a compiler, loader or reader rejects, or that nothing reaches. Start at `by_language`."""
