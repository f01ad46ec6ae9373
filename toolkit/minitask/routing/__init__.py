"""Choose who does a task: its history, what the ledger has learned, what calls cost, the route that follows."""
