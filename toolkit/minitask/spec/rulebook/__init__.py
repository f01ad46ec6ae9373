"""The rule book: what each diagnostic means, why it matters, how to mend it; a module a family."""
