"""The ledger: evidence of every attempt (usage, cost, verdict), append-only, merged as a union.

`record.Record` is one entry, `record_json` its JSON, `store.append_commit` writes and `store.read_ledger` reads;
`summary.summarize` and `savings` add up.
"""
