"""Choose who does a task: its history, the statistics of the ledger, the costs of calls, and the route.

Start at `route_task.route_of`; `requests.make_order` makes the request to an executor, `requests.baseline_cost`
estimates the cost with a frontier model, `pass_rates.lessons` has the statistics of earlier attempts.
"""
