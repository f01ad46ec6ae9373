"""Who does a task: what is known of it, what calls cost, what the ledger has learned, and the route that follows."""
