"""Decide what a task should cost and who should do it: prices, token estimates, routes. Values in, values out.

Start at `choice.choose` (the route of a spec), `ladder` (which tiers are worth a try), `prices.cost` (the one price),
`tokens.estimate_tokens` (the one estimate), `budget.Budget`, `decide.decide` and `simulate`.
"""
