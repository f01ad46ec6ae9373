"""The rule book: what each diagnostic means, why it matters, how to fix it; a module a family."""
