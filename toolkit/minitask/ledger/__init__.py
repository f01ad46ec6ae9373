"""The ledger: evidence of every attempt (usage, cost, verdict), append-only, merged as a union.

`record.Record` is one entry, `record_json` its JSON; `store.append_commit` writes it and `store.read_ledger` reads it;
`summary.summarize` and `savings` compute totals.
"""
