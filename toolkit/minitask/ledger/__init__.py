"""The ledger: evidence of every attempt (usage, cost, verdict), append-only, merged as a union."""
