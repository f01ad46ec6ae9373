"""Decide what a task should cost and who should do it: prices, token estimates, routes. Values in, values out.

Start at `choice.choose` (the route of a spec), `route.choose_rung` (the tiers worth a try), `prices.cost`,
`budget.Budget`, `estimates.estimate_tokens`, `decide.decide` and `simulate`.
"""
