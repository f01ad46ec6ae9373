"""Choose the route of a task, from its history, the ledger's statistics and the costs of calls.

Start at `route_task.route_of`; `requests.make_order` builds the request to an executor, `requests.baseline_cost`
estimates the cost with a frontier model, `pass_rates.lessons` returns the statistics of earlier attempts.
"""
