"""Code and data that a compiler, loader or reader refuses, or never reaches."""
